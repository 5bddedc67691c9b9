//! The writer of a state in an object store.

use super::lease::Lease;
use super::link::Written;
use super::{
    Header, LOG, Loaded, LogEntry, Mark, RemoteStore, SNAPSHOT, log_key, serial_of_log, serial_of_snapshot,
    snapshot_key,
};
use crate::encryption::Stored;
use crate::{Change, FORMAT, Record, State, StateError, StateWriter, snapshot};

/// A log is compacted when it is this many times as long as the snapshot it goes on from.
const COMPACTION_FACTOR: u64 = 3;

/// The writer of a [`RemoteStore`].
#[derive(Debug)]
pub struct RemoteWriter {
    store: RemoteStore,
    lease: Lease,
    state: State,
    /// What was read of the header and the log; `None` while there is no state.
    log: Option<Log>,
    /// Whether the state that was there was removed: then there is none, and its header is what another one takes the place of.
    is_removed: bool,
    /// How all that was read is stored.
    stored: Stored,
    broken: Option<String>,
}

/// What the writer knows of what is stored.
#[derive(Debug)]
struct Log {
    header: Header,
    tag: crate::Tag,
    /// Serials of the fences after the base.
    fences: Vec<u64>,
    bytes: u64,
    snapshot_bytes: u64,
}

/// What becomes of what lies before a new snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backup {
    /// The snapshot before stays, and the records from it on.
    Keep,
    /// Nothing stays: it is not encrypted as it should be.
    Purge,
}

impl RemoteWriter {
    pub(super) fn begin(store: RemoteStore, lease: Lease) -> Result<Self, StateError> {
        let mut writer = Self {
            store,
            lease,
            state: State::default(),
            log: None,
            is_removed: false,
            stored: Stored::Current,
            broken: None,
        };
        let Some(loaded) = writer.store.load()? else {
            // A former holder may still make the header: whoever comes next has to fence it off, unless this writer is the one that makes it.
            return Ok(writer);
        };
        writer.take_loaded(loaded);
        if writer.lease.must_fence {
            writer.fence()?;
        }
        if writer.is_removed {
            writer.bury()?;
            return Ok(writer);
        }
        let purge = writer.log.as_ref().is_some_and(|log| log.header.purge);
        if writer.stored != Stored::Current {
            let prepared = writer.store.encryption.prepare(&mut writer.state, writer.stored);
            prepared.map_err(StateError::encryption(&writer.store.link.path(super::HEADER)))?;
            writer.compact(Backup::Purge)?;
        } else if purge {
            writer.purge()?;
        }
        Ok(writer)
    }

    /// Sends a heartbeat now.
    ///
    /// # Errors
    /// When somebody else holds the lease by now, or the store does not answer.
    pub fn renew(&self) -> Result<(), StateError> {
        self.lease.renew()
    }

    fn take_loaded(&mut self, loaded: Loaded) {
        let Loaded { state, header, tag, fences, log_bytes, snapshot_bytes, removed, stored, .. } = loaded;
        self.is_removed = removed;
        self.stored = stored;
        self.state = state;
        self.log = Some(Log { header, tag, fences, bytes: log_bytes, snapshot_bytes });
    }

    /// Fences off whoever held the lease before: takes in what came through, and occupies the next number.
    fn fence(&mut self) -> Result<(), StateError> {
        loop {
            let record = Record { serial: self.state.serial + 1, changes: Vec::new() };
            match self.put(&record, Mark::Fence)? {
                Written::Ours(_) => {
                    self.lease.must_fence = false;
                    return Ok(());
                }
                Written::Theirs(_) | Written::Missing => {
                    let loaded = self.store.load()?;
                    let loaded = loaded.ok_or_else(|| StateError::Lost("its header was deleted".to_owned()))?;
                    self.take_loaded(loaded);
                }
            }
        }
    }

    /// Makes the object of a record, and takes the record in.
    fn put(&mut self, record: &Record, mark: Mark) -> Result<Written, StateError> {
        let key = log_key(record.serial);
        let link = &self.store.link;
        let log = self.log.as_mut().ok_or_else(|| StateError::Lost("it was never begun".to_owned()))?;
        let bytes = LogEntry::bytes(&self.state.lineage, record, self.lease.token(), mark, &self.store.encryption)
            .map_err(StateError::encryption(&link.path(&key)))?;
        let written = link.create(&key, &bytes)?;
        if let Written::Ours(_) = written {
            log.bytes += bytes.len() as u64;
            if mark == Mark::Fence {
                log.fences.push(record.serial);
            }
            self.state.take(record.clone());
        }
        Ok(written)
    }

