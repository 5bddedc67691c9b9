//! The store on a local disk.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::disk::{Disk, LocalDisk, LogFile};
use crate::encryption::{Encryption, Stored};
use crate::lock::Lock;
use crate::log::{self, Header};
use crate::{Change, FORMAT, Holder, Record, State, StateError, StateStore, StateWriter, frame, snapshot};

/// A log shorter than this is never compacted.
const SMALLEST_COMPACTION: u64 = 256 * 1024;
/// A log is compacted when it is this many times as long as the snapshot it goes on from: all snapshots together stay within a fraction of it.
const COMPACTION_FACTOR: u64 = 3;
/// How often a reader starts again when a writer compacts the log between the reader's two looks.
const READ_ATTEMPTS: usize = 10;
/// How the name ends of a file that is not written to its end yet.
const UNFINISHED: &str = ".new";

/// A state in a folder.
#[derive(Clone, Debug)]
pub struct LocalStore {
    folder: PathBuf,
    encryption: Encryption,
    disk: Arc<dyn Disk>,
    smallest_compaction: u64,
}

impl LocalStore {
    /// The state in `folder`, usually `.pipectl/<pipeline>/<workspace>`. The folder need not exist.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            encryption: Encryption::none(),
            disk: Arc::new(LocalDisk),
            smallest_compaction: SMALLEST_COMPACTION,
        }
    }

    /// The same, encrypted. What is stored otherwise, and can be read, is rewritten by the next writer before it does anything else.
    #[must_use]
    pub fn encrypted(mut self, encryption: Encryption) -> Self {
        self.encryption = encryption;
        self
    }

    /// The same on another disk: for tests of what happens when a disk fails.
    #[must_use]
    pub fn on(mut self, disk: Arc<dyn Disk>) -> Self {
        self.disk = disk;
        self
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
        let bytes = match self.disk.read(&path) {
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
        let mut stored = Stored::in_format(header.format == FORMAT);
        let (mut state, snapshot_length) = match header.base {
            0 => (header.empty_state(), 0),
            serial => {
                let path = self.folder.join(snapshot::file_name(serial));
                let bytes = match self.disk.read(&path) {
                    Ok(bytes) => bytes,
                    Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Attempt::SnapshotMissing(serial)),
                    Err(error) => return Err(StateError::io("read", &path)(error)),
                };
                let decoded = snapshot::decode(&path, &bytes, &header.lineage, serial, &self.encryption)?;
                stored = stored.max(decoded.stored);
                (decoded.state, bytes.len() as u64)
            }
        };
        let replayed = log::replay(&path, &bytes, start, &self.encryption, &mut state)?;
        stored = stored.max(replayed.stored);
        let good = replayed.end as u64;
        let (base, length) = (header.base, bytes.len() as u64);
        Ok(Attempt::Whole(Box::new(Loaded { state, good, length, snapshot_length, base, stored })))
    }

    /// Serials of all snapshots, in order.
    fn snapshots(&self) -> Result<Vec<u64>, StateError> {
        let mut serials: Vec<u64> = self.names()?.iter().filter_map(|name| snapshot::serial_of(name)).collect();
        serials.sort_unstable();
        Ok(serials)
    }

    fn names(&self) -> Result<Vec<String>, StateError> {
        match self.disk.list(&self.folder) {
            Ok(names) => Ok(names),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(StateError::io("list", &self.folder)(error)),
        }
    }

    /// Removes snapshots that a crash kept from being removed when the others were encrypted, with this passphrase or at all.
    fn remove_clear_backups(&self, base: u64) -> Result<(), StateError> {
        for name in self.snapshots()?.into_iter().filter(|serial| *serial != base).map(snapshot::file_name) {
            let path = self.folder.join(&name);
            let bytes = self.disk.read(&path).map_err(StateError::io("read", &path))?;
            if !snapshot::is_current(&bytes, &self.encryption) {
                self.remove(&name)?;
            }
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), StateError> {
        let path = self.folder.join(name);
        self.disk.remove(&path).map_err(StateError::io("remove", &path))
    }

    /// Writes a file so that it is there whole or not at all, and durable when this returns.
    fn write_whole(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        let temporary = self.folder.join(format!("{name}{UNFINISHED}"));
        let path = self.folder.join(name);
        self.disk.write(&temporary, bytes).map_err(StateError::io("write", &temporary))?;
        self.disk.rename(&temporary, &path).map_err(StateError::io("rename", &path))
    }
}

/// Whether a file is a log or a snapshot that is not written to its end. Other files of the folder are not ours.
fn is_unfinished(name: &str) -> bool {
    let whole = name.strip_suffix(UNFINISHED);
    whole.is_some_and(|whole| whole == "log" || snapshot::serial_of(whole).is_some())
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
    /// Serial of that snapshot; 0: there is none.
    base: u64,
    stored: Stored,
}

