//! The protocol between an executor and its worker processes.
//!
//! A worker (`pipectl worker JOB.json`) reads one [`Job`], writes one [`WorkerEvent`] per line to standard output, and reads [`ControlLine`]s
//! from standard input. When standard input closes, its executor is gone and the worker ends at once, so that no second run can meet it at a
//! checkpoint. Standard error is the user's log.

use std::path::{Path, PathBuf};

use pipectl_core::Path as ValuePath;
use pipectl_provider::Progress;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::StageError;

/// Version of the protocol; checked at start together with the program's version.
pub const PROTOCOL: u32 = 1;

/// One rank's work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// [`PROTOCOL`] of the writer.
    pub protocol: u32,
    /// Version of the program that wrote it.
    pub program: String,
    /// The stage's address.
    pub address: String,
    /// The stage kind.
    pub kind: String,
    /// The evaluated arguments as JSON: every argument and block of the schema, null where absent. Artifacts are objects with `digest` and `path`.
    pub arguments: Json,
    /// Files that source arguments match, in order of their names, by argument; absolute.
    pub sources: std::collections::BTreeMap<String, Vec<PathBuf>>,
    /// The stage's key.
    pub key: String,
    /// This process, from 0.
    pub rank: u32,
    /// How many processes.
    pub workers: u32,
    /// The root folder: relative paths of artifacts start here.
    pub root: PathBuf,
    /// Where outputs go. Only rank 0 writes there.
    pub output: PathBuf,
    /// A folder for temporary files of this rank.
    pub scratch: PathBuf,
    /// A folder that survives a crash and belongs to the key: checkpoints.
    pub checkpoint: PathBuf,
    /// Threads that this rank may use.
    pub threads: usize,
}

impl Job {
    /// The absolute path of an artifact argument: `{ digest, path }`. `None` where it is absent.
    pub fn artifact(&self, argument: &str) -> Option<PathBuf> {
        let path = self.arguments.get(argument)?.get("path")?.as_str()?;
        Some(self.resolve(path))
    }

    /// The absolute path of a path relative to the root folder.
    pub fn resolve(&self, path: &str) -> PathBuf {
        self.root.join(Path::new(path))
    }

    /// The absolute path of an artifact argument that must be there.
    ///
    /// # Errors
    /// When it is absent, or something else than an artifact: its type is `any`, so the schema lets that pass.
    pub fn required_artifact(&self, argument: &str) -> Result<PathBuf, StageError> {
        self.artifact(argument).ok_or_else(|| {
            let detail = format!(
                "The argument `{argument}` takes an output of another stage: an object with `digest` and `path`."
            );
            StageError::new("Missing artifact", detail).on(ValuePath::of(argument))
        })
    }

    /// The arguments as a type of the stage's own. Null counts as absent (`Option`).
    ///
    /// # Errors
    /// When they do not fit: the schema has been checked before, so what is left are ranges that only the type knows.
    pub fn arguments_as<T: serde::de::DeserializeOwned>(&self) -> Result<T, StageError> {
        serde_json::from_value(without_nulls(&self.arguments))
            .map_err(|error| StageError::caused("Invalid arguments", &error))
    }
}

/// The same JSON without object members that are null.
pub fn without_nulls(json: &Json) -> Json {
    match json {
        Json::Object(members) => Json::Object(
            members
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name.clone(), without_nulls(value)))
                .collect(),
        ),
        Json::Array(elements) => Json::Array(elements.iter().map(without_nulls).collect()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => json.clone(),
    }
}

/// One line of a worker's standard output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum WorkerEvent {
    /// The first line: who speaks.
    Hello {
        /// [`PROTOCOL`] of the worker.
        protocol: u32,
        /// Version of the worker's program.
        program: String,
        /// Its process.
        pid: u32,
    },
    /// Rank 0 listens for the other ranks.
    Listening {
        /// host:port
        address: String,
    },
    /// How far it is.
    Progress(Progress),
    /// A line for people.
    Message {
        /// The text.
        text: String,
    },
    /// Something odd that does not stop it.
    Warning {
        /// The text.
        text: String,
    },
    /// An output value.
    Value {
        /// The output's name.
        name: String,
        /// Its value.
        value: Json,
    },
    /// The last line: all is written.
    Done,
    /// The last line: stopped when asked, at a checkpoint.
    Stopped,
    /// The last line: it failed.
    Failed {
        /// What is wrong.
        summary: String,
        /// Why, and what to do.
        detail: String,
        /// Where in the job's arguments the cause stands, where that is known: `step[4].by`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        /// Whether another attempt may help.
        transient: bool,
    },
}

/// One line of a worker's standard input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "control", rename_all = "snake_case")]
pub enum ControlLine {
    /// Where rank 0 listens.
    Rendezvous {
        /// host:port
        address: String,
    },
    /// Checkpoint and stop.
    Stop,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_documented() {
        let line = serde_json::to_string(&WorkerEvent::Listening { address: "127.0.0.1:4000".to_owned() })
            .expect("plain data");
        assert_eq!(line, r#"{"event":"listening","address":"127.0.0.1:4000"}"#);
        let failed = |path: Option<&str>| WorkerEvent::Failed {
            summary: "Unlucky number".to_owned(),
            detail: "Take another one.".to_owned(),
            path: path.map(str::to_owned),
            transient: false,
        };
        let line = serde_json::to_string(&failed(Some("step[4].by"))).expect("plain data");
        let expected = r#"{"event":"failed","summary":"Unlucky number","detail":"Take another one.","path":"step[4].by","transient":false}"#;
        assert_eq!(line, expected);
        let without = expected.replace(r#""path":"step[4].by","#, "");
        assert_eq!(serde_json::from_str::<WorkerEvent>(&without).expect("the path may be absent"), failed(None));
        let line = serde_json::to_string(&ControlLine::Stop).expect("plain data");
        assert_eq!(line, r#"{"control":"stop"}"#);
    }
}
