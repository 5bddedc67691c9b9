//! The stage kind: schema, outputs, judgement of arguments.

use std::collections::BTreeSet;

use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_stage::{Artifact, Job, Output, Stage, StageError, StageIo};

use crate::run;

/// `stage "evaluate" "<name>"`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evaluate;

impl Stage for Evaluate {
    fn kind(&self) -> &'static str {
        "evaluate"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn schema(&self) -> Schema {
        Schema::of([
            ("weights", Attribute::required(Type::Any, "The trained network: the `weights` of a train stage.")),
            ("dataset", Attribute::required(Type::Any, "The data to judge it by: the `dataset` of a convert stage.")),
            (
                "inputs",
                Attribute::optional(
                    Type::map(Type::String),
                    "Column of each input of the model. Default: the column of the same name.",
                ),
            ),
            (
                "label",
                Attribute::optional(
                    Type::String,
                    "Column with one value per class, 1 for the true one and 0 for all others. Default: the only one of that shape that \
                     feeds no input.",
                ),
            ),
            (
                "classes",
                Attribute::optional(
                    Type::list(Type::String),
                    "Names of the classes, in the order of the model's output. Default: their numbers, from 0.",
                ),
            ),
            ("batch_size", Attribute::optional(Type::Number, "Rows that are computed at a time. Default 256.")),
        ])
        .described("Judges a trained classifier by a dataset.")
    }

    fn outputs(&self) -> Vec<Output> {
        let number = |name, description| Output::value(name, Type::Number, description);
        vec![
            number("accuracy", "Share of rows whose most probable class is the true one."),
            number("loss", "Mean categorical cross-entropy."),
            number("rows", "Number of rows."),
            Output::value(
                "auc",
                Type::map(Type::Number),
                "Area under the ROC curve of each class against all others, by class name; null for a class that no row or every row has.",
            ),
            number("auc_macro", "Mean of the areas that are not null."),
            Output::value(
                "confusion_matrix",
                Type::list(Type::list(Type::Number)),
                "Numbers of rows: a list for each true class, in it a number for each predicted class.",
            ),
            Output::files("report", "report.json", "All figures, and the points of the ROC curves."),
            Output::files("plots", "plots", "`roc.svg` and `confusion.svg`."),
        ]
    }

    fn outside_key(&self) -> &'static [&'static str] {
        &["batch_size"]
    }

    fn takes(&self) -> &'static [(&'static str, Artifact)] {
        &[("weights", Artifact::Weights), ("dataset", Artifact::Dataset)]
    }

    fn validate(&self, arguments: &Value) -> Diagnostics {
        let mut found = Diagnostics::new();
        let invalid = |path: Path, detail: String| Diagnostic::error("Invalid argument", detail).on(path);
        if let Some(number) = arguments.set_attribute("batch_size").and_then(Value::as_number)
            && number.to_i64().is_none_or(|size| size < 1)
        {
            let detail = format!("`batch_size` must be a whole number, 1 or more; it is {number}.");
            found.push(invalid(Path::of("batch_size"), detail));
        }
        let classes = arguments.set_attribute("classes").and_then(Value::as_slice);
        let mut seen = BTreeSet::new();
        for (index, name) in classes.unwrap_or_default().iter().enumerate() {
            let path = Path::of("classes").index(index);
            match name.as_str() {
                Some("") => found.push(invalid(path, "The name of a class must not be empty.".to_owned())),
                Some(name) if !seen.insert(name) => {
                    found.push(invalid(path, format!("Two classes are called {name:?}: names must differ.")));
                }
                Some(_) | None => {}
            }
        }
        if classes.is_some_and(|classes| classes.len() < 2) {
            found.push(invalid(Path::of("classes"), "A classifier has two classes or more.".to_owned()));
        }
        found
    }

    fn run(&self, job: &Job, io: &mut StageIo) -> Result<(), StageError> {
        run::evaluate(job, io)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(arguments: &[(&str, Value)]) -> Vec<String> {
        let arguments = Value::object(arguments.iter().cloned());
        let text = |found: &Diagnostic| format!("{}: {}", found.path.clone().unwrap_or_default(), found.detail);
        Evaluate.validate(&arguments).iter().map(text).collect()
    }

    #[test]
    fn arguments_are_judged() {
        let names = |names: &[&str]| Value::list(Type::String, names.iter().map(|name| Value::from(*name)));
        assert!(findings(&[("batch_size", 1.into()), ("classes", names(&["a", "b"]))]).is_empty());
        assert!(findings(&[("batch_size", Value::unknown(Type::Number)), ("classes", Value::null())]).is_empty());
        assert_eq!(
            findings(&[("batch_size", 0.into()), ("classes", names(&["a", "", "a"]))]),
            [
                "batch_size: `batch_size` must be a whole number, 1 or more; it is 0.",
                "classes[1]: The name of a class must not be empty.",
                "classes[2]: Two classes are called \"a\": names must differ.",
            ]
        );
        assert_eq!(findings(&[("classes", names(&["a"]))]), ["classes: A classifier has two classes or more."]);
    }

    #[test]
    fn how_many_rows_at_a_time_is_no_part_of_the_key() {
        assert_eq!(Evaluate.outside_key(), ["batch_size"]);
    }
}
