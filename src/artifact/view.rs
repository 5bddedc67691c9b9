//! Readable views: the files of a manifest under their names.
//!
//! A new view is built beside the old one and swapped in: a reader sees the old files or the new ones.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use pipectl_provider::{ArtifactError, FileEntry, Manifest, ViewState};

use crate::LocalStore;
use crate::disk::{self, Result, failed};
use crate::session::Session;
use crate::stamp::Stamp;
use crate::stat_cache::Known;
use crate::store::Blob;
use crate::walk;

/// After so many differences the rest is counted only.
const NAMED_DIFFERENCES: usize = 10;

impl LocalStore {
    pub(crate) fn lay_out(&self, manifest: &Manifest, view: &Path) -> Result<()> {
        if let Some(message) = walk::unusable_paths(manifest) {
            return Err(ArtifactError::Damaged { path: self.places.manifest(&manifest.digest()), message });
        }
        self.pin(manifest)?;
        let session = self.session()?;
        let parent = view.parent().unwrap_or(Path::new("."));
        disk::create_folder(parent)?;
        let room = Room::beside(&session, view, parent)?;
        let folder = room.fresh("view");
        disk::create_folder(&folder)?;
        let mut known = Vec::with_capacity(manifest.files.len());
        for file in &manifest.files {
            let path = folder.join(&file.path);
            known.push((view.join(&file.path), self.lay_out_file(file, &path)?));
        }
        if fs::symlink_metadata(view).is_err() {
            disk::rename(&folder, view)?;
        } else {
            if !disk::exchange(&folder, view)? {
                let old = room.fresh("old");
                disk::rename(view, &old)?;
                disk::rename(&folder, view)?;
                disk::rename(&old, &folder)?;
            }
            disk::remove(&folder)?;
        }
        for (path, known) in known {
            self.cache.put(&path, known);
        }
        self.cache.save_sometimes();
        Ok(())
    }

    fn lay_out_file(&self, file: &FileEntry, path: &Path) -> Result<Known> {
        let blob = self.places.blob(&file.digest);
        let missing = |message: String| ArtifactError::Damaged { path: blob.clone(), message };
        match self.usable(&file.digest, file.bytes)? {
            Blob::Sound => {}
            Blob::Absent => return Err(missing("it is missing".to_owned())),
            Blob::Damaged(message) => return Err(missing(message)),
        }
        if let Some(folder) = path.parent() {
            disk::create_folder(folder)?;
        }
        let stored = fs::metadata(&blob).map_err(failed("read", &blob))?;
        let unsettled = Known { stamp: Stamp::of(&stored), read_at: i64::MIN, digest: file.digest };
        let known = self.cache.known(&blob).unwrap_or(unsettled);
        // A link can fail for many reasons: another file system, none that links, too many links. A copy always does.
        if file.bytes >= self.options.link_from && disk::hard_link(&blob, path).is_ok() {
            return Ok(known);
        }
        let made = self.now();
        disk::copy(&blob, path)?;
        let set = || {
            let copy = File::open(path)?;
            // With the time of the blob, the copy is at once older than the moment at which its content was known.
            copy.set_modified(stored.modified()?)?;
            copy.metadata()
        };
        let metadata = set().map_err(failed("write", path))?;
        Ok(Known { stamp: Stamp::of(&metadata), read_at: made.on_device_of(&metadata), digest: file.digest })
    }

    pub(crate) fn compare_view(&self, manifest: &Manifest, view: &Path) -> Result<ViewState> {
        let expected: BTreeMap<&str, &FileEntry> =
            manifest.files.iter().map(|file| (file.path.as_str(), file)).collect();
        let mut there = BTreeMap::new();
        let mut extra = Vec::new();
        for found in walk::below(view)? {
            match found.name.as_deref().and_then(|name| expected.get_key_value(name)) {
                Some((name, _)) => {
                    there.insert(*name, found);
                }
                None => {
                    let name = found.path.strip_prefix(view).unwrap_or(&found.path).display();
                    extra.push(format!("file `{name}` is not one of its outputs"));
                }
            }
        }
        let mut differences = Vec::new();
        for (name, file) in expected {
            let Some(found) = there.get(name) else {
                differences.push(format!("output `{name}` is missing"));
                continue;
            };
            let same = found.metadata.is_file()
                && found.metadata.len() == file.bytes
                && match self.digest(&found.path) {
                    Ok(digest) => digest == file.digest,
                    // Gone since the folder was read.
                    Err(ArtifactError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => false,
                    Err(error) => return Err(error),
                };
            if !same {
                differences.push(format!("output `{name}` has changed"));
            }
        }
        differences.extend(extra);
        self.cache.save_sometimes();
        if differences.is_empty() {
            return Ok(ViewState::Intact);
        }
        let more = differences.len().saturating_sub(NAMED_DIFFERENCES);
        if more > 1 {
            differences.truncate(NAMED_DIFFERENCES);
            differences.push(format!("and {more} more files differ"));
        }
        Ok(ViewState::Drifted(differences))
    }

    pub(crate) fn take_away(&self, view: &Path) -> Result<()> {
        if fs::symlink_metadata(view).is_err() {
            return Ok(());
        }
        let session = self.session()?;
        let room = Room::beside(&session, view, view.parent().unwrap_or(Path::new(".")))?;
        let old = room.fresh("old");
        disk::rename(view, &old)?;
        disk::remove(&old)
    }
}

/// Where a view can be built such that a rename brings it to its place.
enum Room<'a> {
    /// In the working folder: what a crash leaves there is swept.
    Working(&'a Session),
    /// Beside the view, which lies on another file system.
    Beside { session: &'a Session, prefix: PathBuf },
}

impl<'a> Room<'a> {
    fn beside(session: &'a Session, view: &Path, parent: &Path) -> Result<Self> {
        let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).map_err(failed("read", path));
        if device(parent)? == device(session.folder())? {
            return Ok(Self::Working(session));
        }
        let name = format!(".{}.pipectl-", view.file_name().unwrap_or_default().to_string_lossy());
        // Only the holder of the state's lock changes a view, so what is there was left by a crash.
        for path in disk::entries(parent)? {
            if path.file_name().is_some_and(|left| left.to_string_lossy().starts_with(&name)) {
                disk::remove(&path)?;
            }
        }
        Ok(Self::Beside { session, prefix: parent.join(name) })
    }

    fn fresh(&self, purpose: &str) -> PathBuf {
        match self {
            Self::Working(session) => session.fresh(purpose),
            Self::Beside { session, prefix } => {
                let unique = session.fresh(purpose);
                let mut path = prefix.clone().into_os_string();
                path.push(format!("{}-{}", session.name(), unique.file_name().unwrap_or_default().to_string_lossy()));
                path.into()
            }
        }
    }
}
