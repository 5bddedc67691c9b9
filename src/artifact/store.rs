//! The store itself: taking files in, publishing manifests, remembering actions.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use pipectl_core::Digest;
use pipectl_provider::{ArtifactError, ArtifactStore, FileEntry, Manifest, ViewState};
use serde::{Deserialize, Serialize};

use crate::disk::{self, Result, failed};
use crate::places::Places;
use crate::session::{self, Session};
use crate::stamp::Moment;
use crate::stat_cache::StatCache;
use crate::walk;

/// The version of manifests and actions that this program reads and writes.
const VERSION: u32 = 1;

/// How a store behaves.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Read every file again instead of trusting the stat cache: `--verify`.
    pub verify: bool,
    /// From this size in bytes on, files of a view are hard links to their blobs. Smaller ones are copies: they cost little, and an edit of
    /// a view then cannot reach what is stored. Through a link it can; that is found by the stat cache, and the blob is set aside.
    pub link_from: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { verify: false, link_from: 8 << 20 }
    }
}

/// An artifact store in a folder of the local file system.
pub struct LocalStore {
    pub(crate) places: Places,
    pub(crate) cache: StatCache,
    pub(crate) options: Options,
    session: Mutex<Option<Arc<Session>>>,
}

/// What lies where a blob should be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Blob {
    /// Nothing.
    Absent,
    /// The blob.
    Sound,
    /// Something else, in words.
    Damaged(String),
}

/// A file in `actions/`.
#[derive(Serialize, Deserialize)]
struct Action {
    version: u32,
    manifest: Digest,
}

impl LocalStore {
    /// The store in `folder`, which is made when something is first written to it.
    pub fn new(folder: impl Into<PathBuf>, options: Options) -> Self {
        let places = Places::new(folder.into());
        let cache = StatCache::open(places.stat_cache(), !options.verify);
        Self { places, cache, options, session: Mutex::new(None) }
    }

    /// The store's folder.
    pub fn folder(&self) -> &Path {
        self.places.folder()
    }

    /// Saves what was learned about files, so that they need not be read again. Dropping the store does so too.
    ///
    /// # Errors
    /// When the stat cache cannot be written.
    pub fn flush(&self) -> Result<()> {
        self.cache.save()
    }

