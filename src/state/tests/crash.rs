//! What a crash, a flipped byte or a second process does to a state on disk.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use pipectl_core::{Address, AddressKind};
use pipectl_state::{
    Change, Holder, IntentState, LocalStore, ObjectState, Operation, OutputState, State, StateError, StateStore,
    StateWriter,
};
use proptest::prelude::*;
use serde_json::json;

fn holder() -> Holder {
    Holder { pid: 7, who: "anna@lab".to_owned(), operation: "apply".to_owned(), since: "now".to_owned() }
}

fn lock(store: &LocalStore) -> Box<dyn StateWriter> {
    store.lock(&holder(), Duration::ZERO).unwrap()
}

fn address(name: &str) -> Address {
    Address::new(AddressKind::Resource, "sim_network", name)
}

fn set(name: &str, text: &str) -> Change {
    let object = ObjectState {
        attributes: json!({ "id": name, "text": text }),
        dependencies: vec![address("other")],
        ..ObjectState::default()
    };
    Change::SetObject { address: address(name), object }
}

fn intent(name: &str) -> Change {
    let intent = IntentState {
        operation: Operation::Create,
        token: "00ff".to_owned(),
        arguments: json!({ "name": "näme\nwith a line feed" }),
        secrets: Vec::new(),
        recorded: json!(null),
        began: None,
        dependencies: Vec::new(),
        create_before_destroy: false,
        provider: None,
    };
    Change::SetIntent { address: address(name), intent }
}

fn output(value: i64) -> Change {
    Change::SetOutput {
        name: "o".to_owned(),
        output: OutputState { value: json!(value), ty: json!("number"), sensitive: false },
    }
}

/// Commits each set of changes and returns the state after the header and after each.
fn commit_all(store: &LocalStore, records: &[Vec<Change>]) -> Vec<State> {
    let mut writer = lock(store);
    if writer.state().lineage.is_empty() {
        writer.begin("lineage", "hep.hcl").unwrap();
    }
    let mut states = vec![writer.state().clone()];
    for changes in records {
        writer.commit(changes.clone()).unwrap();
        states.push(writer.state().clone());
    }
    states
}

fn records() -> Vec<Vec<Change>> {
    vec![
        vec![intent("a")],
        vec![set("a", "first"), Change::RemoveIntent { address: address("a") }],
        vec![set("b", "second"), output(1)],
        vec![Change::RemoveObject { address: address("a") }, output(2)],
    ]
}

#[test]
fn a_log_cut_at_any_byte_loses_no_complete_record() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::new(folder.path());
    let states = commit_all(&store, &records());
    let log = fs::read(folder.path().join("log")).unwrap();
    let ends: Vec<usize> =
        log.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(index, _)| index + 1).collect();
    assert_eq!(ends.len(), states.len());

    for cut in 0..=log.len() {
        fs::write(folder.path().join("log"), &log[..cut]).unwrap();
        let whole = ends.iter().filter(|end| **end <= cut).count();
        let Some(expected) = whole.checked_sub(1).map(|index| &states[index]) else {
            // The header is written before the log gets its name: no crash leaves less.
            assert!(matches!(store.read(), Err(StateError::Damaged { offset: 0, .. })), "cut at {cut}");
            continue;
        };
        assert_eq!(store.read().unwrap().as_ref(), Some(expected), "cut at {cut}");
        assert_eq!(fs::read(folder.path().join("log")).unwrap(), &log[..cut], "a reader changes nothing");
        // The next writer cuts the tail and goes on.
        let mut writer = lock(&store);
        assert_eq!(writer.state(), expected);
        writer.commit(vec![output(3)]).unwrap();
        let after = writer.state().clone();
        drop(writer);
        assert_eq!(after.serial, expected.serial + 1);
        assert_eq!(store.read().unwrap(), Some(after));
    }
}

#[test]
fn a_flipped_byte_is_an_error_that_names_file_and_place() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::new(folder.path());
    commit_all(&store, &records());
    let path = folder.path().join("log");
    let log = fs::read(&path).unwrap();
    for index in 0..log.len() {
        let mut damaged = log.clone();
        damaged[index] ^= 0x04;
        fs::write(&path, &damaged).unwrap();
        let error = store.read().unwrap_err();
        let StateError::Damaged { path: named, offset, .. } = &error else { panic!("byte {index}: {error}") };
        assert_eq!((named.as_path(), *offset <= index as u64), (path.as_path(), true), "byte {index}");
        assert!(matches!(store.lock(&holder(), Duration::ZERO), Err(StateError::Damaged { .. })), "byte {index}");
        assert_eq!(fs::read(&path).unwrap(), damaged, "nothing is changed");
    }
}

#[test]
fn a_damaged_or_missing_snapshot_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::new(folder.path()).compacting_from(1);
    commit_all(&store, &records());
    let path = folder.path().join("snapshot-4.json");
    let snapshot = fs::read(&path).unwrap();
    for index in 0..snapshot.len() {
        let mut damaged = snapshot.clone();
        damaged[index] ^= 0x04;
        fs::write(&path, &damaged).unwrap();
        let error = store.read().unwrap_err();
        assert!(
            matches!(error, StateError::Damaged { .. } | StateError::NewerFormat { .. }),
            "byte {index} ({}): {error}",
            char::from(snapshot[index])
        );
    }
    fs::remove_file(&path).unwrap();
    assert!(store.read().unwrap_err().to_string().contains("snapshot-4.json, which is missing"));
    fs::write(&path, &snapshot).unwrap();
    fs::remove_file(folder.path().join("log")).unwrap();
    assert!(store.read().unwrap_err().to_string().contains("the file is missing, but snapshot-4.json is there"));
}

