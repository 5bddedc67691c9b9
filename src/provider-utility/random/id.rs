//! `random_id`: bytes in several notations, for names.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use pipectl_core::{Attribute, Diagnostics, Schema, Type, Value};
use pipectl_provider::{Cx, PlanRequest, PlanResponse};

use super::{bad_import, no_keepers, plan_with_keepers, with_keepers};
use crate::digests::hex;
use crate::draw::Draw;
use crate::kept::Kept;
use pipectl_provider::arguments::{filled, integer, optional_text, text};
use pipectl_provider::rules::at_least;

pub(super) struct RandomId;

impl Kept for RandomId {
    fn schema() -> Schema {
        with_keepers(Schema::of([
            ("byte_length", Attribute::required(Type::Number, "How many bytes.").forces_replacement()),
            (
                "prefix",
                Attribute::optional(Type::String, "Stands before every notation but `id`.").forces_replacement(),
            ),
            ("b64_url", Attribute::computed(Type::String, "Base64 for URLs, without padding.")),
            ("b64_std", Attribute::computed(Type::String, "Base64.")),
            ("hex", Attribute::computed(Type::String, "Hexadecimal.")),
            ("dec", Attribute::computed(Type::String, "Decimal, without leading zeros.")),
            ("id", Attribute::computed(Type::String, "Base64 for URLs, without padding and prefix.")),
        ]))
        .described("Random bytes in several notations.")
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut found = at_least(config, "byte_length", 1);
        found.extend(super::at_most(config, "byte_length", super::bytes::MOST));
        found
    }

    fn plan(_cx: &Cx, schema: &Schema, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        Ok(plan_with_keepers(schema, &Self::defaults(), request))
    }

    fn make(cx: &Cx, planned: &Value) -> Result<Value, Diagnostics> {
        let count = integer(planned, "byte_length").and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let bytes = Draw::of_call(cx)?.many(count);
        Ok(filled(planned, notations(&bytes, text(planned, "prefix").unwrap_or_default())))
    }

    /// The id is `id`, or a prefix, a comma and `id`.
    fn import(_cx: &Cx, id: &str) -> Result<Value, Diagnostics> {
        let (prefix, id) = match id.rsplit_once(',') {
            Some((prefix, id)) => (Some(prefix).filter(|prefix| !prefix.is_empty()), id),
            None => (None, id),
        };
        let bytes = URL_SAFE_NO_PAD.decode(id).map_err(|error| {
            bad_import("ID", format!("The id must be base64 for URLs without padding, which it is not: {error}."))
        })?;
        let length = i64::try_from(bytes.len()).expect("an id is shorter than 2^63");
        let known = [no_keepers(), ("byte_length", length.into()), ("prefix", optional_text(prefix))];
        Ok(Value::object(known.into_iter().chain(notations(&bytes, prefix.unwrap_or_default()))))
    }
}

fn notations(bytes: &[u8], prefix: &str) -> [(&'static str, Value); 5] {
    let id = URL_SAFE_NO_PAD.encode(bytes);
    let prefixed = |text: &str| Value::from(format!("{prefix}{text}"));
    [
        ("b64_url", prefixed(&id)),
        ("b64_std", prefixed(&STANDARD.encode(bytes))),
        ("hex", prefixed(&hex(bytes))),
        ("dec", prefixed(&decimal(bytes))),
        ("id", id.into()),
    ]
}

/// A big-endian number in decimal, by repeated multiplication in base 10^9.
pub(crate) fn decimal(bytes: &[u8]) -> String {
    const BASE: u64 = 1_000_000_000;
    let mut digits: Vec<u64> = vec![0];
    for byte in bytes {
        let mut carry = u64::from(*byte);
        for digit in &mut digits {
            let sum = *digit * 256 + carry;
            *digit = sum % BASE;
            carry = sum / BASE;
        }
        if carry > 0 {
            digits.push(carry);
        }
    }
    let (first, rest) = digits.split_last().expect("there is always a digit");
    rest.iter().rev().fold(first.to_string(), |text, digit| format!("{text}{digit:09}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_big_numbers_in_decimal() {
        for (bytes, expected) in [
            (&[0][..], "0"),
            (&[0, 0, 7], "7"),
            (&[0x3b, 0x9a, 0xca, 0x00], "1000000000"),
            (&[0xff; 16], "340282366920938463463374607431768211455"),
        ] {
            assert_eq!(decimal(bytes), expected);
        }
    }
}
