//! Writing files so that nobody ever sees half of one: beside the place, then renamed into it.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Replaces `path` by a file with these bytes, durably. Permissions of the file that was there stay.
///
/// # Errors
/// When the file cannot be written; what was there before is untouched.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = followed(path);
    written_beside(&path, bytes, false)?.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

/// Makes a file with these bytes, durably, where there is none.
///
/// # Errors
/// When the file cannot be written, or there is one: [`io::ErrorKind::AlreadyExists`].
pub fn create_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    written_beside(path, bytes, false)?.persist_noclobber(path).map_err(|error| error.error)?;
    Ok(())
}

/// The same for a file that only its owner may read.
///
/// # Errors
/// When the file cannot be written; what was there before is untouched.
pub fn replace_private_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = followed(path);
    written_beside(&path, bytes, true)?.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

/// A link stays a link: the file that it points to is replaced.
fn followed(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// A temporary file beside a path, with these bytes and the permissions of what is there.
fn written_beside(path: &Path, bytes: &[u8], private: bool) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut beside = tempfile::Builder::new().prefix(".pipectl-").tempfile_in(folder)?;
    beside.write_all(bytes)?;
    match std::fs::metadata(path) {
        // A temporary file is its owner's alone.
        _ if private => {}
        Ok(before) => beside.as_file().set_permissions(before.permissions())?,
        Err(_) => widen(beside.as_file())?,
    }
    beside.as_file().sync_all()?;
    Ok(beside)
}

/// A new file of the user is for everyone to read, as others make it.
#[cfg(unix)]
fn widen(file: &std::fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn widen(_file: &std::fs::File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.hcl");
        replace_file(&path, b"one").unwrap();
        replace_file(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace_file(&folder.path().join("absent/a"), b"x").is_err());
    }

    #[test]
    fn creates_a_file_once() {
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        let path = folder.path().join("a.hcl");
        create_file(&path, b"one").expect("there is none yet");
        let again = create_file(&path, b"two").expect_err("there is one");
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).expect("it is there"), b"one");
        assert_eq!(std::fs::read_dir(folder.path()).expect("it can be listed").count(), 1);
    }
}
