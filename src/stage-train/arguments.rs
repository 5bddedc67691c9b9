//! The arguments as the run takes them.

use std::collections::BTreeMap;

use pipectl_stage::{Job, StageError};
use pipectl_train_burn::Optimizer;
use serde::Deserialize;
use serde_json::Value as Json;

/// The arguments of a job.
#[derive(Clone, Debug, Deserialize)]
pub struct Arguments {
    /// The network's declaration.
    pub model: Json,
    /// Column of each input, where it is not the one of the same name.
    #[serde(default)]
    pub inputs: BTreeMap<String, String>,
    /// Column of the labels.
    pub label: Option<String>,
    /// Share of the dataset's last rows that is kept for validation.
    pub validation_split: Option<f64>,
    batch_size: Option<u64>,
    global_batch_size: Option<u64>,
    /// Passes over the data.
    pub epochs: u64,
    /// Decides everything random.
    #[serde(default = "one")]
    pub seed: u64,
    optimizer: Option<OptimizerBlock>,
    #[serde(default)]
    schedule: Vec<ScheduleStep>,
}

fn one() -> u64 {
    1
}

#[derive(Clone, Debug, Deserialize)]
struct OptimizerBlock {
    kind: String,
    learning_rate: Option<f64>,
    beta_1: Option<f64>,
    beta_2: Option<f64>,
    epsilon: Option<f64>,
    momentum: Option<f64>,
    nesterov: Option<bool>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct ScheduleStep {
    from_epoch: u64,
    learning_rate: f64,
}

impl Arguments {
    /// The arguments of `job`.
    ///
    /// # Errors
    /// When they do not fit; the schema has judged them before.
    pub fn of(job: &Job) -> Result<Self, StageError> {
        job.arguments_as()
    }

    /// Rows of a global batch. More than a dataset can have is as good as all of them.
    pub fn global_batch(&self, workers: u32) -> usize {
        let of_all = || self.batch_size.unwrap_or(128).saturating_mul(u64::from(workers));
        usize::try_from(self.global_batch_size.unwrap_or_else(of_all)).unwrap_or(usize::MAX)
    }

    /// The optimiser.
    pub fn optimizer(&self) -> Optimizer {
        match &self.optimizer {
            Some(block) if block.kind == "sgd" => {
                Optimizer::Sgd { momentum: block.momentum.unwrap_or(0.0), nesterov: block.nesterov.unwrap_or(false) }
            }
            Some(block) => Optimizer::Adam {
                beta_1: block.beta_1.unwrap_or(0.9),
                beta_2: block.beta_2.unwrap_or(0.999),
                epsilon: block.epsilon.unwrap_or(1e-7),
            },
            None => Optimizer::ADAM,
        }
    }

    /// The learning rate of an epoch, counted from 0: the last step of the schedule that has begun, else the optimiser's.
    pub fn learning_rate(&self, epoch: u64) -> f64 {
        let begun = self.schedule.iter().filter(|step| step.from_epoch <= epoch + 1).max_by_key(|step| step.from_epoch);
        let default = || match &self.optimizer {
            Some(block) if block.kind == "sgd" => block.learning_rate.unwrap_or(0.01),
            Some(block) => block.learning_rate.unwrap_or(0.001),
            None => 0.001,
        };
        begun.map_or_else(default, |step| step.learning_rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_step_that_has_begun_counts() {
        let json = serde_json::json!({
            "model": {}, "epochs": 10, "optimizer": { "kind": "adam", "learning_rate": 0.001 },
            "schedule": [{ "from_epoch": 9, "learning_rate": 0.0002 }, { "from_epoch": 6, "learning_rate": 0.0004 }],
        });
        let arguments: Arguments = serde_json::from_value(json).unwrap();
        let rates: Vec<f64> = (0..10).map(|epoch| arguments.learning_rate(epoch)).collect();
        assert_eq!(rates, [0.001, 0.001, 0.001, 0.001, 0.001, 0.0004, 0.0004, 0.0004, 0.0002, 0.0002]);
        assert_eq!(arguments.global_batch(3), 384);
    }

    #[test]
    fn a_batch_beyond_all_numbers_is_all_rows() {
        let json = serde_json::json!({ "model": {}, "epochs": 1, "batch_size": u64::MAX / 2 });
        let arguments: Arguments = serde_json::from_value(json).unwrap();
        let size = arguments.global_batch(4);
        assert_eq!(crate::plan::steps(100, size), 1);
        assert_eq!(crate::plan::batch(&[2, 0, 1], 0, size, |row| row as u64), [0, 1, 2]);
    }
}
