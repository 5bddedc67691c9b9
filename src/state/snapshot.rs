//! Snapshots: a whole state in one file, beside the log that goes on from it.
//!
//! `{"format":1,"serial":12,"crc32":"5c2b1e90","state":{..}}` and a line feed. The checksum is over the bytes of the state's JSON.

use std::path::Path;

use serde::Deserialize;

use crate::{FORMAT, State, StateError};

/// What stands before the state.
#[derive(Deserialize)]
struct Envelope {
    format: u32,
    serial: u64,
    crc32: String,
}

/// Between the envelope and the state.
const STATE: &str = ",\"state\":";

/// The name of the snapshot after a record.
pub(crate) fn file_name(serial: u64) -> String {
    format!("snapshot-{serial}.json")
}

/// The serial in the name of a snapshot.
pub(crate) fn serial_of(file_name: &str) -> Option<u64> {
    file_name.strip_prefix("snapshot-")?.strip_suffix(".json")?.parse().ok()
}

/// The bytes of a snapshot.
pub(crate) fn encode(state: &State) -> Vec<u8> {
    let json = serde_json::to_string(state).expect("a state is plain data");
    let checksum = crc32fast::hash(json.as_bytes());
    let serial = state.serial;
    format!("{{\"format\":{FORMAT},\"serial\":{serial},\"crc32\":\"{checksum:08x}\"{STATE}{json}}}\n").into_bytes()
}

/// Reads a snapshot and tells its length in bytes. `Ok(None)`: there is no such file.
///
/// # Errors
/// When it cannot be read, is damaged, or is of a newer format.
pub(crate) fn read(folder: &Path, serial: u64) -> Result<Option<(State, u64)>, StateError> {
    let path = folder.join(file_name(serial));
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StateError::io("read", &path)(error)),
    };
    let damaged = |offset: usize, message: String| StateError::damaged(&path, offset, message);
    let text =
        std::str::from_utf8(&bytes).map_err(|error| damaged(error.valid_up_to(), "it is not text".to_owned()))?;
    let (envelope, rest) =
        text.split_once(STATE).ok_or_else(|| damaged(0, "the snapshot does not begin as one".to_owned()))?;
    let envelope: Envelope = serde_json::from_str(&format!("{envelope}}}"))
        .map_err(|error| damaged(0, format!("the snapshot does not begin as one: {error}")))?;
    if envelope.format > FORMAT {
        return Err(StateError::NewerFormat { path, found: envelope.format });
    }
    let offset = bytes.len() - rest.len();
    let json = rest.strip_suffix("}\n").ok_or_else(|| damaged(bytes.len(), "the snapshot is incomplete".to_owned()))?;
    if format!("{:08x}", crc32fast::hash(json.as_bytes())) != envelope.crc32 {
        return Err(damaged(offset, "the snapshot does not match its checksum".to_owned()));
    }
    let state: State = serde_json::from_str(json)
        .map_err(|error| damaged(offset + error.column(), format!("the snapshot is not readable: {error}")))?;
    if state.serial != serial || envelope.serial != serial {
        return Err(damaged(offset, format!("the snapshot holds serial {}", state.serial)));
    }
    Ok(Some((state, bytes.len() as u64)))
}
