//! A checked model declaration: what every other crate reads.

use serde_json::{Map, Value, json};

use crate::error::NetworkError;
use crate::parameter::{self, ParameterSpec};
use crate::parse;

/// A network: named inputs, layers in topological order, and the layer whose value is the output.
///
/// Shapes are per row: the batch dimension is not in them.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    pub(crate) name: String,
    pub(crate) inputs: Vec<Input>,
    pub(crate) layers: Vec<Layer>,
    pub(crate) output: usize,
}

/// One input of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Its name, unique among the inputs.
    pub name: String,
    /// Its shape per row. A sequence is `[steps, features]`; `steps` is the most that a row may have.
    pub shape: Vec<usize>,
}

/// One layer of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Its name, unique among the layers.
    pub name: String,
    /// What it computes.
    pub kind: LayerKind,
    /// What it computes from: nodes that come before it.
    pub inputs: Vec<NodeRef>,
    /// The shape of its value per row.
    pub shape: Vec<usize>,
    /// Whether its value is a sequence with masked steps, which recurrent layers leave out.
    pub masked: bool,
}

/// A node of a network: an index into [`Network::inputs`] or [`Network::layers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeRef {
    /// An input.
    Input(usize),
    /// A layer.
    Layer(usize),
}

/// What a layer computes. Semantics are those of the Keras layer of the same name.
#[derive(Clone, Debug, PartialEq)]
pub enum LayerKind {
    /// Marks the steps of a sequence all of whose features equal `mask_value`; recurrent layers leave them out.
    Masking {
        /// The value of padding.
        mask_value: f32,
    },
    /// Gated recurrent unit over a sequence: `reset_after = true`, activation tanh, recurrent activation sigmoid.
    Gru {
        /// Width of the state.
        units: usize,
        /// Whether the value is the state after every step, or only after the last.
        return_sequences: bool,
    },
    /// Long short-term memory over a sequence: activation tanh, recurrent activation sigmoid.
    Lstm {
        /// Width of the state.
        units: usize,
        /// Whether the value is the state after every step, or only after the last.
        return_sequences: bool,
    },
    /// `activation(x W + b)` along the last axis.
    Dense {
        /// Outputs.
        units: usize,
        /// Applied to the sum.
        activation: Activation,
    },
    /// In training, sets a part of the values to zero and scales the others so that the mean stays.
    Dropout {
        /// The part, at least 0 and less than 1.
        rate: f64,
    },
    /// Joins values along one axis.
    Concat {
        /// Index into the shape per row (Keras' `axis`, which counts the batch, less one).
        axis: usize,
    },
    /// All values of a row in one axis.
    Flatten,
}

/// A function applied to each value of a layer; `softmax` to each group along the last axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// The value itself.
    Linear,
    /// `max(0, x)`.
    Relu,
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// `tanh x`.
    Tanh,
    /// `e^x`, divided by its sum along the last axis.
    Softmax,
}

impl LayerKind {
    /// The names of all kinds, as a `layer` block's first label.
    pub const NAMES: [&'static str; 7] = ["masking", "gru", "lstm", "dense", "dropout", "concat", "flatten"];

    /// This kind's name.
    pub fn name(&self) -> &'static str {
        match self {
            LayerKind::Masking { .. } => "masking",
            LayerKind::Gru { .. } => "gru",
            LayerKind::Lstm { .. } => "lstm",
            LayerKind::Dense { .. } => "dense",
            LayerKind::Dropout { .. } => "dropout",
            LayerKind::Concat { .. } => "concat",
            LayerKind::Flatten => "flatten",
        }
    }
}

impl Activation {
    /// All of them.
    pub const ALL: [Activation; 5] =
        [Activation::Linear, Activation::Relu, Activation::Sigmoid, Activation::Tanh, Activation::Softmax];

    /// Keras' name.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Linear => "linear",
            Activation::Relu => "relu",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
            Activation::Softmax => "softmax",
        }
    }
}

impl Network {
    /// Reads and checks a declaration.
    ///
    /// ```
    /// let network = pipectl_network::Network::from_json(&serde_json::json!({
    ///     "name": "small",
    ///     "inputs": [{"name": "x", "shape": [14]}],
    ///     "layers": [{"kind": "dense", "name": "class", "input": "input.x", "units": 3, "activation": "softmax"}],
    ///     "output": "layer.class",
    /// }))
    /// .unwrap();
    /// assert_eq!(network.parameter_count(), 14 * 3 + 3);
    /// ```
    ///
    /// An attribute `parameters`, as the value of a `model` block has it, is compared with the network's count.
    ///
    /// # Errors
    /// Every independent mistake: wrong types, unknown kinds, attributes and references, cycles, shapes that do not fit,
    /// layers and inputs that do not reach the output. What only follows from another mistake is left out.
    pub fn from_json(declaration: &Value) -> Result<Network, Vec<NetworkError>> {
        parse::network(declaration)
    }

