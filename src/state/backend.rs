//! Kinds of places where states are kept, as a `backend` block names them.

use std::fmt;
use std::path::Path;

use pipectl_core::{Diagnostics, Schema, Value};

use crate::{Encryption, StateError, StateStore};

/// A kind of backend: what `backend "s3" { ... }` takes, and what it means.
pub trait BackendKind: fmt::Debug + Send + Sync {
    /// The block's label.
    fn name(&self) -> &'static str;

    /// What the block takes. It is read before there are variables or a state: it holds constants.
    fn schema(&self) -> Schema;

    /// What is wrong with the arguments, which are as [`schema`](Self::schema) says. Asks nobody: `validate` calls it.
    fn check(&self, arguments: &Value) -> Diagnostics;

    /// The place that the arguments name. Paths of files among them begin at `root`.
    ///
    /// # Errors
    /// When the arguments, or what the environment adds to them, cannot be used.
    fn open(&self, arguments: &Value, root: &Path) -> Result<Box<dyn Backend>, Diagnostics>;
}

/// A place with the states of all workspaces of one root module. Calls block.
pub trait Backend: fmt::Debug + Send + Sync {
    /// What people call the state of a workspace: `s3://bucket/hep`.
    fn shown(&self, workspace: &str) -> String;

    /// What tells the place of a workspace's state from all others, in one line and without secrets: what is shown, and the server where the
    /// arguments name one. Checkouts remember it, so it stays the same as long as the place does.
    fn place(&self, workspace: &str) -> String;

    /// The state of a workspace, which need not be there yet.
    fn store(&self, workspace: &str, encryption: Encryption) -> Box<dyn StateStore>;

    /// Terraform's own state of a workspace, as its backend of the same name keeps it at the same place; `None` where there is none.
    ///
    /// # Errors
    /// When the place cannot be read.
    fn terraform(&self, workspace: &str) -> Result<Option<StateOfTerraform>, StateError>;

    /// The workspaces that have a state here, in order.
    ///
    /// # Errors
    /// When the place cannot be read.
    fn workspaces(&self) -> Result<Vec<String>, StateError>;
}

/// A state that Terraform keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateOfTerraform {
    /// What people call the place.
    pub name: String,
    /// What lies there: a file of version 4, if all is well.
    pub bytes: Vec<u8>,
}
