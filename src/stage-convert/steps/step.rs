//! What a step is, and the list of all kinds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pipectl_core::Schema;
use pipectl_core::suggest::did_you_mean;
use serde_json::Value as Json;

use super::derive::Derive;
use super::flatten::Flatten;
use super::one_hot::OneHot;
use super::pad::Pad;
use super::rows::{Filter, Limit, Shuffle, Split};
use super::scale::Scale;
use super::select::Select;
use super::shape::Reshape;
use super::sort::Sort;
use super::stack::Stack;
use super::standardize::Standardize;
use super::truncate::Truncate;
use crate::arguments::{Arguments, SpecProblem};
use crate::batch::{Batch, CellProblem};
use crate::columns::{Columns, Problem};
use crate::tally::Tally;

/// All kinds, in the order of the reference.
pub const KINDS: [&str; 15] = [
    "select",
    "derive",
    "one_hot",
    "stack",
    "shape",
    "flatten",
    "truncate",
    "pad",
    "sort",
    "standardize",
    "scale",
    "filter",
    "split",
    "limit",
    "shuffle",
];

/// A step that makes one row of each row and looks at no other.
pub(crate) trait RowStep: fmt::Debug + Send + Sync {
    /// The columns after the step, or what is wrong.
    fn check(&self, columns: &Columns) -> Result<Columns, Vec<Problem>>;

    /// What is left of the step when only the columns `needed` matter behind it; `None` when nothing is. `needed` becomes
    /// what must be there before it.
    fn narrow(&self, needed: &mut BTreeSet<String>) -> Option<Box<dyn RowStep>>;

    /// Does it.
    fn apply(&self, batch: &mut Batch, tally: &Tally) -> Result<(), CellProblem>;
}

/// A step.
#[derive(Debug)]
pub(crate) enum Step {
    /// One row of each row.
    Row(Box<dyn RowStep>),
    /// One row of each row, with constants of all rows.
    Scale(Scale),
    /// Rows by their values.
    Filter(Filter),
    /// Rows by chance.
    Split(Split),
    /// Rows by number.
    Limit(Limit),
    /// Another order.
    Shuffle(Shuffle),
}

impl Step {
    /// Reads the step at `path` of the declaration; `kind` and all its arguments are members of `json`.
    pub(crate) fn parse(path: &str, json: &Json) -> Result<(String, Self), Vec<SpecProblem>> {
        let mut arguments = Arguments::new(path.to_owned(), json);
        let kind = arguments.required("kind", Arguments::text);
        let step = match kind.as_str() {
            "select" => Step::Row(Box::new(Select::parse(&mut arguments))),
            "derive" => Step::Row(Box::new(Derive::parse(&mut arguments))),
            "one_hot" => Step::Row(Box::new(OneHot::parse(&mut arguments))),
            "stack" => Step::Row(Box::new(Stack::parse(&mut arguments))),
            "shape" => Step::Row(Box::new(Reshape::parse(&mut arguments))),
            "flatten" => Step::Row(Box::new(Flatten::parse(&mut arguments))),
            "truncate" => Step::Row(Box::new(Truncate::parse(&mut arguments))),
            "pad" => Step::Row(Box::new(Pad::parse(&mut arguments))),
            "sort" => Step::Row(Box::new(Sort::parse(&mut arguments))),
            "standardize" => Step::Row(Box::new(Standardize::parse(&mut arguments))),
            "scale" => Step::Scale(Scale::parse(&mut arguments)),
            "filter" => Step::Filter(Filter::parse(&mut arguments)),
            "split" => Step::Split(Split::parse(&mut arguments)),
            "limit" => Step::Limit(Limit::parse(&mut arguments)),
            "shuffle" => Step::Shuffle(Shuffle::parse(&mut arguments)),
            "" => return Err(arguments.finish()),
            other => {
                let hint = did_you_mean(other, KINDS);
                let message = format!("There is no step \"{other}\"; the steps are {}.{hint}", KINDS.join(", "));
                return Err(vec![SpecProblem { path: arguments.path().to_owned(), message }]);
            }
        };
        let problems = arguments.finish();
        if problems.is_empty() { Ok((kind, step)) } else { Err(problems) }
    }

    /// The columns after the step, or what is wrong.
    pub(crate) fn check(&self, columns: &Columns) -> Result<Columns, Vec<Problem>> {
        match self {
            Step::Row(step) => step.check(columns),
            Step::Scale(step) => step.check(columns),
            Step::Filter(step) => step.check(columns),
            Step::Split(_) | Step::Limit(_) | Step::Shuffle(_) => Ok(columns.clone()),
        }
    }

    /// Whether which rows come out depends on their values.
    pub(crate) fn chooses_by_value(&self) -> bool {
        matches!(self, Step::Filter(_))
    }

    /// Whether which rows come out depends on their order.
    pub(crate) fn chooses_by_order(&self) -> bool {
        matches!(self, Step::Split(_) | Step::Limit(_))
    }
}

/// The arguments of each kind of step, for the language.
pub(crate) fn block_schema() -> BTreeMap<String, Schema> {
    let schemas = [
        Select::schema(),
        Derive::schema(),
        OneHot::schema(),
        Stack::schema(),
        Reshape::schema(),
        Flatten::schema(),
        Truncate::schema(),
        Pad::schema(),
        Sort::schema(),
        Standardize::schema(),
        Scale::schema(),
        Filter::schema(),
        Split::schema(),
        Limit::schema(),
        Shuffle::schema(),
    ];
    KINDS.iter().map(|kind| (*kind).to_owned()).zip(schemas).collect()
}

/// The columns that are both among `columns` and needed; nothing is left of a step without any.
pub(super) fn needed_of(columns: &[String], needed: &BTreeSet<String>) -> Option<Vec<String>> {
    let left: Vec<String> = columns.iter().filter(|column| needed.contains(*column)).cloned().collect();
    (!left.is_empty()).then_some(left)
}
