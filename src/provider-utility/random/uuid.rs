//! `random_uuid`: a UUID.

use pipectl_core::{Attribute, Diagnostics, Schema, Type, Value};
use pipectl_provider::{Cx, PlanRequest, PlanResponse};

use super::{bad_import, no_keepers, plan_with_keepers, with_keepers};
use crate::digests::hex;
use crate::draw::Draw;
use crate::kept::Kept;
use pipectl_provider::arguments::filled;

pub(super) struct RandomUuid;

impl Kept for RandomUuid {
    fn schema() -> Schema {
        with_keepers(Schema::of([
            ("result", Attribute::computed(Type::String, "The UUID.")),
            ("id", Attribute::computed(Type::String, "The UUID.")),
        ]))
        .described("A random UUID.")
    }

    fn plan(_cx: &Cx, schema: &Schema, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        Ok(plan_with_keepers(schema, &Self::defaults(), request))
    }

    fn make(cx: &Cx, planned: &Value) -> Result<Value, Diagnostics> {
        let mut bytes: [u8; 16] = Draw::of_call(cx)?.bytes();
        // RFC 9562, section 5.4: version 4, variant 10.
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let uuid = written(&bytes);
        Ok(filled(planned, [("result", uuid.as_str().into()), ("id", uuid.into())]))
    }

    fn import(_cx: &Cx, id: &str) -> Result<Value, Diagnostics> {
        let is_uuid = id.len() == 36
            && id.bytes().enumerate().all(|(position, byte)| match position {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            });
        if !is_uuid {
            return Err(bad_import("UUID", format!("The id must be a UUID, and {id:?} is none.")));
        }
        let uuid = id.to_ascii_lowercase();
        Ok(Value::object([no_keepers(), ("result", uuid.as_str().into()), ("id", uuid.into())]))
    }
}

fn written(bytes: &[u8; 16]) -> String {
    let digits = hex(bytes);
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}
