//! Whole runs of the export stage.

#![allow(clippy::unwrap_used)]

#[path = "bench/bench.rs"]
mod bench;

use bench::{Bench, Rows};
use pipectl_stage::Stage;
use pipectl_stage_export::Export;
use serde_json::json;

/// The digest of the model that a fixed network gives. When it changes, bump `Export::revision`: results that are kept
/// under the old revision are not those of this program.
const GOLDEN: (u32, &str) = (2, "sha256:4f9b908f647e4e9f01832602159ecc33e7ed6c3dd626ad65ac35bfc130e72493");

#[test]
fn a_run_writes_a_checked_model_and_its_report() {
    for rows in [Rows::Ragged, Rows::Padded] {
        let bench = Bench::new(rows, 40);
        let run = bench.run(json!({"rows": 16}), None).unwrap();
        assert_eq!(run.values["checked_rows"], 16);
        assert!(run.values["max_difference"].as_f64().unwrap() < 1e-6);
        let report = bench.report();
        // A machine may have ONNX Runtime, which then comes first; ours is always there.
        let checks = report["checks"].as_array().unwrap();
        assert_eq!(checks.last().unwrap()["executor"], "pipectl");
        assert_eq!(checks[0]["executor"], report["checked_by"]);
        assert_eq!(run.values["checked_by"], report["checked_by"]);
        assert!(checks.iter().all(|check| check["other_class"] == json!([])));
        assert_eq!(
            report["inputs"],
            json!([
                {"name": "particles", "element_type": "float", "shape": ["N", "T", "3"]},
                {"name": "event", "element_type": "float", "shape": ["N", "2"]},
                {"name": "particles_length", "element_type": "int32", "shape": ["N"]},
            ])
        );
        assert_eq!(report["outputs"], json!([{"name": "class", "element_type": "float", "shape": ["N", "3"]}]));
        assert_eq!((&report["opset"], &report["ir_version"]), (&json!(17), &json!(8)));
        let model = std::fs::read(bench.output().join("model.onnx")).unwrap();
        assert_eq!(report["bytes"], model.len());
        assert_eq!((Export.revision(), pipectl_core::Digest::of(&model).to_string().as_str()), GOLDEN, "{rows:?}");
        assert!(run.warnings.is_empty(), "{:?}", run.warnings);
        assert_eq!(run.messages.len(), 1);
    }
}

#[test]
fn every_output_is_made() {
    let bench = Bench::new(Rows::Ragged, 3);
    // More rows than there are: all of them.
    let run = bench.run(json!({"rows": 1000}), None).unwrap();
    assert_eq!(run.values["checked_rows"], 3);
    for output in Export.outputs() {
        match output.kind {
            pipectl_stage::OutputKind::Files(path) => assert!(bench.output().join(path).is_file(), "{path}"),
            pipectl_stage::OutputKind::Value(_) => assert!(run.values.contains_key(output.name), "{}", output.name),
        }
    }
}

#[test]
fn a_broken_library_warns_and_our_own_executor_checks() {
    let bench = Bench::new(Rows::Ragged, 8);
    let run = bench.run(json!({}), Some("no/such/library.so")).unwrap();
    assert_eq!(run.values["checked_by"], "pipectl");
    assert!(run.warnings[0].contains("no/such/library.so"), "{:?}", run.warnings);
    assert!(run.warnings[0].contains("Set ORT_DYLIB_PATH"), "{:?}", run.warnings);
}

#[test]
fn what_is_wrong_is_said() {
    let bench = Bench::new(Rows::PaddedInFront, 8);
    let error = bench.run(json!({}), None).unwrap_err();
    assert_eq!(error.summary, "Padding within a sequence");
    assert!(
        error.detail.starts_with("Row 0 of the dataset has only padding in step 0 of `particles`"),
        "{}",
        error.detail
    );

    let bench = Bench::new(Rows::Ragged, 8);
    let error = bench.run(json!({"inputs": {"event": "label"}}), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Dataset does not fit the model: Column `label` has shape [3], and `event` takes [2]."
    );
    let error = bench.run(json!({"dataset": {"digest": "sha256:0", "path": "nowhere"}}), None).unwrap_err();
    assert_eq!(error.summary, "Dataset not readable");
    let error = bench.run(json!({"weights": {"digest": "sha256:0", "path": "nowhere"}}), None).unwrap_err();
    assert_eq!(error.summary, "Weights not readable");
    let error = Bench::new(Rows::Ragged, 0).run(json!({}), None).unwrap_err();
    assert_eq!(error.summary, "Empty dataset");
}
