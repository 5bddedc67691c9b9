//! The files of format version 1 as they were when it was fixed: every later version reads them.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use pipectl_core::Address;
use pipectl_state::{
    AttributePath, Change, Holder, IntentState, LocalStore, ObjectState, Operation, OutputState, PathStep, State,
    StateStore,
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
        private: json!({ "etag": 7 }),
        dependencies: vec![],
        tainted: false,
        create_before_destroy: true,
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
        recorded: json!({ "operation": "op-9" }),
        dependencies: vec![address("sim_network.main")],
        create_before_destroy: true,
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

fn write(folder: &Path) -> State {
    let holder = Holder { pid: 1, who: "w".to_owned(), operation: "o".to_owned(), since: "s".to_owned() };
    let store = |bytes| LocalStore::new(folder).compacting_from(bytes);
    let records = records();
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

#[test]
fn version_1_is_read_and_written_as_it_was_fixed() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1");
    let folder = tempfile::tempdir().unwrap();
    let written = write(folder.path());
    if !golden.exists() {
        // The first run of a new version makes its files; they are committed and never made again.
        fs::create_dir_all(&golden).unwrap();
        for name in ["log", "snapshot-4.json"] {
            fs::copy(folder.path().join(name), golden.join(name)).unwrap();
        }
        panic!("golden files were made: look at them and commit them");
    }
    assert_eq!(LocalStore::new(&golden).read().unwrap(), Some(written));
    for name in ["log", "snapshot-4.json"] {
        let (now, then) =
            (fs::read_to_string(folder.path().join(name)).unwrap(), fs::read_to_string(golden.join(name)).unwrap());
        assert_eq!(now, then, "{name}");
    }
}
