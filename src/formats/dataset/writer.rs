//! Writing a dataset: rows in order, cut into shards of equal size, the manifest last.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use super::error::DatasetError;
use super::manifest::{ColumnSpec, Format, Manifest, ShardFile, VERSION};
use crate::example::Example;
use crate::parquet_writer::{Cells, Compression, ParquetWriter, WriteKind};
use crate::tfrecord::RecordWriter;

/// A Parquet row group is written when it holds this many values...
const ROW_GROUP_VALUES: usize = 1 << 20;
/// ... or this many rows.
const ROW_GROUP_ROWS: usize = 4096;

/// How the rows are laid into files.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Format of the shards.
    pub format: Format,
    /// Number of shards; fewer are written if there are fewer rows.
    pub shards: usize,
    /// Number of rows that will be written: shard sizes differ by at most one row, so it must be known.
    pub rows: u64,
    /// Compression of Parquet pages. TFRecord shards are never compressed.
    pub compression: Compression,
}

/// Writes a dataset. Without [`DatasetWriter::finish`] there is no manifest, and so no dataset.
pub struct DatasetWriter {
    folder: PathBuf,
    columns: Vec<ColumnSpec>,
    layout: Layout,
    files: Vec<ShardFile>,
    written: u64,
    shard: Option<Shard>,
}

enum Shard {
    Tfrecord(PathBuf, RecordWriter<BufWriter<File>>),
    Parquet(Box<ParquetShardWriter>),
}

struct ParquetShardWriter {
    writer: ParquetWriter,
    rows: usize,
    values: usize,
    pending: Vec<Cells>,
}

impl DatasetWriter {
    /// Starts a dataset in `folder`, which is created if missing.
    pub fn create(folder: &Path, columns: Vec<ColumnSpec>, layout: Layout) -> Result<Self, DatasetError> {
        fs::create_dir_all(folder).map_err(|source| DatasetError::Io { path: folder.to_owned(), source })?;
        Ok(DatasetWriter { folder: folder.to_owned(), columns, layout, files: Vec::new(), written: 0, shard: None })
    }

    /// Appends a row: the values of each column, in column order. A ragged column takes its number of steps from the
    /// number of values.
    ///
    /// # Panics
    /// If `row` does not hold one slice for each column.
    pub fn write(&mut self, row: &[&[f32]]) -> Result<(), DatasetError> {
        assert_eq!(row.len(), self.columns.len(), "one slice for each column");
        if self.written == self.layout.rows {
            return Err(DatasetError::RowCount { announced: self.layout.rows, written: self.written + 1 });
        }
        let mut steps = Vec::with_capacity(row.len());
        for (spec, values) in self.columns.iter().zip(row) {
            steps.push(spec.steps(values.len()).map_err(|problem| DatasetError::Row {
                path: self.folder.clone(),
                row: self.written,
                column: spec.name.clone(),
                problem,
            })?);
        }
        let mut shard = match self.shard.take() {
            Some(shard) => shard,
            None => self.open_shard()?,
        };
        shard.write(&self.columns, row, &steps)?;
        self.written += 1;
        let file = self.files.last_mut().expect("an open shard is in the list");
        file.rows += 1;
        if file.rows == rows_of_shard(self.layout, self.files.len() - 1) {
            shard.finish(&self.columns)?;
        } else {
            self.shard = Some(shard);
        }
        Ok(())
    }

    /// Rows written so far.
    pub fn rows(&self) -> u64 {
        self.written
    }

    /// Closes the last shard and writes `dataset.json`. All announced rows must be there.
    pub fn finish(self) -> Result<Manifest, DatasetError> {
        if self.written != self.layout.rows {
            return Err(DatasetError::RowCount { announced: self.layout.rows, written: self.written });
        }
        let manifest = Manifest {
            version: VERSION,
            format: self.layout.format,
            rows: self.written,
            files: self.files,
            columns: self.columns,
        };
        manifest.write(&self.folder)?;
        Ok(manifest)
    }

