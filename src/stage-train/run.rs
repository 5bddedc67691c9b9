//! The training run of one rank.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pipectl_collective::{CollectiveError, Group, Hub};
use pipectl_core::Path as ValuePath;
use pipectl_network::Network;
use pipectl_provider::Progress;
use pipectl_stage::{Job, StageError, StageIo};
use pipectl_train_burn::{Batch, GradientSum, LearnError, Learner};

use crate::arguments::Arguments;
use crate::checkpoint::{self, Epoch, Position};
use crate::data::Source;
use crate::plan;

/// How long ranks wait for each other at the start.
const RENDEZVOUS: Duration = Duration::from_secs(120);
/// Longest time without a checkpoint.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(30);
/// Rows of a validation batch.
const VALIDATION_ROWS: usize = 512;

/// Trains as `job` says.
///
/// # Errors
/// When the arguments do not fit the data, a rank is lost, the loss is not a number, or a file cannot be written.
pub fn train(job: &Job, io: &mut StageIo) -> Result<(), StageError> {
    let arguments = Arguments::of(job)?;
    let network = Network::from_json(&arguments.model).map_err(|problems| {
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        StageError::new("Invalid model", text.join("\n")).on(ValuePath::of("model"))
    })?;
    let group = meet(job, io)?;
    let mut run = Run::start(job, io, arguments, network, group)?;
    run.go(io)?;
    run.finish(io)
}

/// Brings the ranks together.
fn meet(job: &Job, io: &StageIo) -> Result<Group, StageError> {
    if job.workers == 1 {
        return Ok(Group::alone());
    }
    if job.rank > 0 {
        let address = io.rendezvous(RENDEZVOUS)?;
        return Group::join(&address, job.rank, job.workers, &job.key, RENDEZVOUS).map_err(lost);
    }
    let hub = Hub::listen().map_err(lost)?;
    io.announce(&hub.address().map_err(lost)?.to_string());
    hub.gather(job.workers, &job.key, RENDEZVOUS).map_err(lost)
}

fn lost(error: CollectiveError) -> StageError {
    StageError { transient: true, ..StageError::caused("Workers lost each other", &error) }
}

fn failed(error: LearnError) -> StageError {
    StageError::caused("Training failed", &error)
}

struct Run<'a> {
    job: &'a Job,
    arguments: Arguments,
    network: Network,
    group: Group,
    learner: Learner,
    source: Arc<Source>,
    /// Rows to train on: the first of the dataset.
    rows: usize,
    validation: Option<Validation>,
    position: Position,
    pace: Pace,
}

/// What every epoch is judged by: rows of a dataset of its own, or the last ones of the training data.
struct Validation {
    source: Arc<Source>,
    rows: std::ops::Range<usize>,
}

/// How fast it goes, for people.
struct Pace {
    started: Instant,
    events: f64,
    checkpointed: Instant,
}

impl<'a> Run<'a> {
    fn start(
        job: &'a Job,
        io: &StageIo,
        arguments: Arguments,
        network: Network,
        mut group: Group,
    ) -> Result<Self, StageError> {
        let open = |argument: &str, folder: &Path| {
            Source::open(folder, &network, &arguments.inputs, arguments.label.as_deref())
                .map(Arc::new)
                .map_err(|failure| failure.or_on(ValuePath::of(argument)))
        };
        let source = open("dataset", &job.required_artifact("dataset")?)?;
        let separate = job.artifact("validation").map(|folder| open("validation", &folder)).transpose()?;
        let kept = arguments.validation_split.map_or(0, |split| (source.len() as f64 * split).round() as usize);
        let rows = source.len() - kept;
        if rows == 0 {
            let failure = StageError::new("Empty dataset", "The dataset has no rows to train on.");
            return Err(failure.on(ValuePath::of("dataset")));
        }
        let validation = match separate {
            Some(separate) => Some(Validation { rows: 0..separate.len(), source: separate }),
            None => (kept > 0).then_some(Validation { rows: rows..source.len(), source: source.clone() }),
        };
        let (learner, position) = match resume(job, io, &mut group)? {
            Some((learner, position)) => {
                if job.rank == 0 {
                    io.message(format!("resuming after epoch {}, step {}", position.epoch, position.step));
                }
                (learner, position)
            }
            None => {
                let learner =
                    Learner::new(&network, arguments.seed, arguments.optimizer(), job.threads).map_err(failed)?;
                (learner, Position::default())
            }
        };
        let now = Instant::now();
        let pace = Pace { started: now, events: 0.0, checkpointed: now };
        Ok(Self { job, arguments, network, group, learner, source, rows, validation, position, pace })
    }

