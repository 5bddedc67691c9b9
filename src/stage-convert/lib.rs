//! The `convert` stage: columns in, a dataset out.
//!
//! A conversion is declared in data: a source, steps in order, an output. Steps that make one row of each row stream in
//! batches, so memory is bounded; constants of all rows are fitted in a pass of their own that reads only the columns it
//! needs; a shuffle spills to temporary files. Rows keep their order for any number of threads. Columns and shapes are
//! checked through all steps before any row is read, and every error about a row names its file, row and column.
//!
//! What it deliberately leaves out: file formats (`formats`), and knowledge of any data set.

mod arguments;
mod batch;
mod check;
mod choose;
mod columns;
mod convert;
mod error;
mod expression;
mod findings;
mod header;
mod pass;
mod shuffle;
mod source;
mod spec;
mod stage;
mod steps;
mod tally;

pub use arguments::SpecProblem;
pub use columns::Problem;
pub use convert::{Converted, Place, SHUFFLE_MEMORY, Watcher};
pub use error::ConvertError;
pub use header::Header;
pub use source::{Source, SourceError};
pub use spec::{Conversion, NanPolicy, OutputSpec};
pub use stage::Convert;
pub use steps::{Constants, KINDS, Method};
pub use tally::Counts;
