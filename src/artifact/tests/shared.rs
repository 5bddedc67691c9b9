//! Stores of several machines before the objects that they share: what one has made, the others lay out, whatever fails on the way.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use pipectl_artifact::{LocalStore, Options, SharedStore};
use pipectl_core::Digest;
use pipectl_provider::{ArtifactError, ArtifactStore, Manifest, SharedObjects, ViewState};

/// Objects in memory, which refuse to be written after so many writes.
#[derive(Debug, Default)]
struct Memory {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    writes_left: Mutex<Option<usize>>,
}

impl Memory {
    fn keys(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }

    fn limit(&self, writes: Option<usize>) {
        *self.writes_left.lock().unwrap() = writes;
    }

    fn change(&self, prefix: &str, change: impl Fn(&mut Vec<u8>)) {
        let mut objects = self.objects.lock().unwrap();
        objects.iter_mut().filter(|(key, _)| key.starts_with(prefix)).for_each(|(_, bytes)| change(bytes));
    }
}

impl SharedObjects for Memory {
    fn name(&self) -> String {
        "memory".to_owned()
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.objects.lock().unwrap().get(key).cloned())
    }

    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), String> {
        if let Some(left) = &mut *self.writes_left.lock().unwrap() {
            *left = left.checked_sub(1).ok_or("the network is gone")?;
        }
        self.objects.lock().unwrap().insert(key.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn sizes(&self, keys: &[String]) -> Result<Vec<Option<u64>>, String> {
        let objects = self.objects.lock().unwrap();
        Ok(keys.iter().map(|key| objects.get(key).map(|bytes| bytes.len() as u64)).collect())
    }

    fn upload(&self, key: &str, from: &Path, bytes: u64) -> Result<(), String> {
        let content = fs::read(from).map_err(|error| error.to_string())?;
        assert_eq!(content.len() as u64, bytes);
        self.put(key, &content)
    }

    fn download(&self, key: &str, to: &Path, _: u64) -> Result<bool, String> {
        let Some(content) = self.get(key)? else { return Ok(false) };
        fs::write(to, content).map_err(|error| error.to_string())?;
        Ok(true)
    }
}

/// A machine with a disk of its own.
struct Machine {
    folder: tempfile::TempDir,
    objects: Arc<Memory>,
}

impl Machine {
    fn new(objects: &Arc<Memory>) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), objects: Arc::clone(objects) }
    }

    fn store(&self) -> SharedStore {
        self.open(false)
    }

    fn open(&self, is_read_only: bool) -> SharedStore {
        let local = LocalStore::new(self.folder.path().join("store"), Options::default());
        SharedStore::new(local, self.objects.clone(), is_read_only)
    }

    fn view(&self) -> PathBuf {
        self.folder.path().join("view")
    }
}

const FILES: [(&str, &[u8]); 4] = [("a", b"one"), ("deep/b", b"two"), ("deep/same", b"one"), ("empty", b"")];

fn key() -> Digest {
    Digest::of(b"key")
}

/// Runs a stage that makes [`FILES`].
fn run(store: &SharedStore) -> Result<Manifest, ArtifactError> {
    run_making(store, &FILES)
}

