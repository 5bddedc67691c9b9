//! Values as JSON text without loss: a number keeps all its digits, which a double would not.

use pipectl_core::{Kind, Number, Value};
use serde_json::Value as Json;

/// A value has no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoJson {
    /// It is known after apply, or something inside is.
    #[error("it is known only after apply")]
    Unknown,
    /// It is infinite.
    #[error("JSON has no number for infinity")]
    Infinite,
}

/// The value on one line. Marks are lost: the caller has dealt with what must not be shown.
///
/// # Errors
/// When something inside is unknown or infinite.
pub fn line(value: &Value) -> Result<String, NoJson> {
    let mut out = String::new();
    write(&mut out, value, None)?;
    Ok(out)
}

/// The value over several lines, indented by two blanks a level.
///
/// # Errors
/// When something inside is unknown or infinite.
pub fn lines(value: &Value) -> Result<String, NoJson> {
    let mut out = String::new();
    write(&mut out, value, Some(0))?;
    Ok(out)
}

/// What a number begins with that stands as text in a document, because serde_json would round it.
const NUMBER: &str = "\u{0}number\u{0}";
/// What a text begins with that could be taken for such a number, or for such a text.
const TEXT: &str = "\u{0}text\u{0}";

/// The value for a larger document, which [`text`] writes: numbers that are no small whole ones are kept as text until then. `None` when
/// something inside is unknown or infinite.
pub fn part(value: &Value) -> Option<Json> {
    Some(match value.kind() {
        Kind::Null(_) => Json::Null,
        Kind::Unknown(_) => return None,
        Kind::Bool(flag) => Json::Bool(*flag),
        Kind::Number(number) => match number.to_i64() {
            Some(small) => Json::from(small),
            None if number.is_finite() => Json::String(format!("{NUMBER}{number}")),
            None => return None,
        },
        Kind::String(text) if text.starts_with('\0') => Json::String(format!("{TEXT}{text}")),
        Kind::String(text) => Json::String(text.to_string()),
        Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
            Json::Array(elements.iter().map(part).collect::<Option<_>>()?)
        }
        Kind::Map(_, attributes) | Kind::Object(attributes) => {
            let each = |(name, value): (&String, &Value)| Some((name.clone(), part(value)?));
            Json::Object(attributes.iter().map(each).collect::<Option<_>>()?)
        }
    })
}

/// A document with what [`part`] has made in it, on one line.
pub fn text(document: &Json) -> String {
    let mut out = String::new();
    write_document(&mut out, document);
    out
}

fn write_document(out: &mut String, document: &Json) {
    match document {
        Json::String(text) => match text.strip_prefix(NUMBER).filter(|text| text.parse::<Number>().is_ok()) {
            Some(number) => out.push_str(number),
            None => string(out, text.strip_prefix(TEXT).unwrap_or(text)),
        },
        Json::Array(elements) => {
            out.push('[');
            for (position, element) in elements.iter().enumerate() {
                begin(out, position, None);
                write_document(out, element);
            }
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (position, (name, member)) in members.iter().enumerate() {
                begin(out, position, None);
                string(out, name);
                out.push(':');
                write_document(out, member);
            }
            out.push('}');
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => out.push_str(&document.to_string()),
    }
}

fn write(out: &mut String, value: &Value, indent: Option<usize>) -> Result<(), NoJson> {
    match value.kind() {
        Kind::Null(_) => out.push_str("null"),
        Kind::Unknown(_) => return Err(NoJson::Unknown),
        Kind::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Kind::Number(number) if !number.is_finite() => return Err(NoJson::Infinite),
        Kind::Number(number) => out.push_str(&number.to_string()),
        Kind::String(text) => string(out, text),
        Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
            let inside = indent.map(|indent| indent + 2);
            out.push('[');
            for (position, element) in elements.iter().enumerate() {
                begin(out, position, inside);
                write(out, element, inside)?;
            }
            end(out, elements.is_empty(), indent, ']');
        }
        Kind::Map(_, attributes) | Kind::Object(attributes) => {
            let inside = indent.map(|indent| indent + 2);
            out.push('{');
            for (position, (name, element)) in attributes.iter().enumerate() {
                begin(out, position, inside);
                string(out, name);
                out.push_str(if indent.is_some() { ": " } else { ":" });
                write(out, element, inside)?;
            }
            end(out, attributes.is_empty(), indent, '}');
        }
    }
    Ok(())
}

fn string(out: &mut String, text: &str) {
    out.push_str(&Json::from(text).to_string());
}

fn begin(out: &mut String, position: usize, indent: Option<usize>) {
    if position > 0 {
        out.push(',');
    }
    if let Some(indent) = indent {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', indent));
    }
}

fn end(out: &mut String, is_empty: bool, indent: Option<usize>, bracket: char) {
    if let (false, Some(indent)) = (is_empty, indent) {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', indent));
    }
    out.push(bracket);
}

#[cfg(test)]
mod tests {
    use pipectl_core::Type;

    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        let third = Number::from(1_i64).divide(&Number::from(3_i64)).unwrap();
        let text = line(&Value::tuple([Value::from(third), Value::from(12)])).unwrap();
        assert!(text.starts_with("[0.3333333333333333333333333333333333") && text.ends_with(",12]"), "{text}");
        let large: Number = "123456789012345678901234567890".parse().unwrap();
        assert_eq!(line(&Value::from(large.clone())).unwrap(), "123456789012345678901234567890");
        let document = serde_json::json!({ "a": [part(&Value::from(large)), 0.5], "b": "x\"" });
        assert_eq!(super::text(&document), r#"{"a":[123456789012345678901234567890,0.5],"b":"x\""}"#);
        for odd in ["\0number\x001", "\0number\x001}", "\0text\0", "\0"] {
            let document = serde_json::json!([part(&Value::from(odd))]);
            assert_eq!(super::text(&document), serde_json::json!([odd]).to_string());
        }
        let infinite = Number::from(1_i64).divide(&Number::from(0_i64)).unwrap();
        assert_eq!(part(&Value::from(infinite.clone())), None);
        assert_eq!(line(&Value::from(infinite)), Err(NoJson::Infinite));
        assert_eq!(line(&Value::unknown(Type::Any)), Err(NoJson::Unknown));
    }

    #[test]
    fn lines_are_indented_as_terraform_does() {
        let value = Value::object([
            ("a", Value::tuple([Value::from(1), Value::from("x\n\"")])),
            ("b", Value::object::<String>([])),
            ("c", Value::tuple([])),
        ]);
        assert_eq!(
            lines(&value).unwrap(),
            "{\n  \"a\": [\n    1,\n    \"x\\n\\\"\"\n  ],\n  \"b\": {},\n  \"c\": []\n}"
        );
        assert_eq!(line(&value).unwrap(), r#"{"a":[1,"x\n\""],"b":{},"c":[]}"#);
    }
}
