//! File formats that carry events: TFRecord, `tf.train.Example`, Parquet, and the *dataset* folders that stages hand to
//! each other.
//!
//! What it owns: bytes on disk and their numeric contents. Every error names the file and the place in it (byte offset,
//! row group, row, column). What it deliberately leaves out: how columns are prepared (`stage-convert`), what a network
//! makes of them (`network`), and any Arrow type in its public API.

pub mod dataset;
pub mod example;
pub mod parquet_reader;
pub mod parquet_writer;
mod shared_file;
pub mod table;
pub mod tfrecord;

pub use dataset::{Column, ColumnSpec, Dataset, DatasetError, DatasetWriter};
