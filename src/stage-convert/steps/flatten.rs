//! `flatten`: matrices to lists, row after row.

use std::collections::BTreeSet;

use pipectl_core::{Attribute, Schema, Type};
use pipectl_formats::table::{Nesting, Offsets, Values};

use super::step::{RowStep, needed_of};
use crate::arguments::Arguments;
use crate::batch::{Batch, CellProblem};
use crate::columns::{Columns, Length, Problem, Shape};
use crate::tally::Tally;

#[derive(Clone, Debug)]
pub(super) struct Flatten {
    columns: Vec<String>,
}

impl Flatten {
    pub(super) fn schema() -> Schema {
        Schema::of([("columns", Attribute::required(Type::list(Type::String), "Matrix columns to make lists of."))])
            .described("Makes lists of matrices, row after row.")
    }

    pub(super) fn parse(arguments: &mut Arguments) -> Self {
        Flatten { columns: arguments.required("columns", Arguments::columns) }
    }
}

impl RowStep for Flatten {
    fn check(&self, columns: &Columns) -> Result<Columns, Vec<Problem>> {
        let mut after = columns.clone();
        let mut problems = Vec::new();
        for (index, name) in self.columns.iter().enumerate() {
            match columns.find(name) {
                Ok(Shape::Matrix { rows, width }) => {
                    let length = match (rows, width) {
                        (Length::Fixed(rows), Some(width)) => Length::Fixed(rows * width),
                        (Length::AtMost(rows), Some(width)) => Length::AtMost(rows * width),
                        _ => Length::Any,
                    };
                    after.set(name, Shape::List(length));
                }
                Ok(shape) => problems.push(Problem::element(
                    "columns",
                    index,
                    format!("Column `{name}` is a {shape}, not a matrix."),
                )),
                Err(message) => problems.push(Problem::element("columns", index, message)),
            }
        }
        if problems.is_empty() { Ok(after) } else { Err(problems) }
    }

    fn narrow(&self, needed: &mut BTreeSet<String>) -> Option<Box<dyn RowStep>> {
        Some(Box::new(Flatten { columns: needed_of(&self.columns, needed)? }))
    }

    fn apply(&self, batch: &mut Batch, _: &Tally) -> Result<(), CellProblem> {
        for name in &self.columns {
            let values = batch.take(name);
            let Nesting::Matrix { offsets, width } = values.nesting else {
                unreachable!("the check has seen a matrix")
            };
            let lengths = Offsets::from_lengths(offsets.lengths().map(|length| length * width));
            batch.set(name, Values::lists(values.data, lengths));
        }
        Ok(())
    }
}
