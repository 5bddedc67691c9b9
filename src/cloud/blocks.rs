//! Nested blocks and the lists of objects that services have for them.

use pipectl_core::Value;
use pipectl_core::json::{from_json, to_json};
use serde_json::{Map, Value as Json};

/// The objects of blocks, by pairs of argument and member. What is absent or not known is left out.
pub fn to_objects(blocks: &[Value], members: &[(&str, &str)]) -> Vec<Map<String, Json>> {
    let object = |block: &Value| {
        let given = members.iter().filter_map(|(name, member)| {
            let value = block.set_attribute(name).and_then(to_json)?;
            Some(((*member).to_owned(), value))
        });
        given.collect()
    };
    blocks.iter().map(object).collect()
}

/// The blocks of a list of objects, by the same pairs.
pub fn from_objects(objects: &Json, members: &[(&str, &str)]) -> Value {
    let block = |object: &Json| {
        let attribute = |(name, member): &(&str, &str)| {
            let json = object.get(*member).unwrap_or(&Json::Null);
            ((*name).to_owned(), from_json(json))
        };
        Value::object(members.iter().map(attribute).collect::<Vec<_>>())
    };
    Value::tuple(objects.as_array().into_iter().flatten().map(block))
}

/// Whether two lists of blocks hold the same, in whatever order.
pub fn unordered(one: &Value, other: &Value) -> bool {
    let sorted = |value: &Value| {
        let mut texts: Vec<String> = value.as_slice().unwrap_or_default().iter().map(ToString::to_string).collect();
        texts.sort();
        texts
    };
    sorted(one) == sorted(other)
}
