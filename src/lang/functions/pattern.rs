//! Regular expressions. Patterns are RE2's, as Terraform's are; the engine is the `regex` crate, which differs in a few notations.

use std::collections::BTreeMap;

use pipectl_core::{Type as ValueType, Value};
use regex::{Captures, Regex};

use crate::functions::ParameterType as Type;
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
    match pattern.captures(call.text(1)) {
        Some(captures) => Ok(matched(&pattern, &captures, &ty)),
        None => Err(Failure::call("pattern did not match any part of the given string")),
    }
}

fn every(call: &Arguments<'_>) -> Result<Value, Failure> {
    let (pattern, ty) = compile(call.text(0))?;
    let found: Vec<Value> =
        pattern.captures_iter(call.text(1)).map(|captures| matched(&pattern, &captures, &ty)).collect();
    Ok(Value::list(ty, found))
}

fn replace(call: &Arguments<'_>) -> Result<Value, Failure> {
    let (text, wanted, replacement) = (call.text(0), call.text(1), call.text(2));
    match wanted.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
        Some(pattern) => {
            let pattern = build(pattern)
                .map_err(|message| Failure::telling(None, message, "the pattern is not a valid regular expression"))?;
            Ok(pattern.replace_all(text, replacement).into_owned().into())
        }
        None => Ok(text.replace(wanted, replacement).into()),
    }
}

/// A pattern and the type of what it captures.
fn compile(pattern: &str) -> Result<(Regex, ValueType), Failure> {
    const HIDDEN: &str = "invalid regexp pattern";
    let compiled =
        build(pattern).map_err(|message| Failure::telling(0, format!("invalid regexp pattern: {message}"), HIDDEN))?;
    let names: Vec<Option<&str>> = compiled.capture_names().skip(1).collect();
    let named = names.iter().flatten().count();
    let ty = match (names.len(), named) {
        (0, _) => ValueType::String,
        (all, 0) => ValueType::Tuple(vec![ValueType::String; all]),
        (all, named) if all == named => {
            ValueType::object(names.iter().flatten().map(|name| (*name, ValueType::String)))
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

fn matched(pattern: &Regex, captures: &Captures<'_>, ty: &ValueType) -> Value {
    let group = |index: usize| {
        captures.get(index).map_or_else(|| Value::null_of(ValueType::String), |found| found.as_str().into())
    };
    match ty {
        ValueType::Tuple(groups) => Value::tuple((1..=groups.len()).map(group).collect::<Vec<_>>()),
        ValueType::Object(_) => {
            let named =
                pattern.capture_names().enumerate().filter_map(|(index, name)| Some((name?.to_owned(), group(index))));
            Value::object(named.collect::<BTreeMap<_, _>>())
        }
        _ => group(0),
    }
}

fn build(pattern: &str) -> Result<Regex, String> {
    Regex::new(&translate(pattern)).map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "expression too large".to_owned(),
        other => {
            // The crate draws a picture over several lines; its last line is the reason.
            let text = other.to_string();
            text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        }
    })
}

/// RE2's notation in that of the `regex` crate: `\d`, `\w`, `\s` and `\b` mean ASCII, `\Q...\E` is literal text, a brace that is no
/// repetition and a bracket inside a class are literal.
fn translate(pattern: &str) -> String {
    let mut result = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(next) = rest.chars().next() {
        let mut length = next.len_utf8();
        match next {
            '\\' => {
                let escaped = rest[1..].chars().next();
                length += escaped.map_or(0, char::len_utf8);
                match (escaped, in_class) {
                    (Some('d'), true) => result.push_str("0-9"),
                    (Some('d'), false) => result.push_str("[0-9]"),
                    (Some('D'), _) => result.push_str("[^0-9]"),
                    (Some('w'), true) => result.push_str("0-9A-Za-z_"),
                    (Some('w'), false) => result.push_str("[0-9A-Za-z_]"),
                    (Some('W'), _) => result.push_str("[^0-9A-Za-z_]"),
                    (Some('s'), true) => result.push_str(r"\t\n\f\r "),
                    (Some('s'), false) => result.push_str(r"[\t\n\f\r ]"),
                    (Some('S'), _) => result.push_str(r"[^\t\n\f\r ]"),
                    (Some('b'), false) => result.push_str(r"(?-u:\b)"),
                    (Some('p' | 'P' | 'x'), _) if rest[2..].starts_with('{') => {
                        length = rest.find('}').map_or(rest.len(), |end| end + 1);
                        result.push_str(&rest[..length]);
                    }
                    (Some('Q'), false) => {
                        let quoted = &rest[2..];
                        let end = quoted.find(r"\E");
                        result.push_str(&regex::escape(&quoted[..end.unwrap_or(quoted.len())]));
                        length = 2 + end.map_or(quoted.len(), |end| end + 2);
                    }
                    _ => result.push_str(&rest[..length]),
                }
            }
            '[' if in_class && rest[1..].starts_with(':') => result.push('['),
            '[' if in_class => result.push_str(r"\["),
            '[' => {
                in_class = true;
                result.push('[');
                // A closing bracket right at the start is part of the class.
                for first in ["^]", "]", "^"] {
                    if rest[1..].starts_with(first) {
                        result.push_str(&first.replace(']', r"\]"));
                        length += first.len();
                        break;
                    }
                }
            }
            ']' if in_class && result.ends_with(':') => result.push(']'),
            ']' => {
                in_class = false;
                result.push(']');
            }
            '&' | '~' | '-' if in_class && rest[length..].starts_with(next) => {
                result.push('\\');
                result.push(next);
            }
            '{' if !in_class && !is_repetition(rest) => result.push_str(r"\{"),
            _ => result.push(next),
        }
        rest = &rest[length..];
    }
    result
}

/// Whether `{2}`, `{2,}` or `{2,3}` stands at the start.
fn is_repetition(text: &str) -> bool {
    let Some((inside, _)) = text[1..].split_once('}') else { return false };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match inside.split_once(',') {
        Some((least, most)) => digits(least) && (most.is_empty() || digits(most)),
        None => digits(inside),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_re2() {
        for (pattern, text, expected) in [
            (r"\d+", "٣4", Some("4")),
            (r"[\d_]+", "a1_2", Some("1_2")),
            (r"\w+", "äb", Some("b")),
            (r"a{x", "a{x", Some("a{x")),
            (r"a{2,}", "aaa", Some("aaa")),
            (r"[[]", "[", Some("[")),
            (r"[]a]+", "]a", Some("]a")),
            (r"[[:alpha:]]+", "1ab", Some("ab")),
            (r"\Qa.b\E", "axb a.b", Some("a.b")),
            (r"[^\s]+", " \u{a0}", Some("\u{a0}")),
        ] {
            let compiled = build(pattern).expect(pattern);
            assert_eq!(compiled.find(text).map(|found| found.as_str()), expected, "{pattern}");
        }
        assert!(build("(").is_err());
    }
}