    /// The working folder of this process.
    pub(crate) fn session(&self) -> Result<Arc<Session>> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = &*session {
            return Ok(session.clone());
        }
        let started = Arc::new(Session::start(&self.places.working())?);
        *session = Some(started.clone());
        Ok(started)
    }

    /// Held while something is added, so that it is not collected before it is pinned.
    pub(crate) fn shared(&self) -> Result<File> {
        disk::create_folder(self.places.folder())?;
        disk::lock(&self.places.lock(), false)
    }

    /// Held while something is removed. Never taken by a thread that holds the shared lock: it would wait for itself.
    pub(crate) fn exclusive(&self) -> Result<File> {
        disk::create_folder(self.places.folder())?;
        disk::lock(&self.places.lock(), true)
    }

    /// Now, by the clock of the store's file system.
    pub(crate) fn now(&self) -> Moment {
        self.session().map_or(Moment::UNKNOWN, |session| session.moment())
    }

    /// Digest of a file through the stat cache.
    pub(crate) fn digest(&self, path: &Path) -> Result<Digest> {
        self.cache.digest(path, &|| self.now())
    }

    /// Compares what lies in a blob's place with its digest and size.
    pub(crate) fn look(&self, digest: &Digest, bytes: u64) -> Result<Blob> {
        let path = self.places.blob(digest);
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Blob::Absent),
            Err(error) => return Err(failed("read", &path)(error)),
        };
        Ok(if !metadata.is_file() {
            Blob::Damaged("it is not a regular file".to_owned())
        } else if metadata.len() != bytes {
            Blob::Damaged(format!("it has {} bytes instead of {bytes}", metadata.len()))
        } else if self.digest(&path)? != *digest {
            Blob::Damaged("its content does not have the digest that it is named after".to_owned())
        } else {
            Blob::Sound
        })
    }

    /// Moves something damaged out of the way, unless it was mended in the meantime.
    pub(crate) fn set_aside(&self, path: &Path, is_damaged: impl FnOnce() -> Result<bool>) -> Result<()> {
        let session = self.session()?;
        let _lock = self.exclusive()?;
        if !is_damaged()? {
            return Ok(());
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        disk::create_folder(&self.places.damaged())?;
        let aside = session.fresh(&format!("{name}-{}", session.name()));
        disk::rename(path, &self.places.damaged().join(aside.file_name().unwrap_or_default()))?;
        self.cache.forget(path);
        Ok(())
    }

    /// Whether a blob can be used; a damaged one is set aside.
    pub(crate) fn usable(&self, digest: &Digest, bytes: u64) -> Result<Blob> {
        let seen = self.look(digest, bytes)?;
        if let Blob::Damaged(_) = seen {
            self.set_aside(&self.places.blob(digest), || Ok(matches!(self.look(digest, bytes)?, Blob::Damaged(_))))?;
        }
        Ok(seen)
    }

    /// Keeps a manifest and its blobs from being collected while this process lives.
    pub(crate) fn pin(&self, manifest: &Manifest) -> Result<()> {
        let _lock = self.shared()?;
        let blobs = manifest.files.iter().map(|file| file.digest);
        self.session()?.pin(blobs.chain([manifest.digest()]))
    }

    /// Makes a blob of a file, which goes away.
    fn take_in(&self, session: &Session, path: &Path, touched: &mut BTreeSet<PathBuf>) -> Result<(u64, Digest)> {
        let mut path = path.to_owned();
        let metadata = fs::metadata(&path).map_err(failed("read", &path))?;
        if metadata.nlink() > 1 {
            // Through its other name the file could still be changed.
            let copy = session.fresh("copy");
            disk::copy(&path, &copy)?;
            disk::remove(&path)?;
            path = copy;
        }
        let digest = self.digest(&path)?;
        let known = self.cache.known(&path);
        self.cache.forget(&path);
        let bytes = fs::metadata(&path).map_err(failed("read", &path))?.len();
        let blob = self.places.blob(&digest);
        let _lock = self.shared()?;
        session.pin([digest])?;
        if self.look(&digest, bytes)? == Blob::Sound {
            disk::remove(&path)?;
            return Ok((bytes, digest));
        }
        disk::make_read_only(&path)?;
        disk::synchronise(&path)?;
        if let Some(folder) = blob.parent() {
            disk::create_folder(folder)?;
            touched.insert(folder.to_owned());
        }
        disk::rename(&path, &blob)?;
        // The inode is the same, so what was known of the file is known of the blob.
        if let Some(known) = known {
            self.cache.put(&blob, known);
        }
        Ok((bytes, digest))
    }

    /// The manifest of an action file; `None` when there is no file, or not one that this program reads.
    pub(crate) fn read_action(&self, path: &Path) -> Result<Option<Digest>> {
        Ok(disk::read(path)?.and_then(|bytes| parse_action(&bytes)))
    }

    /// Removes what processes that are gone left behind.
    fn sweep(&self) -> Result<()> {
        session::stale(&self.places.working())?.into_iter().try_for_each(session::Stale::remove)
    }
}

/// What an action holds that made this manifest.
pub(crate) fn action_bytes(manifest: &Digest) -> Vec<u8> {
    serde_json::to_vec(&Action { version: VERSION, manifest: *manifest }).expect("plain data")
}

/// The manifest that an action names; `None` where it is none that this program reads.
pub(crate) fn parse_action(bytes: &[u8]) -> Option<Digest> {
    let action = serde_json::from_slice::<Action>(bytes).ok()?;
    (action.version == VERSION).then_some(action.manifest)
}

/// Reads a manifest that was found at `path` under its digest.
pub(crate) fn parse_manifest(path: &Path, bytes: &[u8], digest: &Digest) -> Result<Manifest> {
    let damaged = |message: String| ArtifactError::Damaged { path: path.to_owned(), message };
    if Digest::of(bytes) != *digest {
        return Err(damaged("its content does not have the digest that it is named after".to_owned()));
    }
    let manifest: Manifest =
        serde_json::from_slice(bytes).map_err(|error| damaged(format!("it is not a manifest: {error}")))?;
    if manifest.version != VERSION {
        return Err(damaged(format!("it has version {}, and this pipectl reads version {VERSION}", manifest.version)));
    }
    match walk::unusable_paths(&manifest) {
        Some(message) => Err(damaged(message)),
        None => Ok(manifest),
    }
}

impl Drop for LocalStore {
    fn drop(&mut self) {
        // The cache only saves time.
        let _ = self.cache.save();
    }
}

impl ArtifactStore for LocalStore {
    fn source_digest(&self, path: &Path) -> Result<Digest> {
        let digest = self.digest(path)?;
        self.cache.save_sometimes();
        Ok(digest)
    }

