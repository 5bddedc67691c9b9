//! Encodings of strings: Base64 and URLs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipectl_core::Value;

use crate::functions::ParameterType as Type;
use crate::functions::gzip::compress;
use crate::functions::quote::quote;
use crate::functions::{Arguments, Failure, Function, Parameter, plain};

const STR: Parameter = Parameter::new("str", Type::String);

pub(super) const FUNCTIONS: &[Function] = &[
    plain("base64decode", "The text that a Base64 string stands for.", &[STR], Type::String, decode),
    plain("base64encode", "The Base64 form of a string.", &[STR], Type::String, |call| {
        Ok(STANDARD.encode(call.text(0)).into())
    }),
    plain("base64gzip", "A string compressed with gzip, in Base64.", &[STR], Type::String, |call| {
        Ok(STANDARD.encode(compress(call.text(0).as_bytes())).into())
    }),
    plain(
        "urlencode",
        "The string with all but letters, digits and -_.~ as in a query of a URL.",
        &[STR],
        Type::String,
        urlencode,
    ),
];

fn decode(call: &Arguments<'_>) -> Result<Value, Failure> {
    let given = call.text(0);
    let bytes = decode_base64(given).map_err(|_| {
        Failure::telling(
            None,
            format!("failed to decode base64 data {}", quote(given)),
            "failed to decode base64 data (sensitive value)",
        )
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::call("the result of decoding the provided string is not valid UTF-8"))?;
    Ok(text.into())
}

/// The bytes of standard Base64 with padding, or where it is wrong. Line breaks do not count, and neither do bits that are left over.
pub(super) fn decode_base64(text: &str) -> Result<Vec<u8>, usize> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut group: Vec<u8> = Vec::with_capacity(4);
    let mut symbols = text.bytes().enumerate().filter(|(_, symbol)| !matches!(symbol, b'\r' | b'\n'));
    while let Some((at, symbol)) = symbols.next() {
        let value = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'a'..=b'z' => symbol - b'a' + 26,
            b'0'..=b'9' => symbol - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' if group.len() >= 2 => {
                if group.len() == 2 {
                    match symbols.next() {
                        Some((_, b'=')) => {}
                        Some((next, _)) => return Err(next - 1),
                        None => return Err(text.len()),
                    }
                }
                if let Some((next, _)) = symbols.next() {
                    return Err(next);
                }
                flush(&mut group, &mut bytes);
                return Ok(bytes);
            }
            _ => return Err(at),
        };
        group.push(value);
        if group.len() == 4 {
            flush(&mut group, &mut bytes);
        }
    }
    if group.is_empty() { Ok(bytes) } else { Err(text.len() - group.len()) }
}

/// Two to four symbols as one to three bytes.
fn flush(group: &mut Vec<u8>, bytes: &mut Vec<u8>) {
    let count = group.len() - 1;
    group.resize(4, 0);
    let all = group.drain(..).fold(0_u32, |all, value| all << 6 | u32::from(value));
    bytes.extend(&all.to_be_bytes()[1..=count]);
}

fn urlencode(call: &Arguments<'_>) -> Result<Value, Failure> {
    let mut result = String::new();
    for byte in call.text(0).bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => result.push(char::from(byte)),
            b' ' => result.push('+'),
            _ => result.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(result.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_as_go_does() {
        for (text, expected) in [
            ("aGVsbG8=", Ok(b"hello".to_vec())),
            ("YQ==", Ok(b"a".to_vec())),
            ("YR==", Ok(b"a".to_vec())),
            ("YW\nJj", Ok(b"abc".to_vec())),
            ("", Ok(Vec::new())),
            ("YQ", Err(0)),
            ("YQ=", Err(3)),
            ("Y=", Err(1)),
            ("YQ==x", Err(4)),
            ("a b=", Err(1)),
        ] {
            assert_eq!(decode_base64(text), expected, "{text:?}");
        }
    }
}
