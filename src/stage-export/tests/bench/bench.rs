//! A folder with a small network and rows for it, and runs of the stage in it.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pipectl_formats::dataset::{ColumnSpec, DatasetWriter, Format, Layout};
use pipectl_network::{Network, Weights};
use pipectl_stage::testing::{Listener, job};
use pipectl_stage::{Stage, StageError, StageIo};
use pipectl_stage_export::Export;
use serde_json::{Value as Json, json};

/// How the sequences of the dataset are stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rows {
    Ragged,
    Padded,
    PaddedInFront,
}

/// What a run told.
#[derive(Debug)]
pub struct Run {
    pub values: BTreeMap<String, Json>,
    pub messages: Vec<String>,
    pub warnings: Vec<String>,
}

pub struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    pub fn new(rows: Rows, count: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_dataset(&folder.path().join("data"), rows, count);
        let network = Network::from_json(&model()).unwrap();
        let weights = Weights::from_flat(&network, &numbers(network.parameter_count(), 3)).unwrap();
        weights.save(folder.path().join("weights.safetensors"), &network).unwrap();
        Self { folder }
    }

    pub fn output(&self) -> PathBuf {
        self.folder.path().join("output")
    }

    pub fn report(&self) -> Json {
        serde_json::from_slice(&std::fs::read(self.output().join("report.json")).unwrap()).unwrap()
    }

    /// Runs the stage; `library` is the value of ORT_DYLIB_PATH.
    pub fn run(&self, more: Json, library: Option<&str>) -> Result<Run, StageError> {
        let mut arguments = json!({
            "weights": {"digest": "sha256:0", "path": "weights.safetensors"},
            "dataset": {"digest": "sha256:0", "path": "data"},
            "inputs": null,
            "rows": null,
        });
        for (name, value) in more.as_object().unwrap() {
            arguments[name] = value.clone();
        }
        let job = job("export", self.folder.path(), arguments).unwrap();
        let mut heard = Listener::default();
        if let Some(library) = library {
            heard = heard.with_variable("ORT_DYLIB_PATH", library);
        }
        let mut io = StageIo::new(&job, Box::new(heard.clone()));
        Export.run(&job, &mut io)?;
        Ok(Run { values: io.values().clone(), messages: heard.messages(), warnings: heard.warnings() })
    }
}

fn model() -> Json {
    json!({
        "name": "tiny",
        "inputs": [{ "name": "particles", "shape": [12, 3] }, { "name": "event", "shape": [2] }],
        "layers": [
            { "kind": "masking", "name": "mask", "input": "input.particles" },
            { "kind": "gru", "name": "gru", "input": "layer.mask", "units": 8 },
            { "kind": "dropout", "name": "drop", "input": "layer.gru", "rate": 0.2 },
            { "kind": "concat", "name": "both", "input": ["layer.drop", "input.event"] },
            { "kind": "dense", "name": "class", "input": "layer.both", "units": 3, "activation": "softmax" }
        ],
        "output": "layer.class"
    })
}

fn write_dataset(folder: &Path, rows: Rows, count: usize) {
    let ragged = rows == Rows::Ragged;
    let column =
        |name: &str, shape: &[usize], ragged| ColumnSpec { name: name.to_owned(), shape: shape.to_vec(), ragged };
    let columns =
        vec![column("Particles", &[12, 3], ragged), column("event", &[2], false), column("label", &[3], false)];
    let layout = Layout { format: Format::Tfrecord, shards: 1, rows: count as u64, compression: Default::default() };
    let mut writer = DatasetWriter::create(folder, columns, layout).unwrap();
    for row in 0..count {
        let steps = row * 5 % 13;
        let mut particles = numbers(steps * 3, row as u64);
        match rows {
            Rows::Ragged => {}
            Rows::Padded => particles.resize(36, 0.0),
            Rows::PaddedInFront => {
                let steps = steps.clamp(1, 11);
                particles = vec![0.0; 36 - steps * 3];
                particles.extend(numbers(steps * 3, row as u64));
            }
        }
        let mut label = [0.0; 3];
        label[row % 3] = 1.0;
        writer.write(&[&particles, &numbers(2, row as u64 + 1000), &label]).unwrap();
    }
    writer.finish().unwrap();
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
