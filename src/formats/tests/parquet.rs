//! Parquet: every accepted kind of column as pyarrow writes it, damage and misuse with their place, and our own writer
//! read back.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use parquet::file::reader::{FileReader, SerializedFileReader};
use pipectl_formats::parquet_reader::{ParquetFile, ParquetReadError};
use pipectl_formats::parquet_writer::{Cells, Compression, ParquetWriter, WriteKind};
use pipectl_formats::table::{Offsets, Values};
use proptest::prelude::*;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// All rows of one column, over all batches.
fn column(file: &ParquetFile, name: &str) -> Result<Vec<Values>, ParquetReadError> {
    file.batches(&[name], 100)?.map(|batch| Ok(batch?.columns.remove(0).1)).collect()
}

fn lists(rows: &[&[f64]]) -> Values {
    Values::lists(rows.concat(), Offsets::from_lengths(rows.iter().map(|row| row.len())))
}

#[test]
fn every_kind_of_pyarrow_is_read() {
    let file = ParquetFile::open(&golden("kinds.parquet")).unwrap();
    assert_eq!((file.rows(), file.row_groups()), (3, vec![2, 1]));
    let scalars = |rows: [f64; 3]| vec![Values::scalars(rows[..2].to_vec()), Values::scalars(rows[2..].to_vec())];
    let wide = 2f64.powi(53);
    for (name, expected) in [
        ("double", scalars([0.1, -2.5, 1e300])),
        ("half", scalars([0.5, 1.0, -2.0])),
        ("int8", scalars([-128.0, 0.0, 127.0])),
        ("int64", scalars([-wide, 0.0, wide])),
        ("uint64", scalars([0.0, 1.0, wide])),
        ("boolean", scalars([1.0, 0.0, 1.0])),
        ("list", vec![lists(&[&[1.0, 2.0], &[]]), lists(&[&[3.0]])]),
        ("large_list", vec![lists(&[&[1.0], &[2.0, 3.0]]), lists(&[&[]])]),
        ("fixed", vec![lists(&[&[1.0, 2.0], &[3.0, 4.0]]), lists(&[&[5.0, 6.0]])]),
        ("spark", vec![lists(&[&[1.5, 2.5, 3.5], &[0.0, 1.0, 0.0]]), lists(&[&[0.0, -1.0, 1e300]])]),
        (
            "matrix",
            vec![
                Values::matrices(vec![1.0, 2.0, 3.0, 4.0], Offsets::from_lengths([2, 0]), 2),
                Values::matrices(vec![5.0, 6.0], Offsets::from_lengths([1]), 2),
            ],
        ),
        (
            "fixed_matrix",
            vec![
                Values::matrices(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], Offsets::from_lengths([1, 2]), 2),
                Values::matrices(vec![], Offsets::from_lengths([0]), 2),
            ],
        ),
    ] {
        assert_eq!(column(&file, name).unwrap(), expected, "{name}");
    }
    // Nulls among numbers are NaN, which differs from itself.
    let floats = column(&file, "float").unwrap();
    assert_eq!((floats[0].data[0], floats[0].data[1].is_nan(), floats[1].data[0]), (0.5, true, -1.25));
    assert!(column(&file, "bytes_list").unwrap()[1].data[0].is_nan());
}

#[test]
fn what_cannot_be_used_is_named_with_its_place() {
    let file = ParquetFile::open(&golden("kinds.parquet")).unwrap();
    for (name, expected) in [
        ("text", "kinds.parquet: column `text` holds Utf8, not numbers"),
        (
            "wide",
            "kinds.parquet: row 1 (row group 0), column `wide`: the integer 9007199254740993 has more digits than a double holds",
        ),
        ("jagged", "kinds.parquet: row 1 (row group 0), column `jagged`: its inner lists differ in length (2 after 1)"),
        ("holes", "kinds.parquet: row 1 (row group 0), column `holes`: the list is null"),
    ] {
        let message = column(&file, name).unwrap_err().to_string();
        assert!(message.ends_with(expected), "{message}");
    }
    let message = column(&file, "doubel").unwrap_err().to_string();
    assert!(message.contains("there is no column `doubel`; the columns are double, float,"), "{message}");
    assert!(message.ends_with("Did you mean \"double\"?"), "{message}");
}

/// Checksums of pages are kept to, where a file has them: whatever byte of the values is another one.
#[test]
fn a_page_that_does_not_fit_its_checksum_is_refused() {
    let path = golden("checksums.parquet");
    let values = column(&ParquetFile::open(&path).unwrap(), "a").unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let first = [1.5_f64, -2.5].map(f64::to_le_bytes).concat();
    let start = bytes.windows(first.len()).position(|window| window == first).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    for place in start..start + 32 * 8 {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1;
        std::fs::write(file.path(), damaged).unwrap();
        let error = column(&ParquetFile::open(file.path()).unwrap(), "a").unwrap_err();
        assert!(error.to_string().contains("row group 0, column `a` cannot be decoded"), "{place}: {error}");
    }
    assert_eq!(values.iter().map(Values::rows).sum::<usize>(), 32);
}

