//! The world on disk: every change is one line, written before its call is answered, so that the world outlives a killed process.
//!
//! Like a real cloud it loses nothing when its client dies: a line is one write, which a kill does not cut in two. It is not made for power
//! failures, nor for two processes at once.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
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
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text?,
        };
        let mut past = Past::default();
        for (number, line) in text.lines().enumerate() {
            past.replay(line).ok_or_else(|| {
                io::Error::new(ErrorKind::InvalidData, format!("line {} is no record of a world", number + 1))
            })?;
        }
        Ok((Self(OpenOptions::new().create(true).append(true).open(path)?), past))
    }

    /// Notes the object as it is now.
    pub(crate) fn set(&mut self, object: &Object) {
        let attributes = to_json(&object.attributes).expect("an object of the world has no unknown attributes");
        self.write(&json!({
            "id": object.id, "kind": object.kind, "name": object.name, "token": object.token,
            "revision": object.revision, "attributes": attributes,
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
