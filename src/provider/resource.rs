//! The trait of a resource kind and its requests and answers.

use async_trait::async_trait;
use pipectl_core::{Address, Diagnostic, Diagnostics, Path, Schema, Value};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::planning::plan_by_schema;
use crate::{ApplyOutcome, Cx, Found, Instance, Intent};

/// A kind of resource: `terraform_data`, `oci_core_vcn`, a stage.
#[async_trait]
pub trait Resource: Send + Sync {
    /// Arguments and attributes.
    fn schema(&self) -> &Schema;

    /// Judges the arguments, some of which may be unknown. Called before anything runs.
    fn validate(&self, config: &Value) -> Diagnostics {
        let _ = config;
        Diagnostics::new()
    }

    /// Brings an instance of an older schema version up to date. `stored` is the attributes' JSON.
    ///
    /// # Errors
    /// When the stored form is of no known version.
    fn upgrade(&self, from_version: u32, stored: Json) -> Result<Json, Diagnostics> {
        if from_version == self.schema().version {
            return Ok(stored);
        }
        Err(Diagnostic::error(
            "Unsupported instance version",
            format!(
                "The state holds an instance of schema version {from_version}, and this pipectl knows version {}.",
                self.schema().version
            ),
        )
        .into())
    }

    /// Looks at the object as it is now.
    ///
    /// # Errors
    /// When it cannot be seen; being gone is not an error.
    async fn read(&self, cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics>;

    /// Decides what to do, from configuration, prior instance and observations. Changes nothing.
    ///
    /// # Errors
    /// When no plan is possible.
    async fn plan(&self, cx: &Cx, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        let _ = cx;
        Ok(plan_by_schema(self.schema(), &request))
    }

    /// Whether `create` has an effect elsewhere that a crash could leave half made. Such calls are announced in the state first.
    fn has_remote_effect(&self) -> bool {
        true
    }

    /// Makes the object. `planned` holds the plan's private data; its unknown attributes are for the provider to fill.
    async fn create(&self, cx: &Cx, planned: &Instance) -> ApplyOutcome;

    /// Changes the object.
    async fn update(&self, cx: &Cx, prior: &Instance, planned: &Instance) -> ApplyOutcome;

    /// Removes the object. Already gone is success.
    async fn delete(&self, cx: &Cx, prior: &Instance) -> ApplyOutcome;

    /// Finds out what became of an announced `create` whose answer was lost.
    ///
    /// # Errors
    /// When the remote side cannot be asked.
    async fn find(&self, cx: &Cx, intent: &Intent) -> Result<Found, Diagnostics> {
        let _ = (cx, intent);
        Ok(Found::None)
    }

    /// Takes over an existing object.
    ///
    /// # Errors
    /// When the kind cannot be imported or the id is malformed.
    async fn import(&self, cx: &Cx, id: &str) -> Result<Option<Instance>, Diagnostics> {
        let _ = (cx, id);
        Err(Diagnostic::error("Import not supported", "This kind of resource cannot be imported.").into())
    }
}

/// A kind of data source.
#[async_trait]
pub trait DataSource: Send + Sync {
    /// Arguments and attributes.
    fn schema(&self) -> &Schema;

    /// Judges the arguments, some of which may be unknown. Called before anything is read.
    fn validate(&self, config: &Value) -> Diagnostics {
        let _ = config;
        Diagnostics::new()
    }

    /// Reads it. `config` is wholly known; the answer is the object of all attributes.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn read(&self, cx: &Cx, config: &Value) -> Result<Value, Diagnostics>;
}

/// What `read` saw.
#[derive(Debug)]
pub enum ReadOutcome {
    /// The object, as it is now.
    Present {
        /// The instance with what was observed.
        instance: Box<Instance>,
        /// How it differs from the prior one, in words: "output `model.onnx` is missing". Empty: as it was.
        drift: Vec<String>,
    },
    /// It is gone.
    Gone,
}

impl ReadOutcome {
    /// The object is as it was.
    pub fn unchanged(prior: &Instance) -> Self {
        ReadOutcome::Present { instance: Box::new(prior.clone()), drift: Vec::new() }
    }
}

/// The question to `plan`.
#[derive(Clone, Copy, Debug)]
pub struct PlanRequest<'a> {
    /// The object's address.
    pub address: &'a Address,
    /// The arguments as configured: an object of every attribute and block of the schema, null where absent, unknown where not known yet.
    pub config: &'a Value,
    /// The object as it is, if there is one.
    pub prior: Option<&'a Instance>,
    /// What `read` found different, in words.
    pub drift: &'a [String],
    /// Whether someone asked for a replacement (`-replace`, a tainted object).
    pub replace: bool,
}

/// What is to be done with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing.
    NoOp,
    /// Make it.
    Create,
    /// Change it in place.
    Update,
    /// Remove it and make another.
    Replace,
    /// Run a stage: make or renew its outputs.
    Run,
    /// Run a stage only if its inputs, known after apply, turn out different.
    RunIfChanged,
}

/// Why something is to be done: shown to people word by word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// A clause: "input `train-0.parquet` changed: 9af3c1 -> 11c0d2", "argument `shape` forces replacement".
    pub text: String,
    /// The argument it is about.
    pub path: Option<String>,
}

impl Reason {
    /// A reason that is about no particular argument.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), path: None }
    }

    /// The answer to [`PlanRequest::replace`]. Who has asked knows why, and says that in its place.
    pub fn asked_for() -> Self {
        Self::new("it was asked for")
    }

    /// A reason about an argument.
    pub fn on(path: &Path, text: impl Into<String>) -> Self {
        Self { text: text.into(), path: Some(path.to_string()) }
    }
}

/// The answer of `plan`.
#[derive(Clone, Debug)]
pub struct PlanResponse {
    /// What to do.
    pub effect: Effect,
    /// The object as it will be: an object of all attributes, unknown where known after apply.
    pub planned: Value,
    /// What the provider wants back at apply.
    pub private: Json,
    /// Why.
    pub reasons: Vec<Reason>,
    /// Arguments whose change forces a replacement.
    pub requires_replace: Vec<Path>,
}
