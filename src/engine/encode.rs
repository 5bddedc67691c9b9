//! Values as JSON without loss: types, unknown values and marks too. Only plan files hold this form.
//!
//! Null of no type, bools, strings, tuples and numbers that a double holds are JSON's own. Everything else is an object with one member whose
//! name begins with `$`; an object of the language whose own names could be mistaken for that is `{"$object": {..}}`.

use std::sync::Arc;

use pipectl_core::json::{from_json, to_json, type_from_json, type_to_json};
use pipectl_core::{Kind, Marks, Refinement, Type, Unknown, Value};
use serde_json::{Map, Value as Json, json};

/// The value as JSON.
pub fn encode_value(value: &Value) -> Json {
    let mut json = encode_kind(value.kind());
    if value.marks().contains(Marks::EPHEMERAL) {
        json = json!({ "$ephemeral": json });
    }
    if value.marks().contains(Marks::SECRET) {
        json = json!({ "$secret": json });
    }
    if value.marks().contains(Marks::SENSITIVE) {
        json = json!({ "$sensitive": json });
    }
    json
}

fn encode_kind(kind: &Kind) -> Json {
    let all = |elements: &[Value]| elements.iter().map(encode_value).collect::<Vec<_>>();
    match kind {
        Kind::Null(Type::Any) => Json::Null,
        Kind::Null(ty) => json!({ "$null": type_to_json(ty) }),
        Kind::Unknown(unknown) => json!({ "$unknown": encode_unknown(unknown) }),
        Kind::Bool(flag) => Json::Bool(*flag),
        Kind::String(text) => Json::String(text.to_string()),
        Kind::Number(number) => match to_json(&Value::from(number.clone())) {
            Some(Json::Number(json)) => Json::Number(json),
            _ => json!({ "$number": number.to_string() }),
        },
        Kind::Tuple(elements) => Json::Array(all(elements)),
        Kind::List(ty, elements) => json!({ "$list": [type_to_json(ty), all(elements)] }),
        Kind::Set(ty, elements) => json!({ "$set": [type_to_json(ty), all(elements)] }),
        Kind::Map(ty, elements) => json!({ "$map": [type_to_json(ty), members(elements)] }),
        Kind::Object(attributes) if attributes.keys().any(|name| name.starts_with('$')) => {
            json!({ "$object": members(attributes) })
        }
        Kind::Object(attributes) => members(attributes),
    }
}

fn members(attributes: &std::collections::BTreeMap<String, Value>) -> Json {
    Json::Object(attributes.iter().map(|(name, value)| (name.clone(), encode_value(value))).collect())
}

fn encode_unknown(unknown: &Unknown) -> Json {
    let mut json = Map::new();
    json.insert("type".to_owned(), type_to_json(&unknown.ty));
    let Refinement { not_null, prefix, minimum, maximum, minimum_length, maximum_length } = &unknown.refinement;
    if *not_null {
        json.insert("not_null".to_owned(), Json::Bool(true));
    }
    let texts = [
        ("prefix", prefix.as_ref().map(ToString::to_string)),
        ("minimum", minimum.as_ref().map(ToString::to_string)),
        ("maximum", maximum.as_ref().map(ToString::to_string)),
    ];
    let lengths = [("minimum_length", minimum_length), ("maximum_length", maximum_length)];
    json.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Json::from(text?)))));
    json.extend(
        lengths.into_iter().filter_map(|(name, length)| Some((name.to_owned(), Json::from(length.as_ref().copied()?)))),
    );
    Json::Object(json)
}

/// Reads what [`encode_value`] wrote; `None` when it is nothing of the kind.
pub fn decode_value(json: &Json) -> Option<Value> {
    let object = match json {
        Json::Array(elements) => {
            return Some(Value::tuple(elements.iter().map(decode_value).collect::<Option<Vec<_>>>()?));
        }
        Json::Object(object) => object,
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => return Some(from_json(json)),
    };
    let Some((tag, inner)) = object.iter().next().filter(|(name, _)| name.starts_with('$')) else {
        return decode_members(object);
    };
    let typed = || Some((type_from_json(inner.get(0)?)?, inner.get(1)?));
    let elements = |json: &Json| json.as_array()?.iter().map(decode_value).collect::<Option<Vec<_>>>();
    Some(match tag.as_str() {
        "$sensitive" => decode_value(inner)?.marked(Marks::SENSITIVE),
        "$secret" => decode_value(inner)?.marked(Marks::SECRET),
        "$ephemeral" => decode_value(inner)?.marked(Marks::EPHEMERAL),
        "$null" => Value::null_of(type_from_json(inner)?),
        "$unknown" => decode_unknown(inner)?,
        "$number" => Value::from(inner.as_str()?.parse::<pipectl_core::Number>().ok()?),
        "$object" => decode_members(inner.as_object()?)?,
        "$list" => {
            let (ty, json) = typed()?;
            Value::list(ty, elements(json)?)
        }
        "$set" => {
            let (ty, json) = typed()?;
            Value::set(ty, elements(json)?)
        }
        "$map" => {
            let (ty, json) = typed()?;
            let each = |(name, json): (&String, &Json)| Some((name.clone(), decode_value(json)?));
            Value::map(ty, json.as_object()?.iter().map(each).collect::<Option<Vec<_>>>()?)
        }
        _ => return None,
    })
}