    /// The declaration with all defaults spelt out and layers in topological order. [`Network::from_json`] of it gives the
    /// same network again; its text depends on the network only.
    pub fn to_json(&self) -> Value {
        let inputs = self.inputs.iter().map(|input| json!({"name": input.name, "shape": input.shape})).collect();
        let layers = self.layers.iter().map(|layer| self.layer_json(layer)).collect();
        let output = self.address(NodeRef::Layer(self.output));
        // Keys are inserted in alphabetical order, so that the text is the same whatever kind of map `Value` uses.
        object([
            ("inputs", Value::Array(inputs)),
            ("layers", Value::Array(layers)),
            ("name", Value::String(self.name.clone())),
            ("output", Value::String(output)),
        ])
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The inputs, in the order of the declaration.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The layers, each after those it reads; otherwise in the order of the declaration.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The layer whose value is the network's output.
    pub fn output(&self) -> &Layer {
        &self.layers[self.output]
    }

    /// The output as a node.
    pub fn output_ref(&self) -> NodeRef {
        NodeRef::Layer(self.output)
    }

    /// The shape of a node's value per row.
    pub fn shape(&self, node: NodeRef) -> &[usize] {
        match node {
            NodeRef::Input(index) => &self.inputs[index].shape,
            NodeRef::Layer(index) => &self.layers[index].shape,
        }
    }

    /// Whether a node's value is a sequence with masked steps.
    pub fn masked(&self, node: NodeRef) -> bool {
        match node {
            NodeRef::Input(_) => false,
            NodeRef::Layer(index) => self.layers[index].masked,
        }
    }

    /// How a declaration refers to a node: `input.x`, `layer.y`.
    pub fn address(&self, node: NodeRef) -> String {
        match node {
            NodeRef::Input(index) => format!("input.{}", self.inputs[index].name),
            NodeRef::Layer(index) => format!("layer.{}", self.layers[index].name),
        }
    }

    /// All parameters: layers in order, and within a layer kernel, recurrent kernel, bias.
    pub fn parameters(&self) -> Vec<ParameterSpec> {
        parameter::parameters(self)
    }

    /// Trainable numbers in all parameters.
    pub fn parameter_count(&self) -> usize {
        self.parameters().iter().map(ParameterSpec::len).sum()
    }

    fn layer_json(&self, layer: &Layer) -> Value {
        let input = match (&layer.kind, layer.inputs.as_slice()) {
            (LayerKind::Concat { .. }, inputs) => {
                Value::Array(inputs.iter().map(|node| Value::String(self.address(*node))).collect())
            }
            (_, inputs) => Value::String(inputs.iter().map(|node| self.address(*node)).collect()),
        };
        let mut attributes = vec![
            ("input", input),
            ("kind", Value::String(layer.kind.name().to_owned())),
            ("name", Value::String(layer.name.clone())),
        ];
        match &layer.kind {
            LayerKind::Masking { mask_value } => attributes.push(("mask_value", shortest(*mask_value))),
            LayerKind::Gru { units, return_sequences } => {
                attributes.push(("units", json!(units)));
                attributes.push(("return_sequences", json!(return_sequences)));
                attributes.push(("reset_after", json!(true)));
                attributes.push(("activation", json!("tanh")));
                attributes.push(("recurrent_activation", json!("sigmoid")));
            }
            LayerKind::Lstm { units, return_sequences } => {
                attributes.push(("units", json!(units)));
                attributes.push(("return_sequences", json!(return_sequences)));
                attributes.push(("activation", json!("tanh")));
                attributes.push(("recurrent_activation", json!("sigmoid")));
            }
            LayerKind::Dense { units, activation } => {
                attributes.push(("units", json!(units)));
                attributes.push(("activation", json!(activation.name())));
            }
            LayerKind::Dropout { rate } => attributes.push(("rate", json!(rate))),
            LayerKind::Concat { axis } => attributes.push(("axis", json!(axis + 1))),
            LayerKind::Flatten => {}
        }
        attributes.sort_by_key(|(name, _)| *name);
        object(attributes)
    }
}

fn object<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Object(entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

/// The number with the fewest digits that reads as the same `f32`.
fn shortest(value: f32) -> Value {
    value.to_string().parse::<f64>().map_or(Value::Null, |value| json!(value))
}
