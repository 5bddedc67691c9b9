//! A network that learns: gradients of batches, optimiser steps, evaluation, prediction.

use std::collections::BTreeMap;
use std::ops::Range;

use burn::backend::{Autodiff, NdArray};
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Tensor, TensorData};
use pipectl_formats::dataset::Column;
use pipectl_network::{Network, Weights};
use rayon::prelude::*;

use crate::batch::{BLOCK_ROWS, Batch, Evaluation, GradientSum};
use crate::error::LearnError;
use crate::graph::{Block, Graph, Output, Training};
use crate::initialize::initial_weights;
use crate::optimizer::{Moments, Optimizer};

type Plain = NdArray;
type Tracked = Autodiff<NdArray>;

/// A network, its parameters, and what its optimiser remembers.
///
/// A batch is cut into blocks of [`BLOCK_ROWS`] consecutive rows. Each block is computed alone, on any thread, and the
/// blocks' gradients are added in order in `f64`: results are the same, bit for bit, on any number of threads.
///
/// The loss is categorical cross-entropy: from logits where the output layer is dense with softmax, else as Keras computes
/// it from values (divided by their sum, and cut off at 1e-7 and 1 - 1e-7).
pub struct Learner {
    graph: Graph,
    pub(crate) parameters: Vec<f32>,
    pub(crate) optimizer: Optimizer,
    pub(crate) moments: Moments,
    pub(crate) seed: u64,
    pub(crate) progress: serde_json::Value,
    threads: Option<rayon::ThreadPool>,
}

impl Learner {
    /// A learner with first weights and dropout masks from `seed`, on `threads` threads (at least one).
    ///
    /// # Errors
    /// An optimiser's setting out of range, or threads that cannot be started.
    pub fn new(network: &Network, seed: u64, optimizer: Optimizer, threads: usize) -> Result<Learner, LearnError> {
        Learner::from_weights(network, &initial_weights(network, seed), seed, optimizer, threads)
    }

    /// A learner that goes on from `weights`, with a fresh optimiser.
    ///
    /// # Errors
    /// As [`Learner::new`]; and weights that are not the network's.
    pub fn from_weights(
        network: &Network,
        weights: &Weights,
        seed: u64,
        optimizer: Optimizer,
        threads: usize,
    ) -> Result<Learner, LearnError> {
        let named = weights.iter().map(|(name, tensor)| (name.to_owned(), tensor.clone()));
        let parameters = Weights::new(network, named)?.to_flat();
        let moments = Moments::new(&optimizer, parameters.len());
        Learner::from_parts(network, parameters, optimizer, moments, seed, threads)
    }

    pub(crate) fn from_parts(
        network: &Network,
        parameters: Vec<f32>,
        optimizer: Optimizer,
        moments: Moments,
        seed: u64,
        threads: usize,
    ) -> Result<Learner, LearnError> {
        if let Some(mistake) = optimizer.mistake() {
            return Err(LearnError::Optimizer(mistake));
        }
        let pool = (threads > 1)
            .then(|| {
                rayon::ThreadPoolBuilder::new()
                    .num_threads(threads)
                    .thread_name(|index| format!("learner-{index}"))
                    .build()
                    .map_err(|source| LearnError::Threads { threads, source })
            })
            .transpose()?;
        Ok(Learner {
            graph: Graph::new(network),
            parameters,
            optimizer,
            moments,
            seed,
            progress: serde_json::Value::Null,
            threads: pool,
        })
    }

    /// The network.
    pub fn network(&self) -> &Network {
        self.graph.network()
    }

    /// The parameters as they are now.
    pub fn weights(&self) -> Weights {
        Weights::from_flat(self.network(), &self.parameters).expect("as many values as parameters")
    }

    /// The optimiser.
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// Optimiser steps made.
    pub fn steps(&self) -> u64 {
        self.moments.step
    }

    /// What the caller noted with [`Learner::set_progress`]; null at first.
    pub fn progress(&self) -> &serde_json::Value {
        &self.progress
    }

    /// Notes where training stands (epoch, metrics so far): saved and loaded with every checkpoint, never read here.
    pub fn set_progress(&mut self, progress: serde_json::Value) {
        self.progress = progress;
    }

    /// Loss and gradient of `batch` at the present parameters, with dropout.
    ///
    /// # Errors
    /// A batch that does not fit the network, values in it that are not finite, or a loss that is not.
    pub fn gradient(&self, batch: &Batch) -> Result<GradientSum, LearnError> {
        let columns = self.columns(&batch.inputs)?;
        let rows = self.check_labels(&columns, batch)?;
        if batch.samples.len() != rows {
            let column = "the sample numbers".to_owned();
            return Err(LearnError::Rows { column, expected: rows, found: batch.samples.len() });
        }
        let training = Training { seed: self.seed, epoch: batch.epoch, samples: &batch.samples };
        let parameters = self.matrices();
        let sums = self.blocks(rows, |rows| {
            let block = Block { columns: &columns, rows, training: Some(training) };
            self.block_gradient(&parameters, &block, &batch.labels)
        })?;
        let mut total = GradientSum::zero(self.parameters.len());
        for sum in &sums {
            total.add(sum);
        }
        Ok(total)
    }

