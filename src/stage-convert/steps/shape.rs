//! `shape`: declares, checks and changes the shape of columns whose files do not say it.

use std::collections::BTreeSet;

use pipectl_core::{Attribute, Schema, Type};
use pipectl_formats::table::{Offsets, Values};

use super::step::{RowStep, needed_of};
use crate::arguments::{Arguments, numbers};
use crate::batch::{Batch, CellProblem};
use crate::columns::{Columns, Length, Problem, Shape};
use crate::tally::Tally;

#[derive(Clone, Debug)]
pub(super) struct Reshape {
    columns: Vec<String>,
    target: Target,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    Scalar,
    /// A list; any length when absent.
    List(Option<usize>),
    /// A matrix; any number of rows when absent.
    Matrix(Option<usize>, usize),
}

impl Reshape {
    pub(super) fn schema() -> Schema {
        Schema::of([
            ("columns", Attribute::required(Type::list(Type::String), "Columns to shape.")),
            (
                "shape",
                Attribute::required(
                    Type::list(Type::Number),
                    "`[n]` for a list, `[n, width]` for a matrix (row major), `[]` for a number; -1 as `n` for any.",
                ),
            ),
        ])
        .described(
            "Declares the shape of columns, and checks every row against it. A flat list may become a matrix and back.",
        )
    }

    pub(super) fn parse(arguments: &mut Arguments) -> Self {
        let columns = arguments.required("columns", Arguments::columns);
        let shape =
            arguments.required("shape", |arguments, name| arguments.json(name).map(|json| (true, numbers(json)))).1;
        let dimension = |value: f64| (value.fract() == 0.0 && (1.0..1e9).contains(&value)).then_some(value as usize);
        let first = |value: f64| if value == -1.0 { Some(None) } else { dimension(value).map(Some) };
        let target = match shape.as_deref() {
            Some([]) => Some(Target::Scalar),
            Some(&[length]) => first(length).map(Target::List),
            Some(&[rows, width]) => first(rows).zip(dimension(width)).map(|(rows, width)| Target::Matrix(rows, width)),
            _ => None,
        };
        if target.is_none() {
            arguments.problem("shape", "The argument `shape` takes [], [n] or [n, width]; n may be -1 for any.");
        }
        Reshape { columns, target: target.unwrap_or(Target::Scalar) }
    }

    /// Number of values in a row, where it is fixed.
    fn size(&self) -> Option<usize> {
        match self.target {
            Target::Scalar => Some(1),
            Target::List(length) => length,
            Target::Matrix(rows, width) => rows.and_then(|rows| rows.checked_mul(width)),
        }
    }

    fn shape(&self, before: Shape) -> Shape {
        let rest = |before: Option<Length>, width: usize| match before {
            Some(Length::Fixed(length)) => Length::Fixed(length / width),
            Some(Length::AtMost(length)) => Length::AtMost(length / width),
            Some(Length::Any) | None => Length::Any,
        };
        match (self.target, before) {
            (Target::Scalar, _) => Shape::Scalar,
            (Target::List(Some(length)), _) => Shape::List(Length::Fixed(length)),
            (Target::List(None), before) => Shape::List(rest(flat_length(before), 1)),
            (Target::Matrix(Some(rows), width), _) => Shape::Matrix { rows: Length::Fixed(rows), width: Some(width) },
            (Target::Matrix(None, width), before) => {
                Shape::Matrix { rows: rest(flat_length(before), width), width: Some(width) }
            }
        }
    }
}

/// Values in a row, as far as they are known.
fn flat_length(shape: Shape) -> Option<Length> {
    match shape {
        Shape::Scalar => Some(Length::Fixed(1)),
        Shape::List(length) => Some(length),
        Shape::Matrix { rows: Length::Fixed(rows), width: Some(width) } => rows.checked_mul(width).map(Length::Fixed),
        Shape::Matrix { rows: Length::AtMost(rows), width: Some(width) } => rows.checked_mul(width).map(Length::AtMost),
        Shape::Matrix { .. } => None,
    }
}

impl RowStep for Reshape {
    fn check(&self, columns: &Columns) -> Result<Columns, Vec<Problem>> {
        let mut after = columns.clone();
        let mut problems = Vec::new();
        for (index, name) in self.columns.iter().enumerate() {
            match columns.find(name) {
                Ok(before) => {
                    let target = self.shape(before);
                    let fits = match (flat_length(before), self.size()) {
                        (Some(Length::Fixed(found)), Some(size)) => found == size,
                        (Some(Length::AtMost(most)), Some(size)) => size <= most,
                        _ => true,
                    };
                    // A matrix stays one of the same width; only flat lists are folded.
                    let folds = match (before, self.target) {
                        (Shape::Matrix { width: Some(found), .. }, Target::Matrix(_, width)) => found == width,
                        _ => true,
                    };
                    if fits && folds {
                        after.set(name, target);
                    } else {
                        problems.push(Problem::with(
                            "shape",
                            format!("Column `{name}` is a {before}; it cannot be a {target}."),
                        ));
                    }
                }
                Err(message) => problems.push(Problem::element("columns", index, message)),
            }
        }
        if problems.is_empty() { Ok(after) } else { Err(problems) }
    }

    fn narrow(&self, needed: &mut BTreeSet<String>) -> Option<Box<dyn RowStep>> {
        Some(Box::new(Reshape { columns: needed_of(&self.columns, needed)?, target: self.target }))
    }

    fn apply(&self, batch: &mut Batch, _: &Tally) -> Result<(), CellProblem> {
        for name in &self.columns {
            let values = batch.take(name);
            let rows = values.rows();
            let counts: Vec<usize> = (0..rows).map(|row| values.positions(row).len()).collect();
            let wrong = |row: usize, expected: String| {
                Err(CellProblem::new(
                    row,
                    name,
                    format!("it has {} values, its shape asks for {expected}", counts[row]),
                ))
            };
            if let Some(size) = self.size()
                && let Some(row) = counts.iter().position(|&count| count != size)
            {
                return wrong(row, size.to_string());
            }
            let shaped = match self.target {
                Target::Scalar => Values::scalars(values.data),
                Target::List(_) => Values::lists(values.data, Offsets::from_lengths(counts)),
                Target::Matrix(_, width) => {
                    if let Some(row) = counts.iter().position(|&count| count % width != 0) {
                        return wrong(row, format!("a multiple of {width}"));
                    }
                    if let pipectl_formats::table::Nesting::Matrix { width: found, .. } = values.nesting
                        && found != width
                        && !values.data.is_empty()
                    {
                        let row = counts.iter().position(|&count| count > 0).unwrap_or(0);
                        return Err(CellProblem::new(
                            row,
                            name,
                            format!("its rows have {found} values, its shape asks for {width}"),
                        ));
                    }
                    Values::matrices(
                        values.data,
                        Offsets::from_lengths(counts.into_iter().map(|count| count / width)),
                        width,
                    )
                }
            };
            batch.set(name, shaped);
        }
        Ok(())
    }
}
