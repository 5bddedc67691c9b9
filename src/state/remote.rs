//! The store in an object store: the same numbered log, one object for each record.
//!
//! | object | holds |
//! |---|---|
//! | `header` | format, lineage, root, which snapshot the log goes on from; replaced only on the condition that it is unchanged |
//! | `log/<serial>` | one record; made only where there is none |
//! | `snapshot/<serial>-<token>` | the whole state after that record |
//! | `lease` | who may write |
//!
//! A record is committed when `log/<serial>` was made. Of several writers that try the same number exactly one succeeds, whatever they believe about
//! the lease; the others have lost and can commit no more.
//!
//! Whoever takes over a lease that was not released puts a *fence* first: an empty record, under the next number. A record of the former holder
//! that is still on its way comes before the fence, and is taken in, or comes too late, and is refused. Fences are never deleted (the header
//! lists them), so the next number of a fenced-off writer is occupied for ever.
//!
//! A state is removed by a record, too: of all who might write the next one exactly one succeeds, so nobody's work is removed unseen. Then the
//! header says so, and all but the header, the lease and the fences is deleted. Another state goes on with the next number: whoever was fenced off
//! from the one before is fenced off from it as well.
//!
//! A reader takes no lock: it reads the header, the snapshot, and records until there is none, and begins again if the header has changed
//! meanwhile. Objects are deleted only after the header no longer needs them, so an unchanged header proves that the last record found was the last.

mod lease;
mod link;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use lease::LeaseSeen;
pub use writer::RemoteWriter;

use crate::clock::{Clock, MonotonicClock};
use crate::encryption::{Encryption, EncryptionError, Stored};
use crate::frame::{self, Next};
use crate::log::record_context;
use crate::{FORMAT, Holder, Object, ObjectStore, Record, State, StateError, StateStore, StateWriter, Tag, snapshot};
use lease::Lease;
use link::Link;

const HEADER: &str = "header";
const LOG: &str = "log/";
const SNAPSHOT: &str = "snapshot/";
/// How many records are read at once, at first and at most.
const FIRST_WINDOW: u64 = 4;
const LARGEST_WINDOW: u64 = 256;
/// How often a reader begins again because the header has changed while it read.
const READ_ATTEMPTS: usize = 20;

/// How a [`RemoteStore`] behaves. All of it may differ between writers of one state.
#[derive(Clone, Debug)]
pub struct RemoteOptions {
    /// How long a lease lasts without a heartbeat: 60 s. Whole seconds.
    pub lease: Duration,
    /// How often a heartbeat is sent: every 15 s.
    pub heartbeat: Duration,
    /// Whether a thread sends them. Otherwise the caller does, by [`RemoteWriter::renew`].
    pub beats_by_itself: bool,
    /// How often a lease that somebody else holds is looked at: every second.
    pub poll: Duration,
    /// How long a call is repeated before it is given up: 30 s.
    pub patience: Duration,
    /// A log of fewer bytes than this is compacted only when its writer ends: 256 KiB.
    pub smallest_compaction: u64,
    /// A log of more records than this is compacted in any case: 1,000.
    pub longest_log: u64,
    /// A writer that ends leaves no longer log than this: 32 records.
    pub tidy_log: u64,
}

impl Default for RemoteOptions {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(60),
            heartbeat: Duration::from_secs(15),
            beats_by_itself: true,
            poll: Duration::from_secs(1),
            patience: Duration::from_secs(30),
            smallest_compaction: 256 * 1024,
            longest_log: 1000,
            tidy_log: 32,
        }
    }
}

/// A state in an object store.
#[derive(Clone, Debug)]
pub struct RemoteStore {
    link: Link,
    options: RemoteOptions,
    encryption: Encryption,
}

impl RemoteStore {
    /// The state in a place of an object store. The place need not hold one yet.
    pub fn new(objects: Arc<dyn ObjectStore>, options: RemoteOptions) -> Self {
        let link = Link { objects, clock: Arc::new(MonotonicClock::new()), patience: options.patience };
        Self { link, options, encryption: Encryption::none() }
    }

    /// The same, encrypted. What is stored otherwise, and can be read, is rewritten by the next writer before it does anything else.
    #[must_use]
    pub fn encrypted(mut self, encryption: Encryption) -> Self {
        self.encryption = encryption;
        self
    }

