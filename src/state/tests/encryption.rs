//! Encrypted states and files: who can read them, what is left in clear, and what damage does.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pipectl_state::conformance::{every_change, holder};
use pipectl_state::simulation::MemoryObjects;
use pipectl_state::{
    Change, Cost, Encryption, EncryptionError, LocalStore, OutputState, Passphrase, RemoteOptions, RemoteStore, State,
    StateError, StateStore,
};
use proptest::prelude::*;
use serde_json::json;

const CANARY: &str = "canary-6f1d";
const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(format!("{text} {text} {text} {text} {text}")).unwrap()
}

fn encryption(text: &str) -> Encryption {
    Encryption::with_cost(passphrase(text), CHEAP).unwrap()
}

fn output(name: &str, text: &str) -> Change {
    let output = OutputState { value: json!(text), ty: json!("string"), sensitive: false };
    Change::SetOutput { name: name.to_owned(), output }
}

/// Commits through one store and gives the state.
fn write(store: &dyn StateStore, count: usize) -> State {
    let mut writer = store.lock(&holder("anna"), Duration::ZERO).unwrap();
    if writer.state().lineage.is_empty() {
        writer.begin("lineage", "hep.hcl").unwrap();
    }
    for changes in every_change() {
        writer.commit(changes).unwrap();
    }
    for number in 0..count {
        writer.commit(vec![output(&format!("o{number}"), CANARY)]).unwrap();
    }
    writer.state().clone()
}

fn contains_canary(folder: &Path) -> bool {
    let mut files = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    files.any(|bytes| String::from_utf8_lossy(&bytes).contains(CANARY))
}

fn why(result: Result<Option<State>, StateError>) -> EncryptionError {
    match result.unwrap_err() {
        StateError::Encryption { source, .. } => source,
        error => panic!("{error}"),
    }
}

#[test]
fn a_state_goes_from_clear_to_encrypted_to_another_passphrase_to_clear() {
    let folder = tempfile::tempdir().unwrap();
    let store = |encryption: Encryption| LocalStore::new(folder.path()).compacting_from(2000).encrypted(encryption);
    let state = write(&store(Encryption::none()), 30);
    assert!(contains_canary(folder.path()));

    // Turned on: read as it is, and rewritten by the next writer, backups too.
    let on = store(encryption("one"));
    assert_eq!(on.read().unwrap().as_ref(), Some(&state));
    assert!(contains_canary(folder.path()), "a reader changes nothing");
    drop(on.lock(&holder("anna"), Duration::ZERO).unwrap());
    assert!(!contains_canary(folder.path()));
    assert_eq!(on.read().unwrap().as_ref(), Some(&state));
    let state = write(&on, 30);
    assert!(!contains_canary(folder.path()));

    // Without a passphrase, or with another one, it says which.
    assert_eq!(why(store(Encryption::none()).read()), EncryptionError::NoKey);
    assert!(matches!(why(store(encryption("two")).read()), EncryptionError::WrongKey { .. }));
    assert!(store(encryption("two")).lock(&holder("anna"), Duration::ZERO).is_err());
    let diagnostic = store(encryption("two")).read().unwrap_err().diagnostic();
    assert!(diagnostic.detail.contains("encrypted with another passphrase"), "{}", diagnostic.detail);

    // The passphrase changes: the old one opens until the next writer has rewritten it.
    let both = store(encryption("two").also_opening(passphrase("one")));
    assert_eq!(both.read().unwrap().as_ref(), Some(&state));
    drop(both.lock(&holder("anna"), Duration::ZERO).unwrap());
    assert_eq!(store(encryption("two").refusing_clear()).read().unwrap().as_ref(), Some(&state));
    assert!(matches!(why(store(encryption("one")).read()), EncryptionError::WrongKey { .. }));

    // Turned off.
    let off = store(Encryption::none().also_opening(passphrase("two")));
    drop(off.lock(&holder("anna"), Duration::ZERO).unwrap());
    assert_eq!(store(Encryption::none()).read().unwrap(), Some(state));
    assert_eq!(why(store(encryption("two").refusing_clear()).read()), EncryptionError::Clear);
}

#[test]
fn a_state_in_an_object_store_is_rewritten_in_the_same_way() {
    let objects = MemoryObjects::new();
    let store = |encryption: Encryption| {
        let options = RemoteOptions { smallest_compaction: 2000, ..RemoteOptions::default() };
        RemoteStore::new(Arc::new(objects.clone()), options).encrypted(encryption)
    };
    let contains_canary = || {
        let mut contents = objects.keys().into_iter().map(|key| objects.bytes(&key).unwrap());
        contents.any(|bytes| String::from_utf8_lossy(&bytes).contains(CANARY))
    };
    let state = write(&store(Encryption::none()), 30);
    assert!(contains_canary());
    drop(store(encryption("one")).lock(&holder("anna"), Duration::ZERO).unwrap());
    assert!(!contains_canary());
    assert_eq!(store(encryption("one").refusing_clear()).read().unwrap(), Some(state));
    let state = write(&store(encryption("one")), 30);
    assert!(!contains_canary());
    assert_eq!(why(store(Encryption::none()).read()), EncryptionError::NoKey);
    drop(store(encryption("two").also_opening(passphrase("one"))).lock(&holder("anna"), Duration::ZERO).unwrap());
    assert_eq!(store(encryption("two").refusing_clear()).read().unwrap(), Some(state));
}

