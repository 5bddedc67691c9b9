//! What bounds the calls for a block: `retry`, `timeout` and `concurrency`.

use std::sync::Arc;
use std::time::Duration;

use pipectl_core::{Address, Attribute, Diagnostic, Diagnostics, Kind, Number, Path, Schema, Type, Value, duration};
use pipectl_lang::{Body, Expression, Meta, ObjectBlock, Scope, decode, evaluate};
use pipectl_provider::Stop;
use regex::Regex;

use crate::expansion::Expansion;
use crate::{Engine, Event};

/// The evaluated bounds of a block.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) retry: Retry,
    /// How long one attempt may take.
    pub(crate) timeout: Option<Duration>,
    pub(crate) concurrency: Option<Concurrency>,
}

/// How failed calls are made again. The default: never.
#[derive(Clone, Debug)]
pub(crate) struct Retry {
    /// Calls in all; at least 1.
    attempts: u32,
    /// Wait before the second; each further wait is twice as long, up to `longest`.
    backoff: Duration,
    longest: Duration,
    /// Which failures: those whose text one of these matches; all of them where there is none.
    on: Arc<[Regex]>,
}

/// How many calls may run at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Concurrency {
    /// Blocks that name the same group count together; without one a block counts alone.
    pub(crate) group: Option<String>,
    /// At least 1.
    pub(crate) limit: usize,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 1, backoff: Duration::ZERO, longest: Duration::ZERO, on: Arc::new([]) }
    }
}

impl Retry {
    /// Whether there is to be another attempt after one (from 1) that failed so, when it has been waited for. A run that is stopped, be it
    /// during the wait, begins no further call.
    pub(crate) async fn goes_on(
        &self,
        engine: &Engine,
        address: &Address,
        attempt: u32,
        problems: &Diagnostics,
    ) -> bool {
        if attempt >= self.attempts || !self.is_for(problems) || engine.cancel.state() != Stop::No {
            return false;
        }
        let wait = self.wait(attempt);
        engine.events.observe(Event::ApplyRetry {
            address: address.clone(),
            attempt,
            attempts: self.attempts,
            wait_seconds: wait.as_secs_f64(),
        });
        tokio::select! {
            () = tokio::time::sleep(wait) => true,
            () = engine.cancel.reached(Stop::Gentle) => false,
        }
    }

    /// How long to wait after a failed attempt, from 1.
    fn wait(&self, attempt: u32) -> Duration {
        self.backoff.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(self.longest)
    }

    /// Whether what failed so is to be tried again, were there attempts left.
    fn is_for(&self, problems: &Diagnostics) -> bool {
        let text = |problem: &Diagnostic| format!("{}: {}", problem.summary, problem.detail);
        self.on.is_empty() || problems.iter().map(text).any(|text| self.on.iter().any(|on| on.is_match(&text)))
    }
}

impl Limits {
    /// The bounds of a block, which are the same for all its instances: those of the first. Where there is none, what does not follow from
    /// the instance is judged all the same.
    ///
    /// # Errors
    /// When they are no good.
    pub(crate) fn of_block(
        block: &ObjectBlock,
        scope: &Arc<Scope>,
        expansion: &Expansion,
    ) -> Result<Self, Diagnostics> {
        let meta = &block.meta;
        if *expansion == Expansion::Disabled
            || !(meta.retry.is_some() || meta.timeout.is_some() || meta.concurrency.is_some())
        {
            return Ok(Self::default());
        }
        let any = || Expansion::any(meta.count.as_ref(), meta.for_each.as_ref(), scope).scope(scope, None);
        let first = expansion.keys().into_iter().next();
        Self::of(meta, &first.map_or_else(any, |key| expansion.scope(scope, key.as_ref())))
    }

    /// The bounds that the meta-arguments of a block set. What is not known yet sets none.
    ///
    /// # Errors
    /// When they are no good.
    pub(crate) fn of(meta: &Meta, scope: &Scope) -> Result<Self, Diagnostics> {
        let mut problems = Diagnostics::new();
        let mut take = |found: Diagnostics| problems.extend(found);
        let retry = meta.retry.as_ref().map(|body| retry(body, scope)).transpose();
        let timeout = meta.timeout.as_ref().map(|timeout| evaluate_timeout(timeout, scope)).transpose();
        let concurrency = meta.concurrency.as_ref().map(|written| concurrency(written, scope)).transpose();
        let limits = Self {
            retry: retry
                .unwrap_or_else(|found| {
                    take(found);
                    None
                })
                .unwrap_or_default(),
            timeout: timeout
                .unwrap_or_else(|found| {
                    take(found);
                    None
                })
                .flatten(),
            concurrency: concurrency
                .unwrap_or_else(|found| {
                    take(found);
                    None
                })
                .flatten(),
        };
        if problems.has_errors() { Err(problems) } else { Ok(limits) }
    }
}

fn retry_schema() -> Schema {
    Schema::of([
        ("max_attempts", Attribute::required(Type::Number, "Calls in all.")),
        (
            "backoff_seconds",
            Attribute::optional(Type::Number, "Seconds before the second call; each further wait is twice as long."),
        ),
        ("max_backoff_seconds", Attribute::optional(Type::Number, "The longest wait, in seconds.")),
        (
            "on",
            Attribute::optional(
                Type::list(Type::String),
                "Regular expressions: only failures whose text one of them matches are tried again.",
            ),
        ),
    ])
}

