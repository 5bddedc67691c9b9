//! Random access to the rows of a Parquet shard: whole row groups are decoded and the recent ones kept.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::column::Column;
use super::error::DatasetError;
use super::manifest::ColumnSpec;
use crate::parquet_reader::ParquetFile;
use crate::table::ColumnKind;

/// Bytes of decoded row groups that a dataset keeps.
const CACHE_BYTES: usize = 512 << 20;

/// An open shard.
#[derive(Debug)]
pub(super) struct ParquetShard {
    file: ParquetFile,
    /// Number of the first row of each row group, and the end of the last.
    starts: Vec<u64>,
}

/// Shard, row group and column of a decoded piece.
pub(super) type PieceKey = (usize, usize, usize);

/// Decoded pieces, least recently used first out.
#[derive(Debug, Default)]
pub(super) struct PieceCache(Mutex<Pieces>);

#[derive(Debug, Default)]
struct Pieces {
    pieces: HashMap<PieceKey, (u64, Arc<Column>)>,
    bytes: usize,
    clock: u64,
}

impl ParquetShard {
    pub(super) fn open(path: &Path, columns: &[ColumnSpec]) -> Result<Self, DatasetError> {
        let file = ParquetFile::open(path)?;
        for column in columns {
            let kind = file.columns().iter().find(|(name, _)| *name == column.name).map(|(_, kind)| kind);
            let fits = match kind {
                Some(ColumnKind::Scalar) => column.shape.is_empty(),
                Some(ColumnKind::List { .. }) => !column.shape.is_empty(),
                Some(ColumnKind::Matrix { .. } | ColumnKind::Other(_)) | None => false,
            };
            if !fits {
                let found = kind.map_or("it is missing".to_owned(), |kind| format!("it is a {kind}"));
                let problem =
                    format!("column `{}` should have shape {:?} in each row; {found}", column.name, column.shape);
                return Err(DatasetError::Inconsistent { path: path.to_owned(), problem });
            }
        }
        let mut starts = vec![0];
        for rows in file.row_groups() {
            starts.push(starts[starts.len() - 1] + rows);
        }
        Ok(ParquetShard { file, starts })
    }

    pub(super) fn rows(&self) -> u64 {
        self.starts[self.starts.len() - 1]
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// The row group of row `row`, and the row's place in it.
    pub(super) fn place(&self, row: u64) -> (usize, usize) {
        let group = self.starts.partition_point(|&start| start <= row) - 1;
        (group, (row - self.starts[group]) as usize)
    }

    /// One column of one row group.
    pub(super) fn piece(&self, group: usize, spec: &ColumnSpec) -> Result<Column, DatasetError> {
        let batch = self.file.row_group(group, &[&spec.name])?;
        let mut data = Vec::new();
        let mut lengths = Vec::new();
        for (_, values) in &batch.columns {
            data = values.data.iter().map(|&value| value as f32).collect();
            for row in 0..values.rows() {
                let steps = spec.steps(values.row(row).len()).map_err(|problem| DatasetError::Row {
                    path: self.path().to_owned(),
                    row: batch.first_row + row as u64,
                    column: spec.name.clone(),
                    problem,
                })?;
                lengths.extend(steps);
            }
        }
        Ok(if spec.ragged {
            Column::ragged(spec.shape.clone(), data, lengths)
        } else {
            Column::fixed(batch.rows, spec.shape.clone(), data)
        })
    }
}

impl PieceCache {
    /// The piece, from the cache or by `read`. Two threads may read the same piece at once; neither waits for the other.
    pub(super) fn get(
        &self,
        key: PieceKey,
        read: impl FnOnce() -> Result<Column, DatasetError>,
    ) -> Result<Arc<Column>, DatasetError> {
        if let Some(piece) = self.lock().touch(key) {
            return Ok(piece);
        }
        let piece = Arc::new(read()?);
        self.lock().insert(key, Arc::clone(&piece));
        Ok(piece)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Pieces> {
        // Every change leaves the pieces sound, so a panic elsewhere does not spoil them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pieces {
    fn touch(&mut self, key: PieceKey) -> Option<Arc<Column>> {
        self.clock += 1;
        let (used, piece) = self.pieces.get_mut(&key)?;
        *used = self.clock;
        Some(Arc::clone(piece))
    }

    fn insert(&mut self, key: PieceKey, piece: Arc<Column>) {
        self.clock += 1;
        self.bytes += piece.data.len() * 4;
        if let Some((_, replaced)) = self.pieces.insert(key, (self.clock, piece)) {
            self.bytes -= replaced.data.len() * 4;
        }
        while self.bytes > CACHE_BYTES && self.pieces.len() > 1 {
            let oldest = self.pieces.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| *key);
            let removed = oldest.and_then(|key| self.pieces.remove(&key)).expect("there is more than one piece");
            self.bytes -= removed.1.data.len() * 4;
        }
    }
}
