//! What a running call tells about itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Takes events; never blocks for long.
pub trait EventSink: Send + Sync {
    /// One event about the object at `address`.
    fn emit(&self, address: &str, event: Event);
}

/// One event of a running call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// How far it is.
    Progress(Progress),
    /// A line for people: "epoch 3/10 loss 0.31 accuracy 0.88".
    Message {
        /// The text.
        text: String,
    },
    /// Something odd that does not stop it.
    Warning {
        /// The text.
        text: String,
    },
    /// The outputs came from the action cache: nothing ran.
    Restored {
        /// The key under which they were found.
        key: String,
    },
}

/// How far a call is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What it does now: "training".
    pub phase: String,
    /// Units done.
    pub done: u64,
    /// Units in all, when known.
    pub total: Option<u64>,
    /// What is counted: "events", "rows", "bytes".
    pub unit: String,
    /// Figures of the moment: loss, accuracy, events per second.
    pub metrics: BTreeMap<String, f64>,
}

/// Throws events away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl EventSink for Silent {
    fn emit(&self, _address: &str, _event: Event) {}
}
