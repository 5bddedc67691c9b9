//! Tags: free ones, and those that an administrator has defined, which are named `NAMESPACE.KEY`.

use pipectl_cloud::{Codec, Fields};
use pipectl_core::json::{from_json, to_json};
use pipectl_core::{Attribute, Type, Value};
use pipectl_provider::arguments::map_of_text;
use serde_json::{Map, Value as Json};

/// How defined tags are told to a service, and told by it.
pub(crate) const DEFINED: Codec = Codec { told: nested, seen: flat };

pub(crate) fn with_tags(fields: Fields) -> Fields {
    let defined = "Tags that an administrator has defined: `{ \"namespace.key\" = \"value\" }`. Those that OCI adds are left alone.";
    fields
        .named(
            "freeform_tags",
            "freeformTags",
            Attribute::optional_computed(map_of_text(), "Words that it is marked with."),
        )
        .coded("defined_tags", "definedTags", Attribute::optional_computed(map_of_text(), defined), DEFINED)
        .equivalent("defined_tags", has_all)
}

/// Whether all tags of one map are in the other: the rest is of administrators.
pub(crate) fn has_all(given: &Value, now: &Value) -> bool {
    let (Some(given), Some(now)) = (given.as_object(), now.as_object()) else { return false };
    !given.is_empty() && given.iter().all(|(key, value)| now.get(key).is_some_and(|now| now.equal_content(value)))
}

fn nested(value: &Value) -> Option<Json> {
    let mut namespaces = Map::new();
    for (name, value) in value.as_object()? {
        let (namespace, key) = name.split_once('.')?;
        let inside = namespaces.entry(namespace).or_insert_with(|| Json::Object(Map::new()));
        if let Json::Object(inside) = inside {
            inside.insert(key.to_owned(), to_json(value)?);
        }
    }
    Some(Json::Object(namespaces))
}

fn flat(json: &Json) -> Option<Value> {
    let mut tags = Vec::new();
    for (namespace, keys) in json.as_object()? {
        for (key, value) in keys.as_object()? {
            let value = match value {
                Json::String(text) => Value::from(text.as_str()),
                other => Value::from(to_json(&from_json(other))?.to_string()),
            };
            tags.push((format!("{namespace}.{key}"), value));
        }
    }
    Some(Value::map(Type::String, tags))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defined_tags_are_named_by_namespace_and_key() {
        let told = json!({ "Oracle-Tags": { "CreatedBy": "anna" }, "ops": { "team": "physics", "cost.centre": 7 } });
        let value = flat(&told).unwrap();
        let expected = [("Oracle-Tags.CreatedBy", "anna"), ("ops.team", "physics"), ("ops.cost.centre", "7")];
        let map = |tags: &[(&str, &str)]| {
            Value::map(
                Type::String,
                tags.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect::<Vec<_>>(),
            )
        };
        assert!(value.equal_content(&map(&expected)), "{value}");
        assert_eq!(nested(&map(&expected[1..2])).unwrap(), json!({ "ops": { "team": "physics" } }));
        assert!(has_all(&map(&expected[1..2]), &value), "what OCI adds is no change");
        assert!(!has_all(&map(&[("ops.team", "ops")]), &value));
    }
}
