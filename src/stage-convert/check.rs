//! The check of a conversion against the columns of its source, before any row is read.

use std::collections::BTreeSet;

use pipectl_core::Path;
use pipectl_formats::dataset::ColumnSpec;

use crate::columns::{Columns, Problem};
use crate::error::ConvertError;
use crate::header::Header;
use crate::pass::Pass;
use crate::spec::Conversion;
use crate::steps::Step;

/// A conversion that fits its source.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The columns before each step, and behind the last.
    pub(crate) columns: Vec<Columns>,
    /// What is written.
    pub(crate) output: Vec<ColumnSpec>,
    /// Source columns that the output depends on.
    pub(crate) reads: BTreeSet<String>,
}

/// Follows the columns through all steps to the output, and compares the source files in those that are read.
pub(crate) fn check(conversion: &Conversion, header: &Header) -> Result<Checked, ConvertError> {
    let columns = check_steps(conversion, header)?;
    let last = columns.last().expect("there are columns before the first step");
    let output = output(conversion, last).map_err(|problems| ConvertError::Output { problems })?;
    let names: BTreeSet<String> = output.iter().map(|spec| spec.name.clone()).collect();
    let reads = Pass::all_columns(conversion, &names);
    header.agree(&reads)?;
    Ok(Checked { columns, output, reads })
}

/// Follows the columns through all steps: the columns before each, and behind the last.
pub(crate) fn check_steps(conversion: &Conversion, header: &Header) -> Result<Vec<Columns>, ConvertError> {
    let mut columns = vec![header.columns().clone()];
    let mut scaled = BTreeSet::new();
    for (index, declared) in conversion.steps.iter().enumerate() {
        let fail = |problems| ConvertError::Step { index, kind: declared.kind.clone(), problems };
        let after = declared.step.check(&columns[index]).map_err(fail)?;
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
    Ok(columns)
}

fn output(conversion: &Conversion, last: &Columns) -> Result<Vec<ColumnSpec>, Vec<Problem>> {
    let declared = conversion.output.columns.as_deref();
    let names: Vec<&str> = match declared {
        Some(names) => names.iter().map(String::as_str).collect(),
        None => last.names().collect(),
    };
    let whole = || if declared.is_some() { Path::of("columns") } else { Path::root() };
    let place = |index: usize| if declared.is_some() { whole().index(index) } else { whole() };
    let mut specs = Vec::new();
    let mut problems = Vec::new();
    for (index, name) in names.iter().enumerate() {
        match last.find(name).and_then(|shape| shape.to_dataset(name)) {
            Ok(_) if names[..index].contains(name) => {
                problems.push(Problem::at(place(index), format!("Column `{name}` is named twice.")));
            }
            Ok(spec) => specs.push(spec),
            Err(message) => problems.push(Problem::at(place(index), message)),
        }
    }
    if names.is_empty() {
        problems.push(Problem::at(whole(), "There is no column to write."));
    }
    for spec in specs.iter().filter(|spec| spec.ragged) {
        let hidden = spec.length_feature();
        if let Some(index) = names.iter().position(|name| *name == hidden) {
            let message = format!("Column `{hidden}` would hide the lengths of the ragged column `{}`.", spec.name);
            problems.push(Problem::at(place(index), message));
        }
    }
    if problems.is_empty() { Ok(specs) } else { Err(problems) }
}
