//! The stage kind as the engine and the worker see it.

#![allow(clippy::unwrap_used)]

#[path = "support/conversions.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pipectl_core::{BlockBody, Digest, Type, Value, json as values};
use pipectl_stage::testing::{Listener, job};
use pipectl_stage::{Stage, StageError, StageIo};
use pipectl_stage_convert::{Conversion, Convert, KINDS};
use serde_json::{Value as Json, json};

struct Ran {
    result: Result<BTreeMap<String, Json>, StageError>,
    heard: Listener,
}

fn run(root: &Path, arguments: Json, files: &[&str]) -> Ran {
    let mut job = job("convert", root, arguments).unwrap();
    if !files.is_empty() {
        job.sources.insert("source".to_owned(), files.iter().map(|file| root.join(file)).collect());
    }
    let heard = Listener::default();
    let mut io = StageIo::new(&job, Box::new(heard.clone()));
    let result = Convert.run(&job, &mut io).map(|()| io.values().clone());
    Ran { result, heard }
}

fn arguments() -> Json {
    json!({
        "source": "events.parquet",
        "input": null,
        "nan": null,
        "step": [
            {"kind": "stack", "columns": ["Pt", "Eta", "Phi", "vtxX", "vtxY"], "into": "particles"},
            {"kind": "sort", "columns": ["particles"], "by": "abs(Eta - first(Eta))", "order": "descending"},
            {"kind": "truncate", "columns": ["particles"], "length": 400, "side": null},
            {"kind": "standardize", "columns": ["particles"]},
            {"kind": "shape", "columns": ["hfeatures"], "shape": [14]},
            {"kind": "scale", "column": "hfeatures", "method": "standard"},
            {"kind": "one_hot", "column": "label", "classes": 3, "into": "label"},
            {"kind": "shuffle", "seed": 42},
        ],
        "output": {"format": "tfrecord", "shards": 2, "columns": ["particles", "hfeatures", "label"], "compression": null},
    })
}

#[test]
fn a_run_makes_what_the_stage_promises() {
    let root = tempfile::tempdir().unwrap();
    std::fs::copy(support::data("compact_6.parquet"), root.path().join("events.parquet")).unwrap();
    let ran = run(root.path(), arguments(), &["events.parquet"]);
    let made = ran.result.unwrap();
    assert_eq!(made["rows"], json!(6));
    assert_eq!(made["columns"]["particles"], json!({"shape": [400, 5], "ragged": true}));
    assert_eq!(made["constants"]["hfeatures"]["mean"].as_array().unwrap().len(), 14);
    assert_eq!(made["metrics"]["source_rows"], json!(6));
    let promised: BTreeSet<&str> =
        Convert.outputs().iter().map(|output| output.name).filter(|name| *name != "dataset").collect();
    assert_eq!(made.keys().map(String::as_str).collect::<BTreeSet<_>>(), promised);
    assert_eq!(pipectl_formats::Dataset::open(&root.path().join("output/dataset")).unwrap().len(), 6);
    let truncated = made["metrics"]["truncated_rows"].as_u64().unwrap();
    let warned = ran.heard.warnings().iter().any(|text| text.contains("truncate"));
    assert_eq!(warned, truncated > 0);
    let progress = ran.heard.progress();
    assert!(progress.iter().any(|progress| progress.phase == "fitting"));
    let last = progress.last().map(|progress| (progress.phase.as_str(), progress.done, progress.total));
    assert_eq!(last, Some(("converting", 6, Some(6))));

    // What the stage made is a source of the next, with its constants.
    let next = json!({
        "input": {"digest": "sha256:1", "path": "output/dataset"},
        "step": [{"kind": "select", "columns": ["label"]}, {"kind": "limit", "rows": 2}],
    });
    let second = tempfile::tempdir().unwrap();
    std::fs::create_dir(second.path().join("output")).unwrap();
    std::fs::rename(root.path().join("output"), second.path().join("first")).unwrap();
    let next = {
        let mut next = next;
        next["input"]["path"] = "first/dataset".into();
        next
    };
    assert_eq!(run(second.path(), next, &[]).result.unwrap()["rows"], json!(2));
}

/// The same inputs give the same bytes for ever. If this fails on purpose, raise `Convert::revision` with it: every key of
/// every convert stage depends on it. (Only operations that IEEE 754 rounds exactly are used here.)
#[test]
fn the_bytes_of_revision_1_never_change() {
    let root = tempfile::tempdir().unwrap();
    std::fs::copy(support::data("compact_6.parquet"), root.path().join("events.parquet")).unwrap();
    run(root.path(), arguments(), &["events.parquet"]).result.unwrap();
    let digest =
        |name: &str| Digest::of(&std::fs::read(root.path().join("output/dataset").join(name)).unwrap()).short();
    let digests = ["dataset.json", "part-00000.tfrecord", "part-00001.tfrecord"].map(digest);
    assert_eq!(Convert.revision(), 1);
    assert_eq!(digests, ["f98e8782744a", "aba527253f99", "6bec3550c7a5"]);
}

