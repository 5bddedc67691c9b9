//! Where rows come from: Parquet files, TFRecord files, or a dataset of another stage, as one run of batches.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pipectl_formats::dataset::{Dataset, DatasetError};
use pipectl_formats::example::{Example, Values as Feature};
use pipectl_formats::parquet_reader::{Batches, ParquetFile, ParquetReadError};
use pipectl_formats::table::{Nesting, Offsets, Values};
use pipectl_formats::tfrecord::{IndexedRecords, TfRecordError};

use crate::batch::{Batch, Origin};
use crate::columns::Shape;
use crate::header::{FileFormat, Header, format_of};

/// Rows of a batch. Fixed, because sums of batches (a fit of mean and deviation) must not depend on the machine.
const ROWS: usize = 128;

/// Why a source cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No file was given.
    #[error("there is no source file")]
    Empty,
    /// The operating system refused.
    #[error("{}: cannot be read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A Parquet file cannot be read.
    #[error(transparent)]
    Parquet(#[from] ParquetReadError),
    /// A TFRecord file cannot be read.
    #[error(transparent)]
    TfRecord(#[from] TfRecordError),
    /// A dataset cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A record is no `tf.train.Example`.
    #[error("{}: the record at byte {offset} is no tf.train.Example", path.display())]
    Example {
        /// The file.
        path: PathBuf,
        /// First byte of the record's frame.
        offset: u64,
    },
    /// A record holds something else than the first one did.
    #[error("{}: the record at byte {offset}, feature `{feature}`: {problem}", path.display())]
    Feature {
        /// The file.
        path: PathBuf,
        /// First byte of the record's frame.
        offset: u64,
        /// The feature.
        feature: String,
        /// What is wrong.
        problem: String,
    },
    /// Files of one source have different columns.
    #[error("{}: column `{column}` is {found}; in {} it is {expected}", path.display(), first.display())]
    Differs {
        /// The file.
        path: PathBuf,
        /// The first file, which sets the columns.
        first: PathBuf,
        /// The column.
        column: String,
        /// What it is here.
        found: String,
        /// What it is there.
        expected: String,
    },
    /// Parquet and TFRecord files are mixed.
    #[error("{} is not of the same format as {}", path.display(), first.display())]
    Mixed {
        /// The file.
        path: PathBuf,
        /// The first file.
        first: PathBuf,
    },
}

/// Open files, no rows yet.
#[derive(Debug)]
pub struct Source {
    files: Files,
    header: Header,
}

#[derive(Debug)]
enum Files {
    Parquet(Vec<ParquetFile>),
    Tfrecord(Vec<IndexedRecords>),
    Dataset(Box<Dataset>, PathBuf),
}

impl Source {
    /// Opens files of one format, told by their content: Parquet, or TFRecord with `tf.train.Example`.
    pub fn open(paths: &[PathBuf]) -> Result<Self, SourceError> {
        match format_of(paths)? {
            FileFormat::Parquet => {
                let files = paths.iter().map(|path| ParquetFile::open(path)).collect::<Result<Vec<_>, _>>()?;
                let columns = files.iter().map(|file| (file.path().to_owned(), file.columns().to_vec())).collect();
                Ok(Source { files: Files::Parquet(files), header: Header::of_parquet(columns) })
            }
            FileFormat::Tfrecord => {
                let files = paths.iter().map(|path| IndexedRecords::open(path)).collect::<Result<Vec<_>, _>>()?;
                Ok(Source { files: Files::Tfrecord(files), header: Header::of_records(paths)? })
            }
        }
    }

    /// Opens the dataset in `folder`.
    pub fn dataset(folder: &Path) -> Result<Self, SourceError> {
        let dataset = Dataset::open(folder)?;
        let header = Header::of_dataset(&dataset);
        Ok(Source { files: Files::Dataset(Box::new(dataset), folder.to_owned()), header })
    }

    /// Its columns.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        match &self.files {
            Files::Parquet(files) => files.iter().map(ParquetFile::rows).sum(),
            Files::Tfrecord(files) => files.iter().map(|file| file.len() as u64).sum(),
            Files::Dataset(dataset, _) => dataset.len() as u64,
        }
    }

    /// The file of number `file`, for messages.
    pub fn path(&self, file: u32) -> &Path {
        match &self.files {
            Files::Parquet(files) => files[file as usize].path(),
            Files::Tfrecord(files) => files[file as usize].path(),
            Files::Dataset(_, folder) => folder,
        }
    }

    /// All rows, with only `columns`.
    pub fn read(&self, columns: &BTreeSet<String>) -> SourceRows<'_> {
        SourceRows { source: self, columns: columns.iter().cloned().collect(), file: 0, row: 0, open: None }
    }
}

fn read_example(file: &IndexedRecords, row: usize) -> Result<Example, SourceError> {
    let bytes = file.read(row)?;
    Example::from_bytes(&bytes).map_err(|_| SourceError::Example {
        path: file.path().to_owned(),
        offset: file.offset(row).expect("the record was just read"),
    })
}

