//! Every kind of credential, and lists in pages, against a simulated OCI that judges signatures by itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipectl_http::{Method, Url};
use pipectl_oci_client::{
    Credential, Endpoint, InstanceMetadata, PrivateKey, Profile, Service, Signer, Workload, resource_principal,
    retry_token,
};
use pipectl_sim_oci::{COMPARTMENT, Server};
use serde_json::json;

use super::keys::key;
use super::server::{Server as Peer, client, clock, ok};

fn endpoint(server: &Server, credential: Credential) -> Endpoint {
    let client = client().signing_with(Arc::new(Signer::new(credential, clock)));
    Endpoint::new(client, Service::Core, &server.endpoint(), Arc::new(clock), Arc::new(|_| {}))
        .expect("the server has an address")
}

/// Makes three networks, and reads them in pages of two. What was made with the same token is made once.
async fn works(server: &Server, credential: Credential) -> Result<(), String> {
    let endpoint = endpoint(server, credential);
    let told = |failed: pipectl_oci_client::Failed| failed.diagnostic("Failed").detail;
    let before = server.requests().get("list_vcns").copied().unwrap_or_default();
    for number in [1, 2, 3, 3] {
        let body = json!({ "compartmentId": COMPARTMENT, "cidrBlock": format!("10.{number}.0.0/16") });
        let call = endpoint.call(Method::POST, &["vcns"], &[]).json(&body);
        endpoint.send(&endpoint.once(call, &retry_token("works", body.to_string().as_bytes()))).await.map_err(told)?;
    }
    let listed = endpoint.list(&["vcns"], &[("compartmentId", COMPARTMENT), ("limit", "2")]).await.map_err(told)?;
    let mut blocks: Vec<&str> = listed.iter().filter_map(|vcn| vcn["cidrBlock"].as_str()).collect();
    blocks.sort_unstable();
    assert_eq!(blocks, ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"]);
    assert_eq!(server.requests()["list_vcns"] - before, 2, "two pages");
    Ok(())
}

fn url(text: &str) -> Url {
    Url::parse(text).expect("servers have an address")
}

/// The key of the server's user, as its profile names it.
fn of_user(server: &Server, folder: &Path) -> Credential {
    let profile = server.profile();
    let (config, path) = (folder.join("config"), folder.join("key.pem"));
    std::fs::write(&path, &profile.private_key).expect("files can be written");
    std::fs::write(&config, profile.config_file(&path.to_string_lossy())).expect("files can be written");
    let read = Profile::read(&config, "DEFAULT", None).expect("the profile is there");
    let text = |name: &str| read.text(name).expect("the profile says so");
    let pem = std::fs::read_to_string(read.path("key_file").expect("the profile names a key")).expect("it is there");
    Credential::ApiKey {
        key_id: format!("{}/{}/{}", text("tenancy"), text("user"), text("fingerprint")),
        key: PrivateKey::from_pem(&pem, None).expect("the key is one"),
    }
}

/// A key of another user, which is encrypted.
fn of_another(server: &Server) -> Credential {
    let pem = include_str!("../data/key-pkcs8-aes256.pem");
    let key = PrivateKey::from_pem(pem, Some("hunter2")).expect("it is encrypted with this");
    let key_id = format!("{}/ocid1.user.oc1..other/aa:bb", server.profile().tenancy);
    assert!(server.accept_key(&key_id, &key.public()), "the public half can be read");
    Credential::ApiKey { key_id, key }
}

fn session(server: &Server, folder: &Path) -> Credential {
    let token_file = folder.join("token");
    let token = server.issue_session_token(&key().public(), 600).expect("the public half can be read");
    std::fs::write(&token_file, token).expect("files can be written");
    Credential::Session { token_file, key: key() }
}

fn instance(server: &Server) -> Credential {
    Credential::Instance(InstanceMetadata {
        direct: client(),
        client: client(),
        base: url(&server.instance_metadata()),
        authority: Some(url(&server.endpoint())),
        environment: Arc::new(|_: &str| None),
    })
}

fn resource(server: &Server) -> Credential {
    let token = server.issue_session_token(&key().public(), 600).expect("the public half can be read");
    let variables = BTreeMap::from([
        ("OCI_RESOURCE_PRINCIPAL_VERSION", "2.2".to_owned()),
        ("OCI_RESOURCE_PRINCIPAL_RPST", token),
        ("OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM", super::keys::PEM.to_owned()),
    ]);
    resource_principal(&|name: &str| variables.get(name).cloned()).expect("all variables are there").0
}

/// The part of a cluster that gives tokens to pods has them from the cloud.
fn pod(server: &Arc<Server>, folder: &Path) -> (Peer, Credential) {
    let token_file = folder.join("account");
    std::fs::write(&token_file, "account").expect("files can be written");
    let cloud = Arc::clone(server);
    let cluster = Peer::new(move |asked| {
        let public = asked.json()["podKey"].as_str().expect("a pod shows its key").to_owned();
        let token = cloud.issue_session_token(&public, 600).expect("the key can be read");
        ok(STANDARD.encode(json!({ "token": format!("ST${token}") }).to_string()))
    });
    let workload = Workload { client: client(), url: url(&cluster.address), token_file };
    (cluster, Credential::Workload(workload))
}

fn cloud() -> Server {
    let server = Server::start().expect("a port of loopback is free");
    server.change(|settings| settings.network_ms = 0);
    server
}

#[tokio::test]
async fn every_kind_of_credential_is_taken() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let clouds = [(); 6].map(|()| Arc::new(cloud()));
    let [one, two, three, four, five, six] = &clouds;
    let (_cluster, pod) = pod(six, folder.path());
    for (name, server, credential) in [
        ("key", one, of_user(one, folder.path())),
        ("encrypted key", two, of_another(two)),
        ("session", three, session(three, folder.path())),
        ("instance", four, instance(four)),
        ("resource", five, resource(five)),
        ("pod", six, pod),
    ] {
        works(server, credential).await.unwrap_or_else(|refused| panic!("{name}: {refused}"));
    }
}

#[tokio::test]
async fn what_is_not_theirs_is_refused() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let server = cloud();
    // A key that nobody has told the cloud of, and the token of another key.
    let unknown = Credential::ApiKey { key_id: "t/u/f".to_owned(), key: key() };
    let Credential::Session { token_file, .. } = session(&server, folder.path()) else { panic!("it is a session") };
    let stolen = Credential::Session { token_file, key: PrivateKey::generate() };
    for credential in [unknown, stolen] {
        let refused = works(&server, credential).await.expect_err("it is not theirs");
        assert!(refused.contains("NotAuthenticated"), "{refused}");
    }
    assert!(server.objects().is_empty(), "{:?}", server.objects());
}
