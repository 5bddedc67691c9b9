//! Whole runs of the score stage on our own executor.

#![allow(clippy::unwrap_used)]

#[path = "bench/bench.rs"]
mod bench;

use bench::{Bench, Rows, probabilities};
use pipectl_formats::parquet_reader::ParquetFile;
use pipectl_stage::{OutputKind, Stage};
use pipectl_stage_score::Score;
use serde_json::{Value as Json, json};

/// The digest of the predictions of a fixed model on fixed rows, by our own executor, whose results are the same on every
/// machine. When it changes, bump `Score::revision`.
const GOLDEN: (u32, &str) = (2, "sha256:5e81c51a56eb16ccd8593d1582867aa0a1cd3e4cdce79a8b0f043e2ecdf19d9d");

#[test]
fn predictions_are_the_same_in_any_batches_on_any_threads_and_in_any_storage() {
    let bench = Bench::new(Rows::Ragged, 100);
    bench.write_dataset("padded", Rows::Padded, 100, true);
    let run = bench.run("out", json!({}), None).unwrap();
    let path = bench.path("out/predictions.parquet");
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!((Score.revision(), pipectl_core::Digest::of(&bytes).to_string().as_str()), GOLDEN);
    let variants = [
        json!({"batch_size": 1}),
        json!({"batch_size": 7, "threads": 1}),
        json!({"batch_size": 1000, "threads": 3}),
        json!({"dataset": "padded"}),
    ];
    for variant in variants {
        let other = bench.run("other", variant.clone(), None).unwrap();
        assert_eq!(std::fs::read(bench.path("other/predictions.parquet")).unwrap(), bytes, "{variant}");
        assert_eq!(other.values["accuracy"], run.values["accuracy"]);
    }

    let file = ParquetFile::open(&path).unwrap();
    let names: Vec<&str> = file.columns().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names, file.rows()), (vec!["row", "probabilities", "predicted", "label"], 100));
    let group = file.row_group(0, &["row", "probabilities", "predicted", "label"]).unwrap();
    let mut correct = 0;
    for row in 0..100 {
        let [number, outputs, predicted, label] = [0, 1, 2, 3].map(|column| group.columns[column].1.row(row));
        assert_eq!((number[0], label[0]), (row as f64, (row % 3) as f64));
        assert!((outputs.iter().sum::<f64>() - 1.0).abs() < 1e-6);
        assert!(outputs.iter().all(|output| *output <= outputs[predicted[0] as usize]));
        correct += u32::from(predicted == label);
    }
    assert_eq!(run.values["accuracy"], json!(f64::from(correct) / 100.0));
    assert_eq!((&run.values["scored_by"], &run.values["rows"]), (&json!("pipectl"), &json!(100)));
    assert_eq!(run.progress.last(), Some(&(100, Some(100))));
}

#[test]
fn every_output_is_made_without_labels_too() {
    let bench = Bench::new(Rows::Ragged, 5);
    bench.write_dataset("unlabelled", Rows::Ragged, 5, false);
    let run = bench.run("out", json!({"dataset": "unlabelled"}), None).unwrap();
    for output in Score.outputs() {
        match output.kind {
            OutputKind::Files(path) => assert!(bench.path("out").join(path).is_file(), "{path}"),
            OutputKind::Value(_) => assert!(run.values.contains_key(output.name), "{}", output.name),
        }
    }
    assert_eq!([&run.values["accuracy"], &run.values["agreement"], &run.values["max_difference"]], [&Json::Null; 3]);
    let file = ParquetFile::open(&bench.path("out/predictions.parquet")).unwrap();
    assert_eq!(file.columns().len(), 3);
    let metrics = bench.metrics("out");
    assert_eq!((&metrics["rows"], &metrics["classes"], &metrics["reference"]), (&json!(5), &json!(3), &Json::Null));
    assert!(metrics["rows_per_second"].as_f64().unwrap() > 0.0);
}

#[test]
fn an_empty_dataset_gives_empty_predictions() {
    let bench = Bench::new(Rows::Ragged, 0);
    let run = bench.run("out", json!({}), None).unwrap();
    assert_eq!((&run.values["rows"], &run.values["accuracy"]), (&json!(0), &Json::Null));
    assert!(probabilities(&bench.path("out/predictions.parquet")).is_empty());
}

#[test]
fn a_reference_is_agreed_with_or_not() {
    let bench = Bench::new(Rows::Ragged, 30);
    bench.run("first", json!({}), None).unwrap();
    let run = bench.run("second", json!({"reference": "first/predictions.parquet", "batch_size": 4}), None).unwrap();
    assert_eq!((&run.values["agreement"], &run.values["max_difference"]), (&json!(1.0), &json!(0.0)));
    let decided = bench.metrics("second")["reference"]["decided_rows"].as_u64().unwrap();
    assert!((1..=30).contains(&decided), "{decided}");

    // The same model fed with other columns says something else.
    let swapped = json!({"inputs": {"event": "other"}});
    assert_eq!(bench.run("third", swapped, None).unwrap_err().summary, "Dataset does not fit the model");
    bench.write_dataset("other", Rows::Ragged, 31, true);
    let error =
        bench.run("third", json!({"reference": "first/predictions.parquet", "dataset": "other"}), None).unwrap_err();
    assert_eq!(error.summary, "Reference does not fit");
    assert!(error.detail.contains("holds 30 rows of 3 classes, this run makes 31 rows of 3"), "{}", error.detail);
}

#[test]
fn what_is_wrong_is_said() {
    let bench = Bench::new(Rows::Ragged, 10);
    let failure = |more: Json| bench.run("out", more, None).unwrap_err().to_string();
    std::fs::write(bench.path("broken.onnx"), b"\x08\x08 not a model").unwrap();
    assert!(failure(json!({"onnx": "broken.onnx"})).starts_with("Model not readable: "));
    assert!(failure(json!({"onnx": "no.onnx"})).starts_with("Model not readable: Cannot read `no.onnx`: "));
    assert!(failure(json!({"dataset": "nowhere"})).starts_with("Dataset not readable: "));
    assert_eq!(
        failure(json!({"label": "event"})),
        "Dataset does not fit the model: Column `event` has shape [2], and `label` takes [3]."
    );
    assert_eq!(
        failure(json!({"engine": "tensorrt"})),
        "Invalid arguments: There is no engine `tensorrt`; the engines are auto, onnxruntime and pipectl."
    );

    let error = bench.run("out", json!({"engine": "onnxruntime"}), Some("no/such/library.so")).unwrap_err();
    assert_eq!(error.summary, "Model not accepted");
    assert!(error.detail.contains("no/such/library.so") && error.detail.contains("ORT_DYLIB_PATH"), "{}", error.detail);
    // The choice is free: a broken library is told, and our own executor runs the model.
    let run = bench.run("out", json!({"engine": "auto"}), Some("no/such/library.so")).unwrap();
    assert_eq!(run.values["scored_by"], "pipectl");
    assert!(run.warnings[0].contains("no/such/library.so"), "{:?}", run.warnings);

    bench.write_dataset("front", Rows::PaddedInFront, 300, true);
    let error = bench.run("out", json!({"dataset": "front", "batch_size": 64}), None).unwrap_err();
    assert_eq!(error.summary, "Padding within a sequence");
    assert!(
        error.detail.starts_with("Row 0 of the dataset has only padding in step 0 of `particles`"),
        "{}",
        error.detail
    );
}

#[test]
fn it_stops_when_asked() {
    let bench = Bench::new(Rows::Ragged, 10);
    assert!(bench.run_or_stop("out", json!({"batch_size": 2}), None, true).unwrap_err().stopped);
}
