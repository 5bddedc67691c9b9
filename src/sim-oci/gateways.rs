//! Gateways of a network, the routes that lead to them, and the services behind a service gateway.

use serde_json::{Map, Value as Json, json};

use crate::address::Block;
use crate::answer::{Answer, Outcome, Refusal};
use crate::catalogue;
use crate::listing;
use crate::network::{Kind, belongs};
use crate::request::Call;
use crate::world::World;

/// Kinds of objects to which a route can lead.
const TARGETS: [&str; 3] = ["internetgateway", "natgateway", "servicegateway"];

pub(crate) fn handle(world: &mut World, call: &Call<'_>) -> Option<Outcome> {
    Some(match call.operation.name.as_str() {
        "list_services" => listing::page(world, call, catalogue::services()),
        "get_service" => {
            let found = catalogue::services().into_iter().find(|service| service["id"] == call.id());
            found.map(Answer::json).ok_or_else(Refusal::not_found)
        }
        "attach_service_id" => switch(world, call, true),
        "detach_service_id" => switch(world, call, false),
        _ => return None,
    })
}

/// Fills in what a new gateway has of its own. A network has one of each kind.
pub(crate) fn prepare(world: &mut World, kind: &Kind, body: &mut Map<String, Json>, vcn: &str) -> Result<(), Refusal> {
    if world.store.live(kind.ocid).any(|other| other.text("vcnId") == vcn) {
        let text = format!("Fulfilling this request exceeds the Oracle-defined limit of one {} per VCN", kind.title);
        return Err(Refusal::new(400, "LimitExceeded", text));
    }
    match kind.ocid {
        "natgateway" => {
            body.entry("blockTraffic").or_insert_with(|| json!(false));
            let id = world.ocid("publicip");
            body.entry("publicIpId").or_insert_with(|| json!(id));
            let number = world.store.all().count();
            body.insert("natIp".to_owned(), json!(format!("198.51.100.{}", number % 254 + 1)));
        }
        "servicegateway" => {
            body.entry("blockTraffic").or_insert_with(|| json!(false));
            services(body)?;
        }
        _ => {}
    }
    Ok(())
}

/// Checks the services of a gateway and adds their names.
pub(crate) fn services(body: &mut Map<String, Json>) -> Result<(), Refusal> {
    for service in body.get_mut("services").and_then(Json::as_array_mut).into_iter().flatten() {
        let known = catalogue::services();
        let found = known.iter().find(|known| known["id"] == service["serviceId"]).ok_or_else(Refusal::not_found)?;
        service["serviceName"] = found["name"].clone();
    }
    Ok(())
}

/// Checks the rules of a route table and fills in what was left out.
pub(crate) fn routes(world: &World, call: &Call<'_>, body: &mut Map<String, Json>, vcn: &str) -> Result<(), Refusal> {
    let mut seen = Vec::new();
    for rule in body.get_mut("routeRules").and_then(Json::as_array_mut).into_iter().flatten() {
        let entity = rule["networkEntityId"].as_str().unwrap_or_default().to_owned();
        let kind = TARGETS.iter().find(|kind| entity.split('.').nth(1) == Some(kind)).ok_or_else(Refusal::not_found)?;
        belongs(world, call, kind, &entity, vcn)?;
        let members = rule.as_object_mut().ok_or_else(|| Refusal::unreadable("a rule is an object"))?;
        if let Some(block) = members.get("cidrBlock").cloned() {
            members.entry("destination").or_insert(block);
        }
        members.entry("destinationType").or_insert_with(|| json!("CIDR_BLOCK"));
        members.entry("routeType").or_insert_with(|| json!("STATIC"));
        let destination = members.get("destination").and_then(Json::as_str).unwrap_or_default().to_owned();
        let is_service = members["destinationType"] == "SERVICE_CIDR_BLOCK";
        let is_right = match is_service {
            true => catalogue::services().iter().any(|service| service["cidrBlock"] == destination.as_str()),
            false => Block::read(&destination).is_some(),
        };
        if !is_right || is_service != (*kind == "servicegateway") || seen.contains(&destination) {
            return Err(Refusal::invalid(format!(
                "routeRules: the destination {destination:?} is not valid for {entity}"
            )));
        }
        if !is_service {
            members.insert("cidrBlock".to_owned(), json!(destination));
        }
        seen.push(destination);
    }
    Ok(())
}

fn switch(world: &mut World, call: &Call<'_>, attach: bool) -> Outcome {
    let gateway = world.find_to_change(call, "servicegateway")?;
    gateway.needs(&["AVAILABLE"])?;
    let id = gateway.id.clone();
    let mut attached = gateway.value("services").as_array().cloned().unwrap_or_default();
    let service = json!({"serviceId": call.body["serviceId"]});
    let is_there = attached.iter().any(|other| other["serviceId"] == service["serviceId"]);
    if is_there == attach {
        return Err(Refusal::conflict(format!("The service {} is attached already, or is not", service["serviceId"])));
    }
    match attach {
        true => attached.push(service),
        false => attached.retain(|other| other["serviceId"] != service["serviceId"]),
    }
    let mut changes = Map::from_iter([("services".to_owned(), json!(attached))]);
    services(&mut changes)?;
    world.store.get_mut(&id).ok_or_else(Refusal::not_found)?.change(changes);
    let gateway = world.store.get(&id).ok_or_else(Refusal::not_found)?;
    Ok(world.show("core.ServiceGateway", gateway))
}
