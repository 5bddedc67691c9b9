//! `sort`: the elements of lists and the rows of matrices, within each row of the data.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use pipectl_core::{Attribute, Schema, Type};
use pipectl_formats::table::Nesting;

use super::step::{RowStep, needed_of};
use crate::arguments::Arguments;
use crate::batch::{Batch, CellProblem};
use crate::columns::{Columns, Problem, Shape};
use crate::expression::Expression;
use crate::tally::Tally;

#[derive(Clone, Debug)]
pub(super) struct Sort {
    columns: Vec<String>,
    by: Option<Expression>,
    descending: bool,
}

impl Sort {
    pub(super) fn schema() -> Schema {
        Schema::of([
            (
                "columns",
                Attribute::required(
                    Type::list(Type::String),
                    "List and matrix columns to put in order, all in the same way.",
                ),
            ),
            (
                "by",
                Attribute::required(
                    Type::String,
                    "The key: a list column, or an expression that gives a list as long as the columns.",
                ),
            ),
            (
                "order",
                Attribute::optional(
                    Type::String,
                    "\"ascending\" (default) or \"descending\". Equal keys keep their order.",
                ),
            ),
        ])
        .described("Sorts the elements of lists and the rows of matrices within each row, stably.")
    }

    pub(super) fn parse(arguments: &mut Arguments) -> Self {
        let columns = arguments.required("columns", Arguments::columns);
        let by = arguments.required("by", Arguments::text);
        let descending = arguments.choice("order", &[("ascending", false), ("descending", true)]).unwrap_or(false);
        let by = match Expression::parse(&by) {
            Ok(expression) => Some(expression),
            Err(error) => {
                if !by.is_empty() {
                    arguments.problem("by", format!("Malformed expression: {error}."));
                }
                None
            }
        };
        Sort { columns, by, descending }
    }

    fn key(&self) -> &Expression {
        self.by.as_ref().expect("a step with a malformed key is refused")
    }
}

impl RowStep for Sort {
    fn check(&self, columns: &Columns) -> Result<Columns, Vec<Problem>> {
        let key = match self.key().shape(columns) {
            Ok(Shape::List(length)) => length,
            Ok(shape) => {
                return Err(vec![Problem::with("by", format!("The key `{}` is a {shape}, not a list.", self.key()))]);
            }
            Err(message) => return Err(vec![Problem::with("by", message)]),
        };
        let mut problems = Vec::new();
        for (index, name) in self.columns.iter().enumerate() {
            match columns.find(name).map(|shape| (shape, shape.length())) {
                Ok((_, Some(length))) if length.common(key).is_some() => {}
                Ok((shape, _)) => problems.push(Problem::element(
                    "columns",
                    index,
                    format!("Column `{name}` is a {shape}; the key `{}` is a list of {key}.", self.key()),
                )),
                Err(message) => problems.push(Problem::element("columns", index, message)),
            }
        }
        if problems.is_empty() { Ok(columns.clone()) } else { Err(problems) }
    }

    fn narrow(&self, needed: &mut BTreeSet<String>) -> Option<Box<dyn RowStep>> {
        let columns = needed_of(&self.columns, needed)?;
        needed.extend(self.key().columns());
        Some(Box::new(Sort { columns, ..self.clone() }))
    }

    fn apply(&self, batch: &mut Batch, _: &Tally) -> Result<(), CellProblem> {
        let text = self.key().to_string();
        let keys = self.key().evaluate(batch, &text)?;
        let Nesting::List(offsets) = &keys.nesting else { unreachable!("the check has seen a list") };
        let mut order: Vec<usize> = (0..keys.data.len()).collect();
        for row in 0..offsets.rows() {
            let range = offsets.range(row);
            if keys.data[range.clone()].iter().any(|key| key.is_nan()) {
                return Err(CellProblem::new(row, &text, "a key to sort by is not a number"));
            }
            let ascending = |a: &usize, b: &usize| keys.data[*a].partial_cmp(&keys.data[*b]).unwrap_or(Ordering::Equal);
            let part = &mut order[range];
            if self.descending {
                // Not sorted and reversed: equal keys keep their order.
                part.sort_by(|a, b| ascending(b, a));
            } else {
                part.sort_by(ascending);
            }
        }
        for name in &self.columns {
            let mut values = batch.take(name);
            let (found, width) = match &values.nesting {
                Nesting::List(found) => (found, 1),
                Nesting::Matrix { offsets: found, width } => (found, *width),
                Nesting::Scalar => unreachable!("the check refuses numbers"),
            };
            if let Some(row) = found.first_difference(offsets) {
                let message =
                    format!("it has {} elements, the key `{text}` has {}", found.length(row), offsets.length(row));
                return Err(CellProblem::new(row, name, message));
            }
            let mut data = Vec::with_capacity(values.data.len());
            for &position in &order {
                data.extend_from_slice(&values.data[position * width..(position + 1) * width]);
            }
            values.data = data;
            batch.set(name, values);
        }
        Ok(())
    }
}
