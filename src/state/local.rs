//! The store on a local disk.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::lock::Lock;
use crate::log::{self, Header};
use crate::{Change, Holder, Record, State, StateError, StateStore, StateWriter, frame, snapshot};

/// A log shorter than this is never compacted.
const SMALLEST_COMPACTION: u64 = 256 * 1024;
/// A log is compacted when it is this many times as long as the snapshot it goes on from: all snapshots together stay within a fraction of it.
const COMPACTION_FACTOR: u64 = 3;
/// How often a reader starts again when a writer compacts the log between the reader's two looks.
const READ_ATTEMPTS: usize = 10;

/// A state in a folder.
#[derive(Clone, Debug)]
pub struct LocalStore {
    folder: PathBuf,
    smallest_compaction: u64,
}

impl LocalStore {
    /// The state in `folder`, usually `.pipectl/<pipeline>/<workspace>`. The folder need not exist.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), smallest_compaction: SMALLEST_COMPACTION }
    }

    /// The same with another least length, in bytes, of a log that is compacted: for tests.
    #[must_use]
    pub fn compacting_from(mut self, bytes: u64) -> Self {
        self.smallest_compaction = bytes;
        self
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn load(&self) -> Result<Option<Loaded>, StateError> {
        let mut attempts = 1;
        loop {
            match self.try_load()? {
                Attempt::Nothing => return Ok(None),
                Attempt::Whole(loaded) => return Ok(Some(*loaded)),
                // A writer has compacted the log since it was read here, unless the snapshot is really lost.
                Attempt::SnapshotMissing(_) if attempts < READ_ATTEMPTS => attempts += 1,
                Attempt::SnapshotMissing(serial) => {
                    let message = format!("the log goes on from {}, which is missing", snapshot::file_name(serial));
                    return Err(StateError::damaged(&self.log_path(), 0, message));
                }
            }
        }
    }

    fn try_load(&self) -> Result<Attempt, StateError> {
        let path = self.log_path();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return match self.snapshots()?.last() {
                    None => Ok(Attempt::Nothing),
                    Some(serial) => {
                        let message = format!("the file is missing, but {} is there", snapshot::file_name(*serial));
                        Err(StateError::damaged(&path, 0, message))
                    }
                };
            }
            Err(error) => return Err(StateError::io("read", &path)(error)),
        };
        let (header, start) = log::read_header(&path, &bytes)?;
        let (mut state, snapshot_length) = match header.base {
            0 => (State { serial: 0, lineage: header.lineage, root: header.root, ..State::default() }, 0),
            serial => match snapshot::read(&self.folder, serial)? {
                None => return Ok(Attempt::SnapshotMissing(serial)),
                Some((state, length)) => (state, length),
            },
        };
        let good = log::replay(&path, &bytes, start, &mut state)? as u64;
        Ok(Attempt::Whole(Box::new(Loaded { state, good, length: bytes.len() as u64, snapshot_length })))
    }

    /// Serials of all snapshots, in order.
    fn snapshots(&self) -> Result<Vec<u64>, StateError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StateError::io("list", &self.folder)(error)),
        };
        let mut serials: Vec<u64> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| snapshot::serial_of(entry.file_name().to_str()?))
            .collect();
        serials.sort_unstable();
        Ok(serials)
    }
}

/// What one look at the folder found.
enum Attempt {
    Nothing,
    SnapshotMissing(u64),
    Whole(Box<Loaded>),
}

/// A state with what its writer wants to know of the files.
struct Loaded {
    state: State,
    /// Where the last complete record of the log ends.
    good: u64,
    /// The log's length.
    length: u64,
    /// The length of the snapshot that the log goes on from.
    snapshot_length: u64,
}

impl StateStore for LocalStore {
    fn read(&self) -> Result<Option<State>, StateError> {
        Ok(self.load()?.map(|loaded| loaded.state))
    }

    fn lock(&self, holder: &Holder, timeout: Duration) -> Result<Box<dyn StateWriter>, StateError> {
        fs::create_dir_all(&self.folder).map_err(StateError::io("make", &self.folder))?;
        let lock = Lock::acquire(&self.folder, holder, timeout)?;
        let mut writer = LocalWriter {
            store: self.clone(),
            _lock: lock,
            state: State::default(),
            log: None,
            length: 0,
            snapshot_length: 0,
            broken: None,
        };
        if let Some(loaded) = self.load()? {
            let file = writer.open_log()?;
            if loaded.length > loaded.good {
                // Only a crash leaves a torn tail, and only whoever holds the lock may cut it.
                let path = self.log_path();
                file.set_len(loaded.good).and_then(|()| file.sync_all()).map_err(StateError::io("cut", &path))?;
            }
            writer.log = Some(file);
            writer.state = loaded.state;
            writer.length = loaded.good;
            writer.snapshot_length = loaded.snapshot_length;
        }
        Ok(Box::new(writer))
    }
}

