//! The export stage: weights to a checked ONNX file.
//!
//! Owns the translation of a network into ONNX ([`lower`]) and the proof that it is right: an independent executor must
//! agree with the trained network on real rows ([`check`]), or the stage fails with the numbers. ONNX Runtime checks when
//! it is found, our own executor always does. Deliberately not here: the ONNX format and operators (`onnx`), the search
//! for ONNX Runtime (`onnx-ort`), scoring of whole datasets (`stage-score`).

pub mod check;
mod export;
mod lower;
mod sequence;
mod stage;

pub use lower::{LowerError, lower};
pub use sequence::SequenceError;
pub use stage::Export;
