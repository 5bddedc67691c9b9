//! Rows of a block to lanes and back: which steps count, which rows go side by side.

use super::RecurrentShape;
use super::lanes::{LANES, Row};
use super::recurrence::{Panel, grow};

/// The steps of one row that a recurrent layer computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// The first so many.
    First(usize),
    /// These, in ascending order.
    These(Vec<u32>),
}

impl Kept {
    /// How many.
    pub(crate) fn len(&self) -> usize {
        match self {
            Kept::First(count) => *count,
            Kept::These(steps) => steps.len(),
        }
    }

    /// The `index`-th of them.
    pub(crate) fn step(&self, index: usize) -> usize {
        match self {
            Kept::First(_) => index,
            Kept::These(steps) => steps[index] as usize,
        }
    }
}

/// Rows for the lanes of each panel: the longest sequences first, so that a panel's are about equally long.
pub(super) fn into_lanes(kept: &[Kept]) -> Vec<Vec<usize>> {
    let mut rows: Vec<usize> = (0..kept.len()).collect();
    rows.sort_by_key(|&row| std::cmp::Reverse(kept[row].len()));
    rows.chunks(LANES).map(<[usize]>::to_vec).collect()
}

/// Sets the lengths and the input of `panel`: `width` features a step, in groups of `stride` rows.
pub(super) fn load(panel: &mut Panel, rows: &[&[f32]], kept: &[Kept], lanes: &[usize], width: usize, stride: usize) {
    panel.lengths = [0; LANES];
    for (length, &row) in panel.lengths.iter_mut().zip(lanes) {
        *length = kept[row].len();
    }
    panel.steps = panel.lengths.iter().copied().max().unwrap_or(0);
    grow(&mut panel.input, panel.steps * stride);
    for (step, input) in panel.input.chunks_exact_mut(stride).take(panel.steps).enumerate() {
        input.fill(Row::ZERO);
        for (lane, &row) in lanes.iter().enumerate() {
            let Some(index) = (step + panel.lengths[lane]).checked_sub(panel.steps) else { continue };
            let at = kept[row].step(index) * width;
            for (input, value) in input.iter_mut().zip(&rows[row][at..at + width]) {
                input.0[lane] = *value;
            }
        }
    }
}

/// Writes the state after every step; a step that was left out repeats the one before, the first ones are zero.
pub(super) fn store_states(
    panel: &Panel,
    kept: &[Kept],
    lanes: &[usize],
    shape: RecurrentShape,
    units: usize,
    output: &mut [f32],
) {
    for (lane, &row) in lanes.iter().enumerate() {
        let output = &mut output[row * shape.output_size()..][..shape.output_size()];
        for (index, steps) in covered(&kept[row], shape.steps) {
            let state = &panel.states[(panel.steps - kept[row].len() + index + 1) * units..][..units];
            for step in steps {
                for (value, state) in output[step * shape.units..][..shape.units].iter_mut().zip(state) {
                    *value = state.0[lane];
                }
            }
        }
    }
}

/// The derivative of the loss by the state after each of the panel's steps, from that by the output.
pub(super) fn load_state_gradients(
    panel: &Panel,
    kept: &[Kept],
    lanes: &[usize],
    shape: RecurrentShape,
    units: usize,
    upstream: &[f32],
) -> Vec<Row> {
    let mut gradients = vec![Row::ZERO; panel.steps * units];
    for (lane, &row) in lanes.iter().enumerate() {
        let upstream = &upstream[row * shape.output_size()..][..shape.output_size()];
        for (index, steps) in covered(&kept[row], shape.steps) {
            let state = &mut gradients[(panel.steps - kept[row].len() + index) * units..][..units];
            for step in steps {
                for (state, value) in state.iter_mut().zip(&upstream[step * shape.units..][..shape.units]) {
                    state.0[lane] += *value;
                }
            }
        }
    }
    gradients
}

/// Writes the derivatives by the input to the steps that were computed. `gradient` is zero elsewhere.
pub(super) fn store_input_gradients(
    panel: &Panel,
    kept: &[Kept],
    lanes: &[usize],
    shape: RecurrentShape,
    stride: usize,
    by_input: &[Row],
    gradient: &mut [f32],
) {
    let size = shape.steps * shape.input;
    for (lane, &row) in lanes.iter().enumerate() {
        let gradient = &mut gradient[row * size..][..size];
        let kept = &kept[row];
        for index in 0..kept.len() {
            let from = &by_input[(panel.steps - kept.len() + index) * stride..][..stride];
            let to = &mut gradient[kept.step(index) * shape.input..][..shape.input];
            for (to, from) in to.iter_mut().zip(from) {
                *to = from.0[lane];
            }
        }
    }
}

/// Each kept step's index, with the output steps that show the state after it: itself and those left out behind it.
fn covered(kept: &Kept, steps: usize) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> + '_ {
    (0..kept.len()).map(move |index| {
        let end = if index + 1 < kept.len() { kept.step(index + 1) } else { steps };
        (index, kept.step(index)..end)
    })
}
