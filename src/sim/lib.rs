//! A simulated cloud: the test bed of whatever drives resources.
//!
//! A [`World`] holds networks and instances, answers after a seeded delay, and fails as told by a script or by seeded chance: before a call
//! has its effect, after it, or with the effect made and the answer lost. Reads may lag behind. Everything can be inspected: what exists,
//! which calls were made, how many at once. Chance depends on the seed and on the call (its operation, object and number), never on the
//! order in which tasks happen to run, so that a failing run can be repeated.
//!
//! A world may be kept in a file ([`World::kept_in`]), so that it outlives the process that works on it. What it deliberately leaves out:
//! networks. Nothing here is real.

mod context;
mod draw;
mod fault;
mod journal;
mod kind;
mod resource;
mod world;

pub use context::context;
pub use fault::{Fault, Operation, Rates};
pub use kind::{INSTANCE, NETWORK};
pub use world::{Call, Object, Settings, World};