#[test]
fn a_cut_file_is_no_parquet_file() {
    let bytes = std::fs::read(golden("kinds.parquet")).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    for length in [0, 3, 8, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(file.path(), &bytes[..length]).unwrap();
        let error = ParquetFile::open(file.path()).unwrap_err();
        assert!(matches!(error, ParquetReadError::Footer { .. }), "{length}: {error}");
    }
}

#[test]
fn a_damaged_page_names_its_row_group_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.parquet");
    let columns = [("a", WriteKind::Float), ("b", WriteKind::Floats)];
    let mut writer = ParquetWriter::create(&path, &columns, Compression::Zstd, &[]).unwrap();
    for group in 0..3 {
        let values: Vec<f32> = (0..1000).map(|value| (value * 7919 % 1000 + group) as f32).collect();
        writer.write(vec![Cells::Float(values[..100].to_vec()), Cells::Floats(values, vec![10; 100])]).unwrap();
    }
    writer.finish().unwrap();
    // The header of the first page of the second row group's second column.
    let reader = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
    let start = reader.metadata().row_group(1).column(1).byte_range().0 as usize;
    let mut damaged = std::fs::read(&path).unwrap();
    damaged[start..start + 8].fill(0xff);
    std::fs::write(&path, damaged).unwrap();
    let file = ParquetFile::open(&path).unwrap();
    let error = file.batches(&["a", "b"], 64).unwrap().find_map(Result::err).unwrap();
    assert!(error.to_string().ends_with("events.parquet: row group 1, column `b` cannot be decoded"), "{error}");
    assert!(std::error::Error::source(&error).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    /// Whatever bytes are damaged: an answer or an error, never a panic or a hang.
    #[test]
    fn damage_never_panics(places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = std::fs::read(golden("kinds.parquet")).unwrap();
        for (place, byte) in &places {
            let place = place.index(bytes.len());
            bytes[place] = *byte;
        }
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), bytes).unwrap();
        if let Ok(file) = ParquetFile::open(path.path()) {
            let names: Vec<String> = file.columns().iter().map(|(name, _)| name.clone()).collect();
            for name in names {
                if let Err(error) = column(&file, &name) {
                    prop_assert!(error.to_string().starts_with(&path.path().display().to_string()));
                }
            }
        }
    }

    #[test]
    fn what_is_written_is_read(
        groups in prop::collection::vec(prop::collection::vec((any::<f32>(), any::<i32>(), prop::collection::vec(any::<f32>(), 0..5)), 1..20), 1..4),
        compression in prop::sample::select(vec![Compression::None, Compression::Snappy, Compression::Zstd]),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.parquet");
        let kinds = [("float", WriteKind::Float), ("double", WriteKind::Double), ("integer", WriteKind::Integer), ("floats", WriteKind::Floats)];
        let mut writer = ParquetWriter::create(&path, &kinds, compression, &[("note", "written by a test")]).unwrap();
        for rows in &groups {
            writer.write(vec![
                Cells::Float(rows.iter().map(|row| row.0).collect()),
                Cells::Double(rows.iter().map(|row| f64::from(row.0) / 3.0).collect()),
                Cells::Integer(rows.iter().map(|row| i64::from(row.1)).collect()),
                Cells::Floats(rows.iter().flat_map(|row| row.2.clone()).collect(), rows.iter().map(|row| row.2.len() as u32).collect()),
            ]).unwrap();
        }
        writer.finish().unwrap();
        let file = ParquetFile::open(&path).unwrap();
        prop_assert_eq!(file.row_groups(), groups.iter().map(|rows| rows.len() as u64).collect::<Vec<_>>());
        let mut first_row = 0;
        for (number, rows) in groups.iter().enumerate() {
            let batch = file.row_group(number, &["floats", "integer", "double", "float"]).unwrap();
            prop_assert_eq!((batch.first_row, batch.rows), (first_row, rows.len()));
            first_row += rows.len() as u64;
            for (place, row) in rows.iter().enumerate() {
                prop_assert_eq!(batch.columns[0].1.row(place), row.2.iter().map(|&value| f64::from(value)).collect::<Vec<_>>());
                prop_assert_eq!(batch.columns[1].1.row(place), [f64::from(row.1)]);
                prop_assert_eq!(batch.columns[2].1.row(place), [f64::from(row.0) / 3.0]);
                prop_assert_eq!(batch.columns[3].1.row(place), [f64::from(row.0)]);
            }
        }
    }
}

#[test]
fn cells_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    let mut writer = ParquetWriter::create(&path, &[("a", WriteKind::Floats)], Compression::None, &[]).unwrap();
    assert!(writer.write(vec![Cells::Float(vec![1.0])]).is_err());
    assert!(writer.write(vec![]).is_err());
    assert!(writer.write(vec![Cells::Floats(vec![1.0], vec![2])]).is_err());
}
