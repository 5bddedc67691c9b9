//! The stage kind: schema, outputs, judgement of arguments.

use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_stage::{Artifact, Job, Output, Stage, StageError, StageIo};

use crate::export;

/// `stage "export" "<name>"`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Export;

impl Stage for Export {
    fn kind(&self) -> &'static str {
        "export"
    }

    fn revision(&self) -> u32 {
        2
    }

    fn schema(&self) -> Schema {
        Schema::of([
            ("weights", Attribute::required(Type::Any, "The trained network: the `weights` of a train stage.")),
            (
                "dataset",
                Attribute::required(Type::Any, "Real rows to check the model on: the `dataset` of a convert stage."),
            ),
            (
                "inputs",
                Attribute::optional(
                    Type::map(Type::String),
                    "Column of each input of the model. Default: the column of the same name.",
                ),
            ),
            (
                "rows",
                Attribute::optional(
                    Type::Number,
                    "How many rows to check, spread evenly over the dataset. Default 256.",
                ),
            ),
        ])
        .described("Writes a trained network as an ONNX model, and checks it against the network on real rows.")
    }

    fn outputs(&self) -> Vec<Output> {
        vec![
            Output::artifact("file", Artifact::Onnx, "The ONNX model: operator set 17, IR version 8."),
            Output::files(
                "report",
                "report.json",
                "Inputs and outputs of the model, and how far executors agree with the network.",
            ),
            Output::value(
                "checked_by",
                Type::String,
                "The independent executor that agrees: ONNX Runtime with its version when found, else `pipectl`.",
            ),
            Output::value("checked_rows", Type::Number, "How many rows were checked."),
            Output::value(
                "max_difference",
                Type::Number,
                "Largest difference of a probability between the network and any executor that checked.",
            ),
        ]
    }

    fn takes(&self) -> &'static [(&'static str, Artifact)] {
        &[("weights", Artifact::Weights), ("dataset", Artifact::Dataset)]
    }

    fn validate(&self, arguments: &Value) -> Diagnostics {
        let mut found = Diagnostics::new();
        if let Some(number) = arguments.set_attribute("rows").and_then(Value::as_number)
            && number.to_i64().is_none_or(|rows| rows < 1)
        {
            let detail = format!("`rows` must be a whole number, 1 or more; it is {number}.");
            found.push(Diagnostic::error("Invalid argument", detail).on(Path::of("rows")));
        }
        found
    }

    fn run(&self, job: &Job, io: &mut StageIo) -> Result<(), StageError> {
        export::export(job, io)
    }
}
