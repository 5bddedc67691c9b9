//! The store from outside: what goes in comes out, what is changed is found, several processes share it.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::time::{Duration, SystemTime};

use pipectl_artifact::{Collected, GcOptions, LocalStore, Options};
use pipectl_core::Digest;
use pipectl_provider::{ArtifactError, ArtifactStore, Manifest, ViewState};
use proptest::prelude::*;

const LINK_FROM: u64 = 10;

/// A folder with a store and a place for views.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn view(&self) -> PathBuf {
        self.folder.path().join("artifacts/hep/train.inclusive")
    }

    fn open(&self) -> LocalStore {
        self.open_with(false)
    }

    fn open_with(&self, verify: bool) -> LocalStore {
        LocalStore::new(self.root(), Options { verify, link_from: LINK_FROM })
    }
}

fn key(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

/// Stores files as the outputs of `key`.
fn store_run(store: &LocalStore, name: &str, files: &[(&str, &[u8])]) -> Manifest {
    let output = store.scratch().unwrap();
    for (path, content) in files {
        let path = output.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let manifest = Manifest::new(store.ingest(&output).unwrap(), serde_json::json!({ "name": name }));
    assert!(!output.exists(), "the output folder is consumed");
    let digest = store.publish(&manifest).unwrap();
    store.record_action(&key(name), &digest).unwrap();
    manifest
}

fn files_below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}

fn drift(store: &LocalStore, manifest: &Manifest, view: &Path) -> Vec<String> {
    match store.view_state(manifest, view).unwrap() {
        ViewState::Intact => Vec::new(),
        ViewState::Drifted(texts) => texts,
    }
}

/// Writes into a file that exists, whatever its mode says, and keeps its length.
fn tamper(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    let length = fs::metadata(path).unwrap().len();
    fs::OpenOptions::new().write(true).open(path).unwrap().write_all(&vec![b'!'; length as usize]).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_goes_in_comes_out(
        files in proptest::collection::btree_map("([e-h]{1,2}/){0,2}[a-d]{1,2}", proptest::collection::vec(any::<u8>(), 0..40), 0..8),
        before in proptest::collection::btree_map("[a-h]{1,2}", proptest::collection::vec(any::<u8>(), 0..40), 0..4),
    ) {
        let bench = Bench::new();
        // Whatever lay in the view goes away.
        fs::create_dir_all(bench.view()).unwrap();
        for (name, content) in &before {
            fs::write(bench.view().join(name), content).unwrap();
        }
        let listed: Vec<(&str, &[u8])> = files.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect();
        let manifest = store_run(&bench.open(), "run", &listed);
        prop_assert_eq!(manifest.files.len(), files.len());

        // Another process.
        let store = bench.open();
        prop_assert_eq!(store.action(&key("run")).unwrap(), Some(manifest.clone()));
        prop_assert_eq!(store.manifest(&manifest.digest()).unwrap(), Some(manifest.clone()));
        prop_assert_eq!(store.action(&key("another")).unwrap(), None);
        store.materialise(&manifest, &bench.view()).unwrap();
        prop_assert_eq!(&files_below(&bench.view()), &files);
        prop_assert_eq!(store.view_state(&manifest, &bench.view()).unwrap(), ViewState::Intact);
        prop_assert_eq!(bench.open_with(true).view_state(&manifest, &bench.view()).unwrap(), ViewState::Intact);
        let verified = store.verify(|_, _| {}).unwrap();
        prop_assert_eq!(verified.findings, vec![]);
        let contents: BTreeSet<&Vec<u8>> = files.values().collect();
        prop_assert_eq!(verified.blobs as usize, contents.len());
        store.remove_view(&bench.view()).unwrap();
        store.remove_view(&bench.view()).unwrap();
        prop_assert!(!bench.view().exists());
    }
}

#[test]
fn differences_of_a_view_are_named() {
    let bench = Bench::new();
    let store = bench.open();
    let manifest =
        store_run(&store, "run", &[("model.onnx", b"weights"), ("data/0", b"a long record"), ("data/1", b"b")]);
    store.materialise(&manifest, &bench.view()).unwrap();

    fs::remove_file(bench.view().join("model.onnx")).unwrap();
    tamper(&bench.view().join("data/1"));
    fs::write(bench.view().join("data/2"), "?").unwrap();
    let expected =
        ["output `data/1` has changed", "output `model.onnx` is missing", "file `data/2` is not one of its outputs"];
    assert_eq!(drift(&store, &manifest, &bench.view()), expected);
    assert_eq!(drift(&bench.open(), &manifest, &bench.view()), expected);

    store.materialise(&manifest, &bench.view()).unwrap();
    assert_eq!(store.view_state(&manifest, &bench.view()).unwrap(), ViewState::Intact);

    // A link to the same content is not the output.
    let path = bench.view().join("data/0");
    fs::rename(&path, bench.folder.path().join("moved")).unwrap();
    std::os::unix::fs::symlink(bench.folder.path().join("moved"), &path).unwrap();
    assert_eq!(drift(&store, &manifest, &bench.view()), ["output `data/0` has changed"]);
    store.remove_view(&bench.view()).unwrap();
    assert_eq!(drift(&store, &manifest, &bench.view()).len(), 3);
}

#[test]
fn many_differences_are_counted() {
    let bench = Bench::new();
    let store = bench.open();
    let names: Vec<String> = (0..30).map(|index| format!("part-{index:02}")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), name.as_bytes())).collect();
    let manifest = store_run(&store, "run", &files);
    let texts = drift(&store, &manifest, &bench.view());
    assert_eq!(texts.len(), 11);
    assert_eq!(texts[10], "and 20 more files differ");
}

