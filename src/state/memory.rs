//! A store in memory: for tests of what writes states.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{Change, Holder, Record, State, StateError, StateStore, StateWriter};

/// A state in memory. Clones share it.
///
/// It can be told to fail after a number of commits, as a disk that fills up, or a process that is killed, does.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    state: State,
    holder: Option<Holder>,
    commits_left: Option<usize>,
    commits: usize,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A store that holds a state already.
    pub fn holding(state: State) -> Self {
        let store = Self::new();
        store.inner().state = state;
        store
    }

    /// Lets only this many more commits through; `None`: all.
    pub fn limit_commits(&self, limit: Option<usize>) {
        self.inner().commits_left = limit;
    }

    /// How many commits there were.
    pub fn commits(&self) -> usize {
        self.inner().commits
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for MemoryStore {
    fn read(&self) -> Result<Option<State>, StateError> {
        let inner = self.inner();
        Ok((!inner.state.lineage.is_empty()).then(|| inner.state.clone()))
    }

    fn lock(&self, holder: &Holder, timeout: Duration) -> Result<Box<dyn StateWriter>, StateError> {
        let start = Instant::now();
        loop {
            let mut inner = self.inner();
            let Some(other) = inner.holder.clone() else {
                inner.holder = Some(holder.clone());
                return Ok(Box::new(MemoryWriter { store: self.clone(), state: inner.state.clone() }));
            };
            drop(inner);
            if start.elapsed() >= timeout {
                return Err(StateError::Locked { path: "memory".into(), holder: Some(Box::new(other)), lease: None });
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

struct MemoryWriter {
    store: MemoryStore,
    state: State,
}

impl StateWriter for MemoryWriter {
    fn state(&self) -> &State {
        &self.state
    }

    fn begin(&mut self, lineage: &str, root: &str) -> Result<(), StateError> {
        self.state.lineage = lineage.to_owned();
        self.state.root = root.to_owned();
        self.store.inner().state = self.state.clone();
        Ok(())
    }

    fn commit(&mut self, changes: Vec<Change>) -> Result<(), StateError> {
        let mut inner = self.store.inner();
        if let Some(left) = &mut inner.commits_left {
            *left = left.checked_sub(1).ok_or_else(|| StateError::Lost("the store was told to fail".to_owned()))?;
        }
        let record = Record { serial: self.state.serial + 1, changes };
        inner.commits += 1;
        inner.state.take(record.clone());
        self.state.take(record);
        Ok(())
    }

    fn remove(&mut self) -> Result<(), StateError> {
        self.store.inner().state = State::default();
        Ok(())
    }
}

impl Drop for MemoryWriter {
    fn drop(&mut self) {
        self.store.inner().holder = None;
    }
}
