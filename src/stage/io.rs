//! What a running stage may do to the world: write outputs, tell how far it is, meet its other ranks, learn that it should stop.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pipectl_provider::Progress;
use serde_json::Value as Json;

use crate::{Job, WorkerEvent};

/// The worker's end of the wire to its executor.
pub trait Control: Send + Sync {
    /// Sends one event.
    fn send(&self, event: WorkerEvent);

    /// Whether the executor asked for a stop.
    fn stop_requested(&self) -> bool;

    /// Where rank 0 listens; waits for the executor to tell. `None` after `limit`.
    fn rendezvous(&self, limit: Duration) -> Option<String>;

    /// An environment variable of the worker.
    fn variable(&self, name: &str) -> Option<String>;
}

/// A stage failed: for people.
#[derive(Debug, thiserror::Error)]
#[error("{summary}: {detail}")]
pub struct StageError {
    /// Fixed words: "Missing column".
    pub summary: String,
    /// Full sentences: what, why, what to do.
    pub detail: String,
    /// Whether another attempt may help.
    pub transient: bool,
    /// It stopped because it was asked to; a checkpoint is written.
    pub stopped: bool,
}

impl StageError {
    /// A failure that another attempt would only repeat.
    pub fn new(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { summary: summary.into(), detail: detail.into(), transient: false, stopped: false }
    }

    /// A failure that an error explains: the detail is the error with all that caused it.
    pub fn caused(summary: impl Into<String>, error: &dyn std::error::Error) -> Self {
        let mut detail = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            detail = format!("{detail}: {inner}");
            cause = inner.source();
        }
        let mut letters = detail.chars();
        let detail =
            letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default();
        Self::new(summary, format!("{detail}."))
    }

    /// A failure that another attempt may mend.
    pub fn transient(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { transient: true, ..Self::new(summary, detail) }
    }

    /// The stage stopped because it was asked to.
    pub fn stopped() -> Self {
        Self {
            stopped: true,
            ..Self::new("Stopped", "The stage stopped at a checkpoint; the next apply goes on from there.")
        }
    }
}

/// What a stage is given to run with.
pub struct StageIo {
    control: Box<dyn Control>,
    output: PathBuf,
    scratch: PathBuf,
    checkpoint: PathBuf,
    values: BTreeMap<String, Json>,
}

impl StageIo {
    /// The io of one job; its folders exist.
    pub fn new(job: &Job, control: Box<dyn Control>) -> Self {
        Self {
            control,
            output: job.output.clone(),
            scratch: job.scratch.clone(),
            checkpoint: job.checkpoint.clone(),
            values: BTreeMap::new(),
        }
    }

    /// Where outputs go, by the paths of [`crate::OutputKind::Files`].
    pub fn output(&self) -> &Path {
        &self.output
    }

    /// A folder for temporary files.
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// A folder that survives a crash and belongs to the stage's key.
    pub fn checkpoint(&self) -> &Path {
        &self.checkpoint
    }

    /// Tells how far the stage is.
    pub fn progress(&self, progress: Progress) {
        self.control.send(WorkerEvent::Progress(progress));
    }

    /// Tells people something.
    pub fn message(&self, text: impl Into<String>) {
        self.control.send(WorkerEvent::Message { text: text.into() });
    }

    /// Tells people something odd.
    pub fn warning(&self, text: impl Into<String>) {
        self.control.send(WorkerEvent::Warning { text: text.into() });
    }

    /// Sets an output value.
    pub fn set_value(&mut self, name: &str, value: impl Into<Json>) {
        let value = value.into();
        self.values.insert(name.to_owned(), value.clone());
        self.control.send(WorkerEvent::Value { name: name.to_owned(), value });
    }

    /// Output values set so far.
    pub fn values(&self) -> &BTreeMap<String, Json> {
        &self.values
    }

    /// Whether the stage was asked to stop. A long stage asks between steps, writes a checkpoint and returns [`StageError::stopped`].
    pub fn stop_requested(&self) -> bool {
        self.control.stop_requested()
    }

    /// Tells the other ranks where rank 0 listens.
    pub fn announce(&self, address: &str) {
        self.control.send(WorkerEvent::Listening { address: address.to_owned() });
    }

    /// Where rank 0 listens.
    ///
    /// # Errors
    /// When nobody told within `limit`.
    pub fn rendezvous(&self, limit: Duration) -> Result<String, StageError> {
        self.control.rendezvous(limit).ok_or_else(|| {
            StageError::transient(
                "Rendezvous failed",
                format!("Rank 0 did not say where it listens within {} seconds.", limit.as_secs()),
            )
        })
    }

    /// An environment variable.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.control.variable(name)
    }
}
