//! What can go wrong in training and in a checkpoint.

use std::path::PathBuf;

use pipectl_network::{NetworkError, WeightsError};

/// A batch, gradient or setting that a learner cannot work with.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    /// The batch lacks an input of the network.
    #[error("the batch has no input \"{input}\"")]
    MissingInput {
        /// The input's name.
        input: String,
    },
    /// A column has another shape than the network's input, or the labels another than its output.
    #[error("the shape of {column} per row is {found:?}, the network needs {expected:?}")]
    Shape {
        /// `input "x"` or `the labels`.
        column: String,
        /// What the network declares.
        expected: Vec<usize>,
        /// What the batch has.
        found: Vec<usize>,
    },
    /// Columns of one batch have different numbers of rows.
    #[error("the batch has {expected} rows, but there are {found} of {column}")]
    Rows {
        /// `input "x"`, `the labels` or `the sample numbers`.
        column: String,
        /// Rows of the first input.
        expected: usize,
        /// Rows of this column.
        found: usize,
    },
    /// An input holds NaN or infinity.
    #[error("input \"{input}\" of row {row} of the batch holds {value}, not a finite number")]
    NotFinite {
        /// The input's name.
        input: String,
        /// The row of the batch, from 0.
        row: usize,
        /// NaN or an infinity.
        value: f32,
    },
    /// The loss or the output is not finite though all inputs are: the weights are not, or are too large.
    #[error("the network's output for row {row} of the batch is not finite: training has diverged")]
    Diverged {
        /// The row of the batch, from 0.
        row: usize,
    },
    /// A gradient has another number of entries than the network has parameters.
    #[error("the gradient has {found} entries, the network {expected} parameters")]
    Gradient {
        /// Parameters of the network.
        expected: usize,
        /// Entries of the gradient.
        found: usize,
    },
    /// A gradient of no rows has no mean.
    #[error("the gradient is a sum over no rows")]
    NoRows,
    /// An optimiser's setting is out of range.
    #[error("{0}")]
    Optimizer(String),
    /// The weights are not those of the network.
    #[error("the weights do not fit the network")]
    Weights(#[from] WeightsError),
    /// The threads cannot be started.
    #[error("cannot start {threads} threads")]
    Threads {
        /// How many.
        threads: usize,
        /// Why.
        source: rayon::ThreadPoolBuildError,
    },
}

/// A checkpoint that cannot be written or is not whole.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file cannot be read.
    #[error("cannot read checkpoint {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write checkpoint {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The bytes are no safetensors file.
    #[error("checkpoint {path} is damaged: not a safetensors file")]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        source: safetensors::SafeTensorError,
    },
    /// The file is a safetensors file, but not a checkpoint.
    #[error("checkpoint {path} is damaged: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is missing or wrong.
        what: String,
    },
    /// The bytes are not those that were written.
    #[error("checkpoint {path} is damaged: its digest is {found}, not {expected}")]
    Digest {
        /// The file.
        path: PathBuf,
        /// The digest that was written with it.
        expected: String,
        /// The digest of what is there.
        found: String,
    },
    /// The file was written by another version.
    #[error("checkpoint {path} has version {found}, this program reads version {expected}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Ours.
        expected: u32,
        /// Its.
        found: u32,
    },
    /// The declaration in the file is not valid.
    #[error("checkpoint {path} holds a model declaration that is not valid: {first}")]
    Network {
        /// The file.
        path: PathBuf,
        /// The first thing wrong with it.
        first: NetworkError,
    },
    /// What was read does not make a learner.
    #[error("checkpoint {path} cannot be resumed")]
    Learner {
        /// The file.
        path: PathBuf,
        /// Why.
        source: LearnError,
    },
}
