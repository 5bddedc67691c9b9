//! Functions of whole collections: length, keys and values, merging, looking up.

use std::collections::BTreeMap;

use pipectl_core::convert::convert;
use pipectl_core::{Kind, Marks, Number, Type as ValueType, Unknown, Value};

use crate::functions::ParameterType as Type;
use crate::functions::string::length as characters;
use crate::functions::{Arguments, Failure, Function, Parameter, plain};

const INPUT_MAP: Parameter = Parameter::new("inputMap", Type::Any).unknown().marked();

pub(super) const FUNCTIONS: &[Function] = &[
    plain(
        "element",
        "The element of a list at an index, which wraps around at the ends.",
        &[Parameter::new("list", Type::Any).partly_known().marked(), Parameter::new("index", Type::Number)],
        Type::Any,
        element,
    )
    .returns("the element's type", element_type)
    .may_be_null(),
    plain("keys", "The keys of a map, or the names of an object's attributes, sorted.", &[INPUT_MAP], Type::Any, keys)
        .returns("list of strings for a map, tuple of strings for an object", keys_type),
    plain(
        "length",
        "The number of elements of a collection or structure, or of characters of a string.",
        &[Parameter::new("value", Type::Any).unknown().marked().dynamic()],
        Type::Number,
        length,
    )
    .returns("number", |arguments| match arguments[0].kind() {
        Kind::Bool(_)
        | Kind::Number(_)
        | Kind::Null(ValueType::Bool | ValueType::Number)
        | Kind::Unknown(Unknown { ty: ValueType::Bool | ValueType::Number, .. }) => {
            Err(Failure::call("argument must be a string, a collection type, or a structural type"))
        }
        _ => Ok(ValueType::Number),
    }),
    plain(
        "lookup",
        "The element of a map, or attribute of an object, of a name, or else a default.",
        &[INPUT_MAP, Parameter::new("key", Type::String).unknown().marked()],
        Type::Any,
        lookup,
    )
    .rest(Parameter::new("default", Type::Any).nullable().unknown().marked().dynamic())
    .returns("the element's type", lookup_type)
    .may_be_null(),
    plain("merge", "All elements of some maps or objects; of those with the same key the last.", &[], Type::Any, merge)
        .rest(Parameter::new("maps", Type::Any).nullable().partly_known().marked().dynamic())
        .returns("map when all are of one map type, else object", merge_type),
    plain(
        "values",
        "The values of a map or object, sorted by key.",
        &[Parameter::new("mapping", Type::Any).partly_known().marked()],
        Type::Any,
        values,
    )
    .returns("list for a map, tuple for an object", values_type),
    plain(
        "zipmap",
        "A map of keys and values that stand at the same index.",
        &[
            Parameter::new("keys", Type::ListOfString).marked(),
            Parameter::new("values", Type::Any).partly_known().marked(),
        ],
        Type::Any,
        zipmap,
    )
    .returns("map for a list of values, object for a tuple", zipmap_type),
];

fn length(call: &Arguments<'_>) -> Result<Value, Failure> {
    let (value, marks) = call.values[0].clone().unmark();
    let count = match value.kind() {
        Kind::String(text) => Some(characters(text)),
        Kind::Map(_, elements) | Kind::Object(elements) => Some(elements.len()),
        Kind::Set(_, elements) if !elements.iter().all(Value::is_wholly_known) => None,
        Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => Some(elements.len()),
        Kind::Null(ValueType::Tuple(elements)) | Kind::Unknown(Unknown { ty: ValueType::Tuple(elements), .. }) => {
            Some(elements.len())
        }
        Kind::Null(ValueType::Object(fields)) | Kind::Unknown(Unknown { ty: ValueType::Object(fields), .. }) => {
            Some(fields.len())
        }
        Kind::Null(_) | Kind::Unknown(_) | Kind::Bool(_) | Kind::Number(_) => None,
    };
    let result = match count {
        Some(count) => Value::from(Number::from(count)),
        None => Value::unknown(ValueType::Number),
    };
    Ok(result.marked(marks))
}

