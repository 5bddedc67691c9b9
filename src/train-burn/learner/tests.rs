//! Whole networks against a plain `f64` evaluation: losses, and gradients by finite differences, dropout included.
use pipectl_network::{Activation, LayerKind, NodeRef};
use serde_json::json;

use super::*;
use crate::dropout::MaskKey;
use crate::kernel::Kind;
use crate::kernel::reference::Reference;

/// One row's value of a node, and the steps that recurrent layers compute.
#[derive(Clone)]
struct Plainly {
    numbers: Vec<f64>,
    kept: Option<Vec<usize>>,
}

/// The loss of one row, one number at a time.
fn row_loss(learner: &Learner, parameters: &[f64], batch: &Batch, row: usize) -> f64 {
    let network = learner.network();
    let mut named = BTreeMap::new();
    let mut rest = parameters;
    for parameter in network.parameters() {
        let (values, others) = rest.split_at(parameter.len());
        named.insert(parameter.name, values);
        rest = others;
    }
    let inputs: Vec<Plainly> = network
        .inputs()
        .iter()
        .map(|input| {
            let column = &batch.inputs[&input.name];
            let mut numbers: Vec<f64> = column.row(row).iter().map(|value| f64::from(*value)).collect();
            numbers.resize(column.size(), 0.0);
            Plainly { numbers, kept: column.lengths.as_ref().map(|lengths| (0..lengths[row] as usize).collect()) }
        })
        .collect();
    let mut values: Vec<Plainly> = Vec::new();
    for layer in network.layers() {
        let reads: Vec<(&Plainly, &[usize])> = layer
            .inputs
            .iter()
            .map(|node| match *node {
                NodeRef::Input(index) => (&inputs[index], network.shape(*node)),
                NodeRef::Layer(index) => (&values[index], network.shape(*node)),
            })
            .collect();
        let (value, shape) = reads[0];
        let parameter = |name: &str| named[&format!("{}/{name}", layer.name)];
        let width = *shape.last().unwrap();
        let next = match layer.kind {
            LayerKind::Masking { mask_value } => {
                let steps = value.kept.clone().unwrap_or_else(|| (0..shape[0]).collect());
                let real =
                    |step: &usize| value.numbers[step * width..][..width].iter().any(|x| *x != f64::from(mask_value));
                Plainly { numbers: value.numbers.clone(), kept: Some(steps.into_iter().filter(real).collect()) }
            }
            LayerKind::Gru { units, .. } | LayerKind::Lstm { units, .. } => {
                let kind = if matches!(layer.kind, LayerKind::Gru { .. }) { Kind::Gru } else { Kind::Lstm };
                let kernel = parameter("kernel");
                let (recurrent, bias) = (parameter("recurrent_kernel"), parameter("bias"));
                let reference = Reference { kind, units, kernel, recurrent, bias };
                let steps = value.kept.clone().unwrap_or_else(|| (0..shape[0]).collect());
                let states = reference.states(steps.iter().map(|step| &value.numbers[step * width..][..width]));
                if layer.shape.len() == 2 {
                    let zero = vec![0.0; units];
                    let shown = (0..shape[0]).flat_map(|step| {
                        let done = steps.iter().filter(|kept| **kept <= step).count();
                        if done == 0 { zero.clone() } else { states[done - 1].clone() }
                    });
                    Plainly { numbers: shown.collect(), kept: value.kept.clone() }
                } else {
                    Plainly { numbers: states.last().cloned().unwrap_or(vec![0.0; units]), kept: None }
                }
            }
            LayerKind::Dense { units, activation } => {
                let (kernel, bias) = (parameter("kernel"), parameter("bias"));
                let numbers = value.numbers.chunks_exact(width).flat_map(|x| {
                    let sum = |unit: usize| {
                        bias[unit] + x.iter().enumerate().map(|(i, x)| x * kernel[i * units + unit]).sum::<f64>()
                    };
                    let sums: Vec<f64> = (0..units).map(sum).collect();
                    let total: f64 = sums.iter().map(|sum| sum.exp()).sum();
                    let active = move |sum: &f64| match activation {
                        Activation::Linear => *sum,
                        Activation::Relu => sum.max(0.0),
                        Activation::Sigmoid => 1.0 / (1.0 + (-sum).exp()),
                        Activation::Tanh => sum.tanh(),
                        Activation::Softmax => sum.exp() / total,
                    };
                    sums.iter().map(active).collect::<Vec<_>>()
                });
                Plainly { numbers: numbers.collect(), kept: value.kept.clone() }
            }
            LayerKind::Dropout { rate } => {
                let mut factors = vec![0.0; value.numbers.len()];
                MaskKey::new(learner.seed, &layer.name, batch.epoch).fill(batch.samples[row], rate, &mut factors);
                let numbers = value.numbers.iter().zip(factors).map(|(x, factor)| x * f64::from(factor));
                Plainly { numbers: numbers.collect(), kept: value.kept.clone() }
            }
            LayerKind::Concat { axis } => {
                let outer: usize = shape[..axis].iter().product();
                let mut numbers = Vec::new();
                for part in 0..outer {
                    for (value, _) in &reads {
                        let inner = value.numbers.len() / outer;
                        numbers.extend_from_slice(&value.numbers[part * inner..][..inner]);
                    }
                }
                let kept = layer.masked.then(|| {
                    let mut kept: Vec<usize> =
                        reads.iter().flat_map(|(value, _)| value.kept.clone().unwrap()).collect();
                    kept.sort_unstable();
                    kept.dedup();
                    kept
                });
                Plainly { numbers, kept }
            }
            LayerKind::Flatten => Plainly { numbers: value.numbers.clone(), kept: None },
        };
        values.push(next);
    }
    let output = &values.last().unwrap().numbers;
    let total: f64 = output.iter().sum();
    -batch.labels.row(row).iter().zip(output).map(|(label, p)| f64::from(*label) * (p / total).ln()).sum::<f64>()
}

