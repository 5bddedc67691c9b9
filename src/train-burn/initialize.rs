//! First values of parameters: Keras' initialisers, from a seed.
//!
//! Every parameter draws from its own stream of ChaCha8, so that its values depend on the seed and on its place only.

use std::f64::consts::TAU;

use pipectl_network::{Initializer, Network, Weights};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Weights for `network` before training.
pub fn initial_weights(network: &Network, seed: u64) -> Weights {
    let mut values = Vec::with_capacity(network.parameter_count());
    for (index, parameter) in network.parameters().iter().enumerate() {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(index as u64);
        let count = parameter.len();
        match parameter.initializer {
            Initializer::GlorotUniform { fan_in, fan_out } => {
                let limit = (6.0 / (fan_in + fan_out) as f64).sqrt();
                values.extend((0..count).map(|_| ((2.0 * uniform(&mut random) - 1.0) * limit) as f32));
            }
            Initializer::Orthogonal => {
                let columns = parameter.shape.last().copied().unwrap_or(1);
                values.extend(orthogonal(count / columns, columns, &mut random));
            }
            Initializer::Zeros => values.extend(std::iter::repeat_n(0.0, count)),
            Initializer::UnitForgetBias => {
                let units = count / 4;
                values.extend((0..count).map(|at| if at / units == 1 { 1.0 } else { 0.0 }));
            }
        }
    }
    Weights::from_flat(network, &values).expect("one value for every parameter")
}

/// A random matrix whose rows or columns, whichever are fewer, are orthonormal.
///
/// Gram-Schmidt on normally distributed vectors is the QR factorisation with a positive diagonal of R, which makes the
/// result uniform over all such matrices. Each vector is projected twice, so that rounding does not pile up.
fn orthogonal(rows: usize, columns: usize, random: &mut ChaCha8Rng) -> Vec<f32> {
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    while vectors.len() < count {
        let mut vector: Vec<f64> = (0..length).map(|_| normal(random)).collect();
        for _ in 0..2 {
            for earlier in &vectors {
                let along: f64 = vector.iter().zip(earlier).map(|(a, b)| a * b).sum();
                vector.iter_mut().zip(earlier).for_each(|(a, b)| *a -= along * b);
            }
        }
        let norm = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
        // A vector that lies in the span of the others by chance is drawn again.
        if norm > 1e-6 {
            vector.iter_mut().for_each(|value| *value /= norm);
            vectors.push(vector);
        }
    }
    let entry = |row: usize, column: usize| if rows <= columns { vectors[row][column] } else { vectors[column][row] };
    (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))).map(|(r, c)| entry(r, c) as f32).collect()
}

/// Uniform in [0, 1).
fn uniform(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Standard normal, by Box and Muller's transform.
fn normal(random: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - uniform(random)).ln()).sqrt();
    radius * (TAU * uniform(random)).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Network {
        Network::from_json(&serde_json::json!({
            "name": "n",
            "inputs": [{"name": "x", "shape": [5, 19]}],
            "layers": [
                {"kind": "gru", "name": "gru", "input": "input.x", "units": 50, "return_sequences": true},
                {"kind": "lstm", "name": "lstm", "input": "layer.gru", "units": 7},
                {"kind": "dense", "name": "out", "input": "layer.lstm", "units": 3},
            ],
            "output": "layer.out",
        }))
        .unwrap()
    }

    #[test]
    fn recurrent_kernels_have_orthonormal_rows() {
        let weights = initial_weights(&network(), 42);
        let data = &weights.get("gru/recurrent_kernel").unwrap().data;
        for a in 0..50 {
            for b in 0..=a {
                let product: f64 = (0..150).map(|i| f64::from(data[a * 150 + i]) * f64::from(data[b * 150 + i])).sum();
                let expected = if a == b { 1.0 } else { 0.0 };
                assert!((product - expected).abs() < 1e-6, "rows {a} and {b}: {product}");
            }
        }
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let tall = orthogonal(4, 2, &mut random);
        let product = (0..4).map(|i| tall[2 * i] * tall[2 * i + 1]).sum::<f32>();
        assert!(product.abs() < 1e-6);
    }

    #[test]
    fn kernels_fill_their_range_and_biases_are_keras() {
        let weights = initial_weights(&network(), 42);
        let kernel = &weights.get("gru/kernel").unwrap().data;
        let limit = (6.0_f32 / 169.0).sqrt();
        let largest = kernel.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        assert!(largest <= limit && largest > 0.99 * limit);
        let mean = kernel.iter().sum::<f32>() / kernel.len() as f32;
        assert!(mean.abs() < 0.01, "mean {mean}");
        assert!(weights.get("gru/bias").unwrap().data.iter().all(|value| *value == 0.0));
        let bias = &weights.get("lstm/bias").unwrap().data;
        assert_eq!(bias.iter().sum::<f32>(), 7.0);
        assert_eq!(bias[7..14], [1.0; 7]);
    }

    #[test]
    fn the_seed_decides() {
        let network = network();
        assert_eq!(initial_weights(&network, 1), initial_weights(&network, 1));
        assert_ne!(initial_weights(&network, 1), initial_weights(&network, 2));
    }
}