    /// All epochs that are left.
    fn go(&mut self, io: &StageIo) -> Result<(), StageError> {
        if self.job.rank == 0 && self.position == Position::default() {
            let (workers, threads) = (self.job.workers, self.job.threads);
            io.message(format!(
                "{} parameters, {} events, {workers} worker{} with {threads} thread{}{}",
                self.network.parameter_count(),
                self.rows,
                if workers == 1 { "" } else { "s" },
                if threads == 1 { "" } else { "s" },
                if workers == 1 { "" } else { " each" },
            ));
        }
        while self.position.epoch < self.arguments.epochs {
            self.epoch(io)?;
        }
        Ok(())
    }

    fn epoch(&mut self, io: &StageIo) -> Result<(), StageError> {
        let epoch = self.position.epoch;
        let size = self.arguments.global_batch(self.job.workers);
        let order = plan::order(self.rows, self.arguments.seed, epoch);
        let first = self.position.step as usize;
        let source = self.source.clone();
        let (rank, workers) = (self.job.rank, self.job.workers);
        let parts = (first..plan::steps(self.rows, size)).map(|step| {
            let batch = plan::batch(&order, step, size, |row| source.weight(row));
            batch[plan::share(batch.len(), rank, workers)].to_vec()
        });
        source.for_each(parts, epoch, |batch| self.step(io, &batch))?;
        let Position { loss, correct, rows, .. } = self.position;
        let validation = self.validate(epoch)?;
        let done = Epoch {
            epoch: epoch + 1,
            learning_rate: self.arguments.learning_rate(epoch),
            loss: loss / rows,
            accuracy: correct / rows,
            validation_loss: validation.map(|(loss, _)| loss),
            validation_accuracy: validation.map(|(_, accuracy)| accuracy),
        };
        let mut history = std::mem::take(&mut self.position.history);
        history.push(done);
        self.position = Position { epoch: epoch + 1, history, ..Position::default() };
        if rank == 0 {
            io.message(self.summary(&done));
        }
        self.checkpoint(io)
    }

    /// One step: gradients of this rank's rows, summed over ranks, applied by all.
    fn step(&mut self, io: &StageIo, batch: &Batch) -> Result<(), StageError> {
        let own = match batch.samples.is_empty() {
            true => GradientSum::zero(self.network.parameter_count()),
            false => self.learner.gradient(batch).map_err(failed)?,
        };
        let head = [own.loss, own.correct as f64, own.rows as f64, f64::from(u8::from(io.stop_requested()))];
        let mut sums: Vec<f64> = head.into_iter().chain(own.gradient).collect();
        self.group.all_reduce_sum(&mut sums).map_err(lost)?;
        let gradient = sums.split_off(head.len());
        let [loss, correct, rows, stops] = [sums[0], sums[1], sums[2], sums[3]];
        let epoch = self.position.epoch;
        if !loss.is_finite() || gradient.iter().any(|value| !value.is_finite()) {
            let detail = format!(
                "The loss is no longer a finite number in step {} of epoch {}. A smaller learning rate, or features of a smaller scale, would help.",
                self.position.step + 1,
                epoch + 1
            );
            return Err(StageError::new("Training diverged", detail));
        }
        let total = GradientSum { loss, correct: correct as u64, rows: rows as u64, gradient };
        self.learner.apply(&total, self.arguments.learning_rate(epoch)).map_err(failed)?;
        self.position.step += 1;
        self.position.loss += loss;
        self.position.correct += correct;
        self.position.rows += rows;
        self.pace.events += rows;
        if self.job.rank == 0 {
            self.report(io);
        }
        if stops > 0.0 {
            self.checkpoint(io)?;
            return Err(StageError::stopped());
        }
        if self.pace.checkpointed.elapsed() > CHECKPOINT_INTERVAL {
            self.checkpoint(io)?;
        }
        Ok(())
    }

    /// Mean loss and accuracy over the validation rows.
    fn validate(&mut self, epoch: u64) -> Result<Option<(f64, f64)>, StageError> {
        let Some(validation) = &self.validation else { return Ok(None) };
        let mut sums = [0.0; 3];
        let (rank, workers) = (self.job.rank, self.job.workers);
        let rows: Vec<usize> = validation.rows.clone().collect();
        let parts = rows.chunks(VALIDATION_ROWS).map(|chunk| chunk[plan::share(chunk.len(), rank, workers)].to_vec());
        let learner = &self.learner;
        validation.source.for_each(parts, epoch, |batch| {
            if !batch.samples.is_empty() {
                let judged = learner.evaluate(&batch).map_err(failed)?;
                sums[0] += judged.loss;
                sums[1] += judged.correct as f64;
                sums[2] += judged.rows as f64;
            }
            Ok(())
        })?;
        self.group.all_reduce_sum(&mut sums).map_err(lost)?;
        Ok(Some((sums[0] / sums[2], sums[1] / sums[2])))
    }

