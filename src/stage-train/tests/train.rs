//! Whole runs of the train stage, its ranks as threads: what comes out does not depend on how many there are, nor on being stopped on the way.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use pipectl_formats::dataset::{ColumnSpec, DatasetWriter, Format, Layout};
use pipectl_network::Weights;
use pipectl_stage::testing::job;
use pipectl_stage::{Control, Job, Stage, StageError, StageIo, WorkerEvent};
use pipectl_stage_train::Train;
use rand::{Rng, SeedableRng};
use serde_json::{Value as Json, json};

/// What the executor would be: forwards rank 0's address, counts progress, asks for a stop after so many steps.
#[derive(Default)]
struct Wire {
    address: Mutex<Option<String>>,
    told: Condvar,
    values: Mutex<BTreeMap<String, Json>>,
    messages: Mutex<Vec<String>>,
    steps: AtomicUsize,
    stop_after: Option<usize>,
}

struct Rank(Arc<Wire>);

impl Control for Rank {
    fn send(&self, event: WorkerEvent) {
        match event {
            WorkerEvent::Listening { address } => {
                *self.0.address.lock().unwrap() = Some(address);
                self.0.told.notify_all();
            }
            WorkerEvent::Value { name, value } => {
                self.0.values.lock().unwrap().insert(name, value);
            }
            WorkerEvent::Message { text } | WorkerEvent::Warning { text } => self.0.messages.lock().unwrap().push(text),
            WorkerEvent::Progress(_) => {
                self.0.steps.fetch_add(1, Ordering::SeqCst);
            }
            WorkerEvent::Hello { .. } | WorkerEvent::Done | WorkerEvent::Stopped | WorkerEvent::Failed { .. } => {}
        }
    }

    fn stop_requested(&self) -> bool {
        self.0.stop_after.is_some_and(|limit| self.0.steps.load(Ordering::SeqCst) >= limit)
    }

    fn rendezvous(&self, limit: Duration) -> Option<String> {
        let address = self.0.address.lock().unwrap();
        self.0.told.wait_timeout_while(address, limit, |address| address.is_none()).unwrap().0.clone()
    }

    fn variable(&self, _name: &str) -> Option<String> {
        None
    }
}

