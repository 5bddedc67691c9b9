//! TFRecord against TensorFlow itself: it reads what we write, we read what it writes, bit for bit, and both refuse a
//! damaged file. Part of the group `peers` of `tests/run` (feature `peer-tests`); needs `PEERS_PYTHON`.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use pipectl_formats::Dataset;
use pipectl_formats::dataset::{ColumnSpec, DatasetWriter, Format, Layout};
use pipectl_formats::parquet_writer::Compression;
use serde_json::Value as Json;

/// Runs TensorFlow's side; answers what it prints.
fn tensorflow(verb: &str, path: &Path) -> String {
    #[expect(clippy::disallowed_methods, reason = "the test command says where its Python is")]
    let python = std::env::var_os("PEERS_PYTHON").expect("PEERS_PYTHON names a Python that has tensorflow");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers/tfrecord_tensorflow.py");
    let output = Command::new(python).arg(script).arg(verb).arg(path).output().expect("Python starts");
    assert!(output.status.success(), "{verb} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn bits(values: &[f32]) -> Json {
    values.iter().map(|value| value.to_bits()).collect()
}

fn flip(path: &Path, byte: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[byte] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn tensorflow_reads_ours() {
    let folder = tempfile::tempdir().unwrap();
    let spec = |name: &str, shape: &[usize], ragged| ColumnSpec { name: name.into(), shape: shape.into(), ragged };
    let columns = vec![spec("sequence", &[50, 19], true), spec("fixed", &[2, 3], false), spec("label", &[], false)];
    let layout = Layout { format: Format::Tfrecord, shards: 3, rows: 7, compression: Compression::None };
    let mut writer = DatasetWriter::create(folder.path(), columns, layout).unwrap();
    let special = [0.0, -0.0, f32::MIN_POSITIVE / 2.0, f32::MAX, f32::INFINITY, f32::NAN];
    let mut expected = Vec::new();
    for row in 0..7usize {
        let steps = row * 7 % 50;
        let sequence: Vec<f32> = (0..steps * 19).map(|place| (place as f32 + 0.1) * (row as f32 - 3.0)).collect();
        let label = [row as f32];
        writer.write(&[&sequence, &special, &label]).unwrap();
        expected.push(serde_json::json!({
            "sequence": bits(&sequence), "sequence_length": steps, "fixed": bits(&special), "label": bits(&label),
        }));
    }
    let manifest = writer.finish().unwrap();

    let read: Json = serde_json::from_str(&tensorflow("read", folder.path())).unwrap();
    assert_eq!(read, Json::Array(expected));

    let shard = folder.path().join(&manifest.files[1].path);
    flip(&shard, 200);
    assert!(tensorflow("refuse", &shard).contains("corrupted record"));
}

#[test]
fn we_read_tensorflows() {
    let folder = tempfile::tempdir().unwrap();
    tensorflow("write", folder.path());
    let expected: Vec<Json> =
        serde_json::from_slice(&std::fs::read(folder.path().join("expected.json")).unwrap()).unwrap();

    let dataset = Dataset::open(folder.path()).unwrap();
    assert_eq!(dataset.len(), expected.len());
    let rows: Vec<usize> = (0..dataset.len()).rev().collect();
    let batch = dataset.batch(&rows, &["sequence", "fixed", "label"]).unwrap();
    for (place, &row) in rows.iter().enumerate() {
        for (name, values) in expected[row].as_object().unwrap() {
            assert_eq!(bits(batch[name].row(place)), *values, "row {row}, {name}");
        }
    }

    flip(&folder.path().join("part-r-00000"), 200);
    let error = Dataset::open(folder.path()).unwrap().batch(&[0], &["label"]).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("part-r-00000: the record at byte 0 is damaged"), "{cause}");
}
