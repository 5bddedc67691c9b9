//! A little of Identity: what the other services' callers look up.

use serde_json::{Value as Json, json};

use crate::answer::{Answer, Outcome, Refusal};
use crate::catalogue::{DOMAINS, FAULT_DOMAINS, check_domain};
use crate::listing;
use crate::request::Call;
use crate::store::digest;
use crate::world::{COMPARTMENT, OTHER_COMPARTMENT, REGION, TENANCY, USER, World};

pub(crate) fn handle(world: &mut World, call: &Call<'_>) -> Option<Outcome> {
    let compartment = call.asked("compartmentId").unwrap_or(TENANCY);
    Some(match call.operation.name.as_str() {
        "list_availability_domains" => {
            let shown =
                |name: &&str| json!({"name": name, "id": id("availabilitydomain", name), "compartmentId": compartment});
            Ok(Answer::json(DOMAINS.iter().map(shown).collect()))
        }
        "list_fault_domains" => fault_domains(call, compartment),
        "list_compartments" => list_compartments(world, call),
        "get_compartment" => {
            let found = compartments().into_iter().find(|compartment| compartment["id"] == call.id());
            found.map(|found| Answer::json(found).field("etag", "compartment")).ok_or_else(Refusal::not_found)
        }
        "list_region_subscriptions" => match call.id() == TENANCY {
            true => Ok(Answer::json(
                json!([{"regionKey": "FRA", "regionName": REGION, "status": "READY", "isHomeRegion": true}]),
            )),
            false => Err(Refusal::not_found()),
        },
        "list_regions" => Ok(Answer::json(json!([{"key": "FRA", "name": REGION}]))),
        "get_tenancy" => match call.id() == TENANCY {
            true => Ok(Answer::json(json!({
                "id": TENANCY, "name": "simulated", "description": "simulated", "homeRegionKey": "FRA",
                "freeformTags": {}, "definedTags": {},
            }))),
            false => Err(Refusal::not_found()),
        },
        "get_user" => match call.id() == USER {
            true => Ok(Answer::json(json!({
                "id": USER, "compartmentId": TENANCY, "name": "simulated", "description": "simulated",
                "timeCreated": "2026-01-01T00:00:00Z", "lifecycleState": "ACTIVE", "isMfaActivated": false,
                "freeformTags": {}, "definedTags": {},
            }))),
            false => Err(Refusal::not_found()),
        },
        _ => return None,
    })
}

fn fault_domains(call: &Call<'_>, compartment: &str) -> Outcome {
    let domain = call.asked("availabilityDomain").unwrap_or_default();
    check_domain(domain)?;
    let shown = |name: &&str| {
        let id = id("faultdomain", &format!("{domain} {name}"));
        json!({"name": name, "id": id, "compartmentId": compartment, "availabilityDomain": domain})
    };
    Ok(Answer::json(FAULT_DOMAINS.iter().map(shown).collect()))
}

fn list_compartments(world: &World, call: &Call<'_>) -> Outcome {
    let found = compartments().into_iter().filter(|compartment| {
        let is = |member: &str, argument: &str| {
            call.asked(argument)
                .is_none_or(|asked| compartment[member].as_str().is_some_and(|is| is.eq_ignore_ascii_case(asked)))
        };
        compartment["id"] != TENANCY
            && is("compartmentId", "compartmentId")
            && is("name", "name")
            && is("lifecycleState", "lifecycleState")
    });
    listing::page(world, call, found.collect())
}

fn compartments() -> Vec<Json> {
    let compartment = |id: &str, parent: &str, name: &str| {
        json!({
            "id": id, "compartmentId": parent, "name": name, "description": name, "lifecycleState": "ACTIVE",
            "timeCreated": "2026-01-01T00:00:00Z", "freeformTags": {}, "definedTags": {},
        })
    };
    vec![
        compartment(TENANCY, TENANCY, "simulated"),
        compartment(COMPARTMENT, TENANCY, "pipelines"),
        compartment(OTHER_COMPARTMENT, TENANCY, "archive"),
    ]
}

fn id(kind: &str, name: &str) -> String {
    format!("ocid1.{kind}.oc1..aaaaaaaa{}", &digest(name)[..52])
}
