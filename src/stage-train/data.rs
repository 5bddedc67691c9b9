//! Rows of a dataset as batches of a network's inputs and labels, read ahead of their use.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use pipectl_formats::dataset::{AssignError, Dataset, DatasetError, assign_inputs, assign_label};
use pipectl_network::Network;
use pipectl_stage::StageError;
use pipectl_train_burn::Batch;

/// Batches that are read before they are asked for.
const AHEAD: usize = 4;

/// A dataset as a network sees it.
#[derive(Debug)]
pub struct Source {
    dataset: Dataset,
    /// Column of each input.
    inputs: BTreeMap<String, String>,
    label: String,
}

impl Source {
    /// Opens the dataset in `folder` for `network`.
    ///
    /// # Errors
    /// When it cannot be read, or its columns do not fit the network.
    pub fn open(
        folder: &Path,
        network: &Network,
        inputs: &BTreeMap<String, String>,
        label: Option<&str>,
    ) -> Result<Self, StageError> {
        let dataset = Dataset::open(folder).map_err(|error| unreadable(&error))?;
        let wanted: Vec<(&str, &[usize])> =
            network.inputs().iter().map(|input| (input.name.as_str(), input.shape.as_slice())).collect();
        let unfit = |error: AssignError| {
            StageError::caused("Dataset does not fit the model", &error).on(error.argument(inputs))
        };
        let columns = assign_inputs(dataset.columns(), &wanted, inputs).map_err(unfit)?;
        let classes = network.shape(network.output_ref()).iter().product();
        let label = assign_label(dataset.columns(), &columns, label, classes).map_err(unfit)?;
        Ok(Self { dataset, inputs: columns, label })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.dataset.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.dataset.is_empty()
    }

    /// A measure of a row's length.
    pub fn weight(&self, row: usize) -> u64 {
        self.dataset.stored_bytes(row).unwrap_or(0)
    }

    /// The rows as a batch; a row's number is its sample number.
    ///
    /// # Errors
    /// When a row cannot be read.
    pub fn batch(&self, rows: &[usize], epoch: u64) -> Result<Batch, StageError> {
        let names: Vec<&str> = self.inputs.values().map(String::as_str).chain([self.label.as_str()]).collect();
        let columns = self.dataset.batch(rows, &names).map_err(|error| unreadable(&error))?;
        // The label may be an input, too.
        let column = |name: &String| columns.get(name).expect("every column was asked for").clone();
        let inputs = self.inputs.iter().map(|(input, name)| (input.clone(), column(name))).collect();
        Ok(Batch { inputs, labels: column(&self.label), samples: rows.iter().map(|row| *row as u64).collect(), epoch })
    }

    /// Calls `each` with the batch of every element of `parts`, in order, while the next ones are being read on another thread.
    ///
    /// # Errors
    /// The first of reading or of `each`.
    pub fn for_each(
        &self,
        parts: impl Iterator<Item = Vec<usize>> + Send,
        epoch: u64,
        mut each: impl FnMut(Batch) -> Result<(), StageError>,
    ) -> Result<(), StageError> {
        thread::scope(|scope| {
            let (sender, receiver): (_, Receiver<Result<Batch, StageError>>) = sync_channel(AHEAD);
            scope.spawn(move || {
                for rows in parts {
                    // When nobody listens any more the work is over.
                    if sender.send(self.batch(&rows, epoch)).is_err() {
                        return;
                    }
                }
            });
            receiver.into_iter().try_for_each(|batch| each(batch?))
        })
    }
}

fn unreadable(error: &DatasetError) -> StageError {
    StageError::caused("Dataset not readable", error)
}
