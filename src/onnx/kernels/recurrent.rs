//! GRU and LSTM, forward, with a length for each sequence.
//!
//! Equations and gate orders are those of the ONNX operator specification (GRU and LSTM, version 14): GRU gates stand
//! in the order z, r, h, LSTM gates in the order i, o, f, c. A sequence stops at its length: later outputs are zero and
//! the last state is that of its last step; length zero leaves the zero state.
//!
//! The rows of a batch are sorted by length and cut into blocks; a block runs through its steps alone, on any thread,
//! computing at each step only the rows that are not finished. A row's result does not depend on its block.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::kernels::matrix::{LANES, Packed, accumulate};
use crate::kernels::{KernelError, allocate_filled, floats, function, shape};
use crate::tensor::Tensor;

/// Rows of a block: enough to reuse weights from the cache, few enough to share out.
const BLOCK_ROWS: usize = 32;

/// The function of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// The logistic function.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// Zero for negative values.
    Relu,
}

impl Activation {
    /// The activation of ONNX's name, compared without case as ONNX Runtime does.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "sigmoid" => Some(Activation::Sigmoid),
            "tanh" => Some(Activation::Tanh),
            "relu" => Some(Activation::Relu),
            _ => None,
        }
    }

    /// Applies the function to each value.
    #[inline(always)]
    fn apply(self, values: &mut [f32]) {
        match self {
            Activation::Sigmoid => values.iter_mut().for_each(|value| *value = function::sigmoid(*value)),
            Activation::Tanh => values.iter_mut().for_each(|value| *value = function::tanh(*value)),
            Activation::Relu => values.iter_mut().for_each(|value| *value = if *value < 0.0 { 0.0 } else { *value }),
        }
    }
}

/// The weight inputs of a recurrent operator, one direction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    /// W [1, gates * hidden, features].
    pub input: &'a Tensor,
    /// R [1, gates * hidden, hidden].
    pub recurrent: &'a Tensor,
    /// B [1, 2 * gates * hidden]: those of W, then those of R.
    pub bias: Option<&'a Tensor>,
}

/// Weights of a GRU, packed.
#[derive(Debug)]
pub(crate) struct GruWeights {
    features: usize,
    hidden: usize,
    linear_before_reset: bool,
    activations: [Activation; 2],
    /// Input weights: z and r padded to whole panels, then h.
    input: Packed,
    /// Biases that belong to the columns of `input`.
    bias: Vec<f32>,
    /// Recurrent weights of z and r.
    gates: Packed,
    /// Recurrent weights of h.
    candidate: Packed,
    /// Recurrent bias of h when the reset gate applies behind it, padded.
    candidate_bias: Vec<f32>,
}

impl GruWeights {
    /// Checks shapes and packs.
    pub(crate) fn new(
        parts: Parts<'_>,
        hidden_size: Option<usize>,
        linear_before_reset: bool,
        activations: [Activation; 2],
    ) -> Result<Self, KernelError> {
        let Checked { input, recurrent, bias, features, hidden } = check_parts(parts, 3, hidden_size)?;
        // z and r share a group of panels, h starts at a panel of its own.
        let gates_width = (2 * hidden).next_multiple_of(LANES);
        let gate_of = |column: usize| {
            if column < 2 * hidden {
                Some(column)
            } else {
                column.checked_sub(gates_width).map(|unit| 2 * hidden + unit).filter(|&gate| gate < 3 * hidden)
            }
        };
        let columns = gates_width + hidden;
        let packed_input = Packed::new(features, columns, |row, column| {
            gate_of(column).map_or(0.0, |gate| input[gate * features + row])
        })?;
        let mut packed_bias = vec![0.0; packed_input.width()];
        let mut candidate_bias = vec![0.0; hidden.next_multiple_of(LANES)];
        if let Some(bias) = bias {
            let (of_input, of_recurrent) = bias.split_at(3 * hidden);
            for (column, value) in packed_bias.iter_mut().enumerate() {
                let Some(gate) = gate_of(column) else { continue };
                *value = of_input[gate];
                if gate < 2 * hidden || !linear_before_reset {
                    *value += of_recurrent[gate];
                } else {
                    candidate_bias[gate - 2 * hidden] = of_recurrent[gate];
                }
            }
        }
        Ok(Self {
            features,
            hidden,
            linear_before_reset,
            activations,
            input: packed_input,
            bias: packed_bias,
            gates: Packed::new(hidden, 2 * hidden, |row, column| recurrent[column * hidden + row])?,
            candidate: Packed::new(hidden, hidden, |row, column| recurrent[(2 * hidden + column) * hidden + row])?,
            candidate_bias,
        })
    }
}

