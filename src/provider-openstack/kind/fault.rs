//! Why something was not done.

use pipectl_core::{Diagnostic, Diagnostics};
use pipectl_http::{Error, StatusCode};

use crate::cloud::failed;

/// Why something was not done.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A call failed.
    Call(Error),
    /// Something else is wrong, in words.
    Told(Diagnostics),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Call(error)
    }
}

impl From<Diagnostics> for Fault {
    fn from(found: Diagnostics) -> Self {
        Fault::Told(found)
    }
}

impl From<Diagnostic> for Fault {
    fn from(found: Diagnostic) -> Self {
        Fault::Told(found.into())
    }
}

impl Fault {
    /// Whether the service may have acted nevertheless.
    pub(crate) fn may_have_acted(&self) -> bool {
        matches!(self, Fault::Call(error) if error.may_have_acted())
    }

    /// What the service answered, where it did.
    pub(crate) fn status(&self) -> Option<StatusCode> {
        match self {
            Fault::Call(error) => error.status(),
            Fault::Told(_) => None,
        }
    }

    /// The same for people.
    pub(crate) fn told(self, summary: &str) -> Diagnostics {
        match self {
            Fault::Call(error) => {
                let diagnostic = failed(summary, &error);
                match error.status() {
                    Some(StatusCode::FORBIDDEN) => diagnostic
                        .hint("Does the user have the role for this in the project? openstack role assignment list --names --user USER")
                        .into(),
                    _ => diagnostic.into(),
                }
            }
            Fault::Told(found) => found,
        }
    }
}