#[test]
fn an_edited_copy_is_mended_from_the_store() {
    let bench = Bench::new();
    let store = bench.open();
    let manifest = store_run(&store, "run", &[("small", b"weights")]);
    store.materialise(&manifest, &bench.view()).unwrap();
    assert_eq!(fs::metadata(bench.view().join("small")).unwrap().nlink(), 1);
    tamper(&bench.view().join("small"));
    assert_eq!(drift(&store, &manifest, &bench.view()), ["output `small` has changed"]);
    let again = store.action(&key("run")).unwrap().expect("the blob is not concerned");
    store.materialise(&again, &bench.view()).unwrap();
    assert_eq!(files_below(&bench.view())["small"], b"weights");
}

#[test]
fn an_edit_through_a_link_is_found_and_the_blob_set_aside() {
    let bench = Bench::new();
    let store = bench.open();
    let files: [(&str, &[u8]); 2] = [("large", b"a file that is linked"), ("small", b"copied")];
    let manifest = store_run(&store, "run", &files);
    store.materialise(&manifest, &bench.view()).unwrap();
    let large = bench.view().join("large");
    let metadata = fs::metadata(&large).unwrap();
    assert_eq!((metadata.nlink(), metadata.permissions().mode() & 0o777), (2, 0o444));

    tamper(&large);
    assert_eq!(drift(&store, &manifest, &bench.view()), ["output `large` has changed"]);
    // Not served, by this process or another.
    assert_eq!(bench.open().action(&key("run")).unwrap(), None);
    assert_eq!(store.action(&key("run")).unwrap(), None);
    let error = store.materialise(&manifest, &bench.view()).unwrap_err();
    assert!(matches!(error, ArtifactError::Damaged { .. }), "{error}");
    assert_eq!(fs::read_dir(bench.root().join("damaged")).unwrap().count(), 1);

    // Running again makes it whole.
    assert_eq!(store_run(&store, "run", &files), manifest);
    store.materialise(&store.action(&key("run")).unwrap().unwrap(), &bench.view()).unwrap();
    assert_eq!(files_below(&bench.view())["large"], files[0].1);
    assert_eq!(store.verify(|_, _| {}).unwrap().findings, []);
}

