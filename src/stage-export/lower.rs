//! From a network with weights to an ONNX model (operator set 17, IR version 8).
//!
//! Owns the translation of each layer. Recurrent layers become ONNX's own operators, so that an executor can use its
//! fast kernels: weights are transposed and gates reordered here. Masks become sequence lengths, by the conventions of
//! [`pipectl_onnx::Feed`]; where a length cannot say what the network's mask says, the network is refused. Dropout does
//! nothing outside of training and disappears.

use std::collections::{BTreeMap, BTreeSet};

use pipectl_network::{Activation, Layer, LayerKind, Network, NodeRef, Weights};
use pipectl_onnx::{
    Attribute, BuildError, Dimension, ElementType, GraphBuilder, Model, Tensor, TensorError, Value, length_name,
    mask_key,
};
use thiserror::Error;

use crate::sequence::{SequenceError, Sequences};

/// Why a network has no ONNX form.
#[derive(Debug, Error)]
pub enum LowerError {
    /// A mask that sequence lengths cannot express.
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    /// Names that are distinct in a network meet in one graph.
    #[error("`{name}` would name two values of the ONNX graph: {first} and {second}")]
    Name {
        /// The name.
        name: String,
        /// What has it.
        first: String,
        /// What needs it too.
        second: String,
    },
    /// A parameter is missing or has another shape than its layer.
    #[error("the weights do not belong to the network: `{parameter}` is missing or has another shape")]
    Weights {
        /// The parameter.
        parameter: String,
    },
    /// A parameter cannot be written: a bug.
    #[error("a parameter cannot be written")]
    Tensor(#[from] TensorError),
    /// The graph is not valid: a bug.
    #[error("the graph of the network is not valid")]
    Graph(#[from] BuildError),
}

/// Translates a network. `ragged` names the inputs whose rows hold only the steps that they have.
///
/// # Errors
/// [`LowerError`] for masks that have no ONNX form, names that collide, and weights of another network.
pub fn lower(network: &Network, weights: &Weights, ragged: &BTreeSet<String>) -> Result<Model, LowerError> {
    let mut lowering = Lowering {
        network,
        weights,
        sequences: Sequences::of(network, ragged)?,
        graph: GraphBuilder::new(network.name()),
        taken: BTreeMap::new(),
        inputs: Vec::new(),
        lengths: BTreeMap::new(),
        axes: BTreeMap::new(),
        layers: Vec::new(),
    };
    lowering.declare_inputs()?;
    let output = network.output();
    lowering.reserve(&output.name, format!("the output layer `{}`", output.name))?;
    for layer in network.layers() {
        let lowered = lowering.layer(layer)?;
        lowering.layers.push(lowered);
    }
    lowering.finish()
}

/// A node of the network in the graph.
#[derive(Clone)]
struct Lowered {
    value: Value,
    /// Whether the first two dimensions are [steps, rows] instead of [rows, steps].
    steps_first: bool,
}

struct Lowering<'a> {
    network: &'a Network,
    weights: &'a Weights,
    sequences: Sequences,
    graph: GraphBuilder,
    /// Names of values in the graph, and what has them.
    taken: BTreeMap<String, String>,
    inputs: Vec<Lowered>,
    /// The lengths of an input, by its index.
    lengths: BTreeMap<usize, Value>,
    /// Constants that name an axis.
    axes: BTreeMap<i64, Value>,
    layers: Vec<Lowered>,
}

impl Lowering<'_> {
    fn declare_inputs(&mut self) -> Result<(), LowerError> {
        let inputs = self.network.inputs();
        let open = (0..inputs.len()).filter(|&index| self.sequences.open(index)).count();
        for (index, input) in inputs.iter().enumerate() {
            self.reserve(&input.name, format!("the input `{}`", input.name))?;
            let mut shape = vec![rows()];
            shape.extend(input.shape.iter().map(|&size| Dimension::Fixed(size)));
            if self.sequences.open(index) {
                // One open dimension has the usual name; several must not be taken for the same.
                shape[1] = Dimension::Symbol(if open == 1 { "T".to_owned() } else { format!("{}_steps", input.name) });
            }
            let value = self.graph.input(&input.name, ElementType::Float, shape);
            self.inputs.push(Lowered { value, steps_first: false });
        }
        for (index, input) in inputs.iter().enumerate() {
            if !self.sequences.measured(index) {
                continue;
            }
            let name = length_name(&input.name);
            self.reserve(&name, format!("the lengths of `{}`", input.name))?;
            let value = self.graph.input(&name, ElementType::Int32, vec![rows()]);
            self.lengths.insert(index, value);
        }
        for (index, input) in inputs.iter().enumerate() {
            if let Some(mask_value) = self.sequences.mask_value(index) {
                self.graph.metadata(&mask_key(&input.name), &mask_value.to_string());
            }
        }
        Ok(())
    }

