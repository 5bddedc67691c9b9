//! A run of rows on its way through the steps.

use std::collections::BTreeMap;

use pipectl_formats::table::Values;

/// Where a row came from: errors name it, whatever steps it has been through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Number of the source file.
    pub file: u32,
    /// Row in that file, from 0.
    pub row: u64,
}

/// Consecutive rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Where each row came from.
    pub origins: Vec<Origin>,
    /// Values by column; each has as many rows as `origins`.
    pub columns: BTreeMap<String, Values>,
}

/// Something wrong with one cell, found while rows go through.
#[derive(Clone, Debug, PartialEq)]
pub struct CellProblem {
    /// Row in the batch.
    pub row: usize,
    /// The column.
    pub column: String,
    /// What is wrong.
    pub message: String,
}

impl CellProblem {
    pub(crate) fn new(row: usize, column: &str, message: impl Into<String>) -> Self {
        CellProblem { row, column: column.to_owned(), message: message.into() }
    }
}

impl Batch {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.origins.len()
    }

    /// A column that the check before the run has seen.
    pub(crate) fn column(&self, name: &str) -> &Values {
        self.columns.get(name).expect("the check has seen the column")
    }

    pub(crate) fn take(&mut self, name: &str) -> Values {
        self.columns.remove(name).expect("the check has seen the column")
    }

    pub(crate) fn set(&mut self, name: &str, values: Values) {
        debug_assert_eq!(values.rows(), self.rows());
        self.columns.insert(name.to_owned(), values);
    }

    /// Keeps the rows numbered `rows`.
    pub(crate) fn keep(&mut self, rows: &[usize]) {
        if rows.len() == self.rows() {
            return;
        }
        self.origins = rows.iter().map(|&row| self.origins[row]).collect();
        for values in self.columns.values_mut() {
            *values = values.pick(rows);
        }
    }
}
