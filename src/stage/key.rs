//! Keys by parts: what decides the outputs of a stage, piece by piece, so that a plan can name the piece that changed.

use std::collections::{BTreeMap, BTreeSet};

use pipectl_core::{Digest, Value, json};
use pipectl_provider::Reason;
use pipectl_provider::context::Fingerprints;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::sources::SourceFile;

/// A stage's key: the digest of all its parts.
pub type Key = Digest;

/// One piece of a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "snake_case")]
pub enum Part {
    /// An argument; artifacts inside are replaced by their digests.
    Argument {
        /// The value.
        value: Json,
    },
    /// Source files. Names are for people, only the digests, in order, count.
    Sources {
        /// Name and digest of each.
        files: Vec<(String, Digest)>,
    },
    /// A secret argument: its fingerprint stands for it.
    Secret {
        /// A keyed MAC of the stage's address, the argument's name and the value.
        #[serde(alias = "digest")]
        fingerprint: String,
    },
}

/// All pieces of a stage's key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyParts {
    /// The stage kind.
    pub kind: String,
    /// Its revision.
    pub revision: u32,
    /// The rest by argument.
    pub parts: BTreeMap<String, Part>,
}

impl KeyParts {
    /// The parts of wholly known arguments. Absent (null) arguments are no part, so that a new optional argument changes no key.
    /// `None` when an argument that counts is not known yet.
    pub fn of(
        kind: &str,
        revision: u32,
        address: &str,
        arguments: &Value,
        leave_out: &BTreeSet<&str>,
        sources: &BTreeMap<String, Vec<SourceFile>>,
        fingerprints: &Fingerprints,
    ) -> Option<Self> {
        let mut parts = BTreeMap::new();
        for (name, value) in arguments.as_object()? {
            if leave_out.contains(name.as_str()) || value.is_null() {
                continue;
            }
            if let Some(files) = sources.get(name) {
                parts.insert(
                    name.clone(),
                    Part::Sources { files: files.iter().map(|file| (file.name.clone(), file.digest)).collect() },
                );
                continue;
            }
            let marks = value.marks_deep();
            let json = content(&json::to_json(value)?);
            let part = if marks.is_empty() {
                Part::Argument { value: json }
            } else {
                let context = format!("{address} {name}");
                Part::Secret { fingerprint: fingerprints.of(&context, json.to_string().as_bytes()) }
            };
            parts.insert(name.clone(), part);
        }
        Some(Self { kind: kind.to_owned(), revision, parts })
    }

    /// The digest of all parts: of their canonical JSON, with digests only for sources.
    pub fn key(&self) -> Key {
        let parts: BTreeMap<&str, Json> = self
            .parts
            .iter()
            .map(|(name, part)| {
                let json = match part {
                    Part::Argument { value } => value.clone(),
                    Part::Sources { files } => files.iter().map(|(_, digest)| digest.to_string()).collect(),
                    Part::Secret { fingerprint } => Json::from(fingerprint.as_str()),
                };
                (name.as_str(), json)
            })
            .collect();
        let whole = serde_json::json!({ "kind": self.kind, "revision": self.revision, "parts": parts });
        Digest::of(whole.to_string().as_bytes())
    }

    /// What is different from `before`, in words.
    pub fn changes_since(&self, before: &KeyParts) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if self.revision != before.revision {
            reasons.push(Reason::new(format!(
                "stage kind `{}` changed: revision {} -> {}",
                self.kind, before.revision, self.revision
            )));
        }
        let names: BTreeSet<&String> = self.parts.keys().chain(before.parts.keys()).collect();
        for name in names {
            let path = pipectl_core::Path::of(name);
            let texts = match (before.parts.get(name), self.parts.get(name)) {
                (Some(Part::Sources { files: old }), Some(Part::Sources { files: new })) => source_changes(old, new),
                (Some(old), Some(new)) if old != new => argument_changes(name, old, new),
                (None, Some(_)) => vec![format!("argument `{name}` was added")],
                (Some(_), None) => vec![format!("argument `{name}` was removed")],
                _ => Vec::new(),
            };
            reasons.extend(texts.into_iter().map(|text| Reason::on(&path, text)));
        }
        reasons
    }
}

