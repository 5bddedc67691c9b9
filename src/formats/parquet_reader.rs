//! Parquet columns of numbers, read batch by batch: memory is bounded by a batch and one row group's compressed pages.
//!
//! Accepted are integers, floats, doubles and booleans, plain or in lists, lists of lists and fixed-size lists, and
//! Spark's vectors (`VectorUDT`: struct of type, size, indices, values; sparse and dense). Other columns may be in the
//! file; asking for one is an error that says what it holds. Nulls among numbers arrive as NaN; a null list is an error.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use arrow::array::{Array, ArrayRef, AsArray, GenericListArray, OffsetSizeTrait, StructArray};
use arrow::datatypes::{
    DataType, Field, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use pipectl_core::suggest::did_you_mean;

use crate::shared_file::SharedFile;
use crate::table::{ColumnKind, Nesting, Offsets, Values};

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a Parquet file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ParquetReadError {
    /// The operating system refused.
    #[error("{}: the file cannot be opened", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The footer is missing or damaged: cut off, still being written, or not Parquet.
    #[error("{}: this is not a whole Parquet file, its footer cannot be read", path.display())]
    Footer {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Cause,
    },
    /// A column was asked for that the file does not have.
    #[error("{}: there is no column `{column}`; the columns are {}.{}", path.display(), present.join(", "), did_you_mean(column, present.iter().map(String::as_str)))]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The column asked for.
        column: String,
        /// The columns that are there.
        present: Vec<String>,
    },
    /// A column holds something other than numbers.
    #[error("{}: column `{column}` holds {kind}, not numbers", path.display())]
    NotNumbers {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// Its type.
        kind: String,
    },
    /// Pages of a row group cannot be decoded.
    #[error("{}: row group {row_group}, column{} {} cannot be decoded", path.display(), if columns.len() == 1 { "" } else { "s" }, columns.join(", "))]
    Decode {
        /// The file.
        path: PathBuf,
        /// Row group, from 0.
        row_group: usize,
        /// The column, or the columns that might be the one.
        columns: Vec<String>,
        /// Why.
        #[source]
        source: Cause,
    },
    /// A cell holds something that cannot be used.
    #[error("{}: row {row} (row group {row_group}), column `{column}`: {problem}", path.display())]
    Cell {
        /// The file.
        path: PathBuf,
        /// Row in the file, from 0.
        row: u64,
        /// Row group, from 0.
        row_group: usize,
        /// The column.
        column: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// An open Parquet file: its columns and row groups, no rows yet.
#[derive(Debug)]
pub struct ParquetFile {
    path: PathBuf,
    file: SharedFile,
    metadata: ArrowReaderMetadata,
    columns: Vec<(String, ColumnKind)>,
}

/// A run of consecutive rows.
#[derive(Debug)]
pub struct RowBatch {
    /// Row group, from 0.
    pub row_group: usize,
    /// Number of the first row in the file, from 0.
    pub first_row: u64,
    /// Number of rows.
    pub rows: usize,
    /// The columns, in the order asked for.
    pub columns: Vec<(String, Values)>,
}

impl ParquetFile {
    /// Opens the file and reads its footer.
    pub fn open(path: &Path) -> Result<Self, ParquetReadError> {
        let file = File::open(path).map_err(|source| ParquetReadError::Open { path: path.to_owned(), source })?;
        let file = SharedFile::new(file);
        let metadata = contain(|| ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()))
            .map_err(|source| ParquetReadError::Footer { path: path.to_owned(), source })?;
        let columns =
            metadata.schema().fields().iter().map(|field| (field.name().clone(), kind(field.data_type()))).collect();
        Ok(ParquetFile { path: path.to_owned(), file, metadata, columns })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its columns, in file order.
    pub fn columns(&self) -> &[(String, ColumnKind)] {
        &self.columns
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.metadata.metadata().file_metadata().num_rows().max(0) as u64
    }

    /// Number of rows of each row group.
    pub fn row_groups(&self) -> Vec<u64> {
        self.metadata.metadata().row_groups().iter().map(|group| group.num_rows().max(0) as u64).collect()
    }

    /// Reads `columns` of all rows, `rows_per_batch` rows at a time; a batch never spans two row groups.
    pub fn batches(&self, columns: &[&str], rows_per_batch: usize) -> Result<Batches<'_>, ParquetReadError> {
        let indices = self.indices(columns)?;
        Ok(Batches { file: self, indices, rows_per_batch, next_group: 0, open: None, first_row: 0, failed: false })
    }

    /// Reads `columns` of row group `row_group` at once.
    pub fn row_group(&self, row_group: usize, columns: &[&str]) -> Result<RowBatch, ParquetReadError> {
        let indices = self.indices(columns)?;
        let groups = self.row_groups();
        let first_row = groups[..row_group].iter().sum();
        let mut reader = self.reader(row_group, &indices, (groups[row_group] as usize).max(1))?;
        self.next_batch(&mut reader, row_group, first_row, &indices)?
            .map_or_else(|| Ok(RowBatch { row_group, first_row, rows: 0, columns: Vec::new() }), Ok)
    }

    fn indices(&self, columns: &[&str]) -> Result<Vec<usize>, ParquetReadError> {
        columns
            .iter()
            .map(|&column| {
                let found = self.columns.iter().position(|(name, _)| name == column);
                let index = found.ok_or_else(|| ParquetReadError::NoColumn {
                    path: self.path.clone(),
                    column: column.to_owned(),
                    present: self.columns.iter().map(|(name, _)| name.clone()).collect(),
                })?;
                match &self.columns[index].1 {
                    ColumnKind::Other(kind) => Err(ParquetReadError::NotNumbers {
                        path: self.path.clone(),
                        column: column.to_owned(),
                        kind: kind.clone(),
                    }),
                    ColumnKind::Scalar | ColumnKind::List { .. } | ColumnKind::Matrix { .. } => Ok(index),
                }
            })
            .collect()
    }

    fn reader(
        &self,
        row_group: usize,
        indices: &[usize],
        batch: usize,
    ) -> Result<ParquetRecordBatchReader, ParquetReadError> {
        let build = || {
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), self.metadata.clone());
            let mask = ProjectionMask::roots(builder.parquet_schema(), indices.iter().copied());
            builder.with_row_groups(vec![row_group]).with_projection(mask).with_batch_size(batch).build()
        };
        contain(build).map_err(|source| self.decode_error(row_group, indices, source))
    }

    fn next_batch(
        &self,
        reader: &mut ParquetRecordBatchReader,
        row_group: usize,
        first_row: u64,
        indices: &[usize],
    ) -> Result<Option<RowBatch>, ParquetReadError> {
        let Some(batch) =
            contain(|| reader.next().transpose()).map_err(|source| self.locate(row_group, indices, source))?
        else {
            return Ok(None);
        };
        let mut columns = Vec::with_capacity(indices.len());
        for &index in indices {
            let name = &self.columns[index].0;
            let array = batch.column_by_name(name).expect("the projection holds every column asked for");
            let values = decode(array).map_err(|(row, problem)| ParquetReadError::Cell {
                path: self.path.clone(),
                row: first_row + row as u64,
                row_group,
                column: name.clone(),
                problem,
            })?;
            columns.push((name.clone(), values));
        }
        Ok(Some(RowBatch { row_group, first_row, rows: batch.num_rows(), columns }))
    }

    /// Reads the columns of a row group that failed one by one, to name the one that is damaged.
    fn locate(&self, row_group: usize, indices: &[usize], source: Cause) -> ParquetReadError {
        for &index in indices {
            let alone = self.reader(row_group, &[index], 1024).and_then(|mut reader| {
                while contain(|| reader.next().transpose())
                    .map_err(|source| self.decode_error(row_group, &[index], source))?
                    .is_some()
                {}
                Ok(())
            });
            if let Err(error) = alone {
                return error;
            }
        }
        self.decode_error(row_group, indices, source)
    }

    fn decode_error(&self, row_group: usize, indices: &[usize], source: Cause) -> ParquetReadError {
        let columns = indices.iter().map(|&index| format!("`{}`", self.columns[index].0)).collect();
        ParquetReadError::Decode { path: self.path.clone(), row_group, columns, source }
    }
}

