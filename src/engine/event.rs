//! What the engine tells while it works. `cli` turns events into text or JSON lines.

use std::collections::BTreeMap;

use pipectl_core::{Address, Diagnostic, Severity};
use pipectl_provider::Reason;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use crate::{Action, AddressPattern, Deferral};

/// Takes events; never blocks for long. Events come from several threads.
pub trait Observer: Send + Sync {
    /// One event.
    fn observe(&self, event: Event);
}

/// What is done with an ephemeral value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EphemeralOperation {
    /// It is made.
    Open,
    /// It is made to last longer.
    Renew,
    /// It is given back.
    Close,
}

impl<F: Fn(Event) + Send + Sync> Observer for F {
    fn observe(&self, event: Event) {
        self(event);
    }
}

/// One event. As JSON: `{"type": "apply_start", ...}`.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// An object is being read.
    RefreshStart {
        /// The object.
        address: Address,
        /// Its `id` attribute, if it has one.
        id: Option<String>,
    },
    /// An object was read.
    RefreshComplete {
        /// The object.
        address: Address,
        /// Its `id` attribute, if it has one.
        id: Option<String>,
    },
    /// An object is not as the state says.
    ResourceDrift {
        /// The object.
        address: Address,
        /// What is different, in words.
        notes: Vec<String>,
    },
    /// The plan changes an object. Told for every action but no-op.
    PlannedChange {
        /// The object.
        address: Address,
        /// Set for an object left over from an interrupted replacement.
        deposed: Option<String>,
        /// What is to be done.
        action: Action,
        /// Why.
        reasons: Vec<Reason>,
    },
    /// The plan leaves something to be decided while it is applied.
    DeferredChange {
        /// The object, or all objects that it may be.
        address: AddressPattern,
        /// What will probably be done.
        action: Action,
        /// Why it cannot be decided yet.
        why: Deferral,
        /// The same in words.
        reasons: Vec<Reason>,
    },
    /// How much is to be done, or was done.
    ChangeSummary(Summary),
    /// Work on an object begins.
    ApplyStart {
        /// The object.
        address: Address,
        /// What is done.
        action: Action,
        /// Its place among those begun, from 1.
        position: usize,
        /// How many there are in all.
        total: usize,
        /// The `id` attribute of an object that is there already, if it has one.
        id: Option<String>,
    },
    /// A running call tells how it goes.
    ApplyProgress {
        /// The object.
        address: Address,
        /// What the call tells.
        progress: pipectl_provider::Event,
    },
    /// An ephemeral value is being opened, renewed or closed, or was.
    Ephemeral {
        /// The value.
        address: Address,
        /// What is done with it.
        operation: EphemeralOperation,
        /// Whether that is over.
        done: bool,
    },
    /// A call failed and is made again.
    ApplyRetry {
        /// The object.
        address: Address,
        /// The attempt that failed, from 1.
        attempt: u32,
        /// How many attempts there may be.
        attempts: u32,
        /// Seconds until the next.
        wait_seconds: f64,
    },
    /// Work on an object has ended.
    ApplyComplete {
        /// The object.
        address: Address,
        /// What was done.
        action: Action,
        /// How it ended.
        end: ApplyEnd,
        /// How many have ended, this one included.
        done: usize,
        /// How many there are in all.
        total: usize,
        /// How long it took.
        seconds: f64,
        /// The object's `id` attribute, if it has one.
        id: Option<String>,
    },
    /// Something was found. The same diagnostic is also part of the operation's result: show it once.
    Diagnostic(#[serde(serialize_with = "serialize_diagnostic")] Diagnostic),
    /// The outputs after an apply.
    Outputs {
        /// By name.
        outputs: BTreeMap<String, OutputView>,
    },
}

/// How work on an object ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplyEnd {
    /// It was done.
    Done,
    /// Nothing was to be done after all: inputs that were not known before turned out the same.
    Unchanged,
    /// It failed.
    Failed,
    /// It was not begun, because what it depends on failed.
    Blocked,
    /// It was not begun, because the run was asked to stop.
    NotStarted,
}

/// An output as other programs see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputView {
    /// The value; `None` when it is sensitive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
    /// Its type, as Terraform writes types.
    #[serde(rename = "type")]
    pub ty: Json,
    /// Whether it must not be shown.
    pub sensitive: bool,
}

/// How many objects by what is done with them. Replacing counts as adding and destroying, as in Terraform; running a stage counts apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Made.
    pub add: usize,
    /// Changed in place.
    pub change: usize,
    /// Removed.
    pub destroy: usize,
    /// Taken over.
    pub import: usize,
    /// Left as they are and known no longer.
    pub forget: usize,
    /// Stages that run.
    pub run: usize,
    /// Of `run`: those that only run if their inputs turn out different. Always 0 after an apply.
    pub run_if_changed: usize,
    /// What is decided only while the plan is applied. Always 0 after an apply.
    #[serde(skip_serializing_if = "is_zero")]
    pub deferred: usize,
}

impl Summary {
    /// Counts one action.
    pub fn count(&mut self, action: Action) {
        match action {
            Action::NoOp | Action::Read => {}
            Action::Create => self.add += 1,
            Action::Update => self.change += 1,
            Action::Delete => self.destroy += 1,
            Action::Forget => self.forget += 1,
            Action::Replace { .. } => {
                self.add += 1;
                self.destroy += 1;
            }
            Action::Run => self.run += 1,
            Action::RunIfChanged => {
                self.run += 1;
                self.run_if_changed += 1;
            }
        }
    }

    /// Whether nothing is counted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// A diagnostic without its place: who renders it with file and line has the configuration's source map.
fn serialize_diagnostic<S: Serializer>(diagnostic: &Diagnostic, serializer: S) -> Result<S::Ok, S::Error> {
    let mut fields = serializer.serialize_struct("Diagnostic", 5)?;
    let severity = match diagnostic.severity {
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    fields.serialize_field("severity", severity)?;
    fields.serialize_field("summary", &diagnostic.summary)?;
    fields.serialize_field("detail", &diagnostic.detail)?;
    fields.serialize_field("address", &diagnostic.address)?;
    fields.serialize_field("hints", &diagnostic.hints)?;
    fields.end()
}
