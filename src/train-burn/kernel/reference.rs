//! Keras' recurrent layers in plain `f64`, one number at a time: what the kernels are tested against.
//!
//! Written from the equations in Keras' documentation, and itself checked against Keras (`tests/keras.rs`).

use super::Kind;

/// A recurrent layer in `f64`, parameters laid out as Keras does.
pub(crate) struct Reference<'a> {
    pub(crate) kind: Kind,
    pub(crate) units: usize,
    pub(crate) kernel: &'a [f64],
    pub(crate) recurrent: &'a [f64],
    pub(crate) bias: &'a [f64],
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `x W` for a row-major `W`.
fn product(x: &[f64], weights: &[f64], columns: usize) -> Vec<f64> {
    (0..columns).map(|column| x.iter().enumerate().map(|(i, x)| x * weights[i * columns + column]).sum()).collect()
}

impl Reference<'_> {
    /// The state after each of the steps.
    pub(crate) fn states<'s>(&self, steps: impl Iterator<Item = &'s [f64]>) -> Vec<Vec<f64>> {
        let mut state = vec![0.0; self.units];
        let mut cell = vec![0.0; self.units];
        steps
            .map(|x| {
                match self.kind {
                    Kind::Gru => state = self.gru(x, &state),
                    Kind::Lstm => (state, cell) = self.lstm(x, &state, &cell),
                }
                state.clone()
            })
            .collect()
    }

    fn gru(&self, x: &[f64], h: &[f64]) -> Vec<f64> {
        let u = self.units;
        let (input_bias, recurrent_bias) = self.bias.split_at(3 * u);
        let a: Vec<f64> = product(x, self.kernel, 3 * u).iter().zip(input_bias).map(|(a, b)| a + b).collect();
        let b: Vec<f64> = product(h, self.recurrent, 3 * u).iter().zip(recurrent_bias).map(|(a, b)| a + b).collect();
        (0..u)
            .map(|j| {
                let z = sigmoid(a[j] + b[j]);
                let r = sigmoid(a[u + j] + b[u + j]);
                let new = (a[2 * u + j] + r * b[2 * u + j]).tanh();
                z * h[j] + (1.0 - z) * new
            })
            .collect()
    }

    fn lstm(&self, x: &[f64], h: &[f64], c: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let u = self.units;
        let a = product(x, self.kernel, 4 * u);
        let b = product(h, self.recurrent, 4 * u);
        let gate = |block: usize, j: usize| a[block * u + j] + b[block * u + j] + self.bias[block * u + j];
        let cell: Vec<f64> =
            (0..u).map(|j| sigmoid(gate(1, j)) * c[j] + sigmoid(gate(0, j)) * gate(2, j).tanh()).collect();
        let state = (0..u).map(|j| sigmoid(gate(3, j)) * cell[j].tanh()).collect();
        (state, cell)
    }
}
