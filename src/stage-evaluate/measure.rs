//! Figures of a classifier, from its probabilities and the true classes. Pure: no files, no network.

use std::cmp::Ordering;

/// Probabilities closer to 0 or 1 than this count as this far away, as in Keras, so that one sure mistake does not make the loss infinite.
const EPSILON: f64 = 1e-7;

/// What the figures cannot be made of.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MeasureError {
    /// The lengths do not go together.
    #[error("there are {probabilities} probabilities for {rows} rows of {classes} classes")]
    Lengths {
        /// Numbers of probabilities.
        probabilities: usize,
        /// Number of rows.
        rows: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A row's numbers cannot be probabilities: one is negative or not finite, or all are zero.
    #[error("row {row} has the numbers {values:?}, which are no probabilities")]
    NotProbabilities {
        /// The row, from 0.
        row: usize,
        /// Its numbers.
        values: Vec<f32>,
    },
    /// A true class that there is not.
    #[error("row {row} has class {class} of {classes}")]
    Class {
        /// The row, from 0.
        row: usize,
        /// Its class, from 0.
        class: usize,
        /// How many there are.
        classes: usize,
    },
    /// There is nothing to measure.
    #[error("there are no rows")]
    NoRows,
}

/// The figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Measures {
    /// Number of rows.
    pub rows: u64,
    /// Rows whose most probable class (the first of several) is the true one.
    pub correct: u64,
    /// Mean categorical cross-entropy, as Keras computes it from probabilities: each row divided by its sum, the true class's share kept
    /// between 1e-7 and 1 - 1e-7.
    pub loss: f64,
    /// Rows by true class, then by predicted class.
    pub confusion: Vec<Vec<u64>>,
    /// For each class, its ROC curve against all others; `None` when no row or every row is of it.
    pub curves: Vec<Option<Curve>>,
}

/// A ROC curve (T. Fawcett, "An introduction to ROC analysis", 2006).
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Rows of the class.
    pub positives: u64,
    /// Other rows.
    pub negatives: u64,
    /// The area under it: the probability that a row of the class scores higher than another one, where equal scores count half. Exact up
    /// to one rounding.
    pub area: f64,
    /// From (0, 0) to (all, all), without points on the straight line between their neighbours.
    pub points: Vec<Point>,
}

/// A point of a ROC curve: rows with at least a score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Those that are not of the class.
    pub false_positives: u64,
    /// Those that are.
    pub true_positives: u64,
    /// The score; `None`: above all scores.
    pub threshold: Option<f32>,
}

impl Measures {
    /// The figures of `probabilities` (`[rows, classes]`, one row after another) where row `i` is of class `truth[i]`.
    ///
    /// # Errors
    /// When lengths, classes or probabilities are not what they should be.
    pub fn of(probabilities: &[f32], truth: &[usize], classes: usize) -> Result<Self, MeasureError> {
        if probabilities.len() != truth.len() * classes {
            let (probabilities, rows) = (probabilities.len(), truth.len());
            return Err(MeasureError::Lengths { probabilities, rows, classes });
        }
        if probabilities.is_empty() {
            return Err(MeasureError::NoRows);
        }
        let mut confusion = vec![vec![0; classes]; classes];
        let mut loss = 0.0;
        for (row, (values, &class)) in probabilities.chunks_exact(classes).zip(truth).enumerate() {
            if class >= classes {
                return Err(MeasureError::Class { row, class, classes });
            }
            let sum: f64 = values.iter().copied().map(f64::from).sum();
            if values.iter().any(|value| !value.is_finite() || *value < 0.0) || sum <= 0.0 {
                return Err(MeasureError::NotProbabilities { row, values: values.to_vec() });
            }
            loss -= (f64::from(values[class]) / sum).clamp(EPSILON, 1.0 - EPSILON).ln();
            confusion[class][largest(values)] += 1;
        }
        let rows = truth.len() as u64;
        let curves = (0..classes).map(|class| {
            let scores = probabilities.iter().copied().skip(class).step_by(classes);
            Curve::of(scores.zip(truth.iter().map(|&of| of == class)).collect())
        });
        Ok(Self {
            rows,
            correct: (0..classes).map(|class| confusion[class][class]).sum(),
            loss: loss / rows as f64,
            curves: curves.collect(),
            confusion,
        })
    }

