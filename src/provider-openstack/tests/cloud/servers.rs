//! Servers and flavors.

use std::sync::Arc;

use pipectl_core::{Marks, Value};
use pipectl_provider::{Effect, Instance, Resource};
use serde_json::{Value as Json, json};

use super::bed::{self, Steps, config, done, planned, read, text, words};
use super::server::Server;

const SERVER: &str = "openstack_compute_instance_v2";

async fn servers() -> (Server, Steps, Arc<dyn Resource>) {
    let server = Server::new();
    server.set(|state| state.services = vec!["compute", "image"]);
    let bed = bed::of(&server.address);
    let kind = bed.kind(SERVER).await;
    (server, bed, kind)
}

fn given(more: &Json) -> Json {
    let mut given = json!({ "name": "a", "image_id": "i", "flavor_id": "small", "network": [{ "uuid": "n" }] });
    given.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    given
}

fn card(network: &str, port: &str, address: &str) -> Json {
    json!({ "net_id": network, "port_id": port, "mac_addr": format!("mac of {port}"), "fixed_ips": [{ "ip_address": address }] })
}

fn actions(server: &Server) -> Vec<String> {
    let asked = server.asked("POST", "/v2.1/servers/").into_iter().filter(|request| request.path.ends_with("/action"));
    asked.map(|request| request.body.as_object().unwrap().keys().next().unwrap().clone()).collect()
}

fn actions_and_end(server: &Server) -> String {
    let is_told = |name: &String| name.starts_with("resize") || name.starts_with("confirm");
    actions(server).into_iter().filter(is_told).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_mark_changes_nothing() {
    let (server, bed, kind) = servers().await;
    let file = json!([{ "file": "/a", "content": "x" }]);
    let made = done(bed.create(&*kind, &given(&json!({ "personality": file })), "t1").await);
    let response =
        bed.plan(&*kind, &given(&json!({ "personality": file, "metadata": { "a": "b" } })), Some(&made)).await;
    let mut new = planned(&*kind, response);
    for name in ["image_id", "flavor_id", "name", "power_state"] {
        let marked = new.attributes.attribute(name).unwrap().clone().marked(Marks::SENSITIVE);
        new.attributes = new.attributes.with_attribute(name, marked);
    }
    let files = new.attributes.attribute("personality").unwrap().map_deep(&|value| value.marked(Marks::SENSITIVE));
    new.attributes = new.attributes.with_attribute("personality", files);
    done(kind.update(&bed.cx("t2"), &made, &new).await);
    assert_eq!(actions(&server), Vec::<String>::new());
    assert!(server.asked("PUT", "/v2.1/servers/").is_empty());
    assert_eq!(server.asked("POST", "/v2.1/servers/").len(), 1);
}

#[tokio::test]
async fn only_what_cannot_be_changed_in_a_block_makes_a_new_server() {
    let (_, bed, kind) = servers().await;
    let disk = |more: Json| {
        let mut disk = json!({ "source_type": "image", "uuid": "i", "boot_index": 0 });
        disk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "block_device": [disk] })
    };
    let made = done(bed.create(&*kind, &given(&disk(json!({}))), "t1").await);
    let planned = async |more: &Json| bed.plan(&*kind, &given(more), Some(&made)).await;
    let mut same = disk(json!({ "delete_on_termination": false, "multiattach": false }));
    same["network"] = json!([{ "uuid": "n", "access_network": false }]);
    let response = planned(&same).await;
    assert_eq!(response.effect, Effect::NoOp, "{:?}", response.reasons);
    // As a state has it that nobody has written a default into.
    let mut bare = made.clone();
    bare.attributes = ["network", "block_device"].into_iter().fold(bare.attributes, |attributes, name| {
        let blocks = attributes.attribute(name).unwrap().as_slice().unwrap().iter();
        let blocks: Vec<Value> = blocks
            .map(|block| {
                let names = ["access_network", "delete_on_termination", "multiattach"];
                let names = names.into_iter().filter(|name| block.attribute(name).is_some());
                let null = || Value::null_of(pipectl_core::Type::Bool);
                names.fold(block.clone(), |block, name| block.with_attribute(name, null()))
            })
            .collect();
        attributes.with_attribute(name, Value::tuple(blocks))
    });
    let response = bed.plan(&*kind, &given(&same), Some(&bare)).await;
    assert_eq!(response.effect, Effect::NoOp, "{:?}", response.reasons);
    let mut reached = disk(json!({}));
    reached["network"] = json!([{ "uuid": "n", "access_network": true }]);
    assert_eq!(planned(&reached).await.effect, Effect::Update);
    reached["network"] = json!([{ "uuid": "m", "access_network": true }]);
    assert_eq!(planned(&reached).await.effect, Effect::Replace);
    assert_eq!(planned(&disk(json!({ "delete_on_termination": true }))).await.effect, Effect::Replace);
    assert_eq!(planned(&json!({})).await.effect, Effect::Replace, "one less");
}

