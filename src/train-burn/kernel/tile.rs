//! The two matrix products of a recurrent layer, in tiles that stay in registers.
//!
//! * [`accumulate`]: weights times rows. `J` outputs of sixteen lanes each are summed over all rows; each weight is
//!   loaded once and used for sixteen lanes.
//! * [`Outer`]: the gradient of weights. Rows times rows, summed over lanes and steps; `W` partial sums an entry are kept
//!   until the end, so that no step has to add lanes up.
//!
//! Edges need no padding: the last tile is moved back to end at the edge, and computes some entries a second time.

use super::lanes::{Arithmetic, LANES, Row};

/// First indices of the tiles of `width` that cover `0..count`; the last is moved back to end at `count`.
#[inline(always)]
pub(super) fn tile_start(tile: usize, count: usize, width: usize) -> usize {
    (tile * width).min(count - width)
}

/// Adds, to each of the `J` sums, the weights of columns `first..first + J` times the rows.
///
/// `weights` holds `stride` columns for each of `rows`, row major.
#[inline(always)]
pub(super) fn accumulate<A: Arithmetic, const J: usize>(
    mut sums: [Row; J],
    rows: &[Row],
    weights: &[f32],
    stride: usize,
    first: usize,
) -> [Row; J] {
    for (row, weights) in rows.iter().zip(weights.chunks_exact(stride)) {
        let factors: &[f32; J] = weights[first..first + J].try_into().expect("a slice of J factors");
        for j in 0..J {
            sums[j] = sums[j].add_product::<A>(*row, factors[j]);
        }
    }
    sums
}

/// `out[j] = start[j] + sum over k of weights[k][j] * rows[k]`, for all columns of `weights`.
#[inline(always)]
pub(super) fn product<A: Arithmetic, const J: usize>(
    out: &mut [Row],
    start: Option<&[Row]>,
    rows: &[Row],
    weights: &[f32],
) {
    let count = out.len();
    for tile in 0..count.div_ceil(J) {
        let first = tile_start(tile, count, J);
        let sums: [Row; J] = match start {
            Some(start) => start[first..first + J].try_into().expect("a slice of J rows"),
            None => [Row::ZERO; J],
        };
        let sums = accumulate::<A, J>(sums, rows, weights, count, first);
        out[first..first + J].copy_from_slice(&sums);
    }
}

/// Rows of the left factor in a tile of [`Outer`].
const LEFT: usize = 3;
/// Rows of the right factor in a tile of [`Outer`].
const RIGHT: usize = 4;
/// Left tiles whose rows of one chunk of steps stay in the first-level cache while all right tiles pass by.
const LEFT_TILES_TOGETHER: usize = 6;

/// Sums over lanes and steps of left row times right row: the gradient of a weight matrix.
///
/// The sums are kept tile by tile in the order in which they are computed.
#[derive(Debug, Default)]
pub(super) struct Outer {
    left: usize,
    right: usize,
    sums: Vec<Row>,
}

/// `count` consecutive rows of every step of a buffer with `stride` rows a step, from row `first` on.
#[derive(Clone, Copy)]
pub(super) struct Steps<'a> {
    pub(super) rows: &'a [Row],
    pub(super) stride: usize,
    pub(super) first: usize,
}

impl Outer {
    /// Fewest rows that either factor may have.
    pub(super) const LEAST: usize = if LEFT > RIGHT { LEFT } else { RIGHT };

    /// Sets all sums of a `left` by `right` matrix to zero.
    pub(super) fn clear<const W: usize>(&mut self, left: usize, right: usize) {
        self.left = left;
        self.right = right;
        self.sums.clear();
        let tiles = left.div_ceil(LEFT) * right.div_ceil(RIGHT);
        self.sums.resize(tiles * LEFT * RIGHT * W / LANES, Row::ZERO);
    }

    /// Adds the products of all `steps`.
    #[inline(always)]
    pub(super) fn add<A: Arithmetic, const W: usize>(&mut self, left: Steps<'_>, right: Steps<'_>, steps: usize) {
        let left_tiles = self.left.div_ceil(LEFT);
        let right_tiles = self.right.div_ceil(RIGHT);
        let mut sums = self.sums.chunks_exact_mut(LEFT * RIGHT * W / LANES);
        let mut together = 0;
        while together < left_tiles {
            let end = (together + LEFT_TILES_TOGETHER).min(left_tiles);
            for right_tile in 0..right_tiles {
                let right_first = right.first + tile_start(right_tile, self.right, RIGHT);
                for left_tile in together..end {
                    let left_first = left.first + tile_start(left_tile, self.left, LEFT);
                    let sums = sums.next().expect("sums for every tile");
                    add_tile::<A, W>(sums, left, left_first, right, right_first, steps);
                }
            }
            together = end;
        }
    }

