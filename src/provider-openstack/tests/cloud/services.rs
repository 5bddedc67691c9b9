//! Nova, Magnum, Glance, routers, and credentials as far as the tests need them.

use serde_json::{Value as Json, json};

use super::server::{Job, Request, State};

type Answer = Option<(u16, Json)>;

pub fn answer(state: &mut State, request: &Request, parts: &[&str]) -> Answer {
    match parts {
        ["v2.1", rest @ ..] => nova(state, request, rest),
        ["v1", rest @ ..] => magnum(state, request, rest),
        ["v2", "images", id] => Some((200, json!({ "id": id, "name": format!("name of {id}") }))),
        ["v2.0", "routers" | "ports", ..] => routers(state, request, &parts[1..]),
        ["v3", "users", "user-1", "application_credentials", rest @ ..] => credentials(state, request, rest),
        _ => None,
    }
}

fn absent() -> Answer {
    Some((404, json!({ "error": { "message": "no such object" } })))
}

fn nova(state: &mut State, request: &Request, parts: &[&str]) -> Answer {
    match (request.method.as_str(), parts) {
        ("GET", ["flavors", "detail"]) => {
            let flavors: Vec<Json> = state.objects.entry("flavors").or_default().values().cloned().collect();
            Some((200, json!({ "flavors": flavors })))
        }
        ("GET", ["flavors", _, "os-extra_specs"]) => Some((200, json!({ "extra_specs": {} }))),
        ("GET", ["flavors", id]) => Some((200, json!({ "flavor": { "id": id, "name": format!("name of {id}") } }))),
        ("POST", ["servers"]) => {
            let id = format!("server-{}", state.next());
            let asked = &request.body["server"];
            let server = json!({
                "id": id, "name": asked["name"], "status": "ACTIVE", "OS-EXT-STS:task_state": null, "metadata": asked["metadata"],
                "image": { "id": asked["imageRef"] }, "flavor": { "id": asked["flavorRef"] }, "created": "2026-11-23T12:00:00Z",
                "addresses": {}, "security_groups": [{ "name": "default" }], "tags": [],
            });
            state.put("servers", &id, server);
            Some((202, json!({ "server": { "id": id } })))
        }
        ("GET", ["servers", id]) => match state.object("servers", id) {
            Some(server) => Some((200, json!({ "server": server }))),
            None => absent(),
        },
        ("DELETE", ["servers", id]) => {
            let is_stuck = state.object("servers", id)?["name"] == "stuck";
            match is_stuck {
                true => {
                    let server = state.object("servers", id)?;
                    server["status"] = "ERROR".into();
                    server["fault"] = json!({ "message": "the host is on fire" });
                }
                false => drop(state.objects.get_mut("servers")?.remove(*id)),
            }
            Some((204, Json::Null))
        }
        ("POST", ["servers", id, "metadata"]) => {
            state.object("servers", id)?["metadata"] = request.body["metadata"].clone();
            Some((200, json!({ "metadata": {} })))
        }
        ("POST", ["servers", id, "action"]) => {
            let server = state.object("servers", id)?;
            let action = request.body.as_object()?;
            if let Some(resize) = action.get("resize") {
                if server["status"] != "ACTIVE" {
                    return Some((409, json!({ "conflictingRequest": { "message": "not while it is resized" } })));
                }
                server["flavor"]["id"] = resize["flavorRef"].clone();
                server["status"] = "VERIFY_RESIZE".into();
            } else if action.contains_key("confirmResize") || action.contains_key("os-start") {
                server["status"] = "ACTIVE".into();
            } else if action.contains_key("os-stop") {
                server["status"] = "SHUTOFF".into();
            }
            Some((202, Json::Null))
        }
        ("GET", ["servers", _, "os-interface"]) => Some((200, json!({ "interfaceAttachments": state.cards }))),
        ("DELETE", ["servers", _, "os-interface", port]) => {
            state.cards.retain(|card| card["port_id"] != **port);
            Some((202, Json::Null))
        }
        _ => None,
    }
}

/// What is asked for begins and ends after some looks.
fn magnum(state: &mut State, request: &Request, parts: &[&str]) -> Answer {
    let later = |state: &mut State, id: &str, change: Json| {
        let left = 2 * state.delay;
        state.jobs.push(Job { id: id.to_owned(), left, change });
        Some((202, json!({ "uuid": id })))
    };
    match (request.method.as_str(), parts) {
        ("GET", ["clusters", id]) => {
            advance(state, "clusters", id);
            state.object("clusters", id).map(|cluster| (200, cluster.clone())).or_else(absent)
        }
        ("GET", ["clusters", id, "nodegroups"]) => {
            state.object("clusters", id)?;
            let workers = json!({ "uuid": "workers", "is_default": true, "role": "worker", "node_count": state.object("clusters", id)?["workers"] });
            Some((200, json!({ "nodegroups": [workers] })))
        }
        ("GET", ["clusters", cluster, "nodegroups", id]) => {
            if state.object("clusters", cluster).is_none() {
                return absent();
            }
            advance(state, "nodegroups", id);
            state.object("nodegroups", id).map(|group| (200, group.clone())).or_else(absent)
        }
        ("PATCH", ["clusters", _, "nodegroups", id]) => {
            let changed = request.body.as_array()?.iter();
            let changed: Vec<_> = changed
                .map(|one| (one["path"].as_str().unwrap().trim_start_matches('/').to_owned(), one["value"].clone()))
                .collect();
            later(state, id, Json::Object(changed.into_iter().collect()))
        }
        ("POST", ["clusters", id, "actions", "upgrade"]) => {
            later(state, id, json!({ "cluster_template_id": request.body["cluster_template"] }))
        }
        ("POST", ["clusters", id, "actions", "resize"]) => match request.body["nodegroup"].as_str() {
            Some("workers") => later(state, id, json!({ "workers": request.body["node_count"] })),
            Some(group) => {
                let group = group.to_owned();
                later(state, &group, json!({ "node_count": request.body["node_count"] }))
            }
            None => absent(),
        },
        _ => None,
    }
}

