//! The knobs: what each of them does to a client that signs as it should.

#![allow(clippy::unwrap_used)]

#[path = "knobs/client.rs"]
mod client;
#[path = "knobs/refused.rs"]
mod refused;

use std::thread::sleep;
use std::time::{Duration, Instant};

use client::Client;
use pipectl_sim_oci::{COMPARTMENT, Chance, Effect, Fault, Server, Service, WorkRequestFailure};
use serde_json::{Value as Json, json};

const VCNS: &str = "/20160918/vcns";

fn list() -> String {
    format!("{VCNS}?compartmentId={COMPARTMENT}")
}

fn start() -> (Server, Client) {
    let server = Server::start().unwrap();
    let client = Client::of(&server);
    (server, client)
}

fn pause(milliseconds: u64) {
    sleep(Duration::from_millis(milliseconds));
}

#[test]
fn states_take_the_time_of_their_knob() {
    let (server, client) = start();
    server.change(|settings| {
        settings.network_ms = 1_000;
        settings.network_terminated_ms = 1_000;
    });
    let vcn = client.make_vcn();
    assert_eq!(client.state(&vcn), "PROVISIONING");
    let early = client.send("DELETE", &format!("{VCNS}/{vcn}"), None, &[]);
    assert_eq!(early.code(), (409, "IncorrectState"));
    pause(1_050);
    assert_eq!(client.state(&vcn), "AVAILABLE");
    assert_eq!(client.send("DELETE", &format!("{VCNS}/{vcn}"), None, &[]).status, 204);
    assert_eq!(client.state(&vcn), "TERMINATING");
    pause(1_050);
    assert_eq!(client.state(&vcn), "TERMINATED");
    assert!(server.objects().is_empty(), "{:?}", server.objects());
    pause(1_050);
    assert_eq!(client.get(&format!("{VCNS}/{vcn}")).code(), (404, "NotAuthorizedOrNotFound"));
}

