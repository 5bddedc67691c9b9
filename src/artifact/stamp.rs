//! What tells that a file is still the one that was read: size, time of change and inode.
//!
//! A file that changes twice within one tick of its file system's clock has one time for two contents. As git does
//! (<https://git-scm.com/docs/racy-git>), a stamp is trusted only if the file's time lies strictly before the moment at which reading it
//! began, both by the file system's clock: any later change then has another time.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use serde::{Deserialize, Serialize};

/// Allowance for a file system with a clock of its own, or one that counts in whole seconds.
const FOREIGN_CLOCK: i64 = 2_000_000_000;

/// Size, time and inode of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    /// Bytes.
    pub(crate) size: u64,
    /// Time of the last change of content: nanoseconds since 1970.
    pub(crate) mtime: i64,
    /// Inode.
    pub(crate) inode: u64,
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self { size: metadata.size(), mtime: nanoseconds(metadata), inode: metadata.ino() }
    }
}

/// A moment by the clock of a file system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Nanoseconds since 1970.
    pub(crate) nanoseconds: i64,
    /// The file system.
    pub(crate) device: u64,
}

impl Moment {
    /// Before every time: what is read then is never trusted later.
    pub(crate) const UNKNOWN: Self = Self { nanoseconds: i64::MIN, device: 0 };

    /// When a file was last changed.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self { nanoseconds: nanoseconds(metadata), device: metadata.dev() }
    }

    /// The same moment on the file system of a file, at the earliest.
    pub(crate) fn on_device_of(self, metadata: &Metadata) -> i64 {
        if metadata.dev() == self.device { self.nanoseconds } else { self.nanoseconds.saturating_sub(FOREIGN_CLOCK) }
    }
}

fn nanoseconds(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}
