//! Counts of a run: accuracy against labels, agreement with another run's predictions.

use crate::predictions::{Predictions, class_of};

/// The lead of a row's most probable class above which another class counts as disagreement.
pub const TOLERANCE: f64 = 1e-4;

/// Agreement with a reference, row by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Rows seen.
    pub rows: u64,
    /// Rows with a label.
    pub labelled: u64,
    /// Of those, rows whose predicted class is the label.
    pub correct: u64,
    /// Rows that the reference decides: the most probable class leads by more than [`TOLERANCE`].
    pub decided: u64,
    /// Of those, rows where both say the same class.
    pub agreeing: u64,
    /// Largest absolute difference of an output from the reference.
    pub max_difference: f64,
}

impl Tally {
    /// Counts predictions; `reference` holds the outputs for the same rows.
    pub fn add(&mut self, predictions: &Predictions, reference: Option<&[f32]>) {
        self.rows += predictions.rows().len() as u64;
        for (outputs, &label) in predictions.rows().zip(&predictions.labels) {
            self.labelled += 1;
            self.correct += u64::from(class_of(outputs) == label);
        }
        let reference = reference.unwrap_or_default().chunks_exact(predictions.classes.max(1));
        for (outputs, expected) in predictions.rows().zip(reference) {
            for (output, expected) in outputs.iter().zip(expected) {
                let difference = (f64::from(*output) - f64::from(*expected)).abs();
                if difference > self.max_difference || difference.is_nan() {
                    self.max_difference = difference;
                }
            }
            if lead(expected) > TOLERANCE {
                self.decided += 1;
                self.agreeing += u64::from(class_of(outputs) == class_of(expected));
            }
        }
    }

    /// Share of labelled rows that were classified right; None without labels.
    pub fn accuracy(&self) -> Option<f64> {
        share(self.correct, self.labelled)
    }

    /// Share of decided rows where both say the same class; None when there are none.
    pub fn agreement(&self) -> Option<f64> {
        share(self.agreeing, self.decided)
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn lead(outputs: &[f32]) -> f64 {
    if let [probability] = outputs {
        return (2.0 * f64::from(*probability) - 1.0).abs();
    }
    let mut sorted: Vec<f64> = outputs.iter().map(|&value| f64::from(value)).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    match sorted[..] {
        [first, second, ..] => first - second,
        [_] | [] => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_by_label_and_reference() {
        let predictions = Predictions {
            classes: 2,
            probabilities: vec![0.9, 0.1, 0.4, 0.6, 0.49999, 0.50001],
            labels: vec![0, 0, 1],
        };
        let mut tally = Tally::default();
        tally.add(&predictions, Some(&[0.8, 0.2, 0.6, 0.4, 0.50001, 0.49999]));
        assert_eq!((tally.rows, tally.correct, tally.decided, tally.agreeing), (3, 2, 2, 1));
        assert_eq!(tally.accuracy(), Some(2.0 / 3.0));
        assert_eq!(tally.agreement(), Some(0.5));
        assert!((tally.max_difference - 0.2).abs() < 1e-6);

        let mut without = Tally::default();
        without.add(&Predictions { labels: Vec::new(), ..predictions }, None);
        assert_eq!((without.accuracy(), without.agreement()), (None, None));
    }
}
