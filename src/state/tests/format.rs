//! The files of each format version as they were when it was fixed: every later version reads them.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pipectl_core::Address;
use pipectl_state::simulation::MemoryObjects;
use pipectl_state::{
    AttributePath, Change, Cost, Encryption, Holder, IntentState, LocalStore, ObjectState, Operation, OutputState,
    Passphrase, PathStep, RemoteOptions, RemoteStore, State, StateKey, StateStore, TerraformRest,
};
use serde_json::json;

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// Every sort of change, in six records; a compaction after the fourth.
fn records() -> Vec<Vec<Change>> {
    let network = ObjectState {
        schema_version: 2,
        attributes: json!({ "id": "net-1", "cidr": "10.0.0.0/16", "tags": { "a.b": "geheim" }, "input": ["a"] }),
        types: [("input".to_owned(), json!(["set", "string"]))].into(),
        sensitive: vec![AttributePath(vec![PathStep::Name("tags".to_owned()), PathStep::Name("a.b".to_owned())])],
        secrets: Vec::new(),
        private: json!({ "etag": 7 }),
        dependencies: vec![],
        tainted: false,
        create_before_destroy: true,
        provider: None,
    };
    let stage = ObjectState {
        attributes: json!({ "accuracy": 0.91 }),
        dependencies: vec![address("sim_network.main"), address("stage.convert.train")],
        tainted: true,
        ..ObjectState::default()
    };
    let intent = IntentState {
        operation: Operation::Create,
        token: "0123456789abcdef0123456789abcdef".to_owned(),
        arguments: json!({ "cidr": "10.0.0.0/16" }),
        secrets: Vec::new(),
        recorded: json!({ "operation": "op-9" }),
        began: None,
        dependencies: vec![address("sim_network.main")],
        create_before_destroy: true,
        provider: None,
    };
    let output = |value| OutputState { value, ty: json!(["list", "number"]), sensitive: true };
    vec![
        vec![Change::SetIntent { address: address("sim_network.main"), intent: intent.clone() }],
        vec![
            Change::SetObject { address: address("sim_network.main"), object: network.clone() },
            Change::RemoveIntent { address: address("sim_network.main") },
        ],
        vec![
            Change::SetObject { address: address("stage.train.inclusive[\"a\"]"), object: stage.clone() },
            Change::SetObject { address: address("terraform_data.x[3]"), object: ObjectState::default() },
            Change::SetOutput { name: "o".to_owned(), output: output(json!([1, 2.5])) },
            Change::SetOutput { name: "gone".to_owned(), output: output(json!([])) },
        ],
        vec![
            Change::Depose { address: address("sim_network.main"), key: "00000001".to_owned() },
            Change::SetDeposed { address: address("sim_network.main"), key: "00000002".to_owned(), object: stage },
            Change::RemoveObject { address: address("terraform_data.x[3]") },
        ],
        vec![
            Change::RemoveDeposed { address: address("sim_network.main"), key: "00000002".to_owned() },
            Change::RemoveOutput { name: "gone".to_owned() },
        ],
        vec![
            Change::SetObject { address: address("sim_network.main"), object: network },
            Change::SetIntent { address: address("sim_network.other"), intent },
        ],
    ]
}

/// What came with version 2.
fn records_2() -> Vec<Vec<Change>> {
    let rest = TerraformRest {
        version: "1.11.4".to_owned(),
        serial: 17,
        providers: [(address("sim_network.main"), "provider[\"example.org/a/sim\"]".to_owned())].into(),
        objects: [(address("sim_network.main"), [(String::new(), private())].into())].into(),
        resources: vec![json!({ "mode": "managed", "type": "odd" })],
        other: [("check_results".to_owned(), json!([]))].into_iter().collect(),
    };
    let mut records = records();
    records[1].push(Change::SetKey { key: StateKey::from_bytes([0x5a; 32]) });
    records[5].push(Change::SetTerraform { rest: Some(Box::new(rest)) });
    records
}

fn private() -> serde_json::Map<String, serde_json::Value> {
    [("private".to_owned(), json!("bnVsbA=="))].into_iter().collect()
}

fn holder() -> Holder {
    Holder { pid: 1, who: "w".to_owned(), operation: "o".to_owned(), since: "s".to_owned() }
}

