//! `predictions.parquet`: what a model says about each row of a dataset.
//!
//! Columns: `row` (int64, the row's number in the dataset), `probabilities` (list of float, one per class), `predicted`
//! (int64, the most probable class), and with labels `label` (int64, the true class). Rows are in the order of the
//! dataset.

use std::path::Path;

use pipectl_formats::parquet_reader::{ParquetFile, ParquetReadError};
use pipectl_formats::parquet_writer::{Cells, Compression, ParquetWriteError, ParquetWriter, WriteKind};

/// Rows of a row group.
const GROUP_ROWS: usize = 8192;

/// The class of a row of outputs: the largest value, the first of equals. A single output is the probability of class 1.
pub fn class_of(outputs: &[f32]) -> usize {
    if let [probability] = outputs {
        return usize::from(*probability > 0.5);
    }
    let mut best = 0;
    for (class, value) in outputs.iter().enumerate() {
        if *value > outputs[best] || outputs[best].is_nan() {
            best = class;
        }
    }
    best
}

/// Predictions for consecutive rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predictions {
    /// Outputs for a row.
    pub classes: usize,
    /// `[rows, classes]`.
    pub probabilities: Vec<f32>,
    /// The true class of each row; empty without labels.
    pub labels: Vec<usize>,
}

impl Predictions {
    /// The outputs of each row.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.probabilities.chunks_exact(self.classes.max(1))
    }
}

/// Writes the file, row group by row group.
pub struct PredictionsWriter {
    writer: ParquetWriter,
    labelled: bool,
    waiting: Predictions,
    next_row: i64,
}

impl PredictionsWriter {
    /// Creates the file. `engine` and `classes` become its metadata.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create(path: &Path, classes: usize, labelled: bool, engine: &str) -> Result<Self, ParquetWriteError> {
        let mut columns =
            vec![("row", WriteKind::Integer), ("probabilities", WriteKind::Floats), ("predicted", WriteKind::Integer)];
        if labelled {
            columns.push(("label", WriteKind::Integer));
        }
        let notes = [("engine", engine), ("classes", &classes.to_string())];
        let writer = ParquetWriter::create(path, &columns, Compression::None, &notes)?;
        Ok(Self { writer, labelled, waiting: Predictions { classes, ..Predictions::default() }, next_row: 0 })
    }

    /// Adds the rows that follow.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&mut self, predictions: Predictions) -> Result<(), ParquetWriteError> {
        self.waiting.probabilities.extend(predictions.probabilities);
        self.waiting.labels.extend(predictions.labels);
        if self.waiting.rows().len() >= GROUP_ROWS { self.flush() } else { Ok(()) }
    }

    /// Writes what is left, and the footer.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(mut self) -> Result<(), ParquetWriteError> {
        if self.waiting.rows().len() > 0 {
            self.flush()?;
        }
        self.writer.finish()
    }

    fn flush(&mut self) -> Result<(), ParquetWriteError> {
        let empty = Predictions { classes: self.waiting.classes, ..Predictions::default() };
        let group = std::mem::replace(&mut self.waiting, empty);
        let count = group.rows().len();
        let end = self.next_row + count as i64;
        let predicted = group.rows().map(|outputs| class_of(outputs) as i64).collect();
        let lengths = vec![group.classes as u32; count];
        let mut cells = vec![
            Cells::Integer((self.next_row..end).collect()),
            Cells::Floats(group.probabilities, lengths),
            Cells::Integer(predicted),
        ];
        if self.labelled {
            cells.push(Cells::Integer(group.labels.iter().map(|&label| label as i64).collect()));
        }
        self.next_row = end;
        self.writer.write(cells)
    }
}

/// Reads the outputs of another run's predictions, in the order of rows.
///
/// # Errors
/// When the file is not readable or has no `probabilities`.
pub fn read_probabilities(path: &Path) -> Result<Predictions, ParquetReadError> {
    let file = ParquetFile::open(path)?;
    let mut predictions = Predictions::default();
    for batch in file.batches(&["probabilities"], GROUP_ROWS)? {
        for (_, values) in batch?.columns {
            if values.rows() > 0 {
                predictions.classes = values.row(0).len();
            }
            // They were written as single precision, so nothing is lost.
            predictions.probabilities.extend(values.data.iter().map(|&value| value as f32));
        }
    }
    Ok(predictions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_the_most_probable() {
        assert_eq!(class_of(&[0.2, 0.5, 0.3]), 1);
        assert_eq!(class_of(&[0.4, 0.4, 0.2]), 0);
        assert_eq!(class_of(&[f32::NAN, 0.4, 0.2]), 1);
        assert_eq!((class_of(&[0.5]), class_of(&[0.51])), (0, 1));
    }

    #[test]
    fn files_hold_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("predictions.parquet");
        let mut writer = PredictionsWriter::create(&path, 2, true, "pipectl").unwrap();
        // More than one row group, in batches that do not fit them.
        let count = 2 * GROUP_ROWS + 100;
        let probability = |row: usize| row as f32 / count as f32;
        for start in (0..count).step_by(1000) {
            let rows = start..(start + 1000).min(count);
            let probabilities = rows.clone().flat_map(|row| [probability(row), 1.0 - probability(row)]).collect();
            let labels = rows.map(|row| row % 2).collect();
            writer.write(Predictions { classes: 2, probabilities, labels }).unwrap();
        }
        writer.finish().unwrap();

        let read = read_probabilities(&path).unwrap();
        assert_eq!((read.classes, read.rows().len()), (2, count));
        assert!(read.rows().enumerate().all(|(row, outputs)| outputs == [probability(row), 1.0 - probability(row)]));
        let file = ParquetFile::open(&path).unwrap();
        assert_eq!(file.row_groups(), [9000, count as u64 - 9000]);
        let group = file.row_group(1, &["row", "predicted", "label"]).unwrap();
        let last = group.rows - 1;
        let cell = |column: usize| group.columns[column].1.row(last)[0];
        assert_eq!((cell(0), cell(1), cell(2)), ((count - 1) as f64, 0.0, 1.0));
    }
}
