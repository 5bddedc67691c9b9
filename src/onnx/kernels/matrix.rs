//! Matrix products: the register-tiled kernel that Gemm, MatMul and the recurrent layers share.
//!
//! The right-hand matrix is packed into panels of [`LANES`] columns, so that the inner loop reads it straight through
//! and every column of a panel is one lane of a vector register. Each element of a result is summed over the depth in
//! order, whatever the tile, the batch or the number of threads: the same row always gives the same bits.

use crate::kernels::{KernelError, allocate_filled, elementwise, floats, shape};
use crate::tensor::Tensor;

/// Columns of a panel.
pub(crate) const LANES: usize = 8;
/// Rows and panels of a tile: with its twelve sums of four lanes each, it fills the sixteen registers of plain x86-64.
const TILE_ROWS: usize = 2;
const TILE_PANELS: usize = 3;
/// Multiply-adds below which starting threads costs more than it gains.
const WORK_FOR_THREADS: usize = 1 << 20;

type Lanes = [f32; LANES];

/// A matrix [depth, columns], packed for [`accumulate`].
#[derive(Debug)]
pub(crate) struct Packed {
    depth: usize,
    columns: usize,
    /// Panel after panel; each holds `depth` rows of lanes, the last one padded with zeros.
    panels: Vec<Lanes>,
}

impl Packed {
    /// Packs the matrix whose element at (depth, column) the function gives.
    pub(crate) fn new(
        depth: usize,
        columns: usize,
        element: impl Fn(usize, usize) -> f32,
    ) -> Result<Self, KernelError> {
        let count = columns.div_ceil(LANES);
        let mut panels: Vec<Lanes> = allocate_filled(&[count, depth])?;
        for (index, lanes) in panels.iter_mut().enumerate() {
            let (first, row) = (index / depth * LANES, index % depth);
            for (column, lane) in (first..columns).zip(lanes) {
                *lane = element(row, column);
            }
        }
        Ok(Self { depth, columns, panels })
    }

    /// Columns including the padding of the last panel.
    pub(crate) fn width(&self) -> usize {
        self.count() * LANES
    }

    fn count(&self) -> usize {
        self.columns.div_ceil(LANES)
    }

    fn panel(&self, index: usize) -> &[Lanes] {
        &self.panels[index * self.depth..(index + 1) * self.depth]
    }
}

/// Adds left * packed to `sums`, whose rows are `stride` apart and at least `packed.width()` long.
pub(crate) fn accumulate<'a>(
    packed: &Packed,
    rows: usize,
    left: impl Fn(usize) -> &'a [f32],
    sums: &mut [f32],
    stride: usize,
) {
    let count = packed.count();
    let tiled = rows - rows % TILE_ROWS;
    let mut panel = 0;
    while panel + TILE_PANELS <= count {
        for row in (0..tiled).step_by(TILE_ROWS) {
            tile::<TILE_ROWS, TILE_PANELS>(packed, panel, row, &left, sums, stride);
        }
        panel += TILE_PANELS;
    }
    while panel < count {
        for row in (0..tiled).step_by(TILE_ROWS) {
            tile::<TILE_ROWS, 1>(packed, panel, row, &left, sums, stride);
        }
        panel += 1;
    }
    // Single rows take more panels at once, so that there are as many independent sums.
    for row in tiled..rows {
        let mut panel = 0;
        while panel + 4 <= count {
            tile::<1, 4>(packed, panel, row, &left, sums, stride);
            panel += 4;
        }
        while panel < count {
            tile::<1, 1>(packed, panel, row, &left, sums, stride);
            panel += 1;
        }
    }
}

