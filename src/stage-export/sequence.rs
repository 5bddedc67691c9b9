//! Which values of a network are sequences, and whose lengths they have.
//!
//! A network masks single steps; an ONNX recurrent operator takes a length for each row. Both say the same when the mask
//! is that of an input's padding and reaches the recurrent layers unchanged. This module follows masks and ragged inputs
//! through the layers and refuses what lengths cannot say. Owns no ONNX.

use std::collections::BTreeSet;

use pipectl_network::{LayerKind, Network, NodeRef};
use thiserror::Error;

/// Why sequence lengths cannot express what a network does.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SequenceError {
    /// A mask is computed from something else than an input.
    #[error("layer `{layer}` masks the value of another layer; only masks of inputs have an ONNX form")]
    MaskOfLayer {
        /// The masking layer.
        layer: String,
    },
    /// Two masking layers of one input have different values.
    #[error("layer `{layer}` masks input `{input}` with another value than an earlier layer does")]
    TwoMasks {
        /// The later masking layer.
        layer: String,
        /// The input.
        input: String,
    },
    /// A layer joins sequences whose lengths are not the same ones.
    #[error("layer `{layer}` joins sequences of different lengths, which has no ONNX form")]
    Joined {
        /// The layer.
        layer: String,
    },
    /// A layer reads steps behind the end of a sequence where the network's value is not that of the ONNX operators.
    #[error(
        "layer `{layer}` reads a masked sequence as a whole; ONNX recurrent operators leave other values behind its end"
    )]
    ReadAsWhole {
        /// The layer.
        layer: String,
    },
}

/// What a node's steps are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Steps {
    /// The input whose steps they are.
    pub input: usize,
    /// Whether rows end at the lengths of that input.
    pub measured: bool,
    /// Whether the value is that input itself (a dropout or mask changes nothing in it).
    raw: bool,
    /// Whether the values behind the end of a row are those that the network has there.
    whole: bool,
}

/// The sequences of a network.
#[derive(Debug)]
pub(crate) struct Sequences {
    layers: Vec<Option<Steps>>,
    inputs: Vec<Option<Steps>>,
    masks: Vec<Option<f32>>,
    /// Inputs whose number of steps is part of a shape.
    fixed: BTreeSet<usize>,
    /// Inputs that some recurrent layer reads with lengths, and without.
    measured: BTreeSet<usize>,
    unmeasured: BTreeSet<usize>,
}

impl Sequences {
    /// Follows every sequence from the inputs; `ragged` names those whose rows have lengths of their own.
    pub(crate) fn of(network: &Network, ragged: &BTreeSet<String>) -> Result<Self, SequenceError> {
        let inputs = network
            .inputs()
            .iter()
            .enumerate()
            .map(|(index, input)| {
                let measured = ragged.contains(&input.name);
                (input.shape.len() == 2).then_some(Steps { input: index, measured, raw: true, whole: true })
            })
            .collect();
        let mut sequences = Self {
            layers: Vec::new(),
            inputs,
            masks: vec![None; network.inputs().len()],
            fixed: BTreeSet::new(),
            measured: BTreeSet::new(),
            unmeasured: BTreeSet::new(),
        };
        for layer in network.layers() {
            let reads: Vec<Option<Steps>> = layer.inputs.iter().map(|&node| sequences.node(node)).collect();
            let steps = match &layer.kind {
                LayerKind::Masking { mask_value } => {
                    Some(sequences.mask(network, &layer.name, *mask_value, reads[0])?)
                }
                LayerKind::Dropout { .. } => reads[0],
                LayerKind::Dense { .. } => reads[0].map(|steps| Steps { raw: false, ..steps }),
                LayerKind::Gru { return_sequences, .. } | LayerKind::Lstm { return_sequences, .. } => {
                    sequences.recurrent(reads[0], *return_sequences)
                }
                LayerKind::Concat { axis } => sequences.concat(&layer.name, &reads, axis + 1 == layer.shape.len())?,
                LayerKind::Flatten => {
                    sequences.read_as_whole(&layer.name, reads[0])?;
                    None
                }
            };
            sequences.layers.push(steps);
        }
        Ok(sequences)
    }

    /// What a node's steps are; None for a value without steps of an input.
    pub(crate) fn node(&self, node: NodeRef) -> Option<Steps> {
        match node {
            NodeRef::Input(index) => self.inputs[index],
            NodeRef::Layer(index) => self.layers[index],
        }
    }

    /// Whether a recurrent layer needs the lengths of an input.
    pub(crate) fn measured(&self, input: usize) -> bool {
        self.measured.contains(&input)
    }

    /// Whether an input may have any number of steps: only recurrent layers read them, and all know where rows end, or
    /// none does.
    pub(crate) fn open(&self, input: usize) -> bool {
        let read = self.measured.contains(&input) || self.unmeasured.contains(&input);
        let both = self.measured.contains(&input) && self.unmeasured.contains(&input);
        read && !both && !self.fixed.contains(&input)
    }

    /// The value by which an input's steps are masked.
    pub(crate) fn mask_value(&self, input: usize) -> Option<f32> {
        self.masks[input]
    }

    fn mask(
        &mut self,
        network: &Network,
        layer: &str,
        mask_value: f32,
        read: Option<Steps>,
    ) -> Result<Steps, SequenceError> {
        let steps = read.filter(|steps| steps.raw);
        let steps = steps.ok_or_else(|| SequenceError::MaskOfLayer { layer: layer.to_owned() })?;
        match self.masks[steps.input].replace(mask_value) {
            Some(earlier) if earlier != mask_value => {
                let input = network.inputs()[steps.input].name.clone();
                Err(SequenceError::TwoMasks { layer: layer.to_owned(), input })
            }
            // A mask sets the steps that it leaves out to zero: no change where they are zero already.
            _ => Ok(Steps { measured: true, whole: steps.whole && mask_value == 0.0, ..steps }),
        }
    }

    fn recurrent(&mut self, read: Option<Steps>, return_sequences: bool) -> Option<Steps> {
        let steps = read?;
        if steps.measured {
            self.measured.insert(steps.input);
        } else {
            self.unmeasured.insert(steps.input);
        }
        // Behind the end of a row the network repeats the last state, the operator writes zeros.
        return_sequences.then_some(Steps { raw: false, whole: steps.whole && !steps.measured, ..steps })
    }

    fn concat(
        &mut self,
        layer: &str,
        reads: &[Option<Steps>],
        along_features: bool,
    ) -> Result<Option<Steps>, SequenceError> {
        let first = reads[0];
        let alike = |a: &Option<Steps>, b: &Option<Steps>| match (a, b) {
            (Some(a), Some(b)) => a.input == b.input && a.measured == b.measured,
            (None, None) => true,
            _ => false,
        };
        if along_features && reads.iter().all(|read| alike(read, &first)) {
            let whole = reads.iter().flatten().all(|steps| steps.whole);
            return Ok(first.map(|steps| Steps { raw: false, whole, ..steps }));
        }
        if reads.iter().flatten().any(|steps| steps.measured) {
            return Err(SequenceError::Joined { layer: layer.to_owned() });
        }
        self.fixed.extend(reads.iter().flatten().map(|steps| steps.input));
        Ok(None)
    }

    fn read_as_whole(&mut self, layer: &str, read: Option<Steps>) -> Result<(), SequenceError> {
        let Some(steps) = read else { return Ok(()) };
        self.fixed.insert(steps.input);
        if steps.whole { Ok(()) } else { Err(SequenceError::ReadAsWhole { layer: layer.to_owned() }) }
    }
}
