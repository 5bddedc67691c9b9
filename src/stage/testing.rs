//! What tests of a stage kind stand on: a job that runs alone, and an end of the wire that listens. No executor, no process.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pipectl_provider::Progress;
use serde_json::Value as Json;

use crate::{Control, Job, PROTOCOL, WorkerEvent};

/// The job of a single rank with two threads below `root`: it writes to `output`, `scratch` and `checkpoint`, which are made.
///
/// # Errors
/// When the folders cannot be made.
pub fn job(kind: &str, root: &Path, arguments: Json) -> io::Result<Job> {
    let folder = |name: &str| {
        let path = root.join(name);
        std::fs::create_dir_all(&path).map(|()| path)
    };
    Ok(Job {
        protocol: PROTOCOL,
        program: "test".to_owned(),
        address: format!("stage.{kind}.test"),
        kind: kind.to_owned(),
        arguments,
        sources: BTreeMap::new(),
        key: "sha256:0".to_owned(),
        rank: 0,
        workers: 1,
        root: root.to_owned(),
        output: folder("output")?,
        scratch: folder("scratch")?,
        checkpoint: folder("checkpoint")?,
        threads: 2,
    })
}

/// Hears what a stage says. Clones hear the same.
#[derive(Clone, Debug, Default)]
pub struct Listener {
    stop: bool,
    variables: BTreeMap<String, String>,
    events: Arc<Mutex<Vec<WorkerEvent>>>,
}

impl Listener {
    /// The same, but it asks the stage to stop.
    #[must_use]
    pub fn stopping(mut self) -> Self {
        self.stop = true;
        self
    }

    /// The same with an environment variable of the worker.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// All that it heard, in order.
    pub fn events(&self) -> Vec<WorkerEvent> {
        self.lock().clone()
    }

    /// Texts of messages, in order.
    pub fn messages(&self) -> Vec<String> {
        self.pick(|event| match event {
            WorkerEvent::Message { text } => Some(text.clone()),
            _ => None,
        })
    }

    /// Texts of warnings, in order.
    pub fn warnings(&self) -> Vec<String> {
        self.pick(|event| match event {
            WorkerEvent::Warning { text } => Some(text.clone()),
            _ => None,
        })
    }

    /// Reports of progress, in order.
    pub fn progress(&self) -> Vec<Progress> {
        self.pick(|event| match event {
            WorkerEvent::Progress(progress) => Some(progress.clone()),
            _ => None,
        })
    }

    fn pick<T>(&self, pick: impl FnMut(&WorkerEvent) -> Option<T>) -> Vec<T> {
        self.lock().iter().filter_map(pick).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<WorkerEvent>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control for Listener {
    fn send(&self, event: WorkerEvent) {
        self.lock().push(event);
    }

    fn stop_requested(&self) -> bool {
        self.stop
    }

    fn rendezvous(&self, _: Duration) -> Option<String> {
        None
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }
}