fn element_type(arguments: &[Value]) -> Result<ValueType, Failure> {
    // The type of a known tuple is as large as the tuple.
    if let (Kind::Tuple(elements), Some(index)) = (arguments[0].kind(), arguments[1].as_number()) {
        return Ok(elements[wrapped(index, elements.len())?].ty());
    }
    match arguments[0].ty() {
        ValueType::List(element) => Ok(*element),
        ValueType::Tuple(elements) => match arguments[1].as_number() {
            None => Ok(ValueType::Any),
            Some(index) => Ok(elements[wrapped(index, elements.len())?].clone()),
        },
        other => Err(Failure::telling(
            None,
            format!("cannot read elements from {}", other.friendly_name()),
            "cannot read elements from this sensitive value",
        )),
    }
}

/// An index that wraps around at the ends of a list.
fn wrapped(index: &Number, length: usize) -> Result<usize, Failure> {
    const INVALID: &str =
        "invalid index: value must be a whole number, between -9223372036854775808 and 9223372036854775807";
    let index = index.to_i64().ok_or_else(|| Failure::call(INVALID))?;
    match length {
        0 => Err(Failure::call("cannot use element function with an empty list")),
        _ => Ok(index.rem_euclid(length as i64) as usize),
    }
}

fn element(call: &Arguments<'_>) -> Result<Value, Failure> {
    let marks = call.values[0].marks();
    let elements = call.elements(0);
    Ok(elements[wrapped(&call.number(1), elements.len())?].clone().marked(marks))
}

fn keys_type(arguments: &[Value]) -> Result<ValueType, Failure> {
    match arguments[0].ty() {
        ValueType::Map(_) => Ok(ValueType::list(ValueType::String)),
        ValueType::Object(fields) => Ok(ValueType::Tuple(vec![ValueType::String; fields.len()])),
        _ => Err(Failure::argument(0, "must have map or object type")),
    }
}

fn keys(call: &Arguments<'_>) -> Result<Value, Failure> {
    let (value, marks) = call.values[0].clone().unmark();
    let names =
        |names: &mut dyn Iterator<Item = &String>| names.map(|name| Value::from(name.as_str())).collect::<Vec<_>>();
    let result = match (value.kind(), value.ty()) {
        (Kind::Map(_, elements), _) => Value::list(ValueType::String, names(&mut elements.keys())),
        // The names of an object's attributes are part of its type.
        (_, ValueType::Object(fields)) => Value::tuple(names(&mut fields.keys())),
        _ => Value::unknown(call.result.clone()),
    };
    Ok(result.marked(marks))
}

fn values_type(arguments: &[Value]) -> Result<ValueType, Failure> {
    match arguments[0].ty() {
        ValueType::Map(element) => Ok(ValueType::List(element)),
        ValueType::Object(fields) => Ok(ValueType::Tuple(fields.into_values().map(|field| field.ty).collect())),
        _ => Err(Failure::call("values() requires a map as the first argument")),
    }
}

fn values(call: &Arguments<'_>) -> Result<Value, Failure> {
    let (value, marks) = call.values[0].clone().unmark();
    let all: Vec<Value> = value.as_object().into_iter().flat_map(BTreeMap::values).cloned().collect();
    let result = match &call.result {
        ValueType::List(element) => Value::list((**element).clone(), all),
        _ => Value::tuple(all),
    };
    Ok(result.marked(marks))
}

fn lookup_type(arguments: &[Value]) -> Result<ValueType, Failure> {
    if arguments.len() > 3 {
        return Err(Failure::telling(
            None,
            format!("lookup() takes two or three arguments, got {}", arguments.len()),
            "lookup() takes two or three arguments",
        ));
    }
    // The type of a known object is as large as the object.
    if let (Kind::Object(attributes), Some(key)) = (arguments[0].kind(), arguments[1].as_str())
        && let Some(found) = attributes.get(key).or(arguments.get(2))
    {
        return Ok(found.ty());
    }
    match arguments[0].ty() {
        ValueType::Object(fields) => match (arguments[1].as_str(), arguments.get(2)) {
            (None, _) => Ok(ValueType::Any),
            (Some(key), default) => match (fields.get(key), default) {
                (Some(field), _) => Ok(field.ty.clone()),
                (None, Some(default)) => Ok(default.ty()),
                (None, None) => Err(Failure::telling(
                    0,
                    format!("the given object has no attribute {key:?}"),
                    "the given object has no attribute of this name",
                )),
            },
        },
        ValueType::Map(element) => {
            if arguments.get(2).is_some_and(|default| convert(default, &element).is_err()) {
                return Err(Failure::argument(2, "the default value must have the same type as the map elements"));
            }
            Ok(*element)
        }
        _ => Err(Failure::argument(0, "lookup() requires a map as the first argument")),
    }
}

