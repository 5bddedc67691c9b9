//! What every store of states has to do, as one suite: backends run it in their tests, over a store that they make.
//!
//! [`check_all`] panics at the first thing that is wrong and names the check, as tests do. What differs between stores (what a crash leaves, who
//! may break a lock) is tested beside each of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pipectl_core::{Address, AddressKind};
use serde_json::json;

use crate::{
    AttributePath, Change, Holder, IntentState, ObjectState, Operation, OutputState, PathStep, State, StateError,
    StateKey, StateStore, StateWriter, TerraformRest,
};

/// Makes a store at a place where nothing is yet.
pub type Make<'a> = &'a dyn Fn() -> Arc<dyn StateStore>;

/// A check: it panics when a store does not pass.
pub type Check = fn(Make<'_>);

/// All checks by name.
pub const CHECKS: &[(&str, Check)] = &[
    ("nothing is read where nothing was written", nothing_at_first),
    ("a new state is empty and has a name", beginning),
    ("what was committed is read", commits),
    ("text of any sort comes back", any_text),
    ("there is one writer, and it says who", one_writer),
    ("a writer goes on where the one before ended", handing_over),
    ("whoever waits for the lock gets it", waiting),
    ("readers take no lock and never go back", reading_meanwhile),
    ("a long log stays readable", many_commits),
    ("no commit of several writers is lost", several_writers),
    ("a removed state is gone, and another one can be begun", removing),
];

/// Runs all checks.
///
/// # Panics
/// When the store does not pass one of them.
pub fn check_all(make: Make<'_>) {
    for (name, check) in CHECKS {
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(make))).err();
        if let Some(why) = failed {
            let text = why.downcast_ref::<String>().map(String::as_str).or_else(|| why.downcast_ref::<&str>().copied());
            panic!("the store does not conform: {name}: {}", text.unwrap_or("a panic without a message"));
        }
    }
}

/// Who the suite's writers say they are.
pub fn holder(who: &str) -> Holder {
    Holder { pid: 1, who: who.to_owned(), operation: "apply".to_owned(), since: "2026-11-22 20:14:05 UTC".to_owned() }
}

/// How long a check waits for something that must happen: a minute even by a clock that runs a hundred times too fast.
const LONG: Duration = Duration::from_secs(6_000);

fn nothing_at_first(make: Make<'_>) {
    let store = make();
    assert_eq!(read(&*store), None, "before anybody wrote");
    let writer = lock(&*store, "first");
    assert_eq!(writer.state(), &State::default(), "a writer of nothing");
    drop(writer);
    assert_eq!(read(&*store), None, "a writer that does nothing leaves nothing");
}

fn beginning(make: Make<'_>) {
    let store = make();
    let mut writer = lock(&*store, "first");
    writer.begin("lineage-1", "hep.hcl").expect("a new state can be begun");
    let expected = State { lineage: "lineage-1".to_owned(), root: "hep.hcl".to_owned(), ..State::default() };
    assert_eq!(writer.state(), &expected);
    assert_eq!(read(&*store), Some(expected), "an empty state is a state");
}

fn commits(make: Make<'_>) {
    let store = make();
    let mut writer = begun(&*store);
    for (index, changes) in every_change().into_iter().enumerate() {
        let mut expected = writer.state().clone();
        let record = crate::Record { serial: index as u64 + 1, changes: changes.clone() };
        expected.take(record);
        writer.commit(changes).expect("a commit succeeds");
        assert_eq!(writer.state(), &expected, "the writer's state after record {}", index + 1);
        assert_eq!(read(&*store), Some(expected), "the stored state after record {}", index + 1);
    }
    writer.commit(Vec::new()).expect("a record may be empty");
    let last = writer.state().clone();
    drop(writer);
    assert_eq!(read(&*store), Some(last), "after its writer is gone");
}

fn any_text(make: Make<'_>) {
    let store = make();
    let mut writer = begun(&*store);
    let texts =
        ["", "\n", "\u{0}\u{1}\u{7f}", "größe 数 🦀", "\"}\n{\",\"state\":", "pipectl-sealed$1$", &"x".repeat(300_000)];
    for (index, text) in texts.iter().enumerate() {
        writer.commit(vec![output(&format!("o{index}"), json!({ *text: text }))]).expect("a commit succeeds");
    }
    let state = read(&*store).expect("there is a state");
    for (index, text) in texts.iter().enumerate() {
        assert_eq!(state.outputs[&format!("o{index}")].value, json!({ *text: text }));
    }
}