    /// The same by another clock: for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.link.clock = clock;
        self
    }

    /// The same as [`StateStore::lock`], with the writer's own type.
    ///
    /// # Errors
    /// When another writer still holds the lease, or the state cannot be read, is damaged, or cannot be rewritten.
    pub fn writer(&self, holder: &Holder, timeout: Duration) -> Result<RemoteWriter, StateError> {
        let lease = Lease::acquire(&self.link, &self.options, holder, timeout)?;
        RemoteWriter::begin(self.clone(), lease)
    }

    /// Whether there is a state, by its header alone.
    ///
    /// # Errors
    /// When the store refuses or does not answer, or the header is damaged.
    pub fn is_there(&self) -> Result<bool, StateError> {
        let header = self.link.get(HEADER)?.map(|object| Header::parse(&self.link, &object)).transpose()?;
        Ok(header.is_some_and(|header| !header.removed))
    }

    /// Reads everything, taking no lock.
    fn load(&self) -> Result<Option<Loaded>, StateError> {
        let mut missing = None;
        for _ in 0..READ_ATTEMPTS {
            let Some(object) = self.link.get(HEADER)? else { return Ok(None) };
            let header = Header::parse(&self.link, &object)?;
            let mut loaded = Loaded::at(header, object.tag);
            if let Some(key) = loaded.header.snapshot.clone() {
                let Some(object) = self.link.get(&key)? else {
                    // A writer has just replaced it, or it is really lost.
                    missing = Some(key);
                    continue;
                };
                loaded.take_snapshot(&self.link, &key, &object, &self.encryption)?;
            }
            self.read_records(&mut loaded)?;
            if self.link.get(HEADER)?.is_some_and(|object| object.tag == loaded.tag) {
                return Ok(Some(loaded));
            }
        }
        let message = match missing {
            Some(key) => format!("the log goes on from {key}, which is missing"),
            None => format!("it changed {READ_ATTEMPTS} times while it was read"),
        };
        Err(StateError::damaged(&self.link.path(HEADER), 0, message))
    }

    fn read_records(&self, loaded: &mut Loaded) -> Result<(), StateError> {
        let mut window = FIRST_WINDOW;
        loop {
            let first = loaded.state.serial + 1;
            let keys: Vec<String> = (first..first + window).map(log_key).collect();
            for (key, object) in keys.iter().zip(self.link.get_many(&keys)?) {
                let Some(object) = object else { return Ok(()) };
                loaded.take_record(&self.link, key, &object, &self.encryption)?;
            }
            window = (window * 2).min(LARGEST_WINDOW);
        }
    }
}

impl StateStore for RemoteStore {
    fn read(&self) -> Result<Option<State>, StateError> {
        Ok(self.load()?.filter(|loaded| !loaded.removed).map(|loaded| loaded.state))
    }

    fn lock(&self, holder: &Holder, timeout: Duration) -> Result<Box<dyn StateWriter>, StateError> {
        Ok(Box::new(self.writer(holder, timeout)?))
    }

    fn break_lock(&self, id: &str) -> Result<Holder, StateError> {
        lease::break_lease(&self.link, id)
    }
}

fn log_key(serial: u64) -> String {
    format!("{LOG}{serial:020}")
}

fn serial_of_log(key: &str) -> Option<u64> {
    key.strip_prefix(LOG)?.parse().ok()
}

fn snapshot_key(serial: u64, token: &str) -> String {
    format!("{SNAPSHOT}{serial:020}-{token}")
}

fn serial_of_snapshot(key: &str) -> Option<u64> {
    key.strip_prefix(SNAPSHOT)?.split_once('-')?.0.parse().ok()
}

/// The object `header`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    /// Version of the format.
    format: u32,
    lineage: String,
    root: String,
    /// Serial of the snapshot that the log goes on from; 0: it begins with nothing.
    base: u64,
    /// That snapshot's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    snapshot: Option<String>,
    /// Serials of the fences up to the base.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fences: Vec<u64>,
    /// What lies before the base must not be kept: it is not encrypted as it should be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    purge: bool,
    /// The state was removed: there is none until somebody begins another one, whose records go on from the base.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    removed: bool,
    /// Who wrote it: no two writers write the same bytes.
    writer: String,
}

/// What a record is besides a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Plain,
    /// It fences off an earlier writer, and changes nothing.
    Fence,
    /// It removes the state.
    Removal,
}

/// An object `log/<serial>`.
#[derive(Debug, Serialize, Deserialize)]
struct LogEntry {
    /// Who wrote it: no two writers write the same bytes.
    writer: String,
    /// It fences off an earlier writer, and changes nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    fence: bool,
    /// It removes the state.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    removal: bool,
    /// The record in clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    record: Option<Record>,
    /// The record, encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

impl Header {
    fn bytes(&self) -> Vec<u8> {
        frame::frame(&serde_json::to_vec(self).expect("a header is plain data"))
    }