#[test]
fn a_record_of_elsewhere_does_not_open_in_its_place() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for (number, folder) in folders.iter().enumerate() {
        let store = LocalStore::new(folder.path()).encrypted(encryption("one"));
        let mut writer = store.lock(&holder("anna"), Duration::ZERO).unwrap();
        writer.begin(&format!("lineage-{number}"), "hep.hcl").unwrap();
        for text in ["a", "b"] {
            writer.commit(vec![output("o", text)]).unwrap();
        }
    }
    let lines = |folder: &tempfile::TempDir| -> Vec<String> {
        fs::read_to_string(folder.path().join("log")).unwrap().lines().map(|line| format!("{line}\n")).collect()
    };
    let (first, second) = (lines(&folders[0]), lines(&folders[1]));
    let store = LocalStore::new(folders[0].path()).encrypted(encryption("one"));
    let read = |parts: [&String; 3]| {
        fs::write(folders[0].path().join("log"), parts.map(String::as_str).concat()).unwrap();
        store.read()
    };
    read([&first[0], &first[1], &first[2]]).unwrap();
    for parts in [
        [&first[0], &first[2], &first[1]],
        [&first[0], &first[1], &first[1]],
        [&first[0], &first[1], &second[2]],
        [&second[0], &first[1], &first[2]],
    ] {
        assert!(matches!(why(read(parts)), EncryptionError::Damaged(_)));
    }
}

#[test]
fn a_plan_file_is_sealed_as_a_whole() {
    let (sealing, clear) = (encryption("one"), Encryption::none());
    let plan = b"\x89pipectl-plan\r\n\x1a\n{\"format\":1}".to_vec();
    let sealed = sealing.seal_file("pipectl plan", &plan).unwrap();
    assert!(Encryption::is_sealed_file(&sealed) && !Encryption::is_sealed_file(&plan));
    assert_eq!(sealing.open_file("pipectl plan", sealed.clone()).unwrap(), plan);
    assert_eq!(clear.seal_file("pipectl plan", &plan).unwrap(), plan);
    assert_eq!(sealing.open_file("pipectl plan", plan.clone()).unwrap(), plan, "in clear, unless that is refused");
    assert_eq!(sealing.refusing_clear().open_file("pipectl plan", plan), Err(EncryptionError::Clear));
    assert!(matches!(sealing.open_file("something else", sealed.clone()), Err(EncryptionError::Damaged(_))));
    assert_eq!(clear.open_file("pipectl plan", sealed.clone()), Err(EncryptionError::NoKey));
    // Two seals of the same have nothing in common but their beginning.
    let again = sealing.seal_file("pipectl plan", b"\x89pipectl-plan").unwrap();
    assert_ne!(again[again.len() - 20..], sealed[sealed.len() - 20..]);
}

#[test]
fn every_cut_and_every_flipped_bit_is_an_error() {
    let sealing = encryption("one");
    let sealed = sealing.seal_file("context", b"plain text").unwrap();
    for length in 0..sealed.len() {
        let result = sealing.refusing_clear().open_file("context", sealed[..length].to_vec());
        assert!(result.is_err(), "cut to {length}");
    }
    for bit in 0..sealed.len() * 8 {
        let mut flipped = sealed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let opened = sealing.refusing_clear().open_file("context", flipped);
        assert!(opened.is_err(), "bit {bit}: {opened:?}");
    }
}

#[test]
fn what_cannot_be_is_refused_before_it_costs_anything() {
    assert_eq!(Passphrase::new("fifteen letters").unwrap_err(), EncryptionError::ShortPassphrase);
    let greedy = Cost { memory_kib: u32::MAX, passes: 1, lanes: 1 };
    assert_eq!(Encryption::with_cost(passphrase("one"), greedy).unwrap_err(), EncryptionError::Cost);
    let text = |version: u32, cost: &str| {
        format!("pipectl-sealed${version}$0123456789abcdef$argon2id$v=19${cost}$AAAAAAAAAAAAAAAAAAAAAA$AAAA\n")
            .into_bytes()
    };
    let open = |bytes| encryption("one").open_file("context", bytes);
    assert_eq!(open(text(2, "x")), Err(EncryptionError::Newer { found: 2 }));
    for cost in ["m=4294967295,t=1,p=1", "m=64,t=4294967295,p=1", "m=64,t=1,p=4294967295"] {
        assert!(matches!(open(text(1, cost)), Err(EncryptionError::Damaged(_))), "{cost}");
    }
    for cost in ["", "m=64,t=1", "m=64,t=1,p=1,q=1", "m=-1,t=1,p=1", "m=0,t=0,p=0"] {
        assert!(open(text(1, cost)).is_err(), "{cost}");
    }
    assert!(matches!(open(text(1, "m=64,t=1,p=1")), Err(EncryptionError::WrongKey { .. })));
}

#[test]
fn nothing_secret_is_shown() {
    let encryption = Encryption::with_cost(Passphrase::new(format!("{CANARY}-{CANARY}")).unwrap(), CHEAP).unwrap();
    encryption.seal_file("context", b"x").unwrap();
    assert!(!format!("{encryption:?} {:?}", Passphrase::new(format!("{CANARY}-{CANARY}"))).contains(CANARY));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Whatever is sealed comes back, and only under its context.
    #[test]
    fn what_is_sealed_comes_back(plain in prop::collection::vec(any::<u8>(), 0..2000), context in ".{0,40}") {
        let sealing = encryption("one");
        let sealed = sealing.seal_file(&context, &plain).unwrap();
        prop_assert_eq!(sealing.open_file(&context, sealed.clone()).unwrap(), plain);
        let other = format!("{context}x");
        prop_assert!(sealing.open_file(&other, sealed).is_err());
    }

    /// No text makes it panic.
    #[test]
    fn no_text_is_too_odd(rest in "[$a-z0-9=,+/]{0,120}") {
        let _ = encryption("one").open_file("context", format!("pipectl-sealed$1${rest}\n").into_bytes());
    }
}
