//! What can go wrong with a conversion.

use std::path::PathBuf;

use pipectl_formats::dataset::DatasetError;

use crate::columns::Problem;
use crate::source::SourceError;

/// Why a conversion failed. Nothing of it counts as written then: there is no manifest.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// A step does not fit the columns that reach it. Found before any row is read.
    #[error("step {index} (\"{kind}\") does not fit its columns: {}", sentences(problems))]
    Step {
        /// Number of the step, from 0.
        index: usize,
        /// Its kind.
        kind: String,
        /// What does not fit.
        problems: Vec<Problem>,
    },
    /// The columns at the end cannot be written. Found before any row is read.
    #[error("the output does not fit: {}", sentences(problems))]
    Output {
        /// What does not fit.
        problems: Vec<Problem>,
    },
    /// The source cannot be read.
    #[error("the source cannot be read")]
    Source(#[from] SourceError),
    /// A cell that a step cannot take.
    #[error("{}: row {row}, column `{column}`{}: {problem}", path.display(), at_step(*step, kind))]
    Cell {
        /// The source file.
        path: PathBuf,
        /// Row in the source file, from 0.
        row: u64,
        /// The column.
        column: String,
        /// Number of the step, from 0; none when the source or the output is checked.
        step: Option<usize>,
        /// Kind of the step.
        kind: String,
        /// What is wrong.
        problem: String,
    },
    /// No row reached a step "scale" that is to be fitted.
    #[error("no row reaches step {index} (\"scale\"), so its constants cannot be fitted")]
    NothingToFit {
        /// Number of the step, from 0.
        index: usize,
    },
    /// No row is left to write.
    #[error("no row is left to write: the source has {source_rows}, and the steps drop them all")]
    NoRows {
        /// Rows of the source.
        source_rows: u64,
    },
    /// Temporary files of a step "shuffle" cannot be written or read.
    #[error("the temporary files of a step \"shuffle\" cannot be used")]
    Spill(#[source] std::io::Error),
    /// The dataset cannot be written.
    #[error("the dataset cannot be written")]
    Write(#[from] DatasetError),
    /// It was asked to stop.
    #[error("stopped")]
    Stopped,
}

fn sentences(problems: &[Problem]) -> String {
    problems.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join(" ")
}

fn at_step(step: Option<usize>, kind: &str) -> String {
    step.map_or_else(String::new, |index| format!(", step {index} (\"{kind}\")"))
}