    /// Share of rows whose most probable class is the true one.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.rows as f64
    }

    /// Mean area under the curves that there are; `None` when there is none.
    pub fn mean_area(&self) -> Option<f64> {
        let areas: Vec<f64> = self.curves.iter().flatten().map(|curve| curve.area).collect();
        (!areas.is_empty()).then(|| areas.iter().sum::<f64>() / areas.len() as f64)
    }

    /// Rows of a class.
    pub fn rows_of(&self, class: usize) -> u64 {
        self.confusion[class].iter().sum()
    }

    /// Rows that were taken for a class.
    pub fn predicted_as(&self, class: usize) -> u64 {
        self.confusion.iter().map(|row| row[class]).sum()
    }
}

impl Curve {
    /// The curve of finite scores, each with whether its row is of the class. `None` when all are or none is.
    fn of(mut scored: Vec<(f32, bool)>) -> Option<Self> {
        // Among equal scores, order does not matter: they are taken together.
        scored.sort_unstable_by(|(a, _), (b, _)| b.partial_cmp(a).unwrap_or(Ordering::Equal));
        let positives = scored.iter().filter(|(_, positive)| *positive).count() as u64;
        let negatives = scored.len() as u64 - positives;
        if positives == 0 || negatives == 0 {
            return None;
        }
        let mut points = vec![Point { false_positives: 0, true_positives: 0, threshold: None }];
        let mut last = points[0];
        // Twice the number of pairs in the right order, equal ones counted half: a whole number, so that no rounding adds up.
        let mut doubled: u128 = 0;
        for equal in scored.chunk_by(|(a, _), (b, _)| a == b) {
            let true_here = equal.iter().filter(|(_, positive)| *positive).count() as u64;
            let false_here = equal.len() as u64 - true_here;
            doubled += u128::from(false_here) * u128::from(2 * last.true_positives + true_here);
            last = Point {
                false_positives: last.false_positives + false_here,
                true_positives: last.true_positives + true_here,
                threshold: Some(equal[0].0),
            };
            if let [.., before, between] = points.as_slice()
                && on_a_line(before, between, &last)
            {
                points.pop();
            }
            points.push(last);
        }
        let pairs = 2 * u128::from(positives) * u128::from(negatives);
        Some(Self { positives, negatives, area: doubled as f64 / pairs as f64, points })
    }

    /// False positive rate and true positive rate of a point of it.
    pub fn rates(&self, point: &Point) -> (f64, f64) {
        (point.false_positives as f64 / self.negatives as f64, point.true_positives as f64 / self.positives as f64)
    }

    /// At most `most` (2 or more) of its points, evenly picked, the first and the last among them.
    pub fn thinned(&self, most: usize) -> Vec<Point> {
        let (count, steps) = (self.points.len(), most.max(2) - 1);
        if count <= steps + 1 {
            return self.points.clone();
        }
        (0..=steps).map(|step| self.points[step * (count - 1) / steps]).collect()
    }
}

fn on_a_line(a: &Point, b: &Point, c: &Point) -> bool {
    let rise = |from: u64, to: u64| u128::from(to - from);
    rise(a.false_positives, b.false_positives) * rise(b.true_positives, c.true_positives)
        == rise(b.false_positives, c.false_positives) * rise(a.true_positives, b.true_positives)
}

/// Index of the first of the largest values.
pub(crate) fn largest(values: &[f32]) -> usize {
    let better = |best: usize, index: usize| if values[index] > values[best] { index } else { best };
    (0..values.len()).reduce(better).unwrap_or(0)
}

#[cfg(test)]
mod tests;
