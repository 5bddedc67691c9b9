//! The stage kind: schema, outputs, judgement of arguments, and a run in a worker.

use std::error::Error;
use std::path::Path as FilePath;

use pipectl_core::{Attribute, Block, BlockBody, Diagnostic, Diagnostics, Path, Schema, Type, Value, json};
use pipectl_provider::Progress;
use pipectl_stage::{Job, Output, Stage, StageError, StageIo};
use serde_json::{Map, Value as Json, json};

use crate::arguments::SpecProblem;
use crate::convert::{Converted, Place, SHUFFLE_MEMORY, Watcher};
use crate::error::ConvertError;
use crate::source::{Source, SourceError};
use crate::spec::Conversion;
use crate::steps::{Constants, block_schema};

/// `stage "convert" "<name>"`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Convert;

/// Folder of the dataset below the stage's outputs.
const DATASET: &str = "dataset";

impl Stage for Convert {
    fn kind(&self) -> &'static str {
        "convert"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn schema(&self) -> Schema {
        let output = Schema::of([
            ("format", Attribute::optional(Type::String, "\"tfrecord\" (default), made for training, or \"parquet\".")),
            ("shards", Attribute::optional(Type::Number, "Number of files; rows are spread evenly. Default: 1.")),
            (
                "columns",
                Attribute::optional(
                    Type::list(Type::String),
                    "Columns to write. Default: all that are there after the steps.",
                ),
            ),
            (
                "compression",
                Attribute::optional(Type::String, "Of Parquet: \"none\" (default), \"snappy\" or \"zstd\"."),
            ),
        ]);
        let step = Block {
            labels: vec!["kind".to_owned()],
            body: BlockBody::ByLabel(block_schema()),
            ..Block::list(Schema::default(), "What is done to the rows, in this order.")
        };
        Schema::of([
            (
                "source",
                Attribute::optional(
                    Type::Any,
                    "Files to read: a path, a pattern, or a list of them. Parquet, or TFRecord with tf.train.Example.",
                ),
            ),
            ("dataset", Attribute::optional(Type::Any, "Instead of `source`: the dataset of another stage.")),
            (
                "nan",
                Attribute::optional(
                    Type::String,
                    "What happens to NaN and infinite values: \"error\" (default), \"drop\" the row, or \"zero\".",
                ),
            ),
        ])
        .block("step", step)
        .block("output", Block::single(output, "What is written."))
        .described("Prepares rows: columns in, records out.")
    }

    fn outputs(&self) -> Vec<Output> {
        vec![
            Output::files("dataset", DATASET, "The dataset: shards and dataset.json."),
            Output::value("rows", Type::Number, "Number of rows written."),
            Output::value(
                "columns",
                Type::Any,
                "Shape of each column: `{ name = { shape = [801, 19], ragged = true } }`.",
            ),
            Output::value(
                "constants",
                Type::Any,
                "Constants of each scaled column, as the step \"scale\" of another stage takes them.",
            ),
            Output::value("metrics", Type::Any, "Counts: source_rows, truncated_rows, unusable_values, dropped_rows."),
        ]
    }

    fn sources(&self) -> &'static [&'static str] {
        &["source"]
    }

    fn validate(&self, arguments: &Value) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        let given = |name: &str| arguments.attribute(name).is_some_and(|value| !value.is_null());
        match (given("source"), given("dataset")) {
            (true, false) | (false, true) => {}
            (true, true) => diagnostics.push(
                Diagnostic::error("Conflicting arguments", "A convert stage reads either files (`source`) or a `dataset`, not both.")
                    .on(Path::of("dataset")),
            ),
            (false, false) => diagnostics.push(Diagnostic::error(
                "Missing argument",
                "A convert stage needs something to read: `source` with a path or pattern of files, or `dataset` with another stage's dataset.",
            )),
        }
        let (declared, numbers) = known(arguments);
        if let Err(problems) = Conversion::from_json(&declared) {
            diagnostics.extend(problems.into_iter().map(|problem| diagnostic(problem, &numbers)));
        }
        diagnostics
    }

    fn run(&self, job: &Job, io: &mut StageIo) -> Result<(), StageError> {
        let shorten = |text: String| shorten(&text, &job.root);
        let converted = convert(job, io).map_err(|error| describe(&error, &shorten))?;
        io.set_value("rows", converted.manifest.rows);
        let columns: Map<String, Json> = converted
            .manifest
            .columns
            .iter()
            .map(|column| (column.name.clone(), json!({"shape": column.shape, "ragged": column.ragged})))
            .collect();
        io.set_value("columns", columns);
        let constants: Map<String, Json> =
            converted.constants.iter().map(|(name, constants)| (name.clone(), Constants::to_json(constants))).collect();
        io.set_value("constants", constants);
        let counts = converted.counts;
        if counts.truncated_rows > 0 {
            io.warning(format!("A step \"truncate\" cut something off {} rows.", counts.truncated_rows));
        }
        if counts.unusable_values > 0 {
            io.warning(format!(
                "{} values were NaN or infinite; {} rows were dropped for them.",
                counts.unusable_values, counts.dropped_rows
            ));
        }
        io.set_value(
            "metrics",
            json!({
                "source_rows": converted.source_rows,
                "truncated_rows": counts.truncated_rows,
                "unusable_values": counts.unusable_values,
                "dropped_rows": counts.dropped_rows,
            }),
        );
        Ok(())
    }
}

