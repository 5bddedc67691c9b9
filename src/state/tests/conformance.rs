//! The conformance suite over every store that this crate has.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pipectl_state::conformance::check_all;
use pipectl_state::simulation::{Faults, MemoryObjects, Network, SkewedClock};
use pipectl_state::{
    Cost, Encryption, LocalStore, MemoryStore, MonotonicClock, Passphrase, RemoteOptions, RemoteStore, StateStore,
};

fn encryption() -> Encryption {
    let passphrase = Passphrase::new("correct horse battery staple").unwrap();
    Encryption::with_cost(passphrase, Cost { memory_kib: 64, passes: 1, lanes: 1 }).unwrap().refusing_clear()
}

/// Folders that live until the test ends.
#[derive(Default)]
struct Folders(Mutex<Vec<tempfile::TempDir>>);

impl Folders {
    fn store(&self) -> LocalStore {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::new(folder.path()).compacting_from(20_000);
        self.0.lock().unwrap().push(folder);
        store
    }
}

#[test]
fn on_a_local_disk() {
    let folders = Folders::default();
    check_all(&|| Arc::new(folders.store()));
}

#[test]
fn on_a_local_disk_encrypted() {
    let folders = Folders::default();
    let encryption = encryption();
    check_all(&|| Arc::new(folders.store().encrypted(encryption.clone())));
}

#[test]
fn in_memory() {
    check_all(&|| Arc::new(MemoryStore::new()));
}

/// A minute passes in 0.6 seconds, so that pauses between attempts are short.
fn fast() -> Arc<SkewedClock> {
    Arc::new(SkewedClock::new(Arc::new(MonotonicClock::new()), Duration::ZERO, 100_000))
}

fn options() -> RemoteOptions {
    // A lease outlives what a check does under it, by a clock that runs a hundred times too fast.
    let hour = Duration::from_secs(3600);
    let poll = Duration::from_millis(500);
    RemoteOptions { lease: 100 * hour, patience: hour, smallest_compaction: 20_000, poll, ..RemoteOptions::default() }
}

#[test]
fn in_an_object_store() {
    check_all(&|| Arc::new(RemoteStore::new(Arc::new(MemoryObjects::new()), options())));
}

#[test]
fn in_an_object_store_encrypted() {
    let encryption = encryption();
    check_all(&|| Arc::new(RemoteStore::new(Arc::new(MemoryObjects::new()), options()).encrypted(encryption.clone())));
}

#[test]
fn in_an_object_store_behind_a_bad_network() {
    let seed = AtomicU64::new(1);
    check_all(&|| -> Arc<dyn StateStore> {
        let clock = fast();
        let objects = MemoryObjects::with_clock(clock.clone());
        let seed = seed.fetch_add(1, Ordering::Relaxed);
        let network = Network::new(objects, clock.clone(), Faults::many(), seed);
        Arc::new(RemoteStore::new(Arc::new(network), options()).with_clock(clock))
    });
}