    /// Makes one optimiser step along the mean of `sum`.
    ///
    /// # Errors
    /// A gradient of no rows, or of another network.
    pub fn apply(&mut self, sum: &GradientSum, learning_rate: f64) -> Result<(), LearnError> {
        if sum.gradient.len() != self.parameters.len() {
            return Err(LearnError::Gradient { expected: self.parameters.len(), found: sum.gradient.len() });
        }
        if sum.rows == 0 {
            return Err(LearnError::NoRows);
        }
        let rows = sum.rows as f64;
        let mean = sum.gradient.iter().map(|value| (value / rows) as f32);
        self.moments.step(&self.optimizer, &mut self.parameters, mean, learning_rate);
        Ok(())
    }

    /// Loss, accuracy and output for rows with labels, without dropout.
    ///
    /// # Errors
    /// As [`Learner::gradient`]; sample numbers and epoch are not read.
    pub fn evaluate(&self, batch: &Batch) -> Result<Evaluation, LearnError> {
        let columns = self.columns(&batch.inputs)?;
        let rows = self.check_labels(&columns, batch)?;
        let parameters = self.matrices();
        let parts = self.blocks(rows, |rows| {
            let block = Block { columns: &columns, rows, training: None };
            let output = self.graph.output::<Plain>(&parameters, &block);
            let (targets, labels) = self.targets(&batch.labels, &block.rows);
            let losses = values(self.losses(output.clone(), targets));
            self.check_finite(&block, &losses, 1)?;
            let probabilities = values(self.probabilities(output));
            let correct = correct(&probabilities, labels, self.classes());
            let loss = losses.iter().map(|loss| f64::from(*loss)).sum();
            Ok(Evaluation { loss, correct, rows: block.rows.len() as u64, probabilities })
        })?;
        let mut total = Evaluation { loss: 0.0, correct: 0, rows: 0, probabilities: Vec::new() };
        for part in parts {
            total.loss += part.loss;
            total.correct += part.correct;
            total.rows += part.rows;
            total.probabilities.extend(part.probabilities);
        }
        Ok(total)
    }

    /// The network's output `[rows, classes]`, without dropout.
    ///
    /// # Errors
    /// Inputs that do not fit the network or are not finite.
    pub fn predict(&self, inputs: &BTreeMap<String, Column>) -> Result<Vec<f32>, LearnError> {
        let columns = self.columns(inputs)?;
        let rows = columns.first().map_or(0, |column| column.rows);
        let parameters = self.matrices();
        let parts = self.blocks(rows, |rows| {
            let block = Block { columns: &columns, rows, training: None };
            let output = values(self.probabilities(self.graph.output::<Plain>(&parameters, &block)));
            self.check_finite(&block, &output, self.classes())?;
            Ok(output)
        })?;
        Ok(parts.concat())
    }

    fn block_gradient(
        &self,
        parameters: &[Tensor<Plain, 2>],
        block: &Block<'_>,
        labels: &Column,
    ) -> Result<GradientSum, LearnError> {
        let leaves: Vec<Tensor<Tracked, 2>> =
            parameters.iter().map(|parameter| Tensor::from_inner(parameter.clone()).require_grad()).collect();
        let output = self.graph.output::<Tracked>(&leaves, block);
        let (targets, labels) = self.targets(labels, &block.rows);
        let losses = self.losses(output.clone(), Tensor::from_inner(targets));
        let row_losses = values(losses.clone().inner());
        self.check_finite(block, &row_losses, 1)?;
        let gradients = losses.sum().backward();
        let mut gradient = Vec::with_capacity(self.parameters.len());
        for (leaf, parameter) in leaves.iter().zip(parameters) {
            match leaf.grad(&gradients) {
                Some(found) => gradient.extend(values(found).into_iter().map(f64::from)),
                None => gradient.extend(std::iter::repeat_n(0.0, parameter.dims().iter().product())),
            }
        }
        Ok(GradientSum {
            loss: row_losses.iter().map(|loss| f64::from(*loss)).sum(),
            correct: correct(&values(output.inner()), labels, self.classes()),
            rows: block.rows.len() as u64,
            gradient,
        })
    }

    /// Each row's cross-entropy: `[rows, 1]`.
    fn losses<B: burn::tensor::backend::Backend>(&self, output: Tensor<B, 2>, targets: Tensor<B, 2>) -> Tensor<B, 2> {
        let logarithms = match self.graph.output_kind() {
            Output::Logits => log_softmax(output, 1),
            Output::Values => {
                let sums = output.clone().sum_dim(1);
                (output / sums).clamp(1e-7, 1.0 - 1e-7).log()
            }
        };
        (targets * logarithms).sum_dim(1).neg()
    }

