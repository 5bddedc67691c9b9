//! The run: rows are read ahead on one thread and scored on this one, batch by batch, so memory holds a few batches.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use pipectl_core::Path as ValuePath;
use pipectl_formats::dataset::{AssignError, Column, Dataset, assign_inputs, assign_label};
use pipectl_onnx::{Dimension, ElementType, Feed, FeedError, Model, Rows, Scorer, Tensor, ValueSpec};
use pipectl_onnx_ort::{Engine, open};
use pipectl_provider::Progress;
use pipectl_stage::{Job, StageError, StageIo};
use serde::Deserialize;
use serde_json::json;

use crate::predictions::{Predictions, PredictionsWriter, class_of, read_probabilities};
use crate::tally::Tally;

/// Rows of a batch when the argument is absent.
pub const DEFAULT_BATCH_ROWS: usize = 128;
/// Batches that are read before they are asked for.
const AHEAD: usize = 4;
/// The variable that names the library of ONNX Runtime, as everywhere in its world.
const LIBRARY_VARIABLE: &str = "ORT_DYLIB_PATH";
/// Progress is told no more often.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

#[derive(Debug, Deserialize)]
struct Arguments {
    #[serde(default)]
    inputs: BTreeMap<String, String>,
    label: Option<String>,
    engine: Option<String>,
    batch_size: Option<usize>,
    threads: Option<usize>,
}