    fn layer(&mut self, layer: &Layer) -> Result<Lowered, LowerError> {
        let first = self.node(layer.inputs[0]);
        match &layer.kind {
            LayerKind::Masking { .. } | LayerKind::Dropout { .. } => Ok(first),
            LayerKind::Gru { units, return_sequences } => self.gru(layer, *units, *return_sequences),
            LayerKind::Lstm { units, return_sequences } => self.lstm(layer, *units, *return_sequences),
            LayerKind::Dense { activation, .. } => self.dense(layer, &first, *activation),
            LayerKind::Concat { axis } => {
                let parts: Vec<Value> = layer
                    .inputs
                    .iter()
                    .map(|&node| {
                        let lowered = self.node(node);
                        self.rows_first(lowered, &layer.name)
                    })
                    .collect();
                let parts: Vec<&Value> = parts.iter().collect();
                let name = self.name_of(layer);
                let value = self.graph.node("Concat", &name, &parts, &[("axis", Attribute::Int(*axis as i64 + 1))]);
                Ok(Lowered { value, steps_first: false })
            }
            LayerKind::Flatten => {
                let source = self.rows_first(first, &layer.name);
                let name = self.name_of(layer);
                let value = self.graph.node("Flatten", &name, &[&source], &[("axis", Attribute::Int(1))]);
                Ok(Lowered { value, steps_first: false })
            }
        }
    }

    /// Keras orders the gates z, r, h as ONNX does; `reset_after` is ONNX's `linear_before_reset`.
    fn gru(&mut self, layer: &Layer, units: usize, return_sequences: bool) -> Result<Lowered, LowerError> {
        let name = &layer.name;
        let (kernel, recurrent) = (self.parameter(name, "kernel")?, self.parameter(name, "recurrent_kernel")?);
        let bias = self.parameter(name, "bias")?;
        let order = [0, 1, 2];
        let weights = RecurrentWeights {
            input: kernel.gates(units, &order)?,
            recurrent: recurrent.gates(units, &order)?,
            // Both rows: the bias of the input product, then that of the recurrent one.
            bias: Tensor::new([1, 6 * units], bias.values)?,
        };
        let attributes = [("hidden_size", Attribute::Int(units as i64)), ("linear_before_reset", Attribute::Int(1))];
        self.recurrent("GRU", layer, weights, &attributes, return_sequences)
    }

    /// Keras orders the gates i, f, c, o; ONNX i, o, f, c. Keras has one bias.
    fn lstm(&mut self, layer: &Layer, units: usize, return_sequences: bool) -> Result<Lowered, LowerError> {
        let name = &layer.name;
        let (kernel, recurrent) = (self.parameter(name, "kernel")?, self.parameter(name, "recurrent_kernel")?);
        let bias = self.parameter(name, "bias")?;
        let order = [0, 3, 1, 2];
        let mut both: Vec<f32> =
            order.iter().flat_map(|gate| bias.values[gate * units..(gate + 1) * units].iter().copied()).collect();
        both.resize(8 * units, 0.0);
        let weights = RecurrentWeights {
            input: kernel.gates(units, &order)?,
            recurrent: recurrent.gates(units, &order)?,
            bias: Tensor::new([1, 8 * units], both)?,
        };
        let attributes = [("hidden_size", Attribute::Int(units as i64))];
        self.recurrent("LSTM", layer, weights, &attributes, return_sequences)
    }

