//! What was made, remembered: the state model, its numbered log, locks, and the stores on a local disk and in object stores.
//!
//! A state on disk is one folder, `.pipectl/<pipeline>/<workspace>/`:
//!
//! | file | holds |
//! |---|---|
//! | `log` | a header, then one frame for each record: serial, changes |
//! | `snapshot-<serial>.json` | the whole state after that record; the log's header names the one it goes on from |
//! | `lock` | locked by the operating system while a writer lives; who holds it, as JSON |
//!
//! A record is committed when its frame is on disk. Readers take no lock and change nothing; only the holder of the lock cuts off a frame that a
//! crash left incomplete. Damage anywhere else is an error that names the file and the byte, never a guess. In an object store ([`RemoteStore`])
//! each record is an object, and the lock is a lease.
//!
//! Records, snapshots and plan files may be encrypted ([`Encryption`]); headers are not, so that a state can be told from another without its key.
//! Attributes are JSON here: this crate knows no schemas and no values of the language. It speaks to no network: [`ObjectStore`] is what a
//! backend implements.

mod backend;
mod change;
mod clock;
pub mod conformance;
mod difference;
mod disk;
mod encryption;
mod error;
mod frame;
mod local;
mod lock;
mod log;
mod memory;
mod model;
mod objects;
mod remote;
mod secret;
pub mod simulation;
mod snapshot;
mod store;
pub mod terraform;

pub use backend::{Backend, BackendKind, StateOfTerraform};
pub use change::{Change, Record};
pub use clock::{Clock, MonotonicClock};
pub use difference::changes_between;
pub use disk::{Disk, LocalDisk, LogFile};
pub use encryption::{Cost, Encryption, EncryptionError, Passphrase};
pub use error::StateError;
pub use local::{LocalStore, LocalWriter};
pub use lock::Holder;
pub use memory::MemoryStore;
pub use model::{
    AttributePath, IntentState, ObjectState, Operation, OutputState, PathStep, ResourceState, State, StoredSecret,
};
pub use objects::{Object, ObjectError, ObjectStore, Put, Tag};
pub use remote::{LeaseSeen, RemoteOptions, RemoteStore, RemoteWriter};
pub use secret::{SecretMac, SecretMacs, StateKey};
pub use store::{StateStore, StateWriter};
pub use terraform::TerraformRest;

/// Version of the files' format that this program writes, and the newest that it reads.
///
/// | version | |
/// |---|---|
/// | 1 | as it began |
/// | 2 | records and snapshots may be encrypted; keys of fingerprints; what is kept of a state of Terraform |
pub const FORMAT: u32 = 2;
