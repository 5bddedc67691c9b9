//! Values as JSON and back. JSON keeps no types and no marks: who reads it gives the type.

use serde_json::{Map, Value as Json};

use crate::convert::{ConvertError, convert};
use crate::{Kind, Number, Type, Value};

/// The value as JSON; sets are arrays. `None` when anything inside is unknown.
///
/// Marks are lost: the caller has dealt with what is sensitive. Numbers that a double cannot hold exactly keep their text.
pub fn to_json(value: &Value) -> Option<Json> {
    Some(match value.kind() {
        Kind::Null(_) => Json::Null,
        Kind::Unknown(_) => return None,
        Kind::Bool(flag) => Json::Bool(*flag),
        Kind::Number(number) => number_to_json(number),
        Kind::String(text) => Json::String(text.to_string()),
        Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
            Json::Array(elements.iter().map(to_json).collect::<Option<_>>()?)
        }
        Kind::Map(_, attributes) | Kind::Object(attributes) => {
            let each = |(name, value): (&String, &Value)| Some((name.clone(), to_json(value)?));
            Json::Object(attributes.iter().map(each).collect::<Option<Map<_, _>>>()?)
        }
    })
}

fn number_to_json(number: &Number) -> Json {
    if let Some(small) = number.to_i64().filter(|small| *small != 0 || !number.is_sign_negative()) {
        return Json::from(small);
    }
    let double = number.to_f64();
    match serde_json::Number::from_f64(double) {
        Some(json) if Number::from_f64(double).as_ref() == Some(number) => Json::Number(json),
        // A string converts back to an equal number wherever a number is wanted.
        _ => Json::String(number.to_lossless_text()),
    }
}

/// A value as JSON shows it: arrays are tuples, objects are objects.
pub fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::null(),
        Json::Bool(flag) => Value::from(*flag),
        Json::Number(number) => match number.to_string().parse::<Number>() {
            Ok(number) => Value::from(number),
            Err(_) => Value::from(number.to_string()),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(elements) => Value::tuple(elements.iter().map(from_json)),
        Json::Object(attributes) => {
            Value::object(attributes.iter().map(|(name, json)| (name.clone(), from_json(json))))
        }
    }
}

/// A value of a known type, read from what [`to_json`] wrote.
///
/// # Errors
/// When the JSON does not fit the type.
pub fn from_json_as(json: &Json, ty: &Type) -> Result<Value, ConvertError> {
    convert(&from_json(json), ty)
}

/// A type as Terraform writes types in JSON: `"string"`, `["list", "string"]`, `["object", {...}]`.
pub fn type_to_json(ty: &Type) -> Json {
    let pair = |name: &str, inner: Json| Json::Array(vec![Json::from(name), inner]);
    match ty {
        Type::Any => Json::from("dynamic"),
        Type::Bool => Json::from("bool"),
        Type::Number => Json::from("number"),
        Type::String => Json::from("string"),
        Type::List(element) => pair("list", type_to_json(element)),
        Type::Set(element) => pair("set", type_to_json(element)),
        Type::Map(element) => pair("map", type_to_json(element)),
        Type::Tuple(elements) => pair("tuple", Json::Array(elements.iter().map(type_to_json).collect())),
        Type::Object(fields) => {
            let each = |(name, field): (&String, &crate::ObjectField)| (name.clone(), type_to_json(&field.ty));
            pair("object", Json::Object(fields.iter().map(each).collect()))
        }
    }
}

/// Reads what [`type_to_json`] writes.
pub fn type_from_json(json: &Json) -> Option<Type> {
    if let Some(name) = json.as_str() {
        return Some(match name {
            "dynamic" => Type::Any,
            "bool" => Type::Bool,
            "number" => Type::Number,
            "string" => Type::String,
            _ => return None,
        });
    }
    let [name, inner] = json.as_array()?.as_slice() else { return None };
    Some(match name.as_str()? {
        "list" => Type::list(type_from_json(inner)?),
        "set" => Type::set(type_from_json(inner)?),
        "map" => Type::map(type_from_json(inner)?),
        "tuple" => Type::Tuple(inner.as_array()?.iter().map(type_from_json).collect::<Option<_>>()?),
        "object" => {
            let each = |(name, json): (&String, &Json)| Some((name.clone(), type_from_json(json)?));
            Type::object(inner.as_object()?.iter().map(each).collect::<Option<Vec<_>>>()?)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_json() {
        let value = Value::object([
            ("n", Value::from("0.1".parse::<Number>().expect("a number"))),
            ("l", Value::list(Type::String, ["a".into(), "b".into()])),
            ("none", Value::null_of(Type::Bool)),
        ]);
        let json = to_json(&value).expect("known");
        assert_eq!(json, serde_json::json!({"n": 0.1, "l": ["a", "b"], "none": null}));
        assert_eq!(from_json_as(&json, &value.ty()), Ok(value.clone()));
        assert_eq!(type_from_json(&type_to_json(&value.ty())), Some(value.ty()));
        assert_eq!(to_json(&Value::unknown(Type::Any)), None);
    }
}
