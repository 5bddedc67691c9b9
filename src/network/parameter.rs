//! The parameters of a network: names, shapes and how they begin. All as in Keras.

use crate::declaration::{LayerKind, Network};

/// One parameter of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSpec {
    /// `<layer>/kernel`, `<layer>/recurrent_kernel` or `<layer>/bias`.
    pub name: String,
    /// Its shape. Kernels are `[inputs, outputs]`, row major.
    pub shape: Vec<usize>,
    /// How it begins.
    pub initializer: Initializer,
}

/// How a parameter begins. Keras' default initialisers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initializer {
    /// Uniform between plus and minus `sqrt(6 / (fan_in + fan_out))` (X. Glorot, Y. Bengio, 2010).
    GlorotUniform {
        /// Inputs of a unit.
        fan_in: usize,
        /// Outputs of an input.
        fan_out: usize,
    },
    /// A random matrix whose rows or columns, whichever are fewer, are orthonormal (A. Saxe et al., 2013).
    Orthogonal,
    /// Zeros.
    Zeros,
    /// An LSTM's bias: ones for the forget gate, the second of four blocks, else zeros.
    UnitForgetBias,
}

impl ParameterSpec {
    /// Numbers in the parameter.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

pub(crate) fn parameters(network: &Network) -> Vec<ParameterSpec> {
    network
        .layers
        .iter()
        .flat_map(|layer| {
            let width = layer.inputs.first().and_then(|node| network.shape(*node).last()).copied().unwrap_or(0);
            of_layer(&layer.name, &layer.kind, width)
        })
        .collect()
}

/// The parameters of a layer whose input has `width` values along its last axis.
fn of_layer(layer: &str, kind: &LayerKind, width: usize) -> Vec<ParameterSpec> {
    let parameter = |name: &str, shape: &[usize], initializer| ParameterSpec {
        name: format!("{layer}/{name}"),
        shape: shape.to_vec(),
        initializer,
    };
    let glorot = |fan_in, fan_out| Initializer::GlorotUniform { fan_in, fan_out };
    match *kind {
        LayerKind::Gru { units, .. } => vec![
            parameter("kernel", &[width, 3 * units], glorot(width, 3 * units)),
            parameter("recurrent_kernel", &[units, 3 * units], Initializer::Orthogonal),
            parameter("bias", &[2, 3 * units], Initializer::Zeros),
        ],
        LayerKind::Lstm { units, .. } => vec![
            parameter("kernel", &[width, 4 * units], glorot(width, 4 * units)),
            parameter("recurrent_kernel", &[units, 4 * units], Initializer::Orthogonal),
            parameter("bias", &[4 * units], Initializer::UnitForgetBias),
        ],
        LayerKind::Dense { units, .. } => vec![
            parameter("kernel", &[width, units], glorot(width, units)),
            parameter("bias", &[units], Initializer::Zeros),
        ],
        LayerKind::Masking { .. } | LayerKind::Dropout { .. } | LayerKind::Concat { .. } | LayerKind::Flatten => {
            Vec::new()
        }
    }
}