fn random(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..count).map(|_| 2.0 * next()).collect()
}

fn batch(network: &Network, rows: usize, ragged: bool) -> Batch {
    let classes = network.output().shape[0];
    let mut inputs = BTreeMap::new();
    for (index, input) in network.inputs().iter().enumerate() {
        let size: usize = input.shape.iter().product();
        let column = if ragged && input.shape.len() == 2 {
            let lengths: Vec<u32> = (0..rows).map(|row| (row * 5 % (input.shape[0] + 1)) as u32).collect();
            let values = lengths.iter().sum::<u32>() as usize * input.shape[1];
            Column::ragged(input.shape.clone(), random(values, index as u64 + 1), lengths)
        } else {
            let mut values = random(rows * size, index as u64 + 1);
            if let [steps, width] = input.shape[..] {
                // Some steps are padding, also in the middle.
                for (at, step) in values.chunks_exact_mut(width).enumerate() {
                    if (at / steps + at % steps * 3) % 4 == 0 {
                        step.fill(0.0);
                    }
                }
            }
            Column::fixed(rows, input.shape.clone(), values)
        };
        inputs.insert(input.name.clone(), column);
    }
    // Probabilities rather than one class, so that every term of the loss counts.
    let mut labels: Vec<f32> = random(rows * classes, 99).iter().map(|value| value.abs() + 0.1).collect();
    for row in labels.chunks_exact_mut(classes) {
        let total: f32 = row.iter().sum();
        row.iter_mut().for_each(|value| *value /= total);
    }
    let labels = Column::fixed(rows, vec![classes], labels);
    Batch { inputs, labels, samples: (0..rows as u64).map(|row| row * 1_000_003).collect(), epoch: 3 }
}

