//! Every change that this crate makes on disk, step by step. The tests make each step fail in turn.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use pipectl_provider::ArtifactError;

pub(crate) type Result<T> = std::result::Result<T, ArtifactError>;

/// Turns an io error into ours.
pub(crate) fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ArtifactError {
    let path = path.to_owned();
    move |source| ArtifactError::Io { doing, path, source }
}

#[cfg(not(test))]
fn step() -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
use crate::crash::step;

/// Makes a folder and those above it.
pub(crate) fn create_folder(path: &Path) -> Result<()> {
    step().and_then(|()| fs::create_dir_all(path)).map_err(failed("make", path))
}

/// Renames; a file at `to` is replaced at once.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    step().and_then(|()| fs::rename(from, to)).map_err(failed("write", to))
}

/// Swaps two paths at once. `false` where the file system cannot.
pub(crate) fn exchange(one: &Path, other: &Path) -> Result<bool> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        step().map_err(failed("write", other))?;
        match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(true),
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Ok(false),
            Err(error) => Err(failed("write", other)(error.into())),
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    {
        let _ = (one, other);
        Ok(false)
    }
}

/// Gives a file a second name. The caller decides what a failure means.
pub(crate) fn hard_link(from: &Path, to: &Path) -> io::Result<()> {
    step().and_then(|()| fs::hard_link(from, to))
}

/// Copies content and mode; the kernel shares blocks where the file system can.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    step().and_then(|()| fs::copy(from, to)).map(drop).map_err(failed("write", to))
}

/// Removes a file, a link, or a folder with everything below. Already gone is success.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let removed = step().and_then(|()| match fs::symlink_metadata(path)?.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    });
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(failed("remove", path)),
    }
}

/// Takes the right to write to a file from everyone.
pub(crate) fn make_read_only(path: &Path) -> Result<()> {
    let only_read = fs::Permissions::from_mode(0o444);
    step().and_then(|()| fs::set_permissions(path, only_read)).map_err(failed("write", path))
}

/// Makes the content of a file, or the names in a folder, durable.
pub(crate) fn synchronise(path: &Path) -> Result<()> {
    step().and_then(|()| File::open(path)?.sync_all()).map_err(failed("write", path))
}

/// Makes a whole file at `to`, durably: written at `beside` (on the same file system), synchronised, renamed, and the name synchronised.
pub(crate) fn write_whole(beside: &Path, to: &Path, bytes: &[u8]) -> Result<()> {
    let write = || {
        step()?;
        let mut file = File::create(beside)?;
        let (first, second) = bytes.split_at(bytes.len() / 2);
        file.write_all(first)?;
        step()?;
        file.write_all(second)?;
        step()?;
        file.sync_all()
    };
    write().map_err(failed("write", beside))?;
    rename(beside, to)?;
    match to.parent() {
        Some(folder) => synchronise(folder),
        None => Ok(()),
    }
}

/// The content of a file; `None` when there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

/// The paths in a folder, in order; none when there is no folder.
pub(crate) fn entries(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let read = || -> io::Result<Vec<_>> {
        let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    };
    match read() {
        Ok(paths) => Ok(paths),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed("read", folder)(error)),
    }
}

/// Opens a lock file and locks it: several may hold it shared, or one exclusively. Dropping the file gives it back, so does the end of
/// the process. Each call is a holder of its own, also within a process.
pub(crate) fn lock(path: &Path, exclusive: bool) -> Result<File> {
    let take = || {
        let file = File::options().create(true).truncate(false).read(true).write(true).open(path)?;
        if exclusive {
            file.lock()?
        } else {
            file.lock_shared()?
        }
        Ok(file)
    };
    take().map_err(failed("lock", path))
}
