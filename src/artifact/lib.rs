//! The artifact store: blobs by digest, manifests, the action cache, readable views, and the stat cache of source files.
//!
//! A store folder holds
//!
//! ```text
//! blobs/<2 hex>/<64 hex>     content under its SHA-256, read-only
//! manifests/<64 hex>.json    canonical JSON under its own digest
//! actions/<64 hex>           key -> digest of the manifest that running it made
//! damaged/                   what did not hold what its name says: set aside, removed by `gc`
//! tmp/<run>/, tmp/<run>.lock working files of a process; stale when nobody holds the lock
//! stat-cache                 digests of files by size, time and inode
//! lock                       held shared while adding, exclusively while removing
//! ```
//!
//! Everything is written beside its place, synchronised, and renamed: blobs first, then the manifest, then the action. So a crash at any
//! point leaves whole things or none, and at worst working files that nobody refers to. Several processes may use a store at once.
//!
//! What this crate deliberately leaves out: what a key is (`stage`), which manifests a state refers to (the caller of
//! [`LocalStore::gc`] says so), and how objects that several machines share ([`SharedStore`]) come to where they are.

mod collect;
#[cfg(test)]
mod crash;
mod disk;
mod inspect;
mod places;
mod session;
mod shared;
mod stamp;
mod stat_cache;
mod store;
mod view;
mod walk;

pub use collect::{Collected, GcOptions};
pub use inspect::{Finding, Listed, Verified};
pub use shared::SharedStore;
pub use store::{LocalStore, Options};
