//! What a running stage may do to the world: write outputs, tell how far it is, meet its other ranks, learn that it should stop.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pipectl_core::{Diagnostic, Diagnostics, Path as ValuePath, remedy};
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
    /// Where in the stage's arguments the cause stands, as far as it is known: `step[4].by`.
    pub path: Option<ValuePath>,
    /// Whether another attempt may help.
    pub transient: bool,
    /// It stopped because it was asked to; a checkpoint is written.
    pub stopped: bool,
}

impl StageError {
    /// A failure that another attempt would only repeat.
    pub fn new(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { summary: summary.into(), detail: detail.into(), path: None, transient: false, stopped: false }
    }

    /// A failure that an error explains: the detail is the error with all that caused it, as a [`sentence`].
    pub fn caused(summary: impl Into<String>, error: &(dyn Error + 'static)) -> Self {
        Self::new(summary, sentence(error)).remedied(error)
    }

    /// A file that cannot be written, or a folder that cannot be made.
    pub fn not_written(summary: impl Into<String>, path: &Path, error: &std::io::Error) -> Self {
        Self::new(summary, format!("Cannot write `{}`: {error}.", path.display())).remedied(error)
    }

    /// Adds what a person can do about the cause, where that is known.
    fn remedied(mut self, cause: &(dyn Error + 'static)) -> Self {
        if let Some(remedy) = remedy(cause) {
            self.detail += &format!(" {remedy}");
        }
        self
    }

    /// A failure that is known as findings about the arguments: it has the summary and the path of the first, and the details of all,
    /// each with its hints.
    pub fn found(findings: &Diagnostics) -> Self {
        let text = |finding: &Diagnostic| {
            finding.hints.iter().fold(finding.detail.clone(), |text, hint| format!("{text} {hint}"))
        };
        let details: Vec<String> = findings.iter().map(text).collect();
        let first = findings.iter().next();
        let summary = first.map_or("Stage failed", |first| first.summary.as_str());
        Self { path: first.and_then(|first| first.path.clone()), ..Self::new(summary, details.join("\n")) }
    }

    /// Says where in the stage's arguments the cause stands.
    #[must_use]
    pub fn on(mut self, path: ValuePath) -> Self {
        self.path = Some(path);
        self
    }

    /// Says where in the stage's arguments the cause stands, when nobody has said so before.
    #[must_use]
    pub fn or_on(mut self, path: ValuePath) -> Self {
        self.path.get_or_insert(path);
        self
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

/// An error with all that caused it, as a sentence.
///
/// A first word gets a capital letter; what begins with a file name or another text from outside keeps it. What ends like a sentence is left
/// to end so.
pub fn sentence(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    let mut text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    let first = text.split(char::is_whitespace).next().unwrap_or_default();
    let is_word = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_lowercase());
    text[..usize::from(is_word)].make_ascii_uppercase();
    if !text.ends_with(['.', '?', '!']) {
        text.push('.');
    }
    text
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

    /// Writes an output by its path in the output folder, and makes the folders on the way there.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> Result<(), StageError> {
        let path = self.output.join(name);
        let folder = path.parent().unwrap_or(&self.output);
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&path, bytes))
            .map_err(|error| StageError::not_written("Output not writable", &path, &error))
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

#[cfg(test)]
mod tests {
    use super::*;
    use pipectl_core::Diagnostic;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Said {
        text: &'static str,
        source: Option<std::io::Error>,
    }

    #[test]
    fn errors_become_sentences() {
        let sentence = |text, source| sentence(&Said { text, source });
        assert_eq!(
            sentence("the file is cut", Some(std::io::Error::other("too short"))),
            "The file is cut: too short."
        );
        assert_eq!(sentence("data/a.parquet: no footer", None), "data/a.parquet: no footer.");
        assert_eq!(sentence("é is no name", None), "é is no name.");
        assert_eq!(sentence("no such. Did you mean \"y\"?", None), "No such. Did you mean \"y\"?");
        assert_eq!(sentence("", None), ".");
    }

    #[test]
    fn findings_become_one_failure_at_the_first_place() {
        let found = |detail: &str, path: &str| Diagnostic::error("Wrong column", detail).on(ValuePath::parse(path));
        let failure =
            StageError::found(&[found("No `a`.", "step[1].columns[0]"), found("No `b`.", "by")].into_iter().collect());
        assert_eq!(failure.to_string(), "Wrong column: No `a`.\nNo `b`.");
        assert_eq!(failure.path, Some(ValuePath::parse("step[1].columns[0]")));
        assert!(!failure.transient && !failure.stopped);
    }
}
