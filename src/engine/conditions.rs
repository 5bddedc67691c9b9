//! Conditions: validation rules, preconditions, postconditions and assertions.

use pipectl_core::{Diagnostic, Diagnostics, Kind, Type, convert};
use pipectl_lang::{Rule, Scope, evaluate};

/// How a condition stands.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It holds.
    Pass,
    /// It does not; the message says why.
    Fail(String),
    /// It is known after apply.
    Unknown,
    /// It cannot be evaluated.
    Invalid(Diagnostics),
}

/// Judges one rule.
pub(crate) fn judge(rule: &Rule, scope: &Scope) -> Verdict {
    let value = match evaluate(&rule.condition, scope) {
        Ok(value) => value,
        Err(problems) => return Verdict::Invalid(problems),
    };
    let span = rule.condition.span();
    let invalid = |detail: String| {
        Verdict::Invalid(Diagnostic::error("Invalid condition result", detail).at(span.clone()).into())
    };
    match convert::convert(&value, &Type::Bool) {
        Err(error) => invalid(format!("A condition must be true or false: {error}.")),
        Ok(value) => match value.kind() {
            Kind::Bool(true) => Verdict::Pass,
            Kind::Bool(false) => Verdict::Fail(message(rule, scope)),
            Kind::Unknown(_) => Verdict::Unknown,
            _ => invalid("A condition must be true or false, and this one is null.".to_owned()),
        },
    }
}

fn message(rule: &Rule, scope: &Scope) -> String {
    let text = evaluate(&rule.error_message, scope).ok().and_then(|value| convert::convert(&value, &Type::String).ok());
    match text {
        Some(text) if !text.marks_deep().is_empty() => {
            "The error message holds a sensitive value, so it is not shown.".to_owned()
        }
        Some(text) => {
            text.as_str().map_or_else(|| "The error message is not known.".to_owned(), |text| text.trim().to_owned())
        }
        None => "The error message cannot be evaluated.".to_owned(),
    }
}

/// Judges rules that must hold. What is known after apply is left for later.
pub(crate) fn require(rules: &[Rule], scope: &Scope, summary: &str, address: &str) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    for rule in rules {
        match judge(rule, scope) {
            Verdict::Pass | Verdict::Unknown => {}
            Verdict::Fail(message) => {
                diagnostics.push(Diagnostic::error(summary, message).at(rule.condition.span()).about(address));
            }
            Verdict::Invalid(problems) => diagnostics.extend(problems),
        }
    }
    diagnostics
}
