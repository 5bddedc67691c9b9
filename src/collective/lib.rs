//! Ranks that compute together: rendezvous and all-reduce over TCP.
//!
//! Rank 0 listens; every other rank connects to it and says who it is. Sums are made in `f64` at rank 0 in the order of the ranks, so that
//! they do not depend on who was first. Gradients of the networks here are small (49 kB for the Inclusive Classifier), for which all-to-one
//! beats a ring; a ring for large ones belongs in this crate when a network needs it.
//!
//! Traffic is plain and meant for the loopback interface: [`Hub::listen`] binds there and nowhere else. Two ranks of different runs cannot
//! mix: the handshake carries a token of the run.

pub mod error;
pub mod frame;
pub mod group;

pub use error::CollectiveError;
pub use group::{Group, Hub};
