//! Networks, losses and optimiser steps against Keras, from the golden file that `tests/peers/keras_training_golden.py` wrote.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashMap};

use pipectl_formats::dataset::Column;
use pipectl_network::{LayerKind, Network, NodeRef, Tensor, Weights};
use pipectl_train_burn::{Batch, Learner, Optimizer};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    keras: String,
    cases: Vec<Case>,
}

/// What Keras computed. See the script.
#[derive(Deserialize)]
struct Case {
    network: serde_json::Value,
    rows: usize,
    optimizer: Optimizer,
    learning_rate: f64,
    output: Vec<f64>,
    losses: Vec<f64>,
    parameters: usize,
    names: Vec<String>,
    sums: Vec<f64>,
    weights: Option<Vec<f64>>,
}

/// The script's `numbers`.
fn numbers(count: usize, seed: u64, scale: f32) -> Vec<f32> {
    let number = |index: u64| {
        let mut mixed = (index + seed * 7919).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^= mixed >> 29;
        mixed = mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^= mixed >> 32;
        ((mixed >> 40) as f32 / (1 << 23) as f32 - 1.0) * scale
    };
    (0..count as u64).map(number).collect()
}

/// The script's `rows_of` and labels.
fn batch(network: &Network, rows: usize) -> Batch {
    let mut inputs = BTreeMap::new();
    for (index, input) in network.inputs().iter().enumerate() {
        let size: usize = input.shape.iter().product();
        let mut values = numbers(rows * size, 100 + index as u64, 1.5);
        let mask = network.layers().iter().find_map(|layer| match layer.kind {
            LayerKind::Masking { mask_value } if layer.inputs == [NodeRef::Input(index)] => Some(mask_value),
            _ => None,
        });
        if let (Some(mask), [steps, width]) = (mask, &input.shape[..]) {
            for (at, features) in values.chunks_exact_mut(*width).enumerate() {
                if (at / steps + 3 * (at % steps)) % 5 >= 3 {
                    features.fill(mask);
                }
            }
        }
        inputs.insert(input.name.clone(), Column::fixed(rows, input.shape.clone(), values));
    }
    let classes = network.output().shape[0];
    let labels =
        (0..rows).flat_map(|row| (0..classes).map(move |class| if class == row * 7 % classes { 1.0 } else { 0.0 }));
    let labels = Column::fixed(rows, vec![classes], labels.collect());
    Batch { inputs, labels, samples: (0..rows as u64).collect(), epoch: 0 }
}

fn near(what: &str, found: f64, exact: f64, bound: f64) {
    assert!((found - exact).abs() <= bound, "{what}: {found}, Keras computes {exact}");
}

#[test]
fn output_losses_and_weights_are_those_of_keras() {
    let golden: Golden = serde_json::from_str(include_str!("data/keras.json")).unwrap();
    assert_eq!((golden.keras.as_str(), golden.cases.len()), ("3.15.1", 8));
    for case in golden.cases {
        let network = Network::from_json(&case.network).unwrap();
        let name = network.name();
        assert_eq!(network.parameter_count(), case.parameters, "{name}");
        let shapes: HashMap<_, _> = network.parameters().into_iter().map(|p| (p.name.clone(), p.shape)).collect();
        let tensors = case.names.iter().enumerate().map(|(index, name)| {
            let shape = shapes[name].clone();
            let data = numbers(shape.iter().product(), index as u64, 0.4);
            (name.clone(), Tensor { shape, data })
        });
        let weights = Weights::new(&network, tensors).unwrap();
        let mut learner = Learner::from_weights(&network, &weights, 0, case.optimizer, 1).unwrap();
        let batch = batch(&network, case.rows);

        let output = learner.predict(&batch.inputs).unwrap();
        assert_eq!(output.len(), case.output.len());
        for (at, (found, exact)) in output.iter().zip(&case.output).enumerate() {
            near(&format!("{name}: output {at}"), f64::from(*found), *exact, 2e-6);
        }
        for (step, exact) in case.losses.iter().enumerate() {
            let sum = learner.gradient(&batch).unwrap();
            near(&format!("{name}: loss {step}"), sum.loss / sum.rows as f64, *exact, 1e-5);
            learner.apply(&sum, case.learning_rate).unwrap();
        }
        let after = learner.weights();
        let mut exact_weights = case.weights.as_deref();
        for (parameter, exact) in case.names.iter().zip(&case.sums) {
            let data = &after.get(parameter).unwrap().data;
            let sum: f64 = data.iter().map(|value| f64::from(*value)).sum();
            near(&format!("{name}: sum of {parameter}"), sum, *exact, 2e-6 * data.len() as f64);
            if let Some(rest) = exact_weights {
                let (these, others) = rest.split_at(data.len());
                exact_weights = Some(others);
                for (at, (found, exact)) in data.iter().zip(these).enumerate() {
                    near(&format!("{name}: {parameter}[{at}]"), f64::from(*found), *exact, 1e-5);
                }
            }
        }
    }
}
