//! A folder with a small model and rows for it, and runs of the stage in it.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pipectl_formats::dataset::{ColumnSpec, DatasetWriter, Format, Layout};
use pipectl_onnx::{Attribute, Dimension, ElementType, GraphBuilder, Model, Tensor, length_name, mask_key};
use pipectl_stage::testing::{Listener, job};
use pipectl_stage::{Job, Stage, StageError, StageIo};
use pipectl_stage_score::Score;
use serde_json::{Value as Json, json};

const STEPS: usize = 12;

/// What a run told.
#[derive(Debug)]
pub struct Run {
    pub values: BTreeMap<String, Json>,
    pub warnings: Vec<String>,
    pub progress: Vec<(u64, Option<u64>)>,
}

pub struct Bench {
    folder: tempfile::TempDir,
}

/// How the sequences of a dataset are stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rows {
    Ragged,
    Padded,
    PaddedInFront,
}

impl Bench {
    /// A bench with the model `model.onnx` and the dataset `data`.
    pub fn new(rows: Rows, count: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bench = Self { folder };
        bench.write_dataset("data", rows, count, true);
        model().save(&bench.path("model.onnx")).unwrap();
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn metrics(&self, output: &str) -> Json {
        serde_json::from_slice(&std::fs::read(self.path(output).join("metrics.json")).unwrap()).unwrap()
    }

    /// Runs the stage into the folder `output`; `library` is the value of ORT_DYLIB_PATH.
    pub fn run(&self, output: &str, more: Json, library: Option<&str>) -> Result<Run, StageError> {
        self.run_or_stop(output, more, library, false)
    }

    pub fn run_or_stop(&self, output: &str, more: Json, library: Option<&str>, stop: bool) -> Result<Run, StageError> {
        std::fs::create_dir_all(self.path(output)).unwrap();
        let artifact = |path: &str| json!({"digest": "sha256:0", "path": path});
        let mut arguments = json!({
            "onnx": artifact("model.onnx"), "dataset": artifact("data"), "engine": "pipectl", "inputs": null,
            "label": null, "reference": null, "batch_size": null, "threads": null,
        });
        for (name, value) in more.as_object().unwrap() {
            let is_path = ["onnx", "dataset", "reference"].contains(&name.as_str());
            arguments[name] = match value.as_str() {
                Some(path) if is_path => artifact(path),
                _ => value.clone(),
            };
        }
        let job = Job { output: self.path(output), ..job("score", self.folder.path(), arguments).unwrap() };
        let mut heard = if stop { Listener::default().stopping() } else { Listener::default() };
        if let Some(library) = library {
            heard = heard.with_variable("ORT_DYLIB_PATH", library);
        }
        let mut io = StageIo::new(&job, Box::new(heard.clone()));
        Score.run(&job, &mut io)?;
        Ok(Run {
            values: io.values().clone(),
            warnings: heard.warnings(),
            progress: heard.progress().iter().map(|progress| (progress.done, progress.total)).collect(),
        })
    }

    pub fn write_dataset(&self, name: &str, rows: Rows, count: usize, labelled: bool) {
        let ragged = rows == Rows::Ragged;
        let column =
            |name: &str, shape: &[usize], ragged| ColumnSpec { name: name.to_owned(), shape: shape.to_vec(), ragged };
        let mut columns = vec![column("Particles", &[STEPS, 3], ragged), column("event", &[2], false)];
        if labelled {
            columns.push(column("truth", &[3], false));
        }
        let layout =
            Layout { format: Format::Tfrecord, shards: 2, rows: count as u64, compression: Default::default() };
        let mut writer = DatasetWriter::create(&self.path(name), columns, layout).unwrap();
        for row in 0..count {
            let steps = row * 5 % (STEPS + 1);
            let mut particles = numbers(steps * 3, row as u64);
            match rows {
                Rows::Ragged => {}
                Rows::Padded => particles.resize(STEPS * 3, 0.0),
                Rows::PaddedInFront => {
                    let steps = steps.clamp(1, STEPS - 1);
                    particles = vec![0.0; (STEPS - steps) * 3];
                    particles.extend(numbers(steps * 3, row as u64));
                }
            }
            let mut label = [0.0; 3];
            label[row % 3] = 1.0;
            let event = numbers(2, row as u64 + 1000);
            let cells: [&[f32]; 3] = [&particles, &event, &label];
            writer.write(&cells[..if labelled { 3 } else { 2 }]).unwrap();
        }
        writer.finish().unwrap();
    }
}

/// A GRU over the particles, joined with the event, and a softmax over three classes.
pub fn model() -> Model {
    let (features, units, columns) = (3, 8, 2);
    let mut graph = GraphBuilder::new("tiny");
    let open = |name: &str| Dimension::Symbol(name.to_owned());
    let x = graph.input("particles", ElementType::Float, vec![open("N"), open("T"), Dimension::Fixed(features)]);
    let event = graph.input("event", ElementType::Float, vec![open("N"), Dimension::Fixed(columns)]);
    let lengths = graph.input(&length_name("particles"), ElementType::Int32, vec![open("N")]);
    graph.metadata(&mask_key("particles"), "0");
    let mut seed = 20;
    let mut weights = |graph: &mut GraphBuilder, name: &str, shape: &[usize]| {
        seed += 1;
        graph.constant(name, &Tensor::new(shape, numbers(shape.iter().product(), seed)).unwrap())
    };
    let w = weights(&mut graph, "w", &[1, 3 * units, features]);
    let r = weights(&mut graph, "r", &[1, 3 * units, units]);
    let turned = graph.node("Transpose", "turned", &[&x], &[("perm", Attribute::Ints(vec![1, 0, 2]))]);
    let attributes = [("hidden_size", Attribute::Int(units as i64)), ("linear_before_reset", Attribute::Int(1))];
    let inputs = [Some(&turned), Some(&w), Some(&r), None, Some(&lengths)];
    let state = graph.node_with_outputs("GRU", "gru", &inputs, &attributes, &[None, Some("state")]).remove(0);
    let axes = graph.constant("axes", &Tensor::new([1], vec![0_i64]).unwrap());
    let state = graph.node("Squeeze", "squeezed", &[&state, &axes], &[]);
    let joined = graph.node("Concat", "joined", &[&state, &event], &[("axis", Attribute::Int(1))]);
    let kernel = weights(&mut graph, "kernel", &[units + columns, 3]);
    let logits = graph.node("Gemm", "logits", &[&joined, &kernel], &[]);
    let class = graph.node("Softmax", "class", &[&logits], &[("axis", Attribute::Int(-1))]);
    graph.output(&class, ElementType::Float, vec![open("N"), Dimension::Fixed(3)]);
    graph.finish().unwrap()
}

/// Outputs of a run, in the order of rows.
pub fn probabilities(path: &Path) -> Vec<f32> {
    pipectl_stage_score::predictions::read_probabilities(path).unwrap().probabilities
}

/// Repeatable numbers between -1 and 1.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_add(1);
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}
