//! What functions of the language read: files below the root's folder, unless a path is absolute, and secrets.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use pipectl_lang::{FileKind, Files};
use pipectl_provider::Environment;

/// Files and secrets as functions of one root module see them.
pub struct RootFiles {
    root: PathBuf,
    environment: Arc<dyn Environment>,
}

impl RootFiles {
    /// Files of the root module in `root`, an absolute path.
    pub fn new(root: PathBuf, environment: Arc<dyn Environment>) -> Self {
        Self { root, environment }
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
        let home = self.environment.home().ok_or("the home folder is not known: HOME is not set")?;
        Ok(format!("{}{rest}", home.display()))
    }

    fn secret(&self, source: &str) -> Result<Option<String>, String> {
        let text = match source.split_once(':') {
            Some(("env", name)) => {
                self.environment.variable(name).ok_or_else(|| format!("the environment variable {name} is not set"))?
            }
            Some(("file", path)) => {
                let bytes =
                    self.expand(path).and_then(|path| self.read(&path)).map_err(|why| format!("{path}: {why}"))?;
                let text = String::from_utf8(bytes).map_err(|_| format!("{path} is not UTF-8"))?;
                // Editors and `echo` end a file with a line feed, which is no part of a password.
                let line = text.strip_suffix('\n').unwrap_or(&text);
                line.strip_suffix('\r').unwrap_or(line).to_owned()
            }
            _ => return Err(format!("{source:?} says nowhere to look: it begins with \"env:\" or \"file:\"")),
        };
        if text.is_empty() { Err(format!("{source} is empty")) } else { Ok(Some(text)) }
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
    use super::*;

    struct Anna;

    impl Environment for Anna {
        fn variable(&self, name: &str) -> Option<String> {
            (name == "TOKEN").then(|| "t0k3n".to_owned())
        }
        fn home(&self) -> Option<PathBuf> {
            Some("/home/anna".into())
        }
        fn now(&self) -> std::time::SystemTime {
            std::time::UNIX_EPOCH
        }
        fn program(&self) -> PathBuf {
            "pipectl".into()
        }
    }

    #[test]
    fn secrets_come_from_variables_and_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "one\r\n").unwrap();
        std::fs::write(folder.path().join("empty"), "\n").unwrap();
        let files = RootFiles::new(folder.path().to_owned(), Arc::new(Anna));
        assert_eq!(files.secret("env:TOKEN"), Ok(Some("t0k3n".to_owned())));
        assert_eq!(files.secret("file:key"), Ok(Some("one".to_owned())));
        for (source, why) in [
            ("env:NONE", "the environment variable NONE is not set"),
            ("file:none", "none: no such file or directory"),
            ("file:empty", "file:empty is empty"),
            ("key", "\"key\" says nowhere to look: it begins with \"env:\" or \"file:\""),
        ] {
            assert_eq!(files.secret(source), Err(why.to_owned()));
        }
    }

    #[test]
    fn tells_what_is_at_a_path() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.tf", "x/y/d.tf"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        let files = RootFiles::new(folder.path().to_owned(), Arc::new(Anna));
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
