//! Reads a state: the bytes as a log, and the same with right checksums; then a writer goes on from it.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pipectl_state::{Holder, LocalStore, StateStore};

/// Lines of JSON as the frames of a log.
fn framed(bytes: &[u8]) -> Vec<u8> {
    let mut log = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        // A seed is framed already: its JSON begins behind length and checksum.
        let json = if line.get(17) == Some(&b' ') { &line[18..] } else { line };
        log.extend_from_slice(format!("{:08x} {:08x} ", json.len(), checksum(json)).as_bytes());
        log.extend_from_slice(json);
        log.push(b'\n');
    }
    log
}

/// CRC-32 (ISO-HDLC), bit by bit.
fn checksum(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    for log in [bytes.to_vec(), framed(bytes)] {
        std::fs::write(folder.path().join("log"), &log).expect("the folder was made for this");
        let store = LocalStore::new(folder.path());
        let Ok(read) = store.read() else { continue };
        let text = || "fuzz".to_owned();
        let holder = Holder { pid: 1, who: text(), operation: text(), since: text() };
        if let Ok(mut writer) = store.lock(&holder, Duration::ZERO) {
            // Taking the lock changes nothing but a torn tail.
            assert_eq!(read.map(|state| state.serial).unwrap_or_default(), writer.state().serial);
            let _ = writer.commit(Vec::new());
        }
    }
});