#[test]
fn compaction_keeps_the_state_and_one_backup() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::new(folder.path()).compacting_from(1);
    let mut last = State::default();
    for round in 0..40 {
        last = commit_all(&store, &[vec![set(&format!("n{round}"), "text")]]).pop().unwrap();
    }
    assert_eq!(store.read().unwrap(), Some(last));
    let names = names(folder.path());
    assert_eq!(names.iter().filter(|name| name.starts_with("snapshot-")).count(), 2, "{names:?}");
    assert!(!names.iter().any(|name| name.ends_with(".new")), "{names:?}");
}

#[test]
fn a_crash_within_a_compaction_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::new(folder.path());
    let last = commit_all(&store, &records()).pop().unwrap();
    let log = fs::read(folder.path().join("log")).unwrap();
    drop(lock(&LocalStore::new(folder.path())));
    commit_all(&LocalStore::new(folder.path()).compacting_from(1), &[vec![output(3)]]);
    // The new snapshot is there and the old log still is: the crash came between the two.
    fs::write(folder.path().join("log"), &log).unwrap();
    fs::write(folder.path().join("log.new"), b"0000").unwrap();
    assert_eq!(store.read().unwrap(), Some(last.clone()));
    let after = commit_all(&LocalStore::new(folder.path()).compacting_from(1), &[vec![output(4)]]).pop().unwrap();
    assert_eq!(after.serial, last.serial + 1);
    assert_eq!(store.read().unwrap(), Some(after));
}

#[test]
fn readers_never_see_a_compaction() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::new(folder.path()).compacting_from(1);
    commit_all(&store, &[vec![output(0)]]);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut writer = lock(&store);
            for value in 1..200 {
                writer.commit(vec![output(value), set("a", &"x".repeat(value as usize))]).unwrap();
            }
        });
        let mut seen = 0;
        while !writing.is_finished() {
            let serial = store.read().unwrap().unwrap().serial;
            assert!(serial >= seen);
            seen = serial;
        }
    });
    assert_eq!(store.read().unwrap().unwrap().serial, 200);
}

#[test]
fn there_is_one_writer_and_it_says_who() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::new(folder.path());
    assert_eq!(store.read().unwrap(), None);
    let writer = lock(&store);
    let error = store.lock(&holder(), Duration::from_millis(1)).map(drop).unwrap_err();
    assert_eq!(error.to_string(), "the state is locked by anna@lab (process 7, apply, since now)");
    drop(writer);
    let waited = std::thread::scope(|scope| {
        let first = lock(&store);
        let waiting = scope.spawn(|| store.lock(&holder(), Duration::from_secs(60)).map(drop));
        drop(first);
        waiting.join().unwrap()
    });
    waited.unwrap();
}

#[test]
fn a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let json = br#"{"format":3,"what":"nobody knows yet"}"#;
    let line = format!("{:08x} {:08x} ", json.len(), crc32fast::hash(json));
    fs::write(folder.path().join("log"), [line.as_bytes(), json, b"\n"].concat()).unwrap();
    let error = LocalStore::new(folder.path()).read().unwrap_err();
    assert!(matches!(error, StateError::NewerFormat { found: 3, .. }), "{error}");
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn any_change() -> impl Strategy<Value = Change> {
    let name = prop::sample::select(vec!["a", "b", "c", "d"]);
    prop_oneof![
        (name.clone(), ".{0,40}").prop_map(|(name, text)| set(name, &text)),
        name.clone().prop_map(intent),
        name.clone().prop_map(|name| Change::RemoveIntent { address: address(name) }),
        name.clone().prop_map(|name| Change::RemoveObject { address: address(name) }),
        (name.clone(), "[a-c]").prop_map(|(name, key)| Change::Depose { address: address(name), key }),
        (name, "[a-c]").prop_map(|(name, key)| Change::RemoveDeposed { address: address(name), key }),
        any::<i64>().prop_map(output),
    ]
}

proptest! {
    // No file for failures: cargo would take its folder for a crate. A failure prints what to repeat.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Whatever is committed, whenever it is compacted, and wherever the log is cut: what is read is the state after some record, and no
    /// record is lost whose end lies before the cut.
    #[test]
    fn what_is_read_is_what_was_committed(
        records in prop::collection::vec(prop::collection::vec(any_change(), 1..4), 1..12),
        threshold in 1_u64..2000,
        cut in any::<prop::sample::Index>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::new(folder.path()).compacting_from(threshold);
        let states = commit_all(&store, &records);
        prop_assert_eq!(store.read().unwrap(), states.last().cloned());

        let path = folder.path().join("log");
        let log = fs::read(&path).unwrap();
        let header = log.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let cut = header + cut.index(log.len() - header + 1);
        let lost = log[cut..].iter().filter(|byte| **byte == b'\n').count();
        fs::write(&path, &log[..cut]).unwrap();
        let expected = &states[states.len() - 1 - lost];
        prop_assert_eq!(store.read().unwrap().as_ref() == Some(expected), true);
        prop_assert_eq!(lock(&store).state() == expected, true);
    }
}
