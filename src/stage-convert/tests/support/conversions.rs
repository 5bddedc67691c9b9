//! What the tests share: running a declaration over files or over columns made up on the spot.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

use pipectl_formats::dataset::{Column, ColumnSpec, Dataset, DatasetWriter, Format, Layout};
use pipectl_formats::parquet_writer::Compression;
use pipectl_stage_convert::{Conversion, ConvertError, Converted, Place, SHUFFLE_MEMORY, Source, SpecProblem, Watcher};
use serde_json::Value as Json;

pub struct Silent;

impl Watcher for Silent {
    fn progress(&mut self, _: &'static str, _: u64, _: u64) {}
}

/// A file of `tests/data`.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// What a conversion made, and where.
pub struct Made {
    pub folder: tempfile::TempDir,
    pub converted: Converted,
}

impl Made {
    pub fn rows(&self) -> usize {
        self.converted.manifest.rows as usize
    }

    pub fn column(&self, name: &str) -> Column {
        let dataset = Dataset::open(self.folder.path()).unwrap();
        let rows: Vec<usize> = (0..dataset.len()).collect();
        dataset.batch(&rows, &[name]).unwrap().remove(name).unwrap()
    }

    /// The rows of a column as lists of numbers.
    pub fn lists(&self, name: &str) -> Vec<Vec<f32>> {
        let column = self.column(name);
        (0..column.rows).map(|row| column.row(row).to_vec()).collect()
    }

    /// The bytes of every file of the dataset.
    pub fn bytes(&self) -> BTreeMap<String, Vec<u8>> {
        let mut names: Vec<String> = self.converted.manifest.files.iter().map(|file| file.path.clone()).collect();
        names.push("dataset.json".to_owned());
        names.into_iter().map(|name| (name.clone(), std::fs::read(self.folder.path().join(name)).unwrap())).collect()
    }
}

pub fn declare(declaration: &Json) -> Result<Conversion, Vec<SpecProblem>> {
    Conversion::from_json(declaration)
}

pub fn convert(source: &Source, declaration: &Json) -> Result<Made, ConvertError> {
    convert_with(source, declaration, 1, SHUFFLE_MEMORY)
}

pub fn convert_with(
    source: &Source,
    declaration: &Json,
    threads: usize,
    shuffle_memory: usize,
) -> Result<Made, ConvertError> {
    let conversion = declare(declaration).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let folder = tempfile::tempdir().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let place = Place { output: folder.path().to_owned(), scratch: scratch.path().to_owned(), threads, shuffle_memory };
    let converted = conversion.run(source, &place, &mut Silent)?;
    Ok(Made { folder, converted })
}

/// An error with all its causes.
pub fn message(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message.push_str(": ");
        message.push_str(&error.to_string());
        cause = error.source();
    }
    message
}

/// A dataset with the columns of `json`: `{ "x": { "shape": [3], "ragged": true, "rows": [[1, 2], []] } }`; plain numbers are
/// rows of single numbers.
pub fn source(json: &Json) -> (tempfile::TempDir, Source) {
    let folder = tempfile::tempdir().unwrap();
    let mut specs = Vec::new();
    let mut columns: Vec<Vec<Vec<f32>>> = Vec::new();
    for (name, column) in json.as_object().unwrap() {
        let (shape, rows) = match column {
            Json::Array(rows) => (Vec::new(), rows),
            column => (
                column["shape"].as_array().unwrap().iter().map(|size| size.as_u64().unwrap() as usize).collect(),
                column["rows"].as_array().unwrap(),
            ),
        };
        let ragged = column.get("ragged").and_then(Json::as_bool).unwrap_or(false);
        specs.push(ColumnSpec { name: name.clone(), shape, ragged });
        columns.push(rows.iter().map(numbers).collect());
    }
    let rows = columns[0].len();
    let layout = Layout { format: Format::Tfrecord, shards: 1, rows: rows as u64, compression: Compression::None };
    let mut writer = DatasetWriter::create(folder.path(), specs, layout).unwrap();
    for row in 0..rows {
        writer.write(&columns.iter().map(|column| column[row].as_slice()).collect::<Vec<_>>()).unwrap();
    }
    writer.finish().unwrap();
    let source = Source::dataset(folder.path()).unwrap();
    (folder, source)
}

/// A number, or a list of them; "nan" and "inf" are what JSON has no numbers for.
pub fn numbers(json: &Json) -> Vec<f32> {
    match json {
        Json::Array(elements) => elements.iter().flat_map(numbers).collect(),
        Json::String(word) => vec![word.parse().unwrap()],
        number => vec![number.as_f64().unwrap() as f32],
    }
}
