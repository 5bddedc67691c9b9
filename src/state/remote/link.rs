//! Calls to an object store that are repeated until they have an answer, and that know their own writes again.
//!
//! A write whose answer was lost is repeated with the same bytes. The store then refuses it, because the first one was made; the object is read,
//! and holds these bytes: it is ours. All bytes that are written here hold a token of their writer, so nobody else has written the same.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::{Object, ObjectError, ObjectStore, Put, StateError, Tag};

/// The first pause between two attempts; each pause is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// An object store, and how long to wait for it.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) patience: Duration,
}

/// How a conditional write ended, after all.
pub(crate) enum Written {
    /// The object is what was written here.
    Ours(Tag),
    /// It is something else.
    Theirs(Object),
    /// There is none.
    Missing,
}

impl Link {
    /// The same, waiting no longer than this.
    pub(crate) fn patient_for(&self, patience: Duration) -> Self {
        Self { patience, ..self.clone() }
    }

    /// An object's name, for messages.
    pub(crate) fn path(&self, key: &str) -> PathBuf {
        PathBuf::from(self.name(key))
    }

    fn name(&self, key: &str) -> String {
        format!("{}/{key}", self.objects.name())
    }

    pub(crate) fn get(&self, key: &str) -> Result<Option<Object>, StateError> {
        self.repeat("read", key, || self.objects.get(key))
    }

    pub(crate) fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Object>>, StateError> {
        let answers = self.objects.get_many(keys);
        let each = keys.iter().zip(answers).map(|(key, answer)| match answer {
            Ok(object) => Ok(object),
            Err(_) => self.get(key),
        });
        each.collect()
    }

    pub(crate) fn list(&self, prefix: &str) -> Result<Vec<String>, StateError> {
        self.repeat("list", prefix, || self.objects.list(prefix))
    }

    pub(crate) fn delete(&self, key: &str) -> Result<(), StateError> {
        self.repeat("delete", key, || self.objects.delete(key))
    }

    /// Makes an object where there is none.
    pub(crate) fn create(&self, key: &str, bytes: &[u8]) -> Result<Written, StateError> {
        self.write(key, bytes, || self.objects.put_if_absent(key, bytes))
    }

    /// Replaces the object with this tag.
    pub(crate) fn replace(&self, key: &str, bytes: &[u8], tag: &Tag) -> Result<Written, StateError> {
        self.write(key, bytes, || self.objects.put_if_match(key, bytes, tag))
    }

    fn write(
        &self,
        key: &str,
        bytes: &[u8],
        put: impl Fn() -> Result<Put, ObjectError>,
    ) -> Result<Written, StateError> {
        if let Put::Done(tag) = self.repeat("write", key, put)? {
            return Ok(Written::Ours(tag));
        }
        Ok(match self.get(key)? {
            Some(object) if object.bytes == bytes => Written::Ours(object.tag),
            Some(object) => Written::Theirs(object),
            None => Written::Missing,
        })
    }

    /// Calls until there is an answer, or for as long as it takes to lose patience.
    fn repeat<T>(
        &self,
        doing: &'static str,
        key: &str,
        call: impl Fn() -> Result<T, ObjectError>,
    ) -> Result<T, StateError> {
        let start = self.clock.now();
        let mut pause = FIRST_PAUSE;
        let mut unanswered = None;
        loop {
            match call() {
                Ok(answer) => return Ok(answer),
                Err(error @ ObjectError::Refused(_)) => {
                    // An earlier attempt may have got through: then nobody knows.
                    let source = unanswered.unwrap_or(error);
                    return Err(StateError::Remote { doing, name: self.name(key), source });
                }
                Err(error @ ObjectError::Uncertain(_)) => {
                    if self.clock.now().saturating_sub(start) + pause > self.patience {
                        return Err(StateError::Remote { doing, name: self.name(key), source: error });
                    }
                    unanswered = Some(error);
                    self.clock.sleep(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }
}