#[test]
fn a_script_meets_the_calls_it_names_and_is_used_up() {
    let (server, client) = start();
    let refuse = Effect::Refuse { status: 500, code: "InternalError".into(), message: "Out of host capacity.".into() };
    server.change(|settings| {
        settings.retry_after_seconds = 7;
        settings.faults = vec![
            Fault { operation: "list_vcns".into(), skip: 1, times: 2, effect: Effect::Throttle },
            Fault::next("create_*", refuse),
        ];
    });
    let statuses: Vec<u16> = (0..4).map(|_| client.get(&list()).status).collect();
    assert_eq!(statuses, [200, 429, 429, 200]);
    let body = json!({"compartmentId": COMPARTMENT, "cidrBlock": "10.0.0.0/16"});
    assert_eq!(client.post(VCNS, &body).json["message"], "Out of host capacity.");
    assert_eq!(client.post(VCNS, &body).status, 200);
    assert!(server.settings().faults.is_empty());
    server.change(|settings| settings.faults = vec![Fault::next("list_vcns", Effect::Throttle)]);
    assert_eq!(client.get(&list()).field("retry-after"), Some("7"));
    server.change(|settings| settings.faults = vec![Fault::next("list_vcns", Effect::Delay(300))]);
    let started = Instant::now();
    client.get(&list());
    assert!(started.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_dropped_connection_tells_nothing_of_what_was_done() {
    let (server, client) = start();
    let body = json!({"compartmentId": COMPARTMENT, "cidrBlock": "10.0.0.0/16"}).to_string();
    for (effect, made) in [(Effect::DropBefore, 0), (Effect::DropAfter, 1)] {
        server.change(|settings| settings.faults = vec![Fault::next("create_vcn", effect.clone())]);
        assert_eq!(client.send("POST", VCNS, Some(&body), &[("opc-retry-token", "t")]).status, 0, "{effect:?}");
        assert_eq!(client.get(&list()).json.as_array().unwrap().len(), made, "{effect:?}");
    }
    let again = client.send("POST", VCNS, Some(&body), &[("opc-retry-token", "t")]);
    assert_eq!(again.json["id"], client.get(&list()).json[0]["id"], "the token finds what the lost answer told");
    assert_eq!(server.log().iter().filter(|logged| logged.status == 0).count(), 2);
}

#[test]
fn a_retry_token_is_remembered_for_a_while() {
    let (server, client) = start();
    server.change(|settings| settings.retry_token_ms = 1_500);
    let body = json!({"compartmentId": COMPARTMENT, "cidrBlock": "10.0.0.0/16"}).to_string();
    let make = |body: &str| client.send("POST", VCNS, Some(body), &[("opc-retry-token", "t")]);
    let first = make(&body);
    assert_eq!(make(&body).json["id"], first.json["id"]);
    assert_eq!(make(&body.replace("10.0", "10.1")).code(), (409, "InvalidatedRetryToken"));
    pause(1_550);
    assert_ne!(make(&body).json["id"], first.json["id"]);
}

#[test]
fn chance_repeats_with_its_seed() {
    let draw = |seed: u64| {
        let (server, client) = start();
        server.change(|settings| {
            settings.seed = seed;
            settings.chance = Chance {
                throttle: 0.2,
                error: 0.2,
                drop_before: 0.2,
                drop_after: 0.0,
                operations: vec!["list_vcns".into()],
            };
        });
        let statuses: Vec<u16> = (0..40).map(|_| client.get(&list()).status).collect();
        let spared: Vec<u16> =
            (0..10).map(|_| client.get(&format!("/20160918/subnets?compartmentId={COMPARTMENT}")).status).collect();
        assert_eq!(spared, [200; 10], "another operation is spared");
        statuses
    };
    let first = draw(1);
    assert_eq!(first, draw(1));
    assert_ne!(first, draw(2));
    for status in [200, 429, 500, 0] {
        assert!(first.contains(&status), "{status} never came: {first:?}");
    }
}

#[test]
fn replicas_lag_behind() {
    let (server, client) = start();
    server.change(|settings| {
        settings.visible_after_ms = 1_500;
        settings.replicas = 2;
        settings.network_ms = 0;
    });
    let vcn = client.make_vcn();
    let seen: Vec<String> = (0..4).map(|_| client.state(&vcn)).collect();
    assert!(seen.contains(&"none".to_owned()) && seen.contains(&"AVAILABLE".to_owned()), "{seen:?}");
    let subnet = json!({"compartmentId": COMPARTMENT, "cidrBlock": "10.0.0.0/24", "vcnId": vcn});
    let statuses = [0, 1].map(|_| client.post("/20160918/subnets", &subnet).status);
    assert!(statuses.contains(&404), "a reference can be unknown too: {statuses:?}");
    pause(1_550);
    let seen: Vec<String> = (0..4).map(|_| client.state(&vcn)).collect();
    assert_eq!(seen, ["AVAILABLE"; 4]);
}

#[test]
fn replicas_know_of_changes_and_removals_later() {
    let (server, client) = start();
    server.change(|settings| {
        settings.replicas = 2;
        settings.network_ms = 0;
    });
    let vcn = client.make_vcn();
    let path = format!("{VCNS}/{vcn}");
    server.change(|settings| settings.visible_after_ms = 1_500);
    pause(1_550);
    let old = client.get(&path);
    let shown = |reply: &client::Reply| reply.json["displayName"].as_str().unwrap_or("none").to_owned();
    let renamed = client.send("PUT", &path, Some("{\"displayName\":\"new\"}"), &[]);
    assert_eq!(shown(&renamed), "new");
    let mut seen: Vec<(String, bool)> = (0..4)
        .map(|_| client.get(&path))
        .map(|reply| (shown(&reply), reply.field("etag") == old.field("etag")))
        .collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen.contains(&("new".to_owned(), false)) && seen.contains(&(shown(&old), true)), "{seen:?}");
    let mut listed: Vec<Json> = (0..4).map(|_| client.get(&list()).json[0]["displayName"].clone()).collect();
    listed.sort_by_key(Json::to_string);
    listed.dedup();
    assert_eq!(listed.len(), 2, "{listed:?}");
    // Who goes by what an old replica has shown is refused: changes are made where the truth is.
    let etag = old.field("etag").expect("an object has a tag");
    for _ in 0..2 {
        assert_eq!(client.send("PUT", &path, Some("{}"), &[("if-match", etag)]).code(), (412, "NoEtagMatch"));
    }
    pause(1_550);
    assert_eq!([0; 4].map(|_| shown(&client.get(&path))), ["new"; 4]);
    assert_eq!(client.send("DELETE", &path, None, &[]).status, 204);
    let seen = [0; 4].map(|_| client.state(&vcn));
    assert!(seen.contains(&"AVAILABLE".to_owned()), "one does not know yet that it is gone: {seen:?}");
    assert!(seen.iter().any(|state| state.starts_with("TERMINAT") || state == "none"), "{seen:?}");
    pause(1_550);
    assert!([0; 4].map(|_| client.state(&vcn)).iter().all(|state| state != "AVAILABLE"));
}

#[test]
fn pages_are_as_small_as_told() {
    let (server, client) = start();
    for _ in 0..5 {
        client.make_vcn();
    }
    server.change(|settings| settings.page_size = 2);
    let mut target = list();
    let mut pages = Vec::new();
    loop {
        let reply = client.get(&target);
        pages.push(reply.json.as_array().unwrap().len());
        match reply.field("opc-next-page") {
            Some(token) => target = format!("{}&page={token}", list()),
            None => break,
        }
    }
    assert_eq!(pages, [2, 2, 1]);
}

#[test]
fn a_work_request_fails_as_told() {
    let (server, client) = start();
    server.change(|settings| {
        settings.network_ms = 0;
        settings.cluster_ms = 2_000;
        settings.kubernetes_endpoint = Some("127.0.0.1:6443".into());
        settings.work_request_failures =
            vec![WorkRequestFailure::next("CLUSTER_CREATE", "LimitExceeded", "no cluster is left")];
    });
    let vcn = client.make_vcn();
    let body = json!({
        "name": "c", "compartmentId": COMPARTMENT, "vcnId": vcn, "kubernetesVersion": "v1.33.1",
        "endpointConfig": {"isPublicIpEnabled": true},
    });
    let mut ends = Vec::new();
    for _ in 0..2 {
        let accepted = client.post("/20180222/clusters", &body);
        assert_eq!(accepted.status, 202);
        let request = format!("/20180222/workRequests/{}", accepted.field("opc-work-request-id").unwrap());
        assert_eq!(client.get(&request).json["status"], "ACCEPTED");
        pause(1_200);
        assert_eq!(client.get(&request).json["status"], "IN_PROGRESS");
        pause(1_000);
        let ended = client.get(&request).json;
        let cluster = ended["resources"][0]["identifier"].as_str().unwrap();
        let cluster = client.get(&format!("/20180222/clusters/{cluster}")).json;
        let errors = client.get(&format!("{request}/errors?compartmentId={COMPARTMENT}")).json;
        ends.push((ended["status"].clone(), cluster["lifecycleState"].clone(), errors[0]["message"].clone()));
        if ends.len() == 2 {
            assert_eq!(cluster["endpoints"]["publicEndpoint"], "127.0.0.1:6443");
        }
    }
    assert_eq!(ends[0], (json!("FAILED"), json!("FAILED"), json!("no cluster is left")));
    assert_eq!(ends[1], (json!("SUCCEEDED"), json!("ACTIVE"), Json::Null));
}

#[test]
fn requests_are_counted_and_knobs_turned_from_outside() {
    let (server, client) = start();
    client.make_vcn();
    client.get(&list());
    client.get("/20160918/nothing");
    let counts = client.get("/_sim/requests").json;
    assert_eq!(counts, json!({"total": 3, "operations": {"create_vcn": 1, "list_vcns": 1, "unknown": 1}}));
    assert_eq!(server.requests()["create_vcn"], 1);
    let kinds: Vec<Json> =
        client.get("/_sim/objects").json.as_array().unwrap().iter().map(|object| object["kind"].clone()).collect();
    assert_eq!(kinds.len(), 4, "a network and its three defaults: {kinds:?}");
    assert_eq!(client.post("/_sim/settings", &json!({"latency_ms": 5, "chance": {"error": 1.0}})).status, 200);
    let settings = server.settings();
    assert_eq!((settings.latency_ms, settings.chance.error, settings.chance.throttle), (5, 1.0, 0.0));
    assert_eq!(client.get(&list()).code(), (500, "InternalError"));
    assert_eq!(client.post("/_sim/settings", &json!({"colour": "red"})).status, 400);
    server.forget_requests();
    assert!(server.requests().is_empty());
}

/// The least that a type of the contract can be.
fn least(contract: &Json, of: &str) -> Json {
    let inner = |prefix: &str| of.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(']'));
    match of {
        "str" => json!("none"),
        "int" => json!(1),
        "float" => json!(1.0),
        "bool" => json!(false),
        "datetime" | "date" => json!("2026-01-01T00:00:00Z"),
        "object" => json!({}),
        _ => match (inner("list["), inner("dict[")) {
            (Some(of), _) => json!([least(contract, of)]),
            (None, Some(_)) => json!({}),
            (None, None) => model(contract, of),
        },
    }
}