#[tokio::test]
async fn two_cards_in_one_network_stay_what_they_are() {
    let (server, bed, kind) = servers().await;
    server.set(|state| state.cards = vec![card("n", "p2", "10.0.0.2"), card("n", "p1", "10.0.0.1")]);
    let networks = json!({ "network": [{ "uuid": "n" }, { "uuid": "n", "fixed_ip_v4": "10.0.0.2" }] });
    let made = done(bed.create(&*kind, &given(&networks), "t1").await);
    let addresses = |made: &Instance| {
        let blocks = made.attributes.attribute("network").unwrap().as_slice().unwrap().to_vec();
        blocks.iter().map(|block| block.attribute("mac").unwrap().as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(addresses(&made), ["mac of p1", "mac of p2"]);
    let plain = json!({ "network": [{ "uuid": "n" }, { "uuid": "n" }] });
    let made = done(bed.create(&*kind, &given(&plain), "t2").await);
    let before = addresses(&made);
    server.set(|state| state.cards.reverse());
    let seen = read(&*kind, &bed.cx("t3"), &made).await.unwrap();
    assert_eq!(addresses(&seen), before);
}

#[tokio::test]
async fn an_interrupted_resize_is_confirmed() {
    let (server, bed, kind) = servers().await;
    server.set(|state| state.cards = vec![card("n", "p", "10.0.0.1")]);
    let made = done(bed.create(&*kind, &given(&json!({})), "t1").await);
    let id = text(&made, "id").to_owned();
    // Somebody has been interrupted.
    server.set(|state| {
        let object = state.object("servers", &id).unwrap();
        object["status"] = "VERIFY_RESIZE".into();
        object["flavor"]["id"] = "large".into();
    });
    let seen = read(&*kind, &bed.cx("t2"), &made).await.unwrap();
    assert_eq!((text(&seen, "flavor_id"), text(&seen, "flavor_name")), ("small", "name of small"));
    for (flavor, expected) in [("large", "confirmResize"), ("larger", "confirmResize resize confirmResize")] {
        let after = given(&json!({ "flavor_id": flavor }));
        let response = bed.plan(&*kind, &after, Some(&seen)).await;
        assert_eq!(response.effect, Effect::Update);
        let done = done(kind.update(&bed.cx("t3"), &seen, &planned(&*kind, response)).await);
        assert_eq!(text(&done, "flavor_id"), flavor);
        assert_eq!(actions_and_end(&server), expected);
        server.set(|state| {
            state.requests.clear();
            state.object("servers", &id).unwrap()["status"] = "VERIFY_RESIZE".into();
        });
    }
}

#[tokio::test]
async fn what_is_given_is_sent_or_refused() {
    let (server, bed, kind) = servers().await;
    let disk = json!({ "source_type": "image", "uuid": "i", "destination_type": "volume", "volume_type": "fast" });
    done(bed.create(&*kind, &given(&json!({ "block_device": [disk] })), "t1").await);
    let sent = server.asked("POST", "/v2.1/servers").pop().unwrap();
    assert_eq!(sent.version.as_deref(), Some("compute 2.67"));
    assert_eq!(sent.body["server"]["block_device_mapping_v2"][0]["volume_type"], "fast");
    let shared = json!({ "source_type": "volume", "uuid": "v", "multiattach": true });
    done(bed.create(&*kind, &given(&json!({ "block_device": [shared] })), "t2").await);
    let sent = server.asked("POST", "/v2.1/servers").pop().unwrap();
    assert_eq!(sent.version.as_deref(), Some("compute 2.60"));
    assert_eq!(sent.body["server"]["block_device_mapping_v2"][0].get("multiattach"), None);
    let both = json!({ "block_device": [disk], "personality": [{ "file": "/a", "content": "x" }] });
    let found = kind.validate(&config(kind.schema(), &given(&both)));
    assert!(words(&found).contains("personality"), "{}", words(&found));
}

#[tokio::test]
async fn ports_are_taken_off_before_a_server_is_removed() {
    let (server, bed, kind) = servers().await;
    server.set(|state| state.cards = vec![card("n", "p1", "10.0.0.1"), card("n", "own", "10.0.0.2")]);
    let networks =
        json!({ "network": [{ "port": "p1" }], "vendor_options": [{ "detach_ports_before_destroy": true }] });
    let made = done(bed.create(&*kind, &given(&networks), "t1").await);
    let outcome = kind.delete(&bed.cx("t2"), &made).await;
    assert!(outcome.diagnostics.is_empty(), "{}", words(&outcome.diagnostics));
    let detached: Vec<String> =
        server.asked("DELETE", "/v2.1/servers").into_iter().map(|request| request.path).collect();
    let id = text(&made, "id");
    assert_eq!(detached, [format!("/v2.1/servers/{id}/os-interface/p1"), format!("/v2.1/servers/{id}")]);
}

#[tokio::test]
async fn a_server_that_cannot_be_stopped_is_removed_all_the_same() {
    let (server, bed, kind) = servers().await;
    let made = done(bed.create(&*kind, &given(&json!({ "stop_before_destroy": true })), "t1").await);
    let refusal = json!({ "conflictingRequest": { "message": "Cannot 'stop' instance while it is in task_state x" } });
    server.set(|state| state.refused = (0..20).map(|_| ("POST", "action".to_owned(), 409, refusal.clone())).collect());
    let outcome = kind.delete(&bed.cx("t2"), &made).await;
    assert!(outcome.diagnostics.is_empty(), "{}", words(&outcome.diagnostics));
    assert!(server.get(|state| state.objects["servers"].is_empty()));
    assert_eq!(server.get(|state| state.refused.len()), 19);
}

#[tokio::test]
async fn a_server_whose_removal_has_failed_is_not_waited_for() {
    let (_, bed, kind) = servers().await;
    let stuck = given(&json!({ "name": "stuck", "timeouts": { "delete": "5s" } }));
    let made = done(bed.create(&*kind, &stuck, "t1").await);
    let said = words(&kind.delete(&bed.cx("t2"), &made).await.diagnostics);
    assert!(said.contains("the host is on fire"), "{said}");
}

#[tokio::test]
async fn a_flavor_is_found_by_a_share_that_is_no_whole_number() {
    let (server, bed, _) = servers().await;
    server.set(|state| {
        for (id, share) in [("f1", 1.0), ("f2", 1.5)] {
            state.put("flavors", id, json!({ "id": id, "name": id, "rxtx_factor": share, "swap": "" }));
        }
    });
    let kinds = bed.configure(&json!({})).await.unwrap();
    let data = &kinds.data_sources["openstack_compute_flavor_v2"];
    let wanted = config(data.schema(), &json!({ "rx_tx_factor": 1.5 }));
    let found = data.read(&bed.cx("t"), &wanted).await.unwrap_or_else(|found| panic!("{}", words(&found)));
    assert_eq!(found.attribute("flavor_id").and_then(Value::as_str), Some("f2"));
}
