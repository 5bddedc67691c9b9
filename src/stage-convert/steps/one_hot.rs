//! `one_hot`: a column of class numbers to a 0/1 value for each class.

use std::collections::BTreeSet;

use pipectl_core::{Attribute, Schema, Type};
use pipectl_formats::table::{Nesting, Offsets, Values};

use super::step::RowStep;
use crate::arguments::Arguments;
use crate::batch::{Batch, CellProblem};
use crate::columns::{Columns, Length, Problem, Shape};
use crate::tally::Tally;

#[derive(Clone, Debug)]
pub(super) struct OneHot {
    column: String,
    /// The value of each class.
    classes: Vec<f64>,
    target: Target,
}

#[derive(Clone, Debug)]
enum Target {
    /// One column with a value for each class.
    Vector(String),
    /// A column for each class; those that nobody needs are `None`.
    Columns(Vec<Option<String>>),
}

impl OneHot {
    pub(super) fn schema() -> Schema {
        Schema::of([
            (
                "column",
                Attribute::required(
                    Type::String,
                    "The column of class numbers: a number or a list of numbers in each row.",
                ),
            ),
            ("classes", Attribute::optional(Type::Number, "Number of classes; their values are 0, 1, ... up to it.")),
            (
                "values",
                Attribute::optional(Type::list(Type::Number), "The value of each class, where they are not 0, 1, ..."),
            ),
            (
                "into",
                Attribute::optional(
                    Type::String,
                    "The new column: a list of one value a class, or a matrix for a list.",
                ),
            ),
            ("names", Attribute::optional(Type::list(Type::String), "Instead of `into`: a new column for each class.")),
        ])
        .described("Turns class numbers into 0/1 values, one for each class.")
    }

    pub(super) fn parse(arguments: &mut Arguments) -> Self {
        let column = arguments.required("column", Arguments::text);
        let count = arguments.size("classes");
        let values = arguments.numbers("values");
        let into = arguments.text("into");
        let names = arguments.texts("names");
        let classes = match (count, values, &names) {
            (Some(_), Some(_), _) => {
                arguments.problem(
                    "values",
                    "The arguments `classes` and `values` say the same: only one of them is possible.",
                );
                Vec::new()
            }
            (Some(count @ 1..=100_000), None, _) => (0..count).map(|class| class as f64).collect(),
            (Some(_), None, _) => {
                arguments.problem("classes", "The number of classes is between 1 and 100000.");
                Vec::new()
            }
            (None, Some(values), _) => {
                if values.is_empty() {
                    arguments.problem("values", "There must be at least one class.");
                }
                values
            }
            (None, None, Some(names)) => (0..names.len()).map(|class| class as f64).collect(),
            (None, None, None) => {
                arguments.problem("classes", "The classes are not known: set `classes`, `values` or `names`.");
                Vec::new()
            }
        };
        let target = match (into, names) {
            (Some(into), None) => Target::Vector(into),
            (None, Some(names)) => {
                if !classes.is_empty() && names.len() != classes.len() {
                    arguments
                        .problem("names", format!("There are {} names for {} classes.", names.len(), classes.len()));
                }
                Target::Columns(names.into_iter().map(Some).collect())
            }
            _ => {
                arguments.problem(
                    "into",
                    "Exactly one of `into` (one column) and `names` (a column for each class) is needed.",
                );
                Target::Columns(Vec::new())
            }
        };
        OneHot { column, classes, target }
    }

    /// The class of each value.
    fn numbers(&self, values: &Values) -> Result<Vec<usize>, CellProblem> {
        let find = |(position, value): (usize, &f64)| {
            self.classes.iter().position(|class| class == value).ok_or_else(|| {
                let classes: Vec<String> = self.classes.iter().take(20).map(f64::to_string).collect();
                let message = format!("{value} is none of the classes {}", classes.join(", "));
                CellProblem::new(values.row_of(position), &self.column, message)
            })
        };
        values.data.iter().enumerate().map(find).collect()
    }
}

impl RowStep for OneHot {
    fn check(&self, columns: &Columns) -> Result<Columns, Vec<Problem>> {
        let shape = columns.find(&self.column).map_err(|message| vec![Problem::with("column", message)])?;
        let vector = match shape {
            Shape::Scalar => Shape::List(Length::Fixed(self.classes.len())),
            Shape::List(rows) => Shape::Matrix { rows, width: Some(self.classes.len()) },
            Shape::Matrix { .. } => {
                return Err(vec![Problem::with(
                    "column",
                    format!("Column `{}` is a {shape}, not a number or a list.", self.column),
                )]);
            }
        };
        let mut after = columns.clone();
        match &self.target {
            Target::Vector(into) => after.set(into, vector),
            Target::Columns(names) => names.iter().flatten().for_each(|name| after.set(name, shape)),
        }
        Ok(after)
    }

    fn narrow(&self, needed: &mut BTreeSet<String>) -> Option<Box<dyn RowStep>> {
        let target = match &self.target {
            Target::Vector(into) => needed.remove(into).then(|| Target::Vector(into.clone()))?,
            Target::Columns(names) => {
                let left: Vec<Option<String>> =
                    names.iter().map(|name| name.clone().filter(|name| needed.contains(name))).collect();
                needed.retain(|name| !left.iter().flatten().any(|made| made == name));
                left.iter().any(Option::is_some).then_some(Target::Columns(left))?
            }
        };
        needed.insert(self.column.clone());
        Some(Box::new(OneHot { target, ..self.clone() }))
    }

    fn apply(&self, batch: &mut Batch, _: &Tally) -> Result<(), CellProblem> {
        let values = batch.column(&self.column);
        let numbers = self.numbers(values)?;
        let nesting = values.nesting.clone();
        match &self.target {
            Target::Vector(into) => {
                let width = self.classes.len();
                let mut data = vec![0.0; numbers.len() * width];
                for (position, class) in numbers.into_iter().enumerate() {
                    data[position * width + class] = 1.0;
                }
                let vector = match nesting {
                    Nesting::Scalar => Values::lists(data, Offsets::equal(batch.rows(), width)),
                    Nesting::List(offsets) => Values::matrices(data, offsets, width),
                    Nesting::Matrix { .. } => unreachable!("the check refuses matrices"),
                };
                batch.set(into, vector);
            }
            Target::Columns(names) => {
                for (class, name) in names.iter().enumerate() {
                    if let Some(name) = name {
                        let data = numbers.iter().map(|&number| f64::from(u8::from(number == class))).collect();
                        batch.set(name, Values { data, nesting: nesting.clone() });
                    }
                }
            }
        }
        Ok(())
    }
}
