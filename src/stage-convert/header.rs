//! What a source says about its columns without a row being read: the footers of Parquet files, the first record of TFRecord files,
//! the description of a dataset.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use pipectl_formats::dataset::Dataset;
use pipectl_formats::example::{Example, Values as Feature};
use pipectl_formats::parquet_reader::ParquetFile;
use pipectl_formats::table::ColumnKind;
use pipectl_formats::tfrecord::RecordReader;

use crate::columns::{Columns, Shape};
use crate::source::SourceError;

/// Columns of a source.
#[derive(Clone, Debug)]
pub struct Header {
    columns: Columns,
    /// Every Parquet file with its columns: they may differ.
    files: Vec<ParquetColumns>,
}

/// A Parquet file and its columns.
type ParquetColumns = (PathBuf, Vec<(String, ColumnKind)>);

/// Formats of source files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileFormat {
    Parquet,
    /// With a `tf.train.Example` in each record.
    Tfrecord,
}

impl Header {
    /// Of files of one format, told by their content. Reads the footer of every Parquet file, or the first TFRecord record there is.
    pub fn read(paths: &[PathBuf]) -> Result<Self, SourceError> {
        match format_of(paths)? {
            FileFormat::Parquet => {
                let columns = |path: &PathBuf| Ok((path.clone(), ParquetFile::open(path)?.columns().to_vec()));
                Ok(Header::of_parquet(paths.iter().map(columns).collect::<Result<_, SourceError>>()?))
            }
            FileFormat::Tfrecord => Header::of_records(paths),
        }
    }

    /// The first file sets the columns.
    pub(crate) fn of_parquet(files: Vec<ParquetColumns>) -> Self {
        let columns = files.first().map(|(_, kinds)| numeric(kinds)).unwrap_or_default();
        Header { columns, files }
    }

    /// The first record there is sets the columns. Records say nothing about lengths.
    pub(crate) fn of_records(paths: &[PathBuf]) -> Result<Self, SourceError> {
        for path in paths {
            if let Some(record) = RecordReader::open(path)?.next().transpose()? {
                let broken = |_| SourceError::Example { path: path.clone(), offset: 0 };
                let example = Example::from_bytes(&record).map_err(broken)?;
                let kind = |name: &str| match example.get(name) {
                    Some(Feature::Floats(_) | Feature::Integers(_)) => ColumnKind::List { length: None },
                    Some(Feature::Bytes(_)) => ColumnKind::Other("bytes".to_owned()),
                    None => ColumnKind::Other("nothing".to_owned()),
                };
                let kinds: Vec<_> = example.names().map(|name| (name.to_owned(), kind(name))).collect();
                return Ok(Header { columns: numeric(&kinds), files: Vec::new() });
            }
        }
        Ok(Header { columns: Columns::new(), files: Vec::new() })
    }

    pub(crate) fn of_dataset(dataset: &Dataset) -> Self {
        let columns = dataset.columns().iter().map(|spec| (spec.name.clone(), Shape::of_dataset(spec))).collect();
        Header { columns, files: Vec::new() }
    }

    /// The columns that hold numbers; it also knows the others by name.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Checks that every Parquet file has `columns` with the same shapes as the first. What records hold is seen when they are read.
    pub fn agree(&self, columns: &BTreeSet<String>) -> Result<(), SourceError> {
        let Some(((first, expected), others)) = self.files.split_first() else { return Ok(()) };
        let describe = |kind: Option<&ColumnKind>| kind.map_or("missing".to_owned(), |kind| format!("a {kind}"));
        for (path, found) in others {
            for name in columns {
                let (expected, found) = (kind_of(expected, name), kind_of(found, name));
                if found.and_then(Shape::of_source) != expected.and_then(Shape::of_source) {
                    return Err(SourceError::Differs {
                        path: path.clone(),
                        first: first.clone(),
                        column: name.clone(),
                        found: describe(found),
                        expected: describe(expected),
                    });
                }
            }
        }
        Ok(())
    }
}

fn kind_of<'a>(kinds: &'a [(String, ColumnKind)], name: &str) -> Option<&'a ColumnKind> {
    kinds.iter().find(|(column, _)| column == name).map(|(_, kind)| kind)
}

fn numeric(kinds: &[(String, ColumnKind)]) -> Columns {
    let mut columns = Columns::new();
    for (name, kind) in kinds {
        match (Shape::of_source(kind), kind) {
            (Some(shape), _) => columns.set(name, shape),
            (None, ColumnKind::Other(kind)) => columns.add_other(name, kind),
            (None, ColumnKind::Scalar | ColumnKind::List { .. } | ColumnKind::Matrix { .. }) => {
                unreachable!("these have shapes")
            }
        }
    }
    columns
}

/// The format that all files have.
pub(crate) fn format_of(paths: &[PathBuf]) -> Result<FileFormat, SourceError> {
    let (first, others) = paths.split_first().ok_or(SourceError::Empty)?;
    let format = format_of_one(first)?;
    for path in others {
        if format_of_one(path)? != format {
            return Err(SourceError::Mixed { path: path.clone(), first: first.clone() });
        }
    }
    Ok(format)
}

fn format_of_one(path: &Path) -> Result<FileFormat, SourceError> {
    let fail = |source| SourceError::Io { path: path.to_owned(), source };
    let mut start = Vec::new();
    File::open(path).map_err(fail)?.take(4).read_to_end(&mut start).map_err(fail)?;
    // A file that is named Parquet and does not start like it is a broken Parquet file, and is to be reported as one.
    let is_parquet = start == b"PAR1" || path.extension().is_some_and(|extension| extension == "parquet");
    Ok(if is_parquet { FileFormat::Parquet } else { FileFormat::Tfrecord })
}
