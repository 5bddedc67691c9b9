//! The world on disk: every change is one line, written before its call is answered, so that the world outlives a killed process.
//!
//! Like a real cloud it loses nothing when its client dies. A kill may cut a line in two, for Linux ends a write between two pages when the
//! process is dying: such a call was never answered, and opening the journal takes it back. It is not made for power failures, nor for two
//! processes at once.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use pipectl_core::json::{from_json_as, to_json};
use serde_json::{Value as Json, json};

use crate::kind::Kind;
use crate::world::Object;

/// The open file.
#[derive(Debug)]
pub(crate) struct Journal(File);

/// What a journal tells of the past.
#[derive(Debug, Default)]
pub(crate) struct Past {
    pub(crate) objects: BTreeMap<String, Object>,
    pub(crate) made: BTreeMap<(&'static str, String), u64>,
}

impl Journal {
    /// Opens the journal at `path`, which need not exist, and reads it.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Past)> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            file.set_len(whole as u64)?;
            text.truncate(whole);
        }
        let text = String::from_utf8(text).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        let mut past = Past::default();
        for (number, line) in text.lines().enumerate() {
            past.replay(line).ok_or_else(|| {
                io::Error::new(ErrorKind::InvalidData, format!("line {} is no record of a world", number + 1))
            })?;
        }
        Ok((Self(file), past))
    }

    /// Notes the object as it is now.
    pub(crate) fn set(&mut self, object: &Object) {
        let attributes = to_json(&object.attributes).expect("an object of the world has no unknown attributes");
        self.write(&json!({
            "id": object.id, "kind": object.kind, "name": object.name, "token": object.token,
            "place": object.place, "revision": object.revision, "attributes": attributes,
        }));
    }

    /// Notes that an object is gone.
    pub(crate) fn remove(&mut self, id: &str) {
        self.write(&json!({ "removed": id }));
    }

    fn write(&mut self, record: &Json) {
        let line = format!("{record}\n");
        self.0.write_all(line.as_bytes()).expect("the disk of the simulated cloud does not fail");
    }
}

impl Past {
    fn replay(&mut self, line: &str) -> Option<()> {
        let record: Json = serde_json::from_str(line).ok()?;
        if let Some(id) = record.get("removed") {
            self.objects.remove(id.as_str()?);
            return Some(());
        }
        let text = |name: &str| record.get(name)?.as_str().map(str::to_owned);
        let kind = text("kind")?;
        let kind = Kind::ALL.into_iter().find(|known| known.type_name() == kind)?;
        let attributes = from_json_as(record.get("attributes")?, &kind.schema().object_type()).ok()?;
        let object = Object {
            id: text("id")?,
            kind: kind.type_name(),
            name: text("name")?,
            place: text("place")?,
            token: text("token")?,
            attributes,
            revision: record.get("revision")?.as_u64()?,
        };
        if object.revision == 1 {
            *self.made.entry((object.kind, object.name.clone())).or_default() += 1;
        }
        self.objects.insert(object.id.clone(), object);
        Some(())
    }
}
