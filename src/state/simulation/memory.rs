//! An object store in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, MonotonicClock};
use crate::{Object, ObjectError, ObjectStore, Put, Tag};

/// An object store in memory, as good as a store can be: everything is seen at once. Clones share it.
#[derive(Clone, Debug)]
pub struct MemoryObjects {
    inner: Arc<Mutex<Inner>>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Default)]
struct Inner {
    objects: BTreeMap<String, Stored>,
    writes: u64,
    bytes_written: u64,
}

#[derive(Clone, Debug)]
struct Stored {
    bytes: Vec<u8>,
    tag: u64,
    written: Duration,
}

impl MemoryObjects {
    /// An empty store.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(MonotonicClock::new()))
    }

    /// An empty store with a clock of its own, by which it tells the age of objects.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { inner: Arc::default(), clock }
    }

    /// All keys, in order.
    pub fn keys(&self) -> Vec<String> {
        self.inner().objects.keys().cloned().collect()
    }

    /// What an object holds.
    pub fn bytes(&self, key: &str) -> Option<Vec<u8>> {
        self.inner().objects.get(key).map(|stored| stored.bytes.clone())
    }

    /// Puts an object in place, as somebody does who knows no rules.
    pub fn overwrite(&self, key: &str, bytes: Vec<u8>) {
        let written = self.clock.now();
        self.inner().put(key, bytes, written);
    }

    /// Removes an object, in the same way.
    pub fn remove(&self, key: &str) {
        self.inner().objects.remove(key);
    }

    /// How many writes there were, and of how many bytes together.
    pub fn written(&self) -> (u64, u64) {
        let inner = self.inner();
        (inner.writes, inner.bytes_written)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryObjects {
    fn default() -> Self {
        Self::new()
    }
}

impl Inner {
    fn put(&mut self, key: &str, bytes: Vec<u8>, written: Duration) -> Put {
        self.writes += 1;
        self.bytes_written += bytes.len() as u64;
        let tag = self.writes;
        self.objects.insert(key.to_owned(), Stored { bytes, tag, written });
        Put::Done(tag_of(tag))
    }
}

fn tag_of(number: u64) -> Tag {
    Tag(format!("\"{number}\""))
}

impl ObjectStore for MemoryObjects {
    fn name(&self) -> String {
        "memory".to_owned()
    }

    fn get(&self, key: &str) -> Result<Option<Object>, ObjectError> {
        let now = self.clock.now();
        Ok(self.inner().objects.get(key).map(|stored| Object {
            bytes: stored.bytes.clone(),
            tag: tag_of(stored.tag),
            age: Some(now.saturating_sub(stored.written)),
        }))
    }

    fn put_if_absent(&self, key: &str, bytes: &[u8]) -> Result<Put, ObjectError> {
        let now = self.clock.now();
        let mut inner = self.inner();
        if inner.objects.contains_key(key) {
            return Ok(Put::Refused);
        }
        Ok(inner.put(key, bytes.to_vec(), now))
    }

    fn put_if_match(&self, key: &str, bytes: &[u8], tag: &Tag) -> Result<Put, ObjectError> {
        let now = self.clock.now();
        let mut inner = self.inner();
        match inner.objects.get(key) {
            Some(stored) if tag_of(stored.tag) == *tag => Ok(inner.put(key, bytes.to_vec(), now)),
            Some(_) | None => Ok(Put::Refused),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        let inner = self.inner();
        let keys = inner.objects.range(prefix.to_owned()..).map(|(key, _)| key);
        Ok(keys.take_while(|key| key.starts_with(prefix)).cloned().collect())
    }

    fn delete(&self, key: &str) -> Result<(), ObjectError> {
        self.inner().objects.remove(key);
        Ok(())
    }
}
