//! The run: weights and a dataset in, a checked model and its report out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pipectl_core::Path as ValuePath;
use pipectl_formats::dataset::{Column, Dataset, DatasetError, assign_inputs};
use pipectl_network::{Network, Weights};
use pipectl_onnx::{Feed, Model, Rows, Scorer, Session, ValueSpec};
use pipectl_onnx_ort::{Lookup, OrtSession, find};
use pipectl_provider::Progress;
use pipectl_stage::{Job, StageError, StageIo};
use pipectl_train_burn::{Learner, Optimizer};
use serde::{Deserialize, Serialize};

use crate::check::{Agreement, CheckedBatch, TOLERANCE, compare};
use crate::lower::lower;

/// Rows that are checked when the argument is absent.
pub(crate) const DEFAULT_ROWS: usize = 256;
/// Rows that executors take at once.
const BATCH_ROWS: usize = 64;
/// The variable that names the library of ONNX Runtime, as everywhere in its world.
const LIBRARY_VARIABLE: &str = "ORT_DYLIB_PATH";

#[derive(Debug, Deserialize)]
struct Arguments {
    #[serde(default)]
    inputs: BTreeMap<String, String>,
    rows: Option<usize>,
}

/// What `report.json` says.
#[derive(Debug, Serialize)]
struct Report {
    network: String,
    parameters: usize,
    opset: i64,
    ir_version: i64,
    bytes: usize,
    inputs: Vec<ValueReport>,
    outputs: Vec<ValueReport>,
    /// The independent executor that vouches for the model: the first of `checks`.
    checked_by: String,
    tolerance: f64,
    rows: usize,
    max_difference: f64,
    checks: Vec<Agreement>,
}

#[derive(Debug, Serialize)]
struct ValueReport {
    name: String,
    element_type: String,
    shape: Vec<String>,
}

impl ValueReport {
    fn of(spec: &ValueSpec) -> Self {
        Self {
            name: spec.name.clone(),
            element_type: spec.element_type.to_string(),
            shape: spec.shape.iter().flatten().map(ToString::to_string).collect(),
        }
    }
}

/// Runs the stage.
pub(crate) fn export(job: &Job, io: &mut StageIo) -> Result<(), StageError> {
    let arguments: Arguments = job.arguments_as()?;
    let (network, weights) = Weights::load(job.required_artifact("weights")?)
        .map_err(|error| StageError::caused("Weights not readable", &error).on(ValuePath::of("weights")))?;
    let source = Source::open(&job.required_artifact("dataset")?, &network, &arguments.inputs)
        .map_err(|failure| failure.or_on(ValuePath::of("dataset")))?;

    let model = lower(&network, &weights, &source.ragged())
        .map_err(|error| StageError::caused("Network has no ONNX form", &error))?;
    let bytes = model.encode();
    let rows = source.spread(arguments.rows.unwrap_or(DEFAULT_ROWS));
    let progress = |phase: &str, done: usize| {
        io.progress(Progress {
            phase: phase.to_owned(),
            done: done as u64,
            total: Some(rows.len() as u64),
            unit: "rows".to_owned(),
            metrics: BTreeMap::new(),
        });
    };
    let batches = checked_batches(&network, &weights, &model, &source, &rows, job.threads, |done| {
        progress("reading", done);
    })?;
    let output = &network.output().name;
    let mut checks = Vec::new();
    for mut executor in executors(&bytes, job, io)? {
        progress(&format!("checking with {}", executor.name()), 0);
        let agreement = compare(executor.as_mut(), output, &batches)
            .map_err(|error| StageError::caused("Exported model disagrees", &error))?;
        checks.push(agreement);
        progress(&format!("checked with {}", executor.name()), rows.len());
    }
    let first = checks.first().expect("our own executor is always there");
    let report = Report {
        network: network.name().to_owned(),
        parameters: network.parameter_count(),
        opset: model.opset().unwrap_or_default(),
        ir_version: model.ir_version(),
        bytes: bytes.len(),
        inputs: specs(model.inputs())?,
        outputs: specs(model.outputs())?,
        checked_by: first.executor.clone(),
        tolerance: TOLERANCE,
        rows: first.rows,
        max_difference: checks.iter().map(|check| check.max_difference).fold(0.0, f64::max),
        checks,
    };
    io.write("model.onnx", &bytes)?;
    io.write("report.json", serde_json::to_string_pretty(&report).expect("a report is plain data") + "\n")?;
    io.message(format!(
        "checked by {} on {} rows: largest difference {:.1e}",
        report.checked_by, report.rows, report.max_difference
    ));
    io.set_value("checked_by", report.checked_by);
    io.set_value("checked_rows", report.rows);
    io.set_value("max_difference", report.max_difference);
    Ok(())
}

/// A dataset as the network's inputs.
struct Source {
    dataset: Dataset,
    /// Column of each input.
    columns: BTreeMap<String, String>,
}

impl Source {
    fn open(folder: &Path, network: &Network, given: &BTreeMap<String, String>) -> Result<Self, StageError> {
        let dataset = Dataset::open(folder).map_err(|error| unreadable(&error))?;
        let wanted: Vec<(&str, &[usize])> =
            network.inputs().iter().map(|input| (input.name.as_str(), input.shape.as_slice())).collect();
        let columns = assign_inputs(dataset.columns(), &wanted, given)
            .map_err(|error| StageError::caused("Dataset does not fit the model", &error).on(error.argument(given)))?;
        if dataset.is_empty() {
            let detail = "The dataset has no row, so there is nothing to check the exported model on.";
            return Err(StageError::new("Empty dataset", detail));
        }
        Ok(Self { dataset, columns })
    }