    fn probabilities(&self, output: Tensor<Plain, 2>) -> Tensor<Plain, 2> {
        match self.graph.output_kind() {
            Output::Logits => softmax(output, 1),
            Output::Values => output,
        }
    }

    /// Calls `compute` for every block of `rows` rows, on all threads; the results in order, or the first error.
    fn blocks<T: Send>(
        &self,
        rows: usize,
        compute: impl Fn(Range<usize>) -> Result<T, LearnError> + Sync,
    ) -> Result<Vec<T>, LearnError> {
        let range = |block: usize| block * BLOCK_ROWS..((block + 1) * BLOCK_ROWS).min(rows);
        let count = rows.div_ceil(BLOCK_ROWS);
        match &self.threads {
            Some(threads) if count > 1 => {
                let results: Vec<_> =
                    threads.install(|| (0..count).into_par_iter().map(|block| compute(range(block))).collect());
                results.into_iter().collect()
            }
            _ => (0..count).map(|block| compute(range(block))).collect(),
        }
    }

    /// The parameters as matrices; those of one axis have one row.
    fn matrices(&self) -> Vec<Tensor<Plain, 2>> {
        let mut rest = self.parameters.as_slice();
        let parameters = self.network().parameters().into_iter().map(|parameter| {
            let (values, others) = rest.split_at(parameter.len());
            rest = others;
            let columns = parameter.shape.last().copied().unwrap_or(1);
            let shape = [values.len() / columns, columns];
            Tensor::from_data(TensorData::new(values.to_vec(), shape), &Default::default())
        });
        parameters.collect()
    }

    fn classes(&self) -> usize {
        self.network().output().shape.iter().product()
    }

    /// The labels of `rows`, as a tensor and as they are.
    fn targets<'a>(&self, labels: &'a Column, rows: &Range<usize>) -> (Tensor<Plain, 2>, &'a [f32]) {
        let classes = self.classes();
        let labels = &labels.data[rows.start * classes..rows.end * classes];
        let data = TensorData::new(labels.to_vec(), [rows.len(), classes]);
        (Tensor::from_data(data, &Default::default()), labels)
    }

    /// The network's inputs in its order, all of its shapes and of equally many rows.
    fn columns<'a>(&self, inputs: &'a BTreeMap<String, Column>) -> Result<Vec<&'a Column>, LearnError> {
        let mut columns: Vec<&Column> = Vec::new();
        for input in self.network().inputs() {
            let column =
                inputs.get(&input.name).ok_or_else(|| LearnError::MissingInput { input: input.name.clone() })?;
            let name = || format!("input \"{}\"", input.name);
            if column.shape != input.shape {
                let (expected, found) = (input.shape.clone(), column.shape.clone());
                return Err(LearnError::Shape { column: name(), expected, found });
            }
            if let Some(first) = columns.first().filter(|first| first.rows != column.rows) {
                return Err(LearnError::Rows { column: name(), expected: first.rows, found: column.rows });
            }
            columns.push(column);
        }
        Ok(columns)
    }

    fn check_labels(&self, columns: &[&Column], batch: &Batch) -> Result<usize, LearnError> {
        let rows = columns.first().map_or(0, |column| column.rows);
        let (labels, column) = (&batch.labels, "the labels".to_owned());
        let expected = &self.network().output().shape;
        if labels.shape != *expected || labels.lengths.is_some() {
            return Err(LearnError::Shape { column, expected: expected.clone(), found: labels.shape.clone() });
        }
        if labels.rows != rows {
            return Err(LearnError::Rows { column, expected: rows, found: labels.rows });
        }
        Ok(rows)
    }

    /// If one of the `width` values of each row is not finite: tells whether an input is why.
    fn check_finite(&self, block: &Block<'_>, values: &[f32], width: usize) -> Result<(), LearnError> {
        let Some(at) = values.iter().position(|value| !value.is_finite()) else { return Ok(()) };
        let row = block.rows.start + at / width;
        for (input, column) in self.network().inputs().iter().zip(block.columns) {
            if let Some(&value) = column.row(row).iter().find(|value| !value.is_finite()) {
                return Err(LearnError::NotFinite { input: input.name.clone(), row, value });
            }
        }
        Err(LearnError::Diverged { row })
    }
}

fn values(tensor: Tensor<Plain, 2>) -> Vec<f32> {
    tensor.into_data().into_vec().expect("all tensors of this crate hold f32")
}

/// Rows whose largest output is at their largest label.
fn correct(outputs: &[f32], labels: &[f32], classes: usize) -> u64 {
    let pairs = outputs.chunks_exact(classes).zip(labels.chunks_exact(classes));
    pairs.filter(|(output, label)| largest(output) == largest(label)).count() as u64
}

/// Index of the first of the largest values.
fn largest(values: &[f32]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

#[cfg(test)]
mod tests;