#[inline(always)]
fn tile<'a, const ROWS: usize, const PANELS: usize>(
    packed: &Packed,
    panel: usize,
    row: usize,
    left: &impl Fn(usize) -> &'a [f32],
    sums: &mut [f32],
    stride: usize,
) {
    let depth = packed.depth;
    let left: [&[f32]; ROWS] = std::array::from_fn(|index| &left(row + index)[..depth]);
    let panels: [&[Lanes]; PANELS] = std::array::from_fn(|index| &packed.panel(panel + index)[..depth]);
    let mut tile = [[[0.0_f32; LANES]; PANELS]; ROWS];
    for step in 0..depth {
        for (sums, left) in tile.iter_mut().zip(&left) {
            let factor = left[step];
            for (sums, panel) in sums.iter_mut().zip(&panels) {
                for (sum, weight) in sums.iter_mut().zip(&panel[step]) {
                    *sum += factor * weight;
                }
            }
        }
    }
    for (index, tile) in tile.iter().enumerate() {
        let start = (row + index) * stride + panel * LANES;
        for (sums, tile) in sums[start..start + PANELS * LANES].chunks_exact_mut(LANES).zip(tile) {
            for (sum, tile) in sums.iter_mut().zip(tile) {
                *sum += tile;
            }
        }
    }
}

/// Settings of `Gemm`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GemmSettings {
    /// Factor of the product.
    pub alpha: f32,
    /// Factor of C.
    pub beta: f32,
    /// Whether A is transposed first.
    pub transpose_a: bool,
    /// Whether B is transposed first.
    pub transpose_b: bool,
}

/// Packs the second input of a product, a matrix.
pub(crate) fn pack_right(right: &Tensor, transposed: bool) -> Result<Packed, KernelError> {
    let values = floats(right, 1)?;
    let &[first, second] = right.shape() else { return Err(not_a_matrix(1, right)) };
    if transposed {
        Packed::new(second, first, |row, column| values[column * second + row])
    } else {
        Packed::new(first, second, |row, column| values[row * second + column])
    }
}

/// `Gemm`: alpha * A' * B' + beta * C, where C broadcasts to the result.
pub(crate) fn gemm(
    left: &Tensor,
    right: &Tensor,
    addend: Option<&Tensor>,
    settings: GemmSettings,
    packed: Option<&Packed>,
    threads: usize,
) -> Result<Tensor, KernelError> {
    let made;
    let packed = match packed {
        Some(packed) => packed,
        None => {
            made = pack_right(right, settings.transpose_b)?;
            &made
        }
    };
    let mut values = floats(left, 0)?;
    let &[mut rows, mut depth] = left.shape() else { return Err(not_a_matrix(0, left)) };
    let turned;
    if settings.transpose_a {
        turned = shape::transposed(values, rows, depth)?;
        values = &turned;
        std::mem::swap(&mut rows, &mut depth);
    }
    if depth != packed.depth {
        return Err(depths_differ(0, left, packed.depth));
    }
    let columns = packed.columns;
    let addend = match addend {
        None => None,
        Some(addend) => {
            let fits = elementwise::broadcast_shape(addend.shape(), &[rows, columns]);
            if fits.ok().as_deref() != Some(&[rows, columns]) {
                let expected = format!("one that broadcasts to [{rows}, {columns}]");
                return Err(KernelError::Shape { input: 2, found: addend.shape().to_vec(), expected });
            }
            let size = |from_last: usize| addend.shape().iter().rev().nth(from_last).copied().unwrap_or(1);
            let (column_step, row_step) = (usize::from(size(0) > 1), if size(1) > 1 { size(0) } else { 0 });
            Some((floats(addend, 2)?, row_step, column_step))
        }
    };
    let mut result = allocate_filled(&[rows, columns])?;
    product(values, packed, &mut result, threads);
    if settings.alpha != 1.0 {
        result.iter_mut().for_each(|value| *value *= settings.alpha);
    }
    if let Some((addend, row_step, column_step)) = addend {
        for (row, values) in result.chunks_exact_mut(columns.max(1)).enumerate() {
            for (column, value) in values.iter_mut().enumerate() {
                *value += settings.beta * addend[row * row_step + column * column_step];
            }
        }
    }
    Ok(Tensor::from_parts(vec![rows, columns], result))
}

