//! Lists what lies below a folder, and judges the paths of a manifest.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pipectl_provider::Manifest;

use crate::disk::{self, Result, failed};

/// Something below a folder that is not a folder itself.
pub(crate) struct Found {
    /// Path relative to the folder, with `/`; `None` when it is not text.
    pub(crate) name: Option<String>,
    /// The whole path.
    pub(crate) path: PathBuf,
    /// What it is; links are not followed.
    pub(crate) metadata: fs::Metadata,
}

/// Everything below `folder` but the folders, in order of paths. No folder, nothing found.
pub(crate) fn below(folder: &Path) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for path in disk::entries(&next)? {
            let metadata = match fs::symlink_metadata(&path) {
                Ok(metadata) => metadata,
                // Gone since the folder was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed("read", &path)(error)),
            };
            if metadata.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).ok().and_then(Path::to_str).map(str::to_owned);
            found.push(Found { name, path, metadata });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Why the paths of a manifest cannot be laid out below a folder: a manifest may come from elsewhere, so it is not trusted to stay inside.
pub(crate) fn unusable_paths(manifest: &Manifest) -> Option<String> {
    let mut names = BTreeSet::new();
    for file in &manifest.files {
        let path = file.path.as_str();
        let sound = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\0');
        if !path.split('/').all(sound) {
            return Some(format!("`{path}` is not a path inside an artifact"));
        }
        if !names.insert(path) {
            return Some(format!("it lists `{path}` twice"));
        }
    }
    let inside = |path: &&str| path.match_indices('/').any(|(end, _)| names.contains(&path[..end]));
    names.iter().find(|path| inside(path)).map(|path| format!("a folder of `{path}` is listed as a file"))
}

#[cfg(test)]
mod tests {
    use pipectl_core::Digest;
    use pipectl_provider::FileEntry;

    use super::*;

    #[test]
    fn paths_stay_inside() {
        let usable = |paths: &[&str]| {
            let entry = |path: &&str| FileEntry { path: (*path).to_owned(), bytes: 0, digest: Digest::of(b"") };
            unusable_paths(&Manifest::new(paths.iter().map(entry).collect(), serde_json::Value::Null)).is_none()
        };
        assert!(usable(&["a", "b/c", "b/d.e", "b.c"]));
        for paths in
            [&["/a"][..], &["../a"], &["a/../b"], &["a//b"], &[""], &["a/"], &["./a"], &["a", "a"], &["a", "a/b"]]
        {
            assert!(!usable(paths), "{paths:?}");
        }
    }
}
