//! `random_bytes`: secret bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipectl_core::{Attribute, Diagnostics, Schema, Type, Value};
use pipectl_provider::Cx;

use super::{bad_import, no_keepers, with_keepers};
use crate::digests::hex;
use crate::draw::Draw;
use crate::kept::Kept;
use pipectl_provider::arguments::{filled, integer};
use pipectl_provider::rules::at_least;

/// The most bytes that one object may have: far more than any key, and little enough to stand in a state.
pub(super) const MOST: i64 = 1 << 20;

pub(super) struct RandomBytes;

impl Kept for RandomBytes {
    fn schema() -> Schema {
        with_keepers(Schema::of([
            ("length", Attribute::required(Type::Number, "How many bytes.").forces_replacement()),
            ("base64", Attribute::computed(Type::String, "The bytes in base64.").sensitive().kept_as_terraform_does()),
            (
                "hex",
                Attribute::computed(Type::String, "The bytes in hexadecimal.").sensitive().kept_as_terraform_does(),
            ),
        ]))
        .described("Random bytes that are not shown.")
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut found = at_least(config, "length", 1);
        found.extend(super::at_most(config, "length", MOST));
        found
    }

    fn make(_cx: &Cx, planned: &Value) -> Result<Value, Diagnostics> {
        let count = integer(planned, "length").and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        Ok(filled(planned, attributes(&Draw::secret()?.many(count))))
    }

    fn import(_cx: &Cx, id: &str) -> Result<Value, Diagnostics> {
        let bytes = STANDARD.decode(id).map_err(|error| {
            bad_import("bytes", format!("The id must be the bytes in base64, which it is not: {error}."))
        })?;
        let length = i64::try_from(bytes.len()).expect("an id is shorter than 2^63");
        let known = [no_keepers(), ("length", length.into())];
        Ok(Value::object(known.into_iter().chain(attributes(&bytes))))
    }
}

fn attributes(bytes: &[u8]) -> [(&'static str, Value); 2] {
    [("base64", STANDARD.encode(bytes).into()), ("hex", hex(bytes).into())]
}