fn one_writer(make: Make<'_>) {
    let store = make();
    let writer = begun(&*store);
    match store.lock(&holder("second"), Duration::ZERO).map(drop) {
        Err(StateError::Locked { holder, .. }) => {
            assert_eq!(holder.map(|holder| holder.who), Some("first".to_owned()), "who holds the lock");
        }
        Err(error) => panic!("a second writer fails with `{error}`"),
        Ok(()) => panic!("there is a second writer"),
    }
    drop(writer);
    drop(lock(&*store, "second"));
}

fn handing_over(make: Make<'_>) {
    let store = make();
    drop(begun(&*store));
    for round in 1..=5 {
        let mut writer = lock(&*store, "next");
        assert_eq!(writer.state().serial, round - 1);
        writer.commit(vec![output("round", json!(round))]).expect("a commit succeeds");
        assert_eq!(writer.state().serial, round);
    }
    assert_eq!(read(&*store).map(|state| state.outputs["round"].value.clone()), Some(json!(5)));
}

fn waiting(make: Make<'_>) {
    let store = make();
    let writer = begun(&*store);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| store.lock(&holder("second"), LONG).map(drop));
        drop(writer);
        waiting.join().expect("it does not panic").expect("it gets the lock");
    });
}

fn reading_meanwhile(make: Make<'_>) {
    let store = make();
    let mut writer = begun(&*store);
    std::thread::scope(|scope| {
        let writing = scope.spawn(move || {
            for round in 1..=60 {
                writer.commit(vec![output("round", json!(round))]).expect("a commit succeeds");
            }
        });
        let mut seen = 0;
        while !writing.is_finished() {
            let state = read(&*store).expect("there is a state");
            assert!(state.serial >= seen, "record {} was read after record {seen}", state.serial);
            let round = state.outputs.get("round").map_or(0, |output| output.value.as_u64().unwrap_or(0));
            assert_eq!(round, state.serial, "a state is that of one moment");
            seen = state.serial;
        }
    });
}

fn many_commits(make: Make<'_>) {
    let store = make();
    let mut writer = begun(&*store);
    for round in 0..400 {
        let text = "x".repeat(2000);
        let name = format!("o{}", round % 20);
        writer.commit(vec![output(&name, json!({ "round": round, "text": text }))]).expect("a commit succeeds");
        if round % 100 == 50 {
            drop(writer);
            writer = lock(&*store, "first");
        }
    }
    let last = writer.state().clone();
    assert_eq!(last.serial, 400);
    assert_eq!(read(&*store), Some(last.clone()));
    drop(writer);
    assert_eq!(lock(&*store, "second").state(), &last);
}

fn several_writers(make: Make<'_>) {
    const WRITERS: u64 = 4;
    const ROUNDS: u64 = 8;
    let store = make();
    drop(begun(&*store));
    std::thread::scope(|scope| {
        for number in 0..WRITERS {
            let store = &store;
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    let mut writer =
                        store.lock(&holder(&format!("writer {number}")), LONG).expect("the lock comes in time");
                    let count = writer
                        .state()
                        .outputs
                        .get("count")
                        .map_or(0, |output| output.value.as_u64().expect("the count is a number"));
                    writer.commit(vec![output("count", json!(count + 1))]).expect("a commit succeeds");
                }
            });
        }
    });
    let state = read(&*store).expect("there is a state");
    assert_eq!((state.outputs["count"].value.as_u64(), state.serial), (Some(WRITERS * ROUNDS), WRITERS * ROUNDS));
}

fn read(store: &dyn StateStore) -> Option<State> {
    store.read().expect("the state can be read")
}

fn lock(store: &dyn StateStore, who: &str) -> Box<dyn StateWriter> {
    store.lock(&holder(who), Duration::ZERO).expect("nobody else holds the lock")
}

