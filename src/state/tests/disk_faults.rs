//! Disks that are full, read-only, or go away in the middle of any operation.

#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pipectl_state::conformance::holder;
use pipectl_state::{
    Change, Cost, Disk, Encryption, LocalDisk, LocalStore, LogFile, OutputState, Passphrase, State, StateError,
    StateStore,
};
use serde_json::json;

fn output(name: &str, text: &str) -> Change {
    let output = OutputState { value: json!(text), ty: json!("string"), sensitive: false };
    Change::SetOutput { name: name.to_owned(), output }
}

/// What a disk does from some moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Writes fail when so many more bytes were written; the last one is cut short. Everything else works.
    Full(usize),
    /// Nothing can be changed.
    ReadOnly,
    /// So many more operations that change something succeed; the next is done by half, and then there is nothing any more: the process is dead.
    Dead(usize),
}

#[derive(Clone, Debug)]
struct FaultyDisk(Arc<Mutex<Option<Fault>>>);

impl FaultyDisk {
    fn new(fault: Option<Fault>) -> Self {
        Self(Arc::new(Mutex::new(fault)))
    }

    fn set(&self, fault: Option<Fault>) {
        *self.0.lock().unwrap() = fault;
    }

    /// How many of `length` bytes may be written, and how it ends.
    fn write(&self, length: usize) -> (usize, io::Result<()>) {
        let mut fault = self.0.lock().unwrap();
        match &mut *fault {
            None => (length, Ok(())),
            Some(Fault::ReadOnly) => (0, Err(ErrorKind::ReadOnlyFilesystem.into())),
            Some(Fault::Full(left)) if *left >= length => {
                *left -= length;
                (length, Ok(()))
            }
            Some(Fault::Full(left)) => (std::mem::take(left), Err(ErrorKind::StorageFull.into())),
            Some(Fault::Dead(0)) => (0, Err(gone())),
            Some(Fault::Dead(1)) => {
                *fault = Some(Fault::Dead(0));
                (length / 2, Err(gone()))
            }
            Some(Fault::Dead(left)) => {
                *left -= 1;
                (length, Ok(()))
            }
        }
    }

    /// An operation that is done or not: by half it is done, and nobody is told.
    fn change(&self, change: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        match self.write(2) {
            (0, error) => error,
            (_, end) => change().and(end),
        }
    }

    fn is_full(&self) -> bool {
        matches!(*self.0.lock().unwrap(), Some(Fault::Full(_)))
    }

    fn is_dead(&self) -> bool {
        *self.0.lock().unwrap() == Some(Fault::Dead(0))
    }
}

fn gone() -> io::Error {
    io::Error::other("the process is dead")
}

