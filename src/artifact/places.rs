//! Where things lie in a store folder.

use std::path::{Path, PathBuf};

use pipectl_core::Digest;

/// The paths of one store.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    folder: PathBuf,
}

impl Places {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.folder.join("blobs")
    }

    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        self.folder.join(Names::blob(digest))
    }

    pub(crate) fn manifests(&self) -> PathBuf {
        self.folder.join("manifests")
    }

    pub(crate) fn manifest(&self, digest: &Digest) -> PathBuf {
        self.folder.join(Names::manifest(digest))
    }

    pub(crate) fn actions(&self) -> PathBuf {
        self.folder.join("actions")
    }

    pub(crate) fn action(&self, key: &Digest) -> PathBuf {
        self.folder.join(Names::action(key))
    }

    pub(crate) fn damaged(&self) -> PathBuf {
        self.folder.join("damaged")
    }

    pub(crate) fn working(&self) -> PathBuf {
        self.folder.join("tmp")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.folder.join("lock")
    }

    pub(crate) fn stat_cache(&self) -> PathBuf {
        self.folder.join("stat-cache")
    }
}

/// What things are called, below a store's folder and elsewhere.
pub(crate) struct Names;

impl Names {
    pub(crate) fn blob(digest: &Digest) -> String {
        let hex = digest.hex();
        format!("blobs/{}/{hex}", &hex[..2])
    }

    pub(crate) fn manifest(digest: &Digest) -> String {
        format!("manifests/{}.json", digest.hex())
    }

    pub(crate) fn action(key: &Digest) -> String {
        format!("actions/{}", key.hex())
    }
}

/// The digest that a file of the store is named after: of a blob, an action or `<hex>.json`.
pub(crate) fn named_digest(path: &Path) -> Option<Digest> {
    let name = path.file_name()?.to_str()?;
    format!("sha256:{}", name.strip_suffix(".json").unwrap_or(name)).parse().ok()
}
