//! The arithmetic of the operators, on whole tensors.
//!
//! Owns the dispatch from [`Operator`] to the kernels, the packing of constant weights ahead of a run, and the errors
//! that depend on shapes and values. Kernels read tensors and return new ones; none of them knows nodes or names.

pub(crate) mod elementwise;
pub(crate) mod function;
pub(crate) mod matrix;
pub(crate) mod recurrent;
pub(crate) mod reduce;
pub(crate) mod shape;

use thiserror::Error;

use crate::operator::Operator;
use crate::tensor::{ElementType, Tensor, element_count};

/// Why an operator refused its inputs. Inputs are counted from zero.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum KernelError {
    /// An input has elements of a type that the operator does not take.
    #[error("input {input} has elements of type {found}, which is not one of: {expected}")]
    ElementType {
        /// Which input.
        input: usize,
        /// Its type.
        found: ElementType,
        /// The types that the operator takes.
        expected: &'static str,
    },
    /// Two inputs that must have the same element type do not.
    #[error("inputs have elements of types {left} and {right}")]
    TypesDiffer {
        /// Type of an earlier input.
        left: ElementType,
        /// Type of a later input.
        right: ElementType,
    },
    /// An input has the wrong shape.
    #[error("input {input} has shape {found:?}, expected {expected}")]
    Shape {
        /// Which input.
        input: usize,
        /// Its shape.
        found: Vec<usize>,
        /// What it should be.
        expected: String,
    },
    /// Two shapes do not broadcast to one.
    #[error("shapes {left:?} and {right:?} do not broadcast")]
    Broadcast {
        /// Shape of the first input.
        left: Vec<usize>,
        /// Shape of the second input.
        right: Vec<usize>,
    },
    /// An axis lies outside the tensor.
    #[error("axis {axis} is outside a tensor of {rank} dimensions")]
    Axis {
        /// The axis as given.
        axis: i64,
        /// The number of dimensions.
        rank: usize,
    },
    /// A list of axes names one twice, or is no permutation.
    #[error("axes {axes:?} do not name each dimension once")]
    RepeatedAxis {
        /// The axes as given.
        axes: Vec<i64>,
    },
    /// A tensor cannot take the shape that is asked for.
    #[error("a tensor of shape {from:?} cannot be reshaped to {to:?}")]
    Reshape {
        /// The input's shape.
        from: Vec<usize>,
        /// The shape as given, zeros and -1 included.
        to: Vec<i64>,
    },
    /// An index lies outside its axis.
    #[error("index {index} is outside an axis of size {size}")]
    Index {
        /// The index as given.
        index: i64,
        /// The size of the axis.
        size: usize,
    },
    /// A sequence is longer than the input, or of negative length.
    #[error("the length of sequence {row} is {length}, outside 0 to {steps}")]
    SequenceLength {
        /// The row of the batch.
        row: usize,
        /// The length as given.
        length: i64,
        /// The number of steps in the input.
        steps: usize,
    },
    /// An integer is divided by zero, or overflows.
    #[error("integer division by zero or overflow")]
    Division,
    /// The largest of no elements does not exist.
    #[error("the maximum over an empty axis does not exist")]
    EmptyMaximum,
    /// The result does not fit into memory.
    #[error("a result of shape {shape:?} is too large")]
    TooLarge {
        /// The shape of the result.
        shape: Vec<usize>,
    },
}

/// Constant weights in the layout that a kernel reads.
#[derive(Debug)]
pub(crate) enum Prepared {
    /// The second input of Gemm or MatMul.
    Matrix(matrix::Packed),
    /// The weights of a GRU.
    Gru(recurrent::GruWeights),
    /// The weights of an LSTM.
    Lstm(recurrent::LstmWeights),
}

/// Packs the constant inputs of an operator. None when there is nothing to gain, some weight is not constant, or a
/// shape is wrong: the run then reports it.
pub(crate) fn prepare(operator: &Operator, inputs: &[Option<Option<&Tensor>>]) -> Option<Prepared> {
    // The outer Option says whether a value is known now, the inner one whether the input is there at all.
    let known = |index: usize| inputs.get(index).copied().unwrap_or(Some(None));
    match operator {
        Operator::Gemm { transpose_b, .. } => matrix::pack_right(known(1)??, *transpose_b).ok().map(Prepared::Matrix),
        Operator::MatMul => matrix::pack_right(known(1)??, false).ok().map(Prepared::Matrix),
        Operator::Gru { hidden_size, linear_before_reset, activations } => {
            let parts = recurrent::Parts { input: known(1)??, recurrent: known(2)??, bias: known(3)? };
            recurrent::GruWeights::new(parts, *hidden_size, *linear_before_reset, *activations).ok().map(Prepared::Gru)
        }
        Operator::Lstm { hidden_size, activations } => {
            let parts = recurrent::Parts { input: known(1)??, recurrent: known(2)??, bias: known(3)? };
            recurrent::LstmWeights::new(parts, *hidden_size, *activations).ok().map(Prepared::Lstm)
        }
        _ => None,
    }
}

