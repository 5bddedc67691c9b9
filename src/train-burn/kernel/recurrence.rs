//! The loops over steps, forward and back through time, of one panel of sixteen sequences.
//!
//! Sequences end together: a shorter one begins later, and is masked until then. So the last state of all stands in the
//! same place, and the backward pass starts with all of them.

use super::cell::{BackwardStep, Cell, ForwardStep, GATES};
use super::lanes::{Arithmetic, LANES, Mask, Row};
use super::packed::Packed;
use super::tile::{Outer, Steps, product};

/// Steps whose gate derivatives are collected before they are multiplied with inputs and states.
///
/// Enough to pay for loading and storing the sums, few enough to stay in the second-level cache.
const CHUNK: usize = 8;

/// Sixteen sequences and what the forward pass leaves of them for the backward pass.
///
/// Buffers grow to the longest sequence seen and are used again: fresh memory costs a page fault every 4 KiB.
#[derive(Debug, Default)]
pub(crate) struct Panel {
    /// Steps of each lane.
    pub(super) lengths: [usize; LANES],
    /// Steps of the longest lane.
    pub(super) steps: usize,
    /// `[steps][input]`.
    pub(super) input: Vec<Row>,
    /// `[steps + 1][units]`; two steps in turn if the forward pass keeps nothing.
    pub(super) states: Vec<Row>,
    /// As `states`, for cells that have a second state.
    pub(super) cells: Vec<Row>,
    /// `[steps][GATES * units]`; one step if the forward pass keeps nothing.
    pub(super) gates: Vec<Row>,
}

/// Sums and scratch memory of the backward passes of a block of panels.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// Gradient of the kernel: input by gate rows.
    pub(super) kernel: Outer,
    /// Gradient of the recurrent kernel: units by gate rows.
    pub(super) recurrent: Outer,
    /// Sum of the derivatives of every gate row.
    pub(super) bias: Vec<Row>,
    /// `[CHUNK][GATES * units]`.
    gate_gradients: Vec<Row>,
    state_gradient: Vec<Row>,
    next_state_gradient: Vec<Row>,
    cell_gradient: Vec<Row>,
}

