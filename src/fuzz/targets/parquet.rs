//! Reads a Parquet file: its footer, then all columns.
//!
//! The library underneath panics on some damaged files. Our reader catches that, so the hook that libFuzzer sets, which ends the process
//! on any panic, is taken away; a panic that nobody catches still ends it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pipectl_formats::parquet_reader::ParquetFile;

fuzz_target!(
    init: std::panic::set_hook(Box::new(|_| {})),
    |bytes: &[u8]| {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), bytes).expect("the file was made for this");
        let Ok(opened) = ParquetFile::open(file.path()) else { return };
        let columns: Vec<&str> = opened.columns().iter().map(|(name, _)| name.as_str()).collect();
        if let Ok(batches) = opened.batches(&columns, 100) {
            batches.take(100).take_while(Result::is_ok).for_each(drop);
        }
    }
);
