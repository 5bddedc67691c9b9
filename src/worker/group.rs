//! The workers of one run, from their common start to the end of the last.

use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use pipectl_core::Path;
use pipectl_provider::{Cx, Event, Stop};
use pipectl_stage::job::ControlLine;
use pipectl_stage::{ExecuteError, Finished, Job, PROTOCOL, StageError, Task, WorkerEvent};
use serde_json::Value as Json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::Settings;
use crate::outcome::{self, Ended, Failure, LastWord, StopCause, Verdict};
use crate::process::{PROGRAM, version_mismatch};
use crate::rank::{Process, RankFiles, Report};

/// Runs a task to the end of all its workers.
pub(crate) async fn run(cx: &Cx, task: &Task, settings: &Settings) -> Result<Finished, ExecuteError> {
    let (clock, started) = (Instant::now(), cx.environment.now());
    let workers = task.job.workers.max(1) as usize;
    // Dropping either ends the workers.
    let mut tasks = JoinSet::new();
    let mut group = Group::new(cx, task, settings, clock);
    let mut reports = group.start(workers, &mut tasks);
    group.watch(&mut reports).await;

    let ended: Vec<Ended> = group.ranks.into_iter().map(|rank| rank.ended).collect();
    let verdict = match group.not_started {
        Some(failure) => Verdict::Failed(None, failure),
        None => outcome::judge(&ended, group.stop, group.limit),
    };
    outcome::write(&task.attempt, &verdict, &ended, started, clock.elapsed());
    // Temporary files; what cannot be removed costs space only.
    let _ = std::fs::remove_dir_all(&task.job.scratch);
    outcome::answer(&verdict, group.values, workers, &task.attempt)
}

struct Group<'a> {
    cx: &'a Cx,
    task: &'a Task,
    settings: &'a Settings,
    ranks: Vec<Rank>,
    phase: Phase,
    stop: Option<StopCause>,
    started: Instant,
    limit: Option<Duration>,
    not_started: Option<Failure>,
    values: BTreeMap<String, Json>,
}

struct Rank {
    process: Process,
    files: RankFiles,
    ended: Ended,
    is_gone: bool,
    /// When it said its last word.
    last_word_at: Option<Instant>,
}

/// How far the end of a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// All were asked to stop; who runs then is killed.
    Stopping {
        until: Instant,
    },
    /// One failed. Others that fail with it may tell the cause; who runs then is killed.
    Failing {
        until: Instant,
    },
    Killed,
}

impl<'a> Group<'a> {
    fn new(cx: &'a Cx, task: &'a Task, settings: &'a Settings, started: Instant) -> Self {
        // Longer than a `Duration` holds is as good as no limit.
        let limit = task.resources.time.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Self {
            cx,
            task,
            settings,
            ranks: Vec::new(),
            phase: Phase::Running,
            stop: None,
            started,
            limit,
            not_started: None,
            values: BTreeMap::new(),
        }
    }

    fn start(&mut self, workers: usize, tasks: &mut JoinSet<()>) -> mpsc::Receiver<Report> {
        let (sender, reports) = mpsc::channel(256);
        let program = self.cx.environment.program();
        for rank in 0..workers {
            let job = Job {
                rank: rank as u32,
                scratch: self.task.job.scratch.join(format!("rank-{rank}")),
                ..self.task.job.clone()
            };
            let files = RankFiles::new(&self.task.attempt, rank);
            match Process::start(&program, &job, &files, tasks, sender.clone()) {
                Ok(process) => self.ranks.push(Rank {
                    process,
                    files,
                    ended: Ended { last_word: None, status: None, killed: false },
                    is_gone: false,
                    last_word_at: None,
                }),
                Err(error) => {
                    let _ = std::fs::remove_file(&files.job);
                    let StageError { summary, detail, path, transient, stopped: _ } =
                        StageError::caused("Worker not started", &error);
                    self.not_started = Some(Failure { summary, detail, path, transient });
                    self.kill_all();
                    break;
                }
            }
        }
        reports
    }

    /// Hears the workers until the last is gone.
    async fn watch(&mut self, reports: &mut mpsc::Receiver<Report>) {
        while self.ranks.iter().any(|rank| !rank.is_gone) {
            tokio::select! {
                biased;
                () = self.cx.cancel.reached(Stop::Now), if self.phase != Phase::Killed => {
                    self.stop = self.stop.or(Some(StopCause::Asked));
                    self.kill_all();
                }
                () = self.cx.cancel.reached(Stop::Gentle), if self.phase == Phase::Running => {
                    self.ask_to_stop(StopCause::Asked).await;
                }
                () = at(self.next_deadline()) => self.meet_deadlines().await,
                report = reports.recv() => match report {
                    Some(Report::Said { rank, event }) => self.hear(rank, event).await,
                    Some(Report::Ended { rank, status }) => self.see_end(rank, status),
                    // Each rank's task reports its end before it drops its sender.
                    None => return,
                },
            }
        }
    }

