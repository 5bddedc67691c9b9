//! `time_sleep`: waits when it is made, when it is removed, or both.

use std::time::Duration;

use async_trait::async_trait;
use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Schema, Type, Value, duration};
use pipectl_provider::{ApplyOutcome, Cx, Event, Instance, Progress, ReadOutcome, Resource, Stop};

use super::{bad_id, no_triggers, with_triggers};
use crate::moment::Moment;
use pipectl_provider::arguments::{filled, optional_text, text};
use pipectl_provider::rules::at_least_one_of;

const DURATIONS: [&str; 2] = ["create_duration", "destroy_duration"];
const ID: &str = "CREATEDURATION,DESTROYDURATION where at least one value is non-empty";

pub(super) struct TimeSleep {
    schema: Schema,
}

impl TimeSleep {
    pub(super) fn new() -> Self {
        let schema = Schema::of([
            ("create_duration", Attribute::optional(Type::String, "How long to wait when it is made: `30s`, `1.5m`.")),
            ("destroy_duration", Attribute::optional(Type::String, "How long to wait when it is removed.")),
            ("id", Attribute::computed(Type::String, "When the wait was over.")),
        ]);
        Self { schema: with_triggers(schema).described("Waits when it is made or removed.") }
    }
}

#[async_trait]
impl Resource for TimeSleep {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let mut found = at_least_one_of(config, &DURATIONS);
        for name in DURATIONS {
            if let Some(given) = text(config, name)
                && one_unit(given).is_none()
            {
                let detail = format!(
                    "Attribute {name} must be a number immediately followed by ms (milliseconds), s (seconds), m (minutes), or h \
                     (hours). For example, \"30s\" for 30 seconds. It is {given:?}."
                );
                found.push(Diagnostic::error("Invalid Attribute Value Match", detail).on(Path::of(name)));
            }
        }
        found
    }

    fn has_remote_effect(&self) -> bool {
        false
    }

    async fn read(&self, _cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
        Ok(ReadOutcome::unchanged(prior))
    }

    async fn create(&self, cx: &Cx, planned: &Instance) -> ApplyOutcome {
        if let Err(problems) = wait(cx, text(&planned.attributes, "create_duration")).await {
            return ApplyOutcome::failed(None, problems);
        }
        let attributes = filled(&planned.attributes, [("id", Moment::now(cx).text().into())]);
        ApplyOutcome::done(Instance { attributes, ..planned.clone() })
    }

    async fn update(&self, _cx: &Cx, _prior: &Instance, planned: &Instance) -> ApplyOutcome {
        // A changed duration counts from the next time on.
        ApplyOutcome::done(planned.clone())
    }

    async fn delete(&self, cx: &Cx, prior: &Instance) -> ApplyOutcome {
        match wait(cx, text(&prior.attributes, "destroy_duration")).await {
            Ok(()) => ApplyOutcome::gone(),
            Err(problems) => ApplyOutcome::failed(Some(prior.clone()), problems),
        }
    }

    async fn import(&self, cx: &Cx, id: &str) -> Result<Option<Instance>, Diagnostics> {
        let Some((create, destroy)) = id.split_once(',').filter(|_| id != ",") else { return Err(bad_id(id, ID)) };
        let given = [create, destroy].map(|text| Some(text).filter(|text| !text.is_empty()));
        if given.iter().flatten().any(|text| one_unit(text).is_none()) {
            return Err(bad_id(id, ID));
        }
        let known = DURATIONS.into_iter().zip(given.map(optional_text));
        let known = known.chain([no_triggers(), ("id", Moment::now(cx).text().into())]);
        Ok(Some(Instance::new(Value::object(known))))
    }
}

/// Waits, or ends with an error when the run is to stop.
async fn wait(cx: &Cx, duration_text: Option<&str>) -> Result<(), Diagnostics> {
    let Some(duration) = duration_text.and_then(one_unit) else { return Ok(()) };
    let total = Some(duration.as_secs());
    let progress = Progress { phase: "waiting".to_owned(), total, unit: "seconds".to_owned(), ..Progress::default() };
    cx.emit(Event::Progress(progress));
    tokio::select! {
        () = tokio::time::sleep(duration) => Ok(()),
        () = cx.cancel.reached(Stop::Gentle) => {
            let detail = format!("The wait of {} seconds was interrupted.", duration.as_secs_f64());
            Err(Diagnostic::error("Wait interrupted", detail).into())
        }
    }
}

/// A number and `ms`, `s`, `m` or `h`: one of each, where other durations may have several.
fn one_unit(text: &str) -> Option<Duration> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let is_unit = matches!(&text[number.len()..], "ms" | "s" | "m" | "h");
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = [whole, fraction].iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    duration::parse(text).ok().filter(|_| is_unit && is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        for (text, expected) in [
            ("30s", Some(30.0)),
            ("1.5m", Some(90.0)),
            ("250ms", Some(0.25)),
            ("2h", Some(7200.0)),
            ("30", None),
            ("s", None),
            ("-1s", None),
            ("1e3s", None),
            (".5s", None),
            ("1h30m", None),
            ("1.s", None),
        ] {
            assert_eq!(one_unit(text).map(|duration| duration.as_secs_f64()), expected, "{text}");
        }
    }
}