impl Disk for FaultyDisk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if self.is_dead() { Err(gone()) } else { LocalDisk.read(path) }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        if self.is_dead() { Err(gone()) } else { LocalDisk.list(folder) }
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        LocalDisk.make_folder(folder)
    }

    fn open_lock(&self, path: &Path) -> io::Result<File> {
        match *self.0.lock().unwrap() {
            Some(Fault::ReadOnly) => Err(ErrorKind::ReadOnlyFilesystem.into()),
            _ => LocalDisk.open_lock(path),
        }
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let (length, end) = self.write(bytes.len());
        if length > 0 {
            LocalDisk.write(path, &bytes[..length])?;
        }
        end
    }

    fn open_log(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        Ok(Box::new(FaultyLog { log: LocalDisk.open_log(path)?, disk: self.clone() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        // A full disk still renames, removes, and cuts.
        if self.is_full() {
            return LocalDisk.rename(from, to);
        }
        self.change(|| LocalDisk.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if self.is_full() {
            return LocalDisk.remove(path);
        }
        self.change(|| LocalDisk.remove(path))
    }
}

#[derive(Debug)]
struct FaultyLog {
    log: Box<dyn LogFile>,
    disk: FaultyDisk,
}

impl LogFile for FaultyLog {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (length, end) = self.disk.write(bytes.len());
        self.log.append(&bytes[..length])?;
        end
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        if self.disk.is_full() {
            return self.log.cut(length);
        }
        let log = &mut self.log;
        self.disk.change(|| log.cut(length))
    }
}

fn encryption(passphrase: &str) -> Encryption {
    let passphrase = Passphrase::new(passphrase).unwrap();
    Encryption::with_cost(passphrase, Cost { memory_kib: 64, passes: 1, lanes: 1 }).unwrap()
}

#[test]
fn a_full_disk_fails_commits_and_loses_nothing() {
    for room in (0..1500).step_by(11) {
        let folder = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::new(None);
        // The log is compacted again and again: every write of that is hit too.
        let store = LocalStore::new(folder.path()).compacting_from(400).on(Arc::new(disk.clone()));
        let mut writer = store.lock(&holder("anna"), Duration::ZERO).unwrap();
        writer.begin("lineage", "hep.hcl").unwrap();
        disk.set(Some(Fault::Full(room)));
        let mut committed = Vec::new();
        let error = loop {
            let name = format!("o{}", committed.len());
            match writer.commit(vec![output(&name, "some text that takes room")]) {
                Ok(()) => committed.push(name),
                Err(error) => break error,
            }
        };
        let StateError::Io { doing: "write", source, .. } = &error else { panic!("room for {room}: {error}") };
        assert_eq!(source.kind(), ErrorKind::StorageFull);
        // What was committed is there, for readers on the full disk and for the writer when there is room again.
        let names = |state: &State| state.outputs.keys().cloned().collect::<std::collections::BTreeSet<_>>();
        let expected = committed.iter().cloned().collect();
        assert_eq!(names(&store.read().unwrap().unwrap()), expected, "room for {room}");
        disk.set(None);
        writer.commit(vec![output("more", "")]).unwrap();
        let state = writer.state().clone();
        drop(writer);
        assert_eq!(state.serial, committed.len() as u64 + 1);
        assert_eq!(store.read().unwrap(), Some(state));
    }
}

#[test]
fn a_full_disk_is_a_clear_message() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new(None);
    let store = LocalStore::new(folder.path()).on(Arc::new(disk.clone()));
    let mut writer = store.lock(&holder("anna"), Duration::ZERO).unwrap();
    writer.begin("lineage", "hep.hcl").unwrap();
    disk.set(Some(Fault::Full(10)));
    let diagnostic = writer.commit(vec![output("o", "")]).unwrap_err().diagnostic();
    assert_eq!(diagnostic.summary, "State not accessible");
    assert!(diagnostic.detail.contains("no storage space"), "{}", diagnostic.detail);
}

#[test]
fn a_read_only_disk_can_be_read_and_not_locked() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new(None);
    let store = LocalStore::new(folder.path()).on(Arc::new(disk.clone()));
    let mut writer = store.lock(&holder("anna"), Duration::ZERO).unwrap();
    writer.begin("lineage", "hep.hcl").unwrap();
    writer.commit(vec![output("o", "text")]).unwrap();
    disk.set(Some(Fault::ReadOnly));
    let error = writer.commit(vec![output("p", "text")]).unwrap_err();
    assert!(
        matches!(&error, StateError::Io { source, .. } if source.kind() == ErrorKind::ReadOnlyFilesystem),
        "{error}"
    );
    drop(writer);
    assert_eq!(store.read().unwrap().unwrap().serial, 1);
    let error = store.lock(&holder("anna"), Duration::ZERO).map(drop).unwrap_err();
    assert!(error.to_string().starts_with("cannot open `"), "{error}");
}

/// Runs `work` on a disk that dies at each of its operations in turn, and checks what is found afterwards.
fn at_every_operation(store: &LocalStore, work: impl Fn(&LocalStore), check: impl Fn(&LocalStore, usize)) -> usize {
    let original: Vec<(std::path::PathBuf, Vec<u8>)> = std::fs::read_dir(store.folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    for operations in 1.. {
        for entry in std::fs::read_dir(store.folder()).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
        for (path, bytes) in &original {
            std::fs::write(path, bytes).unwrap();
        }
        let disk = FaultyDisk::new(Some(Fault::Dead(operations)));
        work(&store.clone().on(Arc::new(disk.clone())));
        check(store, operations);
        if !disk.is_dead() {
            return operations;
        }
    }
    unreachable!("work ends")
}

#[test]
fn a_process_killed_at_any_operation_of_a_compaction_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::new(folder.path()).compacting_from(1);
    let mut writer = store.lock(&holder("anna"), Duration::ZERO).unwrap();
    writer.begin("lineage", "hep.hcl").unwrap();
    for number in 0..2 {
        writer.commit(vec![output(&format!("o{number}"), "text")]).unwrap();
    }
    drop(writer);
    let before = store.read().unwrap().unwrap();
    let confirmed = Mutex::new(0);
    let operations = at_every_operation(
        &store,
        |store| {
            *confirmed.lock().unwrap() = 0;
            let Ok(mut writer) = store.lock(&holder("anna"), Duration::ZERO) else { return };
            for number in 0..30 {
                if writer.commit(vec![output(&format!("p{number}"), "text")]).is_err() {
                    return;
                }
                *confirmed.lock().unwrap() += 1;
            }
        },
        |store, operations| {
            let confirmed: u64 = *confirmed.lock().unwrap();
            let state = store.read().unwrap().unwrap();
            let least = before.serial + confirmed;
            assert!((least..=least + 1).contains(&state.serial), "killed at {operations}: record {}", state.serial);
            for number in 0..confirmed {
                assert!(state.outputs.contains_key(&format!("p{number}")), "killed at {operations}");
            }
            let mut writer = store.lock(&holder("ben"), Duration::ZERO).unwrap();
            assert_eq!(writer.state(), &state);
            writer.commit(vec![output("q", "text")]).unwrap();
            assert_eq!(store.read().unwrap().as_ref(), Some(writer.state()));
        },
    );
    // Thirty commits, and two compactions of at least four operations each.
    assert!(operations > 37, "{operations}");
}

