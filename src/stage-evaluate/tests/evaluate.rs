//! Whole runs of the evaluate stage: from files to files.
#![allow(clippy::unwrap_used)]

#[path = "support/scores.rs"]
mod scores;

use std::path::{Path, PathBuf};

use pipectl_formats::dataset::{ColumnSpec, DatasetWriter, Format, Layout};
use pipectl_network::{Network, Tensor, Weights};
use pipectl_stage::testing::{Listener, job};
use pipectl_stage::{Job, OutputKind, Stage, StageError, StageIo};
use pipectl_stage_evaluate::Evaluate;
use pipectl_train_burn::initial_weights;
use serde_json::{Value as Json, json};

/// A folder with a model and a dataset, and a place for what a run makes.
struct Bench {
    folder: tempfile::TempDir,
}

/// What came of a run.
struct Made {
    values: std::collections::BTreeMap<String, Json>,
    heard: Listener,
    output: PathBuf,
}

impl Made {
    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.output.join(name)).unwrap()
    }
}

impl Bench {
    /// With a model that puts out its three inputs, and rows of such inputs and labels.
    fn of(rows: &[([f32; 3], [f32; 3])]) -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        bench.identity("linear");
        let column = |name: &str| ColumnSpec { name: name.to_owned(), shape: vec![3], ragged: false };
        let mut writer = bench.writer(vec![column("x"), column("label")], rows.len());
        for (input, label) in rows {
            writer.write(&[input, label]).unwrap();
        }
        writer.finish().unwrap();
        bench
    }

    fn writer(&self, columns: Vec<ColumnSpec>, rows: usize) -> DatasetWriter {
        let layout = Layout { format: Format::Tfrecord, shards: 3, rows: rows as u64, compression: Default::default() };
        DatasetWriter::create(&self.folder.path().join("dataset"), columns, layout).unwrap()
    }

    fn identity(&self, activation: &str) {
        let network = Network::from_json(&json!({
            "name": "identity",
            "inputs": [{ "name": "x", "shape": [3] }],
            "layers": [{ "kind": "dense", "name": "class", "input": "input.x", "units": 3, "activation": activation }],
            "output": "layer.class",
        }))
        .unwrap();
        let kernel = Tensor { shape: vec![3, 3], data: vec![1., 0., 0., 0., 1., 0., 0., 0., 1.] };
        let bias = Tensor { shape: vec![3], data: vec![0.; 3] };
        let tensors = [("class/kernel".to_owned(), kernel), ("class/bias".to_owned(), bias)];
        Weights::new(&network, tensors).unwrap().save(self.weights(), &network).unwrap();
    }

    fn weights(&self) -> PathBuf {
        self.folder.path().join("weights.safetensors")
    }

    fn run(&self, more: Json) -> Result<Made, StageError> {
        self.run_with(more, Listener::default(), 2)
    }

    fn run_with(&self, more: Json, heard: Listener, threads: usize) -> Result<Made, StageError> {
        let mut arguments = json!({
            "weights": { "digest": "sha256:0", "path": "weights.safetensors" },
            "dataset": { "digest": "sha256:0", "path": "dataset" },
            "inputs": null, "label": null, "classes": null, "batch_size": null,
        });
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let root = self.folder.path();
        let output = tempfile::tempdir_in(root).unwrap().keep();
        let job = Job { output: output.clone(), threads, ..job("evaluate", root, arguments).unwrap() };
        let mut io = StageIo::new(&job, Box::new(heard.clone()));
        Evaluate.run(&job, &mut io)?;
        Ok(Made { values: io.values().clone(), heard, output })
    }

    fn failure(&self, more: Json) -> String {
        match self.run(more) {
            Ok(_) => panic!("it worked"),
            Err(error) => error.to_string().replace(&self.folder.path().display().to_string(), "ROOT"),
        }
    }
}

fn one_hot(class: usize) -> [f32; 3] {
    let mut label = [0.0; 3];
    label[class] = 1.0;
    label
}

/// The scores that scikit-learn has judged, with their labels.
fn golden_rows() -> Vec<([f32; 3], [f32; 3])> {
    let row = |(values, class): ([u8; 3], usize)| (values.map(|value| f32::from(value) / 16.0), one_hot(class));
    scores::SIXTEENTHS.into_iter().zip(scores::TRUTH).map(row).collect()
}

