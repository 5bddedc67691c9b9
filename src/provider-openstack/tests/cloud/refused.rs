//! Calls that the cloud refuses: what is somebody else's stays so, and what is there is not forgotten.

use serde_json::{Value as Json, json};

use pipectl_provider::{Effect, Found, Intent};

use super::bed::{self, NETWORK, Steps, done, words};
use super::server::{Server, clock};

const CREDENTIAL: &str = "openstack_identity_application_credential_v3";

fn credentials() -> (Server, Steps) {
    let server = Server::new();
    server.set(|state| state.services = vec!["identity"]);
    let bed = bed::of(&server.address);
    (server, bed)
}

#[tokio::test]
async fn what_somebody_else_has_made_is_not_adopted_when_the_name_is_taken() {
    let (server, bed) = credentials();
    let theirs = json!({ "id": "theirs", "name": "ci", "project_id": "project-1", "roles": [], "unrestricted": false });
    server.set(|state| state.put("credentials", "theirs", theirs));
    let kind = bed.kind(CREDENTIAL).await;
    let given = json!({ "name": "ci" });
    let outcome = bed.create(&*kind, &given, "t1").await;
    assert!(words(&outcome.diagnostics).contains("409") && outcome.instance.is_none());
    let intent = bed.intent(&*kind, &given, "t1", clock()).await;
    assert!(matches!(kind.find(&bed.cx("t1"), &intent).await.unwrap(), Found::None), "the call was refused");
    // The same after a crash, when nobody knows that it was refused.
    let kind = bed.kind(CREDENTIAL).await;
    assert_eq!(intent.recorded["before"], json!(["theirs"]));
    assert!(matches!(kind.find(&bed.cx("t1"), &intent).await.unwrap(), Found::None), "it was there before");
    // Of a call that has not written down what was there before, nobody can tell.
    let intent = Intent { recorded: Json::Null, ..intent };
    assert!(matches!(kind.find(&bed.cx("t1"), &intent).await.unwrap(), Found::Ambiguous(_)));
}

#[tokio::test]
async fn a_secret_that_is_lost_is_an_error_in_its_run_and_made_anew_in_the_next() {
    let (server, bed) = credentials();
    let kind = bed.kind(CREDENTIAL).await;
    let given = json!({ "name": "ci" });
    server.set(|state| state.lose = 1);
    let outcome = bed.create(&*kind, &given, "t1").await;
    assert!(outcome.instance.is_none() && outcome.diagnostics.has_errors());
    let intent = bed.intent(&*kind, &given, "t1", clock()).await;
    let found = kind.find(&bed.cx("t1"), &intent).await.unwrap_err();
    assert!(words(&found).contains("its secret is lost"), "{}", words(&found));
    let again = bed.create(&*kind, &given, "t1").await;
    assert!(again.instance.is_none() && words(&again.diagnostics).contains("its secret is lost"));
    assert_eq!(server.asked("POST", "/v3/users").len(), 1, "nothing is made twice");
    // The next run.
    let kind = bed.kind(CREDENTIAL).await;
    let Found::One(unfinished) = kind.find(&bed.cx("t1"), &intent).await.unwrap() else { panic!("not found") };
    let response = bed.plan(&*kind, &given, Some(&unfinished)).await;
    assert_eq!(response.effect, Effect::Replace);
}

#[tokio::test]
async fn what_the_cloud_sends_elsewhere_is_not_removed() {
    let server = Server::new();
    let bed = bed::of(&server.address);
    let networks = bed.kind(NETWORK).await;
    let made = done(bed.create(&*networks, &json!({ "name": "a" }), "t1").await);
    server.set(|state| state.refused = vec![("DELETE", "networks/net-1".to_owned(), 301, Json::Null)]);
    let outcome = networks.delete(&bed.cx("t2"), &made).await;
    let said = words(&outcome.diagnostics);
    assert!(outcome.instance.is_some() && said.contains("redirected to https://login.cern.ch/."), "{said}");
    assert!(said.contains("endpoint_overrides"), "{said}");
}

#[tokio::test]
async fn addresses_of_services_are_those_of_the_web() {
    let server = Server::new();
    let bed = bed::of(&server.address);
    for address in ["neutron.cern.ch:9696", "neutron", "ftp://neutron.cern.ch"] {
        let kinds = bed.configure(&json!({ "endpoint_overrides": { "network": address } })).await.unwrap();
        let outcome = bed.create(&*kinds.resources[super::bed::NETWORK], &json!({}), "t").await;
        let said = words(&outcome.diagnostics);
        assert!(said.contains("Invalid endpoint") && said.contains("`https://`"), "{said}");
    }
}

#[tokio::test]
async fn what_a_cloud_says_of_a_private_call_is_cut_short() {
    let server = Server::new();
    server.set(|state| state.services = vec!["compute"]);
    let bed = bed::of(&server.address);
    let kind = bed.kind("openstack_compute_instance_v2").await;
    let message = "Invalid input for field/attribute user_data. Value: aHVudGVyMg==. 'aHVudGVyMg==' is too long";
    let body = json!({ "badRequest": { "message": message } });
    server.set(|state| state.refused = vec![("POST", "servers".to_owned(), 400, body)]);
    let given =
        json!({ "name": "a", "image_id": "i", "flavor_id": "f", "user_data": "hunter2", "network_mode": "none" });
    let said = words(&bed.create(&*kind, &given, "t").await.diagnostics);
    assert!(said.contains("field/attribute user_data") && !said.contains("aHVudGVyMg"), "{said}");
}