fn model(contract: &Json, name: &str) -> Json {
    let of = &contract["models"][name];
    let mut made = json!({});
    let (mut members, mut tag) = (&of["members"], None);
    if let Some((value, subtype)) = of["subtypes"].as_object().and_then(|subtypes| subtypes.iter().next()) {
        let subtype = subtype.as_str().expect("a subtype is the name of a model");
        members = &contract["models"][subtype]["members"];
        tag = Some((of["discriminator"].as_str().expect("a tag tells the subtype"), value));
    }
    for (member, of) in members.as_object().into_iter().flatten().filter(|(_, of)| of["required"] == true) {
        made[member] = match (member.as_str(), &of["allowed"][0]) {
            ("compartmentId", _) => json!(COMPARTMENT),
            (_, Json::Null) => least(contract, of["type"].as_str().expect("a member has a type")),
            (_, allowed) => allowed.clone(),
        };
    }
    if let Some((member, value)) = tag {
        made[member] = json!(value);
    }
    made
}

/// Whether it was refused before anybody looked at what it is about.
fn is_judged(reply: &client::Reply) -> bool {
    let message = reply.json["message"].as_str().unwrap_or_default();
    reply.status == 415
        || reply.json["code"] == "CannotParseRequest"
        || ["unknown parameter", "unknown query parameter"].iter().any(|words| message.starts_with(words))
}

