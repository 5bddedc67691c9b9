//! A conversion as it is declared: steps, output, and what happens to values that are no numbers.

use pipectl_formats::dataset::Format;
use pipectl_formats::parquet_writer::Compression;
use serde_json::Value as Json;

use crate::arguments::{Arguments, SpecProblem};
use crate::steps::Step;

/// What happens to NaN and infinite values, in the source columns that are used and in the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NanPolicy {
    /// An error that names file, row and column.
    #[default]
    Error,
    /// The row is dropped, and counted.
    Drop,
    /// The value becomes 0, and is counted.
    Zero,
}

/// The `output` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputSpec {
    /// Format of the shards.
    pub format: Format,
    /// Number of shards.
    pub shards: usize,
    /// Columns to write; all that are there when absent.
    pub columns: Option<Vec<String>>,
    /// Compression of Parquet pages.
    pub compression: Compression,
}

/// A declared conversion.
#[derive(Debug)]
pub struct Conversion {
    pub(crate) steps: Vec<DeclaredStep>,
    pub(crate) nan: NanPolicy,
    pub(crate) output: OutputSpec,
}

/// A step with its kind, for messages.
#[derive(Debug)]
pub(crate) struct DeclaredStep {
    pub(crate) kind: String,
    pub(crate) step: Step,
}

/// The number of shards that nobody needs more of.
const MOST_SHARDS: usize = 100_000;

impl Conversion {
    /// Reads `{ "step": [{ "kind": "derive", ... }, ...], "output": { ... }, "nan": "error" }`; other members are not looked at.
    /// Null counts as absent. All mistakes at once.
    pub fn from_json(json: &Json) -> Result<Self, Vec<SpecProblem>> {
        let mut problems = Vec::new();
        let mut steps = Vec::new();
        let declared = json.get("step").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        for (index, declared) in declared.iter().enumerate() {
            match Step::parse(&format!("step[{index}]"), declared) {
                Ok((kind, step)) => steps.push(DeclaredStep { kind, step }),
                Err(more) => problems.extend(more),
            }
        }
        let nan = match json.get("nan").unwrap_or(&Json::Null) {
            Json::Null => NanPolicy::Error,
            Json::String(word) if word == "error" => NanPolicy::Error,
            Json::String(word) if word == "drop" => NanPolicy::Drop,
            Json::String(word) if word == "zero" => NanPolicy::Zero,
            other => {
                let message = format!("The argument `nan` takes \"error\", \"drop\" or \"zero\", not {other}.");
                problems.push(SpecProblem { path: "nan".to_owned(), message });
                NanPolicy::Error
            }
        };
        let empty = Json::Object(serde_json::Map::new());
        let output = json.get("output").filter(|output| !output.is_null()).unwrap_or(&empty);
        let output = match OutputSpec::parse(output) {
            Ok(output) => Some(output),
            Err(more) => {
                problems.extend(more);
                None
            }
        };
        match output {
            Some(output) if problems.is_empty() => Ok(Conversion { steps, nan, output }),
            _ => Err(problems),
        }
    }

    /// What is written.
    pub fn output(&self) -> &OutputSpec {
        &self.output
    }
}

impl OutputSpec {
    fn parse(json: &Json) -> Result<Self, Vec<SpecProblem>> {
        let mut arguments = Arguments::new("output".to_owned(), json);
        let formats = [("tfrecord", Format::Tfrecord), ("parquet", Format::Parquet)];
        let format = arguments.choice("format", &formats).unwrap_or(Format::Tfrecord);
        let shards = arguments.size("shards").unwrap_or(1);
        if shards == 0 || shards > MOST_SHARDS {
            arguments.problem("shards", format!("The number of shards is between 1 and {MOST_SHARDS}."));
        }
        let columns = arguments.texts("columns");
        let compressions = [("none", Compression::None), ("snappy", Compression::Snappy), ("zstd", Compression::Zstd)];
        let compression = arguments.choice("compression", &compressions).unwrap_or(Compression::None);
        if format == Format::Tfrecord && compression != Compression::None {
            arguments.problem("compression", "TFRecord is written without compression only.");
        }
        let problems = arguments.finish();
        if problems.is_empty() { Ok(OutputSpec { format, shards, columns, compression }) } else { Err(problems) }
    }
}
