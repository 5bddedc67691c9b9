//! The program that the tests run as worker, with made-up stages, and as an engine that can be killed.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pipectl_core::{Path as ValuePath, Schema, Value};
use pipectl_provider::{
    ArtifactError, ArtifactStore, Cancel, Cx, Environment, FileEntry, Manifest, Progress, ViewState,
    context::{Fingerprints, Recorder},
    event::Silent,
};
use pipectl_stage::{Executor, Job, Output, PROTOCOL, Resources, Stage, StageError, StageIo, Stages, Task};
use pipectl_worker::{LocalExecutor, Machine, Settings};

fn main() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "this is a program")]
    let arguments: Vec<String> = std::env::args().collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[1..] {
        ["worker", job] => {
            if let Some(code) = pretend(Path::new(job)) {
                return code;
            }
            let mut stages = Stages::default();
            stages.add(Fake);
            pipectl_worker::main(Path::new(job), &stages, Arc::new(Outside)).into()
        }
        ["engine", folder, workers] => engine(Path::new(folder), workers.parse().expect("a number of workers")),
        _ => ExitCode::from(2),
    }
}

/// Is another program, if the job's argument `pretend` says so.
fn pretend(job: &Path) -> Option<ExitCode> {
    let job: serde_json::Value = serde_json::from_slice(&std::fs::read(job).ok()?).ok()?;
    let mut out = std::io::stdout();
    match job["arguments"]["pretend"].as_str()? {
        "a worker of version 9.9.9" => {
            let _ = writeln!(out, r#"{{"event":"hello","protocol":2,"program":"9.9.9","pid":1}}"#);
            loop {
                std::thread::sleep(Duration::from_secs(3600));
            }
        }
        other => {
            let _ = writeln!(out, "usage: {other}");
            Some(ExitCode::from(2))
        }
    }
}

/// The world outside.
struct Outside;

impl Environment for Outside {
    fn variable(&self, name: &str) -> Option<String> {
        #[expect(clippy::disallowed_methods, reason = "this is a program")]
        std::env::var(name).ok()
    }

    fn home(&self) -> Option<PathBuf> {
        None
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn program(&self) -> PathBuf {
        std::env::current_exe().expect("this program has a path")
    }
}

/// Runs a stage that never ends.
fn engine(folder: &Path, workers: u32) -> ExitCode {
    let job = Job {
        protocol: PROTOCOL,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        address: "stage.fake.test".to_owned(),
        kind: "fake".to_owned(),
        arguments: serde_json::json!({ "do": "hang" }),
        sources: Default::default(),
        key: String::new(),
        rank: 0,
        workers,
        root: folder.to_owned(),
        output: folder.join("output"),
        scratch: folder.join("attempt/scratch"),
        checkpoint: folder.join("checkpoint"),
        threads: 1,
    };
    let attempt = folder.join("attempt");
    std::fs::create_dir_all(&attempt).expect("the folder is writable");
    let task = Task { job, resources: Resources::default(), executor: Value::null(), attempt };
    let cx = Cx {
        address: "stage.fake.test".to_owned(),
        cancel: Cancel::new(),
        events: Arc::new(Silent),
        environment: Arc::new(Outside),
        artifacts: Arc::new(NoStore),
        token: String::new(),
        root: folder.to_owned(),
        work: folder.to_owned(),
        view: PathBuf::new(),
        recorder: Recorder::none(),
        fingerprints: Fingerprints::none(),
    };
    let executor = LocalExecutor::new(Machine { cpus: 8.0, memory: None, gpus: 0 }, Settings::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    match runtime.block_on(executor.execute(&cx, task)) {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Does what its argument `do` says.
struct Fake;

impl Stage for Fake {
    fn kind(&self) -> &'static str {
        "fake"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn schema(&self) -> Schema {
        Schema::of([])
    }

    fn outputs(&self) -> Vec<Output> {
        Vec::new()
    }

    fn run(&self, job: &Job, io: &mut StageIo) -> Result<(), StageError> {
        let text = |name: &str| job.arguments[name].as_str().unwrap_or_default();
        let concerned = job.arguments["rank"].as_u64().is_none_or(|rank| rank == u64::from(job.rank));
        if !concerned {
            return hang(job, io);
        }
        match text("do") {
            "succeed" => succeed(job, io),
            "fail" => Err(StageError::new("Missing column", "There is no column `x`.")
                .on(ValuePath::of("step").index(2).name("columns"))),
            "fail_transiently" => Err(StageError::transient("Connection lost", "The other side went away.")),
            "panic" => panic!("the invariant is broken"),
            "exit" => {
                eprint_lines(30);
                #[expect(clippy::disallowed_methods, reason = "a worker that ends without a word")]
                std::process::exit(7)
            }
            "abort" =>
            {
                #[expect(clippy::disallowed_methods, reason = "a worker that crashes")]
                std::process::abort()
            }
            "be_killed" => {
                let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
                hang(job, io)
            }
            "spawn" => spawn(job),
            "steps" => steps(job, io),
            "meet" => meet(job, io),
            "hang" => hang(job, io),
            "say_nothing_of_it" => Err(StageError::stopped()),
            other => Err(StageError::new("Unknown task", other.to_owned())),
        }
    }
}

fn failed(error: std::io::Error) -> StageError {
    StageError::new("Test stage failed", error.to_string())
}

fn succeed(job: &Job, io: &mut StageIo) -> Result<(), StageError> {
    // What a library might print must not get between the events.
    let _ = writeln!(std::io::stdout(), "this is no event");
    let _ = writeln!(std::io::stderr(), "a line of the log");
    for done in 0..1000 {
        io.progress(Progress { phase: "counting".to_owned(), done, ..Progress::default() });
    }
    io.message(format!("rank {} of {}", job.rank, job.workers));
    io.warning("something odd");
    if job.rank == 0 {
        std::fs::write(io.output().join("result"), "output").map_err(failed)?;
    }
    std::fs::write(io.scratch().join("temporary"), "scratch").map_err(failed)?;
    io.set_value("rank", job.rank);
    io.set_value("threads", serde_json::json!([io.variable("OMP_NUM_THREADS"), io.variable("RAYON_NUM_THREADS")]));
    io.set_value("inherited", io.variable("PATH").is_some());
    Ok(())
}

fn eprint_lines(count: usize) {
    for line in 1..=count {
        let _ = writeln!(std::io::stderr(), "log line {line}");
    }
}

/// Tells its process id in the checkpoint folder and stays, whatever it is told.
fn hang(job: &Job, io: &StageIo) -> Result<(), StageError> {
    write_id(job, &format!("rank-{}.pid", job.rank), std::process::id())?;
    io.message("hanging");
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

fn write_id(job: &Job, name: &str, id: u32) -> Result<(), StageError> {
    let beside = job.checkpoint.join(format!(".{name}"));
    std::fs::write(&beside, id.to_string()).map_err(failed)?;
    std::fs::rename(&beside, job.checkpoint.join(name)).map_err(failed)
}

/// Starts a process that would outlive it, and fails.
fn spawn(job: &Job) -> Result<(), StageError> {
    let child = std::process::Command::new("sleep").arg("3600").spawn().map_err(failed)?;
    write_id(job, "child.pid", child.id())?;
    Err(StageError::new("Left a child", "It should end too."))
}

/// Counts in a checkpoint until it is told to stop, or to the number `until`.
fn steps(job: &Job, io: &mut StageIo) -> Result<(), StageError> {
    let path = io.checkpoint().join("step");
    let first = std::fs::read_to_string(&path).ok().and_then(|text| text.parse().ok()).unwrap_or(0_u64);
    let mut step = first;
    while job.arguments["until"].as_u64().is_none_or(|until| step < until) {
        step += 1;
        io.message(format!("step {step}"));
        if io.stop_requested() {
            std::fs::write(&path, step.to_string()).map_err(failed)?;
            return Err(StageError::stopped());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    io.set_value("first", first);
    io.set_value("last", step);
    Ok(())
}

/// All ranks send their number to rank 0, which adds them up.
fn meet(job: &Job, io: &mut StageIo) -> Result<(), StageError> {
    let others = job.workers - 1;
    if job.rank > 0 {
        let address = io.rendezvous(Duration::from_secs(60))?;
        let mut stream = TcpStream::connect(address).map_err(failed)?;
        return stream.write_all(&job.rank.to_be_bytes()).map_err(failed);
    }
    let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
    io.announce(&listener.local_addr().map_err(failed)?.to_string());
    let mut sum = 0;
    for _ in 0..others {
        let mut number = [0; 4];
        listener.accept().and_then(|(mut stream, _)| stream.read_exact(&mut number)).map_err(failed)?;
        sum += u32::from_be_bytes(number);
    }
    io.set_value("sum", sum);
    Ok(())
}

/// An executor stores nothing.
struct NoStore;

const NO_STORE: &str = "an executor has no use for the artifact store";

impl ArtifactStore for NoStore {
    fn source_digest(&self, _: &Path) -> Result<pipectl_core::Digest, ArtifactError> {
        unreachable!("{NO_STORE}")
    }

    fn ingest(&self, _: &Path) -> Result<Vec<FileEntry>, ArtifactError> {
        unreachable!("{NO_STORE}")
    }

    fn publish(&self, _: &Manifest) -> Result<pipectl_core::Digest, ArtifactError> {
        unreachable!("{NO_STORE}")
    }

    fn manifest(&self, _: &pipectl_core::Digest) -> Result<Option<Manifest>, ArtifactError> {
        unreachable!("{NO_STORE}")
    }

    fn record_action(&self, _: &pipectl_core::Digest, _: &pipectl_core::Digest) -> Result<(), ArtifactError> {
        unreachable!("{NO_STORE}")
    }

    fn action(&self, _: &pipectl_core::Digest) -> Result<Option<Manifest>, ArtifactError> {
        unreachable!("{NO_STORE}")
    }

    fn materialise(&self, _: &Manifest, _: &Path) -> Result<(), ArtifactError> {
        unreachable!("{NO_STORE}")
    }

    fn view_state(&self, _: &Manifest, _: &Path) -> Result<ViewState, ArtifactError> {
        unreachable!("{NO_STORE}")
    }

    fn remove_view(&self, _: &Path) -> Result<(), ArtifactError> {
        unreachable!("{NO_STORE}")
    }

    fn scratch(&self) -> Result<PathBuf, ArtifactError> {
        unreachable!("{NO_STORE}")
    }
}
