//! Meta-arguments that change how an object is treated: `ignore_changes`, `prevent_destroy`, `retry`, `timeout`.

use std::time::Duration;

use pipectl_core::{Address, Diagnostic, Diagnostics, Kind, Schema, Span, Step, Type, Value, convert};
use pipectl_core::{Attribute, Path};
use pipectl_lang::{Expression, IgnoreChanges, Meta, ObjectBlock, Scope, decode, evaluate};

/// How failed calls are made again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Retry {
    /// Calls in all; at least 1.
    pub(crate) attempts: u32,
    /// Wait before the second; each further wait is twice as long, five minutes at most.
    pub(crate) backoff: Duration,
}

impl Retry {
    /// One call.
    pub(crate) const NEVER: Retry = Retry { attempts: 1, backoff: Duration::ZERO };

    /// How long to wait after a failed attempt, from 1.
    pub(crate) fn wait(self, attempt: u32) -> Duration {
        const LONGEST: Duration = Duration::from_secs(300);
        self.backoff.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(LONGEST)
    }
}

/// The evaluated `retry` and `timeout` of a block.
///
/// # Errors
/// When they are no good.
pub(crate) fn limits(meta: &Meta, scope: &Scope) -> Result<(Retry, Option<Duration>), Diagnostics> {
    let retry = match &meta.retry {
        None => Retry::NEVER,
        Some(body) => {
            let schema = Schema::of([
                ("max_attempts", Attribute::required(Type::Number, "Calls in all.")),
                (
                    "backoff_seconds",
                    Attribute::optional(
                        Type::Number,
                        "Seconds before the second call; each further wait is twice as long.",
                    ),
                ),
            ]);
            let (value, diagnostics) = decode(body, &schema, scope);
            if diagnostics.has_errors() {
                return Err(diagnostics);
            }
            let invalid = |name: &str, detail: &str| {
                let span = body.span_of(&Path::of(name)).unwrap_or_else(|| body.span());
                Diagnostics::from(Diagnostic::error("Invalid retry block", detail).at(span))
            };
            let number =
                |name: &str| value.set_attribute(name).filter(|value| value.is_known()).and_then(Value::as_number);
            let attempts = number("max_attempts")
                .map_or(Some(1), |attempts| attempts.to_u64().and_then(|attempts| u32::try_from(attempts).ok()));
            let attempts = attempts
                .filter(|attempts| *attempts >= 1)
                .ok_or_else(|| invalid("max_attempts", "The number of attempts must be a whole number, 1 or more."))?;
            let backoff = number("backoff_seconds").map_or(10.0, pipectl_core::Number::to_f64);
            let backoff = Duration::try_from_secs_f64(backoff)
                .map_err(|_| invalid("backoff_seconds", "The wait must be a number of seconds, 0 or more."))?;
            Retry { attempts, backoff }
        }
    };
    let timeout = meta.timeout.as_ref().map(|timeout| evaluate_timeout(timeout, scope)).transpose()?.flatten();
    Ok((retry, timeout))
}

