//! What a plan says about a conversion from the headers of its source files, before anything runs.

#![allow(clippy::unwrap_used)]

#[path = "support/conversions.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::Path;

use pipectl_core::{Digest, Type, Value, json as values};
use pipectl_formats::parquet_writer::{Cells, Compression, ParquetWriter, WriteKind};
use pipectl_formats::tfrecord::RecordWriter;
use pipectl_stage::{SourceFile, Stage};
use pipectl_stage_convert::Convert;
use serde_json::{Value as Json, json};

/// Judges a declaration over files of a folder: path, summary and detail of each finding.
fn judge(folder: &Path, files: &[&str], arguments: &Value) -> Vec<(String, String, String)> {
    let file = |name: &&str| SourceFile {
        name: (*name).to_owned(),
        path: folder.join(name),
        digest: Digest::of(name.as_bytes()),
    };
    let sources = BTreeMap::from([("source".to_owned(), files.iter().map(file).collect())]);
    match Convert.check_sources(arguments, &sources) {
        Ok(()) => Vec::new(),
        Err(found) => found
            .into_iter()
            .map(|found| (found.path.unwrap_or_default().to_string(), found.summary, found.detail))
            .collect(),
    }
}

/// The one finding about steps over `files`.
fn only(folder: &Path, files: &[&str], steps: Json, output: Json) -> (String, String, String) {
    let mut found = judge(folder, files, &values::from_json(&json!({"step": steps, "output": output})));
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// Two files of events with other columns.
fn events() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(support::data("compact_6.parquet"), folder.path().join("a.parquet")).unwrap();
    let columns = [("Pt", WriteKind::Floats), ("label", WriteKind::Floats)];
    let path = folder.path().join("b.parquet");
    let mut writer = ParquetWriter::create(&path, &columns, Compression::None, &[]).unwrap();
    writer.write(vec![Cells::Floats(vec![1.0], vec![1]), Cells::Floats(vec![1.0], vec![1])]).unwrap();
    writer.finish().unwrap();
    folder
}

#[test]
fn a_wrong_column_is_found_where_it_stands() {
    let folder = events();
    // Steps behind the two that every case begins with, and the place and the end of what is said.
    let cases = [
        (
            json!({"kind": "stack", "columns": ["Pt", "Etaa"], "into": "p"}),
            "step[2].columns[1]",
            "Did you mean \"Eta\"?",
        ),
        (json!({"kind": "sort", "columns": ["Pt"], "by": "dR + Ptt"}), "step[2].by", "Did you mean \"Pt\"?"),
        (
            json!({"kind": "sort", "columns": ["Pt", "label"], "by": "dR"}),
            "step[2].columns[1]",
            "is a list of any number.",
        ),
        (json!({"kind": "derive", "columns": {"a": "Pt", "b": "Phy"}}), "step[2].columns.b", "Did you mean \"Phi\"?"),
        (json!({"kind": "select", "rename": {"Pd": "p"}}), "step[2].rename.Pd", "Did you mean \"Pt\"?"),
        (
            json!({"kind": "one_hot", "column": "lable", "classes": 3, "into": "c"}),
            "step[2].column",
            "Did you mean \"label\"?",
        ),
        (json!({"kind": "scale", "column": "hfeature"}), "step[2].column", "Did you mean \"hfeatures\"?"),
        (json!({"kind": "filter", "condition": "labell < 2"}), "step[2].condition", "Did you mean \"label\"?"),
        (json!({"kind": "shape", "columns": "label", "shape": [3]}), "step[2].shape", "it cannot be a list of 3."),
    ];
    for (step, place, end) in cases {
        let steps = json!([
            {"kind": "derive", "columns": {"dR": "hypot(Eta - first(Eta), wrap_phi(Phi - first(Phi)))"}},
            {"kind": "shape", "columns": ["hfeatures"], "shape": [14]},
            step,
        ]);
        let (path, summary, detail) = only(folder.path(), &["a.parquet"], steps, json!(null));
        assert_eq!((path.as_str(), summary.as_str()), (place, "Step does not fit its columns"), "{detail}");
        assert!(detail.ends_with(end), "{detail}");
    }
    let output = json!({"columns": ["label", "lable"]});
    let (path, summary, detail) = only(folder.path(), &["a.parquet"], json!([]), output);
    assert_eq!((path.as_str(), summary.as_str()), ("output.columns[1]", "Output does not fit"));
    assert!(detail.ends_with("Did you mean \"label\"?"), "{detail}");
    let (path, _, detail) =
        only(folder.path(), &["a.parquet"], json!([{"kind": "select", "columns": "Pt"}]), json!(null));
    assert_eq!(path, "output", "no column was named there");
    assert!(detail.starts_with("Column `Pt` is a list of any number without a bound. Give it one: "), "{detail}");
}

#[test]
fn every_mistake_of_a_step_is_a_finding() {
    let folder = events();
    let steps = json!([{"kind": "stack", "columns": ["Ptt", "Pt", "Phy"], "into": "p"}]);
    let found = judge(folder.path(), &["a.parquet"], &values::from_json(&json!({"step": steps})));
    let paths: Vec<&str> = found.iter().map(|(path, ..)| path.as_str()).collect();
    assert_eq!(paths, ["step[0].columns[0]", "step[0].columns[2]"]);
}

