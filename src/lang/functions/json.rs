//! JSON text to values and back, as Terraform writes it: exact numbers, `<`, `>` and `&` escaped.

use std::collections::BTreeMap;

use pipectl_core::{Kind, Number, Refinement, Type as ValueType, Value};

use crate::functions::ParameterType as Type;
use crate::functions::{Arguments, Failure, Function, Parameter, plain};
use crate::json_escape::unescape;

/// How deep arrays and objects may be nested.
const MAX_DEPTH: usize = 128;

pub(super) const FUNCTIONS: &[Function] = &[
    plain(
        "jsondecode",
        "The value that a JSON text stands for.",
        &[Parameter::new("str", Type::String)],
        Type::Any,
        |call| parsed(call.text(0)),
    )
    .returns("the value's type", |arguments| match arguments[0].as_str() {
        Some(text) => Ok(parsed(text)?.ty()),
        None => type_by_beginning(&arguments[0]),
    })
    .may_be_null(),
    plain(
        "jsonencode",
        "A value as JSON text.",
        &[Parameter::new("val", Type::Any).nullable().unknown().dynamic()],
        Type::String,
        |call| {
            let value = &call.values[0];
            if !value.is_wholly_known() {
                return Ok(unknown_text(value));
            }
            match holds_infinity(value) {
                true => Err(Failure::call("cannot serialize infinity as JSON")),
                false => Ok(Arguments::json(value).into()),
            }
        },
    ),
];

/// The type of what a text will stand for of which but the beginning is known, if that.
fn type_by_beginning(text: &Value) -> Result<ValueType, Failure> {
    let Kind::Unknown(unknown) = text.kind() else { return Ok(ValueType::Any) };
    let known = unknown.refinement.prefix.as_deref().unwrap_or_default().trim();
    match known.chars().next() {
        None | Some('{' | '[' | 'n') => Ok(ValueType::Any),
        Some('"') => Ok(ValueType::String),
        Some('t' | 'f') => Ok(ValueType::Bool),
        Some('-' | '.' | '0'..='9') => Ok(ValueType::Number),
        Some(other) => Err(Failure::telling(
            0,
            format!("a JSON document cannot begin with the character {other:?}"),
            "a JSON document cannot begin with this character",
        )),
    }
}

/// What is known of the text of a value that is not: its first character, when the value cannot be null.
fn unknown_text(value: &Value) -> Value {
    let opening = match (crate::evaluate::is_not_null(value), value.ty()) {
        (true, ValueType::String) => Some("\""),
        (true, ValueType::Object(_) | ValueType::Map(_)) => Some("{"),
        (true, ValueType::List(_) | ValueType::Set(_) | ValueType::Tuple(_)) => Some("["),
        _ => None,
    };
    Value::refined(
        ValueType::String,
        Refinement { not_null: true, prefix: opening.map(Into::into), ..Refinement::default() },
    )
}

/// JSON has no infinities.
fn holds_infinity(value: &Value) -> bool {
    value.as_number().is_some_and(|number| !number.is_finite())
        || value.children().any(|(_, child)| holds_infinity(child))
}

/// Appends the JSON text of a wholly known value.
pub(super) fn encode(value: &Value, text: &mut String) {
    match value.kind() {
        Kind::Null(_) | Kind::Unknown(_) => text.push_str("null"),
        Kind::Bool(flag) => text.push_str(if *flag { "true" } else { "false" }),
        Kind::Number(number) => text.push_str(&number.to_string()),
        Kind::String(string) => encode_string(string, text),
        Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
            text.push('[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                encode(element, text);
            }
            text.push(']');
        }
        Kind::Map(_, attributes) | Kind::Object(attributes) => {
            text.push('{');
            for (index, (name, attribute)) in attributes.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                encode_string(name, text);
                text.push(':');
                encode(attribute, text);
            }
            text.push('}');
        }
    }
}

/// Go's string encoder, which escapes what would matter inside HTML.
pub(super) fn encode_string(string: &str, text: &mut String) {
    text.push('"');
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                text.push_str(&format!("\\u{:04x}", u32::from(character)))
            }
            _ => text.push(character),
        }
    }
    text.push('"');
}

fn parsed(text: &str) -> Result<Value, Failure> {
    let mut parser = Parser { text, at: 0 };
    parser.whole().map_err(|problem| {
        let message = match (problem.strip_prefix("invalid character"), parser.rest().bytes().next()) {
            // The parser that the words come from reads bytes.
            (Some(place), Some(byte)) => format!("invalid character {:?}{place}", char::from(byte)),
            _ if text.trim().is_empty() => "EOF".to_owned(),
            _ => problem.to_owned(),
        };
        Failure::telling(None, message, "the text is not valid JSON")
    })
}

