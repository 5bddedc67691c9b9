//! Where stages run: the trait of an executor.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use pipectl_core::{Diagnostic, Diagnostics, Value};
use pipectl_provider::Cx;
use serde_json::Value as Json;

use crate::{Job, Resources};

/// One run of a stage: the job of every rank but for `rank` and `scratch`, which the executor sets.
#[derive(Clone, Debug)]
pub struct Task {
    /// The job of rank 0.
    pub job: Job,
    /// What one worker takes.
    pub resources: Resources,
    /// The evaluated `executor` block: `{ kind, name, ... }`; null for the local executor.
    pub executor: Value,
    /// A new folder for this attempt's job files, logs and events.
    pub attempt: std::path::PathBuf,
}

/// A run that ended well.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Finished {
    /// Output values of rank 0.
    pub values: BTreeMap<String, Json>,
}

/// A run that did not.
#[derive(Debug)]
pub enum ExecuteError {
    /// It stopped because it was asked to, at a checkpoint.
    Stopped,
    /// It failed.
    Failed {
        /// Why.
        diagnostics: Diagnostics,
        /// Whether another attempt may help.
        transient: bool,
    },
}

impl From<Diagnostic> for ExecuteError {
    fn from(diagnostic: Diagnostic) -> Self {
        ExecuteError::Failed { diagnostics: diagnostic.into(), transient: false }
    }
}

/// Runs stages: as processes here, as pods elsewhere.
///
/// When `execute` returns, no worker of the run is left: a run happens at most once at a time.
#[async_trait]
pub trait Executor: Send + Sync {
    /// The kind's name in `executor "<kind>" "<name>"`.
    fn kind(&self) -> &'static str;

    /// Runs a stage to its end. Waits for room first.
    async fn execute(&self, cx: &Cx, task: Task) -> Result<Finished, ExecuteError>;
}

/// All executors by kind.
#[derive(Clone)]
pub struct Executors {
    default: Arc<dyn Executor>,
    others: BTreeMap<&'static str, Arc<dyn Executor>>,
}

impl Executors {
    /// With the executor of stages that name none.
    pub fn new(default: Arc<dyn Executor>) -> Self {
        Self { default, others: BTreeMap::new() }
    }

    /// Takes in another kind.
    pub fn add(&mut self, executor: Arc<dyn Executor>) {
        self.others.insert(executor.kind(), executor);
    }

    /// The executor of an evaluated `executor` argument: null means the default.
    pub fn of(&self, executor: &Value) -> Option<&Arc<dyn Executor>> {
        let Some(kind) = executor.attribute("kind").and_then(Value::as_str) else {
            return executor.is_null().then_some(&self.default);
        };
        if kind == self.default.kind() { Some(&self.default) } else { self.others.get(kind) }
    }
}