#[test]
fn failures_are_for_people() {
    let root = tempfile::tempdir().unwrap();
    std::fs::copy(support::data("compact_6.parquet"), root.path().join("events.parquet")).unwrap();
    let fail = |change: &dyn Fn(&mut Json), files: &[&str]| {
        let mut arguments = arguments();
        change(&mut arguments);
        let error = run(root.path(), arguments, files).result.unwrap_err();
        assert!(!error.transient && !error.stopped);
        (error.summary, error.detail, error.path.map(|path| path.to_string()).unwrap_or_default())
    };
    let (summary, detail, path) =
        fail(&|arguments| arguments["step"][0]["columns"][1] = "Etta".into(), &["events.parquet"]);
    assert_eq!((summary.as_str(), path.as_str()), ("Step does not fit its columns", "step[0].columns[1]"));
    assert!(detail.starts_with("There is no column `Etta`; the columns here are hfeatures, label, Pt,"), "{detail}");
    assert!(detail.ends_with("Did you mean \"Eta\"?"), "{detail}");

    std::fs::write(root.path().join("cut.parquet"), b"PAR1 and no more").unwrap();
    let (summary, detail, path) = fail(&|_| (), &["cut.parquet"]);
    assert_eq!((summary.as_str(), path.as_str()), ("Source not readable", "source"));
    assert!(
        detail.starts_with("cut.parquet: this is not a whole Parquet file, its footer cannot be read: "),
        "{detail}"
    );

    let (summary, detail, path) = fail(&|arguments| arguments["step"][6]["classes"] = 1.into(), &["events.parquet"]);
    assert_eq!((summary.as_str(), path.as_str()), ("Unusable value", "step[6]"));
    assert!(detail.starts_with("events.parquet: row "), "{detail}");
    assert!(
        detail.contains("column `label`, step 6 (\"one_hot\"): ") && detail.ends_with("is none of the classes 0."),
        "{detail}"
    );

    let (summary, _, path) =
        fail(&|arguments| arguments["step"][7] = json!({"kind": "limit", "rows": 0}), &["events.parquet"]);
    assert_eq!((summary.as_str(), path.as_str()), ("No rows", ""));

    let (summary, detail, path) =
        fail(&|arguments| arguments["output"]["columns"][2] = "labels".into(), &["events.parquet"]);
    assert_eq!((summary.as_str(), path.as_str()), ("Output does not fit", "output.columns[2]"));
    assert!(detail.ends_with("Did you mean \"label\"?"), "{detail}");

    let (summary, detail, path) =
        fail(&|arguments| arguments["step"][3]["kind"] = "standardise".into(), &["events.parquet"]);
    assert_eq!((summary.as_str(), path.as_str()), ("Invalid conversion", "step[3]"));
    assert!(detail.contains("Did you mean \"standardize\"?"), "{detail}");
}

#[test]
fn validate_finds_mistakes_before_anything_runs_and_waits_for_what_is_unknown() {
    let judge = |json: &Json| -> Vec<(String, String)> {
        let found = Convert.validate(&values::from_json(json));
        found
            .into_iter()
            .map(|problem| (problem.path.map(|path| path.to_string()).unwrap_or_default(), problem.detail))
            .collect()
    };
    assert_eq!(judge(&arguments()), []);
    let mut wrong = arguments();
    wrong["step"][1]["order"] = "sideways".into();
    wrong["output"]["shards"] = 0.into();
    wrong["input"] = json!({"digest": "sha256:1", "path": "x"});
    let found = judge(&wrong);
    assert_eq!(
        found.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(),
        ["input", "step[1].order", "output.shards"]
    );
    assert_eq!(judge(&json!({"step": []})).len(), 1);

    // Constants of a stage that has not run yet, and a whole step that is not known; a mistake behind them keeps its place.
    let steps = Value::tuple([
        Value::object([
            ("kind", Value::from("scale")),
            ("column", "a".into()),
            ("constants", Value::unknown(Type::Any)),
        ]),
        Value::object([
            ("kind", Value::from("pad")),
            ("columns", Value::unknown(Type::Any)),
            ("length", Value::from(3)),
        ]),
        Value::object([("kind", Value::from("limit")), ("rows", Value::from("many"))]),
    ]);
    let arguments = Value::object([("source", Value::from("a.parquet")), ("step", steps)]);
    let found = Convert.validate(&arguments);
    let paths: Vec<String> = found.iter().map(|problem| problem.path.as_ref().unwrap().to_string()).collect();
    assert_eq!(paths, ["step[2].rows"]);
}

#[test]
fn the_schema_and_the_reader_know_the_same_arguments() {
    let schema = Convert.schema();
    let BlockBody::ByLabel(bodies) = &schema.blocks["step"].body else { panic!("steps differ by kind") };
    assert_eq!(bodies.keys().map(String::as_str).collect::<BTreeSet<_>>(), KINDS.into_iter().collect());
    for (kind, body) in bodies {
        let problems = Conversion::from_json(&json!({"step": [{"kind": kind, "?": 1}]})).unwrap_err();
        let unexpected = problems.iter().find(|problem| problem.path == "step[0].?").unwrap();
        let listed = unexpected.message.split_once("expected are ").unwrap().1.trim_end_matches('.');
        let listed: BTreeSet<&str> = listed.split(", ").filter(|name| *name != "kind").collect();
        assert_eq!(listed, body.attributes.keys().map(String::as_str).collect(), "{kind}");
        assert!(!body.description.is_empty(), "{kind}");
        // What the schema requires is what the reader misses, but for choices between arguments.
        let missing: BTreeSet<String> = problems
            .iter()
            .filter(|problem| problem.message.ends_with("is required."))
            .map(|problem| problem.path.clone())
            .collect();
        let required: BTreeSet<String> =
            body.attributes.iter().filter(|(_, it)| it.required).map(|(name, _)| format!("step[0].{name}")).collect();
        assert_eq!(missing, required, "{kind}");
    }
}
