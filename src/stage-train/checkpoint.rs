//! Checkpoints of a run: the learner's state, which carries where in the run it was taken.
//!
//! A checkpoint is one file, `NNNNNN.checkpoint`, that appears whole or not at all. The one before stays until the next, in case the newest
//! does not survive what stopped the run.

use std::fs;
use std::path::{Path, PathBuf};

use pipectl_train_burn::{CheckpointError, Learner};
use serde::{Deserialize, Serialize};

/// Where in a run a checkpoint was taken: before step `step` of epoch `epoch`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Epochs that are done.
    pub epoch: u64,
    /// Steps of the next epoch that are done.
    pub step: u64,
    /// Sum of losses over the rows of those steps.
    pub loss: f64,
    /// Rows of those steps that were classified right.
    pub correct: f64,
    /// Rows of those steps.
    pub rows: f64,
    /// Metrics of the epochs that are done.
    pub history: Vec<Epoch>,
}

/// Metrics of one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: u64,
    /// The learning rate.
    pub learning_rate: f64,
    /// Mean training loss.
    pub loss: f64,
    /// Training accuracy, with dropout.
    pub accuracy: f64,
    /// Mean validation loss after the epoch.
    pub validation_loss: Option<f64>,
    /// Validation accuracy after the epoch.
    pub validation_accuracy: Option<f64>,
}

/// Writes a checkpoint of `learner`, whose progress is a [`Position`].
///
/// # Errors
/// When the file cannot be written.
pub fn write(folder: &Path, learner: &Learner) -> Result<(), CheckpointError> {
    let numbers = numbers(folder);
    let number = numbers.last().map_or(0, |number| number + 1);
    learner.save_checkpoint(place(folder, number))?;
    for older in numbers.iter().rev().skip(1) {
        // A leftover costs space only.
        let _ = fs::remove_file(place(folder, *older));
    }
    Ok(())
}

/// Files of checkpoints, newest first.
pub fn find(folder: &Path) -> Vec<PathBuf> {
    numbers(folder).into_iter().rev().map(|number| place(folder, number)).collect()
}

fn place(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:06}.checkpoint"))
}

/// Numbers of checkpoints, in order.
fn numbers(folder: &Path) -> Vec<u64> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut numbers: Vec<u64> =
        entries.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".checkpoint")?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}