    fn checkpoint(&mut self, io: &StageIo) -> Result<(), StageError> {
        self.pace.checkpointed = Instant::now();
        if self.job.rank != 0 {
            return Ok(());
        }
        self.learner.set_progress(serde_json::to_value(&self.position).expect("a position is plain data"));
        checkpoint::write(io.checkpoint(), &self.learner)
            .map_err(|error| StageError::caused("Checkpoint not writable", &error))
    }

    fn report(&self, io: &StageIo) {
        let Position { epoch, rows, loss, correct, .. } = &self.position;
        let metrics = [("loss", loss / rows), ("accuracy", correct / rows), ("events_per_second", self.speed())];
        io.progress(Progress {
            phase: format!("epoch {}/{}", epoch + 1, self.arguments.epochs),
            done: epoch * self.rows as u64 + *rows as u64,
            total: Some(self.arguments.epochs * self.rows as u64),
            unit: "events".to_owned(),
            metrics: metrics.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<BTreeMap<_, _>>(),
        });
    }

    fn speed(&self) -> f64 {
        self.pace.events / self.pace.started.elapsed().as_secs_f64().max(1e-9)
    }

    fn summary(&self, done: &Epoch) -> String {
        let validation = match (done.validation_loss, done.validation_accuracy) {
            (Some(loss), Some(accuracy)) => format!(" validation_loss={loss:.4} validation_accuracy={accuracy:.4}"),
            _ => String::new(),
        };
        format!(
            "epoch {}/{} loss={:.4} accuracy={:.4}{validation} ({:.0} events/s)",
            done.epoch,
            self.arguments.epochs,
            done.loss,
            done.accuracy,
            self.speed()
        )
    }

    /// Rank 0 writes what the run made.
    fn finish(mut self, io: &mut StageIo) -> Result<(), StageError> {
        if self.job.rank == 0 {
            let weights = self.learner.weights();
            weights
                .save(io.output().join("weights.safetensors"), &self.network)
                .map_err(|error| StageError::caused("Output not writable", &error))?;
            let metrics = serde_json::json!({ "version": 1, "epochs": self.position.history });
            io.write("metrics.json", serde_json::to_string_pretty(&metrics).expect("metrics are plain data") + "\n")?;
            let last = self.position.history.last();
            io.set_value("parameters", self.network.parameter_count() as u64);
            io.set_value("loss", last.map(|epoch| epoch.loss));
            io.set_value("accuracy", last.map(|epoch| epoch.accuracy));
            io.set_value("validation_loss", last.and_then(|epoch| epoch.validation_loss));
            io.set_value("validation_accuracy", last.and_then(|epoch| epoch.validation_accuracy));
        }
        // No rank leaves while another may still wait for it.
        self.group.barrier().map_err(lost)
    }
}

/// Takes up the newest whole checkpoint that rank 0 has, at every rank. `None`: there is none, and the run starts.
fn resume(job: &Job, io: &StageIo, group: &mut Group) -> Result<Option<(Learner, Position)>, StageError> {
    let mut resumed = None;
    let mut message = Vec::new();
    if job.rank == 0 {
        for path in checkpoint::find(io.checkpoint()) {
            match load(&path, job) {
                Ok(whole) => {
                    message = std::fs::read(&path).map_err(|error| unusable(&path, &error))?;
                    resumed = Some(whole);
                    break;
                }
                Err(error) => io.warning(format!("a checkpoint is left out. {}", error.detail)),
            }
        }
    }
    let message = group.broadcast(message).map_err(lost)?;
    if job.rank != 0 && !message.is_empty() {
        let copy = io.scratch().join("resume.checkpoint");
        std::fs::write(&copy, message).map_err(|error| unusable(&copy, &error))?;
        resumed = Some(load(&copy, job)?);
    }
    Ok(resumed)
}

fn load(path: &Path, job: &Job) -> Result<(Learner, Position), StageError> {
    let learner = Learner::load_checkpoint(path, job.threads).map_err(|error| unusable(path, &error))?;
    let position = serde_json::from_value(learner.progress().clone()).map_err(|error| unusable(path, &error))?;
    Ok((learner, position))
}

fn unusable(path: &Path, error: &(dyn std::error::Error + 'static)) -> StageError {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let why = StageError::caused("", error).detail;
    StageError::new("Checkpoint not usable", format!("The checkpoint `{name}` cannot be used. {why}"))
}
