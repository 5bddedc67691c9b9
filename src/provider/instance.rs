//! Instances of resources, and what comes of applying them.

use std::collections::BTreeSet;
use std::time::SystemTime;

use pipectl_core::json::to_json;
use pipectl_core::{Diagnostics, Kind, Value};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// One object as the provider knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// All attributes of the schema: an object.
    pub attributes: Value,
    /// What only the provider reads: keys by parts, operation ids.
    pub private: Json,
    /// The schema's version when it was written.
    pub schema_version: u32,
}

impl Instance {
    /// An instance without private data at schema version 0.
    pub fn new(attributes: Value) -> Self {
        Self { attributes, private: Json::Null, schema_version: 0 }
    }
}

/// What is left after `create`, `update` or `delete`: also a failed call may leave an object behind.
#[derive(Debug)]
pub struct ApplyOutcome {
    /// The object as it is now; `None` when there is none.
    pub instance: Option<Instance>,
    /// What went wrong, if anything.
    pub diagnostics: Diagnostics,
}

impl ApplyOutcome {
    /// It worked.
    pub fn done(instance: Instance) -> Self {
        Self { instance: Some(instance), diagnostics: Diagnostics::new() }
    }

    /// It is gone.
    pub fn gone() -> Self {
        Self { instance: None, diagnostics: Diagnostics::new() }
    }

    /// It failed and left this behind.
    pub fn failed(instance: Option<Instance>, diagnostics: impl Into<Diagnostics>) -> Self {
        Self { instance, diagnostics: diagnostics.into() }
    }
}

/// A remote call that was announced in the state before it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// Random and unique for the call: given to the remote side where it supports that.
    pub token: String,
    /// The arguments as JSON, known ones only, no sensitive ones.
    pub arguments: Json,
    /// What the provider recorded while the call ran: an operation id.
    pub recorded: Json,
    /// When it was announced, by the clock of the machine that made the call: what is older is none of its doing. `None`: nobody wrote that down.
    pub began: Option<SystemTime>,
    /// The ids of the objects of this type that the state has: none of them is what the call made.
    pub known: BTreeSet<String>,
}

impl Intent {
    /// The known arguments of a planned object as JSON, without what is sensitive: what an intent may keep.
    pub fn known_arguments(value: &Value) -> Json {
        if value.is_sensitive() {
            return Json::Null;
        }
        match value.kind() {
            Kind::Object(attributes) | Kind::Map(_, attributes) => Json::Object(
                attributes
                    .iter()
                    .filter(|(_, value)| value.is_known() && !value.is_null() && !value.is_sensitive())
                    .map(|(name, value)| (name.clone(), Self::known_arguments(value)))
                    .collect(),
            ),
            Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
                Json::Array(elements.iter().map(Self::known_arguments).collect())
            }
            Kind::Null(_) | Kind::Unknown(_) | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => {
                to_json(value).unwrap_or(Json::Null)
            }
        }
    }
}

/// What became of an announced call.
#[derive(Debug)]
pub enum Found {
    /// The object exists.
    One(Box<Instance>),
    /// Nothing was made.
    None,
    /// Several candidates: a person must decide. Their descriptions.
    Ambiguous(Vec<String>),
}
