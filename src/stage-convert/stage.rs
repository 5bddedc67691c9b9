//! The stage kind: schema, outputs, judgement of arguments, and a run in a worker.

use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};

use pipectl_core::{
    Attribute, Block, BlockBody, Diagnostic, Diagnostics, Path, Schema, Step as PathStep, Type, Value, json,
};
use pipectl_provider::Progress;
use pipectl_stage::{Artifact, Job, Output, SourceFile, Stage, StageError, StageIo};
use serde_json::{Map, Value as Json, json};

use crate::check::check_steps;
use crate::convert::{Converted, Place, SHUFFLE_MEMORY, Watcher};
use crate::error::ConvertError;
use crate::findings;
use crate::header::Header;
use crate::source::Source;
use crate::spec::Conversion;
use crate::steps::{Constants, block_schema};

/// `stage "convert" "<name>"`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Convert;

/// Folder of the dataset below the stage's outputs.
const DATASET: &str = Artifact::Dataset.file();

impl Stage for Convert {
    fn kind(&self) -> &'static str {
        "convert"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn notes(&self) -> String {
        crate::expression::reference()
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
            ("input", Attribute::optional(Type::Any, "Instead of `source`: the `dataset` of another convert stage.")),
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
            Output::artifact("dataset", Artifact::Dataset, "The dataset: shards and dataset.json."),
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

    fn takes(&self) -> &'static [(&'static str, Artifact)] {
        &[("input", Artifact::Dataset)]
    }

    fn validate(&self, arguments: &Value) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        let given = |name: &str| arguments.attribute(name).is_some_and(|value| !value.is_null());
        match (given("source"), given("input")) {
            (true, false) | (false, true) => {}
            (true, true) => diagnostics.push(
                Diagnostic::error("Conflicting arguments", "A convert stage reads either files (`source`) or a dataset (`input`), not both.")
                    .on(Path::of("input")),
            ),
            (false, false) => diagnostics.push(Diagnostic::error(
                "Missing argument",
                "A convert stage needs something to read: `source` with a path or pattern of files, or `input` with another stage's dataset.",
            )),
        }
        let known = Known::of(arguments);
        if let Err(problems) = Conversion::from_json(&known.declaration) {
            diagnostics.extend(findings::of_declaration(problems).into_iter().map(|found| known.placed(found)));
        }
        diagnostics
    }

    fn check_sources(&self, arguments: &Value, sources: &BTreeMap<String, Vec<SourceFile>>) -> Result<(), Diagnostics> {
        let Some(files) = sources.get("source") else { return Ok(()) };
        let known = Known::of(arguments).up_to_the_unknown();
        // What is wrong with the declaration itself, `validate` has said.
        let Ok(conversion) = Conversion::from_json(&known.declaration) else { return Ok(()) };
        let paths: Vec<PathBuf> = files.iter().map(|file| file.path.clone()).collect();
        let checked = Header::read(&paths).map_err(ConvertError::from).and_then(|header| match known.is_whole {
            true => conversion.check(&header).map(drop),
            false => check_steps(&conversion, &header).map(drop),
        });
        checked.map_err(|error| {
            let mut found = findings::of_error(&error, "source");
            for file in files {
                let path = file.path.to_string_lossy();
                found.iter_mut().for_each(|found| found.detail = found.detail.replace(&*path, &file.name));
            }
            found
        })
    }

    fn run(&self, job: &Job, io: &mut StageIo) -> Result<(), StageError> {
        let converted = convert(job, io)?;
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

/// The declaration as far as it is known.
struct Known {
    /// As [`Conversion::from_json`] takes it, without the steps that are not known. Constants that are not, which other stages give, count as
    /// absent.
    declaration: Json,
    /// The number of each step before others were left out.
    numbers: Vec<usize>,
    /// Whether nothing but constants is left out.
    is_whole: bool,
}

impl Known {
    fn of(arguments: &Value) -> Self {
        let mut steps = Vec::new();
        let mut numbers = Vec::new();
        let declared = arguments.attribute("step");
        for (number, step) in declared.and_then(Value::as_slice).unwrap_or_default().iter().enumerate() {
            let constants = step.attribute("constants").is_some_and(|constants| !constants.is_wholly_known());
            let step = if constants { step.with_attribute("constants", Value::null()) } else { step.clone() };
            if let Some(step) = json::to_json(&step) {
                steps.push(step);
                numbers.push(number);
            }
        }
        let is_known = |name: &str| arguments.attribute(name).is_none_or(Value::is_wholly_known);
        let all = declared.is_none_or(Value::is_known)
            && numbers.len() == declared.and_then(Value::as_slice).map_or(0, <[Value]>::len);
        let whole = |name: &str| arguments.attribute(name).and_then(json::to_json).unwrap_or(Json::Null);
        Self {
            declaration: json!({"step": steps, "output": whole("output"), "nan": whole("nan")}),
            is_whole: all && is_known("output") && is_known("nan"),
            numbers,
        }
    }

    /// The same without the steps behind the first that is not known: which columns reach them is not known either.
    fn up_to_the_unknown(mut self) -> Self {
        let certain = self.numbers.iter().enumerate().take_while(|(place, number)| place == *number).count();
        self.numbers.truncate(certain);
        if let Some(Json::Array(steps)) = self.declaration.get_mut("step") {
            steps.truncate(certain);
        }
        self
    }

    /// A finding about the declaration, on the step that it was before others were left out.
    fn placed(&self, mut found: Diagnostic) -> Diagnostic {
        if let Some([PathStep::Name(name), PathStep::Index(index), ..]) =
            found.path.as_mut().map(|path| path.0.as_mut_slice())
            && name == "step"
            && let Some(number) = self.numbers.get(*index)
        {
            *index = *number;
        }
        found
    }
}

fn convert(job: &Job, io: &StageIo) -> Result<Converted, StageError> {
    let conversion = Conversion::from_json(&job.arguments)
        .map_err(|problems| StageError::found(&findings::of_declaration(problems)))?;
    let (input, source) = match job.sources.get("source") {
        Some(files) => ("source", Source::open(files)),
        None => ("input", Source::dataset(&job.required_artifact("input")?)),
    };
    let place = Place {
        output: io.output().join(DATASET),
        scratch: io.scratch().to_owned(),
        threads: job.threads,
        shuffle_memory: SHUFFLE_MEMORY,
    };
    let converted = source
        .map_err(ConvertError::from)
        .and_then(|source| conversion.run(&source, &place, &mut Reporter { io, said: None }));
    converted.map_err(|error| match error {
        ConvertError::Stopped => StageError::stopped(),
        error => {
            let mut failure = StageError::found(&findings::of_error(&error, input));
            failure.detail = shorten(&failure.detail, &job.root);
            failure
        }
    })
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
