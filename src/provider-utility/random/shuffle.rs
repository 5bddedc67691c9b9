//! `random_shuffle`: the elements of a list in random order.

use pipectl_core::{Attribute, Diagnostics, Schema, Type, Value};
use pipectl_provider::{Cx, PlanRequest, PlanResponse};

use super::{at_most, plan_with_keepers, with_keepers};
use crate::draw::Draw;
use crate::kept::Kept;
use pipectl_provider::arguments::{filled, integer, text};
use pipectl_provider::rules::at_least;

pub(super) struct RandomShuffle;

impl Kept for RandomShuffle {
    fn schema() -> Schema {
        with_keepers(Schema::of([
            ("input", Attribute::required(Type::list(Type::String), "The elements.").forces_replacement()),
            (
                "result_count",
                Attribute::optional(
                    Type::Number,
                    "How many to take; more than there are are taken in rounds. Default: all.",
                )
                .forces_replacement(),
            ),
            ("seed", Attribute::optional(Type::String, "The same seed gives the same order.").forces_replacement()),
            ("result", Attribute::computed(Type::list(Type::String), "The elements in their new order.")),
            ("id", Attribute::computed(Type::String, "Always `-`.")),
        ]))
        .described("A list in random order.")
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut found = at_least(config, "result_count", 0);
        found.extend(at_most(config, "result_count", 1_000_000));
        found
    }

    fn plan(_cx: &Cx, schema: &Schema, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        Ok(plan_with_keepers(schema, &Self::defaults(), request))
    }

    fn make(cx: &Cx, planned: &Value) -> Result<Value, Diagnostics> {
        let input = planned.attribute("input").and_then(Value::as_slice).unwrap_or_default();
        let count = integer(planned, "result_count").and_then(|count| usize::try_from(count).ok());
        let count = if input.is_empty() { 0 } else { count.unwrap_or(input.len()) };
        let mut draw = match text(planned, "seed").filter(|seed| !seed.is_empty()) {
            Some(seed) => Draw::seeded(seed),
            None => Draw::of_call(cx)?,
        };
        let mut result = Vec::with_capacity(count);
        while result.len() < count {
            let mut round = input.to_vec();
            draw.shuffle(&mut round);
            result.extend(round.into_iter().take(count - result.len()));
        }
        Ok(filled(planned, [("result", Value::list(Type::String, result)), ("id", "-".into())]))
    }
}
