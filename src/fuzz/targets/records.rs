//! Reads a TFRecord file: the bytes as they are, and the bytes as one record of a whole file, whose content is then an example.
//!
//! Beyond not panicking: what was written is read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pipectl_formats::example::Example;
use pipectl_formats::tfrecord::{RecordReader, RecordWriter};

fuzz_target!(|bytes: &[u8]| {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), bytes).expect("the file was made for this");
    if let Ok(reader) = RecordReader::open(file.path()) {
        reader.take_while(Result::is_ok).for_each(drop);
    }
    let mut writer = RecordWriter::create(file.path()).expect("the file was made for this");
    writer.write(bytes).and_then(|_| writer.finish()).expect("a temporary file takes it");
    let records: Vec<_> = RecordReader::open(file.path()).expect("it was just written").collect();
    assert!(matches!(records.as_slice(), [Ok(record)] if record == bytes));
    if let Ok(example) = Example::from_bytes(bytes) {
        let again = Example::from_bytes(&example.to_bytes()).expect("what was written is read");
        assert_eq!(again.to_bytes(), example.to_bytes());
    }
});