fn begun(store: &dyn StateStore) -> Box<dyn StateWriter> {
    let mut writer = lock(store, "first");
    writer.begin("lineage-1", "hep.hcl").expect("a new state can be begun");
    writer
}

fn output(name: &str, value: serde_json::Value) -> Change {
    let output = OutputState { value, ty: json!("dynamic"), sensitive: false };
    Change::SetOutput { name: name.to_owned(), output }
}

/// Records that hold every sort of change.
pub fn every_change() -> Vec<Vec<Change>> {
    let main = Address::new(AddressKind::Resource, "sim_network", "main");
    let stage = Address::new(AddressKind::Stage, "train", "inclusive");
    let network = ObjectState {
        schema_version: 2,
        attributes: json!({ "id": "net-1", "tags": { "a.b": "geheim" }, "input": ["a"], "size": 0.1 }),
        types: [("input".to_owned(), json!(["set", "string"]))].into(),
        sensitive: vec![AttributePath(vec![PathStep::Name("tags".to_owned()), PathStep::Name("a.b".to_owned())])],
        secrets: Vec::new(),
        private: json!({ "etag": 7 }),
        dependencies: vec![],
        tainted: false,
        create_before_destroy: true,
        provider: "provider[\"registry.terraform.io/hashicorp/sim\"].west".parse().ok(),
    };
    let trained = ObjectState {
        attributes: json!({ "accuracy": 0.91 }),
        dependencies: vec![main.clone()],
        tainted: true,
        ..ObjectState::default()
    };
    let intent = IntentState {
        operation: Operation::Create,
        token: "00ff".to_owned(),
        arguments: json!({ "cidr": "10.0.0.0/16" }),
        secrets: Vec::new(),
        recorded: json!({ "operation": "op-9" }),
        began: Some(1_795_000_000),
        dependencies: vec![main.clone()],
        create_before_destroy: true,
        provider: "module.a.provider[\"registry.terraform.io/hashicorp/sim\"].by_region[\"eu\"]".parse().ok(),
    };
    let rest = TerraformRest {
        version: "1.11.4".to_owned(),
        serial: 17,
        objects: [(main.clone(), BTreeMap::from([(String::new(), serde_json::Map::new())]))].into(),
        ..TerraformRest::default()
    };
    let key = || "00000001".to_owned();
    vec![
        vec![Change::SetIntent { address: main.clone(), intent }],
        vec![
            Change::SetObject { address: main.clone(), object: network.clone() },
            Change::RemoveIntent { address: main.clone() },
        ],
        vec![
            Change::SetKey { key: StateKey::from_bytes([7; 32]) },
            Change::SetTerraform { rest: Some(Box::new(rest)) },
            Change::SetObject { address: stage.clone(), object: trained.clone() },
        ],
        vec![
            Change::Depose { address: main.clone(), key: key() },
            Change::SetDeposed { address: main.clone(), key: "00000002".to_owned(), object: trained },
            Change::SetObject { address: main.clone(), object: network },
        ],
        vec![output("o", json!([1, 2.5])), output("gone", json!(null))],
        vec![
            Change::RemoveDeposed { address: main.clone(), key: key() },
            Change::RemoveOutput { name: "gone".to_owned() },
            Change::RemoveObject { address: stage },
            Change::RemoveObject { address: main },
        ],
    ]
}

fn removing(make: Make<'_>) {
    let store = make();
    let mut writer = begun(&*store);
    for round in 0..40 {
        writer.commit(vec![output("large", json!("x".repeat(round * 100)))]).expect("a commit succeeds");
    }
    drop(writer);
    lock(&*store, "removes").remove().expect("a state can be removed");
    assert_eq!(read(&*store), None, "after it was removed");
    let mut writer = lock(&*store, "begins anew");
    assert_eq!(writer.state(), &State::default());
    writer.begin("lineage-2", "hep.hcl").expect("a new state can be begun");
    writer.commit(vec![output("new", json!(1))]).expect("a commit succeeds");
    drop(writer);
    let state = read(&*store).expect("there is a state");
    assert_eq!(state.lineage, "lineage-2");
    assert_eq!(state.outputs.keys().collect::<Vec<_>>(), ["new"]);
}
