//! Recurrent layers on plain `f32`: forward, and backward through time.
//!
//! Sequences are computed sixteen side by side (`lanes`), sorted by length within a block of rows, so that steps which a
//! sequence does not have cost nothing. Each step is one matrix product in register tiles (`tile`), the input's product
//! fused into it, and the cell's equations (`cell`, `gru`, `lstm`); the gradients of the weights are collected over chunks
//! of steps (`recurrence`). `dispatch` picks the compilation for this machine's vector instructions.
//!
//! This module knows no tensors and no autodiff: `recurrent` makes it an operation on burn's.

mod cell;
mod dispatch;
mod gru;
mod lanes;
mod lstm;
mod packed;
mod recurrence;
mod sequences;
mod tile;

pub(crate) use dispatch::Level;
pub(crate) use packed::RecurrentWeights;
pub(crate) use sequences::Kept;

use std::fmt;
use std::sync::{Arc, Mutex};

use cell::Cell;
use gru::Gru;
use lanes::Row;
use lstm::Lstm;
use packed::Packed;
use recurrence::{Panel, Scratch, Upstream};

/// Which equations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// See `gru`.
    Gru,
    /// See `lstm`.
    Lstm,
}

/// Sizes of a recurrent layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecurrentShape {
    pub(crate) kind: Kind,
    /// Most steps of a sequence.
    pub(crate) steps: usize,
    /// Features of a step.
    pub(crate) input: usize,
    /// Width of the state.
    pub(crate) units: usize,
    /// Whether the output is the state after every step, or after the last.
    pub(crate) return_sequences: bool,
}

/// What the forward pass of one block of rows leaves for the backward pass. Its buffers go back to the pool when dropped.
pub(crate) struct Tape {
    shape: RecurrentShape,
    level: Level,
    packed: Packed,
    panels: Vec<Panel>,
    /// Rows of the block in the lanes of each panel.
    lanes: Vec<Vec<usize>>,
    kept: Vec<Kept>,
    pool: Arc<Pool>,
}

/// Gradients of one block's loss.
#[derive(Debug)]
pub(crate) struct RecurrentGradients {
    pub(crate) kernel: Vec<f32>,
    pub(crate) recurrent: Vec<f32>,
    pub(crate) bias: Vec<f32>,
    /// `[rows, steps, input]`, if it was asked for.
    pub(crate) input: Option<Vec<f32>>,
}

/// Buffers that no block uses at the moment.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    panels: Mutex<Vec<Panel>>,
    scratches: Mutex<Vec<Scratch>>,
}

impl Pool {
    fn panel(&self) -> Panel {
        self.panels.lock().ok().and_then(|mut panels| panels.pop()).unwrap_or_default()
    }

    fn scratch(&self) -> Scratch {
        self.scratches.lock().ok().and_then(|mut scratches| scratches.pop()).unwrap_or_default()
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        if let Ok(mut panels) = self.pool.panels.lock() {
            panels.append(&mut self.panels);
        }
    }
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tape").field("shape", &self.shape).field("lanes", &self.lanes).finish_non_exhaustive()
    }
}

/// Computes a block of `rows`, each `[steps, input]` or shorter, leaving out the steps that are not `kept`.
///
/// Returns `[rows, units]`, or `[rows, steps, units]` with `return_sequences`: there, a step that is left out repeats the
/// state before it, as in Keras. The tape is for [`backward`]; without `keep` it holds nothing to go back on.
pub(crate) fn forward(
    shape: RecurrentShape,
    level: Level,
    weights: &RecurrentWeights<'_>,
    rows: &[&[f32]],
    kept: Vec<Kept>,
    pool: &Arc<Pool>,
    keep: bool,
) -> (Vec<f32>, Tape) {
    match shape.kind {
        Kind::Gru => forward_cell::<Gru>(shape, level, weights, rows, kept, pool, keep),
        Kind::Lstm => forward_cell::<Lstm>(shape, level, weights, rows, kept, pool, keep),
    }
}

/// Takes the derivative of the loss by the output of [`forward`] back to weights and, if wanted, to the input.
pub(crate) fn backward(tape: &Tape, upstream: &[f32], input_gradient: bool) -> RecurrentGradients {
    match tape.shape.kind {
        Kind::Gru => backward_cell::<Gru>(tape, upstream, input_gradient),
        Kind::Lstm => backward_cell::<Lstm>(tape, upstream, input_gradient),
    }
}