    async fn hear(&mut self, rank: usize, event: WorkerEvent) {
        let is_first = rank == 0;
        match event {
            WorkerEvent::Hello { protocol, program, .. } => {
                // It has read its job.
                let _ = std::fs::remove_file(&self.ranks[rank].files.job);
                if (protocol, program.as_str()) != (PROTOCOL, PROGRAM) {
                    let failure = Failure {
                        summary: "Worker version mismatch".to_owned(),
                        detail: version_mismatch(PROGRAM, PROTOCOL, &program, protocol),
                        path: None,
                        transient: false,
                    };
                    self.last_word(rank, LastWord::Failed(failure));
                    self.kill_all();
                }
            }
            WorkerEvent::Listening { address } if is_first => {
                let order = ControlLine::Rendezvous { address };
                for other in &mut self.ranks[1..] {
                    other.process.order(&order).await;
                }
            }
            WorkerEvent::Progress(progress) if is_first => self.cx.emit(Event::Progress(progress)),
            WorkerEvent::Message { text } if is_first => self.cx.emit(Event::Message { text }),
            WorkerEvent::Warning { text } if is_first => self.cx.emit(Event::Warning { text }),
            WorkerEvent::Warning { text } => self.cx.emit(Event::Warning { text: format!("worker {rank}: {text}") }),
            WorkerEvent::Value { name, value } if is_first => {
                self.values.insert(name, value);
            }
            WorkerEvent::Done => self.last_word(rank, LastWord::Done),
            WorkerEvent::Stopped => self.last_word(rank, LastWord::Stopped),
            WorkerEvent::Failed { summary, detail, path, transient } => {
                let path = path.as_deref().map(Path::parse);
                self.last_word(rank, LastWord::Failed(Failure { summary, detail, path, transient }));
            }
            // All ranks do the same: rank 0 speaks for them. The events file has the rest.
            WorkerEvent::Listening { .. }
            | WorkerEvent::Progress(_)
            | WorkerEvent::Message { .. }
            | WorkerEvent::Value { .. } => {}
        }
    }

    fn last_word(&mut self, rank: usize, word: LastWord) {
        let rank = &mut self.ranks[rank];
        if rank.ended.last_word.is_some() {
            return;
        }
        let is_done = word == LastWord::Done;
        rank.ended.last_word = Some(word);
        rank.last_word_at = Some(Instant::now());
        if !is_done {
            self.begin_to_fail();
        }
    }

    fn see_end(&mut self, rank: usize, status: io::Result<ExitStatus>) {
        let rank = &mut self.ranks[rank];
        rank.is_gone = true;
        rank.ended.status = status.ok();
        let _ = std::fs::remove_file(&rank.files.job);
        if rank.ended.last_word.is_none() {
            self.begin_to_fail();
        }
    }

    /// One rank will not finish, so the run cannot.
    fn begin_to_fail(&mut self) {
        if self.phase == Phase::Running {
            self.phase = Phase::Failing { until: Instant::now() + self.settings.settle };
        }
    }

    async fn ask_to_stop(&mut self, cause: StopCause) {
        self.stop = Some(cause);
        self.phase = Phase::Stopping { until: Instant::now() + self.settings.grace };
        for rank in &mut self.ranks {
            rank.process.order(&ControlLine::Stop).await;
        }
    }

    fn kill_all(&mut self) {
        self.phase = Phase::Killed;
        for rank in &mut self.ranks {
            rank.kill();
        }
    }

    fn time_limit(&self) -> Option<Instant> {
        if self.phase == Phase::Running { self.started.checked_add(self.limit?) } else { None }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Running | Phase::Killed => None,
            Phase::Stopping { until } | Phase::Failing { until } => Some(until),
        };
        let lingering = self.ranks.iter().filter_map(|rank| rank.lingers_until(self.settings.grace));
        lingering.chain(phase).chain(self.time_limit()).min()
    }

    async fn meet_deadlines(&mut self) {
        let now = Instant::now();
        let has_passed = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        if has_passed(self.time_limit()) {
            self.ask_to_stop(StopCause::TimeLimit).await;
        }
        match self.phase {
            Phase::Stopping { until } if until <= now => {
                let seconds = self.settings.grace.as_secs_f64();
                let text = format!("the stage did not stop within {seconds} seconds and was killed");
                self.cx.emit(Event::Warning { text });
                self.kill_all();
            }
            Phase::Failing { until } if until <= now => self.kill_all(),
            Phase::Running | Phase::Killed | Phase::Stopping { .. } | Phase::Failing { .. } => {}
        }
        for rank in &mut self.ranks {
            if has_passed(rank.lingers_until(self.settings.grace)) {
                rank.kill();
            }
        }
    }
}

impl Rank {
    /// When to end a process that has said its last word and does not go.
    fn lingers_until(&self, grace: Duration) -> Option<Instant> {
        let lingers = !self.is_gone && !self.ended.killed;
        self.last_word_at.filter(|_| lingers).map(|last_word| last_word + grace)
    }

    fn kill(&mut self) {
        if !self.is_gone {
            self.ended.killed = true;
            self.process.kill();
        }
    }
}

/// Waits until then; for ever if there is no such time.
async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => pending().await,
    }
}
