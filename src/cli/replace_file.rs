//! Writing files so that nobody ever sees half of one: beside the place, then renamed into it.

use std::io::{self, Write as _};
use std::path::Path;

/// Replaces `path` by a file with these bytes, durably. Permissions of the file that was there stay.
///
/// # Errors
/// When the file cannot be written; what was there before is untouched.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes, false)
}

/// The same for a file that only its owner may read.
///
/// # Errors
/// When the file cannot be written; what was there before is untouched.
pub fn replace_private_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes, true)
}

fn replace(path: &Path, bytes: &[u8], private: bool) -> io::Result<()> {
    // A link stays a link: the file that it points to is replaced.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut beside = tempfile::Builder::new().prefix(".pipectl-").tempfile_in(folder)?;
    beside.write_all(bytes)?;
    match std::fs::metadata(&path) {
        // A temporary file is its owner's alone.
        _ if private => {}
        Ok(before) => beside.as_file().set_permissions(before.permissions())?,
        Err(_) => widen(beside.as_file())?,
    }
    beside.as_file().sync_all()?;
    beside.persist(&path).map_err(|error| error.error)?;
    Ok(())
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
}