/// Runs the stage.
pub(crate) fn score(job: &Job, io: &mut StageIo) -> Result<(), StageError> {
    let arguments: Arguments = job.arguments_as()?;
    let engine: Engine = match &arguments.engine {
        Some(name) => name.parse().map_err(|error| StageError::caused("Invalid arguments", &error))?,
        None => Engine::Auto,
    };
    let threads = arguments.threads.unwrap_or(job.threads).max(1);
    let of_model = |failure: StageError| failure.on(ValuePath::of("onnx"));
    let bytes = read_model(&job.required_artifact("onnx")?).map_err(of_model)?;
    let model = Model::decode(&bytes).map_err(|error| of_model(StageError::caused("Model not readable", &error)))?;
    let source = Source::open(&job.required_artifact("dataset")?, &model, &arguments)
        .map_err(|failure| failure.or_on(ValuePath::of("dataset")))?;
    let reference = job.artifact("reference").map(|path| read_reference(&path, &source)).transpose();
    let reference = reference.map_err(|failure| failure.on(ValuePath::of("reference")))?;

    let library = io.variable(LIBRARY_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    let mut opened = open(engine, library.as_deref(), &bytes, threads).map_err(|error| {
        let mut failure = of_model(StageError::caused("Model not accepted", &error));
        if let Some(hint) = error.hint() {
            failure.detail.push(' ');
            failure.detail.push_str(hint);
        }
        failure
    })?;
    if let Some(note) = &opened.note {
        io.warning(format!("ONNX Runtime is there but not used: {note}. The model runs on pipectl's own executor."));
    }
    let name = opened.scorer.name();

    let path = io.output().join("predictions.parquet");
    let unwritable = |error| StageError::caused("Predictions not writable", &error);
    let mut writer =
        PredictionsWriter::create(&path, source.classes, source.label.is_some(), &name).map_err(unwritable)?;
    let mut tally = Tally::default();
    let mut clock = Clock::start();
    source.for_each(arguments.batch_size.unwrap_or(DEFAULT_BATCH_ROWS).max(1), |batch| {
        if io.stop_requested() {
            return Err(StageError::stopped());
        }
        let (first, count) = (tally.rows as usize, batch.rows);
        let predictions = source.score(opened.scorer.as_mut(), batch, &mut clock)?;
        let expected = reference.as_ref().map(|all| &all[first * source.classes..(first + count) * source.classes]);
        tally.add(&predictions, expected);
        writer.write(predictions).map_err(unwritable)?;
        if clock.is_time_to_tell(tally.rows == source.dataset.len() as u64) {
            io.progress(clock.progress(&tally, source.dataset.len()));
        }
        Ok(())
    })?;
    writer.finish().map_err(unwritable)?;

    let seconds = clock.started.elapsed().as_secs_f64();
    let rows_per_second = tally.rows as f64 / seconds.max(f64::MIN_POSITIVE);
    let has_reference = reference.is_some();
    let (agreement, max_difference) =
        (tally.agreement(), has_reference.then_some(tally.max_difference).filter(|value| value.is_finite()));
    let metrics = json!({
        "engine": name,
        "threads": threads,
        "batch_size": arguments.batch_size.unwrap_or(DEFAULT_BATCH_ROWS),
        "rows": tally.rows,
        "classes": source.classes,
        "seconds": seconds,
        "seconds_in_model": clock.in_model.as_secs_f64(),
        "rows_per_second": rows_per_second,
        "accuracy": tally.accuracy(),
        "reference": has_reference.then(|| json!({
            "decided_rows": tally.decided,
            "agreeing_rows": tally.agreeing,
            "agreement": agreement,
            "max_difference": max_difference,
        })),
    });
    io.write("metrics.json", serde_json::to_string_pretty(&metrics).expect("metrics are plain data") + "\n")?;
    let accuracy = tally.accuracy().map(|accuracy| format!(", accuracy {accuracy:.4}")).unwrap_or_default();
    io.message(format!("{} rows on {name}: {rows_per_second:.0} rows/s{accuracy}", tally.rows));
    io.set_value("scored_by", name);
    io.set_value("rows", tally.rows);
    io.set_value("rows_per_second", rows_per_second);
    io.set_value("accuracy", json!(tally.accuracy()));
    io.set_value("agreement", json!(agreement));
    io.set_value("max_difference", json!(max_difference));
    Ok(())
}

/// A dataset as a model's inputs.
struct Source {
    dataset: Dataset,
    feed: Feed,
    /// Column of each input.
    columns: BTreeMap<String, String>,
    /// Column of the labels.
    label: Option<String>,
    /// Name of the output, and its values a row.
    output: String,
    classes: usize,
}

/// Rows that are ready to score.
struct Batch {
    rows: usize,
    inputs: BTreeMap<String, Tensor>,
    labels: Vec<usize>,
}

impl Source {
    fn open(folder: &Path, model: &Model, arguments: &Arguments) -> Result<Self, StageError> {
        let dataset = Dataset::open(folder).map_err(|error| StageError::caused("Dataset not readable", &error))?;
        let unfit_model = |error: FeedError| StageError::caused("Model not accepted", &error).on(ValuePath::of("onnx"));
        let feed = Feed::of(model).map_err(unfit_model)?;
        let (output, classes) = output_of(model)?;
        let unfit = |error: AssignError| {
            StageError::caused("Dataset does not fit the model", &error).on(error.argument(&arguments.inputs))
        };
        let shapes: Vec<(String, Vec<usize>)> = feed
            .inputs()
            .iter()
            .map(|input| {
                let name = arguments.inputs.get(&input.name).unwrap_or(&input.name);
                let column = dataset.columns().iter().find(|column| column.name.eq_ignore_ascii_case(name));
                // Where the model leaves a size open, that of the column is right.
                let size = |(axis, dimension): (usize, &Dimension)| match dimension {
                    Dimension::Fixed(size) => *size,
                    Dimension::Symbol(_) | Dimension::Unknown => {
                        column.and_then(|column| column.shape.get(axis)).copied().unwrap_or(0)
                    }
                };
                (input.name.clone(), input.shape.iter().enumerate().map(size).collect())
            })
            .collect();
        let wanted: Vec<(&str, &[usize])> =
            shapes.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())).collect();
        let columns = assign_inputs(dataset.columns(), &wanted, &arguments.inputs).map_err(unfit)?;
        let label = match assign_label(dataset.columns(), &columns, arguments.label.as_deref(), classes) {
            Ok(label) => Some(label),
            // Scoring needs no labels; only one that was asked for must be there.
            Err(AssignError::NoLabel { .. }) if arguments.label.is_none() => None,
            Err(error) => return Err(unfit(error)),
        };
        Ok(Self { dataset, feed, columns, label, output, classes })
    }

    /// Calls `each` with batches of all rows in order, while the next ones are being read on another thread.
    fn for_each(
        &self,
        batch_rows: usize,
        mut each: impl FnMut(Batch) -> Result<(), StageError>,
    ) -> Result<(), StageError> {
        std::thread::scope(|scope| {
            let (sender, receiver) = sync_channel(AHEAD);
            scope.spawn(move || {
                for start in (0..self.dataset.len()).step_by(batch_rows) {
                    let rows: Vec<usize> = (start..(start + batch_rows).min(self.dataset.len())).collect();
                    let batch = self.batch(&rows);
                    let failed = batch.is_err();
                    // When nobody listens any more the work is over.
                    if sender.send(batch).is_err() || failed {
                        return;
                    }
                }
            });
            receiver.into_iter().try_for_each(|batch| each(batch?))
        })
    }

    fn batch(&self, rows: &[usize]) -> Result<Batch, StageError> {
        let mut names: Vec<&str> = self.columns.values().map(String::as_str).collect();
        names.extend(self.label.as_deref());
        let columns =
            self.dataset.batch(rows, &names).map_err(|error| StageError::caused("Dataset not readable", &error))?;
        let readers: Vec<_> = self
            .columns
            .iter()
            .map(|(input, name)| {
                let column = &columns[name];
                (input, column, |row| column.row(row))
            })
            .collect();
        let inputs = readers
            .iter()
            .map(|(input, column, values)| {
                let ragged = column.lengths.is_some();
                ((*input).clone(), Rows { count: column.rows, shape: &column.shape, ragged, values })
            })
            .collect();
        let inputs = self.feed.tensors(&inputs).map_err(|error| mismatch(error, rows))?;
        let labels = self.label.as_ref().map(|name| classes(&columns[name])).unwrap_or_default();
        Ok(Batch { rows: rows.len(), inputs, labels })
    }

    fn score(&self, scorer: &mut dyn Scorer, batch: Batch, clock: &mut Clock) -> Result<Predictions, StageError> {
        let start = Instant::now();
        let mut results = scorer.run(&batch.inputs).map_err(|error| StageError::caused("Model failed", &error))?;
        clock.in_model += start.elapsed();
        let expected = batch.rows * self.classes;
        let probabilities = match results.remove(&self.output).map(Tensor::into_data) {
            Some(pipectl_onnx::TensorData::Float(values)) if values.len() == expected => values,
            _ => {
                let detail = format!(
                    "The model's output `{}` does not hold {} numbers for each of {} rows.",
                    self.output, self.classes, batch.rows
                );
                return Err(StageError::new("Model failed", detail));
            }
        };
        Ok(Predictions { classes: self.classes, probabilities, labels: batch.labels })
    }
}