fn lookup(call: &Arguments<'_>) -> Result<Value, Failure> {
    let (map, map_marks) = call.values[0].clone().unmark();
    let (key, key_marks) = call.values[1].clone().unmark();
    let marks = map_marks | key_marks;
    let (Some(elements), Some(name)) = (map.as_object(), key.as_str()) else {
        return Ok(Value::unknown(call.result.clone()).marked(marks));
    };
    if let Some(found) = elements.get(name) {
        return Ok(found.clone().marked(marks));
    }
    match call.values.get(2) {
        Some(default) => {
            let converted = convert(default, &call.result);
            let wrong = |_| Failure::argument(2, "the default value must have the same type as the map elements");
            Ok(converted.map_err(wrong)?.marked(marks))
        }
        None => Err(Failure::telling(
            None,
            format!("lookup failed to find key {name:?}"),
            "lookup failed to find key (sensitive value)",
        )),
    }
}

fn merge_type(arguments: &[Value]) -> Result<ValueType, Failure> {
    let mut fields: BTreeMap<String, ValueType> = BTreeMap::new();
    let mut known = true;
    for argument in arguments {
        let ty = argument.ty();
        match &ty {
            ValueType::Any => return Ok(ValueType::Any),
            ValueType::Map(_) | ValueType::Object(_) => {}
            other => {
                let message = format!("arguments must be maps or objects, got {:?}", other.friendly_name());
                return Err(Failure::telling(None, message, "arguments must be maps or objects"));
            }
        }
        match (argument.kind(), &ty) {
            (Kind::Null(_), _) => {}
            (_, ValueType::Object(own)) => {
                fields.extend(own.iter().map(|(name, field)| (name.clone(), field.ty.clone())))
            }
            (Kind::Map(element, own), _) => fields.extend(own.keys().map(|name| (name.clone(), element.clone()))),
            _ => known = false,
        }
    }
    match arguments.split_first() {
        None => Ok(ValueType::object::<String>([])),
        Some((first, rest)) if rest.iter().all(|other| other.ty() == first.ty()) => Ok(first.ty()),
        Some(_) if known => Ok(ValueType::object(fields)),
        Some(_) => Ok(ValueType::Any),
    }
}

fn merge(call: &Arguments<'_>) -> Result<Value, Failure> {
    let mut marks = Marks::NONE;
    let mut merged = BTreeMap::new();
    for argument in call.values {
        marks = marks | argument.marks();
        merged.extend(argument.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
    }
    let result = match &call.result {
        ValueType::Map(element) => Value::map((**element).clone(), merged),
        _ => Value::object(merged),
    };
    Ok(result.marked(marks))
}

fn zipmap_type(arguments: &[Value]) -> Result<ValueType, Failure> {
    match arguments[1].ty() {
        ValueType::List(element) => Ok(ValueType::Map(element)),
        ValueType::Tuple(types) => {
            let Some(keys) = arguments[0].as_slice().filter(|_| arguments[0].is_wholly_known()) else {
                return Ok(ValueType::Any);
            };
            check_zip(keys, types.len())?;
            Ok(ValueType::object(keys.iter().zip(types).filter_map(|(key, ty)| Some((key.as_str()?, ty)))))
        }
        _ => Err(Failure::call("values argument must be a list or tuple value")),
    }
}

fn check_zip(keys: &[Value], values: usize) -> Result<(), Failure> {
    if keys.len() != values {
        let message = format!("number of keys ({}) does not match number of values ({values})", keys.len());
        return Err(Failure::telling(None, message, "number of keys does not match number of values"));
    }
    match keys.iter().position(Value::is_null) {
        Some(index) => Err(Failure::telling(
            None,
            format!("keys list has null value at index {index}"),
            "keys list has a null value",
        )),
        None => Ok(()),
    }
}

fn zipmap(call: &Arguments<'_>) -> Result<Value, Failure> {
    let (keys, values) = (call.elements(0), call.elements(1));
    check_zip(keys, values.len())?;
    let marks = keys.iter().fold(call.values[0].marks() | call.values[1].marks(), |marks, key| marks | key.marks());
    let pairs = keys.iter().zip(values).filter_map(|(key, value)| Some((key.as_str()?.to_owned(), value.clone())));
    let result = match &call.result {
        ValueType::Map(element) => Value::map((**element).clone(), pairs),
        _ => Value::object(pairs),
    };
    Ok(result.marked(marks))
}