/// What reaches a panel's states from the layers above.
pub(crate) enum Upstream<'a> {
    /// The derivative of the loss by the last state: `[units]`.
    Last(&'a [Row]),
    /// By the state after each step: `[steps][units]`.
    Each(&'a [Row]),
}

impl Panel {
    /// Where the state after `step` steps stands.
    fn slot(keep: bool, step: usize) -> usize {
        if keep { step } else { step % 2 }
    }

    /// The last state of every lane: `units` rows.
    pub(super) fn last_state(&self, packed: &Packed, keep: bool) -> &[Row] {
        rows_of(&self.states, packed.units, Self::slot(keep, self.steps))
    }

    #[inline(always)]
    fn mask(&self, step: usize) -> Mask {
        let mut mask = Mask([0; LANES]);
        for (bits, length) in mask.0.iter_mut().zip(self.lengths) {
            *bits = if step + length >= self.steps { u32::MAX } else { 0 };
        }
        mask
    }
}

/// Computes all steps of `panel`, whose lengths and input are set. With `keep`, all that [`backward`] needs stays there.
#[inline(always)]
pub(super) fn forward<C: Cell, A: Arithmetic, const J: usize>(packed: &Packed, panel: &mut Panel, keep: bool) {
    let (units, steps) = (packed.units, panel.steps);
    let kept = if keep { steps } else { steps.min(1) };
    grow(&mut panel.states, (kept + 1) * units);
    grow(&mut panel.gates, kept * GATES * units);
    panel.states[..units].fill(Row::ZERO);
    if C::HAS_CELL_STATE {
        grow(&mut panel.cells, (kept + 1) * units);
        panel.cells[..units].fill(Row::ZERO);
    }
    for step in 0..steps {
        let mask = panel.mask(step);
        let (from, to) = (Panel::slot(keep, step), Panel::slot(keep, step + 1));
        let (state, next_state) = two_rows_of(&mut panel.states, units, from, to);
        let (cell, next_cell) =
            if C::HAS_CELL_STATE { two_rows_of(&mut panel.cells, units, from, to) } else { (&mut [][..], &mut [][..]) };
        let gates = GATES * units;
        let gates_at = if keep { step * gates } else { 0 };
        C::forward::<A, J>(
            packed,
            ForwardStep {
                input: rows_of(&panel.input, packed.input, step),
                state,
                next_state,
                cell,
                next_cell,
                gates: &mut panel.gates[gates_at..gates_at + gates],
                mask,
            },
        );
    }
}

/// Sets the sums of `scratch` to zero.
pub(super) fn clear<C: Cell, const W: usize>(packed: &Packed, scratch: &mut Scratch) {
    scratch.kernel.clear::<W>(packed.input, C::INPUT_BLOCKS.1.len() * packed.units);
    scratch.recurrent.clear::<W>(packed.units, C::RECURRENT_BLOCKS.1.len() * packed.units);
    scratch.bias.clear();
    scratch.bias.resize(GATES * packed.units, Row::ZERO);
}

/// Takes `upstream` back through all steps of `panel`, adds the weights' gradients to `scratch`, and writes the input's
/// gradient (`[steps][input]`) to `input_gradient` if there is one.
#[inline(always)]
pub(super) fn backward<C: Cell, A: Arithmetic, const J: usize, const W: usize>(
    packed: &Packed,
    panel: &Panel,
    upstream: &Upstream<'_>,
    scratch: &mut Scratch,
    mut input_gradient: Option<&mut [Row]>,
) {
    let units = packed.units;
    let gate_rows = GATES * units;
    grow(&mut scratch.gate_gradients, CHUNK * gate_rows);
    for rows in [&mut scratch.state_gradient, &mut scratch.next_state_gradient, &mut scratch.cell_gradient] {
        rows.clear();
        rows.resize(units, Row::ZERO);
    }
    if let Upstream::Last(last) = upstream {
        scratch.state_gradient.copy_from_slice(last);
    }
    let recurrent_first = C::RECURRENT_BLOCKS.0 * units;
    let recurrent_end = recurrent_first + C::RECURRENT_BLOCKS.1.len() * units;
    let input_first = C::INPUT_BLOCKS.0 * units;
    let input_end = input_first + C::INPUT_BLOCKS.1.len() * units;

    let mut end = panel.steps;
    while end > 0 {
        let start = end.saturating_sub(CHUNK);
        for step in (start..end).rev() {
            if let Upstream::Each(each) = upstream {
                for (sum, row) in scratch.state_gradient.iter_mut().zip(rows_of(each, units, step)) {
                    *sum = sum.add(*row);
                }
            }
            let gate_gradients = &mut scratch.gate_gradients[(step - start) * gate_rows..][..gate_rows];
            let (cell, next_cell) = if C::HAS_CELL_STATE {
                (rows_of(&panel.cells, units, step), rows_of(&panel.cells, units, step + 1))
            } else {
                (&[][..], &[][..])
            };
            C::backward::<A>(
                units,
                BackwardStep {
                    state: rows_of(&panel.states, units, step),
                    cell,
                    next_cell,
                    gates: rows_of(&panel.gates, gate_rows, step),
                    mask: panel.mask(step),
                    state_gradient: &mut scratch.state_gradient,
                    cell_gradient: &mut scratch.cell_gradient,
                    gate_gradients,
                },
            );
            for (sum, row) in scratch.bias.iter_mut().zip(gate_gradients.iter()) {
                *sum = sum.add(*row);
            }
            product::<A, J>(
                &mut scratch.next_state_gradient,
                Some(&scratch.state_gradient),
                &gate_gradients[recurrent_first..recurrent_end],
                &packed.recurrent_transposed,
            );
            std::mem::swap(&mut scratch.state_gradient, &mut scratch.next_state_gradient);
            if let Some(input_gradient) = input_gradient.as_deref_mut() {
                let out = &mut input_gradient[step * packed.input..][..packed.input];
                product::<A, J>(out, None, &gate_gradients[input_first..input_end], &packed.kernel_transposed);
            }
        }
        let count = end - start;
        let gradients = |first| Steps { rows: &scratch.gate_gradients, stride: gate_rows, first };
        let input = &panel.input[start * packed.input..];
        let input = Steps { rows: input, stride: packed.input, first: 0 };
        scratch.kernel.add::<A, W>(input, gradients(input_first), count);
        let states = Steps { rows: &panel.states[start * units..], stride: units, first: 0 };
        scratch.recurrent.add::<A, W>(states, gradients(recurrent_first), count);
        end = start;
    }
}

/// The `index`-th group of `count` rows.
#[inline(always)]
fn rows_of(rows: &[Row], count: usize, index: usize) -> &[Row] {
    &rows[index * count..(index + 1) * count]
}

/// Two different groups of `count` rows, the second to be written.
#[inline(always)]
fn two_rows_of(rows: &mut [Row], count: usize, read: usize, write: usize) -> (&mut [Row], &mut [Row]) {
    let (low, high) = rows.split_at_mut(read.max(write) * count);
    let low = &mut low[read.min(write) * count..][..count];
    let high = &mut high[..count];
    if read < write { (low, high) } else { (high, low) }
}

/// Makes `rows` at least `count` long. What is there stays, whatever it is.
pub(super) fn grow(rows: &mut Vec<Row>, count: usize) {
    if rows.len() < count {
        rows.resize(count, Row::ZERO);
    }
}
