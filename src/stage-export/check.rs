//! Compares what executors of an ONNX model say with what the trained network says, on real rows.
//!
//! Owns the measure of agreement: probabilities within a tolerance, and the same most probable class wherever the network
//! is not undecided between two. Does not own executors or datasets: the caller brings both.

use std::collections::BTreeMap;

use pipectl_onnx::{ScoreError, Scorer, Tensor};
use serde::Serialize;
use thiserror::Error;

/// Largest difference of a probability, and smallest lead of the most probable class that must survive.
pub const TOLERANCE: f64 = 1e-4;

/// How far an executor agrees with the network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// The executor's name and version.
    pub executor: String,
    /// Rows compared.
    pub rows: usize,
    /// Largest absolute difference of an output value; null when a value is not a number.
    pub max_difference: f64,
    /// The row of the dataset where that was.
    pub worst_row: usize,
    /// The row's output by the network and by the executor.
    pub worst_outputs: [Vec<f32>; 2],
    /// Rows whose two most probable classes differ by more than the tolerance, so that the order means something.
    pub decided_rows: usize,
    /// Of those, rows whose most probable class is another one, by their number in the dataset.
    pub other_class: Vec<usize>,
}

/// An executor does not agree with the network, or fails.
#[derive(Debug, Error)]
pub enum CheckError {
    /// The executor failed on rows that the network takes.
    #[error("{executor} failed on the checked rows")]
    Failed {
        /// Its name and version.
        executor: String,
        /// Why.
        source: ScoreError,
    },
    /// The model has no output of the name, or one of another size.
    #[error("{executor} returns no output `{output}` of {expected} values")]
    Output {
        /// Its name and version.
        executor: String,
        /// The output.
        output: String,
        /// Rows times classes.
        expected: usize,
    },
    /// The executor says something else than the network.
    #[error("{}", describe(.0))]
    Disagrees(Box<Agreement>),
}

fn describe(agreement: &Agreement) -> String {
    let [network, executor] = &agreement.worst_outputs;
    let mut text = format!(
        "{} differs from the trained network by up to {:.3e} (allowed: {TOLERANCE:e}) on {} rows; worst is row {}, where the network says {network:?} and the model {executor:?}",
        agreement.executor, agreement.max_difference, agreement.rows, agreement.worst_row
    );
    if let Some(row) = agreement.other_class.first() {
        let count = agreement.other_class.len();
        text.push_str(&format!(
            "; {count} of {} decided rows get another class, the first is row {row}",
            agreement.decided_rows
        ));
    }
    text
}

/// One batch to compare.
#[derive(Debug)]
pub struct CheckedBatch {
    /// Numbers of its rows in the dataset.
    pub rows: Vec<usize>,
    /// The model's inputs.
    pub inputs: BTreeMap<String, Tensor>,
    /// What the network says, row after row.
    pub expected: Vec<f32>,
}

/// Runs an executor on batches and compares the output of this name.
///
/// # Errors
/// [`CheckError::Disagrees`] beyond [`TOLERANCE`]; otherwise what the executor met.
pub fn compare(scorer: &mut dyn Scorer, output: &str, batches: &[CheckedBatch]) -> Result<Agreement, CheckError> {
    let executor = scorer.name();
    let mut agreement = Agreement {
        executor: executor.clone(),
        rows: 0,
        max_difference: 0.0,
        worst_row: 0,
        worst_outputs: [Vec::new(), Vec::new()],
        decided_rows: 0,
        other_class: Vec::new(),
    };
    for batch in batches {
        let results =
            scorer.run(&batch.inputs).map_err(|source| CheckError::Failed { executor: executor.clone(), source })?;
        let found = results.get(output).and_then(Tensor::as_floats).filter(|found| found.len() == batch.expected.len());
        let found = found.ok_or_else(|| CheckError::Output {
            executor: executor.clone(),
            output: output.to_owned(),
            expected: batch.expected.len(),
        })?;
        let classes = batch.expected.len().checked_div(batch.rows.len()).unwrap_or(0).max(1);
        for ((&row, expected), found) in
            batch.rows.iter().zip(batch.expected.chunks_exact(classes)).zip(found.chunks_exact(classes))
        {
            agreement.add(row, expected, found);
        }
    }
    // Written so that a difference that is not a number fails too.
    let close = agreement.max_difference <= TOLERANCE;
    if close && agreement.other_class.is_empty() {
        Ok(agreement)
    } else {
        Err(CheckError::Disagrees(Box::new(agreement)))
    }
}

