//! Training of declared networks on burn, with recurrent kernels of our own.
//!
//! A [`Learner`] holds a network's parameters. It computes the gradient of a [`Batch`] as a sum over rows, which workers add
//! up among themselves, and makes optimiser steps along it. Everything is deterministic: first weights and dropout masks
//! are functions of the seed, and sums do not depend on the number of threads.
//!
//! This is the only crate that names burn, and no type of burn's is in its public interface. What it deliberately does not
//! do: read datasets, run epochs and schedules, talk to other workers. That is `stage-train`'s.

#![deny(unsafe_code)]

mod batch;
mod checkpoint;
mod dropout;
mod error;
mod graph;
mod initialize;
mod kernel;
mod learner;
mod optimizer;
mod recurrent;

pub use batch::{BLOCK_ROWS, Batch, Evaluation, GradientSum, order_by_length};
pub use error::{CheckpointError, LearnError};
pub use initialize::initial_weights;
pub use learner::Learner;
pub use optimizer::Optimizer;
