//! A recurrent layer's weights in the order in which the kernels read them.

use super::cell::{Cell, GATES};
use super::tile::Outer;

/// A recurrent layer's weights as Keras stores them.
#[derive(Clone, Copy)]
pub(crate) struct RecurrentWeights<'a> {
    /// Features of a step.
    pub(crate) input: usize,
    /// Width of the state.
    pub(crate) units: usize,
    /// `[input, columns * units]`, row major.
    pub(crate) kernel: &'a [f32],
    /// `[units, columns * units]`, row major.
    pub(crate) recurrent: &'a [f32],
    /// GRU: `[2, 3 * units]`; LSTM: `[4 * units]`.
    pub(crate) bias: &'a [f32],
}

/// The weights with small layers padded by zeros to the size of a tile, and the transposes that the backward pass needs.
///
/// A padded unit has zero weights in and out: its state never reaches another unit, and its gradient is dropped.
#[derive(Debug)]
pub(crate) struct Packed {
    /// Features of a step, padded.
    pub(super) input: usize,
    /// Width of the state, padded.
    pub(super) units: usize,
    /// `[input, columns * units]`.
    pub(super) kernel: Vec<f32>,
    /// `[units, columns * units]`.
    pub(super) recurrent: Vec<f32>,
    /// One for each gate row.
    pub(super) bias: Vec<f32>,
    /// `[gate rows that multiply the state, units]`.
    pub(super) recurrent_transposed: Vec<f32>,
    /// `[gate rows that multiply the input, input]`.
    pub(super) kernel_transposed: Vec<f32>,
}

impl Packed {
    /// Packs `weights` for tiles of `tile` outputs.
    pub(super) fn new<C: Cell>(weights: &RecurrentWeights<'_>, tile: usize) -> Packed {
        let least = tile.max(Outer::LEAST);
        let (input, units) = (weights.input.max(least), weights.units.max(least));
        let columns = C::COLUMNS;
        let mut packed = Packed {
            input,
            units,
            kernel: vec![0.0; input * columns * units],
            recurrent: vec![0.0; units * columns * units],
            bias: vec![0.0; GATES * units],
            recurrent_transposed: vec![0.0; columns * units * units],
            kernel_transposed: vec![0.0; columns * units * input],
        };
        let real = weights.units;
        for block in 0..columns {
            for unit in 0..real {
                for i in 0..weights.input {
                    packed.kernel[(i * columns + block) * units + unit] =
                        weights.kernel[(i * columns + block) * real + unit];
                }
                for i in 0..real {
                    packed.recurrent[(i * columns + block) * units + unit] =
                        weights.recurrent[(i * columns + block) * real + unit];
                }
            }
        }
        for block in 0..GATES {
            for unit in 0..real {
                packed.bias[block * units + unit] = C::bias(weights.bias, real, block, unit);
            }
        }
        for (order, &block) in C::RECURRENT_BLOCKS.1.iter().enumerate() {
            for unit in 0..units {
                for i in 0..units {
                    packed.recurrent_transposed[(order * units + unit) * units + i] =
                        packed.recurrent[(i * columns + block) * units + unit];
                }
            }
        }
        for (order, &block) in C::INPUT_BLOCKS.1.iter().enumerate() {
            for unit in 0..units {
                for i in 0..input {
                    packed.kernel_transposed[(order * units + unit) * input + i] =
                        packed.kernel[(i * columns + block) * units + unit];
                }
            }
        }
        packed
    }
}
