//! Datasets: what is written is read, by any row order and in both formats; damage is found; version 1 stays readable.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use pipectl_formats::dataset::{ColumnSpec, Dataset, DatasetError, DatasetWriter, Format, Layout, Manifest};
use pipectl_formats::parquet_writer::Compression;
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Row {
    sequence: Vec<f32>,
    features: [f32; 3],
    weight: f32,
}

fn columns() -> Vec<ColumnSpec> {
    let spec = |name: &str, shape: &[usize], ragged| ColumnSpec { name: name.into(), shape: shape.into(), ragged };
    vec![spec("sequence", &[5, 2], true), spec("features", &[3], false), spec("weight", &[], false)]
}

fn write(folder: &Path, rows: &[Row], format: Format, shards: usize) -> Manifest {
    let layout = Layout { format, shards, rows: rows.len() as u64, compression: Compression::Zstd };
    let mut writer = DatasetWriter::create(folder, columns(), layout).unwrap();
    for row in rows {
        writer.write(&[&row.sequence, &row.features, &[row.weight]]).unwrap();
    }
    writer.finish().unwrap()
}

fn row() -> impl Strategy<Value = Row> {
    (prop::collection::vec(any::<f32>(), 0..=5), any::<[f32; 3]>(), any::<f32>()).prop_map(
        |(steps, features, weight)| Row {
            sequence: steps.iter().flat_map(|&value| [value, -value]).collect(),
            features,
            weight,
        },
    )
}

fn some_rows(count: usize) -> Vec<Row> {
    let row = |index: usize| Row {
        sequence: vec![index as f32; index % 6 * 2],
        features: [0.5, 1.5, index as f32],
        weight: -1.0,
    };
    (0..count).map(row).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_rows_in_any_order(
        rows in prop::collection::vec(row(), 1..30),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        format in prop::sample::select(vec![Format::Tfrecord, Format::Parquet]),
        shards in 1usize..6,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let manifest = write(folder.path(), &rows, format, shards);
        prop_assert_eq!(manifest.files.len(), shards.min(rows.len()));
        prop_assert_eq!(&Manifest::read(folder.path()).unwrap(), &manifest);
        let dataset = Dataset::open(folder.path()).unwrap();
        prop_assert_eq!((dataset.len(), dataset.columns()), (rows.len(), &columns()[..]));
        let order: Vec<usize> = order.iter().map(|index| index.index(rows.len())).collect();
        let batch = dataset.batch(&order, &["weight", "sequence", "features"]).unwrap();
        for (place, &row) in order.iter().enumerate() {
            prop_assert_eq!(batch["sequence"].row(place), &rows[row].sequence[..]);
            prop_assert_eq!(batch["sequence"].steps(place), rows[row].sequence.len() / 2);
            prop_assert_eq!(batch["features"].row(place), &rows[row].features[..]);
            prop_assert_eq!(batch["weight"].row(place), &[rows[row].weight][..]);
        }
    }
}

#[test]
fn threads_share_a_dataset() {
    for format in [Format::Tfrecord, Format::Parquet] {
        let folder = tempfile::tempdir().unwrap();
        let rows = some_rows(100);
        write(folder.path(), &rows, format, 3);
        let dataset = Dataset::open(folder.path()).unwrap();
        std::thread::scope(|scope| {
            for start in 0..4 {
                let (dataset, rows) = (&dataset, &rows);
                scope.spawn(move || {
                    for row in (start..100).step_by(3) {
                        assert_eq!(
                            dataset.batch(&[row], &["sequence"]).unwrap()["sequence"].row(0),
                            rows[row].sequence
                        );
                    }
                });
            }
        });
    }
}

#[test]
fn a_damaged_shard_is_an_error_with_file_and_offset() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = write(folder.path(), &some_rows(10), Format::Tfrecord, 2);
    let shard = folder.path().join(&manifest.files[1].path);
    let mut bytes = std::fs::read(&shard).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&shard, &bytes).unwrap();
    let dataset = Dataset::open(folder.path()).unwrap();
    dataset.batch(&[0, 1, 8], &["weight"]).unwrap();
    let error = dataset.batch(&[0, 9], &["weight"]).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("part-00001.tfrecord: the record at byte "), "{cause}");

    std::fs::write(&shard, &bytes[..last - 5]).unwrap();
    let error = Dataset::open(folder.path()).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("part-00001.tfrecord: the file ends inside the record at byte "), "{cause}");
}

#[test]
fn a_shard_with_other_rows_than_promised_is_refused() {
    for format in [Format::Tfrecord, Format::Parquet] {
        let folder = tempfile::tempdir().unwrap();
        let manifest = write(folder.path(), &some_rows(9), format, 2);
        let (first, second) =
            (folder.path().join(&manifest.files[0].path), folder.path().join(&manifest.files[1].path));
        std::fs::copy(second, first).unwrap();
        let error = Dataset::open(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("it holds 4 rows, the manifest promises 5"), "{error}");
    }
}

#[test]
fn misuse_is_named() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &some_rows(3), Format::Parquet, 1);
    let dataset = Dataset::open(folder.path()).unwrap();
    let error = dataset.batch(&[0], &["wieght"]).unwrap_err().to_string();
    assert_eq!(
        error,
        "the dataset has no column `wieght`; its columns are sequence, features, weight. Did you mean \"weight\"?"
    );
    let error = dataset.batch(&[3], &["weight"]).unwrap_err().to_string();
    assert_eq!(error, "the dataset has 3 rows, so row 3 is not in it");
    let error = Dataset::open(&folder.path().join("absent")).unwrap_err();
    assert!(matches!(error, DatasetError::Io { .. }), "{error}");

    let layout = Layout { format: Format::Tfrecord, shards: 1, rows: 2, compression: Compression::None };
    let mut writer = DatasetWriter::create(&folder.path().join("other"), columns(), layout).unwrap();
    let error = writer.write(&[&[1.0; 3], &[0.0; 3], &[0.0]]).unwrap_err().to_string();
    assert!(
        error.ends_with("column `sequence`: it has 3 values, its shape [5, 2] allows up to 5 steps of 2"),
        "{error}"
    );
    let error = writer.write(&[&[1.0; 2], &[0.0; 4], &[0.0]]).unwrap_err().to_string();
    assert!(error.ends_with("column `features`: it has 4 values, its shape [3] asks for 3"), "{error}");
    writer.write(&[&[1.0; 2], &[0.0; 3], &[0.0]]).unwrap();
    assert!(matches!(writer.finish(), Err(DatasetError::RowCount { announced: 2, written: 1 })));
    assert!(Dataset::open(&folder.path().join("other")).is_err());
}

#[test]
fn a_dataset_of_version_1_stays_readable_and_its_bytes_the_same() {
    let golden: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/dataset-1");
    let rows = some_rows(7);
    let dataset = Dataset::open(&golden).unwrap();
    let batch = dataset.batch(&[6, 0], &["sequence", "features", "weight"]).unwrap();
    assert_eq!(batch["features"].data, [0.5, 1.5, 6.0, 0.5, 1.5, 0.0]);

    let folder = tempfile::tempdir().unwrap();
    let manifest = write(folder.path(), &rows, Format::Tfrecord, 2);
    for name in manifest.files.iter().map(|file| file.path.as_str()).chain(["dataset.json"]) {
        assert_eq!(
            std::fs::read(folder.path().join(name)).unwrap(),
            std::fs::read(golden.join(name)).unwrap(),
            "{name}"
        );
    }
}