/// Whether a value that stands in JSON can be read as one of a type.
fn conforms(value: &Value, ty: &ValueType) -> bool {
    match (value.kind(), ty) {
        // Of an open type the value would have to name its own.
        (_, ValueType::Any) => false,
        (Kind::Null(_), _) => true,
        (Kind::Tuple(elements), ValueType::Tuple(types)) => {
            elements.len() == types.len() && elements.iter().zip(types).all(|(value, ty)| conforms(value, ty))
        }
        (Kind::Object(attributes), ValueType::Object(fields)) => {
            attributes.iter().all(|(name, value)| fields.get(name).is_some_and(|field| conforms(value, &field.ty)))
        }
        (_, ty) => ty.is_primitive() && pipectl_core::convert::convert(value, ty).is_ok(),
    }
}

/// A JSON parser: serde_json would read numbers as doubles.
struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn whole(&mut self) -> Result<Value, &'static str> {
        let value = self.value(0)?;
        self.spaces();
        // As with Terraform, nothing is looked at behind a bracket that closes nothing.
        match self.rest().chars().next() {
            None | Some(']' | '}') => Ok(value),
            Some(_) => Err("extraneous data after JSON object"),
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn value(&mut self, depth: usize) -> Result<Value, &'static str> {
        if depth > MAX_DEPTH {
            return Err("exceeded max depth");
        }
        self.spaces();
        match self.rest().bytes().next() {
            None => Err("unexpected end of JSON input"),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Value::from(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) if self.take("true") => Ok(Value::from(true)),
            Some(_) if self.take("false") => Ok(Value::from(false)),
            Some(_) if self.take("null") => Ok(Value::null()),
            Some(_) => Err("invalid character looking for beginning of value"),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, &'static str> {
        self.at += 1;
        let mut elements = Vec::new();
        self.spaces();
        if self.take("]") {
            return Ok(Value::tuple(elements));
        }
        loop {
            elements.push(self.value(depth + 1)?);
            self.spaces();
            if self.take("]") {
                return Ok(Value::tuple(elements));
            }
            if !self.take(",") {
                return Err("invalid character after array element");
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, &'static str> {
        self.at += 1;
        let mut attributes: BTreeMap<String, Value> = BTreeMap::new();
        // Values of keys that come again.
        let mut earlier: Vec<(String, Value)> = Vec::new();
        self.spaces();
        if self.take("}") {
            return Ok(Value::object(attributes));
        }
        loop {
            self.spaces();
            if !self.rest().starts_with('"') {
                return Err("invalid character looking for beginning of object key string");
            }
            let name = self.string()?;
            self.spaces();
            if !self.take(":") {
                return Err("invalid character after object key");
            }
            let value = self.value(depth + 1)?;
            if let Some(first) = attributes.insert(name.clone(), value) {
                earlier.push((name, first));
            }
            self.spaces();
            if self.take("}") {
                let fits = |(name, value): &(String, Value)| conforms(value, &attributes[name].ty());
                if !earlier.iter().all(fits) {
                    return Err("a key stands twice, and its first value does not have the type of its last");
                }
                return Ok(Value::object(attributes));
            }
            if !self.take(",") {
                return Err("invalid character after object key:value pair");
            }
        }
    }

    fn number(&mut self) -> Result<Value, &'static str> {
        let rest = self.rest();
        let length = rest.find(|c: char| !matches!(c, '-' | '+' | '.' | 'e' | 'E' | '0'..='9')).unwrap_or(rest.len());
        let text = &rest[..length];
        let digits = text.strip_prefix('-').unwrap_or(text);
        let leading_zero = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
        let valid = digits.starts_with(|c: char| c.is_ascii_digit())
            && !leading_zero
            && !text.ends_with('.')
            && !text.contains(".e")
            && !text.contains(".E");
        let number = text.parse::<Number>().map_err(|_| "invalid character in numeric literal")?;
        if !valid {
            return Err("invalid character in numeric literal");
        }
        self.at += length;
        Ok(Value::from(number))
    }

    fn string(&mut self) -> Result<String, &'static str> {
        self.at += 1;
        let mut string = String::new();
        loop {
            let Some(next) = self.rest().chars().next() else { return Err("unexpected end of JSON input") };
            self.at += next.len_utf8();
            match next {
                '"' => return Ok(string),
                '\\' => string.push(self.escape()?),
                '\0'..='\u{1f}' => return Err("invalid character in string literal"),
                _ => string.push(next),
            }
        }
    }

    fn escape(&mut self) -> Result<char, &'static str> {
        const INVALID: &str = "invalid character in string escape code";
        // The backslash is behind.
        let start = self.at - 1;
        if self.rest().is_empty() {
            return Err("unexpected end of JSON input");
        }
        let (character, length) = unescape(&self.text[start..]).ok_or(INVALID)?;
        self.at = start + length;
        Ok(character)
    }
}

impl Arguments<'_> {
    /// The JSON text of a wholly known value.
    pub(super) fn json(value: &Value) -> String {
        let mut text = String::new();
        encode(value, &mut text);
        text
    }
}
