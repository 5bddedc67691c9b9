//! One worker process as its executor sees it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pipectl_stage::job::ControlLine;
use pipectl_stage::{Job, WorkerEvent};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Files of one rank in the folder of an attempt.
pub(crate) struct RankFiles {
    /// The job. Removed when the worker has read it: its arguments may hold secrets.
    pub(crate) job: PathBuf,
    /// Standard error.
    pub(crate) log: PathBuf,
    /// Events, a line each, as the worker wrote them.
    pub(crate) events: PathBuf,
}

impl RankFiles {
    pub(crate) fn new(attempt: &Path, rank: usize) -> Self {
        Self {
            job: attempt.join(format!("rank-{rank}.job.json")),
            log: attempt.join(format!("rank-{rank}.stderr.log")),
            events: attempt.join(format!("rank-{rank}.events.jsonl")),
        }
    }
}

/// What comes from a worker.
pub(crate) enum Report {
    /// It said something.
    Said {
        /// Who.
        rank: usize,
        /// What.
        event: WorkerEvent,
    },
    /// It is gone, and everything that it said is reported.
    Ended {
        /// Who.
        rank: usize,
        /// How.
        status: io::Result<ExitStatus>,
    },
}

/// A worker could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} `{}`", path.display())]
pub(crate) struct NotStarted {
    /// A verb.
    doing: &'static str,
    /// The file or program.
    path: PathBuf,
    /// Why.
    source: io::Error,
}

/// A worker process, and what it started: they end when this is dropped.
pub(crate) struct Process {
    group: Option<Pid>,
    ended: Arc<AtomicBool>,
    orders: ChildStdin,
}

impl Process {
    /// Starts a worker on a job. A task of `tasks` reads it and reports.
    pub(crate) fn start(
        program: &Path,
        job: &Job,
        files: &RankFiles,
        tasks: &mut JoinSet<()>,
        reports: mpsc::Sender<Report>,
    ) -> Result<Self, NotStarted> {
        let failed = |doing: &'static str, path: &Path| {
            let path = path.to_owned();
            move |source| NotStarted { doing, path, source }
        };
        let open = |path: &Path| {
            let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
            file.map_err(failed("write", path))
        };
        let job_text = serde_json::to_vec(job).map_err(|_| {
            let why = "a path in it is not UTF-8 text. Stages run in folders whose whole path is";
            failed("write", &files.job)(io::Error::other(why))
        })?;
        io::Write::write_all(&mut open(&files.job)?, &job_text).map_err(failed("write", &files.job))?;
        let (log, noise) = (open(&files.log)?, open(&files.log)?);
        let events = open(&files.events)?;
        let mut child = Command::new(program)
            .arg("worker")
            .arg(&files.job)
            .env("OMP_NUM_THREADS", job.threads.to_string())
            .env("RAYON_NUM_THREADS", job.threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            // A group of its own: Ctrl-C at a terminal reaches the engine alone, which decides what becomes of the workers, and what a
            // worker starts can be ended with it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed("start", program))?;
        let (Some(orders), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed("start", program)(io::Error::other("it has no standard input or output")));
        };
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let ended = Arc::new(AtomicBool::new(false));
        let rank = job.rank as usize;
        let seen = ended.clone();
        tasks.spawn(async move {
            let listen = listen(rank, output, events, noise, &reports);
            let wait = async {
                let status = child.wait().await;
                // What it started must not outlive it, nor hold its standard output open.
                kill(group);
                seen.store(true, Ordering::Release);
                status
            };
            let ((), status) = tokio::join!(listen, wait);
            let _ = reports.send(Report::Ended { rank, status }).await;
        });
        Ok(Self { group, ended, orders })
    }

    /// Gives an order. A worker that is gone does not hear it.
    pub(crate) async fn order(&mut self, order: &ControlLine) {
        let mut line = serde_json::to_vec(order).expect("an order is plain data");
        line.push(b'\n');
        let _ = self.orders.write_all(&line).await;
    }

    /// Ends it and what it started, at once.
    pub(crate) fn kill(&self) {
        // Once it has been waited for, its number may belong to someone else.
        if !self.ended.load(Ordering::Acquire) {
            kill(self.group);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn kill(group: Option<Pid>) {
    if let Some(group) = group {
        // Fails when nobody is left, which is what is wanted.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Reads events until standard output closes. What is no event goes to the log.
async fn listen(rank: usize, output: ChildStdout, mut events: File, mut noise: File, reports: &mpsc::Sender<Report>) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        match output.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let Ok(event) = serde_json::from_slice::<WorkerEvent>(&line) else {
            let _ = io::Write::write_all(&mut noise, &line);
            continue;
        };
        // Kept for people: a full disk must not stop the run.
        let _ = io::Write::write_all(&mut events, &line);
        if reports.send(Report::Said { rank, event }).await.is_err() {
            return;
        }
    }
}
