//! Gradient steps on the flat parameters, as Keras computes them.

use serde::{Deserialize, Serialize};

/// How a gradient changes the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Optimizer {
    /// Adam (D. Kingma, J. Ba, 2014), with epsilon outside of the bias correction, as in Keras.
    Adam {
        /// Decay of the mean gradient.
        beta_1: f64,
        /// Decay of the mean squared gradient.
        beta_2: f64,
        /// Added to the root of the mean squared gradient.
        epsilon: f64,
    },
    /// Stochastic gradient descent.
    Sgd {
        /// Part of the last step that the next one keeps.
        momentum: f64,
        /// Whether to look ahead by the momentum (Nesterov's).
        nesterov: bool,
    },
}

impl Optimizer {
    /// Adam with Keras' defaults.
    pub const ADAM: Optimizer = Optimizer::Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 };
    /// Gradient descent without momentum.
    pub const SGD: Optimizer = Optimizer::Sgd { momentum: 0.0, nesterov: false };

    /// What is wrong with the settings, if anything.
    pub(crate) fn mistake(&self) -> Option<String> {
        let decay = |name: &str, value: f64| {
            let right = (0.0..1.0).contains(&value);
            (!right).then(|| format!("{name} is at least 0 and less than 1, not {value}"))
        };
        match *self {
            Optimizer::Adam { beta_1, beta_2, epsilon } => {
                decay("beta_1", beta_1).or_else(|| decay("beta_2", beta_2)).or_else(|| {
                    let right = epsilon > 0.0 && epsilon.is_finite();
                    (!right).then(|| format!("epsilon is more than 0, not {epsilon}"))
                })
            }
            Optimizer::Sgd { momentum, .. } => decay("momentum", momentum),
        }
    }
}

/// What an optimiser remembers between steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Moments {
    /// Steps made.
    pub(crate) step: u64,
    /// Adam: mean gradient. SGD with momentum: last step. Else empty.
    pub(crate) first: Vec<f32>,
    /// Adam: mean squared gradient. Else empty.
    pub(crate) second: Vec<f32>,
}

impl Moments {
    /// Those of `optimizer` before the first step on `count` parameters.
    pub(crate) fn new(optimizer: &Optimizer, count: usize) -> Moments {
        let (first, second) = match optimizer {
            Optimizer::Adam { .. } => (count, count),
            Optimizer::Sgd { momentum, .. } => (if *momentum == 0.0 { 0 } else { count }, 0),
        };
        Moments { step: 0, first: vec![0.0; first], second: vec![0.0; second] }
    }

    /// Makes one step.
    ///
    /// The parameters and moments are `f32`, with Keras' operations in Keras' order; the factor that corrects Adam's bias is
    /// computed in `f64`.
    pub(crate) fn step(
        &mut self,
        optimizer: &Optimizer,
        parameters: &mut [f32],
        gradient: impl Iterator<Item = f32>,
        learning_rate: f64,
    ) {
        self.step += 1;
        let rate = learning_rate as f32;
        match *optimizer {
            Optimizer::Adam { beta_1, beta_2, epsilon } => {
                let steps = self.step as f64;
                let alpha = learning_rate * (1.0 - beta_2.powf(steps)).sqrt() / (1.0 - beta_1.powf(steps));
                let (alpha, epsilon) = (alpha as f32, epsilon as f32);
                let (rest_1, rest_2) = ((1.0 - beta_1) as f32, (1.0 - beta_2) as f32);
                let moments = self.first.iter_mut().zip(&mut self.second);
                for ((parameter, gradient), (m, v)) in parameters.iter_mut().zip(gradient).zip(moments) {
                    *m += (gradient - *m) * rest_1;
                    *v += (gradient * gradient - *v) * rest_2;
                    *parameter -= *m * alpha / (v.sqrt() + epsilon);
                }
            }
            Optimizer::Sgd { momentum: 0.0, .. } => {
                for (parameter, gradient) in parameters.iter_mut().zip(gradient) {
                    *parameter -= gradient * rate;
                }
            }
            Optimizer::Sgd { momentum, nesterov } => {
                let momentum = momentum as f32;
                for ((parameter, gradient), last) in parameters.iter_mut().zip(gradient).zip(&mut self.first) {
                    *last = *last * momentum - gradient * rate;
                    *parameter += if nesterov { *last * momentum - gradient * rate } else { *last };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Minimises `(x - 3)^2` from 0.
    fn minimise(optimizer: Optimizer, rate: f64, steps: usize) -> f32 {
        let mut parameters = [0.0];
        let mut moments = Moments::new(&optimizer, 1);
        for _ in 0..steps {
            let gradient = 2.0 * (parameters[0] - 3.0);
            moments.step(&optimizer, &mut parameters, [gradient].into_iter(), rate);
        }
        parameters[0]
    }

    #[test]
    fn all_of_them_descend() {
        let momentum = |nesterov| Optimizer::Sgd { momentum: 0.9, nesterov };
        for optimizer in [Optimizer::ADAM, Optimizer::SGD, momentum(false), momentum(true)] {
            let found = minimise(optimizer, 0.05, 400);
            assert!((found - 3.0).abs() < 1e-3, "{optimizer:?} found {found}");
        }
    }

    #[test]
    fn first_steps_by_hand() {
        assert!((minimise(Optimizer::ADAM, 0.1, 1) - 0.1).abs() < 1e-6);
        assert_eq!(minimise(Optimizer::SGD, 0.1, 1), 0.6);
        let momentum = |nesterov| Optimizer::Sgd { momentum: 0.5, nesterov };
        assert!((minimise(momentum(false), 0.1, 2) - (0.6 + 0.3 + 0.48)).abs() < 1e-6);
        assert!((minimise(momentum(true), 0.1, 1) - 0.9).abs() < 1e-6);
    }

    #[test]
    fn settings_out_of_range_are_told() {
        let mistake = Optimizer::Adam { beta_1: 1.0, beta_2: 0.9, epsilon: 1e-7 }.mistake();
        assert_eq!(mistake.as_deref(), Some("beta_1 is at least 0 and less than 1, not 1"));
        assert!(Optimizer::Adam { beta_1: 0.9, beta_2: 0.9, epsilon: 0.0 }.mistake().is_some());
        assert!(Optimizer::Sgd { momentum: f64::NAN, nesterov: false }.mistake().is_some());
        assert_eq!(Optimizer::ADAM.mistake(), None);
    }
}