    fn is_due(&self) -> bool {
        let options = &self.store.options;
        self.log.as_ref().is_some_and(|log| {
            log.bytes > options.smallest_compaction.max(COMPACTION_FACTOR * log.snapshot_bytes)
                || self.state.serial - log.header.base > options.longest_log
        })
    }

    /// Writes a snapshot, lets the log go on from it, and deletes what nobody needs any more.
    fn compact(&mut self, backup: Backup) -> Result<(), StateError> {
        let link = &self.store.link;
        if self.log.is_none() {
            return Ok(());
        }
        let token: [u8; 8] = crate::encryption::random().map_err(StateError::encryption(&link.path(SNAPSHOT)))?;
        let key = snapshot_key(self.state.serial, &crate::encryption::hexadecimal(&token));
        let bytes =
            snapshot::encode(&self.state, &self.store.encryption).map_err(StateError::encryption(&link.path(&key)))?;
        if !matches!(link.create(&key, &bytes)?, Written::Ours(_)) {
            return Err(StateError::Lost(format!("{key} was written by somebody else")));
        }
        let previous = self.replace_header(Some(key), backup == Backup::Purge)?;
        if let Some(log) = &mut self.log {
            log.snapshot_bytes = bytes.len() as u64;
        }
        match backup {
            Backup::Purge => self.purge(),
            Backup::Keep => self.collect(previous.base, previous.snapshot.as_deref()),
        }
    }

    /// Lets the log go on from here: from a snapshot, or, where the state was removed, from nothing. Gives the header that there was.
    fn replace_header(&mut self, snapshot: Option<String>, purge: bool) -> Result<Header, StateError> {
        let link = &self.store.link;
        let log = self.log.as_mut().ok_or_else(|| StateError::Lost("it was never begun".to_owned()))?;
        loop {
            let mut fences = log.header.fences.clone();
            fences.extend(&log.fences);
            fences.sort_unstable();
            fences.dedup();
            let header = Header {
                format: FORMAT,
                base: self.state.serial,
                snapshot: snapshot.clone(),
                fences,
                purge,
                removed: self.is_removed,
                writer: self.lease.token().to_owned(),
                ..log.header.clone()
            };
            match link.replace(super::HEADER, &header.bytes(), &log.tag)? {
                Written::Ours(tag) => {
                    let previous = std::mem::replace(&mut log.header, header);
                    log.tag = tag;
                    log.fences.clear();
                    log.bytes = 0;
                    return Ok(previous);
                }
                Written::Theirs(object) => {
                    let found = Header::parse(link, &object)?;
                    if found.lineage != self.state.lineage || found.base > self.state.serial {
                        let why = format!("the state went on to record {} without it", found.base);
                        self.broken = Some(why.clone());
                        return Err(StateError::Lost(why));
                    }
                    // A compaction of the same records, whose answer was lost or which came late: this one goes further.
                    log.header = found;
                    log.tag = object.tag;
                }
                Written::Missing => return Err(StateError::Lost("its header was deleted".to_owned())),
            }
        }
    }

    /// Ends what a removal has begun: the header says that there is no state, and all that was one goes.
    fn bury(&mut self) -> Result<(), StateError> {
        let is_buried = |log: &Log| log.header.removed && log.header.base == self.state.serial;
        if !self.log.as_ref().is_some_and(is_buried) {
            self.replace_header(None, false)?;
        }
        self.purge()?;
        self.state = State::default();
        Ok(())
    }

    /// Somebody else has written the next record.
    fn overtaken(&mut self, serial: u64) -> StateError {
        let why = format!("another writer has committed record {serial}");
        self.broken = Some(why.clone());
        StateError::Lost(why)
    }

    /// Deletes everything before the base, except fences.
    fn purge(&self) -> Result<(), StateError> {
        match &self.log {
            Some(log) => self.collect(log.header.base, None),
            None => Ok(()),
        }
    }

