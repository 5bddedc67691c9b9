//! The run: rows through the network, figures out of what comes back, files out of the figures.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pipectl_core::Path as ValuePath;
use pipectl_network::{Network, Weights};
use pipectl_provider::Progress;
use pipectl_stage::io::sentence;
use pipectl_stage::{Job, StageError, StageIo};
use pipectl_train_burn::{LearnError, Learner, Optimizer};
use serde_json::{Map, Value as Json, json};

use crate::arguments::Arguments;
use crate::measure::{MeasureError, Measures, largest};
use crate::rows::{Part, Rows};
use crate::{plot, report};

/// Shortest time between two reports of progress.
const REPORT_INTERVAL: Duration = Duration::from_millis(200);

/// Evaluates as `job` says.
///
/// Keeps one number per row and class in memory, beside the batch at hand.
///
/// # Errors
/// When weights or dataset are missing, damaged or do not fit each other, a row has no one-hot label or a value that is not finite, or a
/// file cannot be written.
pub fn evaluate(job: &Job, io: &mut StageIo) -> Result<(), StageError> {
    let arguments = Arguments::of(job)?;
    let (network, weights) = load(job)?;
    let classes = match network.output().shape.as_slice() {
        [classes] if *classes > 1 => *classes,
        other => {
            let detail = format!(
                "The output `{}` of the model has shape {other:?}. A classifier that can be evaluated has one value for each of two or more \
                 classes.",
                network.address(network.output_ref())
            );
            return Err(StageError::new("Model is no classifier", detail));
        }
    };
    let names = arguments.class_names(classes)?;
    let dataset = |failure: StageError| failure.or_on(ValuePath::of("dataset"));
    let rows = Rows::open(&job.required_artifact("dataset")?, &network, classes, &arguments).map_err(dataset)?;
    if rows.len() == 0 {
        return Err(dataset(StageError::new("Empty dataset", "The dataset has no rows to evaluate the model on.")));
    }
    let learner = Learner::from_weights(&network, &weights, 0, Optimizer::SGD, job.threads.max(1))
        .map_err(|error| StageError::caused("Weights do not fit the model", &error))?;
    let (probabilities, truth) = predict(io, &learner, &rows, classes, arguments.batch_rows())?;
    let measures = Measures::of(&probabilities, &truth, classes).map_err(|error| unmeasured(&error))?;
    tell(io, &names, &measures);
    write(io, network.name(), &names, &measures)?;
    set_values(io, &names, &measures);
    Ok(())
}

fn load(job: &Job) -> Result<(Network, Weights), StageError> {
    let path = job.required_artifact("weights")?;
    let missing = !path.exists();
    let failure = |error| match missing {
        true => StageError::new(
            "Missing weights",
            format!("There is no file `{}`. The stage that makes the weights has not left them there.", path.display()),
        ),
        false => StageError::new(
            "Weights not readable",
            format!("{} The argument `weights` takes the `weights` of a train stage.", sentence(&error)),
        ),
    };
    Weights::load(&path).map_err(|error| failure(error).on(ValuePath::of("weights")))
}

/// The probabilities of all rows and their true classes, in the order of the dataset.
fn predict(
    io: &StageIo,
    learner: &Learner,
    rows: &Rows,
    classes: usize,
    batch: usize,
) -> Result<(Vec<f32>, Vec<usize>), StageError> {
    let total = rows.len();
    let (mut probabilities, mut truth) = (vec![0.0; total * classes], vec![0; total]);
    let mut pace = Pace { started: Instant::now(), reported: Instant::now(), done: 0, correct: 0 };
    rows.for_each(batch, |part| {
        if io.stop_requested() {
            return Err(StageError::stopped());
        }
        let output = learner.predict(&part.inputs).map_err(|error| failed(&part, &error))?;
        for (position, (values, &row)) in output.chunks_exact(classes).zip(&part.rows).enumerate() {
            probabilities[row * classes..(row + 1) * classes].copy_from_slice(values);
            truth[row] = part.truth[position];
            pace.correct += u64::from(largest(values) == part.truth[position]);
        }
        pace.done += part.rows.len();
        pace.report(io, total);
        Ok(())
    })?;
    Ok((probabilities, truth))
}

