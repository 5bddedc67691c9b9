//! Tags: free ones, and those that an administrator has defined, which are named `NAMESPACE.KEY`.

use pipectl_cloud::{Codec, Fields};
use pipectl_core::json::{from_json, to_json};
use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Type, Value};
use pipectl_provider::arguments::map_of_text;
use serde_json::{Map, Value as Json};

const MEMBER: &str = "definedTags";

/// The namespace of the tags that OCI adds by itself.
const ORACLE: &str = "Oracle-Tags";

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
        .coded("defined_tags", MEMBER, Attribute::optional_computed(map_of_text(), defined), DEFINED)
        .equivalent("defined_tags", has_all)
        .rule(judge)
}

/// Whether all tags of one map are in the other: the rest is of administrators. Letters of names may be large or small.
pub(crate) fn has_all(given: &Value, now: &Value) -> bool {
    let (Some(given), Some(now)) = (given.as_object(), now.as_object()) else { return false };
    given.iter().all(|(name, value)| {
        now.iter().any(|(there, now)| there.eq_ignore_ascii_case(name) && now.equal_content(value))
    })
}

/// A change of defined tags with those that are there and were not given before: they are of OCI and of administrators.
pub(crate) fn keep_others(changes: &mut Map<String, Json>, prior: &Value, object: &Json) {
    let Some(Json::Object(tags)) = changes.get_mut(MEMBER) else { return };
    let before = prior.attribute("defined_tags").and_then(Value::as_object);
    let was_given = |namespace: &str, key: &str| {
        let name = format!("{namespace}.{key}");
        namespace != ORACLE
            && before.is_some_and(|before| before.keys().any(|before| before.eq_ignore_ascii_case(&name)))
    };
    for (namespace, keys) in object.get(MEMBER).and_then(Json::as_object).into_iter().flatten() {
        let others = keys.as_object().into_iter().flatten().filter(|(key, _)| !was_given(namespace, key));
        for (key, value) in others {
            let inside = tags.entry(namespace).or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(inside) = inside
                && !inside.keys().any(|there| there.eq_ignore_ascii_case(key))
            {
                inside.insert(key.clone(), value.clone());
            }
        }
    }
}

fn judge(config: &Value) -> Diagnostics {
    let names = config.attribute("defined_tags").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name);
    let wrong = names.filter(|name| !name.contains('.')).map(|name| {
        let detail = format!("The name of a defined tag is `namespace.key`, and `{name}` has no namespace.");
        Diagnostic::error("Invalid tag", detail).on(Path::of("defined_tags"))
    });
    wrong.collect()
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
        assert!(has_all(&map(&[("Ops.Team", "physics")]), &value) && has_all(&map(&[]), &value));
    }

    #[test]
    fn a_change_keeps_the_tags_of_others() {
        let there =
            json!({ "definedTags": { "Oracle-Tags": { "CreatedBy": "anna" }, "ops": { "team": "a", "cost": 7 } } });
        let given = Value::map(Type::String, [("Ops.Team".to_owned(), Value::from("a"))]);
        let prior = Value::object([("defined_tags", given)]);
        let changed = |tags: Json| {
            let mut changes = Map::from_iter([(MEMBER.to_owned(), tags)]);
            keep_others(&mut changes, &prior, &there);
            changes.remove(MEMBER).expect("it is told")
        };
        let others = json!({ "Oracle-Tags": { "CreatedBy": "anna" }, "ops": { "cost": 7 } });
        assert_eq!(changed(json!({})), others, "what was given is taken away");
        let expected = json!({ "Oracle-Tags": { "CreatedBy": "anna" }, "ops": { "cost": 7, "team": "b" } });
        assert_eq!(changed(json!({ "ops": { "team": "b" } })), expected);
    }
}
