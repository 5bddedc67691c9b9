//! The functions of regular expressions.

use std::collections::BTreeMap;

use pipectl_core::{Type as ValueType, Value};
use regex::Captures;

use crate::functions::ParameterType as Type;
use crate::functions::regular_expression::Pattern;
use crate::functions::{Arguments, Failure, Function, Parameter, plain};

const PATTERN: Parameter = Parameter::new("pattern", Type::String);
const STRING: Parameter = Parameter::new("string", Type::String);
const SUBJECT: &str = "string without groups, tuple of strings with groups, object of strings with named groups";

pub(super) const FUNCTIONS: &[Function] = &[
    plain("regex", "What a pattern matches first in a string.", &[PATTERN, STRING], Type::Any, first).returns(
        SUBJECT,
        |arguments| match arguments[0].as_str() {
            Some(pattern) => Ok(compile(pattern)?.1),
            None => Ok(ValueType::Any),
        },
    ),
    plain(
        "regexall",
        "A list of everything that a pattern matches in a string.",
        &[PATTERN, STRING],
        Type::List,
        every,
    )
    .returns("list of what regex returns", |arguments| match arguments[0].as_str() {
        Some(pattern) => Ok(ValueType::list(compile(pattern)?.1)),
        None => Ok(ValueType::list(ValueType::Any)),
    }),
    plain(
        "replace",
        "The string with every occurrence of another replaced. Between slashes stands a pattern, and $1 in the replacement is its group.",
        &[
            Parameter::new("str", Type::String),
            Parameter::new("substr", Type::String),
            Parameter::new("replace", Type::String),
        ],
        Type::String,
        replace,
    ),
];

fn first(call: &Arguments<'_>) -> Result<Value, Failure> {
    let (pattern, ty) = compile(call.text(0))?;
    match pattern.regex.captures(call.text(1)) {
        Some(captures) => Ok(matched(&pattern, &captures, &ty)),
        None => Err(Failure::call("pattern did not match any part of the given string")),
    }
}

fn every(call: &Arguments<'_>) -> Result<Value, Failure> {
    let (pattern, ty) = compile(call.text(0))?;
    let found: Vec<Value> =
        pattern.regex.captures_iter(call.text(1)).map(|captures| matched(&pattern, &captures, &ty)).collect();
    Ok(Value::list(ty, found))
}

fn replace(call: &Arguments<'_>) -> Result<Value, Failure> {
    let (text, wanted, replacement) = (call.text(0), call.text(1), call.text(2));
    match wanted.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
        Some(pattern) => {
            let pattern = Pattern::new(pattern).map_err(|wrong| {
                let message = format!("error parsing regexp: {}: `{}`", wrong.problem, wrong.part);
                Failure::telling(None, message, "the pattern is not a valid regular expression")
            })?;
            let expanded = |captures: &Captures<'_>| expand(replacement, &pattern, captures);
            Ok(pattern.regex.replace_all(text, expanded).into_owned().into())
        }
        None => Ok(text.replace(wanted, replacement).into()),
    }
}

/// A replacement with what the groups have matched for `$1`, `$name` and `${name}`: nothing for groups that there are not.
fn expand(replacement: &str, pattern: &Pattern, captures: &Captures<'_>) -> String {
    let mut result = String::new();
    let mut rest = replacement;
    while let Some((before, after)) = rest.split_once('$') {
        result.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            result.push('$');
            rest = after;
            continue;
        }
        let is_part = |c: char| c == '_' || c.is_alphanumeric();
        let length = |text: &str| text.find(|c| !is_part(c)).unwrap_or(text.len());
        let named = match after.strip_prefix('{') {
            Some(inside) => {
                let (name, after) = inside.split_at(length(inside));
                after.strip_prefix('}').map(|after| (name, after))
            }
            None => Some(after.split_at(length(after))),
        };
        let Some((name, after)) = named.filter(|(name, _)| !name.is_empty()) else {
            // A dollar that begins no name is one.
            result.push('$');
            rest = after;
            continue;
        };
        let is_number = name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
        let found = match is_number {
            true => name.parse().ok().and_then(|index| captures.get(index)),
            false => {
                let groups = (1..).zip(&pattern.names).filter(|(_, other)| other.as_deref() == Some(name));
                groups.filter_map(|(index, _)| captures.get(index)).next()
            }
        };
        result.push_str(found.map_or("", |found| found.as_str()));
        rest = after;
    }
    result.push_str(rest);
    result
}

/// A pattern and the type of what it captures.
fn compile(pattern: &str) -> Result<(Pattern, ValueType), Failure> {
    const HIDDEN: &str = "invalid regexp pattern";
    let compiled = Pattern::new(pattern).map_err(|wrong| {
        let message = format!("invalid regexp pattern: {} in {}", wrong.problem, wrong.part);
        Failure::telling(0, message, HIDDEN)
    })?;
    let names = &compiled.names;
    let named = names.iter().flatten().count();
    let ty = match (names.len(), named) {
        (0, _) => ValueType::String,
        (all, 0) => ValueType::Tuple(vec![ValueType::String; all]),
        (all, named) if all == named => {
            ValueType::object(names.iter().flatten().map(|name| (name.as_str(), ValueType::String)))
        }
        _ => {
            return Err(Failure::argument(
                0,
                "invalid regexp pattern: cannot mix both named and unnamed capture groups",
            ));
        }
    };
    Ok((compiled, ty))
}

fn matched(pattern: &Pattern, captures: &Captures<'_>, ty: &ValueType) -> Value {
    let group = |index: usize| {
        captures.get(index).map_or_else(|| Value::null_of(ValueType::String), |found| found.as_str().into())
    };
    match ty {
        ValueType::Tuple(groups) => Value::tuple((1..=groups.len()).map(group).collect::<Vec<_>>()),
        ValueType::Object(_) => {
            // Of groups with the same name the last one counts.
            let named = (1..).zip(&pattern.names).filter_map(|(index, name)| Some((name.clone()?, group(index))));
            Value::object(named.collect::<BTreeMap<_, _>>())
        }
        _ => group(0),
    }
}
