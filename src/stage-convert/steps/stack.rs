//! `stack`: columns side by side.

use std::collections::BTreeSet;

use pipectl_core::{Attribute, Schema, Type};
use pipectl_formats::table::{Nesting, Offsets, Values};

use super::step::RowStep;
use crate::arguments::Arguments;
use crate::batch::{Batch, CellProblem};
use crate::columns::{Columns, Length, Problem, Shape};
use crate::tally::Tally;

#[derive(Clone, Debug)]
pub(super) struct Stack {
    columns: Vec<String>,
    into: String,
}

impl Stack {
    pub(super) fn schema() -> Schema {
        Schema::of([
            ("columns", Attribute::required(Type::list(Type::String), "Columns to put side by side, in this order.")),
            ("into", Attribute::required(Type::String, "The new column.")),
        ])
        .described("Makes one matrix of lists of equal lengths (a row of it holds one element of each), or one list of numbers.")
    }

    pub(super) fn parse(arguments: &mut Arguments) -> Self {
        let columns = arguments.required("columns", Arguments::texts);
        let into = arguments.required("into", Arguments::text);
        Stack { columns, into }
    }
}

impl RowStep for Stack {
    fn check(&self, columns: &Columns) -> Result<Columns, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut shapes = Vec::new();
        for (index, name) in self.columns.iter().enumerate() {
            match columns.find(name) {
                Ok(shape @ Shape::Matrix { .. }) => {
                    problems.push(Problem::element(
                        "columns",
                        index,
                        format!("Column `{name}` is a {shape}; only lists or numbers can be stacked."),
                    ));
                }
                Ok(shape) => shapes.push((name, shape)),
                Err(message) => problems.push(Problem::element("columns", index, message)),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let Some(&(first, shape)) = shapes.first() else {
            return Err(vec![Problem::with("columns", "There is no column to stack.")]);
        };
        let mut common = shape;
        for (index, (name, other)) in shapes.iter().enumerate().skip(1) {
            common = match (common, *other) {
                (Shape::Scalar, Shape::Scalar) => Shape::Scalar,
                (Shape::List(a), Shape::List(b)) if a.common(b).is_some() => {
                    Shape::List(a.common(b).expect("just seen"))
                }
                _ => {
                    let message =
                        format!("Column `{name}` is a {other}, `{first}` is a {shape}: they cannot be stacked.");
                    return Err(vec![Problem::element("columns", index, message)]);
                }
            };
        }
        let width = self.columns.len();
        let mut after = columns.clone();
        after.set(
            &self.into,
            match common {
                Shape::List(rows) => Shape::Matrix { rows, width: Some(width) },
                Shape::Scalar | Shape::Matrix { .. } => Shape::List(Length::Fixed(width)),
            },
        );
        Ok(after)
    }

    fn narrow(&self, needed: &mut BTreeSet<String>) -> Option<Box<dyn RowStep>> {
        if !needed.remove(&self.into) {
            return None;
        }
        needed.extend(self.columns.iter().cloned());
        Some(Box::new(self.clone()))
    }

    fn apply(&self, batch: &mut Batch, _: &Tally) -> Result<(), CellProblem> {
        let columns: Vec<&Values> = self.columns.iter().map(|name| batch.column(name)).collect();
        let width = columns.len();
        let offsets = match &columns[0].nesting {
            Nesting::List(offsets) => Some(offsets.clone()),
            Nesting::Scalar | Nesting::Matrix { .. } => None,
        };
        if let Some(expected) = &offsets {
            for (values, name) in columns.iter().zip(&self.columns) {
                if let Nesting::List(found) = &values.nesting
                    && let Some(row) = expected.first_difference(found)
                {
                    let message = format!(
                        "it has {} elements, column `{}` has {}",
                        found.length(row),
                        self.columns[0],
                        expected.length(row)
                    );
                    return Err(CellProblem::new(row, name, message));
                }
            }
        }
        let mut data = vec![0.0; columns[0].data.len() * width];
        for (place, values) in columns.iter().enumerate() {
            for (row, value) in data.chunks_exact_mut(width).zip(&values.data) {
                row[place] = *value;
            }
        }
        let stacked = match offsets {
            Some(offsets) => Values::matrices(data, offsets, width),
            None => Values::lists(data, Offsets::equal(batch.rows(), width)),
        };
        batch.set(&self.into, stacked);
        Ok(())
    }
}