    fn parse(link: &Link, object: &Object) -> Result<Self, StateError> {
        #[derive(Deserialize)]
        struct Versioned {
            format: u32,
        }
        let path = link.path(HEADER);
        let json = only_frame(link, HEADER, object)?;
        let unreadable =
            |error: serde_json::Error| StateError::damaged(&path, 0, format!("the header is not readable: {error}"));
        let versioned: Versioned = serde_json::from_slice(json).map_err(unreadable)?;
        if versioned.format > FORMAT {
            return Err(StateError::NewerFormat { path, found: versioned.format });
        }
        serde_json::from_slice(json).map_err(unreadable)
    }
}

impl LogEntry {
    fn bytes(
        lineage: &str,
        record: &Record,
        writer: &str,
        mark: Mark,
        encryption: &Encryption,
    ) -> Result<Vec<u8>, EncryptionError> {
        let (writer, fence, removal) = (writer.to_owned(), mark == Mark::Fence, mark == Mark::Removal);
        let entry = match encryption.is_on() {
            false => Self { writer, fence, removal, record: Some(record.clone()), sealed: None },
            true => {
                let json = serde_json::to_vec(record).expect("a record is plain data");
                let sealed = encryption.seal_text(&record_context(lineage, record.serial), &json)?;
                Self { writer, fence, removal, record: None, sealed: Some(sealed) }
            }
        };
        Ok(frame::frame(&serde_json::to_vec(&entry).expect("a record is plain data")))
    }
}

/// The JSON of an object that holds one frame and nothing else.
fn only_frame<'a>(link: &Link, key: &str, object: &'a Object) -> Result<&'a [u8], StateError> {
    let damaged = |message: &str| StateError::damaged(&link.path(key), 0, message);
    match frame::next(&object.bytes, 0) {
        Next::Frame { json, end } if end == object.bytes.len() => Ok(json),
        Next::Frame { .. } => Err(damaged("something follows its end")),
        Next::End => Err(damaged("it is empty")),
        Next::Torn => Err(damaged("it is incomplete")),
        Next::Damaged(message) => Err(damaged(message)),
    }
}

/// A state with what its writer wants to know of the objects.
#[derive(Debug)]
struct Loaded {
    state: State,
    header: Header,
    tag: Tag,
    /// Serials of the fences after the base.
    fences: Vec<u64>,
    /// Bytes of all records after the base.
    log_bytes: u64,
    snapshot_bytes: u64,
    stored: Stored,
    /// Whether it was removed.
    removed: bool,
}

impl Loaded {
    fn at(header: Header, tag: Tag) -> Self {
        // Without a snapshot a state begins with nothing, after the records of one that was removed before it.
        let (lineage, root, serial) = (header.lineage.clone(), header.root.clone(), header.base);
        let state = State { lineage, root, serial, ..State::default() };
        let (stored, removed) = (Stored::in_format(header.format == FORMAT), header.removed);
        Self { state, header, tag, fences: Vec::new(), log_bytes: 0, snapshot_bytes: 0, stored, removed }
    }

    fn take_snapshot(
        &mut self,
        link: &Link,
        key: &str,
        object: &Object,
        encryption: &Encryption,
    ) -> Result<(), StateError> {
        let Header { lineage, base, .. } = &self.header;
        let decoded = snapshot::decode(&link.path(key), &object.bytes, lineage, *base, encryption)?;
        self.state = decoded.state;
        self.stored = self.stored.max(decoded.stored);
        self.snapshot_bytes = object.bytes.len() as u64;
        Ok(())
    }

    fn take_record(
        &mut self,
        link: &Link,
        key: &str,
        object: &Object,
        encryption: &Encryption,
    ) -> Result<(), StateError> {
        let path = link.path(key);
        let json = only_frame(link, key, object)?;
        let unreadable =
            |error: serde_json::Error| StateError::damaged(&path, 0, format!("the record is not readable: {error}"));
        let entry: LogEntry = serde_json::from_slice(json).map_err(unreadable)?;
        let serial = self.state.serial + 1;
        let record = match (entry.record, entry.sealed) {
            (Some(record), None) => {
                self.stored = self.stored.max(encryption.admit_clear().map_err(StateError::encryption(&path))?);
                record
            }
            (None, Some(sealed)) => {
                let context = record_context(&self.state.lineage, serial);
                let (plain, stored) = encryption.open_text(&context, &sealed).map_err(StateError::encryption(&path))?;
                self.stored = self.stored.max(stored);
                serde_json::from_slice(&plain).map_err(unreadable)?
            }
            (Some(_), Some(_)) | (None, None) => {
                return Err(StateError::damaged(
                    &path,
                    0,
                    "the record is there neither once in clear nor once encrypted",
                ));
            }
        };
        if record.serial != serial {
            let message = format!("record {} is stored in place of record {serial}", record.serial);
            return Err(StateError::damaged(&path, 0, message));
        }
        if entry.fence {
            self.fences.push(serial);
        }
        self.removed |= entry.removal;
        self.log_bytes += object.bytes.len() as u64;
        self.state.take(record);
        Ok(())
    }
}