fn forward_cell<C: Cell>(
    shape: RecurrentShape,
    level: Level,
    weights: &RecurrentWeights<'_>,
    rows: &[&[f32]],
    kept: Vec<Kept>,
    pool: &Arc<Pool>,
    keep: bool,
) -> (Vec<f32>, Tape) {
    let packed = level.pack::<C>(weights);
    // The state of every step is an output: it must be there after the loop.
    let keep = keep || shape.return_sequences;
    let lanes = sequences::into_lanes(&kept);
    let mut output = vec![0.0; rows.len() * shape.output_size()];
    let mut panels = Vec::with_capacity(lanes.len());
    for lanes in &lanes {
        let mut panel = pool.panel();
        sequences::load(&mut panel, rows, &kept, lanes, shape.input, packed.input);
        level.forward::<C>(&packed, &mut panel, keep);
        if shape.return_sequences {
            sequences::store_states(&panel, &kept, lanes, shape, packed.units, &mut output);
        } else {
            let last = panel.last_state(&packed, keep);
            for (lane, &row) in lanes.iter().enumerate() {
                for (value, state) in output[row * shape.units..][..shape.units].iter_mut().zip(last) {
                    *value = state.0[lane];
                }
            }
        }
        panels.push(panel);
    }
    (output, Tape { shape, level, packed, panels, lanes, kept, pool: Arc::clone(pool) })
}

fn backward_cell<C: Cell>(tape: &Tape, upstream: &[f32], want_input: bool) -> RecurrentGradients {
    let Tape { shape, level, packed, .. } = tape;
    let units = packed.units;
    let mut scratch = tape.pool.scratch();
    level.clear::<C>(packed, &mut scratch);
    let mut input_gradient = want_input.then(|| vec![0.0; tape.kept.len() * shape.steps * shape.input]);
    for (panel, lanes) in tape.panels.iter().zip(&tape.lanes) {
        let mut by_input = want_input.then(|| vec![Row::ZERO; panel.steps * packed.input]);
        let rows = if shape.return_sequences {
            sequences::load_state_gradients(panel, &tape.kept, lanes, *shape, units, upstream)
        } else {
            let mut last = vec![Row::ZERO; units];
            for (lane, &row) in lanes.iter().enumerate() {
                for (out, value) in last.iter_mut().zip(&upstream[row * shape.units..][..shape.units]) {
                    out.0[lane] = *value;
                }
            }
            last
        };
        let upstream = if shape.return_sequences { Upstream::Each(&rows) } else { Upstream::Last(&rows) };
        level.backward::<C>(packed, panel, &upstream, &mut scratch, by_input.as_deref_mut());
        if let (Some(gradient), Some(by_input)) = (&mut input_gradient, &by_input) {
            sequences::store_input_gradients(panel, &tape.kept, lanes, *shape, packed.input, by_input, gradient);
        }
    }

    let columns = C::COLUMNS * shape.units;
    let mut kernel = vec![0.0; shape.input * columns];
    let mut recurrent = vec![0.0; shape.units * columns];
    for (sums, out, rows, blocks) in [
        (&scratch.kernel, &mut kernel, shape.input, C::INPUT_BLOCKS.1),
        (&scratch.recurrent, &mut recurrent, shape.units, C::RECURRENT_BLOCKS.1),
    ] {
        level.entries(sums, |row, gate, sum| {
            let (block, unit) = (gate / units, gate % units);
            if row < rows && unit < shape.units {
                out[row * columns + blocks[block] * shape.units + unit] = sum;
            }
        });
    }
    let bias = C::bias_gradient(shape.units, &|block, unit| scratch.bias[block * units + unit].sum() as f32);
    if let Ok(mut scratches) = tape.pool.scratches.lock() {
        scratches.push(scratch);
    }
    RecurrentGradients { kernel, recurrent, bias, input: input_gradient }
}

impl Tape {
    /// Sizes of the layer.
    pub(crate) fn shape(&self) -> RecurrentShape {
        self.shape
    }

    /// Rows of the block.
    pub(crate) fn rows(&self) -> usize {
        self.kept.len()
    }
}

impl RecurrentShape {
    /// Keras' bias as a matrix.
    pub(crate) fn bias_shape(&self) -> [usize; 2] {
        match self.kind {
            Kind::Gru => [2, 3 * self.units],
            Kind::Lstm => [1, 4 * self.units],
        }
    }

    /// Numbers in one row of the output.
    pub(crate) fn output_size(&self) -> usize {
        if self.return_sequences { self.steps * self.units } else { self.units }
    }
}

#[cfg(test)]
pub(crate) mod reference;
#[cfg(test)]
mod tests;
