//! ONNX files and an executor of the operators that we emit.
//!
//! This crate owns the part of the ONNX format that pipectl writes and reads: the protobuf messages, a [`GraphBuilder`]
//! that writes models with deterministic bytes, the checked form of a graph ([`Graph`]), [`Feed`], which turns rows of
//! data into a model's inputs, and [`Session`], an executor in plain Rust. [`Scorer`] is the trait that our executor shares with ONNX Runtime.
//!
//! It deliberately does not know networks, layers or datasets (the export stage lowers those), it links no native
//! library (`pipectl-onnx-ort` does), and it never guesses: an operator, an attribute or an element type that it does
//! not implement is refused when the model is loaded, not when it runs.

mod builder;
mod feed;
mod graph;
mod kernels;
mod model;
mod operator;
mod proto;
mod scorer;
mod session;
mod tensor;

pub use builder::{Attribute, BuildError, GraphBuilder, Value};
pub use feed::{Feed, FeedError, FeedInput, Rows, length_name, mask_key};
pub use graph::{Graph, LoadError, Node, Unsupported, ValueId};
pub use kernels::KernelError;
pub use kernels::recurrent::Activation;
pub use model::{Model, ModelError, SUPPORTED_OPSETS};
pub use operator::{Arithmetic, Comparison, Operator, Reduction};
pub use scorer::{Dimension, ScoreError, Scorer, ValueSpec, check_inputs};
pub use session::Session;
pub use tensor::{ElementType, Tensor, TensorData, TensorError};