/// Sequences whose class is the feature that is greatest on average.
fn write_dataset(folder: &Path, rows: usize, nan_at: Option<usize>) {
    let column =
        |name: &str, shape: &[usize], ragged| ColumnSpec { name: name.to_owned(), shape: shape.to_vec(), ragged };
    let columns = vec![column("particles", &[12, 3], true), column("event", &[2], false), column("label", &[3], false)];
    let layout = Layout { format: Format::Tfrecord, shards: 2, rows: rows as u64, compression: Default::default() };
    let mut writer = DatasetWriter::create(folder, columns, layout).unwrap();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(5);
    for row in 0..rows {
        let class = random.random_range(0..3);
        let steps = random.random_range(3..=12);
        let mut particles: Vec<f32> = (0..steps * 3).map(|_| random.random_range(-1.0..1.0)).collect();
        particles.iter_mut().skip(class).step_by(3).for_each(|value| *value += 0.8);
        if nan_at == Some(row) {
            particles[0] = f32::NAN;
        }
        let event: Vec<f32> = (0..2).map(|_| random.random_range(0.0..1.0)).collect();
        let mut label = [0.0; 3];
        label[class] = 1.0;
        writer.write(&[&particles, &event, &label]).unwrap();
    }
    writer.finish().unwrap();
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

fn arguments(more: &[(&str, Json)]) -> Json {
    let mut arguments = json!({
        "model": model(), "dataset": { "digest": "sha256:0", "path": "data" }, "epochs": 3, "global_batch_size": 128, "seed": 3,
        "validation_split": 0.2, "optimizer": { "kind": "adam", "learning_rate": 0.02 },
        "schedule": [{ "from_epoch": 3, "learning_rate": 0.005 }], "label": null,
    });
    for (name, value) in more {
        arguments[*name] = value.clone();
    }
    arguments
}

struct Ran {
    weights: Vec<f32>,
    values: BTreeMap<String, Json>,
    messages: Vec<String>,
}

/// Runs all ranks to their end in `folder`, which holds `data`.
fn run(folder: &Path, arguments: &Json, workers: u32, stop_after: Option<usize>) -> Result<Ran, StageError> {
    let wire = Arc::new(Wire { stop_after, ..Wire::default() });
    let make = |name: String| {
        let path = folder.join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    };
    let output = make(format!("output-{workers}"));
    let results: Vec<Result<(), StageError>> = thread::scope(|scope| {
        let ranks: Vec<_> = (0..workers)
            .map(|rank| {
                let job = Job {
                    rank,
                    workers,
                    output: output.clone(),
                    scratch: make(format!("scratch-{workers}-{rank}")),
                    checkpoint: make(format!("checkpoint-{workers}")),
                    threads: 1,
                    ..job("train", folder, arguments.clone()).unwrap()
                };
                let control = Rank(wire.clone());
                scope.spawn(move || Train.run(&job, &mut StageIo::new(&job, Box::new(control))))
            })
            .collect();
        ranks.into_iter().map(|rank| rank.join().unwrap()).collect()
    });
    results.into_iter().collect::<Result<Vec<()>, StageError>>()?;
    let (_, weights) = Weights::load(output.join("weights.safetensors")).unwrap();
    let values = wire.values.lock().unwrap().clone();
    let messages = wire.messages.lock().unwrap().clone();
    Ok(Ran { weights: weights.to_flat(), values, messages })
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn the_number_of_workers_does_not_change_the_model() {
    let folder = tempfile::tempdir().unwrap();
    write_dataset(&folder.path().join("data"), 700, None);
    let alone = run(folder.path(), &arguments(&[]), 1, None).unwrap();
    let accuracy = alone.values["validation_accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.8, "the task is easy, and validation accuracy is {accuracy}");
    assert_eq!(alone.values["parameters"], json!(alone.weights.len()));
    for workers in [2, 4] {
        let together = run(folder.path(), &arguments(&[]), workers, None).unwrap();
        let distance = furthest(&alone.weights, &together.weights);
        assert!(distance < 1e-5, "{workers} workers end {distance} away from one");
        let loss = |ran: &Ran| ran.values["validation_loss"].as_f64().unwrap();
        assert!((loss(&alone) - loss(&together)).abs() < 1e-5);
    }
    let other = run(folder.path(), &arguments(&[("seed", json!(4))]), 3, None);
    assert!(furthest(&alone.weights, &other.unwrap().weights) > 1e-3, "another seed gives another model");
}

#[test]
fn a_stopped_run_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    write_dataset(&folder.path().join("data"), 700, None);
    let whole = run(folder.path(), &arguments(&[]), 2, None).unwrap();
    // A fresh folder for checkpoints: the same number of workers, stopped within the second epoch.
    std::fs::remove_dir_all(folder.path().join("checkpoint-2")).unwrap();
    let stopped = run(folder.path(), &arguments(&[]), 2, Some(7)).map(|_| ()).unwrap_err();
    assert!(stopped.stopped, "{stopped}");
    let resumed = run(folder.path(), &arguments(&[]), 2, None).unwrap();
    assert!(
        resumed.messages.iter().any(|message| message.starts_with("resuming after epoch 1")),
        "{:?}",
        resumed.messages
    );
    assert_eq!(whole.weights, resumed.weights);
    assert_eq!(whole.values, resumed.values);
}

#[test]
fn a_damaged_checkpoint_is_left_out_and_said() {
    let folder = tempfile::tempdir().unwrap();
    write_dataset(&folder.path().join("data"), 300, None);
    let whole = run(folder.path(), &arguments(&[]), 1, None).unwrap();
    let checkpoints = folder.path().join("checkpoint-1");
    for entry in std::fs::read_dir(&checkpoints).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "checkpoint") {
            let mut bytes = std::fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0xff;
            std::fs::write(&path, bytes).unwrap();
        }
    }
    let again = run(folder.path(), &arguments(&[]), 1, None).unwrap();
    assert!(again.messages.iter().any(|message| message.contains("left out")), "{:?}", again.messages);
    assert_eq!(whole.weights, again.weights);
}

#[test]
fn what_does_not_fit_is_said() {
    let folder = tempfile::tempdir().unwrap();
    write_dataset(&folder.path().join("data"), 64, Some(9));
    let fail = |more: &[(&str, Json)]| run(folder.path(), &arguments(more), 1, None).map(|_| ()).unwrap_err();
    let nan = fail(&[]);
    assert!(nan.detail.contains("not a finite number"), "{nan}");
    let missing = fail(&[("dataset", json!({ "digest": "sha256:0", "path": "nowhere" }))]);
    assert_eq!(missing.summary, "Dataset not readable");
    let wrong = fail(&[("inputs", json!({ "particles": "event" }))]);
    assert_eq!(wrong.summary, "Dataset does not fit the model");
    assert!(wrong.detail.contains("Column `event` has shape [2], and `particles` takes [12, 3]"), "{wrong}");
}

#[test]
fn the_label_may_be_an_input() {
    let folder = tempfile::tempdir().unwrap();
    write_dataset(&folder.path().join("data"), 128, None);
    let mut model = model();
    model["inputs"][1]["shape"] = json!([3]);
    let more = [("model", model), ("inputs", json!({ "event": "label" })), ("label", json!("label"))];
    let ran = run(folder.path(), &arguments(&more), 1, None).unwrap();
    assert!(ran.weights.iter().all(|weight| weight.is_finite()));
}