#[test]
fn damage_without_a_trace_is_found_by_verify() {
    let bench = Bench::new();
    let manifest = store_run(&bench.open(), "run", &[("a", b"one"), ("b", b"two")]);
    let blob = |content: &[u8]| {
        let hex = Digest::of(content).hex();
        bench.root().join("blobs").join(&hex[..2]).join(hex)
    };
    // Files from long ago: once they are read, the stat cache trusts size, time and inode.
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for content in [b"one", b"two"] {
        fs::File::open(blob(content)).unwrap().set_modified(time).unwrap();
    }
    assert_eq!(bench.open().verify(|_, _| {}).unwrap().findings, []);
    tamper(&blob(b"one"));
    fs::OpenOptions::new().write(true).open(blob(b"one")).unwrap().set_modified(time).unwrap();
    let store = bench.open();
    assert_eq!(store.action(&key("run")).unwrap(), Some(manifest), "size, time and inode are as they were");
    assert_eq!(bench.open_with(true).action(&key("run")).unwrap(), None);

    let store = bench.open();
    let manifest = store_run(&store, "run", &[("a", b"one"), ("b", b"two")]);
    tamper(&blob(b"one"));
    fs::remove_file(blob(b"two")).unwrap();
    let mut seen = Vec::new();
    let verified = store.verify(|done, total| seen.push((done, total))).unwrap();
    assert_eq!(seen.last(), Some(&(3, 3)));
    let paths: Vec<&PathBuf> = verified.findings.iter().map(|finding| &finding.path).collect();
    assert_eq!(paths[0], &blob(b"one"));
    assert!(paths.contains(&&blob(b"two")), "{:?}", verified.findings);
    assert_eq!(store.action(&key("run")).unwrap(), None);

    let path = bench.root().join("manifests").join(format!("{}.json", manifest.digest().hex()));
    tamper(&path);
    assert!(matches!(store.manifest(&manifest.digest()), Err(ArtifactError::Damaged { .. })));
    assert!(store.verify(|_, _| {}).unwrap().findings.iter().any(|finding| finding.path == path));
    assert_eq!(store.manifest(&manifest.digest()).unwrap(), None);
}

#[test]
fn damaged_actions_and_manifests_count_as_absent() {
    let bench = Bench::new();
    let store = bench.open();
    let files: [(&str, &[u8]); 1] = [("a", b"one")];
    for damage in ["", "{", r#"{"version":2,"manifest":"sha256:00"}"#] {
        store_run(&store, "run", &files);
        fs::write(bench.root().join("actions").join(key("run").hex()), damage).unwrap();
        assert_eq!(store.action(&key("run")).unwrap(), None, "{damage:?}");
    }
    let manifest = store_run(&store, "run", &files);
    let path = bench.root().join("manifests").join(format!("{}.json", manifest.digest().hex()));
    tamper(&path);
    assert_eq!(store.action(&key("run")).unwrap(), None);
    // Publishing mends.
    tamper_again_and_publish(&store, &manifest, &path);
    assert_eq!(store.manifest(&manifest.digest()).unwrap(), Some(manifest));
}

fn tamper_again_and_publish(store: &LocalStore, manifest: &Manifest, path: &Path) {
    fs::write(path, "damaged").unwrap();
    store.publish(manifest).unwrap();
}

#[test]
fn nothing_is_published_without_its_blobs() {
    let bench = Bench::new();
    let store = bench.open();
    let mut manifest = store_run(&store, "run", &[("a", b"one")]);
    manifest.files[0].digest = Digest::of(b"never stored");
    assert!(matches!(store.publish(&manifest), Err(ArtifactError::Damaged { .. })));
    assert!(matches!(store.record_action(&key("other"), &manifest.digest()), Err(ArtifactError::Damaged { .. })));
    manifest.files[0].path = "../outside".to_owned();
    assert!(matches!(store.materialise(&manifest, &bench.view()), Err(ArtifactError::Damaged { .. })));
    assert!(!bench.view().exists());
}