fn check(declaration: &serde_json::Value, rows: usize, ragged: bool) {
    let network = Network::from_json(declaration).unwrap();
    let learner = Learner::new(&network, 11, Optimizer::ADAM, 1).unwrap();
    let batch = batch(&network, rows, ragged);
    let sum = learner.gradient(&batch).unwrap();
    let mut parameters: Vec<f64> = learner.parameters.iter().map(|value| f64::from(*value)).collect();
    let loss = |parameters: &[f64]| (0..rows).map(|row| row_loss(&learner, parameters, &batch, row)).sum::<f64>();
    let exact = loss(&parameters);
    let name = network.name();
    assert!((sum.loss - exact).abs() < 1e-5 * (1.0 + exact.abs()), "{name}: loss {} is exactly {exact}", sum.loss);
    assert_eq!(sum.gradient.len(), network.parameter_count());
    let stride = (parameters.len() / 60).max(1);
    for at in (0..parameters.len()).step_by(stride) {
        let value = parameters[at];
        parameters[at] = value + 1e-5;
        let above = loss(&parameters);
        parameters[at] = value - 1e-5;
        let below = loss(&parameters);
        parameters[at] = value;
        let exact = (above - below) / 2e-5;
        let error = (sum.gradient[at] - exact).abs();
        assert!(error < 5e-5 * (1.0 + exact.abs()), "{name}: gradient {at} is {}, exactly {exact}", sum.gradient[at]);
    }
}

fn classifier(recurrent: &str) -> serde_json::Value {
    json!({
        "name": format!("classifier with {recurrent}"),
        "inputs": [{"name": "sequence", "shape": [13, 5]}, {"name": "features", "shape": [4]}],
        "layers": [
            {"kind": "masking", "name": "mask", "input": "input.sequence"},
            {"kind": recurrent, "name": "recurrent", "input": "layer.mask", "units": 9},
            {"kind": "dropout", "name": "recurrent_dropout", "input": "layer.recurrent", "rate": 0.2},
            {"kind": "dropout", "name": "feature_dropout", "input": "input.features", "rate": 0.2},
            {"kind": "concat", "name": "joined", "input": ["layer.recurrent_dropout", "layer.feature_dropout"]},
            {"kind": "dense", "name": "hidden", "input": "layer.joined", "units": 7, "activation": "relu"},
            {"kind": "dense", "name": "class", "input": "layer.hidden", "units": 3, "activation": "softmax"},
        ],
        "output": "layer.class",
    })
}

#[test]
fn classifiers_agree_with_plain_arithmetic() {
    for recurrent in ["gru", "lstm"] {
        check(&classifier(recurrent), 41, false);
        check(&classifier(recurrent), 33, true);
    }
}

#[test]
fn dense_networks_agree_with_plain_arithmetic() {
    let layers = |activation: &str, last: &str| {
        json!({
            "name": format!("dense {activation} {last}"),
            "inputs": [{"name": "x", "shape": [6]}],
            "layers": [
                {"kind": "dense", "name": "a", "input": "input.x", "units": 8, "activation": activation},
                {"kind": "dense", "name": "b", "input": "layer.a", "units": 4, "activation": last},
            ],
            "output": "layer.b",
        })
    };
    for (activation, last) in [("relu", "softmax"), ("sigmoid", "softmax"), ("tanh", "sigmoid"), ("softmax", "sigmoid")]
    {
        check(&layers(activation, last), 40, false);
    }
}

#[test]
fn stacked_sequences_agree_with_plain_arithmetic() {
    let stack = json!({
        "name": "stack",
        "inputs": [{"name": "a", "shape": [7, 3]}, {"name": "b", "shape": [7, 2]}],
        "layers": [
            {"kind": "masking", "name": "mask_a", "input": "input.a"},
            {"kind": "masking", "name": "mask_b", "input": "input.b"},
            {"kind": "dropout", "name": "thin", "input": "layer.mask_a", "rate": 0.3},
            {"kind": "concat", "name": "both", "input": ["layer.thin", "layer.mask_b"]},
            {"kind": "dense", "name": "wide", "input": "layer.both", "units": 6, "activation": "tanh"},
            {"kind": "lstm", "name": "first", "input": "layer.wide", "units": 5, "return_sequences": true},
            {"kind": "gru", "name": "second", "input": "layer.first", "units": 4, "return_sequences": true},
            {"kind": "gru", "name": "third", "input": "layer.second", "units": 4},
            {"kind": "flatten", "name": "flat", "input": "layer.second"},
            {"kind": "concat", "name": "all", "input": ["layer.third", "layer.flat"]},
            {"kind": "dense", "name": "class", "input": "layer.all", "units": 3, "activation": "softmax"},
        ],
        "output": "layer.class",
    });
    check(&stack, 37, false);
    check(&stack, 20, true);
}
