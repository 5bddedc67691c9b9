//! Numbers that a double does not hold: Terraform writes up to 150 digits, and every one of them counts.
//!
//! While JSON passes through `serde_json`, such a number is a string that begins with [`MARK`].

use pipectl_core::{Number, Value, json::to_json};
use serde_json::Value as Json;

/// Stands before the digits. No string of a configuration begins so by accident: U+0000 cannot be typed.
pub(super) const MARK: &str = "\u{0}number:";

/// The text of a JSON document with every such number marked. Text that is not JSON stays that.
pub(super) fn mark(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut marked = String::with_capacity(text.len());
    let (mut start, mut index) = (0, 0);
    let mut inside_string = false;
    while let Some(byte) = bytes.get(index) {
        match byte {
            b'\\' if inside_string => index += 1,
            b'"' => inside_string = !inside_string,
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

/// Whether `serde_json` carries a number as it is. What is no number is left to it, too.
fn is_exact(token: &str) -> bool {
    // Nothing below 2^53 is rounded.
    if token.len() <= 15 && token.bytes().all(|byte| byte.is_ascii_digit()) {
        return true;
    }
    token.parse::<Number>().map_or(true, |number| !matches!(to_json(&Value::from(number)), Some(Json::String(_))))
}

/// The same without marks: the digits alone, as a string. Whoever knows that it is a number reads it as one.
pub(super) fn unmark(json: &mut Json) {
    match json {
        Json::String(text) => {
            if let Some(digits) = text.strip_prefix(MARK) {
                *text = digits.to_owned();
            }
        }
        Json::Array(elements) => elements.iter_mut().for_each(unmark),
        Json::Object(members) => members.values_mut().for_each(unmark),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// The digits that a string stands for, if it is to be written as a number.
pub(super) fn digits(text: &str) -> Option<&str> {
    let digits = text.strip_prefix(MARK)?;
    // Only what JSON has for a number goes out without quotes.
    serde_json::from_str::<serde_json::Number>(digits).ok().map(|_| digits)
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
        assert_eq!(json["a"][3].as_str().and_then(digits), Some(third));
        assert_eq!(json["c"].as_str().and_then(digits), Some(third));
        assert_eq!(json[format!("b\"1{third}").as_str()], "12345678901234567890.125");
        unmark(&mut json);
        assert_eq!(json["c"], third);
    }

    #[test]
    fn what_is_not_json_is_left_to_the_parser() {
        for text in ["", "-", "\"", "\"\\", "{\"a\":1e999999999999}", "nul", "1 2", "--1.2.3"] {
            assert_eq!(mark(text), text);
        }
    }
}
