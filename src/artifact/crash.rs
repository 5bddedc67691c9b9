//! Ends the process, as far as the disk can tell, after each single step in turn, and looks at what is left.

use std::cell::Cell;
use std::fs;
use std::io;
use std::path::Path;

use pipectl_core::Digest;
use pipectl_provider::{ArtifactError, ArtifactStore as _, Manifest, ViewState};

use crate::{LocalStore, Options};

thread_local! {
    /// Steps left until this thread can change nothing on disk any more.
    static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Called before each change on disk.
pub(crate) fn step() -> io::Result<()> {
    match LEFT.get() {
        None => Ok(()),
        Some(0) => Err(io::Error::other("the process is gone")),
        Some(left) => {
            LEFT.set(Some(left - 1));
            Ok(())
        }
    }
}

const KEY: &[u8] = b"the key of a run";

/// One run of a stage, from its files to its view. Small files are copied and large ones linked.
fn run(store: &LocalStore, view: &Path, contents: &[(&str, &str)]) -> Result<Manifest, ArtifactError> {
    let output = store.scratch()?;
    for (name, content) in contents {
        let path = output.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let manifest = Manifest::new(store.ingest(&output)?, serde_json::json!({ "rows": contents.len() }));
    let digest = store.publish(&manifest)?;
    store.record_action(&Digest::of(KEY), &digest)?;
    store.materialise(&manifest, view)?;
    Ok(manifest)
}

fn options() -> Options {
    Options { link_from: 5, ..Options::default() }
}

fn content_of(view: &Path) -> Vec<(String, String)> {
    let found = crate::walk::below(view).unwrap();
    found.into_iter().map(|file| (file.name.unwrap(), fs::read_to_string(file.path).unwrap())).collect()
}

/// Runs over an existing view, with one file that is stored already.
fn crash_after(steps: u64) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let (root, view) = (folder.path().join("store"), folder.path().join("view"));
    let before = [("a", "old"), ("b/c", "kept as it is")];
    let after = [("a", "new"), ("b/c", "kept as it is"), ("b/d", "a large file")];
    let text = |contents: &[(&str, &str)]| {
        contents.iter().map(|(name, content)| ((*name).to_owned(), (*content).to_owned())).collect::<Vec<_>>()
    };
    let old = run(&LocalStore::new(&root, options()), &view, &before).unwrap();
    fs::remove_file(root.join("actions").join(Digest::of(KEY).hex())).unwrap();

    let store = LocalStore::new(&root, options());
    LEFT.set(Some(steps));
    let ended = run(&store, &view, &after).is_ok();
    drop(store);
    LEFT.set(None);

    // Whoever comes next sees the whole or nothing.
    let store = LocalStore::new(&root, options());
    let seen = content_of(&view);
    assert!(seen == text(&before) || seen == text(&after), "after {steps} steps the view holds {seen:?}");
    if seen == text(&before) {
        assert_eq!(store.view_state(&old, &view).unwrap(), ViewState::Intact);
    }
    let found = store.action(&Digest::of(KEY)).unwrap();
    assert!(found.is_some() || !ended);
    if let Some(manifest) = found {
        let other = folder.path().join("other");
        store.materialise(&manifest, &other).unwrap();
        assert_eq!(content_of(&other), text(&after), "after {steps} steps");
        assert_eq!(manifest.values["rows"], 3);
    }
    assert_eq!(store.verify(|_, _| {}).unwrap().findings, [], "after {steps} steps");

    // And can do the whole again, after which nothing of the crash is left.
    let manifest = run(&store, &view, &after).unwrap();
    assert_eq!(content_of(&view), text(&after));
    assert_eq!(store.view_state(&manifest, &view).unwrap(), ViewState::Intact);
    let session = store.session().unwrap();
    let working = crate::disk::entries(&root.join("tmp")).unwrap();
    assert_eq!(working, [session.folder().to_owned(), session.folder().with_extension("lock")], "after {steps} steps");
    let beside = crate::disk::entries(folder.path()).unwrap();
    assert!(beside.iter().all(|path| ["store", "view", "other"].iter().any(|name| path.ends_with(name))), "{beside:?}");
    ended
}

#[test]
fn a_crash_at_any_step_leaves_the_whole_or_nothing() {
    let needed = (0..).find(|steps| crash_after(*steps)).unwrap();
    assert!(needed > 30, "only {needed} steps were made to fail");
}

#[test]
fn a_crash_while_removing_leaves_what_is_alive() {
    for steps in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let (root, view) = (folder.path().join("store"), folder.path().join("view"));
        let store = LocalStore::new(&root, options());
        let dead = run(&store, &view, &[("a", "dead"), ("b", "shared content")]).unwrap();
        let alive = run(&store, &view, &[("a", "alive"), ("b", "shared content")]).unwrap();
        drop(store);

        let store = LocalStore::new(&root, options());
        let collect = || {
            let now = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1 << 33);
            let options = crate::GcOptions { now, keep: std::time::Duration::ZERO, dry_run: false };
            store.gc(&[alive.digest()].into(), &options)
        };
        LEFT.set(Some(steps));
        let ended = collect().is_ok();
        LEFT.set(None);
        // Another process looks: what it uses is kept only as long as it lives.
        let other = LocalStore::new(&root, options());
        assert_eq!(other.verify(|_, _| {}).unwrap().findings, []);
        other.materialise(&alive, &view).unwrap();
        assert_eq!(content_of(&view)[0].1, "alive");
        // A manifest goes before its blobs: one that is still there is whole.
        if let Some(manifest) = other.manifest(&dead.digest()).unwrap() {
            other.materialise(&manifest, &folder.path().join("other")).unwrap();
        }
        drop(other);
        collect().unwrap();
        assert_eq!(store.list().unwrap().iter().map(|listed| listed.digest).collect::<Vec<_>>(), [alive.digest()]);
        if ended {
            assert!(steps > 3);
            break;
        }
    }
}