fn advance(state: &mut State, collection: &'static str, id: &str) {
    let (delay, number) = (state.delay, state.next());
    let Some(index) = state.jobs.iter().position(|job| job.id == id) else { return };
    let job = &mut state.jobs[index];
    job.left = job.left.saturating_sub(1);
    let (left, change) = (job.left, job.change.clone());
    if left == 0 {
        state.jobs.remove(index);
    }
    let Some(object) = state.object(collection, id) else { return };
    if left == 0 {
        object.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        object["status"] = "UPDATE_COMPLETE".into();
        object["updated_at"] = number.to_string().into();
    } else if left <= delay {
        object["status"] = "UPDATE_IN_PROGRESS".into();
    }
}

fn routers(state: &mut State, request: &Request, parts: &[&str]) -> Answer {
    let told = |router: &Json| json!({ "router": router });
    match (request.method.as_str(), parts) {
        ("POST", ["routers"]) => {
            let id = format!("router-{}", state.next());
            let mut router = json!({ "id": id, "status": "ACTIVE", "tags": [], "name": "", "tenant_id": "project-1" });
            router.as_object_mut()?.extend(request.body["router"].as_object()?.clone());
            led_outside(&mut router);
            state.put("routers", &id, router.clone());
            Some((201, told(&router)))
        }
        ("GET", ["routers", id]) => state.object("routers", id).map(|router| (200, told(router))).or_else(absent),
        ("PUT", ["routers", id, "add_router_interface"]) => {
            state.object("routers", id)?;
            let port = request.body["port_id"].as_str()?;
            state.object("ports", port)?["device_id"] = (*id).into();
            Some((200, json!({ "port_id": port })))
        }
        ("PUT", ["routers", id, "remove_router_interface"]) => match state.object("routers", id) {
            Some(_) => {
                state.objects.get_mut("ports")?.remove(request.body["port_id"].as_str()?);
                Some((200, json!({})))
            }
            None => absent(),
        },
        ("PUT", ["routers", id]) => {
            let gateway = &request.body["router"]["external_gateway_info"];
            if gateway.get("enable_snat").is_some() {
                let message = "rule:update_router:external_gateway_info:enable_snat is disallowed by policy";
                return Some((403, json!({ "NeutronError": { "message": message } })));
            }
            let Some(router) = state.object("routers", id) else { return absent() };
            router.as_object_mut()?.extend(request.body["router"].as_object()?.clone());
            led_outside(router);
            Some((200, told(router)))
        }
        ("GET", ["ports"]) => {
            let ports: Vec<Json> = state.objects.entry("ports").or_default().values().cloned().collect();
            Some((200, json!({ "ports": ports })))
        }
        ("GET", ["ports", id]) => state.object("ports", id).map(|port| (200, json!({ "port": port }))).or_else(absent),
        _ => None,
    }
}

/// Neutron decides what nobody asks for.
fn led_outside(router: &mut Json) {
    let Some(gateway) = router["external_gateway_info"].as_object_mut() else { return };
    gateway.entry("enable_snat").or_insert(true.into());
    let fixed = gateway.entry("external_fixed_ips").or_insert_with(|| json!([{ "subnet_id": "outside-1" }]));
    for one in fixed.as_array_mut().unwrap() {
        if one.get("ip_address").is_none() {
            one["ip_address"] = format!("address in {}", one["subnet_id"].as_str().unwrap()).into();
        }
    }
}

fn credentials(state: &mut State, request: &Request, parts: &[&str]) -> Answer {
    let told = |credential: &Json| json!({ "application_credential": credential });
    match (request.method.as_str(), parts) {
        ("GET", []) => {
            let all: Vec<Json> = state.objects.entry("credentials").or_default().values().cloned().collect();
            Some((200, json!({ "application_credentials": all })))
        }
        ("POST", []) => {
            let mut credential = request.body["application_credential"].clone();
            let is_there = |there: &Json| there["name"] == credential["name"];
            if state.objects.entry("credentials").or_default().values().any(is_there) {
                return Some((409, json!({ "error": { "message": "Duplicate entry" } })));
            }
            let id = format!("credential-{}", state.next());
            credential["id"] = id.clone().into();
            credential["project_id"] = "project-1".into();
            credential["roles"] = json!([{ "name": "member" }]);
            state.put("credentials", &id, credential.clone());
            if state.lose > 0 {
                state.lose -= 1;
                return Some((504, Json::Null));
            }
            credential["secret"] = "hunter2".into();
            Some((201, told(&credential)))
        }
        ("GET", [id]) => state.object("credentials", id).map(|credential| (200, told(credential))).or_else(absent),
        ("DELETE", [id]) => {
            state.objects.get_mut("credentials")?.remove(*id);
            Some((204, Json::Null))
        }
        _ => None,
    }
}