    fn recurrent(
        &mut self,
        operator: &str,
        layer: &Layer,
        weights: RecurrentWeights,
        attributes: &[(&str, Attribute)],
        return_sequences: bool,
    ) -> Result<Lowered, LowerError> {
        let source = self.node(layer.inputs[0]);
        let source = if source.steps_first { source.value } else { self.swap(&source.value, &layer.name) };
        let steps = self.sequences.node(layer.inputs[0]).filter(|steps| steps.measured);
        let lengths = steps.map(|steps| self.lengths[&steps.input].clone());
        let constants = [("W", weights.input), ("R", weights.recurrent), ("B", weights.bias)];
        let constants = constants.map(|(suffix, tensor)| self.constant(&format!("{}/{suffix}", layer.name), &tensor));
        let [w, r, b] = &constants;
        let inputs = [Some(&source), Some(w), Some(r), Some(b), lengths.as_ref()];
        let inner = self.fresh(&format!("{}/{}", layer.name, if return_sequences { "Y" } else { "Y_h" }));
        let outputs = if return_sequences { [Some(inner.as_str()), None] } else { [None, Some(inner.as_str())] };
        let outputs = if return_sequences { &outputs[..1] } else { &outputs[..] };
        let state = self.graph.node_with_outputs(operator, &inner, &inputs, attributes, outputs).remove(0);
        // The dimension of the directions goes: Y is [steps, 1, rows, units], Y_h [1, rows, units].
        let axis = self.axis(i64::from(return_sequences))?;
        let name = self.name_of(layer);
        let value = self.graph.node("Squeeze", &name, &[&state, &axis], &[]);
        Ok(Lowered { value, steps_first: return_sequences })
    }

    fn dense(&mut self, layer: &Layer, source: &Lowered, activation: Activation) -> Result<Lowered, LowerError> {
        let name = &layer.name;
        let (kernel, bias) = (self.parameter(name, "kernel")?, self.parameter(name, "bias")?);
        let kernel = self.constant(&format!("{name}/kernel"), &kernel.tensor()?);
        let bias = self.constant(&format!("{name}/bias"), &bias.tensor()?);
        let operator = match activation {
            Activation::Linear => None,
            Activation::Relu => Some(("Relu", Vec::new())),
            Activation::Sigmoid => Some(("Sigmoid", Vec::new())),
            Activation::Tanh => Some(("Tanh", Vec::new())),
            Activation::Softmax => Some(("Softmax", vec![("axis", Attribute::Int(-1))])),
        };
        let sum_name = match operator {
            None => self.name_of(layer),
            Some(_) => self.fresh(&format!("{name}/linear")),
        };
        let sum = if layer.shape.len() == 1 {
            self.graph.node("Gemm", &sum_name, &[&source.value, &kernel, &bias], &[])
        } else {
            let product = self.fresh(&format!("{name}/product"));
            let product = self.graph.node("MatMul", &product, &[&source.value, &kernel], &[]);
            self.graph.node("Add", &sum_name, &[&product, &bias], &[])
        };
        let value = match operator {
            None => sum,
            Some((operator, attributes)) => {
                let name = self.name_of(layer);
                self.graph.node(operator, &name, &[&sum], &attributes)
            }
        };
        Ok(Lowered { value, steps_first: source.steps_first })
    }

