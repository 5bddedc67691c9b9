//! The artifact store as stages and the engine see it: blobs by digest, manifests, actions, views.

use std::path::{Path, PathBuf};

use pipectl_core::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// One file of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Path inside the artifact, with `/`.
    pub path: String,
    /// Size.
    pub bytes: u64,
    /// Content.
    pub digest: Digest,
}

/// What one run of a stage made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this form: 1.
    pub version: u32,
    /// Files by path, sorted.
    pub files: Vec<FileEntry>,
    /// Output values by name.
    pub values: Json,
}

impl Manifest {
    /// A manifest of version 1; files are sorted here.
    pub fn new(mut files: Vec<FileEntry>, values: Json) -> Self {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self { version: 1, files, values }
    }

    /// The bytes whose digest names the manifest: compact JSON, keys sorted.
    pub fn canonical(&self) -> Vec<u8> {
        let json = serde_json::to_value(self).expect("a manifest is plain data");
        json.to_string().into_bytes()
    }

    /// Digest of the canonical bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.canonical())
    }

    /// Digest of one output: the file `path` itself, or the folder `path` with everything below. `None` when there is nothing.
    pub fn output_digest(&self, path: &str) -> Option<Digest> {
        if let Some(file) = self.files.iter().find(|file| file.path == path) {
            return Some(file.digest);
        }
        let prefix = format!("{path}/");
        let below: Vec<String> = self
            .files
            .iter()
            .filter_map(|file| Some(format!("{} {}\n", file.path.strip_prefix(&prefix)?, file.digest)))
            .collect();
        (!below.is_empty()).then(|| Digest::of(below.concat().as_bytes()))
    }
}

/// How a readable view compares with its manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewState {
    /// Every file is there with the right content, as far as sizes and the stat cache tell.
    Intact,
    /// What is different, in words: "output `model.onnx` is missing".
    Drifted(Vec<String>),
}

/// An artifact store failed.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// A file could not be read or written.
    #[error("cannot {doing} `{path}`")]
    Io {
        /// A verb.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A stored file does not hold what its name says.
    #[error("`{path}` is damaged: {message}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The place that several machines share refused, or did not answer.
    #[error("cannot {doing} `{name}`: {message}")]
    Shared {
        /// A verb.
        doing: &'static str,
        /// The object.
        name: String,
        /// What was said.
        message: String,
    },
}

/// Stores what stages make. Calls block; long ones belong on a blocking thread.
///
/// A crash at any point leaves either the whole of a manifest and its action, or neither.
pub trait ArtifactStore: Send + Sync {
    /// Digest of a source file, through the stat cache.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn source_digest(&self, path: &Path) -> Result<Digest, ArtifactError>;

    /// Makes blobs of everything under `folder` (it is consumed) and lists it.
    ///
    /// # Errors
    /// When a file cannot be read or stored.
    fn ingest(&self, folder: &Path) -> Result<Vec<FileEntry>, ArtifactError>;

    /// Stores a manifest whose blobs are all there, and returns its digest.
    ///
    /// # Errors
    /// When it cannot be stored.
    fn publish(&self, manifest: &Manifest) -> Result<Digest, ArtifactError>;

    /// A stored manifest.
    ///
    /// # Errors
    /// When it cannot be read or is damaged; absent is `None`.
    fn manifest(&self, digest: &Digest) -> Result<Option<Manifest>, ArtifactError>;

    /// Remembers that running `key` made `manifest`.
    ///
    /// # Errors
    /// When it cannot be stored.
    fn record_action(&self, key: &Digest, manifest: &Digest) -> Result<(), ArtifactError>;

    /// What running `key` made before, if the manifest and all its blobs are still there.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn action(&self, key: &Digest) -> Result<Option<Manifest>, ArtifactError>;

    /// Lays the files of a manifest out under `view`, exactly: other files there go away.
    ///
    /// # Errors
    /// When a blob is missing or a file cannot be written.
    fn materialise(&self, manifest: &Manifest, view: &Path) -> Result<(), ArtifactError>;

    /// Compares a view with its manifest.
    ///
    /// # Errors
    /// When the view cannot be read.
    fn view_state(&self, manifest: &Manifest, view: &Path) -> Result<ViewState, ArtifactError>;

    /// Removes a view. Already gone is success.
    ///
    /// # Errors
    /// When a file cannot be removed.
    fn remove_view(&self, view: &Path) -> Result<(), ArtifactError>;

    /// A new empty folder on the store's file system, for a run to write to.
    ///
    /// # Errors
    /// When it cannot be made.
    fn scratch(&self) -> Result<PathBuf, ArtifactError>;
}
