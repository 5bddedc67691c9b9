//! Snapshots: a whole state in one file or object, beside the log that goes on from it.
//!
//! `{"format":2,"serial":12,"crc32":"5c2b1e90","state":{..}}` and a line feed. The checksum is over the bytes after `"state":`, which are the
//! state's JSON, or a JSON string with the sealed text.

use std::path::Path;

use serde::Deserialize;

use crate::encryption::{Encryption, EncryptionError, Stored};
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

fn context(lineage: &str, serial: u64) -> String {
    format!("pipectl snapshot {serial} {lineage}")
}

/// The bytes of a snapshot.
pub(crate) fn encode(state: &State, encryption: &Encryption) -> Result<Vec<u8>, EncryptionError> {
    let json = serde_json::to_vec(state).expect("a state is plain data");
    let stored = encryption.seal_json(&context(&state.lineage, state.serial), json)?;
    let (serial, checksum) = (state.serial, crc32fast::hash(&stored));
    let mut bytes =
        format!("{{\"format\":{FORMAT},\"serial\":{serial},\"crc32\":\"{checksum:08x}\"{STATE}").into_bytes();
    bytes.extend_from_slice(&stored);
    bytes.extend_from_slice(b"}\n");
    Ok(bytes)
}

/// A snapshot that was read.
pub(crate) struct Decoded {
    pub(crate) state: State,
    pub(crate) stored: Stored,
}

/// Reads the bytes of a snapshot. `path` is for errors.
///
/// # Errors
/// When it is damaged, of a newer format, or cannot be decrypted.
pub(crate) fn decode(
    path: &Path,
    bytes: &[u8],
    lineage: &str,
    serial: u64,
    encryption: &Encryption,
) -> Result<Decoded, StateError> {
    let damaged = |offset: usize, message: String| StateError::damaged(path, offset, message);
    let text = std::str::from_utf8(bytes).map_err(|error| damaged(error.valid_up_to(), "it is not text".to_owned()))?;
    let (envelope, rest) =
        text.split_once(STATE).ok_or_else(|| damaged(0, "the snapshot does not begin as one".to_owned()))?;
    let envelope: Envelope = serde_json::from_str(&format!("{envelope}}}"))
        .map_err(|error| damaged(0, format!("the snapshot does not begin as one: {error}")))?;
    if envelope.format > FORMAT {
        return Err(StateError::NewerFormat { path: path.to_owned(), found: envelope.format });
    }
    let offset = bytes.len() - rest.len();
    let stored =
        rest.strip_suffix("}\n").ok_or_else(|| damaged(bytes.len(), "the snapshot is incomplete".to_owned()))?;
    if format!("{:08x}", crc32fast::hash(stored.as_bytes())) != envelope.crc32 {
        return Err(damaged(offset, "the snapshot does not match its checksum".to_owned()));
    }
    let opened =
        encryption.open_json(&context(lineage, serial), stored.as_bytes()).map_err(StateError::encryption(path))?;
    let state: State = serde_json::from_slice(&opened.plain)
        .map_err(|error| damaged(offset + error.column(), format!("the snapshot is not readable: {error}")))?;
    if state.serial != serial || envelope.serial != serial {
        return Err(damaged(offset, format!("the snapshot holds serial {}", state.serial)));
    }
    if state.lineage != lineage {
        return Err(damaged(offset, "the snapshot is of another state".to_owned()));
    }
    Ok(Decoded { state, stored: opened.stored.max(Stored::in_format(envelope.format == FORMAT)) })
}

/// Whether a snapshot is sealed with the key that writes now: so that one in clear, or under an old passphrase, does not stay behind.
pub(crate) fn is_current(bytes: &[u8], encryption: &Encryption) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let stored = text.split_once(STATE).and_then(|(_, rest)| rest.strip_suffix("}\n"));
    stored.is_some_and(|stored| encryption.is_sealed_with_current_key(stored.as_bytes()))
}
