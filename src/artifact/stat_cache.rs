//! Digests of files that need not be read again: by path, with the size, time and inode that the file had.
//!
//! The cache is a file of the store: a line `pipectl-stat-cache 1 <digest of the rest>`, then one JSON object a line. A file that is not as
//! it says is dropped and rebuilt: it only ever saves time. Processes merge what they learned under a lock.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pipectl_core::Digest;
use pipectl_core::digest::Hasher;
use serde::{Deserialize, Serialize};

use crate::disk::{self, Result, failed};
use crate::stamp::{Moment, Stamp};

const HEADER: &str = "pipectl-stat-cache 1 ";

/// How much may be lost when the process is killed.
const SAVE_EVERY: Duration = Duration::from_secs(2);

/// How often a file that changes under our eyes is read again.
const READ_AGAIN: u32 = 3;

/// What is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// The file then.
    pub(crate) stamp: Stamp,
    /// When reading it began, by its file system's clock: nanoseconds since 1970.
    pub(crate) read_at: i64,
    /// Its content.
    pub(crate) digest: Digest,
}

impl Known {
    /// Whether every later change shows in the stamp.
    fn is_settled(&self) -> bool {
        self.stamp.mtime < self.read_at
    }
}

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    path: std::borrow::Cow<'a, str>,
    #[serde(flatten)]
    stamp: Stamp,
    read_at: i64,
    digest: Digest,
}

/// The stat cache of a store.
pub(crate) struct StatCache {
    path: PathBuf,
    state: Mutex<State>,
    read: Condvar,
}

struct State {
    known: BTreeMap<String, Known>,
    /// What is not saved yet; `None`: forgotten.
    unsaved: BTreeMap<String, Option<Known>>,
    /// Paths that a thread is reading.
    reading: BTreeSet<String>,
    saved: Instant,
}

impl StatCache {
    /// The cache kept at `path`. Without `trust`, only what this process reads itself counts.
    pub(crate) fn open(path: PathBuf, trust: bool) -> Self {
        let known = if trust { load(&path) } else { BTreeMap::new() };
        let state = State { known, unsaved: BTreeMap::new(), reading: BTreeSet::new(), saved: Instant::now() };
        Self { path, state: Mutex::new(state), read: Condvar::new() }
    }

