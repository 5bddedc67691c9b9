//! The arguments as the run takes them.

use std::collections::BTreeMap;

use pipectl_core::Path;
use pipectl_stage::{Job, StageError};
use pipectl_train_burn::BLOCK_ROWS;
use serde::Deserialize;

/// The arguments of a job, artifacts aside.
#[derive(Clone, Debug, Deserialize)]
pub struct Arguments {
    /// Column of each input, where it is not the one of the same name.
    #[serde(default)]
    pub inputs: BTreeMap<String, String>,
    /// Column of the labels.
    pub label: Option<String>,
    classes: Option<Vec<String>>,
    batch_size: Option<usize>,
}

impl Arguments {
    /// The arguments of `job`.
    ///
    /// # Errors
    /// When they do not fit; the schema has judged them before.
    pub fn of(job: &Job) -> Result<Self, StageError> {
        job.arguments_as()
    }

    /// Rows of a batch: whole blocks of the learner, so that every row is computed in the same company whatever was asked for.
    pub fn batch_rows(&self) -> usize {
        self.batch_size.unwrap_or(256).max(1).next_multiple_of(BLOCK_ROWS)
    }

    /// Names of `count` classes.
    ///
    /// # Errors
    /// When another number of names was given.
    pub fn class_names(&self, count: usize) -> Result<Vec<String>, StageError> {
        match &self.classes {
            None => Ok((0..count).map(|class| class.to_string()).collect()),
            Some(names) if names.len() == count => Ok(names.clone()),
            Some(names) => Err(StageError::new(
                "Classes do not fit the model",
                format!(
                    "The model tells {count} classes apart, and `classes` has {} names: {}. Give one for each class, in the order of the \
                     model's output.",
                    names.len(),
                    names.join(", ")
                ),
            )
            .on(Path::of("classes"))),
        }
    }
}
