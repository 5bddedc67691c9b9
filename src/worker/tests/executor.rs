//! The executor and real worker processes, with made-up stages.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use pipectl_artifact::LocalStore;
use pipectl_core::{Diagnostic, Value};
use pipectl_provider::context::{Fingerprints, Recorder};
use pipectl_provider::{Cancel, Cx, Environment, Event, EventSink, Stop};
use pipectl_stage::{ExecuteError, Executor, Finished, Job, PROTOCOL, Resources, Task};
use pipectl_worker::{LocalExecutor, Machine, Settings};
use serde_json::{Value as Json, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_pipectl-fake-worker");

/// How long something may take that should be at once: only a failure takes so long.
const PATIENCE: Duration = Duration::from_secs(20);

struct Outside(PathBuf);

impl Environment for Outside {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn home(&self) -> Option<PathBuf> {
        None
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
    }

    fn program(&self) -> PathBuf {
        self.0.clone()
    }
}

/// Keeps events, and reacts to messages.
struct Events {
    seen: Mutex<Vec<Event>>,
    react: Box<dyn Fn(&str) + Send + Sync>,
}

impl EventSink for Events {
    fn emit(&self, address: &str, event: Event) {
        assert_eq!(address, "stage.fake.test");
        if let Event::Message { text } = &event {
            (self.react)(text);
        }
        self.seen.lock().unwrap().push(event);
    }
}

/// Runs one after the other in one folder.
struct Bench {
    folder: tempfile::TempDir,
    program: PathBuf,
    settings: Settings,
    cancel: Cancel,
    events: Arc<Events>,
    resources: Resources,
    program_version: String,
}

impl Bench {
    fn new() -> Self {
        Self::reacting(Cancel::new(), |_| {})
    }

    fn reacting(cancel: Cancel, react: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            program: PROGRAM.into(),
            settings: Settings { grace: Duration::from_secs(60), settle: Duration::from_millis(200) },
            cancel,
            events: Arc::new(Events { seen: Mutex::default(), react: Box::new(react) }),
            resources: Resources::default(),
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn cx(&self) -> Cx {
        Cx {
            address: "stage.fake.test".to_owned(),
            cancel: self.cancel.clone(),
            events: self.events.clone(),
            environment: Arc::new(Outside(self.program.clone())),
            artifacts: Arc::new(LocalStore::new(self.path("store"), Default::default())),
            token: String::new(),
            root: self.folder.path().to_owned(),
            work: self.folder.path().to_owned(),
            view: PathBuf::new(),
            recorder: Recorder::none(),
            fingerprints: Fingerprints::none(),
        }
    }

    fn task(&self, workers: u32, arguments: Json) -> Task {
        let attempt = self.path("attempt");
        fs::create_dir_all(attempt.join("scratch")).unwrap();
        Task {
            job: Job {
                protocol: PROTOCOL,
                program: self.program_version.clone(),
                address: "stage.fake.test".to_owned(),
                kind: "fake".to_owned(),
                arguments,
                sources: Default::default(),
                key: String::new(),
                rank: 0,
                workers,
                root: self.folder.path().to_owned(),
                output: self.path("output"),
                scratch: attempt.join("scratch"),
                checkpoint: self.path("checkpoint"),
                threads: 3,
            },
            resources: self.resources,
            executor: Value::null(),
            attempt,
        }
    }

    async fn run(&self, workers: u32, arguments: Json) -> Result<Finished, ExecuteError> {
        let executor = LocalExecutor::new(Machine { cpus: 64.0, memory: None, gpus: 0 }, self.settings);
        executor.execute(&self.cx(), self.task(workers, arguments)).await
    }

    async fn fail(&self, workers: u32, arguments: Json) -> (Diagnostic, bool) {
        match self.run(workers, arguments).await {
            Err(ExecuteError::Failed { diagnostics, transient }) => {
                let mut diagnostics = diagnostics.into_iter();
                let first = diagnostics.next().unwrap();
                assert_eq!(diagnostics.next(), None);
                (first, transient)
            }
            other => panic!("{other:?}"),
        }
    }

    fn outcome(&self) -> Json {
        serde_json::from_str(&fs::read_to_string(self.path("attempt/outcome.json")).unwrap()).unwrap()
    }

    fn pid(&self, name: &str) -> u32 {
        read_pid(&self.path("checkpoint").join(name))
    }

    fn seen(&self) -> Vec<Event> {
        self.events.seen.lock().unwrap().clone()
    }

    fn warnings(&self) -> Vec<String> {
        let texts = self.seen().into_iter().filter_map(|event| match event {
            Event::Warning { text } => Some(text),
            _ => None,
        });
        texts.collect()
    }
}

/// Waits for a process id in a file.
fn read_pid(path: &Path) -> u32 {
    let mut pid = None;
    wait_for(&format!("{}", path.display()), || {
        pid = fs::read_to_string(path).ok().and_then(|text| text.parse().ok());
        pid.is_some()
    });
    pid.unwrap()
}

/// Whether a process is there and not only waits to be buried.
fn is_alive(pid: u32) -> bool {
    let state = if Path::new("/proc/self/stat").exists() {
        // After the name of the program, which stands in parentheses and may hold anything.
        let line = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        line.rsplit_once(") ").map_or_else(String::new, |(_, rest)| rest.to_owned())
    } else {
        let ps = std::process::Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap();
        String::from_utf8(ps.stdout).unwrap().trim().to_owned()
    };
    !state.is_empty() && !state.starts_with('Z')
}

fn wait_for(what: &str, mut is_true: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_true() {
        assert!(Instant::now() < until, "waited too long: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_succeeds_gives_values_and_keeps_logs() {
    let bench = Bench::new();
    let finished = bench.run(2, json!({ "do": "succeed" })).await.unwrap();
    let values = json!({ "rank": 0, "threads": ["3", "3"], "inherited": true });
    assert_eq!(serde_json::to_value(&finished.values).unwrap(), values);
    assert_eq!(fs::read_to_string(bench.path("output/result")).unwrap(), "output");

    // Rank 0 speaks for all, but everyone may warn.
    let seen = bench.seen();
    let messages: Vec<&Event> = seen.iter().filter(|event| matches!(event, Event::Message { .. })).collect();
    assert_eq!(messages, [&Event::Message { text: "rank 0 of 2".to_owned() }]);
    let mut warnings = bench.warnings();
    warnings.sort();
    assert_eq!(warnings, ["something odd", "worker 1: something odd"]);
    let progress: Vec<u64> = seen
        .iter()
        .filter_map(|event| if let Event::Progress(progress) = event { Some(progress.done) } else { None })
        .collect();
    assert_eq!(progress.last(), Some(&999));
    assert!(progress.len() < 500, "{} progress events", progress.len());

    for rank in 0..2 {
        let file = |name: &str| fs::read_to_string(bench.path("attempt").join(format!("rank-{rank}.{name}"))).unwrap();
        assert_eq!(file("stderr.log"), "this is no event\na line of the log\n");
        let events: Vec<Json> = file("events.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(events[0]["event"], "hello");
        assert_eq!(events.last().unwrap(), &json!({ "event": "done" }));
        assert!(!bench.path(&format!("attempt/rank-{rank}.job.json")).exists(), "arguments may hold secrets");
    }
    assert!(!bench.path("attempt/scratch").exists());
    let outcome = bench.outcome();
    assert_eq!(
        (&outcome["version"], &outcome["outcome"], &outcome["started"]),
        (&json!(1), &json!("done"), &json!(1e6))
    );
    let rank = json!({ "last_word": "done", "code": 0, "signal": null, "killed": false });
    assert_eq!(outcome["ranks"], json!([rank, rank]));
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_say_what_and_why() {
    // Arguments, words of the summary and the detail, whether another attempt may help.
    let cases = [
        (json!({ "do": "fail" }), "Missing column", "There is no column `x`.", false),
        (json!({ "do": "fail_transiently" }), "Connection lost", "went away", true),
        (
            json!({ "do": "panic" }),
            "Stage crashed",
            "panicked: the invariant is broken. This is a mistake in pipectl",
            false,
        ),
        (json!({ "do": "abort" }), "Worker ended unexpectedly", "by signal 6 (SIGABRT)", false),
        (json!({ "do": "be_killed" }), "Worker ended unexpectedly", "memory runs out", true),
        (json!({ "do": "exit" }), "Worker ended unexpectedly", "with exit status 7 before it had finished.", false),
    ];
    for (arguments, summary, detail, transient) in cases {
        let bench = Bench::new();
        let (diagnostic, may_help) = bench.fail(1, arguments.clone()).await;
        assert_eq!((diagnostic.summary.as_str(), may_help), (summary, transient), "{arguments}");
        assert!(diagnostic.detail.contains(detail), "{}", diagnostic.detail);
        // Only the stage itself knows which of its arguments it is about.
        let path = diagnostic.path.map(|path| path.to_string());
        assert_eq!(path.as_deref(), (arguments["do"] == "fail").then_some("step[2].columns"));
        let outcome = bench.outcome();
        assert_eq!((&outcome["outcome"], &outcome["summary"]), (&json!("failed"), &json!(summary)));
        if summary == "Stage crashed" {
            // The panic itself, with its place, is in the log.
            assert!(diagnostic.detail.contains("worker.rs:"), "{}", diagnostic.detail);
        }
        if arguments["do"] == "exit" {
            let (_, tail) = diagnostic.detail.split_once("The end of its log:\n").unwrap();
            assert_eq!(tail.lines().count(), 20);
            assert!(tail.starts_with("  log line 11\n") && tail.ends_with("  log line 30"), "{tail}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_one_rank_fails_the_others_end() {
    for what in ["fail", "abort", "be_killed", "panic"] {
        let bench = Bench::new();
        let (diagnostic, _) = bench.fail(3, json!({ "do": what, "rank": 1 })).await;
        assert!(diagnostic.detail.contains("(worker 1 of 0 to 2)"), "{}", diagnostic.detail);
        for rank in [0, 2] {
            // It may have been killed before it could tell its number.
            if let Ok(pid) = fs::read_to_string(bench.path(&format!("checkpoint/rank-{rank}.pid"))) {
                assert!(!is_alive(pid.parse().unwrap()));
            }
            assert_eq!(bench.outcome()["ranks"][rank]["killed"], true);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ranks_meet() {
    let bench = Bench::new();
    let finished = bench.run(4, json!({ "do": "meet" })).await.unwrap();
    assert_eq!(finished.values["sum"], 1 + 2 + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gentle_stop_checkpoints_and_the_next_run_goes_on() {
    let cancel = Cancel::new();
    let asked = cancel.clone();
    let mut bench = Bench::reacting(cancel, move |text| {
        if text == "step 5" {
            asked.request(Stop::Gentle);
        }
    });
    let result = bench.run(1, json!({ "do": "steps" })).await;
    assert!(matches!(result, Err(ExecuteError::Stopped)), "{result:?}");
    assert_eq!(bench.outcome()["outcome"], "stopped");
    assert_eq!(bench.outcome()["ranks"][0]["code"], 3);
    let reached: u64 = fs::read_to_string(bench.path("checkpoint/step")).unwrap().parse().unwrap();
    assert!(reached >= 5);

    // Nothing starts after that.
    let result = bench.run(1, json!({ "do": "steps" })).await;
    assert!(matches!(result, Err(ExecuteError::Stopped)), "{result:?}");

    bench.cancel = Cancel::new();
    let finished = bench.run(1, json!({ "do": "steps", "until": reached + 3 })).await.unwrap();
    assert_eq!((&finished.values["first"], &finished.values["last"]), (&json!(reached), &json!(reached + 3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_stop_is_killed() {
    for stop in [Stop::Gentle, Stop::Now] {
        let cancel = Cancel::new();
        let asked = cancel.clone();
        let mut bench = Bench::reacting(cancel, move |text| {
            if text == "hanging" {
                asked.request(stop);
            }
        });
        bench.settings.grace = Duration::from_millis(if stop == Stop::Gentle { 100 } else { 3_600_000 });
        let result = bench.run(1, json!({ "do": "hang" })).await;
        assert!(matches!(result, Err(ExecuteError::Stopped)), "{result:?}");
        assert!(!is_alive(bench.pid("rank-0.pid")));
        let warned = bench.warnings().iter().any(|text| text.contains("did not stop within 0.1 seconds"));
        assert_eq!(warned, stop == Stop::Gentle);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_takes_too_long_is_stopped() {
    let mut bench = Bench::new();
    bench.resources.time = Some(0.3);
    let (diagnostic, transient) = bench.fail(1, json!({ "do": "steps" })).await;
    assert_eq!((diagnostic.summary.as_str(), transient), ("Time limit reached", false));
    assert!(bench.path("checkpoint/step").exists(), "it could still write a checkpoint");
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_a_run_ends_its_workers() {
    let bench = Bench::new();
    let pids = {
        let run = bench.run(2, json!({ "do": "hang" }));
        tokio::pin!(run);
        let hanging = tokio::task::spawn_blocking({
            let folder = bench.path("checkpoint");
            move || [0, 1].map(|rank| read_pid(&folder.join(format!("rank-{rank}.pid"))))
        });
        tokio::select! {
            result = &mut run => panic!("{result:?}"),
            pids = hanging => pids.unwrap(),
        }
    };
    for pid in pids {
        wait_for("the worker to end", || !is_alive(pid));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_started_ends_with_it() {
    let bench = Bench::new();
    let (diagnostic, _) = bench.fail(1, json!({ "do": "spawn" })).await;
    assert_eq!(diagnostic.summary, "Left a child");
    let child = bench.pid("child.pid");
    wait_for("the worker's child to end", || !is_alive(child));
}

/// `kill -9` of the engine.
#[test]
fn workers_end_when_their_executor_dies() {
    let folder = tempfile::tempdir().unwrap();
    let mut engine = std::process::Command::new(PROGRAM)
        .args(["engine", folder.path().to_str().unwrap(), "2"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pids = [0, 1].map(|rank| read_pid(&folder.path().join(format!("checkpoint/rank-{rank}.pid"))));
    assert!(pids.iter().all(|pid| is_alive(*pid)));
    engine.kill().unwrap();
    engine.wait().unwrap();
    for pid in pids {
        wait_for("the worker to end", || !is_alive(pid));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_of_another_version_is_refused() {
    // The worker refuses the job.
    let mut bench = Bench::new();
    bench.program_version = "0.0.1".to_owned();
    let (diagnostic, _) = bench.fail(1, json!({ "do": "succeed" })).await;
    assert_eq!(diagnostic.summary, "Worker version mismatch");
    assert!(diagnostic.detail.contains("started by pipectl 0.0.1 (protocol 1)"), "{}", diagnostic.detail);

    // The executor refuses the worker.
    let bench = Bench::new();
    let (diagnostic, _) = bench.fail(1, json!({ "pretend": "a worker of version 9.9.9" })).await;
    assert_eq!(diagnostic.summary, "Worker version mismatch");
    assert!(diagnostic.detail.contains("the worker is pipectl 9.9.9 (protocol 2)"), "{}", diagnostic.detail);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_no_worker_fails_the_run() {
    let mut bench = Bench::new();
    let (diagnostic, _) = bench.fail(2, json!({ "pretend": "not a worker" })).await;
    assert_eq!(diagnostic.summary, "Worker ended unexpectedly");
    assert!(diagnostic.detail.contains("usage: not a worker"), "{}", diagnostic.detail);
    bench.program = bench.path("absent");
    let (diagnostic, _) = bench.fail(2, json!({ "do": "succeed" })).await;
    assert_eq!(diagnostic.summary, "Worker not started");
    assert!(!bench.path("attempt/rank-0.job.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_never_share_a_checkpoint() {
    // Each run appends its beginning and its end; a run that saw another in the middle would break the pairs.
    let bench = Arc::new(Bench::new());
    let first = tokio::spawn({
        let bench = bench.clone();
        async move { bench.run(1, json!({ "do": "hang" })).await }
    });
    let pid = tokio::task::spawn_blocking({
        let path = bench.path("checkpoint/rank-0.pid");
        move || read_pid(&path)
    })
    .await
    .unwrap();
    // A second worker waits for the first, which is killed as an engine would be.
    let other = Bench::new();
    let mut task = other.task(1, json!({ "do": "steps", "until": 1 }));
    task.job.checkpoint = bench.path("checkpoint");
    let executor = LocalExecutor::new(Machine { cpus: 1.0, memory: None, gpus: 0 }, other.settings);
    let second = tokio::spawn(async move { executor.execute(&other.cx(), task).await });
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(second.await.unwrap().unwrap().values["last"], 1);
    assert!(!is_alive(pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_too_much_is_warned_and_runs() {
    let mut bench = Bench::new();
    bench.resources.gpus = 1;
    bench.run(1, json!({ "do": "succeed" })).await.unwrap();
    assert!(bench.warnings()[0].contains("1 accelerators of 0"), "{:?}", bench.warnings());
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_admitted_together() {
    // Two groups of three on a machine of four: the second waits, and says so.
    let bench = Bench::new();
    let executor = LocalExecutor::new(Machine { cpus: 4.0, memory: None, gpus: 0 }, bench.settings);
    let cx = bench.cx();
    let tasks = [0, 1].map(|number| {
        let mut task = bench.task(3, json!({ "do": "meet" }));
        task.attempt = bench.path(&format!("attempt-{number}"));
        task.job.scratch = task.attempt.join("scratch");
        task.job.checkpoint = bench.path(&format!("checkpoint-{number}"));
        fs::create_dir_all(&task.job.scratch).unwrap();
        task
    });
    let [first, second] = tasks.map(|task| executor.execute(&cx, task));
    let (first, second) = tokio::join!(first, second);
    assert_eq!((&first.unwrap().values["sum"], &second.unwrap().values["sum"]), (&json!(3), &json!(3)));
    let waited =
        |event: &&Event| matches!(event, Event::Progress(progress) if progress.phase == "waiting for free resources");
    assert_eq!(bench.seen().iter().filter(waited).count(), 1);
}