    /// Digest of a file, read only if it may have changed since it was last read. `now` tells the time of the store's file system.
    pub(crate) fn digest(&self, path: &Path, now: &dyn Fn() -> Moment) -> Result<Digest> {
        // A path that is not text has no place in the cache.
        let Some(name) = path.to_str() else { return read_stable(path, now).map(|known| known.digest) };
        let stamp = Stamp::of(&fs::metadata(path).map_err(failed("read", path))?);
        let mut state = self.state();
        loop {
            if let Some(known) = state.known.get(name).filter(|known| known.stamp == stamp && known.is_settled()) {
                return Ok(known.digest);
            }
            if state.reading.insert(name.to_owned()) {
                break;
            }
            // Another thread reads it: one reading serves both.
            state = self.read.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        let result = read_stable(path, now);
        let mut state = self.state();
        state.reading.remove(name);
        self.read.notify_all();
        let known = result?;
        state.put(name, Some(known));
        Ok(known.digest)
    }

    /// What is known of a file as it is now.
    pub(crate) fn known(&self, path: &Path) -> Option<Known> {
        let stamp = Stamp::of(&fs::metadata(path).ok()?);
        self.state().known.get(path.to_str()?).copied().filter(|known| known.stamp == stamp)
    }

    /// Takes in what is known of a file without reading it.
    pub(crate) fn put(&self, path: &Path, known: Known) {
        if let Some(name) = path.to_str() {
            self.state().put(name, Some(known));
        }
    }

    /// Forgets a file that is gone.
    pub(crate) fn forget(&self, path: &Path) {
        if let Some(name) = path.to_str() {
            self.state().put(name, None);
        }
    }

    /// Saves if the last time is a while ago.
    pub(crate) fn save_sometimes(&self) {
        if self.state().saved.elapsed() >= SAVE_EVERY {
            // The cache only saves time: what cannot be saved is computed again.
            let _ = self.save();
        }
    }

    /// Merges what this process learned into the file.
    pub(crate) fn save(&self) -> Result<()> {
        let mut state = self.state();
        if state.unsaved.is_empty() {
            return Ok(());
        }
        self.merge(&state.unsaved, |_| true)?;
        state.unsaved.clear();
        state.saved = Instant::now();
        Ok(())
    }

    /// Drops entries of files that are gone.
    pub(crate) fn prune(&self) -> Result<()> {
        self.state().known.retain(|name, _| Path::new(name).exists());
        self.merge(&BTreeMap::new(), |name| Path::new(name).exists())
    }

    fn merge(&self, changes: &BTreeMap<String, Option<Known>>, keep: impl Fn(&str) -> bool) -> Result<()> {
        if let Some(folder) = self.path.parent() {
            disk::create_folder(folder)?;
        }
        let _lock = disk::lock(&self.path.with_extension("lock"), true)?;
        let mut known = load(&self.path);
        known.retain(|name, _| keep(name));
        for (name, change) in changes {
            match change {
                Some(change) => known.insert(name.clone(), *change),
                None => known.remove(name),
            };
        }
        // One writer at a time: the name of the new file need not be unique, and a left-over one is overwritten.
        let beside = self.path.with_extension("new");
        fs::write(&beside, render(&known)).map_err(failed("write", &beside))?;
        disk::rename(&beside, &self.path)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn put(&mut self, name: &str, known: Option<Known>) {
        match known {
            Some(known) => self.known.insert(name.to_owned(), known),
            None => self.known.remove(name),
        };
        self.unsaved.insert(name.to_owned(), known);
    }
}

/// Reads a file to its end such that it was one and the same from beginning to end.
fn read_stable(path: &Path, now: &dyn Fn() -> Moment) -> Result<Known> {
    let read = || -> io::Result<Known> {
        for _ in 0..READ_AGAIN {
            let moment = now();
            let mut file = File::open(path)?;
            let before = file.metadata()?;
            let digest = digest_of(&mut file)?;
            let stamp = Stamp::of(&before);
            if Stamp::of(&file.metadata()?) == stamp {
                return Ok(Known { stamp, read_at: moment.on_device_of(&before), digest });
            }
        }
        Err(io::Error::other("it changes while it is read"))
    };
    read().map_err(failed("read", path))
}

fn digest_of(file: &mut File) -> io::Result<Digest> {
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 1 << 17];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn load(path: &Path) -> BTreeMap<String, Known> {
    // Not readable, not of this version, not whole: all the same, it is rebuilt.
    fs::read_to_string(path).ok().and_then(|text| parse(&text)).unwrap_or_default()
}

fn parse(text: &str) -> Option<BTreeMap<String, Known>> {
    let (digest, body) = text.strip_prefix(HEADER)?.split_once('\n')?;
    if digest.parse::<Digest>().ok()? != Digest::of(body.as_bytes()) {
        return None;
    }
    let read = |line: &str| {
        let Line { path, stamp, read_at, digest } = serde_json::from_str(line).ok()?;
        Some((path.into_owned(), Known { stamp, read_at, digest }))
    };
    body.lines().map(read).collect()
}

fn render(known: &BTreeMap<String, Known>) -> String {
    let mut body = String::new();
    for (path, known) in known {
        let line = Line { path: path.into(), stamp: known.stamp, read_at: known.read_at, digest: known.digest };
        body += &serde_json::to_string(&line).expect("a line is plain data");
        body.push('\n');
    }
    format!("{HEADER}{}\n{body}", Digest::of(body.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    fn at(nanoseconds: i64, device: u64) -> impl Fn() -> Moment {
        move || Moment { nanoseconds, device }
    }

    /// Writes in place, with the same length and the same time: what only reading again can find.
    fn change_unseen(path: &Path, content: &str) {
        let file = File::options().write(true).open(path).unwrap();
        let time = file.metadata().unwrap().modified().unwrap();
        io::Write::write_all(&mut &file, content.as_bytes()).unwrap();
        file.set_modified(time).unwrap();
    }

    #[test]
    fn a_racily_clean_file_is_read_again_and_a_settled_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        fs::write(&path, "one").unwrap();
        let metadata = fs::metadata(&path).unwrap();
        let mtime = Stamp::of(&metadata).mtime;
        let cases = [
            // Read in the tick in which it was written: a change in that tick would not show.
            (mtime, metadata.dev(), "two"),
            (mtime - 1, metadata.dev(), "two"),
            // Read later: a change would show, so a change that hides itself wins.
            (mtime + 1, metadata.dev(), "one"),
            // The clock of another file system is only trusted to two seconds.
            (mtime + 1, metadata.dev() + 1, "two"),
            (mtime + 2_000_000_001, metadata.dev() + 1, "one"),
            (Moment::UNKNOWN.nanoseconds, 0, "two"),
        ];
        for (moment, device, expected) in cases {
            change_unseen(&path, "one");
            let cache = StatCache::open(folder.path().join("cache"), true);
            assert_eq!(cache.digest(&path, &at(moment, device)).unwrap(), Digest::of(b"one"));
            change_unseen(&path, "two");
            let digest = cache.digest(&path, &at(moment, device)).unwrap();
            assert_eq!(digest, Digest::of(expected.as_bytes()), "read at {moment} on {device}");
        }
    }

    #[test]
    fn a_change_of_size_time_or_inode_shows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        fs::write(&path, "one").unwrap();
        let metadata = fs::metadata(&path).unwrap();
        let later = at(i64::MAX, metadata.dev());
        let cache = StatCache::open(folder.path().join("cache"), true);
        assert_eq!(cache.digest(&path, &later).unwrap(), Digest::of(b"one"));

        let keep_time = |content: &str, path: &Path| {
            fs::write(path, content).unwrap();
            File::options().write(true).open(path).unwrap().set_modified(metadata.modified().unwrap()).unwrap();
        };
        keep_time("three", &path);
        assert_eq!(cache.digest(&path, &later).unwrap(), Digest::of(b"three"));

        fs::write(&path, "seven").unwrap();
        assert_eq!(cache.digest(&path, &later).unwrap(), Digest::of(b"seven"));

        let other = folder.path().join("other");
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&other, "eight").unwrap();
        File::options().write(true).open(&other).unwrap().set_modified(before).unwrap();
        fs::rename(&other, &path).unwrap();
        assert_eq!(cache.digest(&path, &later).unwrap(), Digest::of(b"eight"));
    }

    #[test]
    fn processes_merge_and_what_is_damaged_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cache");
        let paths = ["a", "b"].map(|name| folder.path().join(name));
        let caches = [StatCache::open(file.clone(), true), StatCache::open(file.clone(), true)];
        for (cache, path) in caches.iter().zip(&paths) {
            fs::write(path, path.to_str().unwrap()).unwrap();
            cache.digest(path, &at(i64::MAX, fs::metadata(path).unwrap().dev())).unwrap();
        }
        caches[0].save().unwrap();
        caches[1].save().unwrap();
        let names = |known: BTreeMap<String, Known>| known.into_keys().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(names(load(&file)), paths);

        fs::remove_file(&paths[0]).unwrap();
        caches[1].prune().unwrap();
        assert_eq!(names(load(&file)), paths[1..]);

        let text = fs::read_to_string(&file).unwrap();
        for damaged in [
            text[..text.len() - 3].to_owned(),
            text.replace("\"size\":", "\"size\":1"),
            String::new(),
            text.replace(" 1 ", " 2 "),
        ] {
            fs::write(&file, damaged).unwrap();
            assert!(load(&file).is_empty());
        }
        let cache = StatCache::open(file.clone(), true);
        cache.digest(&paths[1], &at(i64::MAX, 0)).unwrap();
        cache.save().unwrap();
        assert_eq!(names(load(&file)), paths[1..]);
    }

    /// The form of version 1, for ever.
    #[test]
    fn version_1_is_read_and_written_as_it_was() {
        let golden = include_str!("tests/golden/stat-cache-1");
        let known = parse(golden).expect("version 1");
        assert_eq!(known.len(), 2);
        assert_eq!(
            known["/data/train-0.parquet"].stamp,
            Stamp { size: 4096, mtime: 1_700_000_000_123_456_789, inode: 42 }
        );
        assert_eq!(render(&known), golden);
    }
}