    fn ingest(&self, folder: &Path) -> Result<Vec<FileEntry>> {
        let session = self.session()?;
        let found = walk::below(folder)?;
        let unfit = |path: &Path, why: &'static str| failed("store", path)(std::io::Error::other(why));
        // Judged before anything is moved.
        let mut named = Vec::with_capacity(found.len());
        for file in found {
            if !file.metadata.is_file() {
                return Err(unfit(&file.path, "an artifact holds regular files only, not links or devices"));
            }
            let name = file.name.ok_or_else(|| unfit(&file.path, "its name is not UTF-8 text"))?;
            named.push((name, file.path));
        }
        let mut touched = BTreeSet::new();
        let mut files = Vec::with_capacity(named.len());
        for (name, path) in named {
            let (bytes, digest) = self.take_in(&session, &path, &mut touched)?;
            files.push(FileEntry { path: name, bytes, digest });
        }
        if !touched.is_empty() {
            touched.insert(self.places.blobs());
        }
        touched.iter().try_for_each(|folder| disk::synchronise(folder))?;
        disk::remove(folder)?;
        self.cache.save_sometimes();
        Ok(files)
    }

    fn publish(&self, manifest: &Manifest) -> Result<Digest> {
        let (bytes, digest) = (manifest.canonical(), manifest.digest());
        let path = self.places.manifest(&digest);
        if let Some(message) = walk::unusable_paths(manifest) {
            return Err(ArtifactError::Damaged { path, message });
        }
        self.pin(manifest)?;
        let _lock = self.shared()?;
        for file in &manifest.files {
            let blob = self.places.blob(&file.digest);
            if !fs::metadata(&blob).is_ok_and(|metadata| metadata.is_file() && metadata.len() == file.bytes) {
                return Err(ArtifactError::Damaged { path: blob, message: "it is missing or incomplete".to_owned() });
            }
        }
        if disk::read(&path)?.is_none_or(|there| there != bytes) {
            disk::create_folder(&self.places.manifests())?;
            disk::write_whole(&self.session()?.fresh("manifest"), &path, &bytes)?;
        }
        Ok(digest)
    }

    fn manifest(&self, digest: &Digest) -> Result<Option<Manifest>> {
        let path = self.places.manifest(digest);
        let Some(bytes) = disk::read(&path)? else { return Ok(None) };
        parse_manifest(&path, &bytes, digest).map(Some)
    }

    fn record_action(&self, key: &Digest, manifest: &Digest) -> Result<()> {
        let _lock = self.shared()?;
        let published = self.places.manifest(manifest);
        if !published.is_file() {
            return Err(ArtifactError::Damaged { path: published, message: "it is missing".to_owned() });
        }
        disk::create_folder(&self.places.actions())?;
        disk::write_whole(&self.session()?.fresh("action"), &self.places.action(key), &action_bytes(manifest))
    }

    fn action(&self, key: &Digest) -> Result<Option<Manifest>> {
        let path = self.places.action(key);
        if !path.exists() {
            return Ok(None);
        }
        let Some(digest) = self.read_action(&path)? else {
            self.set_aside(&path, || Ok(path.exists() && self.read_action(&path)?.is_none()))?;
            return Ok(None);
        };
        let manifest = match self.manifest(&digest) {
            Ok(Some(manifest)) => manifest,
            Ok(None) => return Ok(None),
            Err(ArtifactError::Damaged { path, .. }) => {
                let is_damaged = || Ok(matches!(self.manifest(&digest), Err(ArtifactError::Damaged { .. })));
                self.set_aside(&path, is_damaged)?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        self.pin(&manifest)?;
        let mut whole = true;
        for file in &manifest.files {
            whole &= self.usable(&file.digest, file.bytes)? == Blob::Sound;
        }
        self.cache.save_sometimes();
        if !whole {
            return Ok(None);
        }
        // The time of an action is that of its last use: the collection goes by it. Failing here costs at most a run later.
        let now = UNIX_EPOCH + Duration::from_nanos(self.now().nanoseconds.max(0).unsigned_abs());
        let _ = File::options().append(true).open(&path).and_then(|file| file.set_modified(now));
        Ok(Some(manifest))
    }

    fn materialise(&self, manifest: &Manifest, view: &Path) -> Result<()> {
        self.lay_out(manifest, view)
    }

    fn view_state(&self, manifest: &Manifest, view: &Path) -> Result<ViewState> {
        self.compare_view(manifest, view)
    }

    fn remove_view(&self, view: &Path) -> Result<()> {
        self.take_away(view)
    }

    fn scratch(&self) -> Result<PathBuf> {
        // A run that was killed may have left gigabytes.
        self.sweep()?;
        let folder = self.session()?.fresh("scratch");
        disk::create_folder(&folder)?;
        Ok(folder)
    }
}
