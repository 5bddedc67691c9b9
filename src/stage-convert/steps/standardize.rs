//! `standardize`: each row on its own, to mean 0 and standard deviation 1.
//!
//! A list is standardised over its elements, a matrix feature by feature over its rows. What is padding is decided by
//! order: a step "pad" before makes it take part, a step "pad" behind leaves it out.

use std::collections::BTreeSet;

use pipectl_core::{Attribute, Schema, Type};
use pipectl_formats::table::Nesting;

use super::step::{RowStep, needed_of};
use crate::arguments::Arguments;
use crate::batch::{Batch, CellProblem};
use crate::columns::{Columns, Problem, Shape};
use crate::tally::Tally;

#[derive(Clone, Debug)]
pub(super) struct Standardize {
    columns: Vec<String>,
}

impl Standardize {
    pub(super) fn schema() -> Schema {
        Schema::of([("columns", Attribute::required(Type::list(Type::String), "List and matrix columns."))]).described(
            "Brings the elements of each list, and each feature of each matrix, to mean 0 and population standard deviation 1 \
             within the row. A constant feature becomes 0.",
        )
    }

    pub(super) fn parse(arguments: &mut Arguments) -> Self {
        Standardize { columns: arguments.required("columns", Arguments::columns) }
    }
}

impl RowStep for Standardize {
    fn check(&self, columns: &Columns) -> Result<Columns, Vec<Problem>> {
        let mut problems = Vec::new();
        for (index, name) in self.columns.iter().enumerate() {
            match columns.find(name) {
                Ok(Shape::Scalar) => problems.push(Problem::element(
                    "columns",
                    index,
                    format!("Column `{name}` is a single number in each row; a step \"scale\" works over all rows."),
                )),
                Ok(_) => {}
                Err(message) => problems.push(Problem::element("columns", index, message)),
            }
        }
        if problems.is_empty() { Ok(columns.clone()) } else { Err(problems) }
    }

    fn narrow(&self, needed: &mut BTreeSet<String>) -> Option<Box<dyn RowStep>> {
        Some(Box::new(Standardize { columns: needed_of(&self.columns, needed)? }))
    }

    fn apply(&self, batch: &mut Batch, _: &Tally) -> Result<(), CellProblem> {
        for name in &self.columns {
            let mut values = batch.take(name);
            let width = match &values.nesting {
                Nesting::Matrix { width, .. } => *width,
                Nesting::List(_) | Nesting::Scalar => 1,
            };
            for row in 0..values.rows() {
                let positions = values.positions(row);
                standardize(&mut values.data[positions], width);
            }
            batch.set(name, values);
        }
        Ok(())
    }
}

/// The standard deviation of `count` values, 0 if they are constant.
///
/// They count as constant under the bound of scikit-learn's `StandardScaler`: a variance not above
/// `n eps variance + (n mean eps)^2` is rounding, not spread.
pub(super) fn deviation(count: f64, mean: f64, variance: f64) -> f64 {
    let rounding = count * f64::EPSILON * variance + (count * mean * f64::EPSILON).powi(2);
    if variance <= rounding { 0.0 } else { variance.sqrt() }
}

/// Standardises the columns of a row major matrix.
fn standardize(matrix: &mut [f64], width: usize) {
    if matrix.is_empty() || width == 0 {
        return;
    }
    let count = (matrix.len() / width) as f64;
    let mut means = vec![0.0; width];
    for row in matrix.chunks_exact(width) {
        means.iter_mut().zip(row).for_each(|(mean, value)| *mean += value);
    }
    means.iter_mut().for_each(|mean| *mean /= count);
    let mut variances = vec![0.0; width];
    for row in matrix.chunks_exact(width) {
        for ((variance, mean), value) in variances.iter_mut().zip(&means).zip(row) {
            let difference = value - mean;
            *variance += difference * difference;
        }
    }
    let divisor = |(sum, mean): (&f64, &f64)| {
        let deviation = deviation(count, *mean, sum / count);
        if deviation == 0.0 { 1.0 } else { deviation }
    };
    let divisors: Vec<f64> = variances.iter().zip(&means).map(divisor).collect();
    for row in matrix.chunks_exact_mut(width) {
        for ((value, mean), divisor) in row.iter_mut().zip(&means).zip(&divisors) {
            *value = (*value - mean) / divisor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_features_become_zero_and_others_get_unit_deviation() {
        let mut matrix: Vec<f64> = (0..801).flat_map(|row| [0.1, f64::from(row), 0.0]).collect();
        standardize(&mut matrix, 3);
        let column = |place: usize| matrix.iter().skip(place).step_by(3).copied().collect::<Vec<_>>();
        assert!(column(0).iter().all(|value| value.abs() < 1e-12));
        assert!(column(2).iter().all(|value| *value == 0.0));
        let squares: f64 = column(1).iter().map(|value| value * value).sum();
        assert!((squares / 801.0 - 1.0).abs() < 1e-12);
        standardize(&mut [], 3);
        let mut alone = [5.0];
        standardize(&mut alone, 1);
        assert_eq!(alone, [0.0]);
    }
}
