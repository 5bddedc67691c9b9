//! A network's value for one block of rows, on any burn backend with recurrent layers.
//!
//! Every value is a matrix `[rows, numbers of a row]`, whatever its shape per row; layers that work along an axis view it
//! as another matrix for a moment. Sequences that come straight from the data stay slices until a layer needs a tensor:
//! recurrent layers do not.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use burn::tensor::activation::{relu, sigmoid, softmax, tanh};
use burn::tensor::{Tensor, TensorData};
use pipectl_formats::dataset::Column;
use pipectl_network::{Activation, Layer, LayerKind, Network, NodeRef};

use crate::dropout::MaskKey;
use crate::kernel::{Kept, Kind, Level, Pool, RecurrentShape};
use crate::recurrent::{RecurrentBackend, RecurrentInput, RecurrentJob};

/// What the forward pass needs besides parameters and rows.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    network: Network,
    /// Index of each layer's first parameter.
    first_parameter: Vec<usize>,
    level: Level,
    pool: Arc<Pool>,
}

/// Rows to compute.
pub(crate) struct Block<'a> {
    /// In the order of the network's inputs.
    pub(crate) columns: &'a [&'a Column],
    pub(crate) rows: Range<usize>,
    /// In training: what dropout masks depend on.
    pub(crate) training: Option<Training<'a>>,
}

/// See `Batch`.
#[derive(Clone, Copy)]
pub(crate) struct Training<'a> {
    pub(crate) seed: u64,
    pub(crate) epoch: u64,
    /// Of all rows of the batch.
    pub(crate) samples: &'a [u64],
}

/// Whether the last layer's softmax is left to the loss, which is exact where the probabilities round to 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Values before the softmax.
    Logits,
    /// The network's output as it is.
    Values,
}

struct Value<'a, B: RecurrentBackend> {
    content: Content<'a, B>,
    /// The steps that recurrent layers compute; all of them if `None`.
    kept: Option<Arc<Vec<Kept>>>,
}

enum Content<'a, B: RecurrentBackend> {
    /// Each row's numbers; sequences without padding at the end.
    Rows(Vec<Cow<'a, [f32]>>),
    Tensor(Tensor<B, 2>),
}

impl Graph {
    pub(crate) fn new(network: &Network) -> Graph {
        let mut first_parameter = Vec::new();
        let mut next = 0;
        for layer in network.layers() {
            first_parameter.push(next);
            next += match layer.kind {
                LayerKind::Gru { .. } | LayerKind::Lstm { .. } => 3,
                LayerKind::Dense { .. } => 2,
                LayerKind::Masking { .. }
                | LayerKind::Dropout { .. }
                | LayerKind::Concat { .. }
                | LayerKind::Flatten => 0,
            };
        }
        Graph { network: network.clone(), first_parameter, level: Level::detect(), pool: Arc::default() }
    }

    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    /// What [`Graph::output`] returns: logits if the output layer is a dense layer with softmax.
    pub(crate) fn output_kind(&self) -> Output {
        match self.network.output().kind {
            LayerKind::Dense { activation: Activation::Softmax, .. } => Output::Logits,
            _ => Output::Values,
        }
    }

