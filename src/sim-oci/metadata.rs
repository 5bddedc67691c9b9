//! The metadata service of an instance, as far as instance principals need it.

use serde_json::json;

use crate::answer::{Answer, Outcome, Refusal};
use crate::credentials::Profile;
use crate::request::Request;
use crate::world::{REGION, World};

/// The answer to a path below `/opc/v2`.
pub(crate) fn handle(world: &World, request: &Request, path: &str) -> Outcome {
    if request.field("authorization") != Some("Bearer Oracle") {
        return Err(Refusal::new(
            403,
            "Forbidden",
            "The second version of the metadata service needs `Authorization: Bearer Oracle`",
        ));
    }
    let text = |text: &str| Ok(Answer::bytes(200, text.as_bytes().to_vec()).field("content-type", "text/plain"));
    match path {
        "/instance/region" | "/instance/canonicalRegionName" => text(REGION),
        "/instance/regionInfo" => Ok(Answer::json(json!({
            "realmKey": "oc1", "realmDomainComponent": "oraclecloud.com", "regionKey": "FRA", "regionIdentifier": REGION,
        }))),
        "/identity/cert.pem" => text(&world.authority.leaf),
        "/identity/key.pem" => text(&Profile::of_process().private_key),
        "/identity/intermediate.pem" => text(&world.authority.intermediate),
        _ => Err(Refusal::not_found()),
    }
}
