//! Milliseconds of one training step (forward and backward) of the Inclusive Classifier.
//!
//! `cargo bench -p pipectl-train-burn --bench step -- [STEPS]`: batches of 128, full length (801 steps) and a mean of 454,
//! rows shuffled and in order of length, on one and two threads. Median and best of STEPS (10). The peer is TensorFlow:
//! `tests/peers/tensorflow_step.py`.
#![allow(clippy::print_stdout, clippy::unwrap_used)]
#![expect(clippy::disallowed_methods, reason = "a benchmark is a program of its own: it reads its own arguments")]

use std::collections::BTreeMap;
use std::time::Instant;

use pipectl_formats::dataset::Column;
use pipectl_network::Network;
use pipectl_train_burn::{Batch, Learner, Optimizer, order_by_length};
use serde_json::json;

const ROWS: usize = 128;
const STEPS: usize = 801;

fn network(recurrent: &str) -> Network {
    Network::from_json(&json!({
        "name": "inclusive_classifier",
        "inputs": [{"name": "gru_input", "shape": [STEPS, 19]}, {"name": "hlf_input", "shape": [14]}],
        "layers": [
            {"kind": "masking", "name": "mask", "input": "input.gru_input"},
            {"kind": recurrent, "name": "recurrent", "input": "layer.mask", "units": 50},
            {"kind": "dropout", "name": "recurrent_dropout", "input": "layer.recurrent", "rate": 0.2},
            {"kind": "dropout", "name": "hlf_dropout", "input": "input.hlf_input", "rate": 0.2},
            {"kind": "concat", "name": "features", "input": ["layer.recurrent_dropout", "layer.hlf_dropout"]},
            {"kind": "dense", "name": "hidden", "input": "layer.features", "units": 25, "activation": "relu"},
            {"kind": "dense", "name": "class", "input": "layer.hidden", "units": 3, "activation": "softmax"},
        ],
        "output": "layer.class",
    }))
    .unwrap()
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1 << 24) as f32 - 0.5
    }
}

/// A batch whose rows have `lengths` steps.
fn batch(lengths: &[u32]) -> Batch {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut values = |count: usize| (0..count).map(|_| random.next() * 3.4).collect::<Vec<f32>>();
    let steps: u32 = lengths.iter().sum();
    let sequences = Column::ragged(vec![STEPS, 19], values(steps as usize * 19), lengths.to_vec());
    let features = Column::fixed(ROWS, vec![14], values(ROWS * 14));
    let labels = (0..ROWS * 3).map(|at| if at % 3 == at / 3 % 3 { 1.0 } else { 0.0 }).collect();
    Batch {
        inputs: BTreeMap::from([("gru_input".into(), sequences), ("hlf_input".into(), features)]),
        labels: Column::fixed(ROWS, vec![3], labels),
        samples: (0..ROWS as u64).collect(),
        epoch: 0,
    }
}

fn main() {
    let steps = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(10);
    let full = vec![STEPS as u32; ROWS];
    // About the spread of the simulated events: 283 to 625, mean 454.
    let mut random = Random(0x1234_5678_9abc_def1);
    let shuffled: Vec<u32> = (0..ROWS).map(|_| (454.0 + 171.0 * (random.next() + random.next())) as u32).collect();
    let sorted: Vec<u32> = order_by_length(&shuffled).into_iter().map(|row| shuffled[row]).collect();
    let mean = |lengths: &[u32]| f64::from(lengths.iter().sum::<u32>()) / ROWS as f64;

    for recurrent in ["gru", "lstm"] {
        for (name, lengths) in [("full length", &full), ("shuffled", &shuffled), ("by length", &sorted)] {
            for threads in [1, 2] {
                let network = network(recurrent);
                let mut learner = Learner::new(&network, 1, Optimizer::ADAM, threads).unwrap();
                let batch = batch(lengths);
                let mut times = Vec::new();
                let mut loss = 0.0;
                for _ in 0..steps {
                    let start = Instant::now();
                    let sum = learner.gradient(&batch).unwrap();
                    learner.apply(&sum, 5e-4).unwrap();
                    times.push(start.elapsed().as_secs_f64() * 1e3);
                    loss = sum.loss / sum.rows as f64;
                }
                times.sort_by(f64::total_cmp);
                println!(
                    "{recurrent:4} {name:11} mean {:5.1} threads {threads}: median {:6.1} ms, best {:6.1} ms (loss {loss:.4})",
                    mean(lengths),
                    times[times.len() / 2],
                    times[0],
                );
            }
        }
    }
}
