//! Conditions: validation rules, preconditions, postconditions and assertions.

use pipectl_core::{Address, Diagnostic, DiagnosticKind, Diagnostics, Kind, Marks, ModulePath, Type, convert};
use pipectl_lang::{ObjectBlock, OutputBlock, Rule, Scope, VariableBlock, evaluate, referenced_values};

use crate::planner::as_warnings;
use crate::{CheckResult, CheckStatus, Checked};

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
    let verdict = match convert::convert(&value, &Type::Bool) {
        Err(error) => invalid(format!("A condition must be true or false: {error}.")),
        Ok(value) => match value.kind() {
            Kind::Bool(true) => Verdict::Pass,
            Kind::Bool(false) => Verdict::Fail(message(rule, scope)),
            Kind::Unknown(_) => Verdict::Unknown,
            _ => invalid("A condition must be true or false, and this one is null.".to_owned()),
        },
    };
    match wrong_message(rule, scope) {
        Some(problem) if !matches!(verdict, Verdict::Invalid(_)) => Verdict::Invalid(problem.into()),
        _ => verdict,
    }
}

/// An error when the message is null or no text, whether or not it is needed. One that cannot be evaluated may be about what the condition has
/// found out first.
fn wrong_message(rule: &Rule, scope: &Scope) -> Option<Diagnostic> {
    let value = evaluate(&rule.error_message, scope).ok()?;
    let detail = match convert::convert(&value, &Type::String) {
        Ok(value) if value.is_null() => "The error message of a condition must not be null.".to_owned(),
        Ok(_) => return None,
        Err(error) => format!("The error message of a condition must be a text: {error}."),
    };
    Some(Diagnostic::error("Invalid error message", detail).at(rule.error_message.span()))
}

fn message(rule: &Rule, scope: &Scope) -> String {
    let text = evaluate(&rule.error_message, scope).ok().and_then(|value| convert::convert(&value, &Type::String).ok());
    match text {
        Some(text) if text.marks_deep().contains(Marks::SENSITIVE) => {
            "The condition does not hold. Its error message holds a sensitive value, so it is not shown.".to_owned()
        }
        Some(text) if text.marks_deep().contains(Marks::EPHEMERAL) => {
            "The condition does not hold. Its error message holds an ephemeral value, so it is not shown; ephemeralasnull() takes such \
             values out."
                .to_owned()
        }
        Some(text) => {
            text.as_str().map_or_else(|| "The error message is not known.".to_owned(), |text| text.trim().to_owned())
        }
        None => "The error message cannot be evaluated.".to_owned(),
    }
}

/// Conditions of one thing that must hold.
pub(crate) struct Conditions<'a> {
    rules: &'a [Rule],
    /// How many conditions the thing has besides, which are counted first.
    before: usize,
    module: &'a ModulePath,
    subject: Checked,
    /// What it is called when one does not hold.
    summary: &'static str,
}

/// What judging has come to.
pub(crate) struct Judged {
    /// How each condition stands.
    pub(crate) results: Vec<CheckResult>,
    /// An error for each that does not hold or cannot be evaluated. What is known after apply is left for later.
    pub(crate) problems: Diagnostics,
}

impl Judged {
    /// What is left to tell: nothing.
    ///
    /// # Errors
    /// What does not hold or cannot be evaluated.
    pub(crate) fn certain(self) -> Result<Diagnostics, Diagnostics> {
        if self.problems.has_errors() { Err(self.problems) } else { Ok(self.problems) }
    }

    /// A warning for each condition that does not hold.
    ///
    /// # Errors
    /// What is wrong, where that is more than conditions that do not hold.
    pub(crate) fn forgiven(self) -> Result<Diagnostics, Diagnostics> {
        let fails = |problem: &Diagnostic| problem.kind == Some(DiagnosticKind::FailedCondition);
        if self.problems.iter().all(fails) { Ok(as_warnings(self.problems)) } else { Err(self.problems) }
    }
}

impl<'a> Conditions<'a> {
    /// What must hold before an object is planned.
    pub(crate) fn before(block: &'a ObjectBlock, address: &'a Address) -> Self {
        Self {
            rules: &block.meta.lifecycle.preconditions,
            before: 0,
            module: &address.module,
            subject: Checked::Object(address.inside_module()),
            summary: "Resource precondition failed",
        }
    }

    /// What must hold of an object once it is known.
    pub(crate) fn after(block: &'a ObjectBlock, address: &'a Address) -> Self {
        Self {
            rules: &block.meta.lifecycle.postconditions,
            before: block.meta.lifecycle.preconditions.len(),
            summary: "Resource postcondition failed",
            ..Self::before(block, address)
        }
    }

    /// What must hold before an output is stored or given on.
    pub(crate) fn of_output(block: &'a OutputBlock, module: &'a ModulePath) -> Self {
        Self {
            rules: &block.preconditions,
            before: 0,
            module,
            subject: Checked::Output(block.name.clone()),
            summary: "Module output value precondition failed",
        }
    }

    /// What must hold of the value of a variable.
    pub(crate) fn of_variable(block: &'a VariableBlock, module: &'a ModulePath) -> Self {
        Self {
            rules: &block.validations,
            before: 0,
            module,
            subject: Checked::Variable(block.name.clone()),
            summary: "Invalid value for variable",
        }
    }

    /// Judges all of them.
    pub(crate) fn judge(&self, scope: &Scope) -> Judged {
        let mut judged = Judged { results: Vec::with_capacity(self.rules.len()), problems: Diagnostics::new() };
        for (position, rule) in self.rules.iter().enumerate() {
            let mut result = CheckResult {
                module: self.module.clone(),
                subject: self.subject.clone(),
                condition: self.before + position,
                status: CheckStatus::Pass,
                message: None,
                values: Vec::new(),
            };
            match judge(rule, scope) {
                Verdict::Pass => {}
                Verdict::Unknown => result.status = CheckStatus::Unknown,
                Verdict::Fail(message) => {
                    result.status = CheckStatus::Fail;
                    result.message = Some(message);
                    result.values = referenced_values(&rule.condition, scope);
                    judged.problems.extend(self.problem(&result));
                }
                Verdict::Invalid(problems) => {
                    result.status = CheckStatus::Error;
                    judged.problems.extend(problems);
                }
            }
            judged.results.push(result);
        }
        judged
    }

    /// The error that tells a result of one of them, if it is that the condition does not hold.
    pub(crate) fn problem(&self, result: &CheckResult) -> Option<Diagnostic> {
        let message = result.message.as_ref().filter(|_| result.status == CheckStatus::Fail)?;
        let rule = self.rules.get(result.condition.checked_sub(self.before)?)?;
        let problem = Diagnostic::error(self.summary, message.as_str()).of_kind(DiagnosticKind::FailedCondition);
        let problem = problem.at(rule.condition.span()).with_values(result.values.clone());
        Some(problem.about(self.subject.in_module(self.module)))
    }

    /// What is wrong with them.
    pub(crate) fn problems(&self, scope: &Scope) -> Diagnostics {
        self.judge(scope).problems
    }
}
