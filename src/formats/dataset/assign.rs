//! Which column of a dataset feeds which input of a model.

use std::collections::BTreeMap;

use pipectl_core::Path;
use pipectl_core::suggest::did_you_mean;

use super::manifest::ColumnSpec;

/// A model's inputs or labels and a dataset's columns do not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssignError {
    /// An assignment names an input that the model lacks.
    #[error("the model has no input `{input}`; its inputs are {}.{}", present.join(", "), did_you_mean(input, present.iter().map(String::as_str)))]
    NoInput {
        /// The name given.
        input: String,
        /// The inputs that are there.
        present: Vec<String>,
    },
    /// An assignment names a column that the dataset lacks.
    #[error("the dataset has no column `{column}`; its columns are {}.{}", present.join(", "), did_you_mean(column, present.iter().map(String::as_str)))]
    NoColumn {
        /// The name given.
        column: String,
        /// The columns that are there.
        present: Vec<String>,
    },
    /// No column has an input's name.
    #[error("no column is called like the input `{input}`; the columns are {}; name one in `inputs`", present.join(", "))]
    Unassigned {
        /// The input.
        input: String,
        /// The columns that are there.
        present: Vec<String>,
    },
    /// A column has another shape than the input that it feeds.
    #[error("column `{column}` has shape {found:?}, and `{input}` takes {expected:?}")]
    Shape {
        /// The column.
        column: String,
        /// Its shape.
        found: Vec<usize>,
        /// The input, or "label".
        input: String,
        /// The shape wanted.
        expected: Vec<usize>,
    },
    /// It is not clear which column holds the labels.
    #[error("which column holds the labels? Columns that feed no input: {}; name one in `label`", if rest.is_empty() { "none".to_owned() } else { rest.join(", ") })]
    NoLabel {
        /// Columns that feed no input.
        rest: Vec<String>,
    },
}

impl AssignError {
    /// The argument of a stage that it is about: an assignment in `inputs`, of which `given` are there, else `label` or `dataset`.
    pub fn argument(&self, given: &BTreeMap<String, String>) -> Path {
        let assignment = |input: &str| Path::of("inputs").name(input);
        match self {
            AssignError::NoInput { input, .. } => assignment(input),
            AssignError::NoColumn { column, .. } => match given.iter().find(|(_, name)| *name == column) {
                Some((input, _)) => assignment(input),
                None => Path::of("label"),
            },
            AssignError::Shape { input, .. } if given.contains_key(input) => assignment(input),
            AssignError::Shape { .. } | AssignError::Unassigned { .. } | AssignError::NoLabel { .. } => {
                Path::of("dataset")
            }
        }
    }
}

/// The column of each input: the one `given` for it, else the one of the same name, upper and lower case alike.
///
/// `inputs` are names and shapes. A ragged column feeds an input of its longest shape.
///
/// # Errors
/// When an input has no column, or one of another shape.
pub fn assign_inputs(
    columns: &[ColumnSpec],
    inputs: &[(&str, &[usize])],
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, AssignError> {
    if let Some(stray) = given.keys().find(|name| !inputs.iter().any(|(input, _)| input == name)) {
        let present = inputs.iter().map(|(input, _)| (*input).to_owned()).collect();
        return Err(AssignError::NoInput { input: stray.clone(), present });
    }
    let assign_one = |(input, shape): &(&str, &[usize])| {
        let column = match given.get(*input) {
            Some(name) => find(columns, name)?,
            None => columns
                .iter()
                .find(|column| column.name.eq_ignore_ascii_case(input))
                .ok_or_else(|| AssignError::Unassigned { input: (*input).to_owned(), present: names(columns) })?,
        };
        check_shape(column, input, shape)?;
        Ok(((*input).to_owned(), column.name.clone()))
    };
    inputs.iter().map(assign_one).collect()
}

/// The column that holds the labels, one value per class: the one `given`, else the only one that feeds no input and has the shape.
///
/// # Errors
/// When there is none, or several.
pub fn assign_label(
    columns: &[ColumnSpec],
    inputs: &BTreeMap<String, String>,
    given: Option<&str>,
    classes: usize,
) -> Result<String, AssignError> {
    if let Some(name) = given {
        let column = find(columns, name)?;
        check_shape(column, "label", &[classes])?;
        return Ok(column.name.clone());
    }
    let rest: Vec<&ColumnSpec> =
        columns.iter().filter(|column| !inputs.values().any(|used| *used == column.name)).collect();
    let mut fitting = rest.iter().filter(|column| !column.ragged && column.shape == [classes]);
    match (fitting.next(), fitting.next()) {
        (Some(column), None) => Ok(column.name.clone()),
        _ => Err(AssignError::NoLabel { rest: rest.iter().map(|column| column.name.clone()).collect() }),
    }
}

fn find<'a>(columns: &'a [ColumnSpec], name: &str) -> Result<&'a ColumnSpec, AssignError> {
    let found = columns.iter().find(|column| column.name == name);
    found.ok_or_else(|| AssignError::NoColumn { column: name.to_owned(), present: names(columns) })
}

fn check_shape(column: &ColumnSpec, input: &str, shape: &[usize]) -> Result<(), AssignError> {
    if column.shape == shape {
        return Ok(());
    }
    Err(AssignError::Shape {
        column: column.name.clone(),
        found: column.shape.clone(),
        input: input.to_owned(),
        expected: shape.to_vec(),
    })
}

fn names(columns: &[ColumnSpec]) -> Vec<String> {
    columns.iter().map(|column| column.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<ColumnSpec> {
        let column =
            |name: &str, shape: &[usize], ragged| ColumnSpec { name: name.to_owned(), shape: shape.to_vec(), ragged };
        vec![
            column("GRU_input", &[801, 19], true),
            column("HLF_input", &[14], false),
            column("encoded_label", &[3], false),
        ]
    }

    #[test]
    fn names_find_each_other() {
        let inputs: [(&str, &[usize]); 2] = [("gru_input", &[801, 19]), ("hlf_input", &[14])];
        let assigned = assign_inputs(&columns(), &inputs, &BTreeMap::new()).expect("same names");
        assert_eq!(assigned["gru_input"], "GRU_input");
        assert_eq!(assign_label(&columns(), &assigned, None, 3), Ok("encoded_label".to_owned()));
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let text = |inputs: &[(&str, &[usize])], given: &[(&str, &str)]| {
            let given = given.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            assign_inputs(&columns(), inputs, &given).expect_err("does not fit").to_string()
        };
        assert_eq!(text(&[("hlf_input", &[15])], &[]), "column `HLF_input` has shape [14], and `hlf_input` takes [15]");
        assert!(text(&[("x", &[14])], &[("x", "HLF_inptu")]).contains("Did you mean \"HLF_input\"?"));
        assert!(text(&[("x", &[14])], &[]).contains("no column is called like the input `x`"));
        assert!(text(&[("x", &[14])], &[("y", "HLF_input")]).contains("the model has no input `y`"));
        let none = assign_label(&columns(), &BTreeMap::new(), None, 7).expect_err("no column of 7");
        assert!(none.to_string().contains("encoded_label"));
    }
}
