//! `time_static`: the time at which it was made, or a given one.

use pipectl_core::{Attribute, Diagnostics, Schema, Type, Value};
use pipectl_provider::Cx;

use super::{no_triggers, timestamp, with_fields, with_triggers};
use crate::kept::Kept;
use crate::moment::Moment;
use pipectl_provider::arguments::{filled, text};

pub(super) struct TimeStatic;

impl Kept for TimeStatic {
    fn schema() -> Schema {
        let schema = Schema::of([
            (
                "rfc3339",
                Attribute::optional_computed(Type::String, "The timestamp. Default: the time when it is made.")
                    .forces_replacement(),
            ),
            ("id", Attribute::computed(Type::String, "The timestamp.")),
        ]);
        with_triggers(with_fields(schema, "timestamp")).described("A timestamp that stays.")
    }

    fn validate(config: &Value) -> Diagnostics {
        timestamp(config, "rfc3339")
    }

    fn make(cx: &Cx, planned: &Value) -> Result<Value, Diagnostics> {
        Ok(match text(planned, "rfc3339") {
            Some(given) => filled(planned, attributes(Moment::parse_attribute("rfc3339", given)?, given)),
            None => {
                let now = Moment::now(cx);
                filled(planned, attributes(now, &now.text()))
            }
        })
    }

    /// The id is the timestamp.
    fn import(_cx: &Cx, id: &str) -> Result<Value, Diagnostics> {
        let moment = Moment::parse_attribute("id", id)?;
        Ok(filled(&Value::object([no_triggers()]), attributes(moment, id)))
    }
}

fn attributes(moment: Moment, written: &str) -> Vec<(&'static str, Value)> {
    let mut attributes = moment.fields().to_vec();
    attributes.extend([("rfc3339", written.into()), ("id", moment.text().into())]);
    attributes
}