/// How far it is and how fast it goes, for people.
struct Pace {
    started: Instant,
    reported: Instant,
    done: usize,
    correct: u64,
}

impl Pace {
    fn report(&mut self, io: &StageIo, total: usize) {
        if self.done < total && self.reported.elapsed() < REPORT_INTERVAL {
            return;
        }
        self.reported = Instant::now();
        let seconds = self.started.elapsed().as_secs_f64().max(1e-9);
        let metrics =
            [("accuracy", self.correct as f64 / self.done as f64), ("events_per_second", self.done as f64 / seconds)];
        io.progress(Progress {
            phase: "evaluating".to_owned(),
            done: self.done as u64,
            total: Some(total as u64),
            unit: "events".to_owned(),
            metrics: metrics.map(|(name, value)| (name.to_owned(), value)).into_iter().collect::<BTreeMap<_, _>>(),
        });
    }
}

fn failed(part: &Part, error: &LearnError) -> StageError {
    match error {
        LearnError::NotFinite { input, row, value } => StageError::new(
            "Value not finite",
            format!(
                "Row {} of the dataset holds {value} in the column of the input `{input}`. Leave such rows out, or replace such values, in the \
                 convert stage.",
                part.rows.get(*row).copied().unwrap_or(*row)
            ),
        ),
        LearnError::Diverged { row } => StageError::new(
            "Model output not finite",
            format!(
                "The model's output for row {} of the dataset is not a finite number, though all its inputs are: its training has diverged. \
                 Train it with a smaller learning rate.",
                part.rows.get(*row).copied().unwrap_or(*row)
            ),
        ),
        other => StageError::caused("Evaluation failed", other),
    }
}

fn unmeasured(error: &MeasureError) -> StageError {
    match error {
        MeasureError::NotProbabilities { row, values } => StageError::new(
            "Model output is no probability",
            format!(
                "For row {row} of the dataset the model puts out {values:?}. Give its output layer `activation = \"softmax\"`, so that it puts \
                 out a probability for each class."
            ),
        ),
        other => StageError::caused("Evaluation failed", other),
    }
}

/// The figures in a line for people, and what is odd about them.
fn tell(io: &StageIo, names: &[String], measures: &Measures) {
    for (class, name) in names.iter().enumerate().filter(|(class, _)| measures.curves[*class].is_none()) {
        let why = if measures.rows_of(class) == 0 { "occurs in no row" } else { "is the class of every row" };
        io.warning(format!("class `{name}` {why} of the dataset: it has no ROC curve, and its AUC is null"));
    }
    let areas = names.iter().zip(&measures.curves);
    let areas = areas.filter_map(|(name, curve)| Some(format!("{name} {:.4}", curve.as_ref()?.area)));
    io.message(format!(
        "{} events loss={:.4} accuracy={:.4} AUC: {}",
        measures.rows,
        measures.loss,
        measures.accuracy(),
        areas.collect::<Vec<_>>().join(", ")
    ));
}

fn write(io: &StageIo, model: &str, names: &[String], measures: &Measures) -> Result<(), StageError> {
    let undrawn = |error: plot::PlotError| StageError::caused("Plot not drawn", &error);
    io.write("report.json", report::text(model, names, measures))?;
    io.write("plots/roc.svg", plot::roc(names, measures).map_err(undrawn)?)?;
    io.write("plots/confusion.svg", plot::confusion(names, measures).map_err(undrawn)?)
}

fn set_values(io: &mut StageIo, names: &[String], measures: &Measures) {
    let area = |(name, curve): (&String, &Option<crate::measure::Curve>)| {
        (name.clone(), json!(curve.as_ref().map(|curve| curve.area)))
    };
    let areas: Map<String, Json> = names.iter().zip(&measures.curves).map(area).collect();
    io.set_value("accuracy", measures.accuracy());
    io.set_value("loss", measures.loss);
    io.set_value("rows", measures.rows);
    io.set_value("auc", areas);
    io.set_value("auc_macro", json!(measures.mean_area()));
    io.set_value("confusion_matrix", json!(measures.confusion));
}
