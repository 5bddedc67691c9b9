//! Keras' LSTM with activation tanh and recurrent activation sigmoid.
//!
//! ```text
//! i = sigmoid(x Wi + h Ui + bi)    f = sigmoid(x Wf + h Uf + bf)
//! g = tanh(x Wc + h Uc + bc)       o = sigmoid(x Wo + h Uo + bo)
//! c' = f * c + i * g               h' = o * tanh(c')
//! ```
//!
//! Kernel columns and gate rows come in Keras' order i, f, g (Keras says c), o.

use super::cell::{BackwardStep, Cell, ForwardStep};
use super::lanes::{Arithmetic, LANES, Row, masked};
use super::packed::Packed;
use super::tile::{accumulate, tile_start};

/// The long short-term memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lstm;

const I: usize = 0;
const F: usize = 1;
const G: usize = 2;
const O: usize = 3;

impl Cell for Lstm {
    const COLUMNS: usize = 4;
    const INPUT_BLOCKS: (usize, &'static [usize]) = (I, &[0, 1, 2, 3]);
    const RECURRENT_BLOCKS: (usize, &'static [usize]) = (I, &[0, 1, 2, 3]);
    const HAS_CELL_STATE: bool = true;

    fn bias(bias: &[f32], units: usize, block: usize, unit: usize) -> f32 {
        bias[block * units + unit]
    }

    fn bias_gradient(units: usize, sum: &dyn Fn(usize, usize) -> f32) -> Vec<f32> {
        [I, F, G, O].iter().flat_map(|&block| (0..units).map(move |unit| sum(block, unit))).collect()
    }

    #[inline(always)]
    fn forward<A: Arithmetic, const J: usize>(packed: &Packed, step: ForwardStep<'_>) {
        let ForwardStep { input, state, next_state, cell, next_cell, gates, mask } = step;
        let units = packed.units;
        let stride = 4 * units;
        for block in [I, F, G, O] {
            let rows = &mut gates[block * units..(block + 1) * units];
            let bias = &packed.bias[block * units..(block + 1) * units];
            for tile in 0..units.div_ceil(J) {
                let first = tile_start(tile, units, J);
                let mut sums = [Row::ZERO; J];
                for j in 0..J {
                    sums[j] = Row::splat(bias[first + j]);
                }
                let sums = accumulate::<A, J>(sums, input, &packed.kernel, stride, block * units + first);
                let sums = accumulate::<A, J>(sums, state, &packed.recurrent, stride, block * units + first);
                for j in 0..J {
                    rows[first + j] = if block == G { sums[j].tanh::<A>() } else { sums[j].sigmoid::<A>() };
                }
            }
        }
        let (i, gates) = gates.split_at(units);
        let (f, gates) = gates.split_at(units);
        let (g, o) = gates.split_at(units);
        for j in 0..units {
            let mut memory = Row::ZERO;
            for lane in 0..LANES {
                let value = A::mul_add(f[j].0[lane], cell[j].0[lane], i[j].0[lane] * g[j].0[lane]);
                memory.0[lane] = masked(value, mask.0[lane]);
            }
            let mut next = memory.tanh::<A>();
            for lane in 0..LANES {
                next.0[lane] = masked(next.0[lane] * o[j].0[lane], mask.0[lane]);
            }
            next_cell[j] = memory;
            next_state[j] = next;
        }
    }

    #[inline(always)]
    fn backward<A: Arithmetic>(units: usize, step: BackwardStep<'_>) {
        let BackwardStep { cell, next_cell, gates, mask, state_gradient, cell_gradient, gate_gradients, .. } = step;
        let (i, gates) = gates.split_at(units);
        let (f, gates) = gates.split_at(units);
        let (g, o) = gates.split_at(units);
        let (di, gate_gradients) = gate_gradients.split_at_mut(units);
        let (df, gate_gradients) = gate_gradients.split_at_mut(units);
        let (dg, d_o) = gate_gradients.split_at_mut(units);
        for j in 0..units {
            let (i, f, g, o, c) = (i[j].0, f[j].0, g[j].0, o[j].0, cell[j].0);
            let squashed = next_cell[j].tanh::<A>().0;
            let (by_state, by_cell) = (state_gradient[j].0, cell_gradient[j].0);
            let mut out = [[0.0; LANES]; 5];
            for lane in 0..LANES {
                let by_state = masked(by_state[lane], mask.0[lane]);
                let by_cell = masked(by_cell[lane], mask.0[lane]);
                let (i, f, g, o, squashed) = (i[lane], f[lane], g[lane], o[lane], squashed[lane]);
                let by_cell = A::mul_add(by_state * o, A::mul_add(-squashed, squashed, 1.0), by_cell);
                out[I][lane] = by_cell * g * (i * (1.0 - i));
                out[F][lane] = by_cell * c[lane] * (f * (1.0 - f));
                out[G][lane] = by_cell * i * A::mul_add(-g, g, 1.0);
                out[O][lane] = by_state * squashed * (o * (1.0 - o));
                out[4][lane] = by_cell * f;
            }
            di[j] = Row(out[I]);
            df[j] = Row(out[F]);
            dg[j] = Row(out[G]);
            d_o[j] = Row(out[O]);
            cell_gradient[j] = Row(out[4]);
            state_gradient[j] = Row::ZERO;
        }
    }
}