impl Agreement {
    fn add(&mut self, row: usize, expected: &[f32], found: &[f32]) {
        let difference = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).abs();
        let largest = expected.iter().zip(found).map(difference).fold(0.0, |largest: f64, difference| {
            if difference > largest || difference.is_nan() { difference } else { largest }
        });
        let worse = largest > self.max_difference || (largest.is_nan() && !self.max_difference.is_nan());
        if worse || self.rows == 0 {
            self.max_difference = largest;
            self.worst_row = row;
            self.worst_outputs = [expected.to_vec(), found.to_vec()];
        }
        self.rows += 1;
        if lead(expected) > TOLERANCE {
            self.decided_rows += 1;
            if most_probable(expected) != most_probable(found) {
                self.other_class.push(row);
            }
        }
    }
}

/// By how much the largest value leads the second largest; infinite when there is only one.
fn lead(values: &[f32]) -> f64 {
    let mut sorted: Vec<f64> = values.iter().map(|&value| f64::from(value)).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    match sorted[..] {
        [first, second, ..] => first - second,
        [_] | [] => f64::INFINITY,
    }
}

fn most_probable(values: &[f32]) -> Option<usize> {
    let better = |best: Option<(usize, f32)>, (index, &value): (usize, &f32)| match best {
        Some((_, largest)) if value <= largest || value.is_nan() => best,
        _ => Some((index, value)),
    };
    values.iter().enumerate().fold(None, better).map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipectl_onnx::ValueSpec;

    /// Says what it is told to say.
    struct Parrot(Vec<f32>);

    impl Scorer for Parrot {
        fn name(&self) -> String {
            "parrot".to_owned()
        }

        fn inputs(&self) -> &[ValueSpec] {
            &[]
        }

        fn outputs(&self) -> &[ValueSpec] {
            &[]
        }

        fn run(&mut self, _inputs: &BTreeMap<String, Tensor>) -> Result<BTreeMap<String, Tensor>, ScoreError> {
            let tensor = Tensor::new([self.0.len() / 2, 2], self.0.clone()).unwrap();
            Ok(BTreeMap::from([("class".to_owned(), tensor)]))
        }
    }

    fn check(expected: &[f32], found: &[f32]) -> Result<Agreement, CheckError> {
        let rows = (0..expected.len() / 2).map(|row| 100 + row).collect();
        let batch = CheckedBatch { rows, inputs: BTreeMap::new(), expected: expected.to_vec() };
        compare(&mut Parrot(found.to_vec()), "class", &[batch])
    }

    #[test]
    fn agreement_is_counted() {
        let agreement = check(&[0.9, 0.1, 0.50002, 0.49998], &[0.90005, 0.09995, 0.49999, 0.50001]).unwrap();
        // The second row is undecided, so its class may differ.
        assert_eq!((agreement.rows, agreement.decided_rows, agreement.worst_row), (2, 1, 100));
        assert!((agreement.max_difference - 5e-5).abs() < 1e-7, "{agreement:?}");
    }

    #[test]
    fn differences_fail_with_the_worst_row() {
        let text = check(&[0.9, 0.1, 0.7, 0.3], &[0.9, 0.1, 0.69, 0.31]).unwrap_err().to_string();
        assert!(text.contains("by up to 1.000e-2"), "{text}");
        assert!(
            text.contains("worst is row 101, where the network says [0.7, 0.3] and the model [0.69, 0.31]"),
            "{text}"
        );
        assert!(matches!(check(&[0.9, 0.1], &[f32::NAN, 0.1]), Err(CheckError::Disagrees(_))));
        assert!(matches!(check(&[f32::NAN, 0.1], &[0.9, 0.1]), Err(CheckError::Disagrees(_))));
        assert!(matches!(check(&[0.9, 0.1], &[0.9, 0.1, 0.5, 0.5]), Err(CheckError::Output { .. })));
        // The class of a row whose lead is just above the tolerance must survive, whatever the difference.
        let text = check(&[0.50006, 0.49994], &[0.49999, 0.50001]).unwrap_err().to_string();
        assert!(text.contains("1 of 1 decided rows get another class, the first is row 100"), "{text}");
    }
}
