//! `derive`: new columns by arithmetic.

use std::collections::{BTreeMap, BTreeSet};

use pipectl_core::{Attribute, Path, Schema, Type};

use super::step::RowStep;
use crate::arguments::Arguments;
use crate::batch::{Batch, CellProblem};
use crate::columns::{Columns, Problem};
use crate::expression::Expression;
use crate::tally::Tally;

/// All expressions see the columns as they were before the step, so that their order means nothing.
#[derive(Clone, Debug)]
pub(super) struct Derive {
    columns: BTreeMap<String, Expression>,
}

impl Derive {
    pub(super) fn schema() -> Schema {
        Schema::of([(
            "columns",
            Attribute::required(
                Type::map(Type::String),
                "New column = expression over the columns before this step, such as `Pt * cosh(Eta)`.",
            ),
        )])
        .described("Adds columns by arithmetic, element by element, or replaces them.")
    }

    pub(super) fn parse(arguments: &mut Arguments) -> Self {
        let mut columns = BTreeMap::new();
        for (name, text) in arguments.required("columns", Arguments::text_map) {
            match Expression::parse(&text) {
                Ok(expression) => {
                    columns.insert(name, expression);
                }
                Err(error) => arguments.problem(&format!("columns.{name}"), format!("Malformed expression: {error}.")),
            }
        }
        Derive { columns }
    }
}

impl RowStep for Derive {
    fn check(&self, columns: &Columns) -> Result<Columns, Vec<Problem>> {
        let mut after = columns.clone();
        let mut problems = Vec::new();
        for (name, expression) in &self.columns {
            match expression.shape(columns) {
                Ok(shape) => after.set(name, shape),
                Err(message) => {
                    problems.push(Problem::at(Path::of("columns").name(name), format!("Column `{name}`: {message}")))
                }
            }
        }
        if problems.is_empty() { Ok(after) } else { Err(problems) }
    }

    fn narrow(&self, needed: &mut BTreeSet<String>) -> Option<Box<dyn RowStep>> {
        let columns: BTreeMap<String, Expression> = self
            .columns
            .iter()
            .filter(|(name, _)| needed.remove(*name))
            .map(|(name, expression)| (name.clone(), expression.clone()))
            .collect();
        for expression in columns.values() {
            needed.extend(expression.columns());
        }
        (!columns.is_empty()).then(|| Box::new(Derive { columns }) as Box<dyn RowStep>)
    }

    fn apply(&self, batch: &mut Batch, _: &Tally) -> Result<(), CellProblem> {
        let mut derived = Vec::with_capacity(self.columns.len());
        for (name, expression) in &self.columns {
            derived.push((name, expression.evaluate(batch, name)?));
        }
        for (name, values) in derived {
            batch.set(name, values);
        }
        Ok(())
    }
}
