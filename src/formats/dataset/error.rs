//! What can be wrong with a dataset.

use std::path::PathBuf;

use pipectl_core::suggest::did_you_mean;

use crate::parquet_reader::ParquetReadError;
use crate::parquet_writer::ParquetWriteError;
use crate::tfrecord::TfRecordError;

/// Why a dataset cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The operating system refused.
    #[error("{}: cannot be read or written", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// `dataset.json` is not what it should be.
    #[error("{}: not a dataset's manifest", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Written by another version of the program.
    #[error("{}: the dataset has version {version}, this program reads version {}", path.display(), super::VERSION)]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// The manifest contradicts itself or its files.
    #[error("{}: {problem}", path.display())]
    Inconsistent {
        /// The manifest or shard.
        path: PathBuf,
        /// The contradiction.
        problem: String,
    },
    /// A TFRecord shard is damaged.
    #[error("a shard is damaged")]
    TfRecord(#[from] TfRecordError),
    /// A Parquet shard is damaged.
    #[error("a shard cannot be read")]
    Parquet(#[from] ParquetReadError),
    /// A Parquet shard cannot be written.
    #[error("a shard cannot be written")]
    ParquetWrite(#[from] ParquetWriteError),
    /// A record is no `tf.train.Example`.
    #[error("{}: the record at byte {offset} is no tf.train.Example", path.display())]
    Example {
        /// The shard.
        path: PathBuf,
        /// First byte of the record's frame.
        offset: u64,
        /// Why.
        #[source]
        source: prost::DecodeError,
    },
    /// A row does not fit the columns of the manifest.
    #[error("{}: row {row} of the shard, column `{column}`: {problem}", path.display())]
    Row {
        /// The shard.
        path: PathBuf,
        /// Row in the shard, from 0.
        row: u64,
        /// The column.
        column: String,
        /// What does not fit.
        problem: String,
    },
    /// A column was asked for that is not there.
    #[error("the dataset has no column `{column}`; its columns are {}.{}", present.join(", "), did_you_mean(column, present.iter().map(String::as_str)))]
    NoColumn {
        /// The column asked for.
        column: String,
        /// The columns that are there.
        present: Vec<String>,
    },
    /// A row was asked for that is not there.
    #[error("the dataset has {rows} rows, so row {row} is not in it")]
    NoRow {
        /// The row asked for.
        row: usize,
        /// How many there are.
        rows: usize,
    },
    /// Another number of rows was written than announced: a bug of the caller.
    #[error("{written} rows were written, {announced} were announced")]
    RowCount {
        /// Announced.
        announced: u64,
        /// Written.
        written: u64,
    },
}
