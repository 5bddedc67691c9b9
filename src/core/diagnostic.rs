//! Diagnostics are data: what is wrong, where, why, and what to do. Only `cli` turns them into text.

use std::error::Error;
use std::fmt;

use crate::{Path, Span, remedy};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The operation goes on.
    Warning,
    /// The operation cannot succeed.
    Error,
}

/// What a finding is, for code that decides something by it: texts are for people, and change. Most findings need none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DiagnosticKind {
    /// A variable of the root module has no value. What plans nothing does without.
    MissingValue,
    /// A condition that is part of the configuration does not hold: a validation, a precondition or a postcondition.
    FailedCondition,
    /// An assertion of a `check` block does not hold.
    FailedCheck,
    /// Whether an assertion of a `check` block holds is known after apply.
    UnknownCheck,
    /// An assertion of a test does not hold.
    FailedAssertion,
    /// A call names a function that there is not. The place is that of its name.
    UnknownFunction,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, where something is decided by that.
    pub kind: Option<DiagnosticKind>,
    /// Fixed words, no data: "Unsupported argument".
    pub summary: String,
    /// Full sentences: what, why, what to do.
    pub detail: String,
    /// Where in the configuration.
    pub span: Option<Span>,
    /// Where in the value that was judged; whoever holds the configuration body turns it into a span.
    pub path: Option<Path>,
    /// The address of the object it is about.
    pub address: Option<String>,
    /// Commands or texts to use, each on a line of its own.
    pub hints: Vec<String>,
    /// References of a failed expression with their values, sensitive ones masked.
    pub values: Vec<(String, String)>,
}

impl Diagnostic {
    /// An error.
    pub fn error(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(Severity::Error, summary.into(), detail.into())
    }

    /// A warning.
    pub fn warning(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(Severity::Warning, summary.into(), detail.into())
    }

    fn new(severity: Severity, summary: String, detail: String) -> Self {
        let (span, path, address) = (None, None, None);
        Self { severity, kind: None, summary, detail, span, path, address, hints: Vec::new(), values: Vec::new() }
    }

    /// Says what it is, for code that decides something by it.
    #[must_use]
    pub fn of_kind(mut self, kind: DiagnosticKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Says where in the configuration.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }

    /// Says where in the configuration, when that is known and nothing was said before.
    #[must_use]
    pub fn or_at(mut self, span: Option<&Span>) -> Self {
        if self.span.is_none() {
            self.span = span.cloned();
        }
        self
    }

    /// Adds what the failed expression refers to, with what can be said of each.
    #[must_use]
    pub fn with_values(mut self, values: Vec<(String, String)>) -> Self {
        self.values = values;
        self
    }

    /// Says where in the judged value.
    #[must_use]
    pub fn on(mut self, path: Path) -> Self {
        self.path = Some(path);
        self
    }

    /// Says which object.
    #[must_use]
    pub fn about(mut self, address: impl fmt::Display) -> Self {
        self.address = Some(address.to_string());
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds what a person can do about the cause, where that is known: see [`remedy`].
    #[must_use]
    pub fn remedied(mut self, cause: &(dyn Error + 'static)) -> Self {
        self.hints.extend(remedy(cause).map(str::to_owned));
        self
    }
}

/// What an operation found, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Nothing found.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Takes in many.
    pub fn extend(&mut self, more: impl IntoIterator<Item = Diagnostic>) {
        self.0.extend(more);
    }

    /// Those that are not of `kind`.
    pub fn without(self, kind: DiagnosticKind) -> Self {
        self.into_iter().filter(|diagnostic| diagnostic.kind != Some(kind)).collect()
    }

    /// Whether any is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// How many are errors.
    pub fn error_count(&self) -> usize {
        self.0.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter()
    }

    /// All, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Diagnostic> {
        self.0.iter_mut()
    }

    /// `Ok(value)` with these when there is no error among them, else these as the error.
    pub fn result<T>(self, value: T) -> Result<(T, Diagnostics), Diagnostics> {
        if self.has_errors() { Err(self) } else { Ok((value, self)) }
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
