//! Judges requests, and the server's own answers, by the contract.

use serde_json::{Map, Value as Json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::answer::{Answer, Body, Refusal};
use crate::contract::{Contract, Member, Operation, Type};
use crate::request::Request;

/// The body of a request, read and judged. Nulls are taken out: to the real services they are the same as absence.
pub(crate) fn body(operation: &Operation, request: &Request) -> Result<Map<String, Json>, Refusal> {
    let Some(of) = &operation.body else {
        return match request.body.is_empty() {
            true => Ok(Map::new()),
            false => Err(Refusal::unreadable(format!("{} takes no body", operation.name))),
        };
    };
    if matches!(of, Type::Stream) || request.body.is_empty() && operation.body_optional {
        return Ok(Map::new());
    }
    let content_type = request.field("content-type").unwrap_or_default();
    if content_type.split(';').next().unwrap_or_default().trim() != "application/json" {
        return Err(Refusal::new(415, "UnsupportedMediaType", format!("content-type is {content_type:?}")));
    }
    let wrong = |why: String| Refusal::unreadable(format!("Incorrectly formatted request. {why}"));
    let mut json: Json = serde_json::from_slice(&request.body).map_err(|error| wrong(error.to_string()))?;
    strip(&mut json);
    value(of, &json, "")?;
    match json {
        Json::Object(body) => Ok(body),
        _ => Err(wrong("the body is no object".to_owned())),
    }
}

/// The query of a request.
pub(crate) fn query(operation: &Operation, given: &[(String, String)]) -> Result<(), Refusal> {
    for (name, text) in given {
        let Some(member) = operation.query.get(name) else {
            return Err(Refusal::invalid(format!("unknown query parameter {name}")));
        };
        let is_right = match &member.of {
            Type::Integer => text.parse::<i64>().is_ok(),
            Type::Flag => text == "true" || text == "false",
            _ => true,
        };
        if !is_right {
            return Err(Refusal::invalid(format!("query parameter {name} has a value of the wrong type: {text}")));
        }
        // The state is taken in any case, and `fields` is a list in one text.
        let mut parts = text.split(',');
        if !member.allowed.is_empty()
            && !parts.all(|part| member.allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(part)))
        {
            return Err(Refusal::invalid(format!("{name} must be one of {}, not {text}", member.allowed.join(", "))));
        }
    }
    for (name, member) in &operation.query {
        if member.required && !given.iter().any(|(given, text)| given == name && !text.is_empty()) {
            return Err(Refusal::missing(name));
        }
    }
    if let Some((_, limit)) = given.iter().find(|(name, _)| name == "limit")
        && !limit.parse::<u32>().is_ok_and(|limit| (1..=1000).contains(&limit))
    {
        return Err(Refusal::invalid(format!("limit must be between 1 and 1000, not {limit}")));
    }
    Ok(())
}

/// Whether an answer keeps the contract. What it breaks, where it does.
pub(crate) fn answer(operation: &Operation, answer: &Answer) -> Result<(), String> {
    match (&operation.response, &answer.body) {
        (Some(Type::Stream), Body::Bytes(_) | Body::Empty) | (None, Body::Empty | Body::Absent(_)) => Ok(()),
        (Some(of), Body::Json(json)) => value(of, json, "").map_err(|refusal| refusal.message),
        (Some(_), Body::Empty) if answer.status == 304 => Ok(()),
        (of, body) => Err(format!("{of:?} was promised, the body is {body:?}")),
    }
}

fn value(of: &Type, json: &Json, at: &str) -> Result<(), Refusal> {
    let is_right = match of {
        Type::Text => json.is_string(),
        Type::Integer => json.is_i64() || json.is_u64(),
        Type::Number => json.is_number(),
        Type::Flag => json.is_boolean(),
        Type::Time => json.as_str().is_some_and(|text| OffsetDateTime::parse(text, &Rfc3339).is_ok()),
        Type::Anything => true,
        Type::Stream => false,
        Type::List(of) => match json {
            Json::Array(items) => {
                for (number, item) in items.iter().enumerate() {
                    value(of, item, &format!("{at}[{number}]"))?;
                }
                true
            }
            _ => false,
        },
        Type::Dict(of) => match json {
            Json::Object(items) => {
                for (name, item) in items {
                    value(of, item, &inside(at, name))?;
                }
                true
            }
            _ => false,
        },
        Type::Model(name) => match json {
            Json::Object(members) => {
                model(name, members, at)?;
                true
            }
            _ => false,
        },
    };
    match is_right {
        true => Ok(()),
        false => Err(Refusal::unreadable(format!("Incorrectly formatted request. {at} is of the wrong type"))),
    }
}

fn model(name: &str, given: &Map<String, Json>, at: &str) -> Result<(), Refusal> {
    let contract = Contract::get();
    let mut model = &contract.models[name];
    if let Some((member, subtypes)) = &model.subtypes {
        let tag = given.get(member).and_then(Json::as_str).ok_or_else(|| Refusal::missing(&inside(at, member)))?;
        let Some(subtype) = subtypes.get(tag) else {
            return Err(Refusal::invalid(format!("{} cannot be {tag}", inside(at, member))));
        };
        model = &contract.models[subtype];
    }
    for (name, json) in given {
        let at = inside(at, name);
        let Some(Member { of, allowed, .. }) = model.members.get(name) else {
            return Err(Refusal::invalid(format!("unknown parameter {at}")));
        };
        value(of, json, &at)?;
        let texts = match json {
            Json::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        for text in texts.iter().filter_map(Json::as_str) {
            if !allowed.is_empty() && !allowed.iter().any(|allowed| allowed == text) {
                return Err(Refusal::invalid(format!("{at} must be one of {}, not {text}", allowed.join(", "))));
            }
        }
    }
    match model.members.iter().find(|(name, member)| member.required && !given.contains_key(*name)) {
        Some((name, _)) => Err(Refusal::missing(&inside(at, name))),
        None => Ok(()),
    }
}

fn inside(at: &str, name: &str) -> String {
    match at {
        "" => name.to_owned(),
        at => format!("{at}.{name}"),
    }
}

/// Takes nulls out of objects, at every depth.
fn strip(json: &mut Json) {
    match json {
        Json::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(strip);
        }
        Json::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}
