//! A context for calls in tests: no artifacts, no environment, nobody listening.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use pipectl_core::Digest;
use pipectl_provider::context::{Fingerprints, Recorder};
use pipectl_provider::event::Silent;
use pipectl_provider::{ArtifactError, ArtifactStore, Cancel, Cx, Environment, FileEntry, Manifest, ViewState};

/// The context of a call about the object at `address`. Its artifact store is empty and keeps nothing, its environment has no variables and
/// a clock that stands at 1970, its folders do not exist, its events and records go nowhere.
pub fn context(address: &str, token: &str) -> Cx {
    Cx {
        address: address.to_owned(),
        cancel: Cancel::new(),
        events: Arc::new(Silent),
        environment: Arc::new(Nowhere),
        artifacts: Arc::new(NoArtifacts),
        token: token.to_owned(),
        root: PathBuf::from("root"),
        work: PathBuf::from("work"),
        view: PathBuf::from("artifacts"),
        recorder: Recorder::none(),
        fingerprints: Fingerprints::none(),
    }
}

struct Nowhere;

impl Environment for Nowhere {
    fn variable(&self, _name: &str) -> Option<String> {
        None
    }

    fn home(&self) -> Option<PathBuf> {
        None
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn program(&self) -> PathBuf {
        PathBuf::from("pipectl")
    }
}

struct NoArtifacts;

fn unsupported(doing: &'static str, path: &Path) -> ArtifactError {
    ArtifactError::Io { doing, path: path.to_owned(), source: std::io::ErrorKind::Unsupported.into() }
}

impl ArtifactStore for NoArtifacts {
    fn source_digest(&self, path: &Path) -> Result<Digest, ArtifactError> {
        Err(unsupported("read", path))
    }

    fn ingest(&self, folder: &Path) -> Result<Vec<FileEntry>, ArtifactError> {
        Err(unsupported("store", folder))
    }

    fn publish(&self, _manifest: &Manifest) -> Result<Digest, ArtifactError> {
        Err(unsupported("store", Path::new("manifest")))
    }

    fn manifest(&self, _digest: &Digest) -> Result<Option<Manifest>, ArtifactError> {
        Ok(None)
    }

    fn record_action(&self, _key: &Digest, _manifest: &Digest) -> Result<(), ArtifactError> {
        Err(unsupported("store", Path::new("action")))
    }

    fn action(&self, _key: &Digest) -> Result<Option<Manifest>, ArtifactError> {
        Ok(None)
    }

    fn materialise(&self, _manifest: &Manifest, view: &Path) -> Result<(), ArtifactError> {
        Err(unsupported("write", view))
    }

    fn view_state(&self, _manifest: &Manifest, view: &Path) -> Result<ViewState, ArtifactError> {
        Err(unsupported("read", view))
    }

    fn remove_view(&self, _view: &Path) -> Result<(), ArtifactError> {
        Ok(())
    }

    fn scratch(&self) -> Result<PathBuf, ArtifactError> {
        Err(unsupported("make", Path::new("scratch")))
    }
}
