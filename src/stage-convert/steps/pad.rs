//! `pad`: lists and matrices filled up to one length.

use std::collections::BTreeSet;

use pipectl_core::{Attribute, Schema, Type};
use pipectl_formats::table::{Nesting, Offsets, Values};

use super::step::{RowStep, needed_of};
use crate::arguments::Arguments;
use crate::batch::{Batch, CellProblem};
use crate::columns::{Columns, Length, Problem, Shape};
use crate::tally::Tally;

#[derive(Clone, Debug)]
pub(super) struct Pad {
    columns: Vec<String>,
    length: usize,
    value: f64,
    /// Whether padding goes in front.
    start: bool,
}

impl Pad {
    pub(super) fn schema() -> Schema {
        Schema::of([
            ("columns", Attribute::required(Type::list(Type::String), "List and matrix columns.")),
            ("length", Attribute::required(Type::Number, "Elements of each list, rows of each matrix, afterwards.")),
            ("value", Attribute::optional(Type::Number, "What is filled in. Default: 0.")),
            ("side", Attribute::optional(Type::String, "Which side is filled: \"end\" (default) or \"start\".")),
        ])
        .described("Fills lists and matrices up to one length. Steps behind it see the padding like any other element.")
    }

    pub(super) fn parse(arguments: &mut Arguments) -> Self {
        let columns = arguments.required("columns", Arguments::columns);
        let length = arguments.required("length", Arguments::size);
        let value = arguments.number("value").unwrap_or(0.0);
        let start = arguments.choice("side", &[("end", false), ("start", true)]).unwrap_or(false);
        if length > 1 << 24 {
            arguments.problem("length", "A length beyond 16777216 is surely a mistake.");
        }
        Pad { columns, length, value, start }
    }
}

impl RowStep for Pad {
    fn check(&self, columns: &Columns) -> Result<Columns, Vec<Problem>> {
        let mut after = columns.clone();
        let mut problems = Vec::new();
        for (index, name) in self.columns.iter().enumerate() {
            let problem = match columns.find(name) {
                Ok(Shape::Scalar) => {
                    Some(Problem::element("columns", index, format!("Column `{name}` is a single number.")))
                }
                Ok(shape @ Shape::Matrix { width: None, .. }) => Some(Problem::element(
                    "columns",
                    index,
                    format!("Column `{name}` is a {shape} of unknown width. Declare it with a step \"shape\" before."),
                )),
                Ok(shape) => match shape.length() {
                    Some(Length::Fixed(found)) if found > self.length => Some(Problem::with(
                        "length",
                        format!("Column `{name}` has {found} in every row, more than {} to pad to.", self.length),
                    )),
                    _ => {
                        after.set(name, shape.with_length(Length::Fixed(self.length)));
                        None
                    }
                },
                Err(message) => Some(Problem::element("columns", index, message)),
            };
            problems.extend(problem);
        }
        if problems.is_empty() { Ok(after) } else { Err(problems) }
    }

    fn narrow(&self, needed: &mut BTreeSet<String>) -> Option<Box<dyn RowStep>> {
        Some(Box::new(Pad { columns: needed_of(&self.columns, needed)?, ..*self }))
    }

    fn apply(&self, batch: &mut Batch, _: &Tally) -> Result<(), CellProblem> {
        // Columns of equal lengths keep sharing one set of offsets.
        let offsets = Offsets::equal(batch.rows(), self.length);
        for name in &self.columns {
            let values = batch.column(name);
            let (lengths, width) = match &values.nesting {
                Nesting::List(lengths) => (lengths, None),
                Nesting::Matrix { offsets, width } => (offsets, Some(*width)),
                Nesting::Scalar => unreachable!("the check refuses numbers"),
            };
            if let Some(row) = lengths.lengths().position(|length| length > self.length) {
                let message = format!(
                    "it has {} elements, more than the {} to pad to; a step \"truncate\" before cuts them",
                    lengths.length(row),
                    self.length
                );
                return Err(CellProblem::new(row, name, message));
            }
            let size = self.length * width.unwrap_or(1);
            let mut data = vec![self.value; size * values.rows()];
            for (row, full) in data.chunks_exact_mut(size.max(1)).enumerate() {
                let kept = values.row(row);
                let start = if self.start { full.len() - kept.len() } else { 0 };
                full[start..start + kept.len()].copy_from_slice(kept);
            }
            let nesting = match width {
                Some(width) => Nesting::Matrix { offsets: offsets.clone(), width },
                None => Nesting::List(offsets.clone()),
            };
            batch.set(name, Values { data, nesting });
        }
        Ok(())
    }
}