    /// Deletes records up to `serial`, and snapshots before it, except fences, the present snapshot, and `backup`.
    fn collect(&self, serial: u64, backup: Option<&str>) -> Result<(), StateError> {
        let Some(Log { header, .. }) = &self.log else { return Ok(()) };
        let link = &self.store.link;
        for key in link.list(LOG)? {
            let is_old = serial_of_log(&key).is_some_and(|found| found <= serial && !header.fences.contains(&found));
            if is_old {
                link.delete(&key)?;
            }
        }
        for key in link.list(SNAPSHOT)? {
            let is_old = serial_of_snapshot(&key).is_some_and(|found| found <= serial);
            // One that is about to become the present one has a higher number: whoever writes it has fenced this writer off.
            let is_kept = header.snapshot.as_ref() == Some(&key) || backup == Some(key.as_str());
            if is_old && !is_kept {
                link.delete(&key)?;
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), StateError> {
        match &self.broken {
            Some(why) => Err(StateError::Lost(why.clone())),
            None => self.lease.check(),
        }
    }

    /// Notes that nobody knows whether something of ours is still on its way.
    fn after<T>(&mut self, result: Result<T, StateError>) -> Result<T, StateError> {
        if let Err(error) = &result
            && error.is_uncertain()
        {
            self.lease.is_uncertain = true;
            self.broken = Some("the store did not answer, and an earlier record may still arrive".to_owned());
        }
        result
    }
}

impl StateWriter for RemoteWriter {
    fn state(&self) -> &State {
        &self.state
    }

    fn begin(&mut self, lineage: &str, root: &str) -> Result<(), StateError> {
        self.check()?;
        // Before anything is made that a later run would go on with.
        self.lease.check_conditions()?;
        let writer = self.lease.token().to_owned();
        // The next number after a state that was removed: whoever was fenced off from that one is fenced off from this one as well.
        let (base, fences) = match &self.log {
            Some(log) => (log.header.base, log.header.fences.clone()),
            None => (0, Vec::new()),
        };
        let state = State { lineage: lineage.to_owned(), root: root.to_owned(), serial: base, ..State::default() };
        let header = Header {
            format: FORMAT,
            lineage: state.lineage.clone(),
            root: state.root.clone(),
            base,
            snapshot: None,
            fences,
            purge: false,
            removed: false,
            writer,
        };
        let link = &self.store.link;
        let made = match &self.log {
            Some(log) => link.replace(super::HEADER, &header.bytes(), &log.tag),
            None => link.create(super::HEADER, &header.bytes()),
        };
        match self.after(made)? {
            Written::Ours(tag) => {
                // Nobody commits without having made or read a header, and there was none to read.
                self.lease.must_fence = false;
                self.is_removed = false;
                self.state = state;
                self.log = Some(Log { header, tag, fences: Vec::new(), bytes: 0, snapshot_bytes: 0 });
                Ok(())
            }
            Written::Theirs(_) | Written::Missing => {
                let why = "another writer has begun the state".to_owned();
                self.broken = Some(why.clone());
                Err(StateError::Lost(why))
            }
        }
    }

    fn commit(&mut self, changes: Vec<Change>) -> Result<(), StateError> {
        self.check()?;
        if self.is_removed {
            return Err(StateError::Lost("it was never begun".to_owned()));
        }
        let record = Record { serial: self.state.serial + 1, changes };
        let written = self.put(&record, Mark::Plain);
        match self.after(written)? {
            Written::Ours(_) => {}
            Written::Theirs(_) | Written::Missing => return Err(self.overtaken(record.serial)),
        }
        if self.is_due() {
            // The record is durable already: a failed compaction is not a failed commit, and the next commit tries it again.
            let _ = self.compact(Backup::Keep);
        }
        Ok(())
    }

    fn remove(&mut self) -> Result<(), StateError> {
        self.check()?;
        if self.log.is_none() || self.is_removed {
            return Ok(());
        }
        let record = Record { serial: self.state.serial + 1, changes: Vec::new() };
        let written = self.put(&record, Mark::Removal);
        match self.after(written)? {
            Written::Ours(_) => {}
            Written::Theirs(_) | Written::Missing => return Err(self.overtaken(record.serial)),
        }
        self.is_removed = true;
        self.bury()
    }
}

impl Drop for RemoteWriter {
    fn drop(&mut self) {
        let is_untidy =
            self.log.as_ref().is_some_and(|log| self.state.serial > log.header.base + self.store.options.tidy_log);
        if is_untidy && self.broken.is_none() && !self.lease.is_lost() {
            // For the readers that come: what cannot be tidied now is tidied by the next writer.
            let _ = self.compact(Backup::Keep);
        }
    }
}