    fn finish(mut self) -> Result<Model, LowerError> {
        let output = self.network.output();
        let lowered = self.node(self.network.output_ref());
        let value = if lowered.value.name() == output.name {
            lowered.value
        } else {
            // The output layer left no node of its own (a dropout), but the output has its name.
            self.graph.node("Identity", &output.name, &[&lowered.value], &[])
        };
        let mut shape = vec![rows()];
        shape.extend(output.shape.iter().map(|&size| Dimension::Fixed(size)));
        self.graph.output(&value, ElementType::Float, shape);
        Ok(self.graph.finish()?)
    }

    fn node(&self, node: NodeRef) -> Lowered {
        match node {
            NodeRef::Input(index) => self.inputs[index].clone(),
            NodeRef::Layer(index) => self.layers[index].clone(),
        }
    }

    /// The value with rows as its first dimension.
    fn rows_first(&mut self, lowered: Lowered, reader: &str) -> Value {
        if lowered.steps_first { self.swap(&lowered.value, reader) } else { lowered.value }
    }

    /// Exchanges the first two dimensions, on the way to `reader`.
    fn swap(&mut self, value: &Value, reader: &str) -> Value {
        let name = self.fresh(&format!("{reader}/transposed"));
        self.graph.node("Transpose", &name, &[value], &[("perm", Attribute::Ints(vec![1, 0, 2]))])
    }

    fn constant(&mut self, name: &str, tensor: &Tensor) -> Value {
        let name = self.fresh(name);
        self.graph.constant(&name, tensor)
    }

    /// The constant list of one axis.
    fn axis(&mut self, axis: i64) -> Result<Value, LowerError> {
        if let Some(value) = self.axes.get(&axis) {
            return Ok(value.clone());
        }
        let value = self.constant(&format!("axis_{axis}"), &Tensor::new([1], vec![axis])?);
        self.axes.insert(axis, value.clone());
        Ok(value)
    }

    fn parameter(&self, layer: &str, suffix: &str) -> Result<Parameter, LowerError> {
        let name = format!("{layer}/{suffix}");
        let expected = self.network.parameters().into_iter().find(|parameter| parameter.name == name);
        match (self.weights.get(&name), expected) {
            (Some(tensor), Some(expected)) if tensor.shape == expected.shape => {
                Ok(Parameter { shape: tensor.shape.clone(), values: tensor.data.clone() })
            }
            _ => Err(LowerError::Weights { parameter: name }),
        }
    }

    /// The name of a layer's value: its own, unless an input has it.
    fn name_of(&mut self, layer: &Layer) -> String {
        if layer.name == self.network.output().name { layer.name.clone() } else { self.fresh(&layer.name) }
    }

    /// `wanted`, or with a number behind it when it is taken.
    fn fresh(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        let mut number = 2;
        while self.taken.contains_key(&name) {
            name = format!("{wanted}_{number}");
            number += 1;
        }
        self.taken.insert(name.clone(), String::new());
        name
    }

    /// Takes a name that users of the model see, so that it cannot be another one.
    fn reserve(&mut self, name: &str, what: String) -> Result<(), LowerError> {
        match self.taken.insert(name.to_owned(), what.clone()) {
            None => Ok(()),
            Some(first) => Err(LowerError::Name { name: name.to_owned(), first, second: what }),
        }
    }
}

struct Parameter {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Parameter {
    fn tensor(self) -> Result<Tensor, TensorError> {
        Tensor::new(self.shape, self.values)
    }

    /// From Keras' [inputs, gates * units] to ONNX' [1, gates * units, inputs], gates in another order.
    fn gates(&self, units: usize, order: &[usize]) -> Result<Tensor, TensorError> {
        let columns = order.len() * units;
        let inputs = self.shape[0];
        let mut values = Vec::with_capacity(self.values.len());
        for column in order.iter().flat_map(|gate| gate * units..(gate + 1) * units) {
            values.extend((0..inputs).map(|input| self.values[input * columns + column]));
        }
        Tensor::new([1, columns, inputs], values)
    }
}

struct RecurrentWeights {
    input: Tensor,
    recurrent: Tensor,
    bias: Tensor,
}

fn rows() -> Dimension {
    Dimension::Symbol("N".to_owned())
}
