//! Attribute access and indexing.

use pipectl_core::convert::convert;
use pipectl_core::suggest::did_you_mean;
use pipectl_core::{Diagnostic, Kind, Type, Unknown, Value};

use crate::evaluate::{failed, is_dynamic};

const INVALID_INDEX: &str = "Invalid index";
const UNSUPPORTED_ATTRIBUTE: &str = "Unsupported attribute";
const NOT_AN_ELEMENT: &str = "The given key does not identify an element in this collection value";

/// `value.name`
pub(crate) fn attribute(value: &Value, name: &str) -> Result<Value, Diagnostic> {
    let unsupported = |detail: String| Err(Diagnostic::error(UNSUPPORTED_ATTRIBUTE, detail));
    let marks = value.marks();
    if value.is_null() {
        return Err(Diagnostic::error(
            "Attempt to get attribute from null value",
            "This value is null, so it does not have any attributes.",
        ));
    }
    if let Kind::Object(attributes) | Kind::Map(_, attributes) = value.kind()
        && let Some(found) = attributes.get(name)
    {
        return Ok(found.clone().marked(marks));
    }
    if is_dynamic(value) {
        return Ok(failed().marked(marks));
    }
    match value.ty() {
        Type::Object(fields) => match fields.get(name) {
            Some(field) => Ok(Value::unknown(field.ty.clone()).marked(marks)),
            None => {
                let hint = match value.marks().is_private() {
                    true => String::new(),
                    false => did_you_mean(name, fields.keys().map(String::as_str)),
                };
                unsupported(format!("This object does not have an attribute named {name:?}.{hint}"))
            }
        },
        Type::Map(element) if !value.is_known() => Ok(Value::unknown(*element).marked(marks)),
        Type::Map(_) => {
            Err(Diagnostic::error("Missing map element", format!("This map does not have an element with the key {name:?}.")))
        }
        Type::List(element) => match *element {
            Type::Object(fields) if fields.contains_key(name) => unsupported(format!(
                "Can't access attributes on a list of objects. Did you mean to access attribute {name:?} for a specific element of the \
                 list, or across all elements of the list?"
            )),
            Type::Object(_) => unsupported(
                "Can't access attributes on a list of objects. Did you mean to access an attribute for a specific element of the list, \
                 or across all elements of the list?"
                    .to_owned(),
            ),
            _ => unsupported("This value does not have any attributes.".to_owned()),
        },
        Type::Set(element) if matches!(*element, Type::Object(_)) => unsupported(
            "Can't access attributes on a set of objects. Did you mean to access an attribute across all elements of the set?".to_owned(),
        ),
        ty if ty.is_primitive() => {
            unsupported(format!("Can't access attributes on a primitive-typed value ({}).", ty.friendly_name()))
        }
        _ => unsupported("This value does not have any attributes.".to_owned()),
    }
}

/// `value[key]`
pub(crate) fn index(value: &Value, key: &Value) -> Result<Value, Diagnostic> {
    let invalid = |detail: String| Err(Diagnostic::error(INVALID_INDEX, detail));
    if value.is_null() {
        return Err(Diagnostic::error(
            "Attempt to index null value",
            "This value is null, so it does not have any indices.",
        ));
    }
    if key.is_null() {
        return invalid("Can't use a null value as an indexing key.".to_owned());
    }
    let marks = value.marks() | key.marks();
    if is_dynamic(value) || is_dynamic(key) {
        return Ok(failed().marked(marks));
    }
    // The type of a known collection is as large as the collection: only what is unknown is asked for it.
    let wanted = match value.kind() {
        Kind::List(..) | Kind::Tuple(_) => Type::Number,
        Kind::Map(..) | Kind::Object(_) => Type::String,
        Kind::Unknown(Unknown { ty: Type::List(_) | Type::Tuple(_), .. }) => Type::Number,
        Kind::Unknown(Unknown { ty: Type::Map(_) | Type::Object(_), .. }) => Type::String,
        Kind::Set(..) | Kind::Unknown(Unknown { ty: Type::Set(_), .. }) => {
            return invalid(
                "Elements of a set are identified only by their value and don't have any separate index or key to select with, so it's \
                 only possible to perform operations across all elements of the set."
                    .to_owned(),
            );
        }
        Kind::Null(_) | Kind::Unknown(_) | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => {
            return invalid("This value does not have any indices.".to_owned());
        }
    };
    let converted = match convert(key, &wanted) {
        Ok(converted) => converted,
        Err(error) => return invalid(format!("{NOT_AN_ELEMENT}: {error}.")),
    };
    if !converted.is_known() || !value.is_known() {
        return unknown_element(&value.ty(), &converted).map(|element| element.marked(marks));
    }
    match (value.kind(), converted.kind()) {
        (Kind::List(_, elements) | Kind::Tuple(elements), Kind::Number(number)) => {
            if let Some(element) = number.to_usize().and_then(|index| elements.get(index)) {
                return Ok(element.clone().marked(marks));
            }
            // The number itself is not shown: it may be sensitive.
            invalid(if number.is_finite() && !number.is_whole() {
                format!(
                    "{NOT_AN_ELEMENT}: indexing a sequence requires a whole number, but the given index has a fractional part."
                )
            } else if number.signum() < 0 {
                format!("{NOT_AN_ELEMENT}: a negative number is not a valid index for a sequence.")
            } else if elements.is_empty() {
                format!("{NOT_AN_ELEMENT}: the collection has no elements.")
            } else {
                format!("{NOT_AN_ELEMENT}: the given index is greater than or equal to the length of the collection.")
            })
        }
        (Kind::Map(_, attributes) | Kind::Object(attributes), Kind::String(name)) => match attributes.get(&**name) {
            Some(element) => Ok(element.clone().marked(marks)),
            None if matches!(value.kind(), Kind::Object(_)) && key.as_number().is_some() => invalid(format!(
                "{NOT_AN_ELEMENT}. An object only supports looking up attributes by name, not by numeric index."
            )),
            None => invalid(format!("{NOT_AN_ELEMENT}.")),
        },
        _ => Ok(failed().marked(marks)),
    }
}

/// An element of a value that is unknown, or for a key that is.
fn unknown_element(ty: &Type, key: &Value) -> Result<Value, Diagnostic> {
    Ok(match ty {
        Type::List(element) | Type::Map(element) => Value::unknown((**element).clone()),
        Type::Tuple(elements) => {
            match key.as_number().map(|number| number.to_usize().and_then(|index| elements.get(index))) {
                Some(Some(element)) => Value::unknown(element.clone()),
                Some(None) => return Err(Diagnostic::error(INVALID_INDEX, format!("{NOT_AN_ELEMENT}."))),
                None => failed(),
            }
        }
        Type::Object(fields) => match key.as_str().and_then(|name| fields.get(name)) {
            Some(field) => Value::unknown(field.ty.clone()),
            None => failed(),
        },
        _ => failed(),
    })
}