#[test]
fn outputs_must_be_regular_files() {
    let bench = Bench::new();
    let store = bench.open();
    let output = store.scratch().unwrap();
    fs::write(output.join("a"), "one").unwrap();
    std::os::unix::fs::symlink("a", output.join("b")).unwrap();
    let error = store.ingest(&output).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot store `{}`", output.join("b").display()));
    assert!(output.join("a").exists(), "nothing was taken");

    // A file with another name elsewhere is copied: a change under that name must not reach the blob.
    fs::remove_file(output.join("b")).unwrap();
    fs::hard_link(output.join("a"), bench.folder.path().join("other-name")).unwrap();
    let files = store.ingest(&output).unwrap();
    fs::write(bench.folder.path().join("other-name"), "two").unwrap();
    let manifest = Manifest::new(files, serde_json::Value::Null);
    store.publish(&manifest).unwrap();
    store.materialise(&manifest, &bench.view()).unwrap();
    assert_eq!(files_below(&bench.view())["a"], b"one");
}

#[test]
fn several_processes_publish_the_same() {
    let bench = Bench::new();
    let barrier = Barrier::new(4);
    let content: Vec<u8> = (0..200_000_u32).map(|index| (index % 251) as u8).collect();
    let files: [(&str, &[u8]); 3] = [("same", &content), ("small", b"x"), ("again", &content)];
    let manifests: Vec<Manifest> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|number| {
                let (bench, barrier, files) = (&bench, &barrier, &files);
                scope.spawn(move || {
                    // A store of its own: locks belong to it alone, as in another process.
                    let store = bench.open();
                    barrier.wait();
                    let mut last = None;
                    for round in 0..8 {
                        let manifest = store_run(&store, "run", files);
                        let view = bench.folder.path().join(format!("view-{number}"));
                        store.materialise(&manifest, &view).unwrap();
                        assert_eq!(drift(&store, &manifest, &view), Vec::<String>::new());
                        if round % 4 == number {
                            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 33);
                            store
                                .gc(&BTreeSet::new(), &GcOptions { now, keep: Duration::ZERO, dry_run: false })
                                .unwrap();
                        }
                        last = Some(manifest);
                    }
                    last.unwrap()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(manifests.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(fs::read_dir(bench.root().join("tmp")).unwrap().count(), 0);
    let store = bench.open();
    assert_eq!(store.verify(|_, _| {}).unwrap().findings, []);
}

#[test]
fn collecting_keeps_what_is_referred_to() {
    let bench = Bench::new();
    let (old, live, recent) = {
        let store = bench.open();
        (
            store_run(&store, "old", &[("a", b"old only"), ("s", b"shared")]),
            store_run(&store, "live", &[("a", b"live only"), ("s", b"shared")]),
            store_run(&store, "recent", &[("a", b"recent only")]),
        )
    };
    let now = fs::metadata(bench.root().join("lock")).unwrap().modified().unwrap() + Duration::from_secs(3600);
    let age = |name: &str, seconds: u64| {
        let path = bench.root().join("actions").join(key(name).hex());
        fs::OpenOptions::new()
            .append(true)
            .open(path)
            .unwrap()
            .set_modified(now - Duration::from_secs(seconds))
            .unwrap();
    };
    age("old", 1000);
    age("live", 1000);
    age("recent", 10);
    let options = GcOptions { now, keep: Duration::from_secs(100), dry_run: true };
    let store = bench.open();
    let would = store.gc(&[live.digest()].into(), &options).unwrap();
    assert_eq!(would, Collected { actions: 1, manifests: 1, blobs: 1, bytes: would.bytes, ..Collected::default() });
    assert!(store.manifest(&old.digest()).unwrap().is_some(), "a dry run removes nothing");
    let did = store.gc(&[live.digest()].into(), &GcOptions { dry_run: false, ..options }).unwrap();
    assert_eq!(did, would);
    assert_eq!(store.action(&key("old")).unwrap(), None);
    assert_eq!(store.action(&key("live")).unwrap(), Some(live.clone()));
    assert_eq!(store.action(&key("recent")).unwrap(), Some(recent.clone()));
    let digests: BTreeSet<Digest> = store.list().unwrap().into_iter().map(|listed| listed.digest).collect();
    assert_eq!(digests, [live.digest(), recent.digest()].into());
    let listed = store.list().unwrap();
    assert_eq!(listed.iter().find(|listed| listed.digest == live.digest()).unwrap().keys, [key("live")]);
    assert_eq!(listed.iter().map(|listed| listed.bytes()).sum::<u64>(), 9 + 6 + 11);

    // Nothing refers to anything, but a process that uses some of it is alive.
    let none = GcOptions { keep: Duration::ZERO, dry_run: false, now: now + Duration::from_secs(1 << 20) };
    assert_eq!(bench.open().gc(&BTreeSet::new(), &none).unwrap().blobs, 0);
    drop(store);
    assert_eq!(bench.open().gc(&BTreeSet::new(), &none).unwrap().blobs, 3);
    assert_eq!(bench.open().verify(|_, _| {}).unwrap().blobs, 0);
}

#[test]
fn using_an_action_makes_it_recent() {
    let bench = Bench::new();
    store_run(&bench.open(), "run", &[("a", b"one")]);
    let path = bench.root().join("actions").join(key("run").hex());
    fs::OpenOptions::new().append(true).open(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    bench.open().action(&key("run")).unwrap().unwrap();
    assert!(fs::metadata(&path).unwrap().modified().unwrap() > SystemTime::UNIX_EPOCH);
}

#[test]
fn working_folders_of_the_living_are_left_alone() {
    let bench = Bench::new();
    let living = bench.open();
    let output = living.scratch().unwrap();
    fs::write(output.join("half"), "written").unwrap();
    // What a killed process leaves: a folder, and a lock file that nobody holds.
    let working = bench.root().join("tmp");
    fs::create_dir_all(working.join("run-gone/scratch-0")).unwrap();
    fs::write(working.join("run-gone/scratch-0/half"), "12345").unwrap();
    fs::write(working.join("run-gone.lock"), "").unwrap();
    let options = GcOptions { now: SystemTime::UNIX_EPOCH, keep: Duration::ZERO, dry_run: true };
    let collected = bench.open().gc(&BTreeSet::new(), &options).unwrap();
    assert_eq!((collected.working, collected.bytes), (1, 5));
    // The next run sweeps too.
    bench.open().scratch().unwrap();
    assert!(!working.join("run-gone").exists() && !working.join("run-gone.lock").exists());
    assert!(output.join("half").exists());
    assert_eq!(living.ingest(&output).unwrap().len(), 1);
}

#[test]
fn sources_are_digested_once_and_again_when_changed() {
    let bench = Bench::new();
    let source = bench.folder.path().join("train.parquet");
    fs::write(&source, "events").unwrap();
    assert_eq!(bench.open().source_digest(&source).unwrap(), Digest::of(b"events"));
    fs::write(&source, "EVENTS").unwrap();
    assert_eq!(bench.open().source_digest(&source).unwrap(), Digest::of(b"EVENTS"));
    // A damaged cache is rebuilt.
    fs::write(bench.root().join("stat-cache"), "not a cache").unwrap();
    assert_eq!(bench.open().source_digest(&source).unwrap(), Digest::of(b"EVENTS"));
    assert!(fs::read_to_string(bench.root().join("stat-cache")).unwrap().contains("train.parquet"));
    let error = bench.open().source_digest(&bench.folder.path().join("absent")).unwrap_err();
    assert!(matches!(error, ArtifactError::Io { doing: "read", .. }));
}

/// The names and bytes of version 1, for ever.
#[test]
fn version_1_is_laid_out_as_it_was() {
    let bench = Bench::new();
    let manifest = store_run(&bench.open(), "run", &[("b/c", b"abc"), ("a", b"")]);
    let golden = include_str!("golden/manifest-1.json").trim_end();
    assert_eq!(String::from_utf8(manifest.canonical()).unwrap(), golden);
    let hex = Digest::of(golden.as_bytes()).hex();
    assert_eq!(fs::read_to_string(bench.root().join(format!("manifests/{hex}.json"))).unwrap(), golden);
    let action = fs::read_to_string(bench.root().join("actions").join(key("run").hex())).unwrap();
    assert_eq!(action, format!(r#"{{"version":1,"manifest":"sha256:{hex}"}}"#));
    let blob = Digest::of(b"abc").hex();
    assert_eq!(fs::read(bench.root().join("blobs/ba").join(blob)).unwrap(), b"abc");
}