impl Cell for GruWeights {
    fn features(&self) -> usize {
        self.features
    }

    fn hidden(&self) -> usize {
        self.hidden
    }

    fn input(&self) -> (&Packed, &[f32]) {
        (&self.input, &self.bias)
    }

    fn scratch_width(&self) -> usize {
        self.candidate.width()
    }

    fn step(&self, rows: usize, state: &mut State) {
        let (hidden, width) = (self.hidden, self.input.width());
        let (gates_width, candidate_width) = (self.gates.width(), self.candidate.width());
        let State { gates, hidden: states, scratch, .. } = state;
        accumulate(&self.gates, rows, |row| &states[row * hidden..(row + 1) * hidden], gates, width);
        if self.linear_before_reset {
            for scratch in scratch.chunks_exact_mut(candidate_width).take(rows) {
                scratch.copy_from_slice(&self.candidate_bias);
            }
            let state_of = |row: usize| &states[row * hidden..(row + 1) * hidden];
            accumulate(&self.candidate, rows, state_of, scratch, candidate_width);
        }
        for gates in gates.chunks_exact_mut(width).take(rows) {
            self.activations[0].apply(&mut gates[..gates_width]);
        }
        if self.linear_before_reset {
            for (gates, scratch) in gates.chunks_exact_mut(width).zip(scratch.chunks_exact(candidate_width)).take(rows)
            {
                let (gates, candidates) = gates.split_at_mut(gates_width);
                let resets = &gates[hidden..2 * hidden];
                for ((candidate, reset), product) in candidates.iter_mut().zip(resets).zip(scratch) {
                    *candidate += reset * product;
                }
            }
        } else {
            for row in 0..rows {
                let resets = &gates[row * width + hidden..row * width + 2 * hidden];
                let state = &states[row * hidden..(row + 1) * hidden];
                for ((scratch, reset), state) in scratch[row * candidate_width..].iter_mut().zip(resets).zip(state) {
                    *scratch = reset * state;
                }
            }
            let scratch = &*scratch;
            let left = |row: usize| &scratch[row * candidate_width..row * candidate_width + hidden];
            accumulate(&self.candidate, rows, left, &mut gates[gates_width..], width);
        }
        for (gates, states) in gates.chunks_exact_mut(width).zip(states.chunks_exact_mut(hidden)).take(rows) {
            let (gates, candidates) = gates.split_at_mut(gates_width);
            let candidates = &mut candidates[..hidden];
            self.activations[1].apply(candidates);
            for ((state, update), candidate) in states.iter_mut().zip(&gates[..hidden]).zip(candidates) {
                *state = (1.0 - update) * *candidate + update * *state;
            }
        }
    }
}

/// Weights of an LSTM, packed.
#[derive(Debug)]
pub(crate) struct LstmWeights {
    features: usize,
    hidden: usize,
    activations: [Activation; 3],
    input: Packed,
    bias: Vec<f32>,
    recurrent: Packed,
}

