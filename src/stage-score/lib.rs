//! The score stage: a dataset through an ONNX model.
//!
//! Owns the way of rows through a model ([`score`]): read ahead, run in batches, written as predictions, counted. The
//! model runs on ONNX Runtime or on our own executor, as the argument `engine` says. Deliberately not here: what a model
//! computes (`onnx`), where ONNX Runtime is found (`onnx-ort`), and judgement of a model beyond accuracy
//! (`stage-evaluate`).

pub mod predictions;
pub mod score;
mod stage;
pub mod tally;

pub use stage::Score;