/// Batches of a file, in row order.
pub struct Batches<'a> {
    file: &'a ParquetFile,
    indices: Vec<usize>,
    rows_per_batch: usize,
    next_group: usize,
    open: Option<ParquetRecordBatchReader>,
    first_row: u64,
    failed: bool,
}

impl Batches<'_> {
    fn read(&mut self) -> Result<Option<RowBatch>, ParquetReadError> {
        let groups = self.file.metadata.metadata().num_row_groups();
        loop {
            if let Some(reader) = &mut self.open {
                if let Some(batch) = self.file.next_batch(reader, self.next_group - 1, self.first_row, &self.indices)? {
                    self.first_row += batch.rows as u64;
                    return Ok(Some(batch));
                }
                self.open = None;
            }
            if self.next_group == groups {
                return Ok(None);
            }
            self.open = Some(self.file.reader(self.next_group, &self.indices, self.rows_per_batch)?);
            self.next_group += 1;
        }
    }
}

impl Iterator for Batches<'_> {
    type Item = Result<RowBatch, ParquetReadError>;

    /// The next batch; an error ends the iteration.
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let batch = self.read();
        self.failed = batch.is_err();
        batch.transpose()
    }
}

/// Runs a step of the Parquet library; a panic of it on damaged bytes becomes an error like any other.
fn contain<T, E: Into<Cause>>(step: impl FnOnce() -> Result<T, E>) -> Result<T, Cause> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(step)) {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err("the bytes are damaged in a way that the Parquet library does not expect".into()),
    }
}