/// Runs one operator. `wanted` says which outputs the graph uses; the result holds a tensor for each of those.
pub(crate) fn execute(
    operator: &Operator,
    inputs: &[Option<&Tensor>],
    prepared: Option<&Prepared>,
    wanted: &[bool],
    threads: usize,
) -> Result<Vec<Option<Tensor>>, KernelError> {
    let optional = |index: usize| inputs.get(index).copied().flatten();
    let required = |index: usize| optional(index).expect("the graph check saw that required inputs are present");
    let one = |tensor: Tensor| vec![Some(tensor)];
    Ok(match operator {
        Operator::Abs => one(elementwise::absolute(required(0))?),
        Operator::Arithmetic(operation) => one(elementwise::arithmetic(*operation, required(0), required(1))?),
        Operator::Cast { to } => one(elementwise::cast(required(0), *to)),
        Operator::Compare(comparison) => one(elementwise::compare(*comparison, required(0), required(1))?),
        Operator::Concat { axis } => {
            let parts: Vec<&Tensor> = (0..inputs.len()).map(required).collect();
            one(shape::concat(&parts, *axis)?)
        }
        Operator::Constant(tensor) => one(tensor.clone()),
        Operator::Flatten { axis } => one(shape::flatten(required(0), *axis)?),
        Operator::Gather { axis } => one(shape::gather(required(0), required(1), *axis)?),
        Operator::Gemm { alpha, beta, transpose_a, transpose_b } => {
            let settings = matrix::GemmSettings {
                alpha: *alpha,
                beta: *beta,
                transpose_a: *transpose_a,
                transpose_b: *transpose_b,
            };
            let packed = match prepared {
                Some(Prepared::Matrix(packed)) => Some(packed),
                Some(Prepared::Gru(_) | Prepared::Lstm(_)) | None => None,
            };
            one(matrix::gemm(required(0), required(1), optional(2), settings, packed, threads)?)
        }
        Operator::Gru { hidden_size, linear_before_reset, activations } => {
            let made;
            let weights = match prepared {
                Some(Prepared::Gru(weights)) => weights,
                Some(Prepared::Matrix(_) | Prepared::Lstm(_)) | None => {
                    let parts = recurrent::Parts { input: required(1), recurrent: required(2), bias: optional(3) };
                    made = recurrent::GruWeights::new(parts, *hidden_size, *linear_before_reset, *activations)?;
                    &made
                }
            };
            recurrent::gru(required(0), weights, optional(4), wanted, threads)?
        }
        Operator::Identity => one(required(0).clone()),
        Operator::Lstm { hidden_size, activations } => {
            let made;
            let weights = match prepared {
                Some(Prepared::Lstm(weights)) => weights,
                Some(Prepared::Matrix(_) | Prepared::Gru(_)) | None => {
                    let parts = recurrent::Parts { input: required(1), recurrent: required(2), bias: optional(3) };
                    made = recurrent::LstmWeights::new(parts, *hidden_size, *activations)?;
                    &made
                }
            };
            recurrent::lstm(required(0), weights, optional(4), wanted, threads)?
        }
        Operator::MatMul => {
            let packed = match prepared {
                Some(Prepared::Matrix(packed)) => Some(packed),
                Some(Prepared::Gru(_) | Prepared::Lstm(_)) | None => None,
            };
            one(matrix::matmul(required(0), required(1), packed, threads)?)
        }
        Operator::Reduce { reduction, axes, keep_dimensions, noop_with_empty_axes } => {
            let given = match (axes, optional(1)) {
                (Some(axes), _) => axes.clone(),
                (None, Some(tensor)) => shape::int64_list(tensor, 1)?,
                (None, None) => Vec::new(),
            };
            let settings = reduce::ReduceSettings {
                axes: &given,
                keep_dimensions: *keep_dimensions,
                noop_with_empty_axes: *noop_with_empty_axes,
            };
            one(reduce::reduce(*reduction, required(0), settings)?)
        }
        Operator::Relu => one(elementwise::relu(required(0))?),
        Operator::Reshape { allow_zero } => one(shape::reshape(required(0), required(1), *allow_zero)?),
        Operator::Shape { start, end } => one(shape::shape(required(0), *start, *end)),
        Operator::Sigmoid => one(elementwise::map_floats(required(0), function::sigmoid)?),
        Operator::Softmax { axis } => one(reduce::softmax(required(0), *axis)?),
        Operator::Squeeze => one(shape::squeeze(required(0), optional(1))?),
        Operator::Tanh => one(elementwise::map_floats(required(0), function::tanh)?),
        Operator::Transpose { permutation } => one(shape::transpose(required(0), permutation.as_deref())?),
        Operator::Unsqueeze => one(shape::unsqueeze(required(0), required(1))?),
    })
}

/// An empty list with room for a result of this shape; an error instead of an abort when memory does not suffice.
pub(crate) fn allocate<T>(shape: &[usize]) -> Result<Vec<T>, KernelError> {
    let too_large = || KernelError::TooLarge { shape: shape.to_vec() };
    let count = element_count(shape).ok_or_else(too_large)?;
    let mut values = Vec::new();
    values.try_reserve_exact(count).map_err(|_| too_large())?;
    Ok(values)
}

/// A list of default values for a result of this shape.
pub(crate) fn allocate_filled<T: Clone + Default>(shape: &[usize]) -> Result<Vec<T>, KernelError> {
    let mut values = allocate(shape)?;
    values.resize(element_count(shape).expect("allocate checked the product"), T::default());
    Ok(values)
}

/// The dimension that an axis means; negative axes count from the end.
pub(crate) fn resolve_axis(axis: i64, rank: usize) -> Result<usize, KernelError> {
    let signed = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(signed).ok().filter(|&axis| axis < rank).ok_or(KernelError::Axis { axis, rank })
}

/// The elements of an input that must be float.
pub(crate) fn floats(tensor: &Tensor, input: usize) -> Result<&[f32], KernelError> {
    tensor.as_floats().ok_or(KernelError::ElementType { input, found: tensor.element_type(), expected: "float" })
}
