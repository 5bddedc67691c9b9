//! Reading a dataset: random access by row number, from any number of threads.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use super::column::Column;
use super::error::DatasetError;
use super::manifest::{ColumnSpec, Format, Manifest};
use super::parquet_shard::{ParquetShard, PieceCache};
use crate::example::{Example, Values};
use crate::tfrecord::IndexedRecords;

/// An open dataset.
#[derive(Debug)]
pub struct Dataset {
    manifest: Manifest,
    shards: Shards,
    /// Number of the first row of each shard, and the end of the last.
    starts: Vec<usize>,
}

#[derive(Debug)]
enum Shards {
    Tfrecord(Vec<IndexedRecords>),
    Parquet(Vec<ParquetShard>, PieceCache),
}

impl Dataset {
    /// Opens the dataset in `folder`: reads `dataset.json`, opens every shard and checks its number of rows.
    pub fn open(folder: &Path) -> Result<Self, DatasetError> {
        let manifest = Manifest::read(folder)?;
        let paths = manifest.files.iter().map(|file| folder.join(&file.path));
        let (shards, found): (Shards, Vec<u64>) = match manifest.format {
            Format::Tfrecord => {
                let shards =
                    paths.map(|path| Ok(IndexedRecords::open(&path)?)).collect::<Result<Vec<_>, DatasetError>>()?;
                let rows = shards.iter().map(|shard| shard.len() as u64).collect();
                (Shards::Tfrecord(shards), rows)
            }
            Format::Parquet => {
                let shards =
                    paths.map(|path| ParquetShard::open(&path, &manifest.columns)).collect::<Result<Vec<_>, _>>()?;
                let rows = shards.iter().map(ParquetShard::rows).collect();
                (Shards::Parquet(shards, PieceCache::default()), rows)
            }
        };
        let mut starts = vec![0];
        for (file, found) in manifest.files.iter().zip(found) {
            if file.rows != found {
                let problem = format!("it holds {found} rows, the manifest promises {}", file.rows);
                return Err(DatasetError::Inconsistent { path: folder.join(&file.path), problem });
            }
            starts.push(starts[starts.len() - 1] + found as usize);
        }
        Ok(Dataset { manifest, shards, starts })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.manifest.rows as usize
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its columns.
    pub fn columns(&self) -> &[ColumnSpec] {
        &self.manifest.columns
    }

    /// What `dataset.json` says.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The column called `name`.
    pub fn column(&self, name: &str) -> Result<&ColumnSpec, DatasetError> {
        let found = self.manifest.columns.iter().find(|column| column.name == name);
        found.ok_or_else(|| DatasetError::NoColumn {
            column: name.to_owned(),
            present: self.manifest.columns.iter().map(|column| column.name.clone()).collect(),
        })
    }

    /// How many bytes row `row` takes in its shard: a cheap measure of a ragged row's length. `None` where a format does not tell.
    pub fn stored_bytes(&self, row: usize) -> Option<u64> {
        let (shard, row) = self.place(row).ok()?;
        match &self.shards {
            Shards::Tfrecord(shards) => shards[shard].bytes(row),
            Shards::Parquet(..) => None,
        }
    }

    /// The rows numbered `rows`, in that order (repeats allowed), with only the columns named. A column may be named twice.
    pub fn batch(&self, rows: &[usize], columns: &[&str]) -> Result<BTreeMap<String, Column>, DatasetError> {
        let names: BTreeSet<&str> = columns.iter().copied().collect();
        let specs = names.into_iter().map(|name| self.column(name)).collect::<Result<Vec<_>, _>>()?;
        let places = rows.iter().map(|&row| self.place(row)).collect::<Result<Vec<_>, _>>()?;
        match &self.shards {
            Shards::Tfrecord(shards) => read_records(shards, &places, &specs),
            Shards::Parquet(shards, cache) => self.read_row_groups(shards, cache, &places, &specs),
        }
    }

    /// The shard that holds row `row`, and the row's number in it.
    fn place(&self, row: usize) -> Result<(usize, usize), DatasetError> {
        if row >= self.len() {
            return Err(DatasetError::NoRow { row, rows: self.len() });
        }
        // Empty shards share their start with the next one; the last of them is the one that holds the row.
        let shard = self.starts.partition_point(|&start| start <= row) - 1;
        Ok((shard, row - self.starts[shard]))
    }

    fn read_row_groups(
        &self,
        shards: &[ParquetShard],
        cache: &PieceCache,
        places: &[(usize, usize)],
        specs: &[&ColumnSpec],
    ) -> Result<BTreeMap<String, Column>, DatasetError> {
        let mut columns = BTreeMap::new();
        for &spec in specs {
            let number =
                self.manifest.columns.iter().position(|column| column == spec).expect("the column is of this dataset");
            let mut held: HashMap<(usize, usize), Arc<Column>> = HashMap::new();
            let mut builder = ColumnBuilder::new(spec, places.len());
            for &(shard, row) in places {
                let (group, row_in_group) = shards[shard].place(row as u64);
                let piece = match held.get(&(shard, group)) {
                    Some(piece) => piece,
                    None => {
                        let piece = cache.get((shard, group, number), || shards[shard].piece(group, spec))?;
                        held.entry((shard, group)).or_insert(piece)
                    }
                };
                builder.push(piece.row(row_in_group)).map_err(|problem| DatasetError::Row {
                    path: shards[shard].path().to_owned(),
                    row: row as u64,
                    column: spec.name.clone(),
                    problem,
                })?;
            }
            columns.insert(spec.name.clone(), builder.build());
        }
        Ok(columns)
    }
}

fn read_records(
    shards: &[IndexedRecords],
    places: &[(usize, usize)],
    specs: &[&ColumnSpec],
) -> Result<BTreeMap<String, Column>, DatasetError> {
    let mut builders: Vec<ColumnBuilder> = specs.iter().map(|&spec| ColumnBuilder::new(spec, places.len())).collect();
    for &(shard, row) in places {
        let records = &shards[shard];
        let bytes = records.read(row)?;
        let mut example = Example::from_bytes(&bytes).map_err(|source| DatasetError::Example {
            path: records.path().to_owned(),
            offset: records.offset(row).expect("the record was just read"),
            source,
        })?;
        for (builder, spec) in builders.iter_mut().zip(specs) {
            take_row(&mut example, spec).and_then(|values| builder.push(&values)).map_err(|problem| {
                DatasetError::Row {
                    path: records.path().to_owned(),
                    row: row as u64,
                    column: spec.name.clone(),
                    problem,
                }
            })?;
        }
    }
    Ok(specs.iter().map(|spec| spec.name.clone()).zip(builders.into_iter().map(ColumnBuilder::build)).collect())
}

/// The values of one column of one record. Integer features are taken too: other writers store labels so.
fn take_row(example: &mut Example, spec: &ColumnSpec) -> Result<Vec<f32>, String> {
    let values = match example.get(&spec.name) {
        Some(Values::Floats(_)) => match example.take(&spec.name) {
            Some(Values::Floats(list)) => list.value,
            _ => Vec::new(),
        },
        Some(Values::Integers(list)) => list.value.iter().map(|&value| value as f32).collect(),
        Some(Values::Bytes(_)) => return Err("the record holds bytes, not floats".to_owned()),
        None => return Err("the record lacks it".to_owned()),
    };
    if let (Some(steps), Some(Values::Integers(stated))) =
        (spec.steps(values.len())?, example.get(&spec.length_feature()))
        && stated.value != [i64::from(steps)]
    {
        return Err(format!("it has {steps} steps, the record's length feature says {:?}", stated.value));
    }
    Ok(values)
}

/// Lays rows one after another.
struct ColumnBuilder<'a> {
    spec: &'a ColumnSpec,
    rows: usize,
    data: Vec<f32>,
    lengths: Vec<u32>,
}

impl<'a> ColumnBuilder<'a> {
    fn new(spec: &'a ColumnSpec, rows: usize) -> Self {
        let data =
            if spec.ragged { Vec::new() } else { Vec::with_capacity(rows.saturating_mul(spec.size()).min(1 << 28)) };
        ColumnBuilder { spec, rows: 0, data, lengths: Vec::new() }
    }

    fn push(&mut self, values: &[f32]) -> Result<(), String> {
        self.lengths.extend(self.spec.steps(values.len())?);
        self.data.extend_from_slice(values);
        self.rows += 1;
        Ok(())
    }

    fn build(self) -> Column {
        if self.spec.ragged {
            Column::ragged(self.spec.shape.clone(), self.data, self.lengths)
        } else {
            Column::fixed(self.rows, self.spec.shape.clone(), self.data)
        }
    }
}
