//! `clouds.yaml` and `secure.yaml`.

use serde_json::json;

use super::bed::{self, Steps, words};
use super::server::Server;

fn clouds(address: &str) -> String {
    format!(
        "clouds:\n  cern:\n    region_name: cern\n    auth:\n      auth_url: http://{address}/v3\n      username: anna\n      project_name: physics\n      \
         user_domain_name: Default\n  broken: {{}}\n"
    )
}

const SECURE: &str = "clouds:\n  cern:\n    auth:\n      password: hunter2\n";

#[tokio::test]
async fn an_entry_is_looked_up_in_the_first_file_with_its_secrets() {
    let server = Server::new();
    for folder in ["", "home/.config/openstack/"] {
        let mut bed = bed::bed();
        // Of variables none counts beside an entry.
        bed.set("OS_PROJECT_NAME", "chemistry");
        bed.write(&format!("{folder}clouds.yaml"), &clouds(&server.address));
        bed.write(&format!("{folder}secure.yaml"), SECURE);
        bed.configure(&json!({ "cloud": "cern" })).await.unwrap_or_else(|found| panic!("{}", words(&found)));
        let sent = server.asked("POST", "/v3/auth/tokens").pop().unwrap().body;
        assert_eq!(sent["auth"]["identity"]["password"]["user"]["password"], "hunter2");
        assert_eq!(sent["auth"]["scope"]["project"]["name"], "physics");
        // What the block says counts more.
        bed.configure(&json!({ "cloud": "cern", "tenant_name": "biology" })).await.unwrap();
        let sent = server.asked("POST", "/v3/auth/tokens").pop().unwrap().body;
        assert_eq!(sent["auth"]["scope"]["project"]["name"], "biology");
    }
    let mut bed = bed::bed();
    bed.write("elsewhere/mine.yaml", &clouds(&server.address));
    bed.write("elsewhere/keys.yaml", SECURE);
    bed.set("OS_CLIENT_CONFIG_FILE", "elsewhere/mine.yaml");
    bed.set("OS_CLIENT_SECURE_FILE", "elsewhere/keys.yaml");
    bed.set("OS_CLOUD", "cern");
    bed.configure(&json!({})).await.unwrap_or_else(|found| panic!("{}", words(&found)));
}

#[tokio::test]
async fn mistakes_in_files_are_told_without_their_text() {
    let mut bed = bed::bed();
    bed.set("OS_CLOUD", "cern");
    let absent = refused(&bed).await;
    assert!(absent.contains("No clouds.yaml") && absent.contains("home/.config/openstack/clouds.yaml"), "{absent}");
    bed.write("clouds.yaml", "clouds:\n  cern:\n    auth: {password: hunter2\n");
    let broken = refused(&bed).await;
    assert!(broken.contains("is no YAML") && !broken.contains("hunter2"), "{broken}");
    bed.write("clouds.yaml", &clouds("127.0.0.1:9"));
    bed.set("OS_CLOUD", "pdc");
    let unknown = refused(&bed).await;
    assert!(unknown.contains("no cloud `pdc`; it has: cern, broken"), "{unknown}");
    bed.set("OS_CLOUD", "broken");
    assert!(refused(&bed).await.contains("Nothing says where Keystone is"));
}

async fn refused(bed: &Steps) -> String {
    words(&bed.configure(&json!({})).await.map(drop).unwrap_err())
}
