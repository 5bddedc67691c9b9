//! Why something was not done.

use std::fmt;
use std::marker::PhantomData;

use pipectl_core::{Diagnostic, Diagnostics};
use pipectl_http::{Error, StatusCode};

use crate::Cloud;

/// Why something was not done in a cloud.
pub struct Fault<C> {
    why: Why,
    cloud: PhantomData<fn() -> C>,
}

#[derive(Debug)]
enum Why {
    /// A call failed.
    Call(Box<Error>),
    /// Something else is wrong, in words.
    Told(Diagnostics),
}

impl<C> From<Error> for Fault<C> {
    fn from(error: Error) -> Self {
        Self { why: Why::Call(Box::new(error)), cloud: PhantomData }
    }
}

impl<C> From<Diagnostics> for Fault<C> {
    fn from(found: Diagnostics) -> Self {
        Self { why: Why::Told(found), cloud: PhantomData }
    }
}

impl<C> From<Diagnostic> for Fault<C> {
    fn from(found: Diagnostic) -> Self {
        Diagnostics::from(found).into()
    }
}

impl<C> fmt::Debug for Fault<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(formatter)
    }
}

impl<C: Cloud> Fault<C> {
    /// Whether the service may have acted nevertheless.
    pub fn may_have_acted(&self) -> bool {
        matches!(&self.why, Why::Call(error) if error.may_have_acted())
    }

    /// What the service answered, where it did.
    pub fn status(&self) -> Option<StatusCode> {
        self.error()?.status()
    }

    /// The call that failed, where one did.
    pub fn error(&self) -> Option<&Error> {
        match &self.why {
            Why::Call(error) => Some(error),
            Why::Told(_) => None,
        }
    }

    /// The same for people.
    pub fn told(self, summary: &str) -> Diagnostics {
        match self.why {
            Why::Call(error) => C::failed(summary, &error).into(),
            Why::Told(found) => found,
        }
    }
}
