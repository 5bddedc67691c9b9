//! Parquet files of plain numbers and lists of numbers, written row group by row group.
//!
//! It writes what datasets and predictions need, no more: no nulls, no nesting deeper than a list, no page indexes.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_writer::ArrowWriterOptions;
use ::parquet::basic::{Compression as Codec, Encoding, ZstdLevel};
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::schema::types::ColumnPath;
use arrow::array::{ArrayRef, Float32Array, Float64Array, Int64Array, ListArray, StringArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use serde::{Deserialize, Serialize};

/// How pages are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// Snappy: fast, what Spark writes.
    Snappy,
    /// Zstandard at its default level.
    Zstd,
}

/// The type of a column to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteKind {
    /// f32.
    Float,
    /// f64.
    Double,
    /// i64.
    Integer,
    /// UTF-8 text.
    Text,
    /// A list of f32.
    Floats,
}

/// The cells of one column, for the rows of one write.
#[derive(Clone, Debug)]
pub enum Cells {
    /// f32 values.
    Float(Vec<f32>),
    /// f64 values.
    Double(Vec<f64>),
    /// Integers.
    Integer(Vec<i64>),
    /// Texts.
    Text(Vec<String>),
    /// Lists: all values, and the length of each list.
    Floats(Vec<f32>, Vec<u32>),
}

/// Why a Parquet file cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ParquetWriteError {
    /// The disk or the library refused.
    #[error("{}: the Parquet file cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The cells do not fit the declared columns: a bug of the caller.
    #[error("{}: the cells given do not fit the columns declared", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
    },
}

/// Writes one file. What is given in one [`ParquetWriter::write`] becomes one row group.
pub struct ParquetWriter {
    path: PathBuf,
    schema: Arc<Schema>,
    kinds: Vec<WriteKind>,
    writer: ArrowWriter<BufWriter<File>>,
}

impl ParquetWriter {
    /// Creates (or empties) the file. `notes` become its key-value metadata.
    pub fn create(
        path: &Path,
        columns: &[(&str, WriteKind)],
        compression: Compression,
        notes: &[(&str, &str)],
    ) -> Result<Self, ParquetWriteError> {
        let fields: Vec<Field> =
            columns.iter().map(|(name, kind)| Field::new(*name, data_type(*kind), false)).collect();
        let schema = Arc::new(Schema::new(fields));
        let mut properties = WriterProperties::builder()
            .set_created_by("pipectl".to_owned())
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_offset_index_disabled(true)
            .set_max_row_group_row_count(None)
            .set_compression(codec(compression))
            .set_key_value_metadata(Some(
                notes.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), (*value).to_owned())).collect(),
            ));
        if compression != Compression::None {
            // Bytes of equal significance side by side are what makes floats compress at all.
            for (name, kind) in columns {
                let leaf = match kind {
                    WriteKind::Float | WriteKind::Double => vec![(*name).to_owned()],
                    WriteKind::Floats => vec![(*name).to_owned(), "list".to_owned(), "element".to_owned()],
                    WriteKind::Integer | WriteKind::Text => continue,
                };
                properties = properties.set_column_encoding(ColumnPath::new(leaf), Encoding::BYTE_STREAM_SPLIT);
            }
        }
        let fail = |source: Box<dyn std::error::Error + Send + Sync>| ParquetWriteError::Write {
            path: path.to_owned(),
            source,
        };
        let file = File::create(path).map_err(|error| fail(error.into()))?;
        let options = ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(BufWriter::new(file), Arc::clone(&schema), options)
            .map_err(|error| fail(error.into()))?;
        Ok(ParquetWriter {
            path: path.to_owned(),
            schema,
            kinds: columns.iter().map(|(_, kind)| *kind).collect(),
            writer,
        })
    }

    /// Writes one row group; `cells` are in the order of the columns.
    pub fn write(&mut self, cells: Vec<Cells>) -> Result<(), ParquetWriteError> {
        let fits =
            cells.len() == self.kinds.len() && cells.iter().zip(&self.kinds).all(|(cells, kind)| cells.kind() == *kind);
        let arrays: Option<Vec<ArrayRef>> =
            if fits { cells.into_iter().map(Cells::into_array).collect() } else { None };
        let shape = || ParquetWriteError::Shape { path: self.path.clone() };
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays.ok_or_else(shape)?).map_err(|_| shape())?;
        let written = self.writer.write(&batch).and_then(|()| self.writer.flush());
        written.map_err(|error| ParquetWriteError::Write { path: self.path.clone(), source: error.into() })
    }

    /// Writes the footer. Without it the file is not readable.
    pub fn finish(mut self) -> Result<(), ParquetWriteError> {
        // `into_inner` would make a text of the error of a last flush, and nobody could tell a full disk any more.
        let finished = self.writer.finish().map_err(Into::into).and_then(|_| Ok(self.writer.sync()?));
        finished.map_err(|source| ParquetWriteError::Write { path: self.path, source })
    }
}

impl Cells {
    fn kind(&self) -> WriteKind {
        match self {
            Cells::Float(_) => WriteKind::Float,
            Cells::Double(_) => WriteKind::Double,
            Cells::Integer(_) => WriteKind::Integer,
            Cells::Text(_) => WriteKind::Text,
            Cells::Floats(..) => WriteKind::Floats,
        }
    }

    /// `None` if the lengths of lists do not cover their values.
    fn into_array(self) -> Option<ArrayRef> {
        Some(match self {
            Cells::Float(values) => Arc::new(Float32Array::from(values)),
            Cells::Double(values) => Arc::new(Float64Array::from(values)),
            Cells::Integer(values) => Arc::new(Int64Array::from(values)),
            Cells::Text(values) => Arc::new(StringArray::from(values)),
            Cells::Floats(values, lengths) => {
                let mut offsets = Vec::with_capacity(lengths.len() + 1);
                let mut end = 0i32;
                offsets.push(end);
                for length in lengths {
                    end = end.checked_add(i32::try_from(length).ok()?)?;
                    offsets.push(end);
                }
                let values = Arc::new(Float32Array::from(values));
                Arc::new(
                    ListArray::try_new(element(), OffsetBuffer::new(ScalarBuffer::from(offsets)), values, None).ok()?,
                )
            }
        })
    }
}

fn data_type(kind: WriteKind) -> DataType {
    match kind {
        WriteKind::Float => DataType::Float32,
        WriteKind::Double => DataType::Float64,
        WriteKind::Integer => DataType::Int64,
        WriteKind::Text => DataType::Utf8,
        WriteKind::Floats => DataType::List(element()),
    }
}

/// Parquet's own name for what a list holds.
fn element() -> Arc<Field> {
    Arc::new(Field::new("element", DataType::Float32, false))
}

fn codec(compression: Compression) -> Codec {
    match compression {
        Compression::None => Codec::UNCOMPRESSED,
        Compression::Snappy => Codec::SNAPPY,
        Compression::Zstd => Codec::ZSTD(ZstdLevel::default()),
    }
}
