//! The worker process: one rank of one stage.

use std::any::Any;
use std::fs;
use std::io::{BufReader, stdin};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use pipectl_provider::Environment;
use pipectl_stage::{Control, Job, PROTOCOL, Stage, StageError, StageIo, Stages, WorkerEvent};
use serde::Deserialize;

use crate::checkpoint;
use crate::control::{Orders, StageControl, end_at_once};
use crate::wire::Wire;

/// The version of this program, which the job's must equal.
pub(crate) const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// How a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All is written: exit status 0.
    Done,
    /// It failed: exit status 1.
    Failed,
    /// It stopped because it was asked to: exit status 3.
    Stopped,
}

impl Ending {
    /// The exit status of the process.
    pub fn code(self) -> u8 {
        match self {
            Ending::Done => 0,
            Ending::Failed => 1,
            Ending::Stopped => 3,
        }
    }
}

impl From<Ending> for std::process::ExitCode {
    fn from(ending: Ending) -> Self {
        ending.code().into()
    }
}

/// Runs the job in a file: the hidden command `pipectl worker JOB.json`.
///
/// Takes over standard input (orders) and standard output (events) of the process, and ends the process at once when standard input closes.
pub fn main(job_path: &Path, stages: &Stages, environment: Arc<dyn Environment>) -> Ending {
    let wire = Arc::new(Wire::standard());
    // Read first: the executor removes the file, which may hold secrets, when it hears from us.
    let job = fs::read(job_path);
    wire.send(WorkerEvent::Hello { protocol: PROTOCOL, program: PROGRAM.to_owned(), pid: std::process::id() });
    let result = Orders::read(BufReader::new(stdin()), end_at_once)
        .map_err(|error| StageError::transient("Worker not started", format!("Cannot start a thread: {error}.")))
        .and_then(|orders| {
            let control = StageControl { wire: wire.clone(), orders, environment };
            run(&read_job(job)?, stages, control)
        });
    let (event, ending) = match result {
        Ok(()) => (WorkerEvent::Done, Ending::Done),
        Err(error) if error.stopped => (WorkerEvent::Stopped, Ending::Stopped),
        Err(StageError { summary, detail, path, transient, stopped: _ }) => {
            let path = path.map(|path| path.to_string());
            (WorkerEvent::Failed { summary, detail, path, transient }, Ending::Failed)
        }
    };
    wire.send(event);
    ending
}

/// What every version of a job has.
#[derive(Deserialize)]
struct Versions {
    protocol: u32,
    program: String,
}

fn read_job(bytes: std::io::Result<Vec<u8>>) -> Result<Job, StageError> {
    let invalid =
        |why: &dyn std::fmt::Display| StageError::new("Job not readable", format!("Cannot read the job: {why}."));
    let bytes = bytes.map_err(|error| invalid(&error))?;
    // Judged before the rest, which may look different in another version.
    let versions: Versions = serde_json::from_slice(&bytes).map_err(|error| invalid(&error))?;
    if (versions.protocol, versions.program.as_str()) != (PROTOCOL, PROGRAM) {
        return Err(StageError::new(
            "Worker version mismatch",
            version_mismatch(&versions.program, versions.protocol, PROGRAM, PROTOCOL),
        ));
    }
    serde_json::from_slice(&bytes).map_err(|error| invalid(&error))
}

/// Why two programs cannot work together.
pub(crate) fn version_mismatch(program: &str, protocol: u32, worker_program: &str, worker_protocol: u32) -> String {
    format!(
        "The run was started by pipectl {program} (protocol {protocol}), and the worker is pipectl {worker_program} (protocol \
         {worker_protocol}). Was the program replaced while it ran? Run the command again."
    )
}

fn run(job: &Job, stages: &Stages, control: StageControl) -> Result<(), StageError> {
    let stage = stages.get(&job.kind).ok_or_else(|| {
        let detail =
            format!("This pipectl has no stage kind `{}`: it may have been built without that feature.", job.kind);
        StageError::new("Unsupported stage kind", detail)
    })?;
    for folder in [&job.output, &job.scratch, &job.checkpoint] {
        fs::create_dir_all(folder).map_err(|error| StageError {
            transient: true,
            ..StageError::not_written("Working folder not writable", folder, &error)
        })?;
    }
    let held = checkpoint::lock(&job.checkpoint, job.rank, checkpoint::PATIENCE)?;
    let result = run_stage(stage.as_ref(), job, Box::new(control));
    drop(held);
    result
}

fn run_stage(stage: &dyn Stage, job: &Job, control: Box<dyn Control>) -> Result<(), StageError> {
    let mut io = StageIo::new(job, control);
    // What the stage leaves half done after a panic lies in its folders, which are judged as after a crash.
    catch_unwind(AssertUnwindSafe(|| stage.run(job, &mut io))).unwrap_or_else(|payload| {
        Err(StageError::new(
            "Stage crashed",
            format!(
                "The stage kind `{}` panicked: {}. This is a mistake in pipectl; please report it together with the log.",
                job.kind,
                panic_text(payload.as_ref())
            ),
        ))
    })
}

fn panic_text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").trim_end_matches('.')
}
