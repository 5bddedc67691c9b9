//! The `train` stage: a dataset and a `model` block in, weights out.
//!
//! Every rank walks the same batches: the rows of an epoch are shuffled by the seed, cut into global batches, and each rank takes whole blocks
//! of a batch ([`plan`]). Gradient sums are added over ranks before the optimiser steps, so ranks hold the same weights at every step and the
//! result does not depend on how many there are. Checkpoints ([`checkpoint`]) hold everything that the next step needs, so a killed run goes on
//! where it was. The numbers themselves are `train-burn`'s business.

pub mod arguments;
pub mod checkpoint;
pub mod data;
pub mod plan;
pub mod run;
pub mod stage;

pub use stage::Train;
