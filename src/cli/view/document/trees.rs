//! Values as JSON: what is known and may be shown, and where something is not, in the shape of the value.
//!
//! Semantics: Terraform's `omitUnknowns`, `unknownAsBool` and `SensitiveAsBool` (`internal/command/jsonplan`, `jsonstate`).

use pipectl_core::{Kind, Path, Step, Type, Value};
use serde_json::{Map, Value as Json, json};

use crate::view::exact;

/// What is known and may be shown. Unknown attributes are left out, unknown elements are null, secrets are null.
pub(super) fn known(value: &Value) -> Json {
    if value.is_sensitive() {
        return Json::Null;
    }
    match value.kind() {
        Kind::Unknown(_) => Json::Null,
        Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
            elements.iter().map(known).collect()
        }
        Kind::Map(_, attributes) | Kind::Object(attributes) => attributes
            .iter()
            .filter(|(_, value)| value.is_known() || value.is_sensitive())
            .map(|(name, value)| (name.clone(), known(value)))
            .collect::<Map<_, _>>()
            .into(),
        Kind::Null(_) | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => exact::part(value).unwrap_or(Json::Null),
    }
}

/// `true` where something is known after apply.
pub(super) fn unknown(value: &Value) -> Json {
    match value.kind() {
        Kind::Unknown(_) => json!(true),
        Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
            elements.iter().map(unknown).collect()
        }
        Kind::Map(_, attributes) | Kind::Object(attributes) => {
            without_false(attributes.iter().map(|(name, value)| (name, unknown(value))))
        }
        Kind::Null(_) | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => json!(false),
    }
}

/// `true` where something must not be shown.
pub(super) fn sensitive(value: &Value) -> Json {
    if value.is_sensitive() {
        return json!(true);
    }
    match value.kind() {
        Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
            elements.iter().map(sensitive).collect()
        }
        Kind::Map(_, attributes) | Kind::Object(attributes) => {
            without_false(attributes.iter().map(|(name, value)| (name, sensitive(value))))
        }
        Kind::Unknown(unknown) => match unknown.ty {
            Type::List(_) | Type::Set(_) | Type::Tuple(_) => json!([]),
            Type::Map(_) | Type::Object(_) => json!({}),
            Type::Any | Type::Bool | Type::Number | Type::String => json!(false),
        },
        Kind::Null(_) | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => json!(false),
    }
}

fn without_false<'a>(attributes: impl Iterator<Item = (&'a String, Json)>) -> Json {
    let kept = attributes.filter(|(_, json)| *json != json!(false));
    kept.map(|(name, json)| (name.clone(), json)).collect::<Map<_, _>>().into()
}

/// A path: `["tags", 0]`.
pub(super) fn path(path: &Path) -> Json {
    let step = |step: &Step| match step {
        Step::Name(name) => json!(name),
        Step::Index(index) => json!(index),
    };
    path.0.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use pipectl_core::Marks;

    use super::*;

    #[test]
    fn unknown_and_sensitive_values_have_their_own_trees() {
        let value = Value::object([
            ("id", Value::unknown(Type::String)),
            ("name", Value::from("a")),
            ("list", Value::tuple([Value::from(1), Value::unknown(Type::Number)])),
            ("nested", Value::object([("a", Value::from(1))])),
            ("password", Value::from("hunter2").marked(Marks::SENSITIVE)),
            ("shape", Value::unknown(Type::Tuple(Vec::new()))),
        ]);
        assert_eq!(known(&value), json!({ "name": "a", "list": [1, null], "nested": { "a": 1 }, "password": null }));
        assert_eq!(unknown(&value), json!({ "id": true, "list": [false, true], "nested": {}, "shape": true }));
        assert_eq!(sensitive(&value), json!({ "list": [false, false], "nested": {}, "password": true, "shape": [] }));
        assert_eq!(unknown(&Value::from(1)), json!(false));
    }
}
