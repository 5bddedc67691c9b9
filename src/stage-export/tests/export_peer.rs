//! The export stage with ONNX Runtime, at ORT_DYLIB_PATH: `tests/run peers` installs it.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

#[path = "bench/bench.rs"]
mod bench;

use bench::{Bench, Rows};
use serde_json::json;

#[test]
fn onnx_runtime_vouches_for_the_model_and_ours_agrees() {
    let library = std::env::var("ORT_DYLIB_PATH").expect("ORT_DYLIB_PATH names ONNX Runtime");
    for rows in [Rows::Ragged, Rows::Padded] {
        let bench = Bench::new(rows, 300);
        let run = bench.run(json!({}), Some(&library)).unwrap();
        assert!(run.values["checked_by"].as_str().unwrap().starts_with("onnxruntime 1."), "{:?}", run.values);
        assert!(run.warnings.is_empty(), "{:?}", run.warnings);
        let report = bench.report();
        let checks = report["checks"].as_array().unwrap();
        assert_eq!(checks.len(), 2);
        assert_eq!(checks[1]["executor"], "pipectl");
        for check in checks {
            assert_eq!(check["rows"], 256);
            assert_eq!(check["other_class"], json!([]));
            assert!(check["max_difference"].as_f64().unwrap() < 1e-6, "{check}");
        }
    }
}
