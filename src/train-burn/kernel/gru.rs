//! Keras' GRU with `reset_after = true`, activation tanh, recurrent activation sigmoid.
//!
//! ```text
//! z  = sigmoid(x Wz + bz + h Uz + cz)      r = sigmoid(x Wr + br + h Ur + cr)
//! hn = h Un + cn                           n = tanh(x Wn + bn + r * hn)
//! h' = z * h + (1 - z) * n
//! ```
//!
//! Kernel columns come in Keras' order z, r, n; the bias is `[2, 3 * units]`: b above, then c.
//! Gate rows are kept in the order n, z, r, hn: the derivatives of n, z, r multiply the input, those of z, r, hn the state.

use super::cell::{BackwardStep, Cell, ForwardStep};
use super::lanes::{Arithmetic, LANES, Row, masked};
use super::packed::Packed;
use super::tile::{accumulate, tile_start};

/// The gated recurrent unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gru;

const N: usize = 0;
const Z: usize = 1;
const R: usize = 2;
const HN: usize = 3;

impl Cell for Gru {
    const COLUMNS: usize = 3;
    const INPUT_BLOCKS: (usize, &'static [usize]) = (N, &[2, 0, 1]);
    const RECURRENT_BLOCKS: (usize, &'static [usize]) = (Z, &[0, 1, 2]);
    const HAS_CELL_STATE: bool = false;

    fn bias(bias: &[f32], units: usize, block: usize, unit: usize) -> f32 {
        let (input, recurrent) = bias.split_at(3 * units);
        match block {
            Z => input[unit] + recurrent[unit],
            R => input[units + unit] + recurrent[units + unit],
            N => input[2 * units + unit],
            _ => recurrent[2 * units + unit],
        }
    }

    fn bias_gradient(units: usize, sum: &dyn Fn(usize, usize) -> f32) -> Vec<f32> {
        [Z, R, N, Z, R, HN].iter().flat_map(|&block| (0..units).map(move |unit| sum(block, unit))).collect()
    }

    #[inline(always)]
    fn forward<A: Arithmetic, const J: usize>(packed: &Packed, step: ForwardStep<'_>) {
        let ForwardStep { input, state, next_state, gates, mask, .. } = step;
        let units = packed.units;
        let stride = 3 * units;
        let (n, gates) = gates.split_at_mut(units);
        let (zr, hn) = gates.split_at_mut(2 * units);
        let (bias_n, bias) = packed.bias.split_at(units);
        let (bias_zr, bias_hn) = bias.split_at(2 * units);

        for tile in 0..(2 * units).div_ceil(J) {
            let first = tile_start(tile, 2 * units, J);
            let mut sums = [Row::ZERO; J];
            for j in 0..J {
                sums[j] = Row::splat(bias_zr[first + j]);
            }
            let sums = accumulate::<A, J>(sums, input, &packed.kernel, stride, first);
            let sums = accumulate::<A, J>(sums, state, &packed.recurrent, stride, first);
            for j in 0..J {
                zr[first + j] = sums[j].sigmoid::<A>();
            }
        }

        let (z, r) = zr.split_at(units);
        for tile in 0..units.div_ceil(J) {
            let first = tile_start(tile, units, J);
            let mut sums = [Row::ZERO; J];
            for j in 0..J {
                sums[j] = Row::splat(bias_hn[first + j]);
            }
            let mut sums = accumulate::<A, J>(sums, state, &packed.recurrent, stride, 2 * units + first);
            for j in 0..J {
                hn[first + j] = sums[j];
                for lane in 0..LANES {
                    sums[j].0[lane] = A::mul_add(r[first + j].0[lane], sums[j].0[lane], bias_n[first + j]);
                }
            }
            let sums = accumulate::<A, J>(sums, input, &packed.kernel, stride, 2 * units + first);
            for j in 0..J {
                let new = sums[j].tanh::<A>();
                n[first + j] = new;
                let (z, old) = (z[first + j], state[first + j]);
                let mut next = Row::ZERO;
                for lane in 0..LANES {
                    let value = A::mul_add(z.0[lane], old.0[lane] - new.0[lane], new.0[lane]);
                    next.0[lane] = masked(value, mask.0[lane]);
                }
                next_state[first + j] = next;
            }
        }
    }

    #[inline(always)]
    fn backward<A: Arithmetic>(units: usize, step: BackwardStep<'_>) {
        let BackwardStep { state, gates, mask, state_gradient, gate_gradients, .. } = step;
        let (n, gates) = gates.split_at(units);
        let (z, gates) = gates.split_at(units);
        let (r, hn) = gates.split_at(units);
        let (dn, gate_gradients) = gate_gradients.split_at_mut(units);
        let (dz, gate_gradients) = gate_gradients.split_at_mut(units);
        let (dr, dhn) = gate_gradients.split_at_mut(units);
        for j in 0..units {
            let (n, z, r, hn, h) = (n[j].0, z[j].0, r[j].0, hn[j].0, state[j].0);
            let gradient = state_gradient[j].0;
            let mut out = [[0.0; LANES]; 5];
            for lane in 0..LANES {
                let gradient = masked(gradient[lane], mask.0[lane]);
                let (n, z, r) = (n[lane], z[lane], r[lane]);
                let new = 1.0 - z;
                let by_n = gradient * new * A::mul_add(-n, n, 1.0);
                let by_hn = by_n * r;
                out[N][lane] = by_n;
                out[Z][lane] = gradient * (h[lane] - n) * (z * new);
                out[R][lane] = by_hn * hn[lane] * (1.0 - r);
                out[HN][lane] = by_hn;
                out[4][lane] = gradient * z;
            }
            dn[j] = Row(out[N]);
            dz[j] = Row(out[Z]);
            dr[j] = Row(out[R]);
            dhn[j] = Row(out[HN]);
            state_gradient[j] = Row(out[4]);
        }
    }
}
