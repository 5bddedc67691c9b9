//! Object stores, as far as a state needs one: S3, Ceph, OCI Object Storage, or memory.

use std::fmt;
use std::time::Duration;

/// A place in an object store that belongs to one state. Calls block; a backend whose client is asynchronous waits for it.
///
/// What a store must promise (Amazon S3, Ceph RGW, SeaweedFS and OCI Object Storage do):
///
/// * An object is there whole or not at all, and once a write was answered every [`get`](Self::get) sees it.
/// * [`put_if_absent`](Self::put_if_absent) of the same key by several: exactly one succeeds. S3: `If-None-Match: *`.
/// * [`put_if_match`](Self::put_if_match) succeeds only on the very object that the tag was given for. S3: `If-Match` with the ETag (for Ceph
///   without its quotes).
///
/// Nothing else is relied on. Listings may be stale, deletes need no conditions (Ceph ignores them), clocks may be wrong, answers may be lost,
/// and requests may arrive twice or late.
///
/// A backend repeats nothing by itself that changes something: the state's store does, and knows its own writes again.
pub trait ObjectStore: fmt::Debug + Send + Sync {
    /// What people call the place: `s3://bucket/prefix`. For messages.
    fn name(&self) -> String;

    /// Reads an object; `None` where there is none.
    ///
    /// # Errors
    /// When the store refuses or does not answer, here and below.
    fn get(&self, key: &str) -> Result<Option<Object>, ObjectError>;

    /// Reads several objects. A backend does that at the same time; each answer stands for its key alone.
    fn get_many(&self, keys: &[String]) -> Vec<Result<Option<Object>, ObjectError>> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    /// Makes an object where there is none.
    ///
    /// # Errors
    /// When the store refuses or does not answer.
    fn put_if_absent(&self, key: &str, bytes: &[u8]) -> Result<Put, ObjectError>;

    /// Replaces an object that is still the one with this tag.
    ///
    /// # Errors
    /// When the store refuses or does not answer.
    fn put_if_match(&self, key: &str, bytes: &[u8], tag: &Tag) -> Result<Put, ObjectError>;

    /// The keys that begin with `prefix`; new ones may still be missing, and deleted ones still be there.
    ///
    /// # Errors
    /// When the store refuses or does not answer.
    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError>;

    /// Removes an object; one that is not there is removed already.
    ///
    /// # Errors
    /// When the store refuses or does not answer.
    fn delete(&self, key: &str) -> Result<(), ObjectError>;
}

/// What tells one version of an object from another: an ETag, as the store gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(pub String);

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// What it holds.
    pub bytes: Vec<u8>,
    /// Which version it is.
    pub tag: Tag,
    /// How long ago it was written, by the clock of the store alone (S3: `Date` less `Last-Modified`); `None` where the store does not say.
    pub age: Option<Duration>,
}

/// How a conditional write ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// It was made; the new version.
    Done(Tag),
    /// The condition does not hold (412). The store may say so of a write whose first answer was lost.
    Refused,
}

/// A call to an object store failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// No answer, or one that says to try again: the call may have been carried out, or be carried out later.
    #[error("{0}")]
    Uncertain(String),
    /// An answer that will not change by trying again, for example 403. Nothing was done.
    #[error("{0}")]
    Refused(String),
}

impl ObjectError {
    /// Whether the call may have been carried out.
    pub fn is_uncertain(&self) -> bool {
        matches!(self, ObjectError::Uncertain(_))
    }
}
