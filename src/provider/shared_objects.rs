//! Places where several machines keep what stages have made, as a block of a pipeline names them.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use pipectl_core::{Diagnostics, Schema, Value};

/// A kind of place: what `artifact_store "s3" { ... }` takes, and what it means.
pub trait SharedObjectsKind: fmt::Debug + Send + Sync {
    /// The block's label.
    fn name(&self) -> &'static str;

    /// What the block takes. It holds constants.
    fn schema(&self) -> Schema;

    /// What is wrong with the arguments, which are as [`schema`](Self::schema) says. Asks nobody: `validate` calls it.
    fn check(&self, arguments: &Value) -> Diagnostics;

    /// The place that the arguments name. Paths of files among them begin at `root`. Nobody is asked for anything yet.
    ///
    /// # Errors
    /// When the arguments cannot be used.
    fn open(&self, arguments: &Value, root: &Path) -> Result<Arc<dyn SharedObjects>, Diagnostics>;
}

/// Objects that several machines share. Calls block, are repeated by whoever implements them, and may come from several threads.
pub trait SharedObjects: fmt::Debug + Send + Sync {
    /// What people call the place: `s3://bucket/artifacts`.
    fn name(&self) -> String;

    /// A small object; `None` where there is none.
    ///
    /// # Errors
    /// When the place refuses or does not answer, as text for people; here and below.
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, String>;

    /// Writes a small object, in place of one that is there.
    ///
    /// # Errors
    /// As above.
    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), String>;

    /// How many bytes each object has; `None` where there is none.
    ///
    /// # Errors
    /// As above.
    fn sizes(&self, keys: &[String]) -> Result<Vec<Option<u64>>, String>;

    /// Writes an object of any size from a file. Its key names its content: parts of an upload that was interrupted may be used again.
    ///
    /// # Errors
    /// As above; when the file cannot be read.
    fn upload(&self, key: &str, from: &Path, bytes: u64) -> Result<(), String>;

    /// Reads an object of any size into a new file. `false`: there is none.
    ///
    /// # Errors
    /// As above; when the file cannot be written.
    fn download(&self, key: &str, to: &Path, bytes: u64) -> Result<bool, String>;
}