impl LstmWeights {
    /// Checks shapes and packs.
    pub(crate) fn new(
        parts: Parts<'_>,
        hidden_size: Option<usize>,
        activations: [Activation; 3],
    ) -> Result<Self, KernelError> {
        let Checked { input, recurrent, bias, features, hidden } = check_parts(parts, 4, hidden_size)?;
        let packed = Packed::new(features, 4 * hidden, |row, column| input[column * features + row])?;
        let mut packed_bias = vec![0.0; packed.width()];
        if let Some(bias) = bias {
            let (of_input, of_recurrent) = bias.split_at(4 * hidden);
            for ((value, input), recurrent) in packed_bias.iter_mut().zip(of_input).zip(of_recurrent) {
                *value = input + recurrent;
            }
        }
        Ok(Self {
            features,
            hidden,
            activations,
            input: packed,
            bias: packed_bias,
            recurrent: Packed::new(hidden, 4 * hidden, |row, column| recurrent[column * hidden + row])?,
        })
    }
}

impl Cell for LstmWeights {
    fn features(&self) -> usize {
        self.features
    }

    fn hidden(&self) -> usize {
        self.hidden
    }

    fn input(&self) -> (&Packed, &[f32]) {
        (&self.input, &self.bias)
    }

    fn scratch_width(&self) -> usize {
        self.hidden
    }

    fn step(&self, rows: usize, state: &mut State) {
        let (hidden, width) = (self.hidden, self.input.width());
        let State { gates, hidden: states, cell, scratch } = state;
        accumulate(&self.recurrent, rows, |row| &states[row * hidden..(row + 1) * hidden], gates, width);
        for row in 0..rows {
            let gates = &mut gates[row * width..row * width + 4 * hidden];
            let (smooth, candidates) = gates.split_at_mut(3 * hidden);
            self.activations[0].apply(smooth);
            self.activations[1].apply(candidates);
            let (inputs, rest) = smooth.split_at(hidden);
            let (outputs, forgets) = rest.split_at(hidden);
            let cell = &mut cell[row * hidden..(row + 1) * hidden];
            for (((cell, forget), input), candidate) in cell.iter_mut().zip(forgets).zip(inputs).zip(&*candidates) {
                *cell = forget * *cell + input * candidate;
            }
            let activated = &mut scratch[row * hidden..(row + 1) * hidden];
            activated.copy_from_slice(cell);
            self.activations[2].apply(activated);
            let states = &mut states[row * hidden..(row + 1) * hidden];
            for ((state, output), activated) in states.iter_mut().zip(outputs).zip(&*activated) {
                *state = output * activated;
            }
        }
    }
}

/// `GRU`: Y [steps, 1, rows, hidden] and Y_h [1, rows, hidden], those that are wanted.
pub(crate) fn gru(
    input: &Tensor,
    weights: &GruWeights,
    lengths: Option<&Tensor>,
    wanted: &[bool],
    threads: usize,
) -> Result<Vec<Option<Tensor>>, KernelError> {
    let wants = |index: usize| wanted.get(index).copied().unwrap_or(false);
    let result = run(weights, input, lengths, wants(0), threads)?;
    let last = wants(1).then_some(result.hidden);
    Ok(vec![result.sequence, last])
}

/// `LSTM`: Y [steps, 1, rows, hidden], Y_h and Y_c [1, rows, hidden], those that are wanted.
pub(crate) fn lstm(
    input: &Tensor,
    weights: &LstmWeights,
    lengths: Option<&Tensor>,
    wanted: &[bool],
    threads: usize,
) -> Result<Vec<Option<Tensor>>, KernelError> {
    let wants = |index: usize| wanted.get(index).copied().unwrap_or(false);
    let result = run(weights, input, lengths, wants(0), threads)?;
    let (last, cell) = (wants(1).then_some(result.hidden), wants(2).then_some(result.cell));
    Ok(vec![result.sequence, last, cell])
}