    /// Calls `entry(left, right, sum)` for every entry of the matrix, some of them more than once with the same sum.
    pub(super) fn for_each<const W: usize>(&self, mut entry: impl FnMut(usize, usize, f32)) {
        let left_tiles = self.left.div_ceil(LEFT);
        let right_tiles = self.right.div_ceil(RIGHT);
        let mut sums = self.sums.chunks_exact(LEFT * RIGHT * W / LANES);
        let mut together = 0;
        while together < left_tiles {
            let end = (together + LEFT_TILES_TOGETHER).min(left_tiles);
            for right_tile in 0..right_tiles {
                for left_tile in together..end {
                    let sums = sums.next().expect("sums for every tile");
                    for i in 0..LEFT {
                        for j in 0..RIGHT {
                            let parts = part::<W>(sums, i * RIGHT + j);
                            let sum: f64 = parts.iter().map(|part| f64::from(*part)).sum();
                            let left = tile_start(left_tile, self.left, LEFT) + i;
                            let right = tile_start(right_tile, self.right, RIGHT) + j;
                            entry(left, right, sum as f32);
                        }
                    }
                }
            }
            together = end;
        }
    }
}

/// `W` partial sums of one entry.
#[derive(Clone, Copy)]
struct Sums<const W: usize>([f32; W]);

impl<const W: usize> Sums<W> {
    #[inline(always)]
    fn add_product<A: Arithmetic>(self, a: Sums<W>, b: Sums<W>) -> Sums<W> {
        let mut out = self.0;
        for ((out, a), b) in out.iter_mut().zip(a.0).zip(b.0) {
            *out = A::mul_add(a, b, *out);
        }
        Sums(out)
    }

    #[inline(always)]
    fn load(row: &Row, at: usize) -> Sums<W> {
        Sums(row.0[at..at + W].try_into().expect("W lanes"))
    }
}

/// The `index`-th group of `W` numbers of `rows`.
#[inline(always)]
fn part<const W: usize>(rows: &[Row], index: usize) -> [f32; W] {
    let at = index * W;
    rows[at / LANES].0[at % LANES..at % LANES + W].try_into().expect("W divides the lanes")
}

#[inline(always)]
fn add_tile<A: Arithmetic, const W: usize>(
    sums: &mut [Row],
    left: Steps<'_>,
    left_first: usize,
    right: Steps<'_>,
    right_first: usize,
    steps: usize,
) {
    let mut tile = [Sums([0.0; W]); LEFT * RIGHT];
    for (index, entry) in tile.iter_mut().enumerate() {
        entry.0 = part::<W>(sums, index);
    }
    let left_steps = left.rows.chunks_exact(left.stride);
    let right_steps = right.rows.chunks_exact(right.stride);
    for (left, right) in left_steps.zip(right_steps).take(steps) {
        let left: &[Row; LEFT] = left[left_first..left_first + LEFT].try_into().expect("a slice of LEFT rows");
        let right: &[Row; RIGHT] = right[right_first..right_first + RIGHT].try_into().expect("a slice of RIGHT rows");
        tile = add_lanes::<A, W>(tile, left, right, 0);
        if W < LANES {
            tile = add_lanes::<A, W>(tile, left, right, W);
        }
    }
    for (index, entry) in tile.iter().enumerate() {
        let at = index * W;
        sums[at / LANES].0[at % LANES..at % LANES + W].copy_from_slice(&entry.0);
    }
}

/// Adds the products of the `W` lanes from `lane` on.
#[inline(always)]
fn add_lanes<A: Arithmetic, const W: usize>(
    mut tile: [Sums<W>; LEFT * RIGHT],
    left: &[Row; LEFT],
    right: &[Row; RIGHT],
    lane: usize,
) -> [Sums<W>; LEFT * RIGHT] {
    let left = [Sums::load(&left[0], lane), Sums::load(&left[1], lane), Sums::load(&left[2], lane)];
    for j in 0..RIGHT {
        let right = Sums::load(&right[j], lane);
        for i in 0..LEFT {
            tile[i * RIGHT + j] = tile[i * RIGHT + j].add_product::<A>(left[i], right);
        }
    }
    tile
}
