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
    /// The service has taken a call, and nobody knows what becomes of it: why, in words.
    Open(Diagnostics),
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
    /// The service has taken a call, and nobody knows what becomes of it.
    pub fn open(found: Diagnostics) -> Self {
        Self { why: Why::Open(found), cloud: PhantomData }
    }

    /// Whether the service may have acted nevertheless.
    pub fn may_have_acted(&self) -> bool {
        match &self.why {
            Why::Call(error) => error.may_have_acted(),
            Why::Open(_) => true,
            Why::Told(_) => false,
        }
    }

    /// What the service answered, where it did.
    pub fn status(&self) -> Option<StatusCode> {
        self.error()?.status()
    }

    /// The call that failed, where one did.
    pub fn error(&self) -> Option<&Error> {
        match &self.why {
            Why::Call(error) => Some(error),
            Why::Told(_) | Why::Open(_) => None,
        }
    }

    /// The same for people.
    pub fn told(self, summary: &str) -> Diagnostics {
        match self.why {
            Why::Call(error) => C::failed(summary, &error).into(),
            Why::Told(found) | Why::Open(found) => found,
        }
    }
}
