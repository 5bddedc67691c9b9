//! The control path `/_sim/...`: knobs and counts, for whoever drives the binary. It needs no signature.

use serde_json::{Value as Json, json};

use crate::answer::{Answer, Outcome, Refusal};
use crate::credentials;
use crate::request::Request;
use crate::settings::Settings;
use crate::world::{USER, World};

/// How long a token lives when nobody says.
const TOKEN_SECONDS: i64 = 3_600;

/// The answer to a path below `/_sim`.
pub(crate) fn handle(world: &mut World, request: &Request, path: &str, counts: Json) -> Outcome {
    let body = || -> Result<Json, Refusal> {
        serde_json::from_slice(&request.body).map_err(|error| Refusal::unreadable(error.to_string()))
    };
    let key = |body: &Json| {
        let text = body["publicKey"].as_str().unwrap_or_default();
        credentials::public_key(text).ok_or_else(|| Refusal::invalid("publicKey is no RSA key in PEM"))
    };
    match (request.method.as_str(), path) {
        ("GET", "/settings") => shown(&world.settings),
        ("POST", "/settings") => {
            let mut settings = json!(world.settings);
            merge(&mut settings, body()?);
            world.settings = serde_json::from_value(settings).map_err(|error| Refusal::invalid(error.to_string()))?;
            shown(&world.settings)
        }
        ("GET", "/requests") => Ok(Answer::json(counts)),
        ("GET", "/objects") => Ok(Answer::json(Json::Array(world.objects()))),
        ("POST", "/keys") => {
            let body = body()?;
            let id = body["keyId"].as_str().ok_or_else(|| Refusal::missing("keyId"))?;
            world.keys.add(id, key(&body)?, None);
            Ok(Answer::empty(204))
        }
        ("POST", "/session-tokens") => {
            let body = body()?;
            let seconds = body["seconds"].as_i64().unwrap_or(TOKEN_SECONDS);
            let now = world.seconds();
            let token = world.keys.issue(key(&body)?, USER, now, seconds);
            Ok(Answer::json(json!({"token": token})))
        }
        _ => Err(Refusal::not_found()),
    }
}

fn shown(settings: &Settings) -> Outcome {
    Ok(Answer::json(json!(settings)))
}

/// What is named is changed; blocks are merged, lists replaced.
fn merge(into: &mut Json, changes: Json) {
    match (into, changes) {
        (Json::Object(into), Json::Object(changes)) => {
            for (name, change) in changes {
                merge(into.entry(name).or_insert(Json::Null), change);
            }
        }
        (into, changes) => *into = changes,
    }
}
