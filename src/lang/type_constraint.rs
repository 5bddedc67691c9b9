//! Type constraints: `list(object({ a = optional(string, "x") }))` written as an expression.

use std::collections::BTreeMap;

use pipectl_core::convert::convert;
use pipectl_core::{Diagnostic, Diagnostics, ObjectField, Span, Type, Value};

use crate::evaluate::evaluate;
use crate::expression::{Call, Expression, Key, Node};
use crate::scope::Scope;

const INVALID: &str = "Invalid type specification";

/// The type that the `type` argument of a variable writes: `list` and `map` alone are lists and maps of anything.
pub(crate) fn parse(expression: &Expression) -> Result<Type, Diagnostics> {
    match expression.keyword() {
        Some("list") => Ok(Type::list(Type::Any)),
        Some("map") => Ok(Type::map(Type::Any)),
        _ => constraint(expression),
    }
}

/// The type that `expression` writes.
fn constraint(expression: &Expression) -> Result<Type, Diagnostics> {
    if let Some(name) = expression.keyword() {
        return keyword(name, expression.span());
    }
    match expression.node() {
        Node::Call(call) => constructor(call, expression.span()),
        Node::Literal(value) if value.as_str().is_some() => {
            let text = value.as_str().unwrap_or_default();
            let detail = format!("Type names are not written in quotes: use {text} instead of \"{text}\".");
            Err(Diagnostic::error("Invalid quoted type constraints", detail).at(expression.span()).into())
        }
        _ => Err(wrong(
            "A type specification is either a primitive type keyword (bool, number, string) or a complex type constructor call, like list(string).",
            expression.span(),
        )),
    }
}

fn wrong(detail: impl Into<String>, span: Span) -> Diagnostics {
    Diagnostic::error(INVALID, detail).at(span).into()
}

fn keyword(name: &str, span: Span) -> Result<Type, Diagnostics> {
    match name {
        "any" => Ok(Type::Any),
        "bool" => Ok(Type::Bool),
        "number" => Ok(Type::Number),
        "string" => Ok(Type::String),
        "list" | "set" | "map" => {
            Err(wrong(format!("The {name} type constructor requires one argument specifying the element type."), span))
        }
        "object" => Err(wrong(
            "The object type constructor requires one argument specifying the attribute types and values as a map.",
            span,
        )),
        "tuple" => {
            Err(wrong("The tuple type constructor requires one argument specifying the element types as a list.", span))
        }
        _ => {
            let hint = pipectl_core::suggest::did_you_mean(
                name,
                ["any", "bool", "number", "string", "list", "set", "map", "object", "tuple"],
            );
            Err(wrong(format!("The keyword {name:?} is not a valid type specification.{hint}"), span))
        }
    }
}

fn constructor(call: &Call, span: Span) -> Result<Type, Diagnostics> {
    let only = || match call.arguments.as_slice() {
        [only] => Ok(only),
        _ => Err(keyword(&call.name, span.clone()).err().unwrap_or_default()),
    };
    match call.name.as_str() {
        "list" => Ok(Type::list(constraint(only()?)?)),
        "set" => Ok(Type::set(constraint(only()?)?)),
        "map" => Ok(Type::map(constraint(only()?)?)),
        "tuple" => match only()?.node() {
            Node::Tuple(elements) => Ok(Type::Tuple(all(elements.iter().map(constraint))?)),
            _ => Err(wrong("Tuple type constructor requires a list of element types.", only()?.span())),
        },
        "object" => object(only()?),
        "any" | "bool" | "number" | "string" => Err(wrong(
            format!("Primitive type keyword {:?} does not expect arguments.", call.name),
            call.name_span.clone(),
        )),
        "optional" => Err(wrong(
            "Keyword \"optional\" is valid only as a modifier for object type attributes.",
            call.name_span.clone(),
        )),
        name => Err(wrong(format!("Keyword {name:?} is not a valid type constructor."), call.name_span.clone())),
    }
}

fn object(expression: &Expression) -> Result<Type, Diagnostics> {
    let Node::Object(items) = expression.node() else {
        return Err(wrong(
            "Object type constructor requires a map whose keys are attribute names and whose values are the corresponding attribute types.",
            expression.span(),
        ));
    };
    let fields = items.iter().map(|item| {
        let name = match &item.key {
            Key::Name(name) => name.clone(),
            Key::Expression(key) => match key.as_literal_str() {
                Some(name) => name.to_owned(),
                None => return Err(wrong("Object constructor map keys must be attribute names.", key.span())),
            },
        };
        Ok((name, field(&item.value)?))
    });
    Ok(Type::Object(all(fields)?.into_iter().collect::<BTreeMap<_, _>>()))
}

fn field(expression: &Expression) -> Result<ObjectField, Diagnostics> {
    let Node::Call(call) = expression.node() else { return Ok(ObjectField::required(constraint(expression)?)) };
    if call.name != "optional" {
        return Ok(ObjectField::required(constraint(expression)?));
    }
    let (ty, default) = match call.arguments.as_slice() {
        [ty] => (constraint(ty)?, None),
        [ty, default] => (constraint(ty)?, Some(default)),
        _ => {
            let detail = "Optional attribute modifier requires the attribute type as its first argument, and takes a default value as its second.";
            return Err(wrong(detail, expression.span()));
        }
    };
    let default = default.map(|written| optional_default(written, &ty)).transpose()?;
    Ok(ObjectField { ty, optional: true, default })
}

fn optional_default(written: &Expression, ty: &Type) -> Result<Value, Diagnostics> {
    let value = evaluate(written, &Scope::constant())?;
    convert(&value, ty).map_err(|error| {
        let detail = format!("This default value is not compatible with the attribute's type constraint: {error}.");
        Diagnostic::error("Invalid default value for optional attribute", detail).at(written.span()).into()
    })
}

/// All results, or all diagnostics.
fn all<T>(results: impl Iterator<Item = Result<T, Diagnostics>>) -> Result<Vec<T>, Diagnostics> {
    let mut values = Vec::new();
    let mut diagnostics = Diagnostics::new();
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(found) => diagnostics.extend(found),
        }
    }
    if diagnostics.is_empty() { Ok(values) } else { Err(diagnostics) }
}
