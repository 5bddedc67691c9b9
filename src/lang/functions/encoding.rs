//! Encodings and digests of strings.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipectl_core::Value;
use sha2::{Digest as _, Sha256, Sha512};

use crate::functions::ParameterType as Type;
use crate::functions::{Arguments, Failure, Function, Parameter, plain};

const STR: Parameter = Parameter::new("str", Type::String);

pub(super) const FUNCTIONS: &[Function] = &[
    plain("base64decode", "The text that a Base64 string stands for.", &[STR], Type::String, decode),
    plain("base64encode", "The Base64 form of a string.", &[STR], Type::String, |call| {
        Ok(STANDARD.encode(call.text(0)).into())
    }),
    plain("base64sha256", "The SHA-256 digest of a string, in Base64.", &[STR], Type::String, |call| {
        Ok(STANDARD.encode(Sha256::digest(call.text(0))).into())
    }),
    plain("base64sha512", "The SHA-512 digest of a string, in Base64.", &[STR], Type::String, |call| {
        Ok(STANDARD.encode(Sha512::digest(call.text(0))).into())
    }),
    plain("sha256", "The SHA-256 digest of a string, in hex digits.", &[STR], Type::String, |call| {
        Ok(hex(&Sha256::digest(call.text(0))).into())
    }),
    plain("sha512", "The SHA-512 digest of a string, in hex digits.", &[STR], Type::String, |call| {
        Ok(hex(&Sha512::digest(call.text(0))).into())
    }),
    plain(
        "urlencode",
        "The string with all but letters, digits and -_.~ as in a query of a URL.",
        &[STR],
        Type::String,
        urlencode,
    ),
];

/// Bytes as hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn decode(call: &Arguments<'_>) -> Result<Value, Failure> {
    let given = call.text(0);
    let text: String = given.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let bytes = STANDARD.decode(text).map_err(|_| {
        Failure::telling(
            None,
            format!("failed to decode base64 data {given:?}"),
            "failed to decode base64 data (sensitive value)",
        )
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::call("the result of decoding the provided string is not valid UTF-8"))?;
    Ok(text.into())
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