/// Other bytes than these ask for another `Evaluate::revision`: then both change together.
#[test]
fn bytes_are_those_of_revision_1() {
    let bench = Bench::of(&golden_rows());
    let made = bench.run(json!({ "classes": ["QCD", "W + jet", "tt & more"] })).unwrap();
    assert_eq!(Evaluate.revision(), 1);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let found = Path::new(env!("CARGO_TARGET_TMPDIR")).join("evaluate");
    std::fs::create_dir_all(&found).unwrap();
    for name in ["report.json", "plots/roc.svg", "plots/confusion.svg"] {
        let file = name.trim_start_matches("plots/");
        std::fs::write(found.join(file), made.file(name)).unwrap();
    }
    for file in ["report.json", "roc.svg", "confusion.svg"] {
        let expected = std::fs::read_to_string(golden.join(file)).unwrap_or_default();
        let made = std::fs::read_to_string(found.join(file)).unwrap();
        assert!(made == expected, "{file} is not the golden one: compare with {}", found.display());
    }
}

#[test]
fn values_are_those_of_scikit_learn() {
    let bench = Bench::of(&golden_rows());
    let made = bench.run(json!({ "classes": ["QCD", "W", "tt"] })).unwrap();
    let number = |name: &str| made.values[name].as_f64().unwrap();
    let accuracy = scores::CORRECT as f64 / 24.0;
    assert!((number("accuracy") - accuracy).abs() < 1e-15);
    assert!((number("loss") - scores::LOSS).abs() < 1e-7);
    assert!((number("auc_macro") - scores::MEAN_AREA).abs() < 1e-15);
    assert_eq!(made.values["rows"], 24);
    let [first, second, third] = scores::AREAS;
    assert_eq!(made.values["auc"], json!({ "QCD": first, "W": second, "tt": third }));
    assert_eq!(made.values["confusion_matrix"], json!(scores::CONFUSION));
    let declared = Evaluate.outputs();
    for output in &declared {
        match &output.kind {
            OutputKind::Value(ty) => {
                pipectl_core::json::from_json_as(&made.values[output.name], ty).unwrap();
            }
            OutputKind::Files(path) => assert!(made.output.join(path).exists()),
        }
    }
    assert_eq!(declared.len(), made.values.len() + 2);
    let progress = made.heard.progress();
    let last = progress.last().map(|progress| (progress.done, progress.total, progress.metrics["accuracy"]));
    assert_eq!(last, Some((24, Some(24), accuracy)));
}

#[test]
fn classes_without_a_curve_are_null_and_warned_about() {
    let rows = [([0.5, 0.3, 0.2], one_hot(0)), ([0.1, 0.8, 0.1], one_hot(1))];
    let made = Bench::of(&rows).run(json!({})).unwrap();
    assert_eq!(made.values["auc"], json!({ "0": 1.0, "1": 1.0, "2": null }));
    assert_eq!(made.values["auc_macro"], 1.0);
    let expected = "class `2` occurs in no row of the dataset: it has no ROC curve, and its AUC is null";
    assert_eq!(made.heard.warnings(), [expected]);

    let made = Bench::of(&rows[..1]).run(json!({})).unwrap();
    assert_eq!((made.values["auc_macro"].clone(), made.heard.warnings().len()), (Json::Null, 3));
    assert!(made.heard.warnings()[0].starts_with("class `0` is the class of every row"));
}