/// The value as it counts: an artifact, an object with `digest` and `path`, counts by its digest alone.
fn content(json: &Json) -> Json {
    match json {
        Json::Object(members) => {
            let digest = members.get("digest").and_then(Json::as_str).filter(|digest| digest.starts_with("sha256:"));
            match (digest, members.contains_key("path")) {
                (Some(digest), true) => Json::from(digest),
                _ => Json::Object(
                    members
                        .iter()
                        .filter(|(_, value)| !value.is_null())
                        .map(|(name, value)| (name.clone(), content(value)))
                        .collect(),
                ),
            }
        }
        Json::Array(elements) => Json::Array(elements.iter().map(content).collect()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => json.clone(),
    }
}

fn source_changes(old: &[(String, Digest)], new: &[(String, Digest)]) -> Vec<String> {
    if old.iter().map(|(_, digest)| digest).eq(new.iter().map(|(_, digest)| digest)) {
        return Vec::new();
    }
    let before: BTreeMap<&str, &Digest> = old.iter().map(|(name, digest)| (name.as_str(), digest)).collect();
    let after: BTreeMap<&str, &Digest> = new.iter().map(|(name, digest)| (name.as_str(), digest)).collect();
    let mut texts = Vec::new();
    for (name, digest) in &after {
        match before.get(name) {
            Some(was) if was == digest => {}
            Some(was) => texts.push(format!("input `{name}` changed: {}.. -> {}..", was.short(), digest.short())),
            None => texts.push(format!("input `{name}` was added: {}..", digest.short())),
        }
    }
    texts.extend(
        before
            .iter()
            .filter(|(name, _)| !after.contains_key(*name))
            .map(|(name, was)| format!("input `{name}` was removed: {}..", was.short())),
    );
    if texts.is_empty() {
        texts.push("the order of the input files changed".to_owned());
    }
    texts
}

/// How many differences inside of one argument are told one by one.
const MOST_TOLD: usize = 4;

fn argument_changes(name: &str, old: &Part, new: &Part) -> Vec<String> {
    let (Part::Argument { value: old }, Part::Argument { value: new }) = (old, new) else {
        return vec![format!("argument `{name}` changed")];
    };
    let digest = |json: &Json| json.as_str().and_then(|text| text.parse::<Digest>().ok());
    if let (Some(old), Some(new)) = (digest(old), digest(new)) {
        return vec![format!("input `{name}` changed: {}.. -> {}..", old.short(), new.short())];
    }
    let mut texts = Vec::new();
    differences(name, old, new, &mut texts);
    let more = texts.len().saturating_sub(MOST_TOLD);
    if more > 0 {
        texts.truncate(MOST_TOLD);
        let noun = if more == 1 { "difference" } else { "differences" };
        texts.push(format!("{more} more {noun} in argument `{name}`"));
    }
    texts
}

/// Follows differences inwards, through objects and lists of the same length.
fn differences(path: &str, old: &Json, new: &Json, texts: &mut Vec<String>) {
    if old == new {
        return;
    }
    if let (Some(old), Some(new)) = (line(old), line(new)) {
        texts.push(format!("argument `{path}` changed: {old} -> {new}"));
        return;
    }
    match (old, new) {
        (Json::Object(before), Json::Object(after)) => {
            let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for name in names {
                let path = format!("{path}.{name}");
                match (before.get(name), after.get(name)) {
                    (Some(old), Some(new)) => differences(&path, old, new, texts),
                    (None, _) => texts.push(format!("argument `{path}` was added")),
                    (_, None) => texts.push(format!("argument `{path}` was removed")),
                }
            }
        }
        (Json::Array(before), Json::Array(after)) if before.len() == after.len() => {
            for (index, (old, new)) in before.iter().zip(after).enumerate() {
                differences(&format!("{path}[{index}]"), old, new, texts);
            }
        }
        (Json::Array(before), Json::Array(after)) => {
            texts.push(format!("argument `{path}` changed: {} -> {} elements", before.len(), after.len()));
        }
        _ => texts.push(format!("argument `{path}` changed")),
    }
}

/// What is told as a whole: a plain value, or a list of some, if it is short.
fn line(json: &Json) -> Option<String> {
    let is_plain = |json: &Json| !(json.is_array() || json.is_object());
    let is_line = is_plain(json) || json.as_array().is_some_and(|elements| elements.iter().all(is_plain));
    is_line.then(|| json.to_string()).filter(|text| text.len() <= 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(arguments: &Value, sources: &[(&str, &str)]) -> KeyParts {
        let files = sources
            .iter()
            .map(|(name, text)| SourceFile {
                name: (*name).to_owned(),
                path: name.into(),
                digest: Digest::of(text.as_bytes()),
            })
            .collect();
        KeyParts::of(
            "train",
            1,
            "stage.train.a",
            arguments,
            &BTreeSet::from(["executor"]),
            &BTreeMap::from([("source".to_owned(), files)]),
            &Fingerprints::none(),
        )
        .expect("known arguments")
    }

    fn arguments(epochs: i64, path: &str) -> Value {
        Value::object([
            ("epochs", Value::from(epochs)),
            ("source", "data/*.parquet".into()),
            ("executor", "x".into()),
            ("seed", Value::null()),
            ("dataset", Value::object([("digest", Value::from(Digest::of(b"d").to_string())), ("path", path.into())])),
        ])
    }

    #[test]
    fn content_counts_and_places_do_not() {
        let one = parts(&arguments(6, "here"), &[("data/a", "1")]);
        assert_eq!(one.key(), parts(&arguments(6, "there"), &[("elsewhere/a", "1")]).key());
        assert_ne!(one.key(), parts(&arguments(7, "here"), &[("data/a", "1")]).key());
        assert_ne!(one.key(), parts(&arguments(6, "here"), &[("data/a", "2")]).key());
        assert!(one.changes_since(&one).is_empty());
    }

    #[test]
    fn reasons_name_the_piece() {
        let before = parts(&arguments(6, "here"), &[("data/a", "1")]);
        let after = parts(&arguments(7, "here"), &[("data/a", "2")]);
        let texts: Vec<String> = after.changes_since(&before).into_iter().map(|reason| reason.text).collect();
        let (was, is) = (Digest::of(b"1").short(), Digest::of(b"2").short());
        assert_eq!(
            texts,
            vec!["argument `epochs` changed: 6 -> 7".to_owned(), format!("input `data/a` changed: {was}.. -> {is}..")]
        );
    }

    #[test]
    fn differences_inside_of_an_argument_are_told_one_by_one() {
        let told = |old: Json, new: Json| {
            argument_changes("model", &Part::Argument { value: old }, &Part::Argument { value: new })
        };
        let layers = |units: [u32; 2], parameters: u32| {
            let [first, second] = units.map(|units| serde_json::json!({ "units": units }));
            serde_json::json!({ "layers": [first, second], "parameters": parameters })
        };
        assert_eq!(
            told(layers([50, 3], 12_353), layers([64, 3], 20_001)),
            [
                "argument `model.layers[0].units` changed: 50 -> 64",
                "argument `model.parameters` changed: 12353 -> 20001"
            ]
        );
        assert_eq!(told(serde_json::json!([1, 2]), serde_json::json!([1])), ["argument `model` changed: [1,2] -> [1]"]);
        let elements = |count: usize| serde_json::json!(vec![serde_json::json!({}); count]);
        assert_eq!(told(elements(2), elements(1)), ["argument `model` changed: 2 -> 1 elements"]);
        assert_eq!(
            told(serde_json::json!({ "a": 1 }), serde_json::json!({ "b": 1 })),
            ["argument `model.a` was removed", "argument `model.b` was added"]
        );
        let units = |units: u32| serde_json::json!(vec![serde_json::json!({ "units": units }); 6]);
        let many = told(units(1), units(2));
        assert_eq!((many.len(), many[4].as_str()), (5, "2 more differences in argument `model`"));
    }

    #[test]
    fn unknown_arguments_give_no_key() {
        let unknown = Value::object([("dataset", Value::unknown(pipectl_core::Type::Any))]);
        assert_eq!(
            KeyParts::of("train", 1, "a", &unknown, &BTreeSet::new(), &BTreeMap::new(), &Fingerprints::none()),
            None
        );
    }
}
