//! Which rows are computed together, and reading them ahead of their use.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use pipectl_formats::dataset::{AssignError, Column, Dataset, DatasetError, assign_inputs, assign_label};
use pipectl_network::Network;
use pipectl_stage::StageError;

use crate::arguments::Arguments;

/// Rows within which an order by length is made: enough for blocks of like lengths, and reading stays in one region of the file.
const WINDOW: usize = 4096;
/// Batches that are read before they are asked for.
const AHEAD: usize = 2;

/// A dataset as a network sees it.
pub(crate) struct Rows {
    dataset: Dataset,
    /// Column of each input.
    inputs: BTreeMap<String, String>,
    label: String,
    /// Number of the network's classes.
    classes: usize,
}

/// Some rows.
pub(crate) struct Part {
    /// Their numbers in the dataset.
    pub(crate) rows: Vec<usize>,
    /// Columns by the network's input.
    pub(crate) inputs: BTreeMap<String, Column>,
    /// Their true classes.
    pub(crate) truth: Vec<usize>,
}

impl Rows {
    /// Opens the dataset in `folder` for `network`, whose output is one value for each of `classes`.
    pub(crate) fn open(
        folder: &Path,
        network: &Network,
        classes: usize,
        arguments: &Arguments,
    ) -> Result<Self, StageError> {
        let dataset = Dataset::open(folder).map_err(|error| unreadable(&error))?;
        let wanted: Vec<(&str, &[usize])> =
            network.inputs().iter().map(|input| (input.name.as_str(), input.shape.as_slice())).collect();
        let unfit = |error: AssignError| {
            StageError::caused("Dataset does not fit the model", &error).on(error.argument(&arguments.inputs))
        };
        let inputs = assign_inputs(dataset.columns(), &wanted, &arguments.inputs).map_err(unfit)?;
        let label = assign_label(dataset.columns(), &inputs, arguments.label.as_deref(), classes).map_err(unfit)?;
        Ok(Self { dataset, inputs, label, classes })
    }

    pub(crate) fn len(&self) -> usize {
        self.dataset.len()
    }

    /// Calls `each` with all rows in parts of `size`, while the next ones are being read on another thread.
    ///
    /// Every part but the last has `size` rows; which rows follow which depends on the dataset alone.
    pub(crate) fn for_each(
        &self,
        size: usize,
        mut each: impl FnMut(Part) -> Result<(), StageError>,
    ) -> Result<(), StageError> {
        let order = self.order();
        thread::scope(|scope| {
            let (sender, receiver): (_, Receiver<Result<Part, StageError>>) = sync_channel(AHEAD);
            scope.spawn(move || {
                for rows in order.chunks(size) {
                    // When nobody listens any more the work is over.
                    if sender.send(self.read(rows)).is_err() {
                        return;
                    }
                }
            });
            receiver.into_iter().try_for_each(|part| each(part?))
        })
    }

    /// All rows, those of like length together.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        for window in order.chunks_mut(WINDOW) {
            window.sort_by_key(|row| self.dataset.stored_bytes(*row));
        }
        order
    }

    fn read(&self, rows: &[usize]) -> Result<Part, StageError> {
        let names: Vec<&str> = self.inputs.values().map(String::as_str).chain([self.label.as_str()]).collect();
        let columns = self.dataset.batch(rows, &names).map_err(|error| unreadable(&error))?;
        let column = |name: &String| columns.get(name).expect("every column was asked for");
        let labels = column(&self.label);
        let truth = rows.iter().enumerate().map(|(position, row)| self.class(*row, labels.row(position)));
        Ok(Part {
            truth: truth.collect::<Result<_, _>>()?,
            inputs: self.inputs.iter().map(|(input, name)| (input.clone(), column(name).clone())).collect(),
            rows: rows.to_vec(),
        })
    }

    /// The class of a one-hot label.
    fn class(&self, row: usize, label: &[f32]) -> Result<usize, StageError> {
        let mut ones = label.iter().enumerate().filter(|(_, value)| **value == 1.0).map(|(class, _)| class);
        let zeros = label.iter().filter(|value| **value == 0.0).count();
        match ones.next() {
            Some(class) if label.len() == self.classes && zeros + 1 == self.classes => Ok(class),
            _ => Err(StageError::new(
                "Label not one-hot",
                format!(
                    "Row {row} of the dataset has {label:?} in its label column `{}`. A label holds 1 for the true class and 0 for all \
                     others: name another column in `label`, or encode it with a `one_hot` step.",
                    self.label
                ),
            )),
        }
    }
}

fn unreadable(error: &DatasetError) -> StageError {
    StageError::caused("Dataset not readable", error)
}
