//! The model declaration: inputs, layers, shapes, parameters, weights.
//!
//! A [`Network`] is what a `model` block says, checked: references resolved, layers in topological order, the shape of
//! every node known. Layer semantics, parameter names and layouts are Keras', so that weights go to and from Keras without
//! a change. [`Weights`] are a network's parameters with values, kept in one safetensors file beside the declaration.
//!
//! What this crate deliberately does not do: compute. Training is `train-burn`, scoring is `onnx`.

mod attributes;
mod declaration;
mod error;
mod file;
mod parameter;
mod parse;
mod shape;
mod weights;

pub use declaration::{Activation, Input, Layer, LayerKind, Network, NodeRef};
pub use error::{NetworkError, WeightsError};
pub use file::write_whole;
pub use parameter::{Initializer, ParameterSpec};
pub use weights::{Tensor, Weights};
