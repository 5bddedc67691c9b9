//! The working folder of one process in a store, and the rule by which others see that it is alive.
//!
//! `tmp/<run>.lock` is locked for as long as the process lives; the operating system unlocks it whatever ends the process. The lock file
//! is there before `tmp/<run>/` and goes after it, so a folder whose lock file nobody holds, or that has none, is stale.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use pipectl_core::Digest;

use crate::disk::{self, Result, failed};
use crate::stamp::Moment;

const LOCK: &str = "lock";
const PINS: &str = "pins";

/// A process at work in a store.
pub(crate) struct Session {
    folder: PathBuf,
    lock_path: PathBuf,
    /// Held until the end.
    _lock: File,
    pins: Mutex<File>,
    probe: File,
    count: AtomicU64,
}

impl Session {
    /// Makes a working folder below `working`.
    pub(crate) fn start(working: &Path) -> Result<Self> {
        disk::create_folder(working)?;
        let (lock, lock_path) = loop {
            let (file, path) = tempfile::Builder::new()
                .prefix("run-")
                .suffix(&format!(".{LOCK}"))
                .tempfile_in(working)
                .and_then(|file| Ok(file.keep()?))
                .map_err(failed("make a file in", working))?;
            file.lock().map_err(failed("lock", &path))?;
            // Between making and locking it, a sweep may have taken it for stale and removed it.
            let inode = file.metadata().map_err(failed("read", &path))?.ino();
            if fs::metadata(&path).is_ok_and(|metadata| metadata.ino() == inode) {
                break (file, path);
            }
        };
        let folder = lock_path.with_extension("");
        disk::create_folder(&folder)?;
        let make = |name: &str| {
            let path = folder.join(name);
            File::options().create_new(true).append(name == PINS).write(true).open(&path).map_err(failed("make", &path))
        };
        let (pins, probe) = (Mutex::new(make(PINS)?), make("clock")?);
        Ok(Self { folder, lock_path, _lock: lock, pins, probe, count: AtomicU64::new(0) })
    }

    /// A path in the working folder that nothing lies at.
    pub(crate) fn fresh(&self, purpose: &str) -> PathBuf {
        self.folder.join(format!("{purpose}-{}", self.count.fetch_add(1, Ordering::Relaxed)))
    }

    /// The working folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A name that no other living session has.
    pub(crate) fn name(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Now, by the clock of the store's file system: the time of a file just written to.
    pub(crate) fn moment(&self) -> Moment {
        let written = self.probe.write_all_at(b".", 0).and_then(|()| self.probe.metadata());
        written.map_or(Moment::UNKNOWN, |metadata| Moment::of(&metadata))
    }

    /// Keeps blobs and manifests from being collected while the process lives. Called under the store's shared lock.
    pub(crate) fn pin(&self, digests: impl IntoIterator<Item = Digest>) -> Result<()> {
        let lines: String = digests.into_iter().map(|digest| format!("{digest}\n")).collect();
        let mut pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        pins.write_all(lines.as_bytes()).map_err(failed("write", &self.folder.join(PINS)))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // What cannot be removed now is stale from now on, and goes with the next sweep.
        if disk::remove(&self.folder).is_ok() {
            let _ = disk::remove(&self.lock_path);
        }
    }
}

/// What living processes have pinned. Called under the store's exclusive lock.
pub(crate) fn pins(working: &Path) -> Result<BTreeSet<Digest>> {
    let mut pins = BTreeSet::new();
    for path in locks(working)? {
        if Stale::of(&path)?.is_some() {
            continue;
        }
        let lines = disk::read(&path.with_extension("").join(PINS))?.unwrap_or_default();
        pins.extend(String::from_utf8_lossy(&lines).lines().filter_map(|line| line.parse::<Digest>().ok()));
    }
    Ok(pins)
}

/// Folders of processes that are gone, with the right to remove each for as long as it is held.
pub(crate) fn stale(working: &Path) -> Result<Vec<Stale>> {
    let mut stale = Vec::new();
    for path in locks(working)? {
        stale.extend(Stale::of(&path)?);
    }
    for path in disk::entries(working)? {
        let lock_path = path.with_extension(LOCK);
        if path.extension().is_none() && !lock_path.exists() {
            stale.push(Stale { lock: None, lock_path, folder: path });
        }
    }
    Ok(stale)
}

/// A working folder whose process is gone.
pub(crate) struct Stale {
    /// Held against another sweep.
    lock: Option<File>,
    lock_path: PathBuf,
    folder: PathBuf,
}

impl Stale {
    /// The working folder of a lock file, if its process is gone.
    fn of(lock_path: &Path) -> Result<Option<Self>> {
        let file = match File::open(lock_path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", lock_path)(error)),
        };
        match file.try_lock() {
            Ok(()) => Ok(Some(Self {
                lock: Some(file),
                lock_path: lock_path.to_owned(),
                folder: lock_path.with_extension(""),
            })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed("lock", lock_path)(error)),
        }
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes it.
    pub(crate) fn remove(self) -> Result<()> {
        disk::remove(&self.folder)?;
        disk::remove(&self.lock_path)?;
        drop(self.lock);
        Ok(())
    }
}

fn locks(working: &Path) -> Result<Vec<PathBuf>> {
    let paths = disk::entries(working)?;
    Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == LOCK)).collect())
}
