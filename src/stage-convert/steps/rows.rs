//! `filter`, `split`, `limit`, `shuffle`: which rows come out, and in which order.

use pipectl_core::{Attribute, Schema, Type};

use crate::arguments::Arguments;
use crate::columns::{Columns, Problem, Shape};
use crate::expression::Expression;

/// `filter`: the rows for which an expression is not 0.
#[derive(Debug)]
pub(crate) struct Filter {
    condition: Option<Expression>,
}

/// `split`: a random part of the rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Split {
    pub(crate) fraction: f64,
    pub(crate) seed: u64,
    pub(crate) part: Part,
}

/// Which part of a split. Both parts of the same fraction and seed make up the whole, without overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// About `fraction` of the rows.
    First,
    /// The others.
    Rest,
}

/// `limit`: rows by their number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) skip: u64,
    pub(crate) rows: u64,
}

/// `shuffle`: a random order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shuffle {
    pub(crate) seed: u64,
}

impl Filter {
    pub(super) fn schema() -> Schema {
        Schema::of([(
            "condition",
            Attribute::required(
                Type::String,
                "An expression that gives one number a row, such as `label < 2 && length(Pt) > 10`.",
            ),
        )])
        .described("Keeps the rows for which the condition is not 0.")
    }

    pub(super) fn parse(arguments: &mut Arguments) -> Self {
        let text = arguments.required("condition", Arguments::text);
        let condition = match Expression::parse(&text) {
            Ok(expression) => Some(expression),
            Err(error) => {
                if !text.is_empty() {
                    arguments.problem("condition", format!("Malformed expression: {error}."));
                }
                None
            }
        };
        Filter { condition }
    }

    pub(super) fn check(&self, columns: &Columns) -> Result<Columns, Vec<Problem>> {
        match self.condition().shape(columns) {
            Ok(Shape::Scalar) => Ok(columns.clone()),
            Ok(shape) => {
                let message = format!("The condition `{}` is a {shape}, not one number a row.", self.condition());
                Err(vec![Problem::with("condition", message)])
            }
            Err(message) => Err(vec![Problem::with("condition", message)]),
        }
    }

    pub(crate) fn condition(&self) -> &Expression {
        self.condition.as_ref().expect("a step with a malformed condition is refused")
    }
}

impl Split {
    pub(super) fn schema() -> Schema {
        Schema::of([
            ("fraction", Attribute::required(Type::Number, "The share of rows in the first part, between 0 and 1.")),
            ("seed", Attribute::optional(Type::Number, "Seed of the choice. Default: 0.")),
            (
                "part",
                Attribute::optional(
                    Type::String,
                    "\"first\" (default) or \"rest\": two stages that differ only in this share no row.",
                ),
            ),
        ])
        .described("Keeps a random part of the rows, in their order.")
    }

    pub(super) fn parse(arguments: &mut Arguments) -> Self {
        let fraction = arguments.required("fraction", Arguments::number);
        let seed = arguments.count("seed").unwrap_or(0);
        let part = arguments.choice("part", &[("first", Part::First), ("rest", Part::Rest)]).unwrap_or(Part::First);
        if !(0.0..=1.0).contains(&fraction) {
            arguments.problem("fraction", "A fraction is between 0 and 1.");
        }
        Split { fraction, seed, part }
    }
}

impl Limit {
    pub(super) fn schema() -> Schema {
        Schema::of([
            ("rows", Attribute::optional(Type::Number, "The most rows to keep. Default: all.")),
            ("skip", Attribute::optional(Type::Number, "Rows to leave out before. Default: 0.")),
        ])
        .described("Keeps consecutive rows.")
    }

    pub(super) fn parse(arguments: &mut Arguments) -> Self {
        Limit { rows: arguments.count("rows").unwrap_or(u64::MAX), skip: arguments.count("skip").unwrap_or(0) }
    }
}

impl Shuffle {
    pub(super) fn schema() -> Schema {
        Schema::of([("seed", Attribute::optional(Type::Number, "Seed of the order. Default: 0."))])
            .described("Puts all rows in a random order. What does not fit into memory goes to temporary files.")
    }

    pub(super) fn parse(arguments: &mut Arguments) -> Self {
        Shuffle { seed: arguments.count("seed").unwrap_or(0) }
    }
}