/// One kind of recurrent layer.
trait Cell: Sync {
    fn features(&self) -> usize;
    fn hidden(&self) -> usize;
    /// Input weights, and the biases of their columns.
    fn input(&self) -> (&Packed, &[f32]);
    /// Values of scratch that a row needs.
    fn scratch_width(&self) -> usize;
    /// Advances the first `rows` rows by a step. `gates` holds biases and input products.
    fn step(&self, rows: usize, state: &mut State);
}

/// What a block carries from step to step, row after row.
struct State {
    gates: Vec<f32>,
    hidden: Vec<f32>,
    cell: Vec<f32>,
    scratch: Vec<f32>,
}

struct Sequences {
    sequence: Option<Tensor>,
    hidden: Tensor,
    cell: Tensor,
}

/// What a block computed: last states, and with the sequence [steps of the block][rows of the block][hidden].
struct Block {
    rows: Vec<usize>,
    hidden: Vec<f32>,
    cell: Vec<f32>,
    sequence: Vec<f32>,
    /// Rows that were alive at each step.
    alive: Vec<usize>,
}

fn run<C: Cell>(
    cell: &C,
    input: &Tensor,
    lengths: Option<&Tensor>,
    wants_sequence: bool,
    threads: usize,
) -> Result<Sequences, KernelError> {
    let values = floats(input, 0)?;
    let &[steps, rows, features] = input.shape() else {
        return Err(wrong_input(input, "[steps, rows, features]"));
    };
    if features != cell.features() {
        return Err(wrong_input(input, &format!("[steps, rows, {}]", cell.features())));
    }
    let lengths = read_lengths(lengths, rows, steps)?;
    let mut order: Vec<usize> = (0..rows).collect();
    order.sort_by_key(|&row| std::cmp::Reverse(lengths[row]));
    let blocks: Vec<&[usize]> = order.chunks(BLOCK_ROWS.min(rows.div_ceil(threads.max(1)).max(1))).collect();

    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(rows_of_block) = blocks.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push(run_block(cell, values, rows, rows_of_block, &lengths, wants_sequence));
        }
        done
    };
    let threads = threads.min(blocks.len());
    let results: Vec<Block> = if threads <= 1 {
        work()
    } else {
        std::thread::scope(|scope| {
            let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let join = |handle: std::thread::ScopedJoinHandle<'_, Vec<Block>>| {
                handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            handles.into_iter().flat_map(join).collect()
        })
    };

    let hidden = cell.hidden();
    let mut last: Vec<f32> = allocate_filled(&[rows, hidden])?;
    let mut cells: Vec<f32> = allocate_filled(&[rows, hidden])?;
    let mut sequence: Vec<f32> = if wants_sequence { allocate_filled(&[steps, rows, hidden])? } else { Vec::new() };
    for block in &results {
        for (index, &row) in block.rows.iter().enumerate() {
            let (target, source) = (row * hidden..(row + 1) * hidden, index * hidden..(index + 1) * hidden);
            last[target.clone()].copy_from_slice(&block.hidden[source.clone()]);
            cells[target].copy_from_slice(&block.cell[source]);
        }
        let mut states = block.sequence.chunks_exact(hidden);
        for (step, &alive) in block.alive.iter().enumerate() {
            for (&row, state) in block.rows[..alive].iter().zip(&mut states) {
                let start = (step * rows + row) * hidden;
                sequence[start..start + hidden].copy_from_slice(state);
            }
        }
    }
    Ok(Sequences {
        sequence: wants_sequence.then(|| Tensor::from_parts(vec![steps, 1, rows, hidden], sequence)),
        hidden: Tensor::from_parts(vec![1, rows, hidden], last),
        cell: Tensor::from_parts(vec![1, rows, hidden], cells),
    })
}