/// The rows of a source, batch by batch.
pub struct SourceRows<'a> {
    source: &'a Source,
    columns: Vec<String>,
    file: usize,
    row: usize,
    open: Option<Batches<'a>>,
}

impl SourceRows<'_> {
    /// The next rows; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Batch>, SourceError> {
        match &self.source.files {
            Files::Parquet(files) => self.next_parquet(files),
            Files::Tfrecord(files) => self.next_records(files),
            Files::Dataset(dataset, _) => self.next_of_dataset(dataset),
        }
    }

    fn next_of_dataset(&mut self, dataset: &Dataset) -> Result<Option<Batch>, SourceError> {
        let rows: Vec<usize> = (self.row..(self.row + ROWS).min(dataset.len())).collect();
        if rows.is_empty() {
            return Ok(None);
        }
        self.row += rows.len();
        let names: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        let origins = rows.iter().map(|&row| Origin { file: 0, row: row as u64 }).collect();
        let mut batch = Batch { origins, ..Batch::default() };
        for (name, column) in dataset.batch(&rows, &names)? {
            let data = column.data.iter().copied().map(f64::from).collect();
            let lengths = Offsets::from_lengths((0..column.rows).map(|row| column.row(row).len()));
            let values = match self.source.header.columns().get(&name) {
                Some(Shape::Scalar) => Values::scalars(data),
                Some(Shape::Matrix { width: Some(width), .. }) => {
                    let rows = Offsets::from_lengths(lengths.lengths().map(|length| length / width.max(1)));
                    Values::matrices(data, rows, width)
                }
                _ => Values::lists(data, lengths),
            };
            batch.set(&name, values);
        }
        Ok(Some(batch))
    }

    fn next_records(&mut self, files: &[IndexedRecords]) -> Result<Option<Batch>, SourceError> {
        while self.file < files.len() && self.row == files[self.file].len() {
            (self.file, self.row) = (self.file + 1, 0);
        }
        let Some(file) = files.get(self.file) else { return Ok(None) };
        let end = (self.row + ROWS).min(file.len());
        let mut data: Vec<Vec<f64>> = vec![Vec::new(); self.columns.len()];
        let mut lengths: Vec<Vec<usize>> = vec![Vec::new(); self.columns.len()];
        let mut origins = Vec::with_capacity(end - self.row);
        for row in self.row..end {
            let example = read_example(file, row)?;
            for (place, name) in self.columns.iter().enumerate() {
                let before = data[place].len();
                match example.get(name) {
                    Some(Feature::Floats(list)) => data[place].extend(list.value.iter().copied().map(f64::from)),
                    Some(Feature::Integers(list)) => data[place].extend(list.value.iter().map(|&value| value as f64)),
                    other => {
                        return Err(SourceError::Feature {
                            path: file.path().to_owned(),
                            offset: file.offset(row).expect("the record was just read"),
                            feature: name.clone(),
                            problem: if other.is_some() { "it holds bytes" } else { "it is missing" }.to_owned(),
                        });
                    }
                }
                lengths[place].push(data[place].len() - before);
            }
            origins.push(Origin { file: self.file as u32, row: row as u64 });
        }
        self.row = end;
        let mut batch = Batch { origins, ..Batch::default() };
        for ((name, data), lengths) in self.columns.iter().zip(data).zip(lengths) {
            batch.set(name, Values::lists(data, Offsets::from_lengths(lengths)));
        }
        Ok(Some(batch))
    }
}

impl<'a> SourceRows<'a> {
    fn next_parquet(&mut self, files: &'a [ParquetFile]) -> Result<Option<Batch>, SourceError> {
        loop {
            if self.open.is_none() {
                let Some(file) = files.get(self.file) else { return Ok(None) };
                let names: Vec<&str> = self.columns.iter().map(String::as_str).collect();
                self.open = Some(file.batches(&names, ROWS)?);
            }
            let Some(rows) = self.open.as_mut().and_then(Iterator::next).transpose()? else {
                self.open = None;
                self.file += 1;
                continue;
            };
            let file = self.file as u32;
            let origins = (0..rows.rows as u64).map(|row| Origin { file, row: rows.first_row + row }).collect();
            let mut batch = Batch { origins, ..Batch::default() };
            for (name, values) in rows.columns {
                batch.set(&name, share_lengths(values, &batch));
            }
            return Ok(Some(batch));
        }
    }
}

/// Columns of equal lengths share one set of offsets, so that comparing them later costs nothing.
fn share_lengths(mut values: Values, batch: &Batch) -> Values {
    if let Nesting::List(offsets) = &mut values.nesting {
        let shared = batch.columns.values().find_map(|other| match &other.nesting {
            Nesting::List(known) if known == offsets => Some(known.clone()),
            _ => None,
        });
        if let Some(shared) = shared {
            *offsets = shared;
        }
    }
    values
}
