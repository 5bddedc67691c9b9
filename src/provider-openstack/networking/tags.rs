//! Tags: words that users put on objects. Those that a configuration gives are its own; others may put more on the same object.

use std::collections::BTreeSet;

use pipectl_cloud::{Fields, Observed};
use pipectl_core::{Attribute, Type, Value};
use pipectl_http::Method;
use pipectl_provider::arguments::texts;
use serde_json::{Value as Json, json};

use crate::cloud::Cloud;
use crate::kind::{Fault, Kind, Place, act};

pub(super) fn with_tags(fields: Fields) -> Fields {
    fields
        .apart("tags", Attribute::optional(Type::set(Type::String), "Words that it is marked with."))
        .apart("all_tags", Attribute::computed(Type::set(Type::String), "All words that it is marked with."))
        .moving(["all_tags"])
}

pub(super) fn has_tags(planned: &Value) -> bool {
    !texts(planned, "tags").is_empty()
}

/// What an object says of its tags: all, and those that were given.
pub(super) fn observed(object: &Json, known: &Value) -> Observed {
    let all: BTreeSet<&str> =
        object.get("tags").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect();
    let given: BTreeSet<&str> = texts(known, "tags").into_iter().filter(|tag| all.contains(tag)).collect();
    let set = |tags: BTreeSet<&str>| Value::set(Type::String, tags.into_iter().map(Value::from));
    [("all_tags".to_owned(), set(all)), ("tags".to_owned(), set(given))].into()
}

/// Puts the tags of a new object on it, beside any that it has.
pub(super) async fn put<K: Kind<Cloud = Cloud>>(at: &Place<'_>, id: &str, planned: &Value) -> Result<(), Fault> {
    match has_tags(planned) {
        true => replace::<K>(at, id, texts(planned, "tags").into_iter().collect()).await,
        false => Ok(()),
    }
}

/// Changes the tags that were given, and leaves others.
pub(super) async fn change<K: Kind<Cloud = Cloud>>(
    at: &Place<'_>,
    id: &str,
    prior: &Value,
    planned: &Value,
) -> Result<(), Fault> {
    let (before, now) = (texts(prior, "tags"), texts(planned, "tags"));
    if before == now {
        return Ok(());
    }
    let others = texts(prior, "all_tags").into_iter().filter(|tag| !before.contains(tag));
    replace::<K>(at, id, others.chain(now.iter().copied()).collect()).await
}

async fn replace<K: Kind<Cloud = Cloud>>(at: &Place<'_>, id: &str, tags: BTreeSet<&str>) -> Result<(), Fault> {
    act(at, Method::PUT, &[K::COLLECTION, id, "tags"], &json!({ "tags": tags })).await
}
