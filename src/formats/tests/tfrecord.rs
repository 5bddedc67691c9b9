//! TFRecord files: round trips, damage found at its offset, and bytes that never change.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use pipectl_formats::example::{Example, Values};
use pipectl_formats::tfrecord::{
    IndexedRecords, RecordReader, RecordWriter, TfRecordError, TfRecordErrorKind, masked_crc,
};
use proptest::prelude::*;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn framed(records: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = RecordWriter::new(Vec::new());
    for record in records {
        writer.write(record).unwrap();
    }
    writer.finish().unwrap()
}

/// The file as a stream and by index; both must agree.
fn read(path: &Path) -> (Vec<Vec<u8>>, Option<TfRecordError>) {
    let mut records = Vec::new();
    let mut failure = None;
    for record in RecordReader::open(path).unwrap() {
        match record {
            Ok(record) => records.push(record),
            Err(error) => failure = Some(error),
        }
    }
    let indexed = IndexedRecords::open(path);
    let by_index =
        indexed.and_then(|index| (0..index.len()).map(|record| index.read(record)).collect::<Result<Vec<_>, _>>());
    match (&failure, by_index) {
        (None, Ok(by_index)) => assert_eq!(records, by_index),
        (Some(stream), Err(index)) => assert_eq!(stream.to_string(), index.to_string()),
        (stream, index) => panic!("the two readers disagree: {stream:?}, {index:?}"),
    }
    (records, failure)
}

fn offset(error: &TfRecordError) -> u64 {
    match error.kind {
        TfRecordErrorKind::Header { offset, .. }
        | TfRecordErrorKind::Truncated { offset, .. }
        | TfRecordErrorKind::Payload { offset, .. } => offset,
        TfRecordErrorKind::Io(ref error) => panic!("{error}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_is_written_is_read(records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20)) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), framed(&records)).unwrap();
        let (found, failure) = read(file.path());
        prop_assert!(failure.is_none());
        prop_assert_eq!(found, records);
    }

    #[test]
    fn examples_survive(
        floats in prop::collection::vec(any::<u32>(), 0..50),
        integers in prop::collection::vec(any::<i64>(), 0..50),
        name in ".{1,10}",
    ) {
        let mut example = Example::default();
        example.set_floats("floats", floats.iter().map(|&bits| f32::from_bits(bits)).collect());
        example.set_integers(&name, integers);
        let bytes = example.to_bytes();
        let back = Example::from_bytes(&bytes).unwrap();
        // NaN differs from itself, so the bytes are compared.
        prop_assert_eq!(back.to_bytes(), bytes);
        prop_assert_eq!(back.names().collect::<Vec<_>>(), example.names().collect::<Vec<_>>());
    }
}

#[test]
fn the_checksum_agrees_with_the_published_vector() {
    // RFC 3720, appendix B.4: CRC-32C of 32 zero bytes is 0x8a9136aa; then TensorFlow's mask.
    assert_eq!(masked_crc(&[0; 32]), 0x8a91_36aa_u32.rotate_right(15).wrapping_add(0xa282_ead8));
}

#[test]
fn every_damaged_byte_is_found_in_its_record() {
    let records: Vec<Vec<u8>> = [5usize, 0, 17].iter().map(|&length| (0..length as u8).collect()).collect();
    let bytes = framed(&records);
    let starts = [0u64, 21, 37];
    let file = tempfile::NamedTempFile::new().unwrap();
    for byte in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[byte] ^= 0x01;
        std::fs::write(file.path(), damaged).unwrap();
        let (_, failure) = read(file.path());
        let start = *starts.iter().rfind(|&&start| start <= byte as u64).unwrap();
        assert_eq!(offset(&failure.unwrap()), start, "byte {byte}");
    }
}

#[test]
fn a_file_cut_anywhere_is_found_or_ends_between_records() {
    let records: Vec<Vec<u8>> = vec![vec![1; 5], vec![], vec![2; 17]];
    let bytes = framed(&records);
    let ends = [0, 21, 37, 70];
    assert_eq!(bytes.len(), 70);
    let file = tempfile::NamedTempFile::new().unwrap();
    for length in 0..bytes.len() {
        std::fs::write(file.path(), &bytes[..length]).unwrap();
        let (found, failure) = read(file.path());
        let whole = ends.iter().filter(|&&end| end <= length).count() - 1;
        match failure {
            None => assert_eq!((found.len(), ends.contains(&length)), (whole, true), "cut at {length}"),
            Some(error) => {
                assert_eq!(offset(&error), ends[whole] as u64, "cut at {length}");
                assert!(matches!(error.kind, TfRecordErrorKind::Truncated { .. }), "cut at {length}: {error}");
            }
        }
    }
}

#[test]
fn a_compressed_file_gets_a_hint() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3, 4]).unwrap();
    let (_, failure) = read(file.path());
    let message = failure.unwrap().to_string();
    assert!(message.ends_with("the file looks compressed, and only uncompressed TFRecord is read"), "{message}");
}

#[test]
fn the_bytes_of_version_1_never_change() {
    let mut example = Example::default();
    example.set_floats("GRU_input", vec![0.0, 1.0, -2.5, f32::MAX]);
    example.set_integers("GRU_input_length", vec![2]);
    let bytes = framed(&[example.to_bytes(), b"second".to_vec()]);
    assert_eq!(bytes, std::fs::read(golden("records.tfrecord")).unwrap());
}

#[test]
fn tensorflows_file_is_read() {
    let (records, failure) = read(&golden("tensorflow.tfrecord"));
    assert!(failure.is_none());
    assert_eq!(records.len(), 3);
    for (row, record) in records.iter().enumerate() {
        let example = Example::from_bytes(record).unwrap();
        assert_eq!(example.names().collect::<Vec<_>>(), ["empty", "floats", "integers", "text"]);
        match example.get("floats") {
            Some(Values::Floats(list)) => assert_eq!(list.value, [row as f32 + 0.25, -1.5, 3.4e38]),
            other => panic!("{other:?}"),
        }
        match example.get("integers") {
            Some(Values::Integers(list)) => assert_eq!(list.value, [row as i64, -1, 1 << 62]),
            other => panic!("{other:?}"),
        }
        match example.get("text") {
            Some(Values::Bytes(list)) => assert_eq!(list.value, [format!("row {row}").into_bytes()]),
            other => panic!("{other:?}"),
        }
        assert_eq!(example.get("empty"), None);
    }
}