fn evaluate_timeout(expression: &Expression, scope: &Scope) -> Result<Option<Duration>, Diagnostics> {
    let value = evaluate(expression, scope)?;
    let duration = match value.kind() {
        Kind::Null(_) | Kind::Unknown(_) => return Ok(None),
        Kind::Number(seconds) => Duration::try_from_secs_f64(seconds.to_f64()).ok(),
        Kind::String(text) => parse_duration(text),
        _ => None,
    };
    match duration.filter(|duration| !duration.is_zero()) {
        Some(duration) => Ok(Some(duration)),
        None => Err(Diagnostic::error(
            "Invalid timeout",
            "A timeout is a number of seconds, or a number and a unit: \"90s\", \"30m\", \"2h\".",
        )
        .at(expression.span())
        .into()),
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

/// The arguments with those that are to be left alone as they are in `prior`.
pub(crate) fn ignore_changes(ignore: &IgnoreChanges, schema: &Schema, config: &Value, prior: &Value) -> Value {
    match ignore {
        IgnoreChanges::All => {
            let arguments = schema.attributes.iter().filter(|(_, attribute)| attribute.required || attribute.optional);
            let names = arguments.map(|(name, _)| name).chain(schema.blocks.keys());
            names.fold(config.clone(), |config, name| match prior.attribute(name) {
                Some(value) => config.with_attribute(name, value.clone()),
                None => config,
            })
        }
        IgnoreChanges::Paths(paths) => {
            paths.iter().fold(config.clone(), |config, (path, _)| with_value_of(&config, prior, &path.0))
        }
    }
}

/// `value` with what is at `path` as it is in `other`; gone when it is not there.
fn with_value_of(value: &Value, other: &Value, path: &[Step]) -> Value {
    let Some((first, rest)) = path.split_first() else { return other.clone() };
    match first {
        Step::Name(name) => {
            let Some(members) = value.as_object() else { return value.clone() };
            let mut members = members.clone();
            match (other.attribute(name), rest.is_empty(), members.get(name)) {
                (Some(kept), true, _) => {
                    members.insert(name.clone(), kept.clone());
                }
                (None, true, _) => {
                    members.remove(name);
                }
                (Some(kept), false, Some(inside)) => {
                    let inside = with_value_of(inside, kept, rest);
                    members.insert(name.clone(), inside);
                }
                (_, false, _) => {}
            }
            let marks = value.marks();
            let changed = match value.kind() {
                Kind::Map(ty, _) => Value::map(ty.clone(), members),
                _ => Value::object(members),
            };
            changed.marked(marks)
        }
        Step::Index(index) => {
            let (Some(elements), Some(kept)) =
                (value.as_slice(), other.as_slice().and_then(|elements| elements.get(*index)))
            else {
                return value.clone();
            };
            let each = |(position, element): (usize, &Value)| {
                if position == *index { with_value_of(element, kept, rest) } else { element.clone() }
            };
            let elements: Vec<Value> = elements.iter().enumerate().map(each).collect();
            let marks = value.marks();
            let changed = match value.kind() {
                Kind::List(ty, _) => Value::list(ty.clone(), elements),
                Kind::Tuple(_) => Value::tuple(elements),
                // Elements of a set have no places.
                _ => return value.clone(),
            };
            changed.marked(marks)
        }
    }
}

/// An error when the block forbids that its object at `address` is removed.
pub(crate) fn prevent_destroy(block: &ObjectBlock, scope: &Scope, address: &Address, what: &str) -> Diagnostics {
    let Some(expression) = &block.meta.lifecycle.prevent_destroy else { return Diagnostics::new() };
    let span = expression.span();
    let refuse = |detail: String| -> Diagnostics { forbidden(detail, &span, address) };
    match evaluate(expression, scope).map(|value| convert::convert(&value, &Type::Bool)) {
        Err(problems) => problems,
        Ok(Err(error)) => {
            Diagnostic::error("Invalid prevent_destroy argument", format!("It must be true or false: {error}."))
                .at(span)
                .into()
        }
        Ok(Ok(value)) => match value.kind() {
            Kind::Bool(true) => refuse(format!(
                "{address} has `prevent_destroy` set, but {what}. To let this go ahead, set it to false, or leave the object out with -target or -exclude."
            )),
            Kind::Unknown(_) => {
                refuse(format!("{address} has a `prevent_destroy` that is known only after apply, and {what}."))
            }
            _ => Diagnostics::new(),
        },
    }
}

fn forbidden(detail: String, span: &Span, address: &Address) -> Diagnostics {
    Diagnostic::error("Instance cannot be destroyed", detail).at(span.clone()).about(address).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_five_minutes() {
        let retry = Retry { attempts: 20, backoff: Duration::from_secs(10) };
        let waits: Vec<u64> = [1, 2, 3, 6, 20].map(|attempt| retry.wait(attempt).as_secs()).to_vec();
        assert_eq!(waits, [10, 20, 40, 300, 300]);
        assert_eq!(parse_duration("1.5m"), Some(Duration::from_secs(90)));
        assert_eq!(parse_duration("90"), None);
    }

    #[test]
    fn ignored_paths_keep_what_is_there() {
        let tags = |pairs: &[(&str, &str)]| {
            Value::map(Type::String, pairs.iter().map(|(key, value)| (*key, Value::from(*value))))
        };
        let config = Value::object([("name", Value::from("new")), ("tags", tags(&[("a", "1"), ("b", "2")]))]);
        let prior = Value::object([("name", Value::from("old")), ("tags", tags(&[("a", "outside")]))]);
        let ignored = |path: &[&str]| {
            with_value_of(&config, &prior, &path.iter().map(|step| Step::Name((*step).to_owned())).collect::<Vec<_>>())
        };
        assert_eq!(ignored(&["name"]).attribute("name"), Some(&"old".into()));
        assert_eq!(ignored(&["tags", "a"]).attribute("tags"), Some(&tags(&[("a", "outside"), ("b", "2")])));
        assert_eq!(ignored(&["tags", "b"]).attribute("tags"), Some(&tags(&[("a", "1")])));
    }
}
