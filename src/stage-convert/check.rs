//! The check of a conversion against the columns of its source, before any row is read.

use std::collections::BTreeSet;

use pipectl_formats::dataset::ColumnSpec;

use crate::columns::{Columns, Problem};
use crate::error::ConvertError;
use crate::source::Source;
use crate::spec::Conversion;
use crate::steps::Step;

/// A conversion that fits its source.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The columns before each step, and behind the last.
    pub(crate) columns: Vec<Columns>,
    /// What is written.
    pub(crate) output: Vec<ColumnSpec>,
}

/// Follows the columns through all steps.
pub(crate) fn check(conversion: &Conversion, source: &Source) -> Result<Checked, ConvertError> {
    let mut columns = vec![source.columns().clone()];
    let mut scaled = BTreeSet::new();
    for (index, declared) in conversion.steps.iter().enumerate() {
        let fail = |problems| ConvertError::Step { index, kind: declared.kind.clone(), problems };
        let before = &columns[index];
        let after = declared.step.check(before).map_err(|mut problems| {
            if !source.others().is_empty()
                && problems.iter().any(|problem| problem.message.starts_with("There is no column"))
            {
                let others: Vec<String> =
                    source.others().iter().map(|(name, what)| format!("`{name}` ({what})")).collect();
                problems.push(Problem {
                    argument: None,
                    message: format!("Left out, because they hold no numbers: {}.", others.join(", ")),
                });
            }
            fail(problems)
        })?;
        if let Step::Scale(scale) = &declared.step
            && !scaled.insert(scale.column.clone())
        {
            let message = format!(
                "Column `{}` is scaled a second time, so its constants would have the same name. Rename it in between.",
                scale.column
            );
            return Err(fail(vec![Problem::with("column", message)]));
        }
        columns.push(after);
    }
    let last = &columns[conversion.steps.len()];
    let output = output(conversion, last).map_err(|problems| ConvertError::Output { problems })?;
    Ok(Checked { columns, output })
}

fn output(conversion: &Conversion, last: &Columns) -> Result<Vec<ColumnSpec>, Vec<String>> {
    let names: Vec<&str> = match &conversion.output.columns {
        Some(names) => names.iter().map(String::as_str).collect(),
        None => last.names().collect(),
    };
    let mut specs = Vec::new();
    let mut problems = Vec::new();
    for name in &names {
        match last.find(name).and_then(|shape| shape.to_dataset(name)) {
            Ok(spec) => specs.push(spec),
            Err(problem) => problems.push(problem),
        }
    }
    let unique: BTreeSet<&str> = names.iter().copied().collect();
    if unique.len() != names.len() {
        problems.push("A column is named twice.".to_owned());
    }
    if names.is_empty() {
        problems.push("There is no column to write.".to_owned());
    }
    for spec in specs.iter().filter(|spec| spec.ragged) {
        if unique.contains(spec.length_feature().as_str()) {
            problems.push(format!(
                "Column `{}` would hide the lengths of the ragged column `{}`.",
                spec.length_feature(),
                spec.name
            ));
        }
    }
    if problems.is_empty() { Ok(specs) } else { Err(problems) }
}
