//! `select`: keeps and renames columns.

use std::collections::{BTreeMap, BTreeSet};

use pipectl_core::{Attribute, Path, Schema, Type};

use super::step::RowStep;
use crate::arguments::Arguments;
use crate::batch::{Batch, CellProblem};
use crate::columns::{Columns, Problem};
use crate::tally::Tally;

#[derive(Clone, Debug)]
pub(super) struct Select {
    /// Columns to keep; all when absent.
    keep: Option<Vec<String>>,
    /// New names by old name.
    rename: BTreeMap<String, String>,
}

impl Select {
    pub(super) fn schema() -> Schema {
        let rename = "Old name = new name. A renamed column is kept, in its place or else at the end.";
        Schema::of([
            (
                "columns",
                Attribute::optional(
                    Type::list(Type::String),
                    "Columns to keep, in this order, by the names they have. Default: all.",
                ),
            ),
            ("rename", Attribute::optional(Type::map(Type::String), rename)),
        ])
        .described("Keeps and renames columns.")
    }

    pub(super) fn parse(arguments: &mut Arguments) -> Self {
        let keep = arguments.texts("columns");
        let rename = arguments.text_map("rename").unwrap_or_default();
        if keep.is_none() && rename.is_empty() {
            arguments.problem("columns", "A step \"select\" needs `columns`, `rename`, or both.");
        }
        Select { keep, rename }
    }

    /// Old and new name of each column that stays, of those called `names` before.
    fn kept<'a>(&'a self, names: impl Iterator<Item = &'a str>) -> Vec<(&'a str, &'a str)> {
        let mut kept: Vec<&str> = match &self.keep {
            Some(keep) => keep.iter().map(String::as_str).collect(),
            None => names.collect(),
        };
        let more: Vec<&str> = self.rename.keys().map(String::as_str).filter(|old| !kept.contains(old)).collect();
        kept.extend(more);
        kept.into_iter().map(|old| (old, self.rename.get(old).map_or(old, String::as_str))).collect()
    }
}

impl RowStep for Select {
    fn check(&self, columns: &Columns) -> Result<Columns, Vec<Problem>> {
        let mut after = Columns::new();
        let mut problems = Vec::new();
        for (index, (old, new)) in self.kept(columns.names()).into_iter().enumerate() {
            let path = || match self.rename.contains_key(old) {
                true => Path::of("rename").name(old),
                false => Path::of("columns").index(index),
            };
            match columns.find(old) {
                Ok(_) if after.get(new).is_some() => {
                    problems.push(Problem::at(path(), format!("The column `{new}` would be there twice.")));
                }
                Ok(shape) => after.set(new, shape),
                Err(message) => problems.push(Problem::at(path(), message)),
            }
        }
        if problems.is_empty() { Ok(after) } else { Err(problems) }
    }

    fn narrow(&self, needed: &mut BTreeSet<String>) -> Option<Box<dyn RowStep>> {
        let rename: BTreeMap<String, String> = self
            .rename
            .iter()
            .filter(|(_, new)| needed.contains(*new))
            .map(|(old, new)| (old.clone(), new.clone()))
            .collect();
        let renamed: BTreeSet<&String> = rename.values().collect();
        let keep: Vec<String> = needed.iter().filter(|name| !renamed.contains(name)).cloned().collect();
        *needed = keep.iter().chain(rename.keys()).cloned().collect();
        Some(Box::new(Select { keep: Some(keep), rename }))
    }

    fn apply(&self, batch: &mut Batch, _: &Tally) -> Result<(), CellProblem> {
        let mut before = std::mem::take(&mut batch.columns);
        let names: Vec<String> = before.keys().cloned().collect();
        for (old, new) in self.kept(names.iter().map(String::as_str)) {
            let values = before.remove(old).expect("the check has seen the column");
            batch.columns.insert(new.to_owned(), values);
        }
        Ok(())
    }
}