    /// The output `[rows, classes]`, before a last softmax. Parameters are matrices in the network's order, a bias of one
    /// axis as one row.
    pub(crate) fn output<B: RecurrentBackend>(&self, parameters: &[Tensor<B, 2>], block: &Block<'_>) -> Tensor<B, 2> {
        let inputs: Vec<Value<'_, B>> = block.columns.iter().map(|column| input(column, &block.rows)).collect();
        let mut values: Vec<Value<'_, B>> = Vec::with_capacity(self.network.layers().len());
        for (index, layer) in self.network.layers().iter().enumerate() {
            let reads: Vec<(&Value<'_, B>, &[usize])> = layer
                .inputs
                .iter()
                .map(|&node| {
                    let value = match node {
                        NodeRef::Input(input) => &inputs[input],
                        NodeRef::Layer(layer) => &values[layer],
                    };
                    (value, self.network.shape(node))
                })
                .collect();
            let is_output = self.network.output_ref() == NodeRef::Layer(index);
            let parameters = &parameters[self.first_parameter[index]..];
            let value = self.layer(layer, is_output, &reads, parameters, block);
            values.push(value);
        }
        let NodeRef::Layer(index) = self.network.output_ref() else { unreachable!("the output is a layer") };
        values.swap_remove(index).tensor(self.network.output().shape.iter().product())
    }

    fn layer<'a, B: RecurrentBackend>(
        &self,
        layer: &Layer,
        is_output: bool,
        reads: &[(&Value<'a, B>, &[usize])],
        parameters: &[Tensor<B, 2>],
        block: &Block<'_>,
    ) -> Value<'a, B> {
        let (value, shape) = reads[0];
        let numbers = shape.iter().product();
        match layer.kind {
            LayerKind::Masking { mask_value } => mask(value, shape, mask_value),
            LayerKind::Gru { units, return_sequences } => {
                self.recurrent(Kind::Gru, units, return_sequences, value, shape, parameters)
            }
            LayerKind::Lstm { units, return_sequences } => {
                self.recurrent(Kind::Lstm, units, return_sequences, value, shape, parameters)
            }
            LayerKind::Dense { units, activation } => {
                let tensor = value.tensor(numbers);
                let [rows, _] = tensor.dims();
                let width = shape.last().copied().unwrap_or(1);
                let sum = tensor.reshape([rows * numbers / width, width]).matmul(parameters[0].clone());
                let sum = sum + parameters[1].clone();
                let active = match activation {
                    Activation::Linear => sum,
                    Activation::Relu => relu(sum),
                    Activation::Sigmoid => sigmoid(sum),
                    Activation::Tanh => tanh(sum),
                    Activation::Softmax if is_output => sum,
                    Activation::Softmax => softmax(sum, 1),
                };
                let active = active.reshape([rows, numbers / width * units]);
                Value { content: Content::Tensor(active), kept: value.kept.clone() }
            }
            LayerKind::Dropout { rate } => {
                let Some(training) = block.training else { return value.share() };
                let tensor = value.tensor(numbers);
                let key = MaskKey::new(training.seed, &layer.name, training.epoch);
                let mut factors = vec![0.0; block.rows.len() * numbers];
                for (row, factors) in block.rows.clone().zip(factors.chunks_exact_mut(numbers)) {
                    key.fill(training.samples[row], rate, factors);
                }
                let factors = matrix(factors, [block.rows.len(), numbers]);
                Value { content: Content::Tensor(tensor * factors), kept: value.kept.clone() }
            }
            LayerKind::Concat { axis } => concat(axis, reads),
            LayerKind::Flatten => Value { content: Content::Tensor(value.tensor(numbers)), kept: None },
        }
    }

    fn recurrent<'a, B: RecurrentBackend>(
        &self,
        kind: Kind,
        units: usize,
        return_sequences: bool,
        value: &Value<'a, B>,
        shape: &[usize],
        parameters: &[Tensor<B, 2>],
    ) -> Value<'a, B> {
        let &[steps, input] = shape else { unreachable!("a recurrent layer reads [steps, features]") };
        let shape = RecurrentShape { kind, steps, input, units, return_sequences };
        let rows = value.rows();
        let kept = value.kept.as_deref().cloned().unwrap_or_else(|| vec![Kept::First(steps); rows]);
        let job = RecurrentJob { shape, level: self.level, kept, pool: &self.pool };
        let parameters = [0, 1, 2].map(|index| primitive(&parameters[index]));
        let output = match &value.content {
            Content::Rows(rows) => {
                let rows: Vec<&[f32]> = rows.iter().map(Cow::as_ref).collect();
                B::recurrent(job, RecurrentInput::Rows(&rows), parameters)
            }
            Content::Tensor(tensor) => B::recurrent(job, RecurrentInput::Tensor(primitive(tensor)), parameters),
        };
        let output = Tensor::from_primitive(burn::tensor::TensorPrimitive::Float(output));
        let kept = if return_sequences { value.kept.clone() } else { None };
        Value { content: Content::Tensor(output), kept }
    }
}

impl<'a, B: RecurrentBackend> Value<'a, B> {
    fn rows(&self) -> usize {
        match &self.content {
            Content::Rows(rows) => rows.len(),
            Content::Tensor(tensor) => tensor.dims()[0],
        }
    }

    /// `[rows, numbers]`; sequences padded by zeros at the end.
    fn tensor(&self, numbers: usize) -> Tensor<B, 2> {
        match &self.content {
            Content::Rows(rows) => {
                let mut padded = vec![0.0; rows.len() * numbers];
                for (padded, row) in padded.chunks_exact_mut(numbers).zip(rows) {
                    padded[..row.len()].copy_from_slice(row);
                }
                matrix(padded, [rows.len(), numbers])
            }
            Content::Tensor(tensor) => tensor.clone(),
        }
    }

    /// The same value under another name.
    fn share(&self) -> Value<'a, B> {
        let content = match &self.content {
            Content::Rows(rows) => Content::Rows(rows.clone()),
            Content::Tensor(tensor) => Content::Tensor(tensor.clone()),
        };
        Value { content, kept: self.kept.clone() }
    }
}

fn matrix<B: RecurrentBackend>(values: Vec<f32>, shape: [usize; 2]) -> Tensor<B, 2> {
    Tensor::from_data(TensorData::new(values, shape), &B::Device::default())
}

fn primitive<B: RecurrentBackend>(tensor: &Tensor<B, 2>) -> B::FloatTensorPrimitive {
    tensor.clone().into_primitive().tensor()
}

