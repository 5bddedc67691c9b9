//! The stage kind: schema, outputs, judgement of arguments.

use pipectl_core::{Attribute, Block, Diagnostic, Diagnostics, Kind, Nesting, Path, Schema, Type, Value};
use pipectl_stage::{Artifact, Job, Output, Stage, StageError, StageIo};

use crate::run;

/// `stage "train" "<name>"`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Train;

impl Stage for Train {
    fn kind(&self) -> &'static str {
        "train"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn schema(&self) -> Schema {
        let number = |description: &str| Attribute::optional(Type::Number, description);
        Schema::of([
            ("model", Attribute::required(Type::Any, "The network: a reference to a `model` block.")),
            ("dataset", Attribute::required(Type::Any, "The training data: the `dataset` of a convert stage.")),
            ("validation", Attribute::optional(Type::Any, "A dataset to judge every epoch by.")),
            (
                "validation_split",
                number(
                    "Share of `dataset`, its last rows, to judge every epoch by instead of training on them: 0 to 1.",
                ),
            ),
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
                    "Column with one value per class. Default: the only one of that shape that feeds no input.",
                ),
            ),
            ("workers", number("Data-parallel worker processes. Default 1.")),
            ("batch_size", number("Rows a worker takes at a step. Default 128.")),
            ("global_batch_size", number("Rows all workers together take at a step; excludes `batch_size`.")),
            ("epochs", Attribute::required(Type::Number, "Passes over the training data.")),
            ("seed", number("Decides initial weights, order and dropout. Default 1.")),
        ])
        .described("Trains a network by synchronous data-parallel gradient descent.")
        .block("optimizer", optimizer_block())
        .block("schedule", schedule_block())
    }

    fn outputs(&self) -> Vec<Output> {
        vec![
            Output::artifact("weights", Artifact::Weights, "The trained weights with the network's declaration."),
            Output::files("metrics", "metrics.json", "Loss and accuracy of every epoch."),
            Output::value("parameters", Type::Number, "Number of trained parameters."),
            Output::value("loss", Type::Number, "Mean training loss of the last epoch."),
            Output::value("accuracy", Type::Number, "Training accuracy of the last epoch, with dropout."),
            Output::value(
                "validation_loss",
                Type::Number,
                "Mean validation loss after the last epoch; null without validation data.",
            ),
            Output::value(
                "validation_accuracy",
                Type::Number,
                "Validation accuracy after the last epoch; null without validation data.",
            ),
        ]
    }

    fn takes(&self) -> &'static [(&'static str, Artifact)] {
        &[("dataset", Artifact::Dataset), ("validation", Artifact::Dataset)]
    }

    fn validate(&self, arguments: &Value) -> Diagnostics {
        let mut found = Diagnostics::new();
        if arguments.set_attribute("model").is_some_and(is_no_network) {
            let detail =
                "The argument `model` takes a network that is declared in a `model` block, and this is something else.";
            let problem = Diagnostic::error("Wrong kind of value", detail).on(Path::of("model"));
            found.push(problem.hint("model = model.NAME"));
        }
        let whole = |name: &str| arguments.set_attribute(name).and_then(Value::as_number);
        for name in ["workers", "batch_size", "global_batch_size", "epochs"] {
            if let Some(number) = whole(name)
                && number.to_i64().is_none_or(|value| value < 1)
            {
                found.push(invalid(name, format!("`{name}` must be a whole number, 1 or more; it is {number}.")));
            }
        }
        if let Some(number) = whole("seed")
            && number.to_u64().is_none()
        {
            found.push(invalid("seed", format!("`seed` must be a whole number, 0 or more; it is {number}.")));
        }
        let both = |a: &str, b: &str| arguments.set_attribute(a).is_some() && arguments.set_attribute(b).is_some();
        for (one, other) in [("batch_size", "global_batch_size"), ("validation", "validation_split")] {
            if both(one, other) {
                found.push(invalid(other, format!("`{one}` and `{other}` exclude each other: keep one of them.")));
            }
        }
        if let Some(split) = whole("validation_split").map(pipectl_core::Number::to_f64)
            && !(split > 0.0 && split < 1.0)
        {
            found.push(invalid(
                "validation_split",
                "`validation_split` must lie between 0 and 1, both excluded.".to_owned(),
            ));
        }
        if let Some(batch) = whole("global_batch_size").and_then(pipectl_core::Number::to_u64)
            && let Some(workers) = whole("workers").and_then(pipectl_core::Number::to_u64)
            && workers > batch.div_ceil(crate::plan::BLOCK as u64)
        {
            let detail = format!(
                "A batch is shared out in blocks of {} rows: a global batch of {batch} rows keeps at most {} workers busy, and there are {workers}.",
                crate::plan::BLOCK,
                batch.div_ceil(crate::plan::BLOCK as u64)
            );
            found.push(Diagnostic::warning("Idle workers", detail).on(Path::of("workers")));
        }
        for (index, step) in
            arguments.attribute("schedule").and_then(Value::as_slice).unwrap_or_default().iter().enumerate()
        {
            let path = |name: &str| Path::of("schedule").index(index).name(name);
            if let Some(epoch) = step.set_attribute("from_epoch").and_then(Value::as_number)
                && epoch.to_i64().is_none_or(|epoch| epoch < 1)
            {
                found.push(
                    Diagnostic::error("Invalid argument", format!("Epochs count from 1; `from_epoch` is {epoch}."))
                        .on(path("from_epoch")),
                );
            }
        }
        found
    }

    fn workers(&self, arguments: &Value) -> u32 {
        let workers =
            arguments.set_attribute("workers").and_then(Value::as_number).and_then(pipectl_core::Number::to_u64);
        workers.and_then(|workers| u32::try_from(workers).ok()).unwrap_or(1)
    }

    fn run(&self, job: &Job, io: &mut StageIo) -> Result<(), StageError> {
        run::train(job, io)
    }
}