fn decode_members(object: &Map<String, Json>) -> Option<Value> {
    let each = |(name, json): (&String, &Json)| Some((name.clone(), decode_value(json)?));
    Some(Value::object(object.iter().map(each).collect::<Option<Vec<_>>>()?))
}

fn decode_unknown(json: &Json) -> Option<Value> {
    let length = |name: &str| json.get(name).and_then(Json::as_u64).and_then(|length| usize::try_from(length).ok());
    let number = |name: &str| json.get(name).and_then(Json::as_str).and_then(|text| text.parse().ok());
    let refinement = Refinement {
        not_null: json.get("not_null").is_some(),
        prefix: json.get("prefix").and_then(Json::as_str).map(Arc::from),
        minimum: number("minimum"),
        maximum: number("maximum"),
        minimum_length: length("minimum_length"),
        maximum_length: length("maximum_length"),
    };
    Some(Value::refined(type_from_json(json.get("type")?)?, refinement))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipectl_core::Number;
    use proptest::prelude::*;

    fn any_type() -> impl Strategy<Value = Type> {
        let leaf = prop_oneof![Just(Type::Any), Just(Type::Bool), Just(Type::Number), Just(Type::String)];
        leaf.prop_recursive(2, 6, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(Type::list),
                inner.clone().prop_map(Type::set),
                inner.clone().prop_map(Type::map),
                prop::collection::vec(inner.clone(), 0..3).prop_map(Type::Tuple),
                prop::collection::vec(("[a-z$]{1,3}", inner), 0..3).prop_map(Type::object),
            ]
        })
    }

    fn any_number() -> impl Strategy<Value = Number> {
        prop_oneof![
            any::<i64>().prop_map(Number::from),
            any::<f64>().prop_filter_map("a number", Number::from_f64),
            "[1-9][0-9]{18,40}\\.[0-9]{1,30}".prop_map(|text| text.parse().expect("decimal digits")),
        ]
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let unknown = (
            any_type(),
            any::<bool>(),
            proptest::option::of("[a-z]{1,4}"),
            proptest::option::of(any_number()),
            proptest::option::of(0_usize..9),
        )
            .prop_map(|(ty, not_null, prefix, minimum, maximum_length)| {
                let refinement = Refinement {
                    not_null,
                    prefix: prefix.map(Arc::from),
                    minimum,
                    maximum_length,
                    ..Refinement::default()
                };
                Value::refined(ty, refinement)
            });
        let leaf = prop_oneof![
            any_type().prop_map(Value::null_of),
            unknown,
            any::<bool>().prop_map(Value::from),
            any_number().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::tuple),
                (any_type(), prop::collection::vec(inner.clone(), 0..4)).prop_map(|(ty, all)| Value::list(ty, all)),
                (any_type(), prop::collection::vec(inner.clone(), 0..4)).prop_map(|(ty, all)| Value::set(ty, all)),
                (any_type(), prop::collection::vec(("[a-z$]{0,3}", inner.clone()), 0..4))
                    .prop_map(|(ty, all)| Value::map(ty, all)),
                prop::collection::vec(("[a-z$]{0,3}", inner.clone()), 0..4).prop_map(Value::object),
                (inner, any::<bool>()).prop_map(|(value, secret)| {
                    value.marked(if secret { Marks::SENSITIVE } else { Marks::EPHEMERAL })
                }),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_is_lost(value in any_value()) {
            let json = encode_value(&value).to_string();
            let read = decode_value(&serde_json::from_str(&json).expect("JSON")).expect("a value");
            prop_assert!(read == value, "{} is not {}", json, encode_value(&read));
        }
    }
}
