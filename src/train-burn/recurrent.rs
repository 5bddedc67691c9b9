//! Recurrent layers as one operation on burn's tensors, with a backward step of its own.
//!
//! Built from tensor operations, a GRU of 801 steps is some ten thousand nodes of autodiff graph and takes about ten times
//! as long as the `kernel` module. Here it is one node: forward calls [`kernel::forward`] and keeps its tape, backward calls
//! [`kernel::backward`].

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Autodiff, NdArray};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Tensor, TensorData, TensorPrimitive};

use crate::kernel::{self, Kept, Level, Pool, RecurrentShape, RecurrentWeights, Tape};

/// One recurrent layer over one block of rows.
pub(crate) struct RecurrentJob<'a> {
    pub(crate) shape: RecurrentShape,
    pub(crate) level: Level,
    /// Of each row.
    pub(crate) kept: Vec<Kept>,
    pub(crate) pool: &'a Arc<Pool>,
}

/// The sequences of a block.
pub(crate) enum RecurrentInput<'a, B: Backend> {
    /// Data, without padding at the end: has no gradient.
    Rows(&'a [&'a [f32]]),
    /// The value of a layer: `[rows, steps * input]`.
    Tensor(FloatTensor<B>),
}

/// A backend with recurrent layers.
pub(crate) trait RecurrentBackend: Backend {
    /// `[rows, units]` or `[rows, steps * units]`, from kernel, recurrent kernel and bias.
    fn recurrent(
        job: RecurrentJob<'_>,
        input: RecurrentInput<'_, Self>,
        parameters: [FloatTensor<Self>; 3],
    ) -> FloatTensor<Self>;
}

impl RecurrentBackend for NdArray {
    fn recurrent(
        job: RecurrentJob<'_>,
        input: RecurrentInput<'_, Self>,
        parameters: [FloatTensor<Self>; 3],
    ) -> FloatTensor<Self> {
        forward::<Self>(job, &input, parameters, false).0
    }
}

impl<B: RecurrentBackend, C: CheckpointStrategy> RecurrentBackend for Autodiff<B, C> {
    fn recurrent(
        job: RecurrentJob<'_>,
        input: RecurrentInput<'_, Self>,
        parameters: [FloatTensor<Self>; 3],
    ) -> FloatTensor<Self> {
        let (input, input_tensor) = match input {
            // The operation has four parents whatever the input is: data is stood for by a constant that is never read.
            RecurrentInput::Rows(rows) => (RecurrentInput::<B>::Rows(rows), Self::from_inner(constant::<B>())),
            RecurrentInput::Tensor(tensor) => (RecurrentInput::Tensor(tensor.primitive.clone()), tensor),
        };
        let [kernel, recurrent, bias] = parameters;
        let nodes = [input_tensor.node, kernel.node, recurrent.node, bias.node];
        let parameters = [kernel.primitive, recurrent.primitive, bias.primitive];
        match RecurrentBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(operation) => {
                let (output, tape) = forward::<B>(job, &input, parameters, true);
                operation.finish(Arc::new(tape), output)
            }
            OpsKind::UnTracked(operation) => operation.finish(forward::<B>(job, &input, parameters, false).0),
        }
    }
}

#[derive(Debug)]
struct RecurrentBackward;

impl<B: Backend> Backward<B, 4> for RecurrentBackward {
    type State = Arc<Tape>;

    fn backward(self, ops: Ops<Self::State, 4>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let upstream = values::<B>(grads.consume::<B>(&ops.node));
        let [input, kernel, recurrent, bias] = ops.parents;
        let found = kernel::backward(&ops.state, &upstream, input.is_some());
        let shape = ops.state.shape();
        let (rows, columns) = (ops.state.rows(), found.recurrent.len() / shape.units);
        for (parent, values, sizes) in [
            (input, found.input.unwrap_or_default(), [rows, shape.steps * shape.input]),
            (kernel, found.kernel, [shape.input, columns]),
            (recurrent, found.recurrent, [shape.units, columns]),
            (bias, found.bias, shape.bias_shape()),
        ] {
            if let Some(parent) = parent {
                grads.register::<B>(parent.id, tensor::<B>(values, sizes));
            }
        }
    }
}

fn forward<B: Backend>(
    job: RecurrentJob<'_>,
    input: &RecurrentInput<'_, B>,
    parameters: [FloatTensor<B>; 3],
    keep: bool,
) -> (FloatTensor<B>, Tape) {
    let RecurrentJob { shape, level, kept, pool } = job;
    let [kernel, recurrent, bias] = parameters.map(values::<B>);
    let weights = RecurrentWeights {
        input: shape.input,
        units: shape.units,
        kernel: &kernel,
        recurrent: &recurrent,
        bias: &bias,
    };
    let count = kept.len();
    let (output, tape) = match input {
        RecurrentInput::Rows(rows) => kernel::forward(shape, level, &weights, rows, kept, pool, keep),
        RecurrentInput::Tensor(tensor) => {
            let input = values::<B>(tensor.clone());
            let rows: Vec<&[f32]> = input.chunks_exact(shape.steps * shape.input).collect();
            kernel::forward(shape, level, &weights, &rows, kept, pool, keep)
        }
    };
    (tensor::<B>(output, [count, shape.output_size()]), tape)
}

fn values<B: Backend>(tensor: FloatTensor<B>) -> Vec<f32> {
    Tensor::<B, 2>::from_primitive(TensorPrimitive::Float(tensor))
        .into_data()
        .into_vec()
        .expect("all tensors of this crate hold f32")
}

fn tensor<B: Backend>(values: Vec<f32>, shape: [usize; 2]) -> FloatTensor<B> {
    Tensor::<B, 2>::from_data(TensorData::new(values, shape), &B::Device::default()).into_primitive().tensor()
}

fn constant<B: Backend>() -> FloatTensor<B> {
    tensor::<B>(vec![0.0], [1, 1])
}
