//! `time_rotating`: a timestamp that is replaced when its time has come.
//!
//! HashiCorp's provider forgets the object then, so that Terraform plans to create it. Here the plan says that it is replaced, and why, and
//! `replace_triggered_by` of others sees it.

use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_provider::{Cx, Effect, PlanRequest, PlanResponse, Reason};

use super::{FIELDS, bad_id, no_triggers, numbers, timestamp, with_fields, with_triggers};
use crate::kept::Kept;
use crate::moment::{Moment, out_of_range};
use crate::planning::{plan, replaced};
use pipectl_provider::arguments::{filled, integer, is_given, is_unknown, optional_integer, text};
use pipectl_provider::rules::{at_least, at_least_one_of};

const ROTATIONS: [&str; 5] =
    ["rotation_years", "rotation_months", "rotation_days", "rotation_hours", "rotation_minutes"];
const ID: &str = "BASETIMESTAMP,YEARS,MONTHS,DAYS,HOURS,MINUTES or BASETIMESTAMP,ROTATIONTIMESTAMP";

pub(super) struct TimeRotating;

impl Kept for TimeRotating {
    fn schema() -> Schema {
        let schema = Schema::of([
            (
                "rfc3339",
                Attribute::optional_computed(Type::String, "The base timestamp. Default: the time when it is made.")
                    .forces_replacement(),
            ),
            ("rotation_rfc3339", Attribute::optional_computed(Type::String, "When it is to be replaced.")),
            ("id", Attribute::computed(Type::String, "The base timestamp.")),
        ]);
        let schema = ROTATIONS.into_iter().fold(schema, |schema, name| {
            let unit = name.trim_start_matches("rotation_");
            let description = format!("How many {unit} after the base it is to be replaced.");
            schema.attribute(name, Attribute::optional(Type::Number, &description))
        });
        with_triggers(with_fields(schema, "rotation timestamp"))
            .described("A timestamp that is replaced when its time has come.")
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut all = ROTATIONS.to_vec();
        all.push("rotation_rfc3339");
        let mut found = at_least_one_of(config, &all);
        ROTATIONS.iter().for_each(|name| found.extend(at_least(config, name, 1)));
        found.extend(timestamp(config, "rfc3339"));
        found.extend(timestamp(config, "rotation_rfc3339"));
        found
    }

    fn plan(cx: &Cx, schema: &Schema, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        let mut response = plan(schema, &Self::defaults(), request);
        let due = request.prior.and_then(|prior| text(&prior.attributes, "rotation_rfc3339"));
        let due = due.map(|due| Moment::parse_attribute("rotation_rfc3339", due)).transpose()?;
        if let Some(due) = due.filter(|due| Moment::now(cx) > *due) {
            let path = Path::of("rotation_rfc3339");
            let reason = Reason::on(&path, format!("its rotation time {} has passed", due.text()));
            response = replaced(schema, &Self::defaults(), request, response, vec![reason], Some(path));
        }
        if response.effect == Effect::Update {
            let open = ROTATIONS.iter().chain(&["rotation_rfc3339"]).any(|name| is_unknown(&response.planned, name));
            let keeps_its_time = is_given(request.config, "rotation_rfc3339");
            response.planned = if open {
                let later = FIELDS.map(|name| (name, Value::unknown(Type::Number)));
                let planned = filled(&response.planned, later);
                if keeps_its_time {
                    planned
                } else {
                    planned.with_attribute("rotation_rfc3339", Value::unknown(Type::String))
                }
            } else {
                let base = text(&response.planned, "rfc3339").unwrap_or_default();
                let base = Moment::parse_attribute("rfc3339", base)?;
                let config = if keeps_its_time {
                    response.planned
                } else {
                    response.planned.with_attribute("rotation_rfc3339", Value::null_of(Type::String))
                };
                rotation(&config, base)?
            };
        }
        Ok(response)
    }

    fn make(cx: &Cx, planned: &Value) -> Result<Value, Diagnostics> {
        let base = match text(planned, "rfc3339") {
            Some(given) => Moment::parse_attribute("rfc3339", given)?,
            None => Moment::now(cx),
        };
        rotation(planned, base)
    }

    fn change(cx: &Cx, _prior: &Value, planned: &Value) -> Result<Value, Diagnostics> {
        Self::make(cx, planned)
    }

    fn import(_cx: &Cx, id: &str) -> Result<Value, Diagnostics> {
        let parts: Vec<&str> = id.split(',').collect();
        let [base, rest @ ..] = parts.as_slice() else { return Err(bad_id(id, ID)) };
        let (due, counts) = match rest {
            [due] => (Some(*due), [None; 5]),
            counts => (None, numbers(id, counts, ID)?.try_into().map_err(|_| bad_id(id, ID))?),
        };
        if due.is_none() && counts.iter().all(Option::is_none) {
            return Err(bad_id(id, ID));
        }
        let known = ROTATIONS.into_iter().zip(counts.map(optional_integer));
        let due = pipectl_provider::arguments::optional_text(due);
        let known = known.chain([no_triggers(), ("rfc3339", (*base).into()), ("rotation_rfc3339", due)]);
        rotation(&Value::object(known), Moment::parse_attribute("id", base)?)
    }
}

/// The attributes with everything that follows from the base. Of several units one counts, as in HashiCorp's provider: years before months
/// before minutes, hours and days; a given timestamp counts before all.
fn rotation(planned: &Value, base: Moment) -> Result<Value, Diagnostics> {
    let by = |name: &str| integer(planned, name).filter(|count| *count != 0);
    let seconds = |name: &str, unit: i64| by(name).map(|count| count.checked_mul(unit).unwrap_or(i64::MAX));
    let given = text(planned, "rotation_rfc3339");
    let due = if let Some(given) = given {
        Some(Moment::parse_attribute("rotation_rfc3339", given)?)
    } else if let Some(years) = by("rotation_years") {
        base.add_date(years, 0, 0)
    } else if let Some(months) = by("rotation_months") {
        base.add_date(0, months, 0)
    } else if let Some(later) = seconds("rotation_minutes", 60).or_else(|| seconds("rotation_hours", 3600)) {
        base.add_seconds(later)
    } else if let Some(days) = by("rotation_days") {
        base.add_date(0, 0, days)
    } else {
        let detail = "None of the rotation arguments has a value.";
        return Err(Diagnostic::error("Missing Attribute Configuration", detail).into());
    };
    let due = due.ok_or_else(out_of_range)?;
    // As they were written, where they were.
    let written_due = given.map_or_else(|| due.text(), str::to_owned);
    let written_base = text(planned, "rfc3339").map_or_else(|| base.text(), str::to_owned);
    let attributes = due.fields().into_iter().chain([
        ("rotation_rfc3339", written_due.into()),
        ("rfc3339", written_base.into()),
        ("id", base.text().into()),
    ]);
    Ok(filled(planned, attributes))
}
