//! A store that several machines share: what one of them has made, none of the others makes again.
//!
//! Before the objects that they share stands a local store, which holds whatever this machine has used. Objects have the names of the local
//! store's files: `blobs/<2 hex>/<64 hex>`, `manifests/<64 hex>.json`, `actions/<64 hex>`. All but actions are named after their content, so
//! whoever writes one writes the same; of two manifests of one action either is as good as the other.
//!
//! Blobs are written first, then the manifest, then the action: whoever sees an action sees all that it needs. What is fetched is held against its
//! digest before it counts. Nothing is ever removed here: how long objects are kept is for the rules of the bucket.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pipectl_core::Digest;
use pipectl_provider::{ArtifactError, ArtifactStore, FileEntry, Manifest, SharedObjects, ViewState};

use crate::LocalStore;
use crate::disk::{self, Result};
use crate::places::Names;
use crate::store::{self, Blob};

/// How many files are fetched or written at the same time. Large ones are split further by whoever carries them.
const AT_ONCE: usize = 8;

/// A local store before objects that several machines share.
pub struct SharedStore {
    local: LocalStore,
    objects: Arc<dyn SharedObjects>,
    /// Whether nothing is written there.
    is_read_only: bool,
    /// Blobs that do not hold what their name says, and keys of actions that are not whole: to be written again.
    damaged: Mutex<BTreeSet<Digest>>,
}

impl SharedStore {
    /// A local store before these objects. `is_read_only`: what others have made is used, and what is made here stays here.
    pub fn new(local: LocalStore, objects: Arc<dyn SharedObjects>, is_read_only: bool) -> Self {
        Self { local, objects, is_read_only, damaged: Mutex::new(BTreeSet::new()) }
    }

    fn failed(&self, doing: &'static str, key: &str) -> impl FnOnce(String) -> ArtifactError {
        let name = format!("{}/{key}", self.objects.name());
        move |message| ArtifactError::Shared { doing, name, message }
    }

    /// Writes what an action needs and is not there, and then the action, in place of one that is there.
    fn share(&self, key: &Digest, manifest: &Manifest) -> Result<()> {
        let action = Names::action(key);
        let files = unique(manifest);
        let keys: Vec<String> = files.iter().map(|file| Names::blob(&file.digest)).collect();
        let sizes = self.objects.sizes(&keys).map_err(self.failed("look for", "blobs"))?;
        let damaged = self.damaged().clone();
        let is_missing =
            |(file, size): &(&FileEntry, Option<u64>)| *size != Some(file.bytes) || damaged.contains(&file.digest);
        let missing: Vec<&FileEntry> = files.into_iter().zip(sizes).filter(is_missing).map(|(file, _)| file).collect();
        each(&missing, |file| {
            let key = Names::blob(&file.digest);
            let blob = self.local.places.blob(&file.digest);
            self.objects.upload(&key, &blob, file.bytes).map_err(self.failed("write", &key))?;
            self.damaged().remove(&file.digest);
            Ok(())
        })?;
        let (name, bytes) = (Names::manifest(&manifest.digest()), manifest.canonical());
        self.objects.put(&name, &bytes).map_err(self.failed("write", &name))?;
        self.objects.put(&action, &store::action_bytes(&manifest.digest())).map_err(self.failed("write", &action))?;
        self.damaged().remove(key);
        Ok(())
    }

    /// Whether there is an action there already, as far as it was not found to be damaged.
    fn is_shared(&self, key: &Digest) -> Result<bool> {
        let action = Names::action(key);
        let found = self.objects.get(&action).map_err(self.failed("read", &action))?;
        Ok(found.is_some() && !self.damaged().contains(key))
    }

