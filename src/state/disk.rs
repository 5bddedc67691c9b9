//! What a store asks of a disk, one operation at a time: so that tests can let any of them fail.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// A disk. Every operation is durable when it returns, and may fail at any time, having done a part of what it was asked for.
pub trait Disk: fmt::Debug + Send + Sync {
    /// All of a file.
    ///
    /// # Errors
    /// Those of the operating system, here and below.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Names of the files in a folder.
    ///
    /// # Errors
    /// Those of the operating system.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// Makes a folder, and those that it lies in.
    ///
    /// # Errors
    /// Those of the operating system.
    fn make_folder(&self, folder: &Path) -> io::Result<()>;

    /// Opens the file of a lock, making it where there is none.
    ///
    /// # Errors
    /// Those of the operating system.
    fn open_lock(&self, path: &Path) -> io::Result<File>;

    /// Makes a file that holds `bytes`, replacing what was there.
    ///
    /// # Errors
    /// Those of the operating system.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Opens a file that is there to write at its end.
    ///
    /// # Errors
    /// Those of the operating system.
    fn open_log(&self, path: &Path) -> io::Result<Box<dyn LogFile>>;

    /// Gives a file another name, replacing what had that name.
    ///
    /// # Errors
    /// Those of the operating system.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// Those of the operating system.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// A file that is written at its end.
pub trait LogFile: fmt::Debug + Send {
    /// Writes at the end.
    ///
    /// # Errors
    /// Those of the operating system; a part may have been written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file to `length` bytes.
    ///
    /// # Errors
    /// Those of the operating system.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

/// The disk of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalDisk;

impl Disk for LocalDisk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let names = fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.collect())
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)
    }

    fn open_lock(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn open_log(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        Ok(Box::new(OpenOptions::new().append(true).open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)?;
        sync_folder_of(to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}

impl LogFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)?;
        self.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.sync_all()
    }
}

/// Makes names in a folder durable, where the operating system has folders that can be synced.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}
