//! Whether a run is good: what was found in it is sorted into what its author expects and what not.

use pipectl_core::{Address, Diagnostic, DiagnosticKind, Diagnostics, Severity};
use pipectl_engine::Plan;

use super::file::TestRun;
use super::session::{Outcome, Status};

/// Sorts what was found into what was expected and what was not.
pub struct Judge<'r> {
    run: &'r TestRun,
    met: Vec<bool>,
    found: Diagnostics,
    status: Status,
    /// Whether every error so far was expected, and there was one.
    pub expects_everything: bool,
}

impl<'r> Judge<'r> {
    /// Of a run that nothing was found in yet.
    pub fn new(run: &'r TestRun) -> Self {
        let met = vec![false; run.expected_failures.len()];
        Self { run, met, found: Diagnostics::new(), status: Status::Pass, expects_everything: false }
    }

    /// Takes in what a plan or an apply found. Where a plan fails and an apply was asked for, the run has not done what it is for.
    pub fn take(&mut self, diagnostics: Diagnostics, stops_an_apply: bool) {
        let has_errors = diagnostics.has_errors();
        self.expects_everything = has_errors;
        for mut found in diagnostics {
            let address = match found.kind {
                Some(DiagnosticKind::FailedCondition | DiagnosticKind::FailedCheck) => found.address.as_deref(),
                Some(
                    DiagnosticKind::FailedAssertion
                    | DiagnosticKind::MissingValue
                    | DiagnosticKind::UnknownCheck
                    | DiagnosticKind::UnknownFunction,
                )
                | None => None,
            };
            let expected = address.and_then(|address| self.expected(address));
            match (expected, found.severity) {
                (Some(position), Severity::Warning) => {
                    self.met[position] = true;
                    continue;
                }
                (Some(position), Severity::Error) => {
                    self.met[position] = true;
                    if !stops_an_apply {
                        continue;
                    }
                    self.status = Status::Error;
                    found.hints.push(
                        "The failure is expected, but it stopped the plan, so nothing was applied: command = plan"
                            .to_owned(),
                    );
                }
                (None, Severity::Error) => {
                    self.status = Status::Error;
                    self.expects_everything = false;
                }
                // A check only warns; in a test, a warning that nobody expects is a failure.
                (None, Severity::Warning) if found.kind == Some(DiagnosticKind::FailedCheck) && !has_errors => {
                    found.severity = Severity::Error;
                    self.status = Status::Error;
                }
                (None, Severity::Warning) => {}
            }
            self.found.push(found);
        }
    }

    /// Which of the expected failures a condition's address is.
    fn expected(&self, address: &str) -> Option<usize> {
        let block = |address: &str| address.parse::<Address>().ok().map(|address| address.block().to_string());
        self.run
            .expected_failures
            .iter()
            .position(|(expected, _)| expected == address || block(address).is_some_and(|block| block == *expected))
    }

    /// Takes in what is wrong with an assertion.
    pub fn assertion(&mut self, problems: Diagnostics) {
        let is_failure = problems.iter().all(|problem| problem.kind == Some(DiagnosticKind::FailedAssertion));
        self.found.extend(problems);
        match (self.status, is_failure) {
            (Status::Error, _) | (_, false) => self.status = Status::Error,
            (Status::Pass | Status::Fail, true) => self.status = Status::Fail,
        }
    }

    /// What came of the run.
    pub fn conclude(mut self, plan: Option<Plan>) -> Outcome {
        for ((expected, span), _) in self.run.expected_failures.iter().zip(&self.met).filter(|(_, met)| !**met) {
            let detail = format!("The checkable object, {expected}, was expected to report an error but did not.");
            self.found.push(Diagnostic::error("Missing expected failure", detail).at(span.clone()));
            self.status = Status::Error;
        }
        Outcome { status: self.status, diagnostics: self.found, plan }
    }
}
