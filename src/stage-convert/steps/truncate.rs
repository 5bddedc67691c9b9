//! `truncate`: a longest length for lists and matrices.

use std::collections::BTreeSet;

use pipectl_core::{Attribute, Schema, Type};
use pipectl_formats::table::{Nesting, Offsets, Values};

use super::step::{RowStep, needed_of};
use crate::arguments::Arguments;
use crate::batch::{Batch, CellProblem};
use crate::columns::{Columns, Length, Problem, Shape};
use crate::tally::Tally;

#[derive(Clone, Debug)]
pub(super) struct Truncate {
    columns: Vec<String>,
    length: usize,
    /// Whether the start is cut off instead of the end.
    start: bool,
}

impl Truncate {
    pub(super) fn schema() -> Schema {
        Schema::of([
            ("columns", Attribute::required(Type::list(Type::String), "List and matrix columns.")),
            ("length", Attribute::required(Type::Number, "The most elements of a list, rows of a matrix, that stay.")),
            ("side", Attribute::optional(Type::String, "Which side is cut off: \"end\" (default) or \"start\".")),
        ])
        .described("Cuts lists and matrices to a longest length, which then bounds a ragged output column.")
    }

    pub(super) fn parse(arguments: &mut Arguments) -> Self {
        let columns = arguments.required("columns", Arguments::columns);
        let length = arguments.required("length", Arguments::size);
        let start = arguments.choice("side", &[("end", false), ("start", true)]).unwrap_or(false);
        Truncate { columns, length, start }
    }
}

impl RowStep for Truncate {
    fn check(&self, columns: &Columns) -> Result<Columns, Vec<Problem>> {
        let mut after = columns.clone();
        let mut problems = Vec::new();
        for (index, name) in self.columns.iter().enumerate() {
            match columns.find(name) {
                Ok(Shape::Scalar) => {
                    problems.push(Problem::element("columns", index, format!("Column `{name}` is a single number.")))
                }
                Ok(shape) => {
                    let length = match shape.length() {
                        Some(Length::Fixed(length)) => Length::Fixed(length.min(self.length)),
                        Some(Length::AtMost(length)) => Length::AtMost(length.min(self.length)),
                        Some(Length::Any) | None => Length::AtMost(self.length),
                    };
                    after.set(name, shape.with_length(length));
                }
                Err(message) => problems.push(Problem::element("columns", index, message)),
            }
        }
        if problems.is_empty() { Ok(after) } else { Err(problems) }
    }

    fn narrow(&self, needed: &mut BTreeSet<String>) -> Option<Box<dyn RowStep>> {
        Some(Box::new(Truncate { columns: needed_of(&self.columns, needed)?, ..*self }))
    }

    fn apply(&self, batch: &mut Batch, tally: &Tally) -> Result<(), CellProblem> {
        let mut cut = BTreeSet::new();
        for name in &self.columns {
            let values = batch.column(name);
            let (offsets, width) = match &values.nesting {
                Nesting::List(offsets) => (offsets, 1),
                Nesting::Matrix { offsets, width } => (offsets, *width),
                Nesting::Scalar => unreachable!("the check refuses numbers"),
            };
            let long: Vec<usize> = (0..offsets.rows()).filter(|&row| offsets.length(row) > self.length).collect();
            if long.is_empty() {
                continue;
            }
            cut.extend(long);
            let mut data = Vec::with_capacity(values.data.len());
            for row in 0..offsets.rows() {
                let kept = offsets.length(row).min(self.length) * width;
                let all = values.row(row);
                data.extend_from_slice(if self.start { &all[all.len() - kept..] } else { &all[..kept] });
            }
            let lengths = Offsets::from_lengths(offsets.lengths().map(|length| length.min(self.length)));
            let nesting = match &values.nesting {
                Nesting::Matrix { width, .. } => Nesting::Matrix { offsets: lengths, width: *width },
                Nesting::List(_) | Nesting::Scalar => Nesting::List(lengths),
            };
            batch.set(name, Values { data, nesting });
        }
        tally.truncated(cut.len());
        Ok(())
    }
}
