//! The provider `time`: timestamps that are kept in the state, and waiting.
//!
//! Attributes and rules: HashiCorp's provider of that name, version 0.12. Clocks are read only through the environment of a call.

mod fixed;
mod offset;
mod rotating;
mod sleep;

use pipectl_core::{Attribute, Diagnostic, Diagnostics, Schema, Type, Value};
use pipectl_provider::PlainProvider;

use crate::kept::KeptResource;
use crate::moment::Moment;
use pipectl_provider::arguments::map_of_text;

/// The provider: `time_offset`, `time_rotating`, `time_sleep` and `time_static`.
pub fn provider() -> PlainProvider {
    PlainProvider::new("time")
        .resource("time_offset", KeptResource::<offset::TimeOffset>::new())
        .resource("time_rotating", KeptResource::<rotating::TimeRotating>::new())
        .resource("time_sleep", sleep::TimeSleep::new())
        .resource("time_static", KeptResource::<fixed::TimeStatic>::new())
}

/// Names of the attributes that [`Moment::fields`] gives.
const FIELDS: [&str; 7] = ["year", "month", "day", "hour", "minute", "second", "unix"];

/// A schema with the fields of a moment.
fn with_fields(schema: Schema, what: &str) -> Schema {
    FIELDS.into_iter().fold(schema, |schema, name| {
        let description = match name {
            "unix" => format!("Seconds since 1970 of the {what}."),
            _ => format!("The {name} of the {what}."),
        };
        schema.attribute(name, Attribute::computed(Type::Number, &description))
    })
}

/// A schema with `triggers`, which all kinds have.
fn with_triggers(schema: Schema) -> Schema {
    let triggers = Attribute::optional(map_of_text(), "Values whose change replaces the object.").forces_replacement();
    schema.attribute("triggers", triggers)
}

/// `triggers` of an imported object.
fn no_triggers() -> (&'static str, Value) {
    ("triggers", Value::null_of(map_of_text()))
}

/// A timestamp argument must be one.
fn timestamp(config: &Value, name: &str) -> Diagnostics {
    let given = pipectl_provider::arguments::text(config, name);
    given.and_then(|text| Moment::parse_attribute(name, text).err()).unwrap_or_default()
}

fn bad_id(id: &str, expected: &str) -> Diagnostics {
    let detail = format!("Unexpected format of ID ({id:?}), expected {expected}.");
    Diagnostic::error("Unexpected Format of ID", detail).into()
}

/// The whole numbers of an id's parts; an empty part is none.
fn numbers(id: &str, parts: &[&str], expected: &str) -> Result<Vec<Option<i64>>, Diagnostics> {
    let number = |part: &&str| match *part {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| bad_id(id, expected)),
    };
    parts.iter().map(number).collect()
}