fn kind(data_type: &DataType) -> ColumnKind {
    match data_type {
        DataType::List(inner) | DataType::LargeList(inner) => nested(inner, None, data_type),
        DataType::FixedSizeList(inner, length) => nested(inner, usize::try_from(*length).ok(), data_type),
        DataType::Struct(fields) if is_spark_vector(fields.iter()) => ColumnKind::List { length: None },
        number if is_number(number) => ColumnKind::Scalar,
        other => ColumnKind::Other(other.to_string()),
    }
}

fn nested(inner: &Field, length: Option<usize>, whole: &DataType) -> ColumnKind {
    match inner.data_type() {
        DataType::List(leaf) | DataType::LargeList(leaf) if is_number(leaf.data_type()) => {
            ColumnKind::Matrix { length, width: None }
        }
        DataType::FixedSizeList(leaf, width) if is_number(leaf.data_type()) => {
            ColumnKind::Matrix { length, width: usize::try_from(*width).ok() }
        }
        number if is_number(number) => ColumnKind::List { length },
        _ => ColumnKind::Other(whole.to_string()),
    }
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_integer() || data_type.is_floating() || matches!(data_type, DataType::Boolean)
}

fn is_spark_vector<'a>(fields: impl Iterator<Item = &'a Arc<Field>>) -> bool {
    fields.map(|field| field.name().as_str()).eq(["type", "size", "indices", "values"])
}

/// What is wrong, and in which row of the array.
type CellProblem = (usize, String);

fn decode(array: &ArrayRef) -> Result<Values, CellProblem> {
    match array.data_type() {
        DataType::List(_) => decode_list(array.as_list::<i32>()),
        DataType::LargeList(_) => decode_list(array.as_list::<i64>()),
        DataType::FixedSizeList(_, length) => {
            let list = array.as_fixed_size_list();
            refuse_nulls(list)?;
            decode_lists(list.values(), Offsets::equal(list.len(), *length as usize))
        }
        DataType::Struct(_) => decode_spark_vector(array.as_struct()),
        _ => Ok(Values::scalars(numbers(array)?)),
    }
}

fn decode_list<O: OffsetSizeTrait>(list: &GenericListArray<O>) -> Result<Values, CellProblem> {
    refuse_nulls(list)?;
    let (values, offsets) = parts(list);
    decode_lists(&values, offsets)
}

/// The values that the lists really cover, and where each list lies in them.
fn parts<O: OffsetSizeTrait>(list: &GenericListArray<O>) -> (ArrayRef, Offsets) {
    let raw = list.value_offsets();
    let (start, end) = (raw[0].as_usize(), raw[raw.len() - 1].as_usize());
    (
        list.values().slice(start, end - start),
        Offsets::from_lengths(raw.windows(2).map(|pair| pair[1].as_usize() - pair[0].as_usize())),
    )
}

/// Lists of numbers, or lists of lists of numbers, over `values`.
fn decode_lists(values: &ArrayRef, offsets: Offsets) -> Result<Values, CellProblem> {
    let row_of = |position: usize| (0..offsets.rows()).find(|&row| offsets.range(row).contains(&position)).unwrap_or(0);
    let inner = match values.data_type() {
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => {
            decode(values).map_err(|(position, problem)| (row_of(position), problem))?
        }
        _ => {
            let data = numbers(values).map_err(|(position, problem)| (row_of(position), problem))?;
            return Ok(Values::lists(data, offsets));
        }
    };
    let Nesting::List(widths) = inner.nesting else {
        return Err((0, "lists are nested more than two deep".to_owned()));
    };
    let width = match values.data_type() {
        DataType::FixedSizeList(_, width) => *width as usize,
        _ => widths.lengths().next().unwrap_or(0),
    };
    if let Some(position) = widths.lengths().position(|length| length != width) {
        let problem = format!("its inner lists differ in length ({} after {width})", widths.length(position));
        return Err((row_of(position), problem));
    }
    Ok(Values::matrices(inner.data, offsets, width))
}

