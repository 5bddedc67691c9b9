//! What differs between recurrent layers: how gates make the next state, and how its derivative reaches the gates.
//!
//! A cell's *gate rows* come in four blocks of `units` rows. The derivatives of some consecutive blocks belong to the
//! columns of the kernel (they multiply the input), of some to those of the recurrent kernel (they multiply the state).

use super::lanes::{Arithmetic, Mask, Row};
use super::packed::Packed;

/// Blocks of gate rows that are kept for each step.
pub(super) const GATES: usize = 4;

/// A recurrent layer's equations. All functions are inlined into one loop over steps (`recurrence`).
pub(crate) trait Cell: Copy + 'static {
    /// Column blocks of the kernel and of the recurrent kernel, in Keras' order.
    const COLUMNS: usize;
    /// First block of gate rows whose derivatives multiply the input, and the column block of each from there on.
    const INPUT_BLOCKS: (usize, &'static [usize]);
    /// First block of gate rows whose derivatives multiply the state, and the column block of each from there on.
    const RECURRENT_BLOCKS: (usize, &'static [usize]);
    /// Whether there is a second state beside the output.
    const HAS_CELL_STATE: bool;

    /// The bias of each block of gate rows, from Keras' bias.
    fn bias(bias: &[f32], units: usize, block: usize, unit: usize) -> f32;

    /// Keras' bias gradient, from the sum of the derivatives of each block of gate rows.
    fn bias_gradient(units: usize, sum: &dyn Fn(usize, usize) -> f32) -> Vec<f32>;

    /// Computes one step from `input`, `state` and `cell`; writes gates and next states.
    fn forward<A: Arithmetic, const J: usize>(packed: &Packed, step: ForwardStep<'_>);

    /// Takes the derivative of the loss by the next state (and next cell state) back to the gates.
    ///
    /// Leaves in `state_gradient` and `cell_gradient` what reaches the previous states without the recurrent kernel.
    /// Lanes that are masked get zero everywhere.
    fn backward<A: Arithmetic>(units: usize, step: BackwardStep<'_>);
}

/// One step forward: slices of `input`, `units` or `GATES * units` rows.
pub(crate) struct ForwardStep<'a> {
    pub(super) input: &'a [Row],
    pub(super) state: &'a [Row],
    pub(super) next_state: &'a mut [Row],
    pub(super) cell: &'a [Row],
    pub(super) next_cell: &'a mut [Row],
    pub(super) gates: &'a mut [Row],
    pub(super) mask: Mask,
}

/// One step backward: what [`ForwardStep`] read and wrote, and the derivatives.
pub(crate) struct BackwardStep<'a> {
    pub(super) state: &'a [Row],
    pub(super) cell: &'a [Row],
    pub(super) next_cell: &'a [Row],
    pub(super) gates: &'a [Row],
    pub(super) mask: Mask,
    pub(super) state_gradient: &'a mut [Row],
    pub(super) cell_gradient: &'a mut [Row],
    pub(super) gate_gradients: &'a mut [Row],
}
