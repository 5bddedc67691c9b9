//! The score stage with ONNX Runtime, at ORT_DYLIB_PATH: `tests/run peers` installs it.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

#[path = "bench/bench.rs"]
mod bench;

use bench::{Bench, Rows, probabilities};
use serde_json::json;

#[test]
fn onnx_runtime_and_our_own_executor_agree() {
    let library = std::env::var("ORT_DYLIB_PATH").expect("ORT_DYLIB_PATH names ONNX Runtime");
    let bench = Bench::new(Rows::Ragged, 1000);
    let theirs = bench.run("theirs", json!({"engine": "auto"}), Some(&library)).unwrap();
    assert!(theirs.values["scored_by"].as_str().unwrap().starts_with("onnxruntime 1."), "{:?}", theirs.values);
    assert!(theirs.warnings.is_empty(), "{:?}", theirs.warnings);
    let ours = bench.run("ours", json!({"reference": "theirs/predictions.parquet"}), None).unwrap();
    assert_eq!(ours.values["agreement"], 1.0);
    assert!(ours.values["max_difference"].as_f64().unwrap() < 1e-6, "{:?}", ours.values);
    assert_eq!(ours.values["accuracy"], theirs.values["accuracy"]);
    let (ours, theirs) = (
        probabilities(&bench.path("ours/predictions.parquet")),
        probabilities(&bench.path("theirs/predictions.parquet")),
    );
    assert_eq!(ours.len(), 3000);
    assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 1e-6));
}
