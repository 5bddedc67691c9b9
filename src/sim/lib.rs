//! A simulated cloud: the test bed of whatever drives resources.
//!
//! A [`World`] holds networks, instances and clusters, answers after a seeded delay, and fails as told by a script or by seeded chance: before a call
//! has its effect, after it, or with the effect made and the answer lost. Reads may lag behind. Everything can be inspected: what exists,
//! which calls were made, how many at once. Chance depends on the seed and on the call (its operation, object and number), never on the
//! order in which tasks happen to run, so that a failing run can be repeated.
//!
//! The provider is configured for a place: a region, or a cluster of this same world by its endpoint and token. What is in one place cannot be
//! seen from another, and a cluster goes only when nothing lives in it.
//!
//! A world may be kept in a file ([`World::kept_in`]), so that it outlives the process that works on it. What it deliberately leaves out:
//! networks. Nothing here is real.
//!
//! Beside it stand the [`steps`] that the engine takes with a kind, for tests of whatever provider.

mod context;
mod draw;
mod fault;
mod journal;
mod kind;
mod provider;
mod resource;
pub mod steps;
mod world;

pub use context::context;
pub use fault::{Fault, Operation, Rates};
pub use kind::{CLUSTER, INSTANCE, NETWORK, TOKEN};
pub use provider::SimProvider;
pub use world::{Call, Object, Settings, World};
