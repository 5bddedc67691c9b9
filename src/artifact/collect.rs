//! Removing what nothing refers to any more: mark what is alive, sweep the rest.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use pipectl_core::Digest;
use pipectl_provider::{ArtifactError, ArtifactStore as _};

use crate::LocalStore;
use crate::disk::{self, Result};
use crate::places::named_digest;
use crate::{session, walk};

/// What a collection keeps besides what is alive.
#[derive(Clone, Copy, Debug)]
pub struct GcOptions {
    /// The time.
    pub now: SystemTime,
    /// Actions that were made or used within this time are kept, with all that they refer to.
    pub keep: Duration,
    /// Only say what would go.
    pub dry_run: bool,
}

/// What a collection removed, or would remove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Entries of the action cache.
    pub actions: u64,
    /// Manifests.
    pub manifests: u64,
    /// Blobs.
    pub blobs: u64,
    /// Damaged files that were set aside.
    pub damaged: u64,
    /// Working folders of processes that are gone.
    pub working: u64,
    /// Bytes that this frees: a file that a view links to frees nothing.
    pub bytes: u64,
}

impl LocalStore {
    /// Removes what neither the manifests `live` (those that states refer to), nor recent actions, nor running processes need.
    ///
    /// A manifest that is alive but cannot be read keeps nothing: its outputs can only be made again.
    ///
    /// # Errors
    /// When something cannot be read or removed. What was removed until then is consistent: actions go first, then manifests, then blobs.
    pub fn gc(&self, live: &BTreeSet<Digest>, options: &GcOptions) -> Result<Collected> {
        let mut collected = Collected::default();
        if !self.folder().is_dir() {
            return Ok(collected);
        }
        for stale in session::stale(&self.places.working())? {
            collected.working += 1;
            collected.bytes += freed_below(stale.folder())?;
            if !options.dry_run {
                stale.remove()?;
            }
        }
        let lock = self.exclusive()?;
        let mut alive = live.clone();
        alive.extend(session::pins(&self.places.working())?);
        let mut remove = |path: &Path, count: &mut u64| {
            *count += 1;
            collected.bytes += freed(path);
            if options.dry_run { Ok(()) } else { disk::remove(path) }
        };
        let (mut actions, mut manifests, mut blobs, mut damaged) = (0, 0, 0, 0);

        let mut old = Vec::new();
        for path in disk::entries(&self.places.actions())? {
            match self.read_action(&path)? {
                Some(manifest) if is_recent(&path, options) => {
                    alive.insert(manifest);
                }
                manifest => old.push((path, manifest)),
            }
        }
        for (path, manifest) in old {
            // An old action whose manifest lives on costs nothing, and saves a run.
            if !manifest.is_some_and(|manifest| alive.contains(&manifest)) {
                remove(&path, &mut actions)?;
            }
        }

        let mut needed = alive.clone();
        for path in disk::entries(&self.places.manifests())? {
            let Some(digest) = named_digest(&path).filter(|digest| alive.contains(digest)) else {
                remove(&path, &mut manifests)?;
                continue;
            };
            match self.manifest(&digest) {
                Ok(manifest) => {
                    needed.extend(manifest.iter().flat_map(|manifest| &manifest.files).map(|file| file.digest))
                }
                Err(ArtifactError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }

        for folder in disk::entries(&self.places.blobs())? {
            for path in disk::entries(&folder)? {
                if !named_digest(&path).is_some_and(|digest| needed.contains(&digest)) {
                    remove(&path, &mut blobs)?;
                }
            }
        }
        for path in disk::entries(&self.places.damaged())? {
            remove(&path, &mut damaged)?;
        }
        drop(lock);
        if !options.dry_run {
            self.cache.prune()?;
        }
        Ok(Collected { actions, manifests, blobs, damaged, ..collected })
    }
}

fn is_recent(path: &Path, options: &GcOptions) -> bool {
    // A time that cannot be told, or lies ahead, counts as now.
    let age = fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .ok()
        .and_then(|made| options.now.duration_since(made).ok());
    age.is_none_or(|age| age <= options.keep)
}

/// Bytes that removing one name of a file frees.
fn freed(path: &Path) -> u64 {
    fs::symlink_metadata(path).map_or(0, |metadata| if metadata.nlink() > 1 { 0 } else { metadata.len() })
}

fn freed_below(folder: &Path) -> Result<u64> {
    Ok(walk::below(folder)?.iter().map(|found| freed(&found.path)).sum())
}