    fn damaged(&self) -> MutexGuard<'_, BTreeSet<Digest>> {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings here what an action from elsewhere has made; `None` where it is not whole.
    fn shared_action(&self, key: &Digest, bytes: &[u8]) -> Result<Option<Manifest>> {
        let Some(digest) = store::parse_action(bytes) else { return Ok(None) };
        let manifest = match self.manifest(&digest) {
            Ok(Some(manifest)) => manifest,
            Ok(None) | Err(ArtifactError::Damaged { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        if !self.fetch(&manifest)? {
            return Ok(None);
        }
        self.local.publish(&manifest)?;
        self.local.record_action(key, &digest)?;
        Ok(Some(manifest))
    }

    /// A manifest from elsewhere.
    fn shared_manifest(&self, digest: &Digest) -> Result<Option<Manifest>> {
        let key = Names::manifest(digest);
        let Some(bytes) = self.objects.get(&key).map_err(self.failed("read", &key))? else { return Ok(None) };
        let path = PathBuf::from(format!("{}/{key}", self.objects.name()));
        store::parse_manifest(&path, &bytes, digest).map(Some)
    }

    /// Fetches the blobs of a manifest that the local store lacks. `false`: not all of them are there.
    fn fetch(&self, manifest: &Manifest) -> Result<bool> {
        // From here on nobody collects what arrives.
        self.local.pin(manifest)?;
        let mut missing = Vec::new();
        for file in unique(manifest) {
            if self.local.usable(&file.digest, file.bytes)? != Blob::Sound {
                missing.push(file);
            }
        }
        let absent = Mutex::new(false);
        each(&missing, |file| {
            if !self.fetch_blob(file)? {
                *absent.lock().unwrap_or_else(PoisonError::into_inner) = true;
            }
            Ok(())
        })?;
        Ok(!absent.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn fetch_blob(&self, file: &FileEntry) -> Result<bool> {
        let key = Names::blob(&file.digest);
        let folder = self.local.scratch()?;
        let path = folder.join(file.digest.hex());
        let found = self.objects.download(&key, &path, file.bytes).map_err(self.failed("read", &key));
        if !matches!(found, Ok(true)) {
            disk::remove(&folder)?;
            return found;
        }
        // Whatever it is, it is stored under the digest that it has.
        let is_sound = self.local.ingest(&folder)?.iter().all(|stored| stored.digest == file.digest);
        if !is_sound {
            self.damaged().insert(file.digest);
        }
        Ok(is_sound)
    }
}

/// The files of a manifest, each content once.
fn unique(manifest: &Manifest) -> Vec<&FileEntry> {
    let mut seen = BTreeSet::new();
    manifest.files.iter().filter(|file| seen.insert(file.digest)).collect()
}

/// Does something to several files at the same time, and stops at the first that fails.
fn each(files: &[&FileEntry], work: impl Fn(&FileEntry) -> Result<()> + Sync) -> Result<()> {
    let next = Mutex::new(files.iter());
    let failure = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(files.len()) {
            scope.spawn(|| {
                loop {
                    let file = next.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let has_failed = failure.lock().unwrap_or_else(PoisonError::into_inner).is_some();
                    let Some(file) = file.filter(|_| !has_failed) else { return };
                    if let Err(error) = work(file) {
                        failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    }
                }
            });
        }
    });
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

impl ArtifactStore for SharedStore {
    fn source_digest(&self, path: &Path) -> Result<Digest> {
        self.local.source_digest(path)
    }

    fn ingest(&self, folder: &Path) -> Result<Vec<FileEntry>> {
        self.local.ingest(folder)
    }

    fn publish(&self, manifest: &Manifest) -> Result<Digest> {
        self.local.publish(manifest)
    }

    fn manifest(&self, digest: &Digest) -> Result<Option<Manifest>> {
        match self.local.manifest(digest)? {
            Some(manifest) => Ok(Some(manifest)),
            None => self.shared_manifest(digest),
        }
    }

    fn record_action(&self, key: &Digest, manifest: &Digest) -> Result<()> {
        // Here first: if the others cannot be told now, nothing has to be made again, and they are told with the next run.
        self.local.record_action(key, manifest)?;
        match self.local.manifest(manifest)? {
            Some(manifest) if !self.is_read_only => self.share(key, &manifest),
            Some(_) | None => Ok(()),
        }
    }

    fn action(&self, key: &Digest) -> Result<Option<Manifest>> {
        if let Some(manifest) = self.local.action(key)? {
            if !self.is_read_only && !self.is_shared(key)? {
                self.share(key, &manifest)?;
            }
            return Ok(Some(manifest));
        }
        let name = Names::action(key);
        let Some(bytes) = self.objects.get(&name).map_err(self.failed("read", &name))? else { return Ok(None) };
        let found = self.shared_action(key, &bytes)?;
        if found.is_none() {
            // What is not whole is made again, and written again.
            self.damaged().insert(*key);
        }
        Ok(found)
    }

    fn materialise(&self, manifest: &Manifest, view: &Path) -> Result<()> {
        self.local.materialise(manifest, view)
    }

    fn view_state(&self, manifest: &Manifest, view: &Path) -> Result<ViewState> {
        self.local.view_state(manifest, view)
    }

    fn remove_view(&self, view: &Path) -> Result<()> {
        self.local.remove_view(view)
    }

    fn scratch(&self) -> Result<PathBuf> {
        self.local.scratch()
    }
}