#[test]
fn a_process_killed_while_encryption_is_turned_on_or_changed_loses_nothing() {
    const CANARY: &str = "canary-6f1d";
    let folder = tempfile::tempdir().unwrap();
    let clear = LocalStore::new(folder.path()).compacting_from(300);
    let mut writer = clear.lock(&holder("anna"), Duration::ZERO).unwrap();
    writer.begin("lineage", "hep.hcl").unwrap();
    for number in 0..20 {
        writer.commit(vec![output(&format!("o{number}"), CANARY)]).unwrap();
    }
    drop(writer);
    let before = clear.read().unwrap();
    let first = encryption("the first passphrase");
    let second = encryption("the second passphrase").also_opening(Passphrase::new("the first passphrase").unwrap());
    for (number, encryption) in [first, second].into_iter().enumerate() {
        let store = LocalStore::new(folder.path()).compacting_from(300).encrypted(encryption.clone());
        let operations = at_every_operation(
            &store,
            |store| drop(store.lock(&holder("anna"), Duration::ZERO)),
            |store, operations| {
                assert_eq!(store.read().unwrap(), before, "{number}: killed at {operations}");
                drop(store.lock(&holder("ben"), Duration::ZERO).unwrap());
                assert_eq!(store.read().unwrap(), before, "{number}: killed at {operations}");
                // Whatever the first one left, the second one leaves nothing in clear, and nothing under the old passphrase.
                let strict = LocalStore::new(store.folder()).encrypted(encryption.refusing_clear());
                assert_eq!(strict.read().unwrap(), before);
                for entry in std::fs::read_dir(store.folder()).unwrap() {
                    let path = entry.unwrap().path();
                    let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
                    assert!(!text.contains(CANARY), "killed at {operations}: {}", path.display());
                }
            },
        );
        assert!(operations >= 4, "{operations}");
    }
    let alone = encryption("the second passphrase");
    assert_eq!(LocalStore::new(folder.path()).encrypted(alone).read().unwrap(), before);
}

/// A process that removes a state and is killed at any of its operations: the next one finds the state, an empty one, or none.
#[test]
fn a_removal_that_is_killed_leaves_nothing_that_is_damaged() {
    let (mut whole, mut gone) = (0, 0);
    for operations in 1.. {
        let folder = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::new(None);
        let store = LocalStore::new(folder.path()).on(Arc::new(disk.clone())).compacting_from(64);
        let mut writer = store.lock(&holder("removes"), Duration::ZERO).unwrap();
        writer.begin("lineage", "hep.hcl").unwrap();
        for number in 0..20 {
            writer.commit(vec![output(&format!("a{number}"), "text")]).unwrap();
        }
        disk.set(Some(Fault::Dead(operations)));
        let removed = writer.remove().is_ok();
        drop(writer);
        disk.set(None);
        match store.read().unwrap().map(|state| state.outputs.len()) {
            Some(20) if !removed => whole += 1,
            Some(0) if !removed => {}
            None => gone += 1,
            left => panic!("killed at operation {operations}: {left:?}, removed: {removed}"),
        }
        let mut next = store.lock(&holder("next"), Duration::ZERO).unwrap();
        if next.state().lineage.is_empty() {
            next.begin("second", "hep.hcl").unwrap();
        }
        next.commit(vec![output("b", "text")]).unwrap();
        if removed {
            break;
        }
    }
    assert!(whole > 0 && gone > 0, "{whole} whole, {gone} gone");
}
