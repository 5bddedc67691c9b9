//! Files that functions of the language read: below the root's folder, unless a path is absolute.

use std::io;
use std::path::PathBuf;

use pipectl_lang::{FileKind, Files};

/// Files as functions of one root module see them.
pub struct RootFiles {
    root: PathBuf,
    home: Option<PathBuf>,
}

impl RootFiles {
    /// Files of the root module in `root`, an absolute path.
    pub fn new(root: PathBuf, home: Option<PathBuf>) -> Self {
        Self { root, home }
    }
}

impl Files for RootFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        std::fs::read(self.root.join(path)).map_err(|error| reason(&error))
    }

    fn kind(&self, path: &str) -> Result<FileKind, String> {
        match std::fs::metadata(self.root.join(path)) {
            Ok(found) if found.is_file() => Ok(FileKind::Regular),
            Ok(found) if found.is_dir() => Ok(FileKind::Folder),
            Ok(found) => Ok(FileKind::Other(irregular(found.file_type()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(FileKind::Missing),
            Err(error) => Err(reason(&error)),
        }
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, String> {
        let entries = std::fs::read_dir(self.root.join(folder)).map_err(|error| reason(&error))?;
        entries
            // A name that is no text cannot be said in the language.
            .filter_map(|entry| entry.map(|entry| entry.file_name().into_string().ok()).transpose())
            .collect::<io::Result<_>>()
            .map_err(|error| reason(&error))
    }

    fn absolute(&self, path: &str) -> Result<String, String> {
        std::path::absolute(self.root.join(path))
            .map(|path| path.to_string_lossy().into_owned())
            .map_err(|error| reason(&error))
    }

    fn expand(&self, path: &str) -> Result<String, String> {
        let Some(rest) = path.strip_prefix('~') else { return Ok(path.to_owned()) };
        if !rest.is_empty() && !rest.starts_with('/') {
            return Err("cannot expand user-specific home dir".to_owned());
        }
        let home = self.home.as_ref().ok_or("the home folder is not known: HOME is not set")?;
        Ok(format!("{}{rest}", home.display()))
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "is a directory".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(unix)]
fn irregular(kind: std::fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    match kind {
        kind if kind.is_block_device() || kind.is_char_device() => "a device node",
        kind if kind.is_fifo() => "a named pipe",
        kind if kind.is_socket() => "a unix domain socket",
        _ => "something else",
    }
}

#[cfg(not(unix))]
fn irregular(_kind: std::fs::FileType) -> &'static str {
    "something else"
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn tells_what_is_at_a_path() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.tf", "x/y/d.tf"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        let files = RootFiles::new(folder.path().to_owned(), Some("/home/anna".into()));
        assert_eq!(files.kind("a.tf"), Ok(FileKind::Regular));
        assert_eq!(files.kind("x/y"), Ok(FileKind::Folder));
        assert_eq!(files.kind("none"), Ok(FileKind::Missing));
        assert_eq!(files.names("x"), Ok(vec!["y".to_owned()]));
        assert!(files.names("none").is_err());
        assert_eq!(files.read("x/y/d.tf").unwrap(), b"x/y/d.tf");
        assert_eq!(files.read("x/y/none").unwrap_err(), "no such file or directory");
        assert_eq!(files.expand("~/x").unwrap(), "/home/anna/x");
    }
}
