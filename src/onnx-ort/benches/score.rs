//! Our executor against ONNX Runtime on the sequence classifier: full length 801, batch 1 and 128.
//!
//! `ORT_DYLIB_PATH=.../libonnxruntime.so cargo bench -p pipectl-onnx-ort --bench score -- [THREADS]` prints the median of
//! alternated rounds and the ratio; without the library it prints our own figures only.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, missing_docs)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use pipectl_onnx::{Attribute, Dimension, ElementType, GraphBuilder, Model, Scorer, Session, Tensor};
use pipectl_onnx_ort::{Lookup, OrtSession, find};

const STEPS: usize = 801;
const FEATURES: usize = 19;
const COLUMNS: usize = 14;
const UNITS: usize = 50;

fn main() {
    let threads = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(1);
    let model = classifier();
    let bytes = model.encode();
    let mut scorers: Vec<Box<dyn Scorer>> = vec![Box::new(Session::load(&bytes).unwrap().with_threads(threads))];
    let explicit = std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from);
    match find(explicit.as_deref()) {
        Ok(Lookup::Found(runtime)) => scorers.push(Box::new(OrtSession::load(&runtime, &bytes, threads).unwrap())),
        Ok(Lookup::NotFound { tried }) => println!("no ONNX Runtime found: {}", tried.join(", ")),
        Err(error) => println!("{error}\n{}", error.hint()),
    }
    for (rows, rounds) in [(1, 200), (128, 9)] {
        for lengths in [vec![STEPS; rows], (0..rows).map(|row| 40 + row * 258 / rows.max(1)).collect()] {
            let mean = lengths.iter().sum::<usize>() / rows;
            let inputs = inputs(rows, &lengths);
            let mut times = vec![Vec::new(); scorers.len()];
            let mut results = Vec::new();
            for round in 0..rounds {
                results.clear();
                for (scorer, times) in scorers.iter_mut().zip(&mut times) {
                    let start = Instant::now();
                    results.push(scorer.run(&inputs).unwrap());
                    // The first round warms caches up.
                    if round > 0 {
                        times.push(start.elapsed());
                    }
                }
            }
            let medians: Vec<Duration> = times.iter_mut().map(|times| median(times)).collect();
            print!("batch {rows:>3}, mean length {mean:>3}, {threads} threads:");
            for (scorer, median) in scorers.iter().zip(&medians) {
                print!("  {} {:.3} ms", scorer.name(), median.as_secs_f64() * 1e3);
            }
            if let [ours, theirs] = medians[..] {
                let difference = largest_difference(&results[0], &results[1]);
                print!("  ratio {:.2}  max |dp| {difference:.1e}", ours.as_secs_f64() / theirs.as_secs_f64());
            }
            println!();
        }
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn largest_difference(ours: &BTreeMap<String, Tensor>, theirs: &BTreeMap<String, Tensor>) -> f32 {
    let (ours, theirs) = (ours["class"].as_floats().unwrap(), theirs["class"].as_floats().unwrap());
    ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Repeatable numbers between -1 and 1.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn inputs(rows: usize, lengths: &[usize]) -> BTreeMap<String, Tensor> {
    let mut x = numbers(rows * STEPS * FEATURES, 1);
    for (row, &length) in lengths.iter().enumerate() {
        x[(row * STEPS + length) * FEATURES..(row + 1) * STEPS * FEATURES].fill(0.0);
    }
    let lengths: Vec<i32> = lengths.iter().map(|&length| length as i32).collect();
    BTreeMap::from([
        ("gru_input".to_owned(), Tensor::new([rows, STEPS, FEATURES], x).unwrap()),
        ("gru_input_length".to_owned(), Tensor::new([rows], lengths).unwrap()),
        ("hlf_input".to_owned(), Tensor::new([rows, COLUMNS], numbers(rows * COLUMNS, 2)).unwrap()),
    ])
}

fn classifier() -> Model {
    let mut graph = GraphBuilder::new("inclusive_classifier");
    let open = |name: &str| Dimension::Symbol(name.to_owned());
    let x = graph.input("gru_input", ElementType::Float, vec![open("N"), open("T"), Dimension::Fixed(FEATURES)]);
    let lengths = graph.input("gru_input_length", ElementType::Int32, vec![open("N")]);
    let columns = graph.input("hlf_input", ElementType::Float, vec![open("N"), Dimension::Fixed(COLUMNS)]);
    let mut seed = 10;
    let mut weights = |graph: &mut GraphBuilder, name: &str, shape: &[usize], scale: f32| {
        seed += 1;
        let values: Vec<f32> = numbers(shape.iter().product(), seed).into_iter().map(|x| x * scale).collect();
        graph.constant(name, &Tensor::new(shape, values).unwrap())
    };
    let w = weights(&mut graph, "w", &[1, 3 * UNITS, FEATURES], 0.3);
    let r = weights(&mut graph, "r", &[1, 3 * UNITS, UNITS], 0.2);
    let b = weights(&mut graph, "b", &[1, 6 * UNITS], 0.1);
    let turned = graph.node("Transpose", "turned", &[&x], &[("perm", Attribute::Ints(vec![1, 0, 2]))]);
    let attributes = [("hidden_size", Attribute::Int(UNITS as i64)), ("linear_before_reset", Attribute::Int(1))];
    let inputs = [Some(&turned), Some(&w), Some(&r), Some(&b), Some(&lengths)];
    let state = graph.node_with_outputs("GRU", "gru", &inputs, &attributes, &[None, Some("state")]).remove(0);
    let axes = graph.constant("axes", &Tensor::new([1], vec![0_i64]).unwrap());
    let state = graph.node("Squeeze", "squeezed", &[&state, &axes], &[]);
    let joined = graph.node("Concat", "joined", &[&state, &columns], &[("axis", Attribute::Int(1))]);
    let (w1, b1) = (weights(&mut graph, "w1", &[UNITS + COLUMNS, 25], 0.3), weights(&mut graph, "b1", &[25], 0.1));
    let hidden = graph.node("Gemm", "hidden", &[&joined, &w1, &b1], &[]);
    let hidden = graph.node("Relu", "rectified", &[&hidden], &[]);
    let (w2, b2) = (weights(&mut graph, "w2", &[25, 3], 0.5), weights(&mut graph, "b2", &[3], 0.1));
    let logits = graph.node("Gemm", "logits", &[&hidden, &w2, &b2], &[]);
    let class = graph.node("Softmax", "class", &[&logits], &[("axis", Attribute::Int(-1))]);
    graph.output(&class, ElementType::Float, vec![open("N"), Dimension::Fixed(3)]);
    graph.finish().unwrap()
}