/// Spark's `VectorUDT`: type 0 is sparse (size, indices, values), type 1 is dense (values).
fn decode_spark_vector(vectors: &StructArray) -> Result<Values, CellProblem> {
    refuse_nulls(vectors)?;
    let field =
        |name: &str| vectors.column_by_name(name).ok_or_else(|| (0, format!("the vector lacks its field `{name}`")));
    let types = numbers(field("type")?)?;
    let sizes = numbers(field("size")?)?;
    let (index_values, indices) = spark_list(field("indices")?)?;
    let (value_values, values) = spark_list(field("values")?)?;
    let mut data = Vec::new();
    let mut lengths = Vec::with_capacity(vectors.len());
    for row in 0..vectors.len() {
        let (places, given) = (&index_values[indices.range(row)], &value_values[values.range(row)]);
        if types[row] == 1.0 {
            data.extend_from_slice(given);
            lengths.push(given.len());
            continue;
        }
        let size = sizes[row];
        if types[row] != 0.0 || size.is_nan() || !(0.0..1e9).contains(&size) || places.len() != given.len() {
            return Err((row, "the Spark vector is neither dense nor a sound sparse one".to_owned()));
        }
        let start = data.len();
        data.resize(start + size as usize, 0.0);
        for (&place, &value) in places.iter().zip(given) {
            if !(0.0..size).contains(&place) {
                return Err((row, format!("the sparse vector of size {size} has an index {place}")));
            }
            data[start + place as usize] = value;
        }
        lengths.push(size as usize);
    }
    Ok(Values::lists(data, Offsets::from_lengths(lengths)))
}

/// A list field of a Spark vector. A null list is empty: dense vectors have no indices.
fn spark_list(array: &ArrayRef) -> Result<(Vec<f64>, Offsets), CellProblem> {
    match array.data_type() {
        DataType::List(_) => {
            let (values, offsets) = parts(array.as_list::<i32>());
            Ok((numbers(&values)?, offsets))
        }
        DataType::LargeList(_) => {
            let (values, offsets) = parts(array.as_list::<i64>());
            Ok((numbers(&values)?, offsets))
        }
        other => Err((0, format!("a field of the vector is {other}, not a list"))),
    }
}

fn refuse_nulls(array: &dyn Array) -> Result<(), CellProblem> {
    match (0..array.len()).find(|&row| array.is_null(row)) {
        Some(row) => Err((row, "the list is null".to_owned())),
        None => Ok(()),
    }
}

/// The numbers of a plain array as f64; nulls become NaN.
fn numbers(array: &ArrayRef) -> Result<Vec<f64>, CellProblem> {
    macro_rules! exact {
        ($kind:ty) => {
            array.as_primitive::<$kind>().values().iter().map(|&value| f64::from(value)).collect()
        };
    }
    macro_rules! wide {
        ($kind:ty) => {{
            let values = array.as_primitive::<$kind>().values();
            let limit = 1 << f64::MANTISSA_DIGITS;
            // An identifier rounded to another identifier would be a silent lie, so it is refused.
            if let Some(row) =
                values.iter().enumerate().position(|(row, &value)| !fits(value.into(), limit) && !array.is_null(row))
            {
                return Err((row, format!("the integer {} has more digits than a double holds", values[row])));
            }
            values.iter().map(|&value| value as f64).collect()
        }};
    }
    let mut data: Vec<f64> = match array.data_type() {
        DataType::Float64 => array.as_primitive::<Float64Type>().values().to_vec(),
        DataType::Float32 => exact!(Float32Type),
        DataType::Float16 => array.as_primitive::<Float16Type>().values().iter().map(|value| value.to_f64()).collect(),
        DataType::Int8 => exact!(Int8Type),
        DataType::Int16 => exact!(Int16Type),
        DataType::Int32 => exact!(Int32Type),
        DataType::Int64 => wide!(Int64Type),
        DataType::UInt8 => exact!(UInt8Type),
        DataType::UInt16 => exact!(UInt16Type),
        DataType::UInt32 => exact!(UInt32Type),
        DataType::UInt64 => wide!(UInt64Type),
        DataType::Boolean => array.as_boolean().values().iter().map(f64::from).collect(),
        other => return Err((0, format!("{other} is not a number"))),
    };
    if array.null_count() > 0 {
        for (row, value) in data.iter_mut().enumerate() {
            if array.is_null(row) {
                *value = f64::NAN;
            }
        }
    }
    Ok(data)
}

fn fits(value: i128, limit: i128) -> bool {
    (-limit..=limit).contains(&value)
}
