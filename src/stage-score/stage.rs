//! The stage kind: schema, outputs, judgement of arguments.

use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_onnx_ort::Engine;
use pipectl_stage::{Artifact, Job, Output, Stage, StageError, StageIo};

use crate::score;

/// `stage "score" "<name>"`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Score;

impl Stage for Score {
    fn kind(&self) -> &'static str {
        "score"
    }

    fn revision(&self) -> u32 {
        2
    }

    fn schema(&self) -> Schema {
        let number = |description: &str| Attribute::optional(Type::Number, description);
        Schema::of([
            ("onnx", Attribute::required(Type::Any, "The model: the `file` of an export stage.")),
            ("dataset", Attribute::required(Type::Any, "The rows to score: the `dataset` of a convert stage.")),
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
                    "Column with one value per class, for the accuracy. Default: the only one of that shape that feeds no input, if there is one.",
                ),
            ),
            (
                "engine",
                Attribute::optional(
                    Type::String,
                    "What runs the model: `onnxruntime`, `pipectl`, or `auto`: ONNX Runtime when it is found. Default `auto`.",
                ),
            ),
            (
                "reference",
                Attribute::optional(
                    Type::Any,
                    "The `predictions` of another score stage on the same dataset, to agree with.",
                ),
            ),
            ("batch_size", number("Rows that the model takes at once. Default 128.")),
            ("threads", number("Threads that the model runs on. Default: the cores of `resources`.")),
        ])
        .described("Runs an ONNX model on every row of a dataset.")
    }

    fn outputs(&self) -> Vec<Output> {
        vec![
            Output::artifact(
                "predictions",
                Artifact::Predictions,
                "Row, probabilities, predicted class, and label where there is one.",
            ),
            Output::files("metrics", "metrics.json", "Engine, times, throughput, accuracy and agreement."),
            Output::value("scored_by", Type::String, "What ran the model, with its version."),
            Output::value("rows", Type::Number, "How many rows were scored."),
            Output::value(
                "rows_per_second",
                Type::Number,
                "Rows by the time of the whole run, reading and writing included.",
            ),
            Output::value(
                "accuracy",
                Type::Number,
                "Share of rows whose most probable class is the label; null without labels.",
            ),
            Output::value(
                "agreement",
                Type::Number,
                "Share of rows with the same class as in `reference`, of those that it decides by more than 1e-4; null without one.",
            ),
            Output::value(
                "max_difference",
                Type::Number,
                "Largest difference of a probability from `reference`; null without one.",
            ),
        ]
    }

    fn outside_key(&self) -> &'static [&'static str] {
        &["threads"]
    }

    fn takes(&self) -> &'static [(&'static str, Artifact)] {
        &[("onnx", Artifact::Onnx), ("dataset", Artifact::Dataset), ("reference", Artifact::Predictions)]
    }

    fn validate(&self, arguments: &Value) -> Diagnostics {
        let mut found = Diagnostics::new();
        for name in ["batch_size", "threads"] {
            if let Some(number) = arguments.set_attribute(name).and_then(Value::as_number)
                && number.to_i64().is_none_or(|value| value < 1)
            {
                let detail = format!("`{name}` must be a whole number, 1 or more; it is {number}.");
                found.push(Diagnostic::error("Invalid argument", detail).on(Path::of(name)));
            }
        }
        if let Some(Err(error)) = arguments.set_attribute("engine").and_then(Value::as_str).map(str::parse::<Engine>) {
            let names = Engine::ALL.map(|engine| format!("`{engine}`")).join(", ");
            let detail = format!("There is no engine `{}`; the engines are {names}.", error.0);
            found.push(Diagnostic::error("Invalid argument", detail).on(Path::of("engine")));
        }
        found
    }

    fn run(&self, job: &Job, io: &mut StageIo) -> Result<(), StageError> {
        score::score(job, io)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(arguments: &[(&str, Value)]) -> Vec<String> {
        let arguments = Value::object(arguments.iter().cloned());
        Score.validate(&arguments).iter().map(|found| found.detail.clone()).collect()
    }

    #[test]
    fn arguments_are_judged() {
        assert!(findings(&[("engine", "pipectl".into()), ("batch_size", 1.into())]).is_empty());
        assert!(findings(&[("engine", Value::unknown(Type::String))]).is_empty());
        assert_eq!(
            findings(&[("engine", "tensorrt".into()), ("threads", 0.into())]),
            [
                "`threads` must be a whole number, 1 or more; it is 0.",
                "There is no engine `tensorrt`; the engines are `auto`, `onnxruntime`, `pipectl`."
            ]
        );
    }
}