/// `MatMul` by numpy's rules: vectors count as matrices of one row or column, leading dimensions broadcast.
pub(crate) fn matmul(
    left: &Tensor,
    right: &Tensor,
    packed: Option<&Packed>,
    threads: usize,
) -> Result<Tensor, KernelError> {
    let (a, b) = (floats(left, 0)?, floats(right, 1)?);
    let (a_shape, rows, depth) = match left.shape() {
        [] => return Err(not_a_matrix(0, left)),
        [depth] => (&[][..], None, *depth),
        [batch @ .., rows, depth] => (batch, Some(*rows), *depth),
    };
    let (b_shape, b_depth, columns) = match right.shape() {
        [] => return Err(not_a_matrix(1, right)),
        [depth] => (&[][..], *depth, None),
        [batch @ .., depth, columns] => (batch, *depth, Some(*columns)),
    };
    if depth != b_depth {
        return Err(depths_differ(1, right, depth));
    }
    let batch = elementwise::broadcast_shape(a_shape, b_shape)?;
    let (row_count, column_count) = (rows.unwrap_or(1), columns.unwrap_or(1));
    let mut shape = batch.clone();
    shape.extend(rows);
    shape.extend(columns);
    let mut result: Vec<f32> = allocate_filled(&shape)?;
    let pack = |values: &[f32]| Packed::new(depth, column_count, |row, column| values[row * column_count + column]);
    if b_shape.is_empty() {
        // One matrix for all rows of the batch: a single product.
        match packed {
            Some(packed) => product(a, packed, &mut result, threads),
            None => product(a, &pack(b)?, &mut result, threads),
        }
        return Ok(Tensor::from_parts(shape, result));
    }
    let (a_size, b_size) = (row_count * depth, depth * column_count);
    let (a_strides, b_strides) = (batch_strides(a_shape, &batch), batch_strides(b_shape, &batch));
    let mut pairs = Vec::new();
    elementwise::walk(&batch, [&a_strides, &b_strides], |pair| pairs.push(pair));
    for ([i, j], result) in pairs.into_iter().zip(result.chunks_exact_mut((row_count * column_count).max(1))) {
        let right = pack(&b[j * b_size..(j + 1) * b_size])?;
        product(&a[i * a_size..(i + 1) * a_size], &right, result, threads);
    }
    Ok(Tensor::from_parts(shape, result))
}

/// Fills `result` [rows, columns] with left [rows, depth] * packed.
fn product(left: &[f32], packed: &Packed, result: &mut [f32], threads: usize) {
    let (depth, columns) = (packed.depth, packed.columns);
    if result.is_empty() || depth == 0 {
        return;
    }
    let rows = result.len() / columns;
    let threads = if rows * depth * columns < WORK_FOR_THREADS { 1 } else { threads.min(rows) };
    let share = rows.div_ceil(threads);
    let work = |left: &[f32], result: &mut [f32]| {
        // Rows go through a scratch whose width is that of whole panels.
        const BLOCK: usize = 32;
        let width = packed.width();
        let mut scratch = vec![0.0; BLOCK * width];
        for (left, result) in left.chunks(BLOCK * depth).zip(result.chunks_mut(BLOCK * columns)) {
            let rows = result.len() / columns;
            scratch.fill(0.0);
            accumulate(packed, rows, |row| &left[row * depth..(row + 1) * depth], &mut scratch, width);
            for (result, scratch) in result.chunks_exact_mut(columns).zip(scratch.chunks_exact(width)) {
                result.copy_from_slice(&scratch[..columns]);
            }
        }
    };
    if threads == 1 {
        return work(left, result);
    }
    std::thread::scope(|scope| {
        for (left, result) in left.chunks(share * depth).zip(result.chunks_mut(share * columns)) {
            scope.spawn(|| work(left, result));
        }
    });
}

fn batch_strides(shape: &[usize], batch: &[usize]) -> Vec<usize> {
    let mut strides = vec![0; batch.len()];
    let mut distance = 1;
    for (stride, &size) in strides.iter_mut().rev().zip(shape.iter().rev()) {
        if size != 1 {
            *stride = distance;
        }
        distance *= size;
    }
    strides
}

fn not_a_matrix(input: usize, tensor: &Tensor) -> KernelError {
    KernelError::Shape { input, found: tensor.shape().to_vec(), expected: "a matrix".to_owned() }
}

fn depths_differ(input: usize, tensor: &Tensor, depth: usize) -> KernelError {
    let expected = format!("a depth of {depth}, that of the other input");
    KernelError::Shape { input, found: tensor.shape().to_vec(), expected }
}