fn run_making(store: &SharedStore, files: &[(&str, &[u8])]) -> Result<Manifest, ArtifactError> {
    let output = store.scratch()?;
    for (path, content) in files {
        let path = output.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let manifest = Manifest::new(store.ingest(&output)?, serde_json::json!({ "loss": 0.5 }));
    let digest = store.publish(&manifest)?;
    store.record_action(&key(), &digest)?;
    Ok(manifest)
}

#[test]
fn what_one_machine_has_made_another_lays_out() {
    let objects = Arc::new(Memory::default());
    let (first, second) = (Machine::new(&objects), Machine::new(&objects));
    assert_eq!(first.store().action(&key()).unwrap(), None);
    let manifest = run(&first.store()).unwrap();
    assert_eq!(objects.keys().len(), 3 + 1 + 1, "each content once, a manifest, an action: {:?}", objects.keys());
    let store = second.store();
    assert_eq!(store.manifest(&manifest.digest()).unwrap().as_ref(), Some(&manifest));
    assert_eq!(store.action(&key()).unwrap().as_ref(), Some(&manifest));
    store.materialise(&manifest, &second.view()).unwrap();
    assert_eq!(store.view_state(&manifest, &second.view()).unwrap(), ViewState::Intact);
    for (path, content) in FILES {
        assert_eq!(fs::read(second.view().join(path)).unwrap(), content, "{path}");
    }
    // From here on it needs nobody.
    objects.objects.lock().unwrap().clear();
    let alone = second.open(true);
    assert_eq!(alone.action(&key()).unwrap(), Some(manifest));
}

#[test]
fn an_action_is_seen_when_all_of_it_is_there_and_what_was_interrupted_is_gone_on_with() {
    for writes in 0..5 {
        let objects = Arc::new(Memory::default());
        let (first, second) = (Machine::new(&objects), Machine::new(&objects));
        objects.limit(Some(writes));
        let error = run(&first.store()).unwrap_err().to_string();
        assert!(error.starts_with("cannot write `memory/") && error.ends_with("the network is gone"), "{error}");
        assert_eq!(second.store().action(&key()).unwrap(), None, "after {writes} writes");
        objects.limit(None);
        // The run is not lost: the next look shares it.
        assert!(first.store().action(&key()).unwrap().is_some());
        assert!(second.store().action(&key()).unwrap().is_some());
    }
}

#[test]
fn what_is_damaged_on_the_way_counts_for_nothing_and_is_mended() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 5] = [
        ("blobs/", |bytes| bytes.iter_mut().for_each(|byte| *byte ^= 1)),
        ("blobs/", |bytes| bytes.truncate(1)),
        ("manifests/", |bytes| bytes.truncate(20)),
        ("manifests/", |bytes| bytes.push(b' ')),
        ("actions/", |bytes| bytes.truncate(3)),
    ];
    for (number, (prefix, damage)) in damages.into_iter().enumerate() {
        let objects = Arc::new(Memory::default());
        let (first, second, third) = (Machine::new(&objects), Machine::new(&objects), Machine::new(&objects));
        run(&first.store()).unwrap();
        objects.change(prefix, damage);
        let store = second.store();
        assert_eq!(store.action(&key()).unwrap(), None, "damage {number}");
        // So it is made again there, and all others have it from there.
        let manifest = run(&store).unwrap();
        assert_eq!(third.store().action(&key()).unwrap(), Some(manifest), "damage {number}");
    }
}

#[test]
fn whoever_only_reads_writes_nothing() {
    let objects = Arc::new(Memory::default());
    let (first, second) = (Machine::new(&objects), Machine::new(&objects));
    run(&first.open(true)).unwrap();
    assert_eq!(objects.keys(), Vec::<String>::new());
    run(&first.store()).unwrap();
    let before = objects.keys();
    assert!(second.open(true).action(&key()).unwrap().is_some());
    assert_eq!(objects.keys(), before);
}

#[test]
fn several_machines_may_make_the_same_at_once() {
    let objects = Arc::new(Memory::default());
    let machines: Vec<Machine> = (0..6).map(|_| Machine::new(&objects)).collect();
    std::thread::scope(|scope| {
        machines.iter().for_each(|machine| _ = scope.spawn(|| run(&machine.store()).unwrap()));
    });
    assert_eq!(objects.keys().len(), 5);
    assert!(Machine::new(&objects).store().action(&key()).unwrap().is_some());
}

#[test]
fn what_was_made_again_takes_the_place_of_what_was_made_before() {
    let objects = Arc::new(Memory::default());
    let (first, second) = (Machine::new(&objects), Machine::new(&objects));
    run(&first.store()).unwrap();
    let again = run_making(&first.store(), &[("a", b"better")]).unwrap();
    assert_eq!(second.store().action(&key()).unwrap(), Some(again));
}
