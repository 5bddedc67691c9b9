//! Buckets and what is in them: Object Storage.
//!
//! API: https://docs.oracle.com/en-us/iaas/api/#/en/objectstorage/20160918/. Things are named, and not numbered: an id is a path. What was answered
//! has been done.

mod bucket;
mod namespace;
mod object;
mod path;
mod upload;

pub(crate) use bucket::Bucket;
pub(crate) use namespace::NamespaceData;
pub(crate) use object::Object;
pub(crate) use upload::ROOM;
