//! What takes its time: making, removing, being given up and gone on with.

use std::time::SystemTime;

use pipectl_provider::{Effect, Stop};
use serde_json::json;

use super::bed::{self, NETWORK, done, planned, read, text, words};
use super::server::Server;

#[tokio::test]
async fn a_network_is_made_changed_repaired_and_removed() {
    let server = Server::new();
    let bed = bed::of(&server.address);
    let networks = bed.kind(NETWORK).await;
    let given = json!({ "name": "a", "tags": ["x"], "admin_state_up": true });
    let made = done(bed.create(&*networks, &given, "t1").await);
    assert_eq!((text(&made, "region"), text(&made, "tenant_id")), ("cern", "project-1"));
    let seen = read(&*networks, &bed.cx("t"), &made).await.unwrap();
    assert_eq!(seen, made, "what was made is what is seen");

    let given = json!({ "name": "b", "tags": ["y"], "admin_state_up": true });
    // Somebody else marks it, too, and changes it.
    server.set(|state| state.networks.get_mut("net-1").unwrap()["tags"] = json!(["x", "theirs"]));
    server.set(|state| state.networks.get_mut("net-1").unwrap()["admin_state_up"] = json!(false));
    let seen = read(&*networks, &bed.cx("t"), &made).await.unwrap();
    let response = bed.plan(&*networks, &given, Some(&seen)).await;
    assert_eq!(response.effect, Effect::Update);
    let reasons: Vec<_> = response.reasons.iter().map(|reason| reason.text.clone()).collect();
    assert_eq!(reasons, ["argument `admin_state_up` changed", "argument `name` changed", "argument `tags` changed"]);
    let changed = done(networks.update(&bed.cx("t2"), &seen, &planned(&*networks, response)).await);
    let now = server.get(|state| state.networks["net-1"].clone());
    assert_eq!(
        (&now["name"], &now["tags"], &now["admin_state_up"]),
        (&json!("b"), &json!(["theirs", "y"]), &json!(true))
    );
    assert_eq!(
        server.asked("PUT", "/v2.0/networks/net-1").iter().filter(|put| put.body["network"]["mtu"].is_number()).count(),
        0
    );

    let response = bed.plan(&*networks, &json!({ "tenant_id": "project-2" }), Some(&changed)).await;
    assert_eq!(response.effect, Effect::Replace);

    // What still uses it is on its way out.
    server.set(|state| state.in_use = 2);
    let outcome = networks.delete(&bed.cx("t3"), &changed).await;
    assert!(outcome.instance.is_none() && outcome.diagnostics.is_empty(), "{}", words(&outcome.diagnostics));
    assert_eq!(server.asked("DELETE", "/v2.0/networks/net-1").len(), 3);
    assert!(read(&*networks, &bed.cx("t4"), &changed).await.is_none());
    assert!(networks.delete(&bed.cx("t5"), &changed).await.diagnostics.is_empty(), "gone is gone");
}

#[tokio::test]
async fn what_takes_too_long_is_told_and_goes_on_at_the_next_attempt() {
    let server = Server::new();
    let bed = bed::of(&server.address);
    let networks = bed.kind(NETWORK).await;
    server.set(|state| state.builds = 1000);
    let given = json!({ "name": "a", "timeouts": { "create": "1s" } });
    let outcome = bed.create(&*networks, &given, "t1").await;
    let said = words(&outcome.diagnostics);
    assert!(said.contains("has not come to an end within 1 s (it is BUILD)") && outcome.instance.is_none(), "{said}");
    assert_eq!(*bed.recorded.lock().unwrap(), json!({ "id": "net-1" }));
    let intent = bed.intent(&*networks, &given, "t1", SystemTime::UNIX_EPOCH).await;
    assert!(networks.find(&bed.cx("t1"), &intent).await.is_err(), "it is not over");

    server.set(|state| state.builds = 1);
    let made = done(bed.create(&*networks, &given, "t1").await);
    assert_eq!(text(&made, "id"), "net-1");
    assert_eq!(server.get(|state| state.networks.len()), 1);
}

#[tokio::test]
async fn a_second_interrupt_gives_up_waiting() {
    let server = Server::new();
    let bed = bed::of(&server.address);
    let networks = bed.kind(NETWORK).await;
    server.set(|state| state.builds = 1000);
    let cx = bed.cx("t1");
    let cancel = cx.cancel.clone();
    let response = bed.plan(&*networks, &json!({ "name": "a" }), None).await;
    let new = planned(&*networks, response);
    let (outcome, ()) = tokio::join!(networks.create(&cx, &new), async {
        while server.asked("GET", "/v2.0/networks/net-1").is_empty() {
            tokio::task::yield_now().await;
        }
        cancel.request(Stop::Now);
    });
    assert!(words(&outcome.diagnostics).contains("The next run goes on from here"), "{}", words(&outcome.diagnostics));
}