    fn open_shard(&mut self) -> Result<Shard, DatasetError> {
        let name = format!("part-{:05}.{}", self.files.len(), self.layout.format.extension());
        let path = self.folder.join(&name);
        self.files.push(ShardFile { path: name, rows: 0 });
        Ok(match self.layout.format {
            Format::Tfrecord => {
                let writer =
                    RecordWriter::create(&path).map_err(|source| DatasetError::Io { path: path.clone(), source })?;
                Shard::Tfrecord(path, writer)
            }
            Format::Parquet => {
                let kinds: Vec<(&str, WriteKind)> =
                    self.columns.iter().map(|column| (column.name.as_str(), write_kind(column))).collect();
                let writer = ParquetWriter::create(&path, &kinds, self.layout.compression, &[])?;
                Shard::Parquet(Box::new(ParquetShardWriter {
                    writer,
                    rows: 0,
                    values: 0,
                    pending: empty(&self.columns),
                }))
            }
        })
    }
}

/// Rows of shard `index`: the first `rows % shards` shards hold one more than the others.
fn rows_of_shard(layout: Layout, index: usize) -> u64 {
    let shards = (layout.shards.max(1) as u64).min(layout.rows.max(1));
    layout.rows / shards + u64::from((index as u64) < layout.rows % shards)
}

fn write_kind(column: &ColumnSpec) -> WriteKind {
    if column.shape.is_empty() { WriteKind::Float } else { WriteKind::Floats }
}

fn empty(columns: &[ColumnSpec]) -> Vec<Cells> {
    columns
        .iter()
        .map(|column| match write_kind(column) {
            WriteKind::Floats => Cells::Floats(Vec::new(), Vec::new()),
            _ => Cells::Float(Vec::new()),
        })
        .collect()
}

impl Shard {
    fn write(&mut self, columns: &[ColumnSpec], row: &[&[f32]], steps: &[Option<u32>]) -> Result<(), DatasetError> {
        match self {
            Shard::Tfrecord(path, writer) => {
                let mut example = Example::default();
                for ((spec, values), steps) in columns.iter().zip(row).zip(steps) {
                    example.set_floats(&spec.name, values.to_vec());
                    if let Some(steps) = steps {
                        example.set_integers(&spec.length_feature(), vec![i64::from(*steps)]);
                    }
                }
                writer.write(&example.to_bytes()).map_err(|source| DatasetError::Io { path: path.clone(), source })?;
            }
            Shard::Parquet(shard) => {
                for (cells, values) in shard.pending.iter_mut().zip(row) {
                    shard.values += values.len();
                    match cells {
                        Cells::Floats(data, lengths) => {
                            data.extend_from_slice(values);
                            lengths.push(values.len() as u32);
                        }
                        Cells::Float(data) => data.extend_from_slice(values),
                        Cells::Double(_) | Cells::Integer(_) | Cells::Text(_) => unreachable!("datasets hold f32 only"),
                    }
                }
                shard.rows += 1;
                if shard.values >= ROW_GROUP_VALUES || shard.rows >= ROW_GROUP_ROWS {
                    shard.flush(columns)?;
                }
            }
        }
        Ok(())
    }

    fn finish(self, columns: &[ColumnSpec]) -> Result<(), DatasetError> {
        match self {
            Shard::Tfrecord(path, writer) => {
                writer.finish().map_err(|source| DatasetError::Io { path, source })?;
            }
            Shard::Parquet(mut shard) => {
                shard.flush(columns)?;
                shard.writer.finish()?;
            }
        }
        Ok(())
    }
}

impl ParquetShardWriter {
    fn flush(&mut self, columns: &[ColumnSpec]) -> Result<(), DatasetError> {
        if self.rows > 0 {
            self.writer.write(std::mem::replace(&mut self.pending, empty(columns)))?;
            (self.rows, self.values) = (0, 0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_sizes_differ_by_at_most_one_row() {
        for (rows, shards) in [(10, 3), (2, 8), (1, 1), (4000, 8), (7, 7)] {
            let layout = Layout { format: Format::Tfrecord, shards, rows, compression: Compression::None };
            let used = shards.min(rows as usize);
            let sizes: Vec<u64> = (0..used).map(|index| rows_of_shard(layout, index)).collect();
            assert_eq!(sizes.iter().sum::<u64>(), rows);
            assert!(sizes[0] - sizes[used - 1] <= 1 && sizes[used - 1] > 0, "{sizes:?}");
        }
    }
}
