//! The lock of a state's folder: held by the operating system, so that it ends with the process, however that ends.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::StateError;
use crate::disk::Disk;

/// How often a held lock is tried again.
const RETRY: Duration = Duration::from_millis(100);

/// Who holds a lock: for people to read. The caller fills it in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// User and machine: `anna@lxplus942`.
    pub who: String,
    /// What it does: `apply`.
    pub operation: String,
    /// Since when, as people read it: `2026-11-22 20:14:05 UTC`.
    pub since: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {}, {}, since {})", self.who, self.pid, self.operation, self.since)
    }
}

/// A held lock.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Locks the file `lock` of a folder, waiting up to `timeout`.
    pub(crate) fn acquire(
        disk: &dyn Disk,
        folder: &Path,
        holder: &Holder,
        timeout: Duration,
    ) -> Result<Self, StateError> {
        let path: PathBuf = folder.join("lock");
        let mut file = disk.open_lock(&path).map_err(StateError::io("open", &path))?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    let left = timeout.saturating_sub(start.elapsed());
                    if left.is_zero() {
                        let holder = read_holder(&mut file).map(Box::new);
                        return Err(StateError::Locked { path, holder, lease: None });
                    }
                    thread::sleep(left.min(RETRY));
                }
                Err(TryLockError::Error(error)) => return Err(StateError::io("lock", &path)(error)),
            }
        }
        let text = serde_json::to_string(holder).expect("a holder is plain data");
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(text.as_bytes())
        };
        // For people who wait. On a full disk there is no room for it, and what holds the lock may be about to make some.
        let _ = write(&mut file);
        Ok(Self { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // What stands in the file is only for people; the lock itself goes with the file handle.
        let _ = self.file.set_len(0);
    }
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}
