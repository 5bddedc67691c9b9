//! Numbers that a double does not hold: Terraform writes up to 150 digits, and every one of them counts.
//!
//! While JSON passes through `serde_json`, such a number is a string that begins with [`NUMBER`]. A string that begins with U+0000 itself, which any
//! may, has [`TEXT`] before it meanwhile: so what begins with U+0000 is always one of the two, and each is what it was.

use pipectl_core::{Number, Value, json::to_json};
use serde_json::Value as Json;

/// Stands before the digits of a number.
const NUMBER: &str = "\u{0}number:";

/// Stands before a string that begins with U+0000.
const TEXT: &str = "\u{0}text:";

/// The text of a JSON document with every such number and string marked; names of members are none of these. Text that is not JSON stays that.
pub(super) fn mark(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut marked = String::with_capacity(text.len());
    let (mut start, mut index) = (0, 0);
    let mut inside_string = false;
    while let Some(byte) = bytes.get(index) {
        match byte {
            b'\\' if inside_string => index += 1,
            b'"' if !inside_string => {
                inside_string = true;
                // U+0000 is written so and in no other way.
                if bytes[index + 1..].starts_with(b"\\u0000") && !is_name(&bytes[index + 1..]) {
                    marked.push_str(&text[start..=index]);
                    marked.push_str("\\u0000text:");
                    start = index + 1;
                }
            }
            b'"' => inside_string = false,
            b'-' | b'0'..=b'9' if !inside_string => {
                let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                let end = index + bytes[index..].iter().take_while(|byte| is_part(byte)).count();
                let token = &text[index..end];
                if !is_exact(token) {
                    marked.push_str(&text[start..index]);
                    // The mark is written as JSON escapes it.
                    marked.push_str("\"\\u0000number:");
                    marked.push_str(token);
                    marked.push('"');
                    start = end;
                }
                index = end - 1;
            }
            _ => {}
        }
        index += 1;
    }
    marked.push_str(&text[start.min(text.len())..]);
    marked
}

/// Whether a string, of which the opening quote is left out, is the name of a member.
fn is_name(bytes: &[u8]) -> bool {
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'\\' => drop(rest.next()),
            b'"' => return rest.find(|byte| !byte.is_ascii_whitespace()) == Some(&b':'),
            _ => {}
        }
    }
    false
}

/// Whether `serde_json` carries a number as it is. What is no number is left to it, too.
fn is_exact(token: &str) -> bool {
    // Nothing below 2^53 is rounded.
    if token.len() <= 15 && token.bytes().all(|byte| byte.is_ascii_digit()) {
        return true;
    }
    token.parse::<Number>().map_or(true, |number| !matches!(to_json(&Value::from(number)), Some(Json::String(_))))
}

/// The same without marks: of a number the digits alone, as a string. Whoever knows that it is a number reads it as one.
pub(super) fn unmark(json: &mut Json) {
    match json {
        Json::String(text) => {
            if text.starts_with('\0') {
                *text = plain(text);
            }
        }
        Json::Array(elements) => elements.iter_mut().for_each(unmark),
        Json::Object(members) => members.values_mut().for_each(unmark),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// The number with these digits, marked.
pub(super) fn number(digits: &str) -> Json {
    Json::String(format!("{NUMBER}{digits}"))
}

/// A value that is marked nowhere with its strings marked that begin with U+0000.
pub(super) fn escaped(mut json: Json) -> Json {
    escape(&mut json);
    json
}

fn escape(json: &mut Json) {
    match json {
        Json::String(text) if text.starts_with('\0') => text.insert_str(0, TEXT),
        Json::Array(elements) => elements.iter_mut().for_each(escape),
        Json::Object(members) => members.values_mut().for_each(escape),
        Json::String(_) | Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// The text that a string stands for that may be marked.
pub(super) fn plain(string: &str) -> String {
    match meant(string) {
        Meant::Number(text) | Meant::Text(text) => text.to_owned(),
    }
}

/// What a marked string stands for.
pub(super) enum Meant<'a> {
    /// The digits of a number.
    Number(&'a str),
    /// This text.
    Text(&'a str),
}

/// What a string stands for that may be marked.
pub(super) fn meant(string: &str) -> Meant<'_> {
    if let Some(text) = string.strip_prefix(TEXT) {
        return Meant::Text(text);
    }
    // Only what JSON has for a number goes out without quotes.
    let digits = string.strip_prefix(NUMBER);
    match digits.filter(|digits| serde_json::from_str::<serde_json::Number>(digits).is_ok()) {
        Some(digits) => Meant::Number(digits),
        None => Meant::Text(digits.unwrap_or(string)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_double_does_not_hold_is_marked() {
        let third = "0.33333333333333333333333333333333333333333333333333";
        let text =
            format!(r#"{{"a": [1, 0.1, -2.5e3, {third}], "b\"1{third}": "12345678901234567890.125", "c": {third}}}"#);
        let mut json: Json = serde_json::from_str(&mark(&text)).unwrap();
        assert_eq!(json["a"][1], 0.1);
        let is_third = |json: &Json| {
            json.as_str().is_some_and(|text| matches!(meant(text), Meant::Number(digits) if digits == third))
        };
        assert!(is_third(&json["a"][3]) && is_third(&json["c"]));
        assert_eq!(json[format!("b\"1{third}").as_str()], "12345678901234567890.125");
        unmark(&mut json);
        assert_eq!(json["c"], third);
    }

    #[test]
    fn no_text_is_taken_for_a_number() {
        for string in ["\0number:1", "\0", "\0text:\0number:1", "\0text:", "\0number:", "number:1", "a\0number:1"] {
            let plain = serde_json::json!({ "a": [string], string: string });
            for text in [plain.to_string(), serde_json::to_string_pretty(&plain).unwrap()] {
                let marked: Json = serde_json::from_str(&mark(&text)).unwrap();
                assert_eq!(marked, escaped(plain.clone()), "{text}");
                let text_of = |json: &Json| match meant(json.as_str().unwrap()) {
                    Meant::Text(text) => text.to_owned(),
                    Meant::Number(digits) => panic!("{digits}"),
                };
                assert_eq!(text_of(&marked["a"][0]), string);
                let mut back = marked;
                unmark(&mut back);
                assert_eq!(back, plain);
            }
        }
    }

    #[test]
    fn what_is_not_json_is_left_to_the_parser() {
        for text in ["", "-", "\"", "\"\\", "{\"a\":1e999999999999}", "nul", "1 2", "--1.2.3"] {
            assert_eq!(mark(text), text);
        }
    }
}
