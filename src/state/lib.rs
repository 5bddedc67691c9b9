//! What was made, remembered: the state model, its numbered log, the lock, and the store on a local disk.
//!
//! A state is one folder, `.pipectl/<pipeline>/<workspace>/`:
//!
//! | file | holds |
//! |---|---|
//! | `log` | a header, then one frame for each record: serial, changes |
//! | `snapshot-<serial>.json` | the whole state after that record; the log's header names the one it goes on from |
//! | `lock` | locked by the operating system while a writer lives; who holds it, as JSON |
//!
//! A record is committed when its frame is on disk. Readers take no lock and change nothing; only the holder of the lock cuts off a frame that a
//! crash left incomplete. Damage anywhere else is an error that names the file and the byte, never a guess. Attributes are JSON here:
//! this crate knows no schemas and no values of the language.

mod change;
mod error;
mod frame;
mod local;
mod lock;
mod log;
mod memory;
mod model;
mod snapshot;
mod store;

pub use change::{Change, Record};
pub use error::StateError;
pub use local::{LocalStore, LocalWriter};
pub use lock::Holder;
pub use memory::MemoryStore;
pub use model::{AttributePath, IntentState, ObjectState, Operation, OutputState, PathStep, ResourceState, State};
pub use store::{StateStore, StateWriter};

/// Version of the files' format that this program writes, and the newest that it reads.
pub const FORMAT: u32 = 1;