#[test]
fn every_operation_of_the_contract_is_there() {
    let (server, client) = start();
    let contract: Json = serde_json::from_str(include_str!("../contract.json")).unwrap();
    let operations = contract["operations"].as_object().unwrap();
    assert!(operations.len() > 100);
    for (name, operation) in operations {
        let mut target = String::new();
        for part in operation["path"].as_str().unwrap().split('/').skip(1) {
            let given = match part {
                "{namespaceName}" => pipectl_sim_oci::NAMESPACE,
                part if part.starts_with('{') => "none",
                part => part,
            };
            target.push_str(&format!("/{given}"));
        }
        let mut separator = '?';
        for (argument, member) in operation["query"].as_object().into_iter().flatten() {
            if member["required"] == true {
                let given = match argument.as_str() {
                    "compartmentId" => COMPARTMENT,
                    "uploadPartNum" => "1",
                    _ => member["allowed"][0].as_str().unwrap_or("none"),
                };
                target.push_str(&format!("{separator}{argument}={given}"));
                separator = '&';
            }
        }
        let method = operation["method"].as_str().unwrap();
        let body = operation["body"].as_str().filter(|of| *of != "stream").map(|of| least(&contract, of).to_string());
        let reply = client.send(method, &target, body.as_deref(), &[]);
        // Not here would be a 501, and a request that the judge refuses would tell nothing.
        assert!((200..500).contains(&reply.status), "{name}: {method} {target}: {reply:?}");
        assert!(!is_judged(&reply), "{name}: {method} {target} {body:?}: {reply:?}");
        let short = name.split('.').next_back().unwrap();
        assert_eq!(server.log().last().unwrap().operation, short, "{method} {target} is another operation");
    }
}

#[test]
fn a_service_knows_its_own_operations_and_ends_with_its_server() {
    let (server, _) = start();
    let address = server.endpoint_of(Service::ContainerEngine).trim_start_matches("http://").to_owned();
    assert_ne!(server.endpoint(), server.endpoint_of(Service::Core));
    assert!(std::net::TcpStream::connect(&address).is_ok());
    drop(server);
    pause(100);
    assert!(std::net::TcpStream::connect(&address).is_err(), "nobody listens any more");
}
