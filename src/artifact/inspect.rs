//! Looking at a store: what is in it, and whether it is still what it was.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use pipectl_core::Digest;
use pipectl_provider::{ArtifactError, ArtifactStore as _, Manifest};

use crate::LocalStore;
use crate::disk::{self, Result, failed};
use crate::places::named_digest;
use crate::store::Blob;

/// One manifest of a store.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Its digest.
    pub digest: Digest,
    /// Its files and values.
    pub manifest: Manifest,
    /// Keys of the action cache that have it.
    pub keys: Vec<Digest>,
    /// When it was published.
    pub published: SystemTime,
}

impl Listed {
    /// Size of all its files.
    pub fn bytes(&self) -> u64 {
        self.manifest.files.iter().map(|file| file.bytes).sum()
    }
}

/// What reading a whole store showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Blobs read.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Manifests read.
    pub manifests: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Something wrong in a store. What is damaged was set aside, so the stages concerned run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, in words: "it has 3 bytes instead of 9".
    pub message: String,
}

impl LocalStore {
    /// All manifests, the latest first. Damaged ones are left out: `verify` tells of them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>> {
        let mut keys: BTreeMap<Digest, Vec<Digest>> = BTreeMap::new();
        for path in disk::entries(&self.places.actions())? {
            if let (Some(key), Some(manifest)) = (named_digest(&path), self.read_action(&path)?) {
                keys.entry(manifest).or_default().push(key);
            }
        }
        let mut listed = Vec::new();
        for path in disk::entries(&self.places.manifests())? {
            let Some(digest) = named_digest(&path) else { continue };
            let manifest = match self.manifest(&digest) {
                Ok(Some(manifest)) => manifest,
                Ok(None) | Err(ArtifactError::Damaged { .. }) => continue,
                Err(error) => return Err(error),
            };
            let published =
                fs::metadata(&path).and_then(|metadata| metadata.modified()).map_err(failed("read", &path))?;
            listed.push(Listed { digest, manifest, keys: keys.remove(&digest).unwrap_or_default(), published });
        }
        listed.sort_by_key(|listed| (std::cmp::Reverse(listed.published), listed.digest));
        Ok(listed)
    }

    /// Reads everything in the store and compares it with its digests; `progress` hears how many bytes are read of how many.
    /// What is damaged is set aside.
    ///
    /// # Errors
    /// When a file cannot be read or set aside.
    pub fn verify(&self, mut progress: impl FnMut(u64, u64)) -> Result<Verified> {
        let mut verified = Verified::default();
        let mut blobs = Vec::new();
        for folder in disk::entries(&self.places.blobs())? {
            for path in disk::entries(&folder)? {
                let bytes = fs::symlink_metadata(&path).map_err(failed("read", &path))?.len();
                blobs.push((path, bytes));
            }
        }
        let total = blobs.iter().map(|(_, bytes)| bytes).sum();
        for (path, bytes) in blobs {
            // What the cache knows is what is in question.
            self.cache.forget(&path);
            if let Some(digest) = named_digest(&path) {
                verified.blobs += 1;
                if let Blob::Damaged(message) = self.usable(&digest, bytes)? {
                    verified.findings.push(Finding { path, message });
                }
            }
            verified.bytes += bytes;
            progress(verified.bytes, total);
        }
        let mut missing = BTreeSet::new();
        for path in disk::entries(&self.places.manifests())? {
            let Some(digest) = named_digest(&path) else { continue };
            verified.manifests += 1;
            match self.manifest(&digest) {
                Ok(manifest) => {
                    for file in manifest.iter().flat_map(|manifest| &manifest.files) {
                        let blob = self.places.blob(&file.digest);
                        if self.look(&file.digest, file.bytes)? != Blob::Sound && missing.insert(blob.clone()) {
                            let message = format!("it is missing, and `{}` needs it", path.display());
                            verified.findings.push(Finding { path: blob, message });
                        }
                    }
                }
                Err(ArtifactError::Damaged { path, message }) => {
                    self.set_aside(&path, || Ok(matches!(self.manifest(&digest), Err(ArtifactError::Damaged { .. }))))?;
                    verified.findings.push(Finding { path, message });
                }
                Err(error) => return Err(error),
            }
        }
        // The cache only saves time: what was found counts also where nothing can be written.
        let _ = self.cache.save();
        Ok(verified)
    }
}