fn input<'a, B: RecurrentBackend>(column: &'a Column, rows: &Range<usize>) -> Value<'a, B> {
    let content = Content::Rows(rows.clone().map(|row| Cow::Borrowed(column.row(row))).collect());
    let kept = column
        .lengths
        .as_ref()
        .map(|lengths| Arc::new(lengths[rows.clone()].iter().map(|&steps| Kept::First(steps as usize)).collect()));
    Value { content, kept }
}

/// Leaves out the steps all of whose features equal `mask_value`, and sets them to zero.
fn mask<'a, B: RecurrentBackend>(value: &Value<'a, B>, shape: &[usize], mask_value: f32) -> Value<'a, B> {
    let &[steps, width] = shape else { unreachable!("masking reads [steps, features]") };
    let kept_of = |index: usize, row: &[f32]| {
        let before = match &value.kept {
            Some(kept) => kept[index].clone(),
            None => Kept::First(steps),
        };
        let kept: Vec<u32> = (0..before.len())
            .map(|at| before.step(at))
            .filter(|step| row[step * width..][..width].iter().any(|feature| *feature != mask_value))
            .map(|step| step as u32)
            .collect();
        // Padding at the end only is by far the most common mask.
        if kept.iter().enumerate().all(|(at, step)| at == *step as usize) {
            Kept::First(kept.len())
        } else {
            Kept::These(kept)
        }
    };
    match &value.content {
        Content::Rows(rows) => {
            let kept: Vec<Kept> = rows.iter().enumerate().map(|(index, row)| kept_of(index, row)).collect();
            let rows = rows.iter().zip(&kept).map(|(row, kept)| without_padding(row, kept, width, mask_value));
            Value { content: Content::Rows(rows.collect()), kept: Some(Arc::new(kept)) }
        }
        Content::Tensor(tensor) => {
            let values = tensor.to_data().into_vec::<f32>().expect("all tensors of this crate hold f32");
            let rows = values.chunks_exact(steps * width);
            let kept: Vec<Kept> = rows.enumerate().map(|(index, row)| kept_of(index, row)).collect();
            let mut factors = vec![0.0; values.len()];
            for (factors, kept) in factors.chunks_exact_mut(steps * width).zip(&kept) {
                for at in 0..kept.len() {
                    factors[kept.step(at) * width..][..width].fill(1.0);
                }
            }
            let factors = matrix(factors, [kept.len(), steps * width]);
            Value { content: Content::Tensor(tensor.clone() * factors), kept: Some(Arc::new(kept)) }
        }
    }
}

/// The row with the steps that are not kept set to zero. They are zero already if that is the value of padding.
fn without_padding<'a>(row: &Cow<'a, [f32]>, kept: &Kept, width: usize, mask_value: f32) -> Cow<'a, [f32]> {
    if mask_value == 0.0 {
        return row.clone();
    }
    let mut clean = vec![0.0; row.len()];
    for at in 0..kept.len() {
        let features = kept.step(at) * width..(kept.step(at) + 1) * width;
        clean[features.clone()].copy_from_slice(&row[features]);
    }
    Cow::Owned(clean)
}

fn concat<'a, B: RecurrentBackend>(axis: usize, reads: &[(&Value<'a, B>, &[usize])]) -> Value<'a, B> {
    let (first, shape) = reads[0];
    let rows = first.rows();
    let outer: usize = shape[..axis].iter().product();
    let parts = reads.iter().map(|(value, shape)| {
        let inner: usize = shape[axis..].iter().product();
        value.tensor(outer * inner).reshape([rows * outer, inner])
    });
    let joined = Tensor::cat(parts.collect(), 1);
    let numbers = joined.dims()[1] * outer;
    let joined = joined.reshape([rows, numbers]);
    let kept = if shape.len() == 2 { join_kept(axis, rows, reads) } else { None };
    Value { content: Content::Tensor(joined), kept }
}

/// The steps that a joined sequence keeps, as in Keras: side by side, those that any part keeps; one after another, those
/// of each part.
fn join_kept<B: RecurrentBackend>(
    axis: usize,
    rows: usize,
    reads: &[(&Value<'_, B>, &[usize])],
) -> Option<Arc<Vec<Kept>>> {
    let one_after_another = axis == 0;
    let unmasked = reads.iter().filter(|(value, _)| value.kept.is_none()).count();
    if unmasked == reads.len() || (unmasked > 0 && !one_after_another) {
        return None;
    }
    let joined = (0..rows).map(|row| {
        let mut steps = Vec::new();
        let mut offset = 0;
        for (value, shape) in reads {
            match &value.kept {
                Some(kept) => steps.extend((0..kept[row].len()).map(|at| (offset + kept[row].step(at)) as u32)),
                None => steps.extend((offset..offset + shape[0]).map(|step| step as u32)),
            }
            if one_after_another {
                offset += shape[0];
            }
        }
        steps.sort_unstable();
        steps.dedup();
        Kept::These(steps)
    });
    Some(Arc::new(joined.collect()))
}
