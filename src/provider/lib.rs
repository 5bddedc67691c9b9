//! What providers and kinds of resources implement, and what they are given: traits, instances, context.
//!
//! Knows no HCL, no engine, no cloud. Shapes stay mappable one to one to Terraform's plugin protocol 6.
//! The engine calls these traits; providers and stages implement them; `cli` brings both together.

pub mod arguments;
pub mod artifacts;
pub mod cancel;
pub mod context;
pub mod environment;
pub mod ephemeral;
pub mod event;
pub mod instance;
pub mod kinds;
mod limited;
pub mod planning;
pub mod provider;
pub mod registry;
pub mod resource;
pub mod rules;
pub mod shared_objects;
pub mod waiting;

pub use artifacts::{ArtifactError, ArtifactStore, FileEntry, Manifest, ViewState};
pub use cancel::{Cancel, Stop};
pub use context::Cx;
pub use environment::Environment;
pub use ephemeral::{Ephemeral, Lease, Opened};
pub use event::{Event, EventSink, Progress};
pub use instance::{ApplyOutcome, Found, Instance, Intent};
pub use kinds::Kinds;
pub use provider::{PlainProvider, Provider};
pub use registry::{Registry, ValueBlock};
pub use resource::{DataSource, Effect, PlanRequest, PlanResponse, ReadOutcome, Reason, Resource};
pub use shared_objects::{SharedObjects, SharedObjectsKind};
