//! Stages: what a stage kind implements, how a stage becomes a resource, and how it reaches the machine that runs it.
//!
//! A stage is a pure step: evaluated arguments and the content of its inputs decide its outputs. That makes it idempotent by content:
//! [`key`] turns both into a digest, [`resource::StageResource`] plans by comparing digests and looks into the action cache before it runs
//! anything. Running is the business of an [`executor::Executor`], which hands a [`job::Job`] to worker processes.
//! This crate starts no process itself (`worker`, `executor-kubernetes` do) and knows no stage kind (`stage-*` do).

pub mod artifact;
pub mod executor;
pub mod io;
pub mod job;
pub mod key;
pub mod kind;
pub mod output;
pub mod reference;
pub mod resource;
pub mod resources;
pub mod sources;
pub mod testing;

pub use artifact::Artifact;
pub use executor::{ExecuteError, Executor, Executors, Finished, Task};
pub use io::{Control, StageError, StageIo};
pub use job::{Job, PROTOCOL, WorkerEvent};
pub use key::{Key, KeyParts, Part};
pub use kind::{Stage, Stages};
pub use output::{Output, OutputKind};
pub use resource::StageResource;
pub use resources::Resources;
pub use sources::SourceFile;