fn write(folder: &Path, encryption: &Encryption, records: Vec<Vec<Change>>) -> State {
    let holder = holder();
    let store = |bytes| LocalStore::new(folder).encrypted(encryption.clone()).compacting_from(bytes);
    let (early, late) = records.split_at(4);
    let mut writer = store(u64::MAX).lock(&holder, Duration::ZERO).unwrap();
    writer.begin("5b4bc9b4-lineage", "hep.hcl").unwrap();
    for changes in &early[..3] {
        writer.commit(changes.clone()).unwrap();
    }
    drop(writer);
    let mut writer = store(1).lock(&holder, Duration::ZERO).unwrap();
    writer.commit(early[3].clone()).unwrap();
    drop(writer);
    let mut writer = store(u64::MAX).lock(&holder, Duration::ZERO).unwrap();
    for changes in late {
        writer.commit(changes.clone()).unwrap();
    }
    writer.state().clone()
}

fn golden(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(version)
}

/// The first run of a new version makes its files; they are committed and never made again.
fn make(version: &str, files: &[(String, Vec<u8>)]) {
    let folder = golden(version);
    if folder.exists() {
        return;
    }
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    panic!("golden files were made: look at them and commit them");
}

fn files_of(folder: &Path) -> Vec<(String, Vec<u8>)> {
    ["log", "snapshot-4.json"].map(|name| (name.to_owned(), fs::read(folder.join(name)).unwrap())).to_vec()
}

/// What version 1 had no place for.
fn as_version_1(state: State) -> State {
    State { key: None, terraform: None, ..state }
}

#[test]
fn version_1_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let written = as_version_1(write(folder.path(), &Encryption::none(), records()));
    assert_eq!(LocalStore::new(golden("v1")).read().unwrap(), Some(written));
}

#[test]
fn version_1_is_rewritten_by_the_next_writer() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files_of(&golden("v1")) {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    // It never was encrypted: nothing of it is left behind.
    let encryption = Encryption::none().leaving_behind(|_| Err("the output \"hidden\"".to_owned()));
    let store = LocalStore::new(folder.path()).encrypted(encryption);
    let before = store.read().unwrap();
    drop(store.lock(&holder(), Duration::ZERO).unwrap());
    assert_eq!(store.read().unwrap(), before);
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("{\"format\":2,"), "{log}");
}

#[test]
fn version_2_is_read_and_written_as_it_was_fixed() {
    let folder = tempfile::tempdir().unwrap();
    let written = write(folder.path(), &Encryption::none(), records_2());
    let files = files_of(folder.path());
    make("v2", &files);
    assert_eq!(LocalStore::new(golden("v2")).read().unwrap(), Some(written));
    for (name, bytes) in files {
        let then = fs::read_to_string(golden("v2").join(&name)).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), then, "{name}");
    }
}

fn encryption() -> Encryption {
    let passphrase = Passphrase::new("the golden passphrase").unwrap();
    Encryption::with_cost(passphrase, Cost { memory_kib: 256, passes: 2, lanes: 1 }).unwrap()
}

#[test]
fn version_2_is_read_encrypted() {
    let folder = tempfile::tempdir().unwrap();
    let written = write(folder.path(), &encryption(), records_2());
    make("v2-encrypted", &files_of(folder.path()));
    let store = LocalStore::new(golden("v2-encrypted"));
    assert_eq!(store.clone().encrypted(encryption().refusing_clear()).read().unwrap(), Some(written));
    assert!(store.read().is_err());
}

#[test]
fn version_2_is_read_from_an_object_store() {
    let objects = MemoryObjects::new();
    let options = RemoteOptions { longest_log: 3, tidy_log: u64::MAX, ..RemoteOptions::default() };
    let store = |objects: &MemoryObjects| RemoteStore::new(Arc::new(objects.clone()), options.clone());
    let mut writer = store(&objects).lock(&holder(), Duration::ZERO).unwrap();
    writer.begin("5b4bc9b4-lineage", "hep.hcl").unwrap();
    for changes in records_2() {
        writer.commit(changes).unwrap();
    }
    let written = writer.state().clone();
    drop(writer);
    let files: Vec<_> = objects.keys().into_iter().map(|key| (key.clone(), objects.bytes(&key).unwrap())).collect();
    make("v2-remote", &files);
    let stored = MemoryObjects::new();
    let mut keys = 0;
    for folder in ["", "log", "snapshot"] {
        for entry in fs::read_dir(golden("v2-remote").join(folder)).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                let name = entry.file_name().into_string().unwrap();
                let key = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                stored.overwrite(&key, fs::read(entry.path()).unwrap());
                keys += 1;
            }
        }
    }
    assert!(keys > 4, "header, lease, snapshot, log");
    assert_eq!(store(&stored).read().unwrap(), Some(written));
    // Its lease was released, so the next writer takes it.
    drop(store(&stored).lock(&holder(), Duration::ZERO).unwrap());
}