fn invalid(name: &str, detail: String) -> Diagnostic {
    Diagnostic::error("Invalid argument", detail).on(Path::of(name))
}

fn optimizer_block() -> Block {
    let rate = || Attribute::optional(Type::Number, "Step size. Default 0.001 for adam, 0.01 for sgd.");
    let decay = |description: &str| Attribute::optional(Type::Number, description);
    let adam = Schema::of([
        ("learning_rate", rate()),
        ("beta_1", decay("Decay of the mean of gradients. Default 0.9.")),
        ("beta_2", decay("Decay of the mean of squared gradients. Default 0.999.")),
        ("epsilon", decay("Added to the divisor. Default 1e-7.")),
    ]);
    let sgd = Schema::of([
        ("learning_rate", rate()),
        ("momentum", decay("Share of the last step that goes on. Default 0.")),
        ("nesterov", Attribute::optional(Type::Bool, "Whether momentum looks ahead. Default false.")),
    ]);
    Block::single(Schema::default(), "The optimiser. Default: adam.")
        .labelled(["kind"])
        .by_label([("adam", adam), ("sgd", sgd)])
}

fn schedule_block() -> Block {
    let step = Schema::of([
        ("from_epoch", Attribute::required(Type::Number, "First epoch, counted from 1.")),
        ("learning_rate", Attribute::required(Type::Number, "The learning rate from then on.")),
    ]);
    Block { nesting: Nesting::List { minimum: 0 }, ..Block::list(step, "Another learning rate from an epoch on.") }
}

/// Whether a value cannot be that of a `model` block, as far as it is known.
fn is_no_network(value: &Value) -> bool {
    match value.kind() {
        Kind::Null(_) => false,
        Kind::Unknown(unknown) => match &unknown.ty {
            Type::Any | Type::Map(_) => false,
            Type::Object(fields) => !fields.contains_key("layers"),
            Type::Bool | Type::Number | Type::String | Type::List(_) | Type::Set(_) | Type::Tuple(_) => true,
        },
        Kind::Object(attributes) | Kind::Map(_, attributes) => !attributes.contains_key("layers"),
        Kind::Bool(_) | Kind::Number(_) | Kind::String(_) | Kind::List(..) | Kind::Set(..) | Kind::Tuple(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(arguments: &[(&str, Value)]) -> Vec<String> {
        let arguments = Value::object(arguments.iter().cloned());
        Train
            .validate(&arguments)
            .iter()
            .map(|found| format!("{}: {}", found.path.clone().unwrap_or_default(), found.detail))
            .collect()
    }

    #[test]
    fn arguments_are_judged_together() {
        assert!(findings(&[("epochs", 6.into()), ("batch_size", 128.into())]).is_empty());
        assert!(findings(&[("epochs", Value::unknown(Type::Number))]).is_empty());
        let found = findings(&[("epochs", 0.into()), ("batch_size", 64.into()), ("global_batch_size", 128.into())]);
        assert_eq!(found[0], "epochs: `epochs` must be a whole number, 1 or more; it is 0.");
        assert_eq!(
            found[1],
            "global_batch_size: `batch_size` and `global_batch_size` exclude each other: keep one of them."
        );
        let found = findings(&[("workers", 9.into()), ("global_batch_size", 128.into())]);
        assert!(found[0].contains("at most 4 workers"), "{found:?}");
    }
}