fn retry(body: &Body, scope: &Scope) -> Result<Retry, Diagnostics> {
    let (value, diagnostics) = decode(body, &retry_schema(), scope);
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    let invalid = |path: Path, detail: String| {
        let span = body.span_of(&path).unwrap_or_else(|| body.span());
        Diagnostic::error("Invalid retry block", detail).at(span)
    };
    if value.marks_deep().is_private() {
        return Err(Diagnostic::error("Invalid retry block", PRIVATE).at(body.span()).into());
    }
    let mut problems = Diagnostics::new();
    let number = |name: &str| value.set_attribute(name).filter(|value| value.is_known()).and_then(Value::as_number);
    let attempts = match number("max_attempts") {
        None => 1,
        Some(number) => number.to_u64().and_then(|attempts| u32::try_from(attempts).ok()).unwrap_or(0),
    };
    if attempts == 0 {
        let detail = "The number of attempts must be a whole number, 1 or more.";
        problems.push(invalid(Path::of("max_attempts"), detail.to_owned()));
    }
    let mut seconds = |name: &str, default: f64| {
        let given = number(name).map_or(default, Number::to_f64);
        Duration::try_from_secs_f64(given).unwrap_or_else(|_| {
            let detail = "The wait must be a number of seconds, 0 or more.";
            problems.push(invalid(Path::of(name), detail.to_owned()));
            Duration::ZERO
        })
    };
    let (backoff, longest) = (seconds("backoff_seconds", 10.0), seconds("max_backoff_seconds", 300.0));
    let mut on = Vec::new();
    let patterns = value.set_attribute("on").and_then(Value::as_slice).unwrap_or_default();
    for (index, pattern) in patterns.iter().enumerate() {
        let Some(text) = pattern.as_str() else { continue };
        match Regex::new(text) {
            Ok(pattern) => on.push(pattern),
            Err(error) => {
                let why = error.to_string();
                let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
                let detail = format!("{text:?} is no regular expression: {why}.");
                problems.push(invalid(Path::of("on").index(index), detail));
            }
        }
    }
    if problems.has_errors() { Err(problems) } else { Ok(Retry { attempts, backoff, longest, on: on.into() }) }
}

fn evaluate_timeout(expression: &Expression, scope: &Scope) -> Result<Option<Duration>, Diagnostics> {
    let value = evaluate_public(expression, scope, "Invalid timeout")?;
    let duration = match value.kind() {
        Kind::Null(_) | Kind::Unknown(_) => return Ok(None),
        Kind::Number(seconds) => Duration::try_from_secs_f64(seconds.to_f64()).ok(),
        Kind::String(text) => duration::parse(text).ok(),
        _ => None,
    };
    match duration.filter(|duration| !duration.is_zero()) {
        Some(duration) => Ok(Some(duration)),
        None => Err(Diagnostic::error(
            "Invalid timeout",
            "A timeout is a number of seconds, or numbers with units: \"90s\", \"30m\", \"1h30m\". It is longer than no time at all.",
        )
        .at(expression.span())
        .into()),
    }
}

/// What bounds calls is told in events and errors.
const PRIVATE: &str = "This is shown while pipectl works, so it must be neither sensitive nor ephemeral.";

/// Evaluates what bounds calls. `mistake` is what it is called when it is private.
pub(crate) fn evaluate_public(expression: &Expression, scope: &Scope, mistake: &str) -> Result<Value, Diagnostics> {
    let value = evaluate(expression, scope)?;
    match value.marks_deep().is_private() {
        true => Err(Diagnostic::error(mistake, PRIVATE).at(expression.span()).into()),
        false => Ok(value),
    }
}

/// `concurrency = 2`, or `concurrency = { group = "database", limit = 2 }`.
fn concurrency(expression: &Expression, scope: &Scope) -> Result<Option<Concurrency>, Diagnostics> {
    let value = evaluate_public(expression, scope, "Invalid concurrency")?;
    let invalid = || {
        let detail = "The concurrency is a whole number, 1 or more, or an object of a group's name and such a number: \
                      { group = \"database\", limit = 2 }.";
        Diagnostic::error("Invalid concurrency", detail).at(expression.span())
    };
    let (group, limit) = match value.kind() {
        Kind::Null(_) => return Ok(None),
        _ if !value.is_wholly_known() => return Ok(None),
        Kind::Number(limit) => (None, Some(limit)),
        Kind::Object(attributes) | Kind::Map(_, attributes) => {
            let is_other = |name: &String| name != "group" && name != "limit";
            let group = attributes.get("group").and_then(Value::as_str);
            if attributes.keys().any(is_other) || group.is_none() {
                return Err(invalid().into());
            }
            (group.map(str::to_owned), attributes.get("limit").and_then(Value::as_number))
        }
        _ => (None, None),
    };
    let limit = limit.and_then(Number::to_usize).filter(|limit| *limit > 0).ok_or_else(invalid)?;
    Ok(Some(Concurrency { group, limit }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let retry = Retry {
            attempts: 20,
            backoff: Duration::from_secs(10),
            longest: Duration::from_secs(300),
            ..Retry::default()
        };
        let waits: Vec<u64> = [1, 2, 3, 6, 20].map(|attempt| retry.wait(attempt).as_secs()).to_vec();
        assert_eq!(waits, [10, 20, 40, 300, 300]);
    }

    #[test]
    fn only_what_matches_is_tried_again() {
        let retry = Retry { on: [Regex::new("(?i)too many requests").unwrap()].into(), ..Retry::default() };
        let problem = |detail: &str| Diagnostics::from(Diagnostic::error("Call failed", detail));
        assert!(retry.is_for(&problem("429 Too Many Requests")));
        assert!(!retry.is_for(&problem("404 Not Found")));
        assert!(Retry::default().is_for(&problem("anything")));
    }
}
