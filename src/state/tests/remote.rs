//! Many writers of one state in an object store, whose processes die and whose network does what networks do.
//!
//! Everything follows from a seed: threads take turns by a virtual clock, one at a time.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pipectl_state::conformance::holder;
use pipectl_state::simulation::{Faults, MemoryObjects, Network, SkewedClock, VirtualClock};
use pipectl_state::{
    Change, Clock, ObjectStore, OutputState, RemoteOptions, RemoteStore, State, StateError, StateStore, StateWriter,
};
use proptest::prelude::*;
use serde_json::json;

const WRITERS: u64 = 12;

fn output(name: &str) -> Change {
    let output = OutputState { value: json!("x".repeat(200)), ty: json!("string"), sensitive: false };
    Change::SetOutput { name: name.to_owned(), output }
}

fn options() -> RemoteOptions {
    RemoteOptions {
        lease: Duration::from_secs(60),
        heartbeat: Duration::from_secs(15),
        beats_by_itself: false,
        smallest_compaction: 3000,
        tidy_log: 4,
        ..RemoteOptions::default()
    }
}

/// What happened, in order.
#[derive(Debug, Default, PartialEq)]
struct History {
    /// Serial and name of each commit that was said to be durable.
    committed: Vec<(u64, String)>,
    /// Commits whose answer never came.
    uncertain: BTreeSet<String>,
    /// Commits that were said not to be made.
    refused: BTreeSet<String>,
    /// How often a lease was taken over from somebody silent, as far as those who lost it noticed.
    lost: usize,
    reads: usize,
}

