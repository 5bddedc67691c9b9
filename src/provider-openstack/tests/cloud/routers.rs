//! Routers, for users who may not say all of a gateway.

use pipectl_core::Value;
use pipectl_provider::{Effect, Found, Intent};
use serde_json::json;

use super::bed::{self, done, kept, planned};
use super::server::{Server, clock};

const ROUTER: &str = "openstack_networking_router_v2";
const INTERFACE: &str = "openstack_networking_router_interface_v2";

#[tokio::test]
async fn a_gateway_is_changed_without_what_nobody_gave() {
    let server = Server::new();
    let bed = bed::of(&server.address);
    let kind = bed.kind(ROUTER).await;
    let given = json!({ "external_network_id": "outside", "external_subnet_ids": ["outside-1"] });
    let made = done(bed.create(&*kind, &given, "t1").await);
    let gateway = |server: &Server| {
        server.asked("PUT", "/v2.0/routers/").pop().unwrap().body["router"]["external_gateway_info"].clone()
    };

    let given = json!({ "external_network_id": "outside", "external_subnet_ids": ["outside-2"] });
    let response = bed.plan(&*kind, &given, Some(&made)).await;
    assert_eq!(response.effect, Effect::Update);
    let moved = done(kind.update(&bed.cx("t2"), &made, &planned(&*kind, response)).await);
    assert_eq!(
        gateway(&server),
        json!({ "network_id": "outside", "external_fixed_ips": [{ "subnet_id": "outside-2" }] })
    );
    let fixed = moved.attributes.attribute("external_fixed_ip").unwrap().to_string();
    assert!(fixed.contains("address in outside-2"), "{fixed}");

    let given = json!({ "external_network_id": "outside", "external_qos_policy_id": "slow" });
    let response = bed.plan(&*kind, &given, Some(&moved)).await;
    let slow = done(kind.update(&bed.cx("t3"), &moved, &planned(&*kind, response)).await);
    assert_eq!(gateway(&server), json!({ "network_id": "outside", "qos_policy_id": "slow" }));

    // What changes only its marks is no change.
    let given = json!({ "name": "b", "external_network_id": "outside", "external_qos_policy_id": "slow" });
    let response = bed.plan(&*kind, &given, Some(&slow)).await;
    let mut new = planned(&*kind, response);
    let network = Value::from("outside").marked(pipectl_core::Marks::SENSITIVE);
    new.attributes = new.attributes.with_attribute("external_network_id", network);
    done(kind.update(&bed.cx("t4"), &slow, &new).await);
    assert!(gateway(&server).is_null(), "{}", gateway(&server));
}

#[tokio::test]
async fn addresses_outside_are_the_same_in_whatever_order() {
    let server = Server::new();
    let bed = bed::of(&server.address);
    let kind = bed.kind(ROUTER).await;
    let given = |subnets: [&str; 2]| json!({ "external_network_id": "outside", "external_fixed_ip": subnets.map(|subnet| json!({ "subnet_id": subnet })) });
    let made = done(bed.create(&*kind, &given(["outside-1", "outside-2"]), "t1").await);
    let response = bed.plan(&*kind, &given(["outside-2", "outside-1"]), Some(&made)).await;
    assert_eq!(response.effect, Effect::NoOp, "{:?}", response.reasons);
    // Each keeps the address that it has.
    server.set(|state| {
        let fixed = state.object("routers", "router-1").unwrap()["external_gateway_info"]["external_fixed_ips"]
            .as_array_mut()
            .unwrap();
        fixed.reverse();
    });
    let unfinished = pipectl_provider::Instance { private: json!({ "unfinished": true }), ..made };
    let response = bed.plan(&*kind, &given(["outside-1", "outside-2"]), Some(&unfinished)).await;
    let again = done(kind.update(&bed.cx("t2"), &unfinished, &planned(&*kind, response)).await);
    let fixed = again.attributes.attribute("external_fixed_ip").unwrap().to_string();
    let place = |word: &str| fixed.find(word).unwrap_or_else(|| panic!("{fixed}"));
    assert!(place("address in outside-1") < place("address in outside-2"), "{fixed}");
}

#[tokio::test]
async fn a_router_interface_goes_with_its_router() {
    let server = Server::new();
    let bed = bed::of(&server.address);
    let kind = bed.kind(INTERFACE).await;
    for force in [false, true] {
        let given = json!({ "router_id": "gone", "subnet_id": "s", "force_destroy": force });
        let there = kept(bed.plan(&*kind, &given, None).await, &[("id", "port-1".into())]);
        let outcome = kind.delete(&bed.cx("t"), &there).await;
        assert!(outcome.diagnostics.is_empty(), "{}", super::bed::words(&outcome.diagnostics));
    }
}

#[tokio::test]
async fn a_port_that_is_older_than_the_call_is_found_in_its_router() {
    let server = Server::new();
    let bed = bed::of(&server.address);
    server.set(|state| {
        state.put("routers", "r", json!({ "id": "r" }));
        let port = json!({ "id": "p", "device_id": "", "status": "ACTIVE", "fixed_ips": [], "created_at": "2020-01-01T00:00:00Z" });
        state.put("ports", "p", port);
    });
    let kind = bed.kind(INTERFACE).await;
    let given = json!({ "router_id": "r", "port_id": "p" });
    let intent = bed.intent(&*kind, &given, "t", clock()).await;
    server.set(|state| state.object("ports", "p").unwrap()["device_id"] = "r".into());
    let found = kind.find(&bed.cx("t"), &intent).await.unwrap();
    assert!(matches!(found, Found::One(_)), "{found:?}");
    // One that Neutron has made is told by its time.
    let given = json!({ "router_id": "r", "subnet_id": null });
    let older = Intent { arguments: given, ..intent };
    assert!(matches!(kind.find(&bed.cx("t"), &older).await.unwrap(), Found::None));
}