fn run_block<C: Cell>(
    cell: &C,
    values: &[f32],
    rows: usize,
    rows_of_block: &[usize],
    lengths: &[usize],
    wants_sequence: bool,
) -> Block {
    let (features, hidden, count) = (cell.features(), cell.hidden(), rows_of_block.len());
    let (input, bias) = cell.input();
    let width = input.width();
    let mut state = State {
        gates: vec![0.0; count * width],
        hidden: vec![0.0; count * hidden],
        cell: vec![0.0; count * hidden],
        scratch: vec![0.0; count * cell.scratch_width()],
    };
    let (mut sequence, mut alive) = (Vec::new(), Vec::new());
    // Rows are sorted by falling length, so those that still run come first.
    let mut active = count;
    let steps = rows_of_block.first().map_or(0, |&row| lengths[row]);
    for step in 0..steps {
        while active > 0 && lengths[rows_of_block[active - 1]] <= step {
            active -= 1;
        }
        for gates in state.gates.chunks_exact_mut(width).take(active) {
            gates.copy_from_slice(bias);
        }
        let features_of = |index: usize| {
            let start = (step * rows + rows_of_block[index]) * features;
            &values[start..start + features]
        };
        accumulate(input, active, features_of, &mut state.gates, width);
        cell.step(active, &mut state);
        if wants_sequence {
            sequence.extend_from_slice(&state.hidden[..active * hidden]);
            alive.push(active);
        }
    }
    Block { rows: rows_of_block.to_vec(), hidden: state.hidden, cell: state.cell, sequence, alive }
}

fn read_lengths(lengths: Option<&Tensor>, rows: usize, steps: usize) -> Result<Vec<usize>, KernelError> {
    let Some(lengths) = lengths else { return Ok(vec![steps; rows]) };
    if lengths.shape() != [rows] {
        let expected = format!("[{rows}]");
        return Err(KernelError::Shape { input: 4, found: lengths.shape().to_vec(), expected });
    }
    shape::integers(lengths, 4)?
        .into_iter()
        .enumerate()
        .map(|(row, length)| {
            let inside = usize::try_from(length).ok().filter(|&length| length <= steps);
            inside.ok_or(KernelError::SequenceLength { row, length, steps })
        })
        .collect()
}

fn wrong_input(input: &Tensor, expected: &str) -> KernelError {
    KernelError::Shape { input: 0, found: input.shape().to_vec(), expected: expected.to_owned() }
}

struct Checked<'a> {
    input: &'a [f32],
    recurrent: &'a [f32],
    bias: Option<&'a [f32]>,
    features: usize,
    hidden: usize,
}

fn check_parts(parts: Parts<'_>, gates: usize, hidden_size: Option<usize>) -> Result<Checked<'_>, KernelError> {
    let refuse = |input: usize, tensor: &Tensor, expected: String| KernelError::Shape {
        input,
        found: tensor.shape().to_vec(),
        expected,
    };
    let hidden = match (parts.recurrent.shape(), hidden_size) {
        (&[1, height, hidden], expected)
            if hidden > 0
                && Some(height) == hidden.checked_mul(gates)
                && expected.is_none_or(|size| size == hidden) =>
        {
            hidden
        }
        (_, Some(size)) => {
            return Err(refuse(2, parts.recurrent, format!("[1, {gates} * {size}, {size}]")));
        }
        (_, None) => return Err(refuse(2, parts.recurrent, format!("[1, {gates} * hidden, hidden]"))),
    };
    let &[1, height, features] = parts.input.shape() else {
        return Err(refuse(1, parts.input, format!("[1, {}, features]", gates * hidden)));
    };
    if height != gates * hidden {
        return Err(refuse(1, parts.input, format!("[1, {}, features]", gates * hidden)));
    }
    let bias = match parts.bias {
        None => None,
        Some(bias) if bias.shape() == [1, 2 * gates * hidden] => Some(floats(bias, 3)?),
        Some(bias) => return Err(refuse(3, bias, format!("[1, {}]", 2 * gates * hidden))),
    };
    Ok(Checked { input: floats(parts.input, 1)?, recurrent: floats(parts.recurrent, 2)?, bias, features, hidden })
}