/// The time that a run takes.
struct Clock {
    started: Instant,
    in_model: Duration,
    told: Option<Instant>,
}

impl Clock {
    fn start() -> Self {
        Self { started: Instant::now(), in_model: Duration::ZERO, told: None }
    }

    fn is_time_to_tell(&mut self, last: bool) -> bool {
        let due = last || self.told.is_none_or(|told| told.elapsed() >= PROGRESS_INTERVAL);
        if due {
            self.told = Some(Instant::now());
        }
        due
    }

    fn progress(&self, tally: &Tally, total: usize) -> Progress {
        let mut metrics = BTreeMap::new();
        let seconds = self.started.elapsed().as_secs_f64().max(f64::MIN_POSITIVE);
        metrics.insert("rows_per_second".to_owned(), tally.rows as f64 / seconds);
        if let Some(accuracy) = tally.accuracy() {
            metrics.insert("accuracy".to_owned(), accuracy);
        }
        Progress {
            phase: "scoring".to_owned(),
            done: tally.rows,
            total: Some(total as u64),
            unit: "rows".to_owned(),
            metrics,
        }
    }
}

/// The one output that predictions are made of: floats, `[rows, classes]`.
fn output_of(model: &Model) -> Result<(String, usize), StageError> {
    let outputs = model.outputs().map_err(|error| StageError::caused("Model not accepted", &error))?;
    let classes = |spec: &ValueSpec| match spec.shape.as_deref() {
        Some([_, Dimension::Fixed(classes)]) if spec.element_type == ElementType::Float => Some(*classes),
        _ => None,
    };
    match outputs.iter().find_map(|spec| classes(spec).map(|classes| (spec.name.clone(), classes))) {
        Some(found) => Ok(found),
        None => {
            let found: Vec<String> = outputs.iter().map(ToString::to_string).collect();
            let detail = format!(
                "Predictions need an output of floats with a fixed number of classes for each row; the model's outputs are {}.",
                found.join(", ")
            );
            Err(StageError::new("Model not accepted", detail))
        }
    }
}

/// The class of each row of labels, one-hot or probabilities.
fn classes(labels: &Column) -> Vec<usize> {
    (0..labels.rows).map(|row| class_of(labels.row(row))).collect()
}

fn mismatch(error: FeedError, rows: &[usize]) -> StageError {
    match error {
        FeedError::InnerPadding { input, row, step, last } => StageError::new(
            "Padding within a sequence",
            format!(
                "Row {} of the dataset has only padding in step {step} of `{input}`, but a real step {last} behind it. The network \
                 of this model leaves such a step out, the model cannot. Write padding behind the real steps, or none at all \
                 (a ragged column).",
                rows.get(row).copied().unwrap_or(row)
            ),
        ),
        other => StageError::caused("Dataset does not fit the model", &other),
    }
}

fn read_reference(path: &Path, source: &Source) -> Result<Vec<f32>, StageError> {
    let reference = read_probabilities(path).map_err(|error| StageError::caused("Reference not readable", &error))?;
    let rows = reference.rows().len();
    if rows == source.dataset.len() && (rows == 0 || reference.classes == source.classes) {
        return Ok(reference.probabilities);
    }
    let detail = format!(
        "`reference` holds {rows} rows of {} classes, this run makes {} rows of {}: they must be predictions for the same dataset.",
        reference.classes,
        source.dataset.len(),
        source.classes
    );
    Err(StageError::new("Reference does not fit", detail))
}

fn read_model(path: &Path) -> Result<Vec<u8>, StageError> {
    std::fs::read(path).map_err(|error| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        StageError::new("Model not readable", format!("Cannot read `{name}`: {error}."))
    })
}
