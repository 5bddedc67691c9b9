//! `random_integer`: a whole number of a range.

use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_provider::{Cx, PlanRequest, PlanResponse};

use super::{bad_import, no_keepers, plan_with_keepers, with_keepers};
use crate::draw::Draw;
use crate::kept::Kept;
use pipectl_provider::arguments::{filled, integer, optional_text, text};
use pipectl_provider::rules::whole;

pub(super) struct RandomInteger;

impl Kept for RandomInteger {
    fn schema() -> Schema {
        with_keepers(Schema::of([
            ("min", Attribute::required(Type::Number, "The least number.").forces_replacement()),
            ("max", Attribute::required(Type::Number, "The greatest number.").forces_replacement()),
            ("seed", Attribute::optional(Type::String, "The same seed draws the same number.").forces_replacement()),
            ("result", Attribute::computed(Type::Number, "The number.")),
            ("id", Attribute::computed(Type::String, "The number as text.")),
        ]))
        .described("A random whole number of a range.")
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut found = whole(config, "min");
        found.extend(whole(config, "max"));
        if let (Some(min), Some(max)) = (integer(config, "min"), integer(config, "max"))
            && max < min
        {
            let detail = format!("`min` must be smaller than or equal to `max`, and {min} is greater than {max}.");
            found.push(Diagnostic::error("Create Random Integer Error", detail).on(Path::of("min")));
        }
        found
    }

    fn plan(_cx: &Cx, schema: &Schema, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        Ok(plan_with_keepers(schema, &Self::defaults(), request))
    }

    fn make(cx: &Cx, planned: &Value) -> Result<Value, Diagnostics> {
        let (min, max) = (integer(planned, "min").unwrap_or(0), integer(planned, "max").unwrap_or(0));
        let mut draw = match text(planned, "seed").filter(|seed| !seed.is_empty()) {
            Some(seed) => Draw::seeded(seed),
            None => Draw::of_call(cx)?,
        };
        // The distance of two numbers of 64 bits fits in 64 bits without a sign; one more than all of them does not.
        let number = match max.abs_diff(min).checked_add(1) {
            Some(count) => min.wrapping_add_unsigned(draw.below(count)),
            None => i64::from_le_bytes(draw.bytes()),
        };
        Ok(filled(planned, [("result", number.into()), ("id", number.to_string().into())]))
    }

    /// The id is the number, `min`, `max` and, if there is one, the seed, apart by commas.
    fn import(_cx: &Cx, id: &str) -> Result<Value, Diagnostics> {
        let parts: Vec<&str> = id.split(',').collect();
        let (3 | 4, [result, min, max, ..]) = (parts.len(), parts.as_slice()) else {
            let detail = "Invalid import usage: expecting {result},{min},{max} or {result},{min},{max},{seed}.";
            return Err(bad_import("Integer", detail));
        };
        let number = |what: &str, text: &str| {
            text.parse::<i64>()
                .map_err(|_| bad_import("Integer", format!("The {what} supplied, {text:?}, is no whole number.")))
        };
        Ok(Value::object([
            no_keepers(),
            ("result", number("value", result)?.into()),
            ("id", (*result).into()),
            ("min", number("min value", min)?.into()),
            ("max", number("max value", max)?.into()),
            ("seed", optional_text(parts.get(3).copied())),
        ]))
    }
}