/// The declaration as far as it is known, and the numbers of the steps in it. A step with an unknown argument is left
/// out, but for unknown constants, which other stages give.
fn known(arguments: &Value) -> (Json, Vec<usize>) {
    let mut steps = Vec::new();
    let mut numbers = Vec::new();
    let declared = arguments.attribute("step").and_then(Value::as_slice).unwrap_or_default();
    for (number, step) in declared.iter().enumerate() {
        let constants = step.attribute("constants").is_some_and(|constants| !constants.is_wholly_known());
        let step = if constants { step.with_attribute("constants", Value::null()) } else { step.clone() };
        if let Some(step) = json::to_json(&step) {
            steps.push(step);
            numbers.push(number);
        }
    }
    let whole = |name: &str| arguments.attribute(name).and_then(json::to_json).unwrap_or(Json::Null);
    (json!({"step": steps, "output": whole("output"), "nan": whole("nan")}), numbers)
}

/// A problem of the declaration, on the step that it was before unknown ones were left out.
fn diagnostic(problem: SpecProblem, numbers: &[usize]) -> Diagnostic {
    let mut path = Path::parse(&problem.path);
    if let [pipectl_core::Step::Name(name), pipectl_core::Step::Index(index), ..] = path.0.as_mut_slice()
        && name == "step"
        && let Some(number) = numbers.get(*index)
    {
        *index = *number;
    }
    Diagnostic::error("Invalid conversion", problem.message).on(path)
}

fn convert(job: &Job, io: &StageIo) -> Result<Converted, RunError> {
    let conversion = Conversion::from_json(&job.arguments).map_err(RunError::Declaration)?;
    let source = match job.sources.get("source") {
        Some(files) => Source::open(files),
        None => job.artifact("dataset").map_or(Err(SourceError::Empty), |folder| Source::dataset(&folder)),
    };
    let source = source.map_err(ConvertError::from)?;
    let place = Place {
        output: io.output().join(DATASET),
        scratch: io.scratch().to_owned(),
        threads: job.threads,
        shuffle_memory: SHUFFLE_MEMORY,
    };
    Ok(conversion.run(&source, &place, &mut Reporter { io, said: None })?)
}

/// Why a run failed.
enum RunError {
    /// The declaration does not hold with values that are known by now.
    Declaration(Vec<SpecProblem>),
    Convert(ConvertError),
}

impl From<ConvertError> for RunError {
    fn from(error: ConvertError) -> Self {
        RunError::Convert(error)
    }
}

/// Tells the executor how far the conversion is, about a hundred times a phase.
struct Reporter<'a> {
    io: &'a StageIo,
    /// Phase and hundredth of the last report.
    said: Option<(&'static str, u64)>,
}

impl Watcher for Reporter<'_> {
    fn progress(&mut self, phase: &'static str, done: u64, total: u64) {
        let hundredth = done * 100 / total.max(1);
        if self.said == Some((phase, hundredth)) {
            return;
        }
        self.said = Some((phase, hundredth));
        self.io.progress(Progress {
            phase: phase.to_owned(),
            done,
            total: Some(total),
            unit: "rows".to_owned(),
            ..Progress::default()
        });
    }

    fn stopped(&self) -> bool {
        self.io.stop_requested()
    }
}

/// File names as the declaration has them: relative to the root folder.
fn shorten(text: &str, root: &FilePath) -> String {
    let mut prefix = root.to_string_lossy().into_owned();
    if prefix.is_empty() {
        return text.to_owned();
    }
    if !prefix.ends_with('/') {
        prefix.push('/');
    }
    text.replace(&prefix, "")
}

fn describe(error: &RunError, shorten: &dyn Fn(String) -> String) -> StageError {
    let error = match error {
        RunError::Declaration(problems) => {
            let lines: Vec<String> =
                problems.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect();
            return StageError::new("Invalid conversion", lines.join("\n"));
        }
        RunError::Convert(error) => error,
    };
    let summary = match error {
        ConvertError::Stopped => return StageError::stopped(),
        ConvertError::Step { index, kind, problems } => {
            let lines: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
            return StageError::new(
                "Step does not fit its columns",
                shorten(format!("step[{index}] (\"{kind}\"): {}", lines.join("\n"))),
            );
        }
        ConvertError::Output { problems } => {
            return StageError::new("Output does not fit", shorten(problems.join("\n")));
        }
        ConvertError::Source(_) => "Source not readable",
        ConvertError::Cell { .. } => "Unusable value",
        ConvertError::NothingToFit { .. } | ConvertError::NoRows { .. } => "No rows",
        ConvertError::Spill(_) | ConvertError::Write(_) => "Output not writable",
    };
    let mut causes = Vec::new();
    let mut cause: Option<&dyn Error> = Some(match error {
        // What it is stands in the summary already.
        ConvertError::Source(source) => source,
        other => other,
    });
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    let mut detail = shorten(causes.join(": "));
    if !detail.ends_with(['.', '?', '!', '"']) {
        detail.push('.');
    }
    if let Some(first) =
        detail.get(..1).filter(|first| first.chars().all(|c| c.is_ascii_lowercase()) && detail.starts_with("the "))
    {
        detail.replace_range(..1, &first.to_ascii_uppercase());
    }
    StageError::new(summary, detail)
}