#[test]
fn files_must_agree_in_the_columns_that_are_read() {
    let folder = events();
    let bound = json!([{"kind": "truncate", "columns": ["Pt"], "length": 9}]);
    let files = ["a.parquet", "b.parquet"];
    let (path, summary, detail) = only(folder.path(), &files, bound.clone(), json!({"columns": ["Pt", "label"]}));
    assert_eq!((path.as_str(), summary.as_str()), ("source", "Source files differ"));
    assert_eq!(detail, "b.parquet: column `label` is a list of numbers; in a.parquet it is a number.");
    let (_, _, detail) = only(folder.path(), &files, json!([]), json!({"columns": ["label"]}));
    assert!(detail.starts_with("b.parquet: column `label`"), "{detail}");
    let pt = json!({"step": bound, "output": {"columns": ["Pt"]}});
    assert_eq!(judge(folder.path(), &files, &values::from_json(&pt)), []);

    std::fs::write(folder.path().join("c.tfrecord"), b"").unwrap();
    let (_, summary, detail) = only(folder.path(), &["a.parquet", "c.tfrecord"], json!([]), json!(null));
    assert_eq!(summary, "Source files differ");
    assert_eq!(detail, "c.tfrecord is not of the same format as a.parquet.");
}

#[test]
fn damaged_files_are_found() {
    let folder = events();
    let whole = std::fs::read(folder.path().join("b.parquet")).unwrap();
    std::fs::write(folder.path().join("b.parquet"), &whole[..whole.len() / 2]).unwrap();
    let (path, summary, detail) = only(folder.path(), &["a.parquet", "b.parquet"], json!([]), json!(null));
    assert_eq!((path.as_str(), summary.as_str()), ("source", "Source not readable"));
    assert!(detail.starts_with("b.parquet: this is not a whole Parquet file"), "{detail}");
}

#[test]
fn of_records_the_first_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tfrecord");
    let mut writer = RecordWriter::create(&path).unwrap();
    // A `tf.train.Example` whose feature `image` is a list of bytes.
    writer.write(b"\x0a\x10\x0a\x0e\x0a\x05image\x12\x05\x0a\x03\x0a\x01x").unwrap();
    writer.finish().unwrap();
    // What is behind it is not looked at: an index of a large file takes a while.
    let first = std::fs::read(&path).unwrap();
    std::fs::write(&path, [first.as_slice(), b"cut"].concat()).unwrap();
    std::fs::write(folder.path().join("0.tfrecord"), b"").unwrap();
    let pad = json!([{"kind": "pad", "columns": ["image"], "length": 3}]);
    let (path, _, detail) = only(folder.path(), &["0.tfrecord", "a.tfrecord"], pad, json!(null));
    assert_eq!(path, "step[0].columns[0]");
    assert_eq!(detail, "Column `image` is of type `bytes`; only numbers can be used here.");
}

#[test]
fn what_is_not_known_is_left_to_the_run() {
    let folder = events();
    let step = |members: &[(&'static str, Value)]| Value::object(members.iter().cloned());
    let column = |name: &str| Value::tuple([Value::from(name)]);
    let shape =
        step(&[("kind", "shape".into()), ("columns", column("hfeatures")), ("shape", Value::tuple([Value::from(14)]))]);
    let scale = |name: &str| {
        step(&[("kind", "scale".into()), ("column", name.into()), ("constants", Value::unknown(Type::Any))])
    };
    let unknown = step(&[("kind", "select".into()), ("columns", Value::unknown(Type::list(Type::String)))]);
    let limit = |column: &str| step(&[("kind", "filter".into()), ("condition", format!("{column} > 0").into())]);
    let judged = |steps: &[Value]| {
        let arguments = Value::object([
            ("step", Value::tuple(steps.iter().cloned())),
            ("output", Value::object([("columns", column("label"))])),
        ]);
        judge(folder.path(), &["a.parquet"], &arguments).into_iter().map(|(path, ..)| path).collect::<Vec<_>>()
    };
    // Constants of a stage that has not run yet say nothing about columns.
    assert_eq!(judged(&[shape.clone(), scale("hfeatures"), limit("label")]), [""; 0]);
    assert_eq!(judged(&[shape.clone(), scale("hfeatures"), limit("lable")]), ["step[2].condition"]);
    // Behind a step that is not known nothing is judged, before it everything.
    assert_eq!(judged(&[unknown.clone(), limit("lable")]), [""; 0]);
    assert_eq!(judged(&[limit("lable"), unknown.clone()]), ["step[0].condition"]);
    assert_eq!(judged(&[limit("label"), unknown]), [""; 0]);
    let arguments =
        Value::object([("step", Value::unknown(Type::Any)), ("output", Value::object([("columns", column("lable"))]))]);
    assert_eq!(judge(folder.path(), &["a.parquet"], &arguments), []);
    let arguments = Value::object([("step", Value::tuple([])), ("output", Value::unknown(Type::Any))]);
    assert_eq!(judge(folder.path(), &["a.parquet"], &arguments), []);
    // A malformed declaration is what `validate` speaks about.
    let arguments = values::from_json(&json!({"step": [{"kind": "limit", "rows": "many"}]}));
    assert_eq!(judge(folder.path(), &["a.parquet"], &arguments), []);
}