/// The writer of a [`LocalStore`].
#[derive(Debug)]
pub struct LocalWriter {
    store: LocalStore,
    _lock: Lock,
    state: State,
    log: Option<File>,
    length: u64,
    snapshot_length: u64,
    broken: Option<String>,
}

impl LocalWriter {
    fn open_log(&self) -> Result<File, StateError> {
        let path = self.store.log_path();
        OpenOptions::new().append(true).open(&path).map_err(StateError::io("open", &path))
    }

    fn compact(&mut self) -> Result<(), StateError> {
        let folder = self.store.folder.clone();
        let snapshot = snapshot::encode(&self.state);
        write_whole(&folder, &snapshot::file_name(self.state.serial), &snapshot)?;
        let header = Header::of(&self.state).frame();
        write_whole(&folder, "log", &header)?;
        self.log = Some(self.open_log()?);
        self.length = header.len() as u64;
        self.snapshot_length = snapshot.len() as u64;
        // The snapshot before stays as a backup. A reader that still wants an older one starts again.
        let serials = self.store.snapshots()?;
        for serial in serials.iter().rev().skip(2) {
            let path = folder.join(snapshot::file_name(*serial));
            fs::remove_file(&path).map_err(StateError::io("remove", &path))?;
        }
        Ok(())
    }

    /// Finds out what a failed compaction left.
    fn go_on_after(&mut self, error: &StateError) {
        match (self.open_log(), self.store.load()) {
            (Ok(log), Ok(Some(loaded))) if loaded.state.serial == self.state.serial => {
                self.log = Some(log);
                self.length = loaded.good;
                self.snapshot_length = loaded.snapshot_length;
            }
            _ => self.broken = Some(format!("the log could not be compacted: {error}")),
        }
    }
}

impl StateWriter for LocalWriter {
    fn state(&self) -> &State {
        &self.state
    }

    fn begin(&mut self, lineage: &str, root: &str) -> Result<(), StateError> {
        let state = State { lineage: lineage.to_owned(), root: root.to_owned(), ..State::default() };
        let header = Header::of(&state).frame();
        write_whole(&self.store.folder, "log", &header)?;
        self.log = Some(self.open_log()?);
        self.length = header.len() as u64;
        self.state = state;
        Ok(())
    }

    fn commit(&mut self, changes: Vec<Change>) -> Result<(), StateError> {
        if let Some(why) = &self.broken {
            return Err(StateError::Lost(why.clone()));
        }
        let path = self.store.log_path();
        let log = self.log.as_mut().ok_or_else(|| StateError::Lost("it was never begun".to_owned()))?;
        let record = Record { serial: self.state.serial + 1, changes };
        let bytes = frame::frame(&serde_json::to_vec(&record).expect("a record is plain data"));
        if let Err(error) = log.write_all(&bytes).and_then(|()| log.sync_data()) {
            // What got through is cut off again, so that the next record does not follow half of this one.
            if let Err(second) = log.set_len(self.length).and_then(|()| log.sync_data()) {
                self.broken = Some(format!("an incomplete record could not be cut off: {second}"));
            }
            return Err(StateError::io("write", &path)(error));
        }
        self.length += bytes.len() as u64;
        self.state.take(record);
        if self.length > self.store.smallest_compaction.max(COMPACTION_FACTOR * self.snapshot_length)
            && let Err(error) = self.compact()
        {
            // The record is durable already: a failed compaction is not a failed commit, unless it left no log to go on with.
            self.go_on_after(&error);
        }
        Ok(())
    }
}

/// Writes a file so that it is there whole or not at all, and durable when this returns.
fn write_whole(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), StateError> {
    let temporary = folder.join(format!("{name}.new"));
    let path = folder.join(name);
    let write = |file: &mut File| file.write_all(bytes).and_then(|()| file.sync_all());
    let mut file = File::create(&temporary).map_err(StateError::io("make", &temporary))?;
    write(&mut file).map_err(StateError::io("write", &temporary))?;
    drop(file);
    fs::rename(&temporary, &path).map_err(StateError::io("rename", &path))?;
    sync_folder(folder)
}

/// Makes names in a folder durable, where the operating system has folders that can be synced.
fn sync_folder(folder: &Path) -> Result<(), StateError> {
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(StateError::io("sync", folder))?;
    }
    Ok(())
}
