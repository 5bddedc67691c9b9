//! What goes into a learner and what comes out: batches, gradient sums, evaluations.

use std::collections::BTreeMap;

use pipectl_formats::dataset::Column;

/// Rows that are computed together: the unit of work of a thread, and of dealing a batch to workers.
///
/// A batch is cut into blocks of this many consecutive rows. A worker that takes a part of a batch takes whole blocks, so
/// that the sum over all workers does not depend on how many there are.
pub const BLOCK_ROWS: usize = 32;

/// Rows to learn from or to evaluate.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The network's inputs by name. Ragged columns are sequences of differing numbers of steps.
    pub inputs: BTreeMap<String, Column>,
    /// `[rows, classes]`: one-hot, or probabilities.
    pub labels: Column,
    /// The number of each row in the whole dataset: dropout masks are keyed by it.
    pub samples: Vec<u64>,
    /// Passes over the dataset before this one: dropout masks are keyed by it.
    pub epoch: u64,
}

/// Loss and gradient, summed (not averaged) over rows, so that workers may add them up.
#[derive(Clone, Debug, PartialEq)]
pub struct GradientSum {
    /// Sum of the rows' losses.
    pub loss: f64,
    /// Rows whose largest output is at their largest label.
    pub correct: u64,
    /// Rows.
    pub rows: u64,
    /// Sum of the rows' gradients, parameters in the order of `Network::parameters`.
    pub gradient: Vec<f64>,
}

/// What a network makes of rows with labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Sum of the rows' losses.
    pub loss: f64,
    /// Rows whose largest output is at their largest label.
    pub correct: u64,
    /// Rows.
    pub rows: u64,
    /// The network's output: `[rows, classes]`.
    pub probabilities: Vec<f32>,
}

impl GradientSum {
    /// The sum over no rows, for a network of `parameters` parameters.
    pub fn zero(parameters: usize) -> GradientSum {
        GradientSum { loss: 0.0, correct: 0, rows: 0, gradient: vec![0.0; parameters] }
    }

    /// Adds the sum over other rows.
    ///
    /// # Panics
    /// If the other gradient is of a network with another number of parameters.
    pub fn add(&mut self, other: &GradientSum) {
        assert_eq!(self.gradient.len(), other.gradient.len(), "gradients of the same network");
        self.loss += other.loss;
        self.correct += other.correct;
        self.rows += other.rows;
        for (sum, value) in self.gradient.iter_mut().zip(&other.gradient) {
            *sum += value;
        }
    }

    /// Everything in one vector, to be added up across workers: the gradient, then loss, correct, rows.
    pub fn into_sums(self) -> Vec<f64> {
        let mut sums = self.gradient;
        // Counts of rows are far below 2^53: exact.
        sums.extend([self.loss, self.correct as f64, self.rows as f64]);
        sums
    }

    /// The reverse of [`GradientSum::into_sums`]; `None` if there are fewer than three numbers.
    pub fn from_sums(mut sums: Vec<f64>) -> Option<GradientSum> {
        let rows = sums.pop()? as u64;
        let correct = sums.pop()? as u64;
        let loss = sums.pop()?;
        Some(GradientSum { loss, correct, rows, gradient: sums })
    }
}

/// An order of a batch's rows in which blocks hold sequences of about equal length, longest first.
///
/// A block takes as long as its longest sequences: in this order almost no step is computed in vain, while the sum over the
/// batch stays the same but for rounding. To keep a result independent of the number of workers, order the whole batch
/// before dealing its blocks.
pub fn order_by_length(lengths: &[u32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&row| std::cmp::Reverse(lengths[row]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_survive_the_way_through_a_vector() {
        let sum = GradientSum { loss: 1.5, correct: 3, rows: 4, gradient: vec![0.25, -2.0] };
        assert_eq!(GradientSum::from_sums(sum.clone().into_sums()), Some(sum.clone()));
        assert_eq!(GradientSum::from_sums(vec![1.0, 2.0]), None);
        let mut total = GradientSum::zero(2);
        total.add(&sum);
        total.add(&sum);
        assert_eq!(total, GradientSum { loss: 3.0, correct: 6, rows: 8, gradient: vec![0.5, -4.0] });
    }

    #[test]
    fn longest_rows_come_first_and_ties_keep_their_order() {
        assert_eq!(order_by_length(&[3, 9, 3, 10]), [3, 1, 0, 2]);
    }
}
