//! Reading arguments out of an evaluated body.
//!
//! The engine has converted every argument to the type of the schema, so what is read here as text is text, null, or not known yet.

use std::collections::BTreeMap;

use pipectl_core::{Type, Value};

/// The text of an argument that is there and known.
pub fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.attribute(name)?.as_str()
}

/// A whole number that is there, known and within 64 bits.
pub fn integer(object: &Value, name: &str) -> Option<i64> {
    object.attribute(name)?.as_number()?.to_i64()
}

/// A flag that is there and known.
pub fn flag(object: &Value, name: &str) -> Option<bool> {
    object.attribute(name)?.as_bool()
}

/// The known texts of a list or set; empty when it is absent.
pub fn texts<'a>(object: &'a Value, name: &str) -> Vec<&'a str> {
    let elements = object.attribute(name).and_then(Value::as_slice).unwrap_or_default();
    elements.iter().filter_map(Value::as_str).collect()
}

/// The known texts of a map; empty when it is absent.
pub fn text_map(object: &Value, name: &str) -> BTreeMap<String, String> {
    let elements = object.attribute(name).and_then(Value::as_object).into_iter().flatten();
    elements.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// The objects of a repeated nested block.
pub fn blocks<'a>(object: &'a Value, name: &str) -> &'a [Value] {
    object.attribute(name).and_then(Value::as_slice).unwrap_or_default()
}

/// Whether an argument is given, be it known or not.
pub fn is_given(object: &Value, name: &str) -> bool {
    object.set_attribute(name).is_some()
}

/// Whether an attribute is not known yet.
pub fn is_unknown(object: &Value, name: &str) -> bool {
    object.attribute(name).is_some_and(|value| !value.is_wholly_known())
}

/// The object with some attributes set.
pub fn filled<'a>(object: &Value, attributes: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    attributes.into_iter().fold(object.clone(), |object, (name, value)| object.with_attribute(name, value))
}

/// Text as an optional attribute: nothing is null.
pub fn optional_text(text: Option<&str>) -> Value {
    text.map_or_else(|| Value::null_of(Type::String), Value::from)
}

/// A whole number as an optional attribute: nothing is null.
pub fn optional_integer(number: Option<i64>) -> Value {
    number.map_or_else(|| Value::null_of(Type::Number), Value::from)
}

/// `map(string)`
pub fn map_of_text() -> Type {
    Type::map(Type::String)
}
