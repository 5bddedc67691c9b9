//! Lists: filters by what the query names, order, pages.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value as Json};

use crate::answer::{Answer, Outcome, Refusal};
use crate::contract::Contract;
use crate::request::Call;
use crate::store::Object;
use crate::world::World;

/// Arguments that do not filter.
const NO_FILTER: [&str; 8] =
    ["limit", "page", "sortBy", "sortOrder", "fields", "compartmentIdInSubtree", "accessLevel", "shape"];

/// The objects of a kind that the query asks for, as a model shows them.
pub(crate) fn kind(world: &World, call: &Call<'_>, kind: &str, model: &str) -> Outcome {
    let now = world.now();
    let is_meant = |object: &&Object| object.kind == kind && matches(call, &object.body);
    let known = world.store.known(call.replica, world.settings.visible_after_ms, now);
    let mut found: Vec<&Object> = known.filter(is_meant).collect();
    // By time, the newest comes first, by anything else the smallest, unless asked otherwise.
    let by = call.asked("sortBy").unwrap_or("TIMECREATED").replace('_', "");
    match by.as_str() {
        "DISPLAYNAME" | "NAME" => {
            found.sort_by_key(|object| (object.text("displayName"), object.text("name"), object.number));
        }
        "ID" => found.sort_by_key(|object| &object.id),
        _ => found.sort_by_key(|object| object.number),
    }
    let newest_first = by == "TIMECREATED" && kind != "cluster" && kind != "nodepool";
    let order = call.asked("sortOrder").unwrap_or(if newest_first { "DESC" } else { "ASC" });
    if order.eq_ignore_ascii_case("DESC") {
        found.reverse();
    }
    page(world, call, found.into_iter().map(|object| Contract::get().pick(model, &object.body)).collect())
}

/// Whether an entry is one of those that the query asks for.
pub(crate) fn matches(call: &Call<'_>, body: &Map<String, Json>) -> bool {
    let mut filters = call.query.iter().filter(|(name, _)| !NO_FILTER.contains(&name.as_str()));
    filters.all(|(name, _)| {
        // A name that comes twice asks for either.
        let mut texts = call.query.iter().filter(|(other, _)| other == name).flat_map(|(_, text)| text.split(','));
        match body.get(name) {
            Some(Json::String(is)) if name == "lifecycleState" || name == "status" => {
                texts.any(|text| is.eq_ignore_ascii_case(text))
            }
            Some(Json::String(is)) => texts.any(|text| is == text),
            // A query may name what entries do not show, as the namespace.
            _ => false,
        }
    })
}

/// One page of a list.
pub(crate) fn page(world: &World, call: &Call<'_>, entries: Vec<Json>) -> Outcome {
    let (page, next) = cut(world, call, entries)?;
    let answer = Answer::json(Json::Array(page));
    Ok(match next {
        Some(token) => answer.field("opc-next-page", token),
        None => answer,
    })
}

/// One page, and the token of the next.
pub(crate) fn cut<T>(world: &World, call: &Call<'_>, entries: Vec<T>) -> Result<(Vec<T>, Option<String>), Refusal> {
    let name = &call.operation.name;
    let start = match call.asked("page") {
        None => 0,
        Some(token) => {
            let text = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let number =
                text.as_deref().and_then(|text| text.strip_prefix(name.as_str())?.trim().parse::<usize>().ok());
            number.ok_or_else(|| Refusal::invalid("page is no token of this operation"))?
        }
    };
    let asked = call.asked("limit").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX);
    let size = asked.min(world.settings.page_size).max(1);
    let is_more = entries.len() > start.saturating_add(size);
    let next = is_more.then(|| URL_SAFE_NO_PAD.encode(format!("{name} {}", start + size)));
    Ok((entries.into_iter().skip(start).take(size).collect(), next))
}