    /// Inputs whose column is ragged.
    fn ragged(&self) -> BTreeSet<String> {
        let is_ragged = |column: &String| {
            self.dataset.columns().iter().any(|candidate| candidate.name == *column && candidate.ragged)
        };
        self.columns.iter().filter(|(_, column)| is_ragged(column)).map(|(input, _)| input.clone()).collect()
    }

    /// At most `count` rows, spread evenly over the dataset.
    fn spread(&self, count: usize) -> Vec<usize> {
        let total = self.dataset.len();
        let count = count.clamp(1, total);
        (0..count).map(|index| index * total / count).collect()
    }

    fn batch(&self, rows: &[usize]) -> Result<BTreeMap<String, Column>, StageError> {
        let names: Vec<&str> = self.columns.values().map(String::as_str).collect();
        let columns = self.dataset.batch(rows, &names).map_err(|error| unreadable(&error))?;
        Ok(self.columns.iter().map(|(input, column)| (input.clone(), columns[column].clone())).collect())
    }
}

/// Inputs of the model and outputs of the network for every checked row.
fn checked_batches(
    network: &Network,
    weights: &Weights,
    model: &Model,
    source: &Source,
    rows: &[usize],
    threads: usize,
    progress: impl Fn(usize),
) -> Result<Vec<CheckedBatch>, StageError> {
    let feed = Feed::of(model).map_err(|error| StageError::caused("Network has no ONNX form", &error))?;
    // Nothing is learned: seed and optimiser do not matter.
    let learner = Learner::from_weights(network, weights, 0, Optimizer::ADAM, threads)
        .map_err(|error| StageError::caused("Weights not usable", &error))?;
    let mut batches = Vec::new();
    for (index, rows) in rows.chunks(BATCH_ROWS).enumerate() {
        let columns = source.batch(rows)?;
        let inputs = feed_columns(&feed, &columns).map_err(|error| mismatch(error, rows))?;
        let expected = learner
            .predict(&columns)
            .map_err(|error| StageError::caused("The network cannot be run on the dataset", &error))?;
        batches.push(CheckedBatch { rows: rows.to_vec(), inputs, expected });
        progress(index * BATCH_ROWS + rows.len());
    }
    Ok(batches)
}

fn feed_columns(
    feed: &Feed,
    columns: &BTreeMap<String, Column>,
) -> Result<BTreeMap<String, pipectl_onnx::Tensor>, pipectl_onnx::FeedError> {
    let readers: Vec<_> = columns.iter().map(|(name, column)| (name, column, |row| column.row(row))).collect();
    let rows = readers
        .iter()
        .map(|(name, column, values)| {
            let ragged = column.lengths.is_some();
            ((*name).clone(), Rows { count: column.rows, shape: &column.shape, ragged, values })
        })
        .collect();
    feed.tensors(&rows)
}

fn mismatch(error: pipectl_onnx::FeedError, rows: &[usize]) -> StageError {
    match error {
        pipectl_onnx::FeedError::InnerPadding { input, row, step, last } => StageError::new(
            "Padding within a sequence",
            format!(
                "Row {} of the dataset has only padding in step {step} of `{input}`, but a real step {last} behind it. The network \
                 leaves such a step out; the sequence lengths of an ONNX model cannot say so, and the model would give other \
                 results there. Write padding behind the real steps, or none at all (a ragged column).",
                rows.get(row).copied().unwrap_or(row)
            ),
        ),
        other => StageError::caused("Dataset does not fit the model", &other),
    }
}

/// The executors that check: ONNX Runtime first when it is found, then our own.
fn executors(bytes: &[u8], job: &Job, io: &StageIo) -> Result<Vec<Box<dyn Scorer>>, StageError> {
    let refused = |error: &(dyn std::error::Error + 'static)| StageError::caused("Exported model not accepted", error);
    let mut executors: Vec<Box<dyn Scorer>> = Vec::new();
    let library = io.variable(LIBRARY_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    match find(library.as_deref()) {
        Ok(Lookup::Found(runtime)) => {
            let session = OrtSession::load(&runtime, bytes, job.threads).map_err(|error| refused(&error))?;
            executors.push(Box::new(session));
        }
        Ok(Lookup::NotFound { .. }) => {}
        Err(error) => io.warning(format!(
            "{} {} The model is checked by pipectl's own executor only.",
            StageError::caused("ONNX Runtime not usable", &error).detail,
            error.hint()
        )),
    }
    let session = Session::load(bytes).map_err(|error| refused(&error))?;
    executors.push(Box::new(session.with_threads(job.threads)));
    Ok(executors)
}

fn specs(specs: Result<Vec<ValueSpec>, pipectl_onnx::ModelError>) -> Result<Vec<ValueReport>, StageError> {
    let specs = specs.map_err(|error| StageError::caused("Exported model not accepted", &error))?;
    Ok(specs.iter().map(ValueReport::of).collect())
}

fn unreadable(error: &DatasetError) -> StageError {
    StageError::caused("Dataset not readable", error)
}