#[test]
fn neither_batch_nor_threads_change_a_byte() {
    let bench = Bench { folder: tempfile::tempdir().unwrap() };
    let network = Network::from_json(&json!({
        "name": "recurrent",
        "inputs": [{ "name": "particles", "shape": [12, 3] }, { "name": "event", "shape": [2] }],
        "layers": [
            { "kind": "gru", "name": "gru", "input": "input.particles", "units": 5 },
            { "kind": "concat", "name": "both", "input": ["layer.gru", "input.event"] },
            { "kind": "dense", "name": "class", "input": "layer.both", "units": 3, "activation": "softmax" },
        ],
        "output": "layer.class",
    }))
    .unwrap();
    initial_weights(&network, 3).save(bench.weights(), &network).unwrap();
    let column =
        |name: &str, shape: &[usize], ragged| ColumnSpec { name: name.to_owned(), shape: shape.to_vec(), ragged };
    let columns = vec![column("Particles", &[12, 3], true), column("hlf", &[2], false), column("label", &[3], false)];
    let mut writer = bench.writer(columns, 150);
    let noise = |row: usize, at: usize| ((row * 7919 + at * 104_729) % 2003) as f32 / 1000.0 - 1.0;
    for row in 0..150 {
        let particles: Vec<f32> = (0..(row * 5 % 12 + 1) * 3).map(|at| noise(row, at)).collect();
        writer.write(&[&particles, &[noise(row, 90), noise(row, 91)], &one_hot(row * 13 % 7 % 3)]).unwrap();
    }
    writer.finish().unwrap();
    let report = |batch: Json, threads: usize| {
        let more = json!({ "inputs": { "event": "hlf" }, "batch_size": batch });
        let made = bench.run_with(more, Listener::default(), threads).unwrap();
        (made.file("report.json"), made.values)
    };
    let whole = report(json!(null), 1);
    assert_eq!(whole, report(json!(7), 1));
    assert_eq!(whole, report(json!(64), 3));
    assert_eq!(whole.1["rows"], 150);
}

#[test]
fn mistakes_are_said_in_full_sentences() {
    let bench = || Bench::of(&golden_rows());
    let says = |text: String, expected: &[&str]| {
        assert!(expected.iter().all(|words| text.contains(words)), "{text}");
        assert!(text.ends_with('.') || text.ends_with('?'), "{text}");
    };
    let lost = bench();
    std::fs::remove_file(lost.weights()).unwrap();
    says(lost.failure(json!({})), &["Missing weights: There is no file `ROOT/weights.safetensors`."]);
    std::fs::write(lost.weights(), b"not weights").unwrap();
    says(lost.failure(json!({})), &["Weights not readable: "]);
    says(
        bench().failure(json!({ "weights": "somewhere" })),
        &["Missing artifact: The argument `weights` takes an output of another stage"],
    );
    says(bench().failure(json!({ "dataset": { "path": "nowhere" } })), &["Dataset not readable: ", "nowhere"]);
    let inputs = bench().failure(json!({ "inputs": { "x": "lable" } }));
    says(inputs, &["Dataset does not fit the model: The dataset has no column `lable`", "Did you mean \"label\"?"]);
    says(bench().failure(json!({ "label": "y" })), &["Dataset does not fit the model: The dataset has no column `y`"]);
    let names = bench().failure(json!({ "classes": ["a", "b"] }));
    says(names, &["Classes do not fit the model: The model tells 3 classes apart, and `classes` has 2 names: a, b."]);

    says(Bench::of(&[]).failure(json!({})), &["Empty dataset: The dataset has no rows"]);
    for label in [[0.2, 0.8, 0.0], [0.0; 3], [1.0, 1.0, 0.0], [f32::NAN, 1.0, 0.0]] {
        let soft = Bench::of(&[([0.5, 0.3, 0.2], one_hot(0)), ([0.5, 0.3, 0.2], label)]);
        says(soft.failure(json!({})), &["Label not one-hot: Row 1 of the dataset has", "label column `label`"]);
    }
    let negative = Bench::of(&[([0.5, 0.3, 0.2], one_hot(0)), ([-0.5, 0.7, 0.8], one_hot(0))]);
    says(negative.failure(json!({})), &["Model output is no probability: For row 1 of the dataset", "softmax"]);
    let not_finite = Bench::of(&[([0.5, 0.3, 0.2], one_hot(0)), ([0.5, f32::NAN, 0.2], one_hot(0))]);
    says(
        not_finite.failure(json!({})),
        &["Value not finite: Row 1 of the dataset holds NaN in the column of the input `x`"],
    );
}

#[test]
fn stops_when_asked() {
    let stopped = Bench::of(&golden_rows()).run_with(json!({}), Listener::default().stopping(), 1);
    assert!(stopped.err().unwrap().stopped);
}
