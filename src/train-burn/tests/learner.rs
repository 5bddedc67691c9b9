//! What a learner promises: the same bits on any number of threads, masked and ragged sequences alike, sums that workers
//! may split, dropout by sample, clear errors, checkpoints that resume exactly, and that it learns.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use pipectl_formats::dataset::Column;
use pipectl_network::Network;
use pipectl_train_burn::{BLOCK_ROWS, Batch, CheckpointError, GradientSum, LearnError, Learner, Optimizer};
use proptest::prelude::*;
use serde_json::json;

const STEPS: usize = 12;
const WIDTH: usize = 3;

fn network(recurrent: &str, rate: f64) -> Network {
    Network::from_json(&json!({
        "name": "small",
        "inputs": [{"name": "sequence", "shape": [STEPS, WIDTH]}, {"name": "features", "shape": [2]}],
        "layers": [
            {"kind": "masking", "name": "mask", "input": "input.sequence"},
            {"kind": recurrent, "name": "recurrent", "input": "layer.mask", "units": 8},
            {"kind": "dropout", "name": "dropped", "input": "layer.recurrent", "rate": rate},
            {"kind": "concat", "name": "joined", "input": ["layer.dropped", "input.features"]},
            {"kind": "dense", "name": "class", "input": "layer.joined", "units": 2, "activation": "softmax"},
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

/// Sequences of random lengths; the class tells whether the first feature of the real steps sums to more than zero.
struct Rows {
    sequences: Vec<Vec<f32>>,
    features: Vec<f32>,
}

impl Rows {
    fn new(count: usize, seed: u64) -> Rows {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let sequences = (0..count)
            .map(|_| {
                let steps = 1 + ((random.next() + 0.5) * STEPS as f32) as usize % STEPS;
                (0..steps * WIDTH).map(|_| random.next()).collect()
            })
            .collect();
        Rows { sequences, features: (0..count * 2).map(|_| random.next()).collect() }
    }

    fn batch(&self, sequences: Column) -> Batch {
        let count = self.sequences.len();
        let class = |row: &Vec<f32>| row.iter().step_by(WIDTH).sum::<f32>() > 0.0;
        let labels = self.sequences.iter().flat_map(|row| if class(row) { [0.0, 1.0] } else { [1.0, 0.0] }).collect();
        Batch {
            inputs: BTreeMap::from([
                ("sequence".to_owned(), sequences),
                ("features".to_owned(), Column::fixed(count, vec![2], self.features.clone())),
            ]),
            labels: Column::fixed(count, vec![2], labels),
            samples: (0..count as u64).collect(),
            epoch: 0,
        }
    }

    fn ragged(&self) -> Batch {
        let lengths = self.sequences.iter().map(|row| (row.len() / WIDTH) as u32).collect();
        self.batch(Column::ragged(vec![STEPS, WIDTH], self.sequences.concat(), lengths))
    }

    /// Zeros before, behind, or between the real steps.
    fn padded(&self, real: impl Fn(usize, usize) -> bool) -> Batch {
        let mut values = Vec::new();
        for row in &self.sequences {
            let mut steps = row.chunks_exact(WIDTH);
            for step in 0..STEPS {
                let left = steps.len();
                let next = if real(step, left) { steps.next() } else { None };
                values.extend_from_slice(next.unwrap_or(&[0.0; WIDTH]));
            }
            assert_eq!(steps.len(), 0, "all real steps have a place");
        }
        self.batch(Column::fixed(self.sequences.len(), vec![STEPS, WIDTH], values))
    }
}

/// Some rows of a batch whose columns have fixed shapes or are ragged.
fn part(batch: &Batch, rows: std::ops::Range<usize>) -> Batch {
    let column = |column: &Column| {
        let data = rows.clone().flat_map(|row| column.row(row).to_vec()).collect();
        match &column.lengths {
            Some(lengths) => Column::ragged(column.shape.clone(), data, lengths[rows.clone()].to_vec()),
            None => Column::fixed(rows.len(), column.shape.clone(), data),
        }
    };
    Batch {
        inputs: batch.inputs.iter().map(|(name, values)| (name.clone(), column(values))).collect(),
        labels: column(&batch.labels),
        samples: batch.samples[rows.clone()].to_vec(),
        epoch: batch.epoch,
    }
}

fn learner(recurrent: &str, rate: f64, threads: usize) -> Learner {
    Learner::new(&network(recurrent, rate), 7, Optimizer::ADAM, threads).unwrap()
}

fn bits(sum: &GradientSum) -> Vec<u64> {
    sum.clone().into_sums().iter().map(|value| value.to_bits()).collect()
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let batch = Rows::new(150, 1).ragged();
    for recurrent in ["gru", "lstm"] {
        let results: Vec<_> = [1, 2, 3, 8]
            .map(|threads| {
                let mut learner = learner(recurrent, 0.2, threads);
                for _ in 0..3 {
                    let sum = learner.gradient(&batch).unwrap();
                    learner.apply(&sum, 0.01).unwrap();
                }
                (
                    learner.weights().to_flat(),
                    bits(&learner.gradient(&batch).unwrap()),
                    learner.evaluate(&batch).unwrap(),
                )
            })
            .into();
        for other in &results[1..] {
            assert_eq!(*other, results[0]);
        }
    }
}

#[test]
fn masked_ragged_and_trimmed_sequences_are_the_same() {
    let rows = Rows::new(50, 2);
    let ragged = rows.ragged();
    let behind = rows.padded(|_, _| true);
    let before = rows.padded(|step, left| STEPS - step <= left);
    let between = rows.padded(|step, left| step % 2 == 1 || STEPS - step <= left);
    for recurrent in ["gru", "lstm"] {
        let learner = learner(recurrent, 0.2, 1);
        let expected = bits(&learner.gradient(&ragged).unwrap());
        for batch in [&behind, &before, &between] {
            assert_eq!(bits(&learner.gradient(batch).unwrap()), expected, "{recurrent}");
        }
        // A row alone, cut to its own length.
        let whole = learner.predict(&ragged.inputs).unwrap();
        for row in 0..50 {
            let alone = part(&ragged, row..row + 1);
            assert_eq!(learner.predict(&alone.inputs).unwrap(), whole[row * 2..][..2], "{recurrent} row {row}");
        }
    }
}

#[test]
fn workers_with_whole_blocks_sum_to_the_whole_batch() {
    let batch = Rows::new(3 * BLOCK_ROWS + 5, 3).ragged();
    let learner = learner("gru", 0.2, 1);
    let whole = learner.gradient(&batch).unwrap();
    let mut sum = learner.gradient(&part(&batch, 0..BLOCK_ROWS)).unwrap();
    sum.add(&learner.gradient(&part(&batch, BLOCK_ROWS..3 * BLOCK_ROWS)).unwrap());
    sum.add(&learner.gradient(&part(&batch, 3 * BLOCK_ROWS..3 * BLOCK_ROWS + 5)).unwrap());
    assert_eq!((sum.rows, sum.correct), (whole.rows, whole.correct));
    for (a, b) in sum.into_sums().iter().zip(whole.into_sums()) {
        assert!((a - b).abs() < 1e-12 * (1.0 + b.abs()), "{a} and {b}");
    }
}

#[test]
fn dropout_follows_the_sample_not_its_place() {
    let batch = Rows::new(40, 4).ragged();
    let learner = learner("gru", 0.5, 1);
    let whole = learner.gradient(&batch).unwrap();
    let alone: f64 = (0..40).map(|row| learner.gradient(&part(&batch, row..row + 1)).unwrap().loss).sum();
    assert!((whole.loss - alone).abs() < 1e-9 * alone, "{} and {alone}", whole.loss);

    let mut later = batch.clone();
    later.epoch = 1;
    assert_ne!(learner.gradient(&later).unwrap().loss, whole.loss);
    let mut renumbered = batch.clone();
    renumbered.samples.reverse();
    assert_ne!(learner.gradient(&renumbered).unwrap().loss, whole.loss);
    assert_eq!(learner.evaluate(&renumbered).unwrap(), learner.evaluate(&batch).unwrap());
}

#[test]
fn it_learns() {
    for (recurrent, optimizer, rate) in [
        ("gru", Optimizer::ADAM, 0.01),
        ("lstm", Optimizer::ADAM, 0.01),
        ("gru", Optimizer::Sgd { momentum: 0.9, nesterov: true }, 0.05),
    ] {
        let mut learner = Learner::new(&network(recurrent, 0.1), 5, optimizer, 2).unwrap();
        let train = Rows::new(512, 6).ragged();
        let before = learner.evaluate(&train).unwrap();
        for epoch in 0..60 {
            for start in (0..512).step_by(64) {
                let mut batch = part(&train, start..start + 64);
                batch.epoch = epoch;
                let sum = learner.gradient(&batch).unwrap();
                learner.apply(&sum, rate).unwrap();
            }
        }
        let test = learner.evaluate(&Rows::new(512, 7).ragged()).unwrap();
        let accuracy = test.correct as f64 / test.rows as f64;
        assert!(accuracy > 0.95, "{recurrent} {optimizer:?}: accuracy {accuracy}");
        assert!(learner.evaluate(&train).unwrap().loss < before.loss / 3.0);
        for row in test.probabilities.chunks_exact(2) {
            assert!((row[0] + row[1] - 1.0).abs() < 1e-6);
        }
    }
}

#[test]
fn what_does_not_fit_is_told() {
    let rows = Rows::new(4, 8);
    let good = rows.ragged();
    let learner = learner("gru", 0.2, 1);
    let refused = |change: &dyn Fn(&mut Batch)| {
        let mut batch = good.clone();
        change(&mut batch);
        learner.gradient(&batch).unwrap_err().to_string()
    };
    assert_eq!(refused(&|b| drop(b.inputs.remove("features"))), "the batch has no input \"features\"");
    let wide = Column::fixed(4, vec![3], vec![0.0; 12]);
    assert_eq!(
        refused(&|b| drop(b.inputs.insert("features".into(), wide.clone()))),
        "the shape of input \"features\" per row is [3], the network needs [2]"
    );
    assert_eq!(refused(&|b| b.labels = wide.clone()), "the shape of the labels per row is [3], the network needs [2]");
    let short = Column::fixed(3, vec![2], vec![0.0; 6]);
    assert_eq!(refused(&|b| b.labels = short.clone()), "the batch has 4 rows, but there are 3 of the labels");
    assert_eq!(
        refused(&|b| drop(b.inputs.insert("features".into(), short.clone()))),
        "the batch has 4 rows, but there are 3 of input \"features\""
    );
    assert_eq!(refused(&|b| b.samples.push(4)), "the batch has 4 rows, but there are 5 of the sample numbers");
    let spoilt = Column::fixed(4, vec![2], vec![0., 0., 0., 0., 0., f32::NAN, 0., 0.]);
    assert_eq!(
        refused(&|b| drop(b.inputs.insert("features".into(), spoilt.clone()))),
        "input \"features\" of row 2 of the batch holds NaN, not a finite number"
    );
    let mut inputs = good.inputs.clone();
    inputs.insert("features".into(), spoilt);
    assert!(matches!(learner.predict(&inputs), Err(LearnError::NotFinite { row: 2, .. })));

    let mut diverging = Learner::new(&network("gru", 0.2), 1, Optimizer::SGD, 1).unwrap();
    let sum = diverging.gradient(&good).unwrap();
    diverging.apply(&sum, f64::INFINITY).unwrap();
    assert!(matches!(diverging.gradient(&good), Err(LearnError::Diverged { .. })));
    let none = GradientSum::zero(network("gru", 0.2).parameter_count());
    assert!(matches!(diverging.apply(&none, 0.1), Err(LearnError::NoRows)));
    assert!(matches!(diverging.apply(&GradientSum::zero(3), 0.1), Err(LearnError::Gradient { .. })));
    let bad = Optimizer::Sgd { momentum: 2.0, nesterov: false };
    assert!(matches!(Learner::new(&network("gru", 0.2), 1, bad, 1), Err(LearnError::Optimizer(_))));
}

#[test]
fn an_empty_batch_is_a_sum_over_no_rows() {
    let batch = Rows::new(0, 1).ragged();
    let learner = learner("gru", 0.2, 2);
    assert_eq!(learner.gradient(&batch).unwrap(), GradientSum::zero(learner.network().parameter_count()));
    assert_eq!(learner.evaluate(&batch).unwrap().rows, 0);
    assert!(learner.predict(&batch.inputs).unwrap().is_empty());
}

#[test]
fn a_checkpoint_resumes_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let batch = Rows::new(64, 9).ragged();
    let step = |learner: &mut Learner| {
        let sum = learner.gradient(&batch).unwrap();
        learner.apply(&sum, 0.01).unwrap();
    };
    let momentum = Optimizer::Sgd { momentum: 0.9, nesterov: false };
    for (index, optimizer) in [Optimizer::ADAM, Optimizer::SGD, momentum].into_iter().enumerate() {
        let mut learner = Learner::new(&network("lstm", 0.3), u64::MAX - 3, optimizer, 1).unwrap();
        (0..3).for_each(|_| step(&mut learner));
        learner.set_progress(json!({"epoch": 2, "losses": [0.1, 1.0 / 3.0]}));
        let path = folder.path().join(format!("{index}.checkpoint"));
        learner.save_checkpoint(&path).unwrap();
        let mut resumed = Learner::load_checkpoint(&path, 2).unwrap();
        assert_eq!(resumed.progress(), learner.progress());
        assert_eq!((resumed.steps(), resumed.optimizer()), (3, &optimizer));
        assert_eq!(resumed.network(), learner.network());
        (0..2).for_each(|_| step(&mut learner));
        (0..2).for_each(|_| step(&mut resumed));
        assert_eq!(resumed.weights(), learner.weights());
    }
}

/// Files of the first version are read for ever, and written the same. The first weights of a seed stay what they are.
#[test]
fn the_golden_checkpoint_is_read_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let (golden, again) = (folder.path().join("golden"), folder.path().join("again"));
    let bytes: &[u8] = include_bytes!("data/checkpoint-1.safetensors");
    std::fs::write(&golden, bytes).unwrap();
    let learner = Learner::load_checkpoint(&golden, 1).unwrap();
    assert_eq!(learner.progress(), &json!({"epoch": 1}));
    assert_eq!(learner.steps(), 0);
    let fresh = Learner::new(&network("lstm", 0.25), 7, Optimizer::ADAM, 1).unwrap();
    assert_eq!(learner.network(), fresh.network());
    for (stored, drawn) in learner.weights().to_flat().iter().zip(fresh.weights().to_flat()) {
        assert!((stored - drawn).abs() < 1e-6, "{stored} was stored, {drawn} is drawn");
    }
    learner.save_checkpoint(&again).unwrap();
    assert!(std::fs::read(&again).unwrap() == bytes, "the bytes changed");
}

proptest! {
    // Failures are not kept in a folder: proptest would put it beside the crates, where cargo takes it for one.
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens to the bytes of a checkpoint, it is an error or the same checkpoint.
    #[test]
    fn a_damaged_checkpoint_is_refused(at in any::<prop::sample::Index>(), bit in 0_u32..8, cut in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let learner = learner("gru", 0.2, 1);
        let path = folder.path().join("checkpoint");
        learner.save_checkpoint(&path).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let place = at.index(bytes.len());
        if cut {
            bytes.truncate(place);
        } else {
            bytes[place] ^= 1 << bit;
        }
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(read) = Learner::load_checkpoint(&path, 1) {
            // A flipped bit may turn a space of the header's padding into another one that means the same.
            prop_assert!(!cut);
            prop_assert_eq!(read.weights(), learner.weights());
            prop_assert_eq!(read.network(), learner.network());
            prop_assert_eq!(read.steps(), learner.steps());
        }
    }
}

#[test]
fn files_that_are_no_checkpoints_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let load = || Learner::load_checkpoint(&path, 1);
    assert!(matches!(load(), Err(CheckpointError::Read { .. })));
    std::fs::write(&path, b"not a checkpoint").unwrap();
    assert!(matches!(load(), Err(CheckpointError::Format { .. })));
    let learner = learner("gru", 0.2, 1);
    learner.weights().save(&path, learner.network()).unwrap();
    assert!(matches!(load(), Err(CheckpointError::Damaged { .. })));
    learner.save_checkpoint(&path).unwrap();
    let text = std::fs::read(&path).unwrap();
    let replace = |from: &[u8], to: &[u8]| {
        let at = text.windows(from.len()).position(|window| window == from).unwrap();
        let mut bytes = text.clone();
        bytes[at..at + from.len()].copy_from_slice(to);
        std::fs::write(&path, bytes).unwrap();
    };
    replace(br#"\"version\":1"#, br#"\"version\":9"#);
    assert!(matches!(load(), Err(CheckpointError::Version { found: 9, .. })));
    replace(br#"\"step\\\":0"#, br#"\"step\\\":7"#);
    assert!(matches!(load(), Err(CheckpointError::Digest { .. })));
    assert!(matches!(learner.save_checkpoint(folder.path().join("no/such")), Err(CheckpointError::Write { .. })));
}
