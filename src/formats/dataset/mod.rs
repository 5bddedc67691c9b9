//! Datasets: a folder of shard files and a `dataset.json` that says what is in them. The hand-over between stages.
//!
//! All values are f32. A *ragged* column holds, for each row, only the steps that are there; every other column holds a
//! full row of its shape. Random access is by row number, over all shards in order.

mod assign;
mod column;
mod error;
mod manifest;
mod parquet_shard;
mod reader;
mod writer;

pub use assign::{AssignError, assign_inputs, assign_label};
pub use column::Column;
pub use error::DatasetError;
pub use manifest::{ColumnSpec, Format, MANIFEST_NAME, Manifest, ShardFile, VERSION};
pub use reader::Dataset;
pub use writer::{DatasetWriter, Layout};
