//! `time_offset`: a timestamp and another one some way from it.

use pipectl_core::{Attribute, Diagnostics, Schema, Type, Value};
use pipectl_provider::{Cx, Effect, PlanRequest, PlanResponse};

use super::{FIELDS, bad_id, no_triggers, numbers, timestamp, with_fields, with_triggers};
use crate::kept::Kept;
use crate::moment::{Moment, out_of_range};
use crate::planning::plan;
use pipectl_provider::arguments::{filled, integer, is_unknown, optional_integer, text};
use pipectl_provider::rules::{at_least_one_of, whole};

const OFFSETS: [&str; 6] =
    ["offset_years", "offset_months", "offset_days", "offset_hours", "offset_minutes", "offset_seconds"];
const ID: &str = "BASETIMESTAMP,YEARS,MONTHS,DAYS,HOURS,MINUTES,SECONDS where at least one offset value is non-empty";

pub(super) struct TimeOffset;

impl Kept for TimeOffset {
    fn schema() -> Schema {
        let schema = Schema::of([
            (
                "base_rfc3339",
                Attribute::optional_computed(Type::String, "The base timestamp. Default: the time when it is made."),
            ),
            ("rfc3339", Attribute::computed(Type::String, "The offset timestamp.")),
            ("id", Attribute::computed(Type::String, "The base timestamp.")),
        ]);
        let schema = OFFSETS.into_iter().fold(schema, |schema, name| {
            let unit = name.trim_start_matches("offset_");
            let description = format!("How many {unit} later than the base; negative: earlier.");
            schema.attribute(name, Attribute::optional(Type::Number, &description))
        });
        with_triggers(with_fields(schema, "offset timestamp")).described("A timestamp some way from another one.")
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut found = at_least_one_of(config, &OFFSETS);
        found.extend(timestamp(config, "base_rfc3339"));
        OFFSETS.iter().for_each(|name| found.extend(whole(config, name)));
        found
    }

    fn plan(_cx: &Cx, schema: &Schema, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        let mut response = plan(schema, &Self::defaults(), request);
        if response.effect == Effect::Update {
            let open = OFFSETS.iter().chain(&["base_rfc3339"]).any(|name| is_unknown(&response.planned, name));
            response.planned = if open {
                let later = FIELDS.map(|name| (name, Value::unknown(Type::Number)));
                let later = later.into_iter().chain(["rfc3339", "id"].map(|name| (name, Value::unknown(Type::String))));
                filled(&response.planned, later)
            } else {
                // The base stays what it was, so everything is known now.
                let base = text(&response.planned, "base_rfc3339").unwrap_or_default();
                offset(&response.planned, Moment::parse_attribute("base_rfc3339", base)?)?
            };
        }
        Ok(response)
    }

    fn make(cx: &Cx, planned: &Value) -> Result<Value, Diagnostics> {
        let base = match text(planned, "base_rfc3339") {
            Some(given) => Moment::parse_attribute("base_rfc3339", given)?,
            None => Moment::now(cx),
        };
        offset(planned, base)
    }

    fn change(cx: &Cx, _prior: &Value, planned: &Value) -> Result<Value, Diagnostics> {
        Self::make(cx, planned)
    }

    fn import(_cx: &Cx, id: &str) -> Result<Value, Diagnostics> {
        let parts: Vec<&str> = id.split(',').collect();
        let [base, offsets @ ..] = parts.as_slice() else { return Err(bad_id(id, ID)) };
        let offsets = numbers(id, offsets, ID)?;
        if offsets.len() != OFFSETS.len() || offsets.iter().all(Option::is_none) {
            return Err(bad_id(id, ID));
        }
        let known = OFFSETS.into_iter().zip(offsets.into_iter().map(optional_integer));
        let known = known.chain([no_triggers(), ("base_rfc3339", (*base).into())]);
        offset(&Value::object(known), Moment::parse_attribute("id", base)?)
    }
}

/// The attributes with everything that follows from the base. Units are added in the order of HashiCorp's provider.
fn offset(planned: &Value, base: Moment) -> Result<Value, Diagnostics> {
    let by = |name: &str| integer(planned, name).unwrap_or(0);
    let seconds = |name: &str, unit: i64| by(name).checked_mul(unit);
    let moment = || {
        base.add_date(0, 0, by("offset_days"))?
            .add_seconds(seconds("offset_hours", 3600)?)?
            .add_seconds(seconds("offset_minutes", 60)?)?
            .add_date(0, by("offset_months"), 0)?
            .add_seconds(by("offset_seconds"))?
            .add_date(by("offset_years"), 0, 0)
    };
    let moment = moment().ok_or_else(out_of_range)?;
    // As it was written, where it was.
    let written = text(planned, "base_rfc3339").map_or_else(|| base.text(), str::to_owned);
    let attributes = moment.fields().into_iter().chain([
        ("base_rfc3339", written.into()),
        ("rfc3339", moment.text().into()),
        ("id", base.text().into()),
    ]);
    Ok(filled(planned, attributes))
}
