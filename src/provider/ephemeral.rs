//! The trait of a kind of ephemeral value: one that is made for the time of a run and never stored.

use std::time::Duration;

use async_trait::async_trait;
use pipectl_core::{Diagnostics, Schema, Value};
use serde_json::Value as Json;

use crate::Cx;

/// A kind of `ephemeral` block: `random_password`, a token, a lease.
///
/// A value is opened when something needs it, while planning as well as while applying, and closed when nothing does any more. Whatever
/// `open` gives is marked ephemeral: it cannot get into a plan or a state.
#[async_trait]
pub trait Ephemeral: Send + Sync {
    /// Arguments and attributes.
    fn schema(&self) -> &Schema;

    /// Judges the arguments, some of which may be unknown. Called before anything is opened.
    fn validate(&self, config: &Value) -> Diagnostics {
        let _ = config;
        Diagnostics::new()
    }

    /// Makes the value. `config` is wholly known.
    ///
    /// # Errors
    /// When it cannot be made.
    async fn open(&self, cx: &Cx, config: &Value) -> Result<Opened, Diagnostics>;

    /// Makes what was opened last longer. Called when the time that `open`, or the last renewal, has named is over.
    ///
    /// # Errors
    /// When it cannot last longer. The run goes on, and reports this at its end.
    async fn renew(&self, cx: &Cx, lease: &Lease) -> Result<Lease, Diagnostics> {
        let _ = cx;
        Ok(Lease { renew_after: None, ..lease.clone() })
    }

    /// Gives back what was opened. Already gone is success.
    ///
    /// # Errors
    /// When it is left behind.
    async fn close(&self, cx: &Cx, lease: &Lease) -> Result<(), Diagnostics> {
        let _ = (cx, lease);
        Ok(())
    }
}

/// What was opened.
#[derive(Debug)]
pub struct Opened {
    /// The object of all attributes.
    pub value: Value,
    /// What is needed to renew it and to close it.
    pub lease: Lease,
}

impl Opened {
    /// A value that needs neither renewal nor closing.
    pub fn lasting(value: Value) -> Self {
        Self { value, lease: Lease::default() }
    }
}

/// How long something that was opened lasts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lease {
    /// What only the provider reads. Kept in memory for the time of the run.
    pub private: Json,
    /// When to renew it, from now; `None`: it lasts.
    pub renew_after: Option<Duration>,
}
