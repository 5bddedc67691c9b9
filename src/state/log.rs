//! Reading a log: from its bytes to the state they lead to.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::encryption::{Encryption, Stored};
use crate::frame::{self, Next};
use crate::{FORMAT, Record, State, StateError};

/// The first frame of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// Version of the format.
    pub(crate) format: u32,
    /// The state's name.
    pub(crate) lineage: String,
    /// The root that the state belongs to.
    pub(crate) root: String,
    /// Serial of the snapshot that the log goes on from; 0: it begins with nothing.
    pub(crate) base: u64,
}

impl Header {
    pub(crate) fn of(state: &State) -> Self {
        Self { format: FORMAT, lineage: state.lineage.clone(), root: state.root.clone(), base: state.serial }
    }

    /// The state that the log begins with, when it goes on from no snapshot.
    pub(crate) fn empty_state(&self) -> State {
        State { lineage: self.lineage.clone(), root: self.root.clone(), ..State::default() }
    }

    pub(crate) fn frame(&self) -> Vec<u8> {
        frame::frame(&serde_json::to_vec(self).expect("a header is plain data"))
    }
}

/// Only what every version of the header has.
#[derive(Deserialize)]
struct Versioned {
    format: u32,
}

/// Reads the header; the offset is that of the first record.
///
/// # Errors
/// When it is damaged, incomplete (it is written whole, before the log gets its name), or of a newer format.
pub(crate) fn read_header(path: &Path, bytes: &[u8]) -> Result<(Header, usize), StateError> {
    let (json, end) = match frame::next(bytes, 0) {
        Next::Frame { json, end } => (json, end),
        Next::End => return Err(StateError::damaged(path, 0, "the file is empty")),
        Next::Torn => return Err(StateError::damaged(path, 0, "the header is incomplete")),
        Next::Damaged(message) => return Err(StateError::damaged(path, 0, message)),
    };
    let unreadable =
        |error: serde_json::Error| StateError::damaged(path, 0, format!("the header is not readable: {error}"));
    let versioned: Versioned = serde_json::from_slice(json).map_err(unreadable)?;
    if versioned.format > FORMAT {
        return Err(StateError::NewerFormat { path: path.to_owned(), found: versioned.format });
    }
    Ok((serde_json::from_slice(json).map_err(unreadable)?, end))
}

/// What a record's seal covers: nothing of another state, and no other record of this one, opens in its place.
pub(crate) fn record_context(lineage: &str, serial: u64) -> String {
    format!("pipectl log record {serial} {lineage}")
}

/// What was read of a log's records.
pub(crate) struct Replayed {
    /// Where the last complete record ends; what follows there, if anything, is a torn tail.
    pub(crate) end: usize,
    /// How the records are stored.
    pub(crate) stored: Stored,
}

/// Takes all records from `offset` on into `state`, which stands at the header's base.
///
/// # Errors
/// When a record is damaged, out of order, or cannot be decrypted.
pub(crate) fn replay(
    path: &Path,
    bytes: &[u8],
    mut offset: usize,
    encryption: &Encryption,
    state: &mut State,
) -> Result<Replayed, StateError> {
    let mut stored = Stored::Current;
    loop {
        match frame::next(bytes, offset) {
            Next::End | Next::Torn => return Ok(Replayed { end: offset, stored }),
            Next::Damaged(message) => return Err(StateError::damaged(path, offset, message)),
            Next::Frame { json, end } => {
                let context = record_context(&state.lineage, state.serial + 1);
                let opened = encryption.open_json(&context, json).map_err(StateError::encryption(path))?;
                stored = stored.max(opened.stored);
                let record: Record = serde_json::from_slice(&opened.plain)
                    .map_err(|error| StateError::damaged(path, offset, format!("a record is not readable: {error}")))?;
                if record.serial != state.serial + 1 {
                    let message = format!("record {} follows record {}", record.serial, state.serial);
                    return Err(StateError::damaged(path, offset, message));
                }
                state.take(record);
                offset = end;
            }
        }
    }
}