/// Splits a seed.
fn mix(seed: u64, number: u64) -> u64 {
    let mixed = (seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

/// Whatever was durable before a read began is in what it reads.
fn check_read(state: &State, before: &[(u64, String)]) {
    for (serial, name) in before {
        assert!(
            state.outputs.contains_key(name),
            "{name}, record {serial}, is not in the state of record {}",
            state.serial
        );
        assert!(state.serial >= *serial);
    }
}

/// One writer: a few lives, each of which locks, commits, perhaps pauses for minutes, and may die at any request.
fn live(number: u64, seed: u64, air: &Network, clock: &Arc<dyn Clock>, history: &Mutex<History>) {
    for life in 0..4 {
        let seed = mix(seed, number * 100 + life);
        let ahead = Duration::from_secs(seed % 100_000);
        let skewed: Arc<dyn Clock> =
            Arc::new(SkewedClock::new(Arc::clone(clock), ahead, 950 + u32::try_from(seed % 101).unwrap()));
        let faults = Faults {
            dead_from: seed.is_multiple_of(2).then(|| 8 + mix(seed, 1) % 20),
            hides_age: seed.is_multiple_of(5),
            ..Faults::many()
        };
        let network = air.another(Arc::clone(&skewed), faults, seed);
        let store = RemoteStore::new(Arc::new(network), options()).with_clock(Arc::clone(&skewed));
        if mix(seed, 2).is_multiple_of(3) {
            let before = history.lock().unwrap().committed.clone();
            if let Ok(Some(state)) = store.read() {
                check_read(&state, &before);
                history.lock().unwrap().reads += 1;
            }
        }
        let before = history.lock().unwrap().committed.clone();
        let writer = store.writer(&holder(&format!("writer {number}")), Duration::from_secs(600));
        let mut writer = match writer {
            Ok(writer) => writer,
            Err(StateError::Locked { .. } | StateError::Remote { .. } | StateError::Lost(_)) => continue,
            Err(error) => panic!("writer {number}: {error}"),
        };
        check_read(writer.state(), &before);
        if writer.state().lineage.is_empty() && writer.begin("lineage", "hep.hcl").is_err() {
            continue;
        }
        for commit in 0..6 {
            let name = format!("w{number}-{life}-{commit}");
            match writer.commit(vec![output(&name)]) {
                Ok(()) => history.lock().unwrap().committed.push((writer.state().serial, name)),
                Err(error) if error.is_uncertain() => {
                    history.lock().unwrap().uncertain.insert(name);
                    break;
                }
                Err(StateError::Lost(_)) => {
                    let mut history = history.lock().unwrap();
                    history.refused.insert(name);
                    history.lost += 1;
                    break;
                }
                Err(error) => panic!("writer {number}: {error}"),
            }
            match mix(seed, 10 + commit) % 8 {
                // The machine sleeps: somebody else takes the lease over.
                0 => skewed.sleep(Duration::from_secs(200)),
                1 | 2 => {
                    let _ = writer.renew();
                }
                _ => {}
            }
        }
    }
}

fn simulate(seed: u64) -> (History, State, MemoryObjects) {
    let clock = VirtualClock::new(WRITERS as usize);
    let objects = MemoryObjects::with_clock(Arc::new(clock.clone()));
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let air = Network::new(objects.clone(), Arc::clone(&shared), Faults::none(), 0);
    let history = Mutex::new(History::default());
    std::thread::scope(|scope| {
        for number in 0..WRITERS {
            let (clock, shared, air, history) = (&clock, &shared, &air, &history);
            scope.spawn(move || {
                let _turn = clock.enter(Duration::from_millis(number));
                live(number, seed, air, shared, history);
            });
        }
    });
    // What is still on its way arrives after everything else, at the worst moment.
    air.settle();
    let state = RemoteStore::new(Arc::new(objects.clone()), options()).read().unwrap().unwrap_or_default();
    (history.into_inner().unwrap(), state, objects)
}

fn check(history: &History, state: &State) {
    check_read(state, &history.committed);
    let serials: BTreeSet<u64> = history.committed.iter().map(|(serial, _)| *serial).collect();
    assert_eq!(serials.len(), history.committed.len(), "two writers were told the same number");
    for name in state.outputs.keys() {
        let is_told = history.committed.iter().any(|(_, committed)| committed == name);
        assert!(is_told || history.uncertain.contains(name), "{name} is there, and its writer was told that it is not");
        assert!(!history.refused.contains(name), "{name}");
    }
    let records = history.committed.len() + history.uncertain.len();
    assert!(state.outputs.len() <= records, "each commit is there once");
    assert!(state.serial >= state.outputs.len() as u64, "each record has a number of its own");
}

proptest! {
    // No file for failures: cargo would take its folder for a crate. A failure prints what to repeat.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    /// Twelve writers, of which any may die at any request: no record is lost whose commit was confirmed, no number is given twice, and what a
    /// writer was told was not made is not there.
    #[test]
    fn no_confirmed_record_is_lost(seed in any::<u64>()) {
        let (history, state, _) = simulate(seed);
        check(&history, &state);
    }
}

#[test]
fn the_simulation_does_what_it_is_for() {
    // One long history: locks are lost, answers are lost, and still most commits get through. And it repeats.
    let mut total = History::default();
    for seed in 0..8 {
        let (history, state, _) = simulate(seed);
        check(&history, &state);
        total.committed.extend(history.committed);
        total.uncertain.extend(history.uncertain.into_iter().map(|name| format!("{seed} {name}")));
        total.lost += history.lost;
        total.reads += history.reads;
    }
    let History { committed, uncertain, lost, reads, .. } = &total;
    assert!(committed.len() > 100, "{} commits", committed.len());
    assert!(uncertain.len() >= 5, "{} uncertain", uncertain.len());
    assert!(*lost >= 1, "{lost} lost");
    assert!(*reads >= 10, "{reads} reads");
    assert_eq!(simulate(3).0, simulate(3).0, "a seed gives one history");
}

// ---- single cases, on a good network -----------------------------------------------------------

/// A clock that only the test moves, by sleeping.
fn clock() -> Arc<dyn Clock> {
    #[derive(Debug, Default)]
    struct Manual(Mutex<Duration>);
    impl Clock for Manual {
        fn now(&self) -> Duration {
            *self.0.lock().unwrap()
        }
        fn sleep(&self, time: Duration) {
            *self.0.lock().unwrap() += time;
        }
    }
    Arc::new(Manual::default())
}

struct Bed {
    clock: Arc<dyn Clock>,
    objects: MemoryObjects,
}

impl Bed {
    fn new() -> Self {
        let clock = clock();
        Self { objects: MemoryObjects::with_clock(Arc::clone(&clock)), clock }
    }

    fn store(&self) -> RemoteStore {
        RemoteStore::new(Arc::new(self.objects.clone()), options()).with_clock(Arc::clone(&self.clock))
    }

    fn begun(&self) -> pipectl_state::RemoteWriter {
        let mut writer = self.store().writer(&holder("anna"), Duration::ZERO).unwrap();
        writer.begin("lineage", "hep.hcl").unwrap();
        writer
    }
}

#[test]
fn a_lease_is_taken_over_only_when_it_has_expired_and_its_writer_is_out() {
    let bed = Bed::new();
    let mut first = bed.begun();
    first.commit(vec![output("a")]).unwrap();
    bed.clock.sleep(Duration::from_secs(50));
    let error = bed.store().writer(&holder("ben"), Duration::ZERO).map(drop).unwrap_err();
    let StateError::Locked { holder: Some(who), lease: Some(lease), .. } = &error else { panic!("{error}") };
    assert_eq!((who.who.as_str(), lease.length.as_secs()), ("anna", 60));
    assert!(error.diagnostic().detail.contains("last heard of 50 s ago"), "{}", error.diagnostic().detail);

    // A heartbeat counts as life.
    first.renew().unwrap();
    bed.clock.sleep(Duration::from_secs(50));
    assert!(bed.store().writer(&holder("ben"), Duration::ZERO).is_err());

    bed.clock.sleep(Duration::from_secs(15));
    let mut second = bed.store().writer(&holder("ben"), Duration::ZERO).unwrap();
    assert_eq!(second.state().serial, 2, "record 2 is a fence");
    let error = first.commit(vec![output("b")]).unwrap_err();
    assert!(error.to_string().contains("taken over by ben"), "{error}");
    assert!(!error.is_uncertain());
    second.commit(vec![output("c")]).unwrap();
    drop(first);
    second.commit(vec![output("d")]).unwrap();
    drop(second);
    let state = bed.store().read().unwrap().unwrap();
    assert_eq!(state.outputs.keys().collect::<Vec<_>>(), ["a", "c", "d"]);
    // After a clean end there is nothing to fence off.
    assert_eq!(bed.store().writer(&holder("carl"), Duration::ZERO).unwrap().state().serial, state.serial);
}

#[test]
fn without_the_stores_word_whoever_waits_measures_the_silence() {
    let bed = Bed::new();
    let first = bed.begun();
    let blind = Faults { hides_age: true, ..Faults::none() };
    let network = Network::new(bed.objects.clone(), Arc::clone(&bed.clock), blind, 1);
    let store = RemoteStore::new(Arc::new(network), options()).with_clock(Arc::clone(&bed.clock));
    bed.clock.sleep(Duration::from_secs(1000));
    let start = bed.clock.now();
    assert!(store.writer(&holder("ben"), Duration::from_secs(50)).is_err(), "nobody knows how long it is silent");
    store.writer(&holder("ben"), Duration::from_secs(100)).unwrap();
    assert!(bed.clock.now() - start >= Duration::from_secs(110));
    assert!(first.renew().is_err());
}

#[test]
fn a_broken_lease_ends_at_once_and_only_by_its_id() {
    let bed = Bed::new();
    let mut first = bed.begun();
    let error = bed.store().writer(&holder("ben"), Duration::ZERO).map(drop).unwrap_err();
    let StateError::Locked { lease: Some(lease), .. } = error else { panic!("{error}") };
    let wrong = bed.store().break_lock("00ff").unwrap_err();
    assert!(matches!(&wrong, StateError::NoSuchLock { found: Some(found), .. } if *found == lease.id), "{wrong}");
    assert_eq!(bed.store().break_lock(&lease.id).unwrap().who, "anna");
    assert_eq!(bed.store().break_lock(&lease.id).unwrap().who, "anna", "twice is once");
    let second = bed.store().writer(&holder("ben"), Duration::ZERO).unwrap();
    assert!(first.commit(vec![output("a")]).is_err());
    drop(second);
    assert!(matches!(bed.store().break_lock(&lease.id), Err(StateError::NoSuchLock { found: None, .. })));
}

#[test]
fn a_record_that_arrives_after_the_fence_is_refused_for_ever() {
    let bed = Bed::new();
    let mut writer = bed.begun();
    writer.commit(vec![output("a")]).unwrap();
    drop(writer);
    // A writer whose process is gone before it gives the lease back: from its fifth request on nothing gets through.
    let dying = Faults { dead_from: Some(8), ..Faults::none() };
    let network = Network::new(bed.objects.clone(), Arc::clone(&bed.clock), dying, 1);
    let store = RemoteStore::new(Arc::new(network), options()).with_clock(Arc::clone(&bed.clock));
    let mut killed = store.writer(&holder("anna"), Duration::ZERO).unwrap();
    while killed.commit(vec![output("b")]).is_ok() {}
    drop(killed);
    bed.clock.sleep(Duration::from_secs(100));
    let mut next = bed.store().writer(&holder("ben"), Duration::ZERO).unwrap();
    let fence = next.state().serial;
    for number in 0..50 {
        next.commit(vec![output(&format!("c{number}"))]).unwrap();
    }
    drop(next);
    // The log was compacted twice since; the fence is still there, and nothing else of that time.
    let logs: Vec<String> = bed.objects.list("log/").unwrap();
    assert_eq!(logs.first(), Some(&format!("log/{fence:020}")));
    assert!(logs.len() < 45, "{logs:?}");
    let late = bed.objects.put_if_absent(&format!("log/{fence:020}"), b"late").unwrap();
    assert_eq!(late, pipectl_state::Put::Refused);
}

#[test]
fn commits_cost_one_request_and_readers_few() {
    let bed = Bed::new();
    drop(bed.begun());
    let network = Arc::new(Network::new(bed.objects.clone(), Arc::clone(&bed.clock), Faults::none(), 1));
    let options = RemoteOptions { smallest_compaction: u64::MAX, tidy_log: u64::MAX, ..options() };
    let store = RemoteStore::new(network.clone(), options).with_clock(Arc::clone(&bed.clock));
    let mut writer = store.writer(&holder("anna"), Duration::ZERO).unwrap();
    let before = network.requests();
    for number in 0..100 {
        writer.commit(vec![output(&format!("c{number}"))]).unwrap();
    }
    assert_eq!(network.requests() - before, 100);
    drop(writer);
}

#[test]
fn damage_is_an_error_that_names_the_object() {
    let bed = Bed::new();
    let mut writer = bed.begun();
    for number in 0..40 {
        writer.commit(vec![output(&format!("c{number}"))]).unwrap();
    }
    drop(writer);
    let mut writer = bed.store().writer(&holder("anna"), Duration::ZERO).unwrap();
    writer.commit(vec![output("last")]).unwrap();
    drop(writer);
    let whole = bed.store().read().unwrap();
    let needed = |key: &String| key == "header" || key.starts_with("snapshot/") || key.starts_with("log/");
    let mut damages = 0;
    for key in bed.objects.keys().into_iter().filter(needed) {
        let bytes = bed.objects.bytes(&key).unwrap();
        for index in (0..bytes.len()).step_by(7) {
            let mut damaged = bytes.clone();
            damaged[index] ^= 0x04;
            bed.objects.overwrite(&key, damaged);
            match bed.store().read() {
                // Nobody reads what lies before the snapshot.
                Ok(state) => assert_eq!(state, whole, "{key} byte {index}"),
                Err(StateError::Damaged { path, .. }) => {
                    damages += 1;
                    assert!(path.ends_with(&key), "{key} byte {index}: {}", path.display());
                }
                Err(error) => panic!("{key} byte {index}: {error}"),
            }
        }
        bed.objects.overwrite(&key, bytes);
    }
    assert!(damages > 100, "{damages}");
    assert_eq!(bed.store().read().unwrap(), whole);
    for key in bed.objects.list("snapshot/").unwrap() {
        bed.objects.remove(&key);
    }
    assert!(bed.store().read().unwrap_err().to_string().contains("which is missing"));
}

#[test]
fn a_newer_format_is_refused() {
    let json = br#"{"format":3,"what":"nobody knows yet"}"#;
    let frame = [format!("{:08x} {:08x} ", json.len(), crc32fast::hash(json)).as_bytes(), json, b"\n"].concat();
    let bed = Bed::new();
    bed.objects.overwrite("header", frame);
    assert!(matches!(bed.store().read(), Err(StateError::NewerFormat { found: 3, .. })));
    let bed = Bed::new();
    bed.objects.overwrite("lease", json.to_vec());
    let error = bed.store().writer(&holder("anna"), Duration::ZERO).map(drop).unwrap_err();
    assert!(matches!(error, StateError::NewerFormat { found: 3, .. }), "{error}");
}

#[test]
fn only_what_is_needed_stays() {
    let bed = Bed::new();
    let mut counts = BTreeMap::new();
    drop(bed.begun());
    for round in 0..30 {
        let mut writer = bed.store().writer(&holder("anna"), Duration::ZERO).unwrap();
        for number in 0..10 {
            writer.commit(vec![output(&format!("c{number}"))]).unwrap();
        }
        drop(writer);
        counts.insert(round, bed.objects.keys().len());
    }
    assert!(counts[&29] <= counts[&5] + 2, "{counts:?}");
    assert_eq!(bed.objects.list("snapshot/").unwrap().len(), 2, "the present one and the one before");
}

fn named(state: Option<State>) -> Vec<String> {
    state.map(|state| state.outputs.into_keys().collect()).unwrap_or_default()
}

/// Writers that live in one world, whose minutes pass in moments.
fn world() -> (MemoryObjects, RemoteStore) {
    let clock = Arc::new(SkewedClock::new(Arc::new(pipectl_state::MonotonicClock::new()), Duration::ZERO, 100_000_000));
    let objects = MemoryObjects::with_clock(clock.clone());
    let store = RemoteStore::new(Arc::new(objects.clone()), options()).with_clock(clock);
    (objects, store)
}

#[test]
fn whoever_was_fenced_off_from_a_removed_state_is_fenced_off_from_the_next_one() {
    let (objects, store) = world();
    let mut slept = store.writer(&holder("slept"), Duration::ZERO).unwrap();
    slept.begin("first", "hep.hcl").unwrap();
    slept.commit(vec![output("a")]).unwrap();
    let mut second = store.lock(&holder("second"), Duration::from_secs(100_000)).unwrap();
    second.remove().unwrap();
    drop(second);
    assert_eq!(store.read().unwrap(), None);
    assert!(!store.is_there().unwrap());
    assert!(objects.keys().iter().all(|key| !key.starts_with("snapshot/")), "{:?}", objects.keys());
    let mut third = store.lock(&holder("third"), Duration::from_secs(100_000)).unwrap();
    assert_eq!(third.state(), &State::default());
    third.begin("second", "hep.hcl").unwrap();
    third.commit(vec![output("b")]).unwrap();
    let late = slept.commit(vec![output("late")]).unwrap_err();
    assert!(matches!(late, StateError::Lost(_)), "{late}");
    // Records of a state that is long enough to be compacted go on from a snapshot, and those of this one from nothing.
    for number in 0..30 {
        third.commit(vec![output(&format!("c{number}"))]).unwrap();
    }
    drop((slept, third));
    let state = store.read().unwrap().unwrap();
    assert_eq!(state.lineage, "second");
    assert_eq!(state.outputs.len(), 31);
}

#[test]
fn whoever_was_overtaken_removes_nothing() {
    let (_, store) = world();
    let mut first = store.lock(&holder("first"), Duration::ZERO).unwrap();
    first.begin("lineage", "hep.hcl").unwrap();
    drop(first);
    let mut slept = store.lock(&holder("slept"), Duration::ZERO).unwrap();
    let mut next = store.lock(&holder("next"), Duration::from_secs(100_000)).unwrap();
    next.commit(vec![output("a")]).unwrap();
    drop(next);
    let error = slept.remove().unwrap_err();
    assert!(matches!(error, StateError::Lost(_)), "{error}");
    assert_eq!(named(store.read().unwrap()), ["a"]);
}

/// A process that removes a state and is killed at any of its requests: the state is whole or gone, and the next one can be begun.
#[test]
fn a_removal_that_is_killed_leaves_a_state_or_none() {
    let (mut whole, mut gone) = (0, 0);
    for dead_from in 1..40 {
        let clock: Arc<dyn Clock> =
            Arc::new(SkewedClock::new(Arc::new(pipectl_state::MonotonicClock::new()), Duration::ZERO, 100_000_000));
        let objects = MemoryObjects::with_clock(clock.clone());
        let store = RemoteStore::new(Arc::new(objects.clone()), options()).with_clock(clock.clone());
        let mut writer = store.lock(&holder("first"), Duration::ZERO).unwrap();
        writer.begin("first", "hep.hcl").unwrap();
        for number in 0..20 {
            writer.commit(vec![output(&format!("a{number}"))]).unwrap();
        }
        drop(writer);
        let faults = Faults { dead_from: Some(dead_from), ..Faults::none() };
        let network = Network::new(objects.clone(), clock.clone(), faults, dead_from);
        let killed = RemoteStore::new(Arc::new(network), options()).with_clock(clock);
        // How it ends is what nobody hears.
        let _ = killed.lock(&holder("killed"), Duration::ZERO).and_then(|mut writer| writer.remove());
        let found = named(store.read().unwrap());
        match found.len() {
            20 => whole += 1,
            0 => gone += 1,
            length => panic!("killed at request {dead_from}, {length} of 20 outputs are left"),
        }
        let mut next = store.lock(&holder("next"), Duration::from_secs(100_000)).unwrap();
        assert_eq!(next.state().outputs.len(), found.len(), "killed at request {dead_from}");
        if next.state().lineage.is_empty() {
            next.begin("second", "hep.hcl").unwrap();
        }
        next.commit(vec![output("b")]).unwrap();
        drop(next);
        assert_eq!(named(store.read().unwrap()).len(), found.len() + 1, "killed at request {dead_from}");
    }
    assert!(whole > 3 && gone > 3, "{whole} whole, {gone} gone");
}

#[test]
fn a_store_that_knows_no_conditions_is_refused() {
    #[derive(Debug)]
    struct Careless {
        objects: MemoryObjects,
        is_careful_with_new: bool,
    }

    impl ObjectStore for Careless {
        fn name(&self) -> String {
            "careless".to_owned()
        }

        fn get(&self, key: &str) -> Result<Option<pipectl_state::Object>, pipectl_state::ObjectError> {
            self.objects.get(key)
        }

        fn put_if_absent(&self, key: &str, bytes: &[u8]) -> Result<pipectl_state::Put, pipectl_state::ObjectError> {
            if !self.is_careful_with_new {
                self.objects.remove(key);
            }
            self.objects.put_if_absent(key, bytes)
        }

        fn put_if_match(
            &self,
            key: &str,
            bytes: &[u8],
            _: &pipectl_state::Tag,
        ) -> Result<pipectl_state::Put, pipectl_state::ObjectError> {
            self.objects.remove(key);
            self.objects.put_if_absent(key, bytes)
        }

        fn list(&self, prefix: &str) -> Result<Vec<String>, pipectl_state::ObjectError> {
            self.objects.list(prefix)
        }

        fn delete(&self, key: &str) -> Result<(), pipectl_state::ObjectError> {
            self.objects.delete(key)
        }
    }

    for (is_careful_with_new, condition) in [(false, "(If-None-Match: *)"), (true, "(If-Match)")] {
        let careless = Careless { objects: MemoryObjects::new(), is_careful_with_new };
        let store = RemoteStore::new(Arc::new(careless), options());
        // However often somebody tries.
        for _ in 0..2 {
            let mut writer = store.lock(&holder("first"), Duration::ZERO).unwrap();
            let error = writer.begin("lineage", "hep.hcl").unwrap_err();
            let detail = error.diagnostic().detail;
            assert!(detail.contains("would not be safe in such a store") && detail.contains(condition), "{detail}");
            drop(writer);
            assert!(store.read().unwrap().is_none(), "nothing is left that a later run would go on with");
        }
    }
}