impl StateStore for LocalStore {
    fn read(&self) -> Result<Option<State>, StateError> {
        Ok(self.load()?.map(|loaded| loaded.state))
    }

    fn lock(&self, holder: &Holder, timeout: Duration) -> Result<Box<dyn StateWriter>, StateError> {
        self.disk.make_folder(&self.folder).map_err(StateError::io("make", &self.folder))?;
        let lock = Lock::acquire(&*self.disk, &self.folder, holder, timeout)?;
        let mut writer = LocalWriter {
            store: self.clone(),
            _lock: lock,
            state: State::default(),
            log: None,
            length: 0,
            snapshot_length: 0,
            broken: None,
        };
        for name in self.names()?.iter().filter(|name| is_unfinished(name)) {
            // A crash left it. It may hold in clear what is encrypted by now.
            self.remove(name)?;
        }
        if let Some(loaded) = self.load()? {
            let mut file = writer.open_log()?;
            if loaded.length > loaded.good {
                // Only a crash leaves a torn tail, and only whoever holds the lock may cut it.
                file.cut(loaded.good).map_err(StateError::io("cut", &self.log_path()))?;
            }
            writer.log = Some(file);
            writer.state = loaded.state;
            writer.length = loaded.good;
            writer.snapshot_length = loaded.snapshot_length;
            if loaded.stored != Stored::Current {
                let prepared = self.encryption.prepare(&mut writer.state, loaded.stored);
                prepared.map_err(StateError::encryption(&self.log_path()))?;
                writer.compact(Backup::Remove)?;
            } else if self.encryption.is_on() {
                self.remove_clear_backups(loaded.base)?;
            }
        }
        Ok(Box::new(writer))
    }
}

/// Whether the snapshot before stays when a new one is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backup {
    Keep,
    /// It is not encrypted as it should be.
    Remove,
}

/// The writer of a [`LocalStore`].
#[derive(Debug)]
pub struct LocalWriter {
    store: LocalStore,
    _lock: Lock,
    state: State,
    log: Option<Box<dyn LogFile>>,
    length: u64,
    snapshot_length: u64,
    broken: Option<String>,
}

impl LocalWriter {
    fn open_log(&self) -> Result<Box<dyn LogFile>, StateError> {
        let path = self.store.log_path();
        self.store.disk.open_log(&path).map_err(StateError::io("open", &path))
    }

    fn compact(&mut self, backup: Backup) -> Result<(), StateError> {
        let store = self.store.clone();
        let name = snapshot::file_name(self.state.serial);
        let snapshot = snapshot::encode(&self.state, &store.encryption)
            .map_err(StateError::encryption(&store.folder.join(&name)))?;
        store.write_whole(&name, &snapshot)?;
        let header = Header::of(&self.state).frame();
        store.write_whole("log", &header)?;
        self.log = Some(self.open_log()?);
        self.length = header.len() as u64;
        self.snapshot_length = snapshot.len() as u64;
        // A reader that still wants a snapshot that is gone starts again.
        let kept = match backup {
            Backup::Keep => 2,
            Backup::Remove => 1,
        };
        for serial in store.snapshots()?.iter().rev().skip(kept) {
            store.remove(&snapshot::file_name(*serial))?;
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
        self.store.write_whole("log", &header)?;
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
        let json = serde_json::to_vec(&record).expect("a record is plain data");
        let context = log::record_context(&self.state.lineage, record.serial);
        let stored = self.store.encryption.seal_json(&context, json).map_err(StateError::encryption(&path))?;
        let bytes = frame::frame(&stored);
        if let Err(error) = log.append(&bytes) {
            // What got through is cut off again, so that the next record does not follow half of this one.
            if let Err(second) = log.cut(self.length) {
                self.broken = Some(format!("an incomplete record could not be cut off: {second}"));
            }
            return Err(StateError::io("write", &path)(error));
        }
        self.length += bytes.len() as u64;
        self.state.take(record);
        if self.length > self.store.smallest_compaction.max(COMPACTION_FACTOR * self.snapshot_length)
            && let Err(error) = self.compact(Backup::Keep)
        {
            // The record is durable already: a failed compaction is not a failed commit, unless it left no log to go on with.
            self.go_on_after(&error);
        }
        Ok(())
    }

    fn remove(&mut self) -> Result<(), StateError> {
        self.broken = Some("it was removed".to_owned());
        if self.log.take().is_none() {
            return Ok(());
        }
        // Nobody may find a log whose snapshot is gone, nor a snapshot without a log: it is an empty state until it is none.
        let empty = State { serial: 0, ..self.state.clone() };
        self.store.write_whole("log", &Header::of(&empty).frame())?;
        for serial in self.store.snapshots()? {
            self.store.remove(&snapshot::file_name(serial))?;
        }
        self.store.remove("log")
    }
}
