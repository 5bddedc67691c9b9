//! A stage as a resource, over the real store and an executor that runs it in this process.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use async_trait::async_trait;
use pipectl_artifact::LocalStore;
use pipectl_core::value::Marks;
use pipectl_core::{Address, AddressKind, Attribute, Diagnostic, Diagnostics, Digest, Path, Schema, Type, Value, json};
use pipectl_provider::context::{Fingerprints, Recorder};
use pipectl_provider::{
    Cancel, Cx, Effect, Environment, Event, EventSink, Instance, PlanRequest, PlanResponse, ReadOutcome, Resource,
};
use pipectl_stage::testing::Listener;
use pipectl_stage::{
    ExecuteError, Executor, Executors, Finished, Job, Output, SourceFile, Stage, StageError, StageIo, StageResource,
    Task,
};

const ADDRESS: &str = "stage.repeat.a";

/// Repeats the content of its source files, after that of an artifact.
struct Repeat;

impl Stage for Repeat {
    fn kind(&self) -> &'static str {
        "repeat"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn schema(&self) -> Schema {
        Schema::of([
            ("source", Attribute::optional(Type::String, "Files to repeat.")),
            ("times", Attribute::optional(Type::Number, "How often.")),
            ("before", Attribute::optional(Type::Any, "An artifact that comes first.")),
            ("password", Attribute::optional(Type::String, "Something secret.")),
            ("log_every", Attribute::optional(Type::Number, "Does not change the outputs.")),
        ])
    }

    fn outputs(&self) -> Vec<Output> {
        vec![
            Output::value("bytes", Type::Number, "Size of the result."),
            Output::files("text", "text", "The result."),
            Output::files("parts", "parts", "The result in parts."),
            Output::files("report", "report.html", "Not always there."),
        ]
    }

    fn sources(&self) -> &'static [&'static str] {
        &["source"]
    }

    fn outside_key(&self) -> &'static [&'static str] {
        &["log_every"]
    }

    /// Refuses files that hold "bad", which `run` takes.
    fn check_sources(&self, _: &Value, sources: &BTreeMap<String, Vec<SourceFile>>) -> Result<(), Diagnostics> {
        let bad = sources["source"].iter().filter(|file| fs::read(&file.path).unwrap() == b"bad");
        let problems: Diagnostics = bad
            .map(|file| {
                Diagnostic::error("Bad source", format!("`{}` is bad.", file.name)).on(Path::of("source").index(0))
            })
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn run(&self, job: &Job, io: &mut StageIo) -> Result<(), StageError> {
        let times = job.arguments["times"].as_u64().unwrap_or(1) as usize;
        let read = |path: &FilePath| fs::read_to_string(path).unwrap();
        fs::write(io.checkpoint().join("begun"), "").unwrap();
        if times == 13 {
            return Err(StageError::new("Unlucky number", "Take another one."));
        }
        if times == 14 {
            return Err(StageError::stopped());
        }
        let before = job.artifact("before").map(|path| read(&path)).unwrap_or_default();
        let parts: Vec<String> =
            job.sources.get("source").into_iter().flatten().map(|path| read(path).repeat(times)).collect();
        let text = before + &parts.concat();
        fs::create_dir_all(io.output().join("parts")).unwrap();
        for (number, part) in parts.iter().enumerate() {
            fs::write(io.output().join(format!("parts/{number}")), part).unwrap();
        }
        fs::write(io.output().join("text"), &text).unwrap();
        io.set_value("bytes", text.len());
        Ok(())
    }
}

/// Runs stages here and counts.
#[derive(Default)]
struct Here {
    jobs: Mutex<Vec<Job>>,
}

#[async_trait]
impl Executor for Here {
    fn kind(&self) -> &'static str {
        "here"
    }

    async fn execute(&self, _: &Cx, task: Task) -> Result<Finished, ExecuteError> {
        self.jobs.lock().unwrap().push(task.job.clone());
        let mut io = StageIo::new(&task.job, Box::new(Listener::default()));
        match Repeat.run(&task.job, &mut io) {
            Ok(()) => Ok(Finished { values: io.values().clone() }),
            Err(error) if error.stopped => Err(ExecuteError::Stopped),
            Err(error) => Err(Diagnostic::error(error.summary, error.detail).into()),
        }
    }
}

struct Outside;

impl Environment for Outside {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn home(&self) -> Option<PathBuf> {
        None
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn program(&self) -> PathBuf {
        PathBuf::new()
    }
}

#[derive(Default)]
struct Events(Mutex<Vec<Event>>);

impl EventSink for Events {
    fn emit(&self, _: &str, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

/// A root folder with data, and the engine's part of the play.
struct Bench {
    folder: tempfile::TempDir,
    stage: StageResource,
    executor: Arc<Here>,
    events: Arc<Events>,
    cx: Cx,
}

type Config = BTreeMap<&'static str, Value>;

/// Fingerprints under a key, as those of a state are.
fn keyed(key: &'static str) -> Fingerprints {
    Fingerprints::new(move |context, secret| Digest::of(&[key.as_bytes(), context.as_bytes(), secret].concat()).hex())
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        fs::write(folder.path().join("data/1"), "one").unwrap();
        fs::write(folder.path().join("data/2"), "two").unwrap();
        let executor = Arc::new(Here::default());
        let events = Arc::new(Events::default());
        let cx = Cx {
            address: ADDRESS.to_owned(),
            cancel: Cancel::new(),
            events: events.clone(),
            environment: Arc::new(Outside),
            artifacts: Arc::new(LocalStore::new(folder.path().join(".pipectl/store"), Default::default())),
            token: "token".to_owned(),
            root: folder.path().to_owned(),
            work: folder.path().join(".pipectl/default"),
            view: "artifacts/test".into(),
            recorder: Recorder::none(),
            fingerprints: keyed("one state"),
        };
        let stage = StageResource::new(Arc::new(Repeat), Executors::new(executor.clone()));
        Self { folder, stage, executor, events, cx }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn view(&self, name: &str) -> PathBuf {
        self.path("artifacts/test/repeat.a").join(name)
    }

    /// The arguments as the engine gives them: null where absent.
    fn config(&self, given: &Config) -> Value {
        let schema = self.stage.schema();
        let names = schema.attributes.keys().chain(schema.blocks.keys());
        Value::object(names.map(|name| (name.clone(), given.get(name.as_str()).cloned().unwrap_or_else(Value::null))))
    }

    async fn read(&self, prior: &Instance) -> Vec<String> {
        match self.stage.read(&self.cx, prior).await.unwrap() {
            ReadOutcome::Present { drift, .. } => drift,
            ReadOutcome::Gone => panic!("a stage is never gone"),
        }
    }

    /// Reads and plans.
    async fn plan_with(
        &self,
        prior: Option<&Instance>,
        given: &Config,
        replace: bool,
    ) -> Result<PlanResponse, Diagnostics> {
        let drift = match prior {
            Some(prior) => self.read(prior).await,
            None => Vec::new(),
        };
        let address = Address::new(AddressKind::Stage, "repeat", "a");
        let config = self.config(given);
        let request = PlanRequest { address: &address, config: &config, prior, drift: &drift, replace };
        self.stage.plan(&self.cx, request).await
    }

    async fn plan(&self, prior: Option<&Instance>, given: &Config) -> PlanResponse {
        self.plan_with(prior, given, false).await.unwrap()
    }

    /// Applies a plan whose unknown arguments have become `given`.
    async fn apply(
        &self,
        prior: Option<&Instance>,
        plan: &PlanResponse,
        given: &Config,
    ) -> Result<Instance, (Option<Instance>, Diagnostics)> {
        let attributes = given
            .iter()
            .fold(plan.planned.clone(), |planned, (name, value)| planned.with_attribute(name, value.clone()));
        let planned = Instance { attributes, private: plan.private.clone(), schema_version: 0 };
        let outcome = match prior {
            Some(prior) => self.stage.update(&self.cx, prior, &planned).await,
            None => self.stage.create(&self.cx, &planned).await,
        };
        match outcome.instance {
            Some(instance) if !outcome.diagnostics.has_errors() => Ok(instance),
            left => Err((left, outcome.diagnostics)),
        }
    }

    /// Plans and applies; nothing to do is nothing done.
    async fn settle(&self, prior: Option<&Instance>, given: &Config) -> Instance {
        let plan = self.plan(prior, given).await;
        match (plan.effect, prior) {
            (Effect::NoOp, Some(prior)) => prior.clone(),
            _ => self.apply(prior, &plan, given).await.unwrap(),
        }
    }

    fn runs(&self) -> usize {
        self.executor.jobs.lock().unwrap().len()
    }

    fn restored(&self) -> usize {
        self.events.0.lock().unwrap().iter().filter(|event| matches!(event, Event::Restored { .. })).count()
    }
}

fn texts(plan: &PlanResponse) -> Vec<&str> {
    plan.reasons.iter().map(|reason| reason.text.as_str()).collect()
}

fn given<const N: usize>(arguments: [(&'static str, Value); N]) -> Config {
    let mut config = Config::from([("source", Value::from("data/*")), ("times", Value::from(2))]);
    config.extend(arguments);
    config
}

fn short(content: &str) -> String {
    Digest::of(content.as_bytes()).short()
}

#[tokio::test]
async fn the_first_run_makes_the_outputs_and_the_second_plan_does_nothing() {
    let bench = Bench::new();
    let plan = bench.plan(None, &given([])).await;
    assert_eq!((plan.effect, texts(&plan)), (Effect::Run, vec!["it has not run yet"]));
    for output in ["bytes", "text", "parts", "report"] {
        assert!(!plan.planned.attribute(output).unwrap().is_known(), "{output} is known after apply");
    }
    assert_eq!(bench.runs(), 0);

    let instance = bench.apply(None, &plan, &given([])).await.unwrap();
    let parts = Digest::of(format!("0 {}\n1 {}\n", Digest::of(b"oneone"), Digest::of(b"twotwo")).as_bytes());
    let expected = serde_json::json!({
        "source": "data/*", "times": 2, "before": null, "password": null, "log_every": null, "executor": null, "resources": null,
        "bytes": 12,
        "text": { "digest": Digest::of(b"oneonetwotwo").to_string(), "path": "artifacts/test/repeat.a/text" },
        "parts": { "digest": parts.to_string(), "path": "artifacts/test/repeat.a/parts" },
        "report": null,
    });
    assert_eq!(json::to_json(&instance.attributes).unwrap(), expected);
    assert_eq!(fs::read_to_string(bench.view("text")).unwrap(), "oneonetwotwo");
    assert_eq!(fs::read_to_string(bench.view("parts/1")).unwrap(), "twotwo");

    let job = bench.executor.jobs.lock().unwrap()[0].clone();
    assert_eq!((job.rank, job.workers, job.threads, job.address.as_str()), (0, 1, 1, ADDRESS));
    assert_eq!(job.sources["source"], [bench.path("data/1"), bench.path("data/2")]);
    assert!(job.arguments.get("executor").is_none() && job.arguments.get("resources").is_none());
    assert!(!job.checkpoint.exists(), "it was for this run");

    assert_eq!(bench.read(&instance).await, Vec::<String>::new());
    let plan = bench.plan(Some(&instance), &given([])).await;
    assert_eq!((plan.effect, texts(&plan)), (Effect::NoOp, vec![]));
    assert_eq!(plan.planned, instance.attributes);
    assert_eq!(plan.private, instance.private);
    assert_eq!(bench.runs(), 1);
}

#[tokio::test]
async fn what_changed_is_named_and_going_back_runs_nothing() {
    let bench = Bench::new();
    let first = bench.settle(None, &given([])).await;
    fs::write(bench.path("data/2"), "TWO").unwrap();
    let plan = bench.plan(Some(&first), &given([])).await;
    let expected = format!("input `data/2` changed: {}.. -> {}..", short("two"), short("TWO"));
    assert_eq!((plan.effect, texts(&plan)), (Effect::Run, vec![expected.as_str()]));
    assert_eq!(plan.reasons[0].path.as_deref(), Some("source"));
    let second = bench.apply(Some(&first), &plan, &given([])).await.unwrap();
    assert_eq!(fs::read_to_string(bench.view("text")).unwrap(), "oneoneTWOTWO");
    assert_eq!(bench.runs(), 2);

    fs::write(bench.path("data/2"), "two").unwrap();
    let plan = bench.plan(Some(&second), &given([])).await;
    let expected = [
        format!("input `data/2` changed: {}.. -> {}..", short("TWO"), short("two")),
        "its outputs are in the action cache: they are restored, nothing runs".to_owned(),
    ];
    assert_eq!((plan.effect, texts(&plan)), (Effect::Run, expected.iter().map(String::as_str).collect()));
    // The cache knows the outputs, so those that depend on them can be planned too.
    assert_eq!(plan.planned, first.attributes);
    let third = bench.apply(Some(&second), &plan, &given([])).await.unwrap();
    assert_eq!(third, first);
    assert_eq!(fs::read_to_string(bench.view("text")).unwrap(), "oneonetwotwo");
    assert_eq!((bench.runs(), bench.restored()), (2, 1));

    // A lost state costs no run either.
    assert_eq!(bench.settle(None, &given([])).await, first);
    assert_eq!((bench.runs(), bench.restored()), (2, 2));
}

#[tokio::test]
async fn arguments_and_files_that_come_and_go_are_named() {
    let bench = Bench::new();
    let first = bench.settle(None, &given([])).await;
    fs::write(bench.path("data/3"), "three").unwrap();
    fs::remove_file(bench.path("data/1")).unwrap();
    let changed = given([("times", Value::from(3)), ("password", Value::from("x"))]);
    let plan = bench.plan(Some(&first), &changed).await;
    let expected = [
        "argument `password` was added".to_owned(),
        format!("input `data/3` was added: {}..", short("three")),
        format!("input `data/1` was removed: {}..", short("one")),
        "argument `times` changed: 2 -> 3".to_owned(),
    ];
    assert_eq!(texts(&plan), expected);
}

#[tokio::test]
async fn what_changes_no_output_runs_nothing() {
    let bench = Bench::new();
    let first = bench.settle(None, &given([])).await;
    fs::rename(bench.path("data"), bench.path("moved")).unwrap();
    let artifact = |path: &str| {
        Value::object([("digest", Value::from(Digest::of(b"x").to_string())), ("path", Value::from(path))])
    };
    fs::write(bench.path("here"), "x").unwrap();
    let with_artifact =
        bench.settle(Some(&first), &given([("source", "moved/*".into()), ("before", artifact("here"))])).await;
    assert_eq!(bench.runs(), 2);
    let elsewhere = given([
        ("source", "moved/*".into()),
        ("before", artifact("there")),
        ("log_every", Value::from(7)),
        ("executor", Value::object([("kind", Value::from("here")), ("name", "x".into())])),
        ("resources", Value::object([("cpus", Value::from(8))])),
    ]);
    let plan = bench.plan(Some(&with_artifact), &elsewhere).await;
    assert_eq!((plan.effect, texts(&plan)), (Effect::NoOp, vec![]));
    // The new arguments are kept with the old outputs.
    assert_eq!(plan.planned.attribute("log_every"), Some(&Value::from(7)));
    assert_eq!(plan.planned.attribute("text"), with_artifact.attributes.attribute("text"));
}

#[tokio::test]
async fn drift_is_repaired_from_the_store() {
    let bench = Bench::new();
    let first = bench.settle(None, &given([])).await;
    fs::remove_file(bench.view("text")).unwrap();
    let plan = bench.plan(Some(&first), &given([])).await;
    let expected =
        vec!["output `text` is missing", "its outputs are in the action cache: they are restored, nothing runs"];
    assert_eq!((plan.effect, texts(&plan)), (Effect::Run, expected));
    assert_eq!(bench.apply(Some(&first), &plan, &given([])).await.unwrap(), first);
    assert_eq!(fs::read_to_string(bench.view("text")).unwrap(), "oneonetwotwo");
    assert_eq!((bench.runs(), bench.restored()), (1, 1));
    assert_eq!(bench.plan(Some(&first), &given([])).await.effect, Effect::NoOp);
}

#[tokio::test]
async fn drift_that_the_store_cannot_repair_runs_again() {
    let bench = Bench::new();
    let first = bench.settle(None, &given([])).await;
    fs::remove_dir_all(bench.view("")).unwrap();
    fs::remove_dir_all(bench.path(".pipectl/store/blobs")).unwrap();
    let plan = bench.plan(Some(&first), &given([])).await;
    let expected = vec!["output `parts/0` is missing", "output `parts/1` is missing", "output `text` is missing"];
    assert_eq!((plan.effect, texts(&plan)), (Effect::Run, expected));
    assert_eq!(bench.apply(Some(&first), &plan, &given([])).await.unwrap(), first);
    assert_eq!((bench.runs(), bench.restored()), (2, 0));

    // So does a lost store.
    fs::remove_dir_all(bench.path(".pipectl/store/manifests")).unwrap();
    let plan = bench.plan(Some(&first), &given([])).await;
    assert_eq!(texts(&plan), ["the manifest of its outputs is missing from the artifact store"]);
    assert_eq!(bench.apply(Some(&first), &plan, &given([])).await.unwrap(), first);
    assert_eq!(bench.runs(), 3);
    assert_eq!(bench.plan(Some(&first), &given([])).await.effect, Effect::NoOp);
}

#[tokio::test]
async fn a_run_that_is_asked_for_runs() {
    let bench = Bench::new();
    let first = bench.settle(None, &given([])).await;
    let plan = bench.plan_with(Some(&first), &given([]), true).await.unwrap();
    assert_eq!((plan.effect, texts(&plan)), (Effect::Run, vec!["it was asked for"]));
    assert_eq!(bench.apply(Some(&first), &plan, &given([])).await.unwrap(), first);
    assert_eq!((bench.runs(), bench.restored()), (2, 0));

    // Also when its inputs were not known at the plan.
    let unknown = given([("times", Value::unknown(Type::Number))]);
    let plan = bench.plan_with(Some(&first), &unknown, true).await.unwrap();
    assert_eq!(plan.effect, Effect::Run);
    assert_eq!(bench.apply(Some(&first), &plan, &given([])).await.unwrap(), first);
    assert_eq!((bench.runs(), bench.restored()), (3, 0));
}

#[tokio::test]
async fn inputs_that_changed_since_the_plan_stop_the_run() {
    let bench = Bench::new();
    let plan = bench.plan(None, &given([])).await;
    fs::write(bench.path("data/1"), "ONE").unwrap();
    let (left, diagnostics) = bench.apply(None, &plan, &given([])).await.unwrap_err();
    let diagnostic = diagnostics.iter().next().unwrap();
    assert_eq!(diagnostic.summary, "Input changed since the plan");
    let change = format!("input `data/1` changed: {}.. -> {}..", short("one"), short("ONE"));
    assert_eq!(diagnostic.detail, format!("The plan was made for other inputs: {change}."));
    assert_eq!(diagnostic.address.as_deref(), Some(ADDRESS));
    assert_eq!((left, bench.runs()), (None, 0));
}

#[tokio::test]
async fn unknown_inputs_run_only_if_they_turn_out_different() {
    let bench = Bench::new();
    let unknown = given([("before", Value::unknown(Type::Any))]);
    fs::write(bench.path("one"), "1").unwrap();
    fs::write(bench.path("other"), "0").unwrap();
    let known = |name: &str, content: &[u8]| {
        let artifact = [("digest", Value::from(Digest::of(content).to_string())), ("path", name.into())];
        given([("before", Value::object(artifact))])
    };

    // The first time it runs in any case.
    let plan = bench.plan(None, &unknown).await;
    assert_eq!(
        (plan.effect, texts(&plan)),
        (Effect::Run, vec!["it has not run yet", "input `before` is known after apply"])
    );
    let first = bench.apply(None, &plan, &known("one", b"1")).await.unwrap();
    assert_eq!(fs::read_to_string(bench.view("text")).unwrap(), "1oneonetwotwo");

    let plan = bench.plan(Some(&first), &unknown).await;
    assert_eq!((plan.effect, texts(&plan)), (Effect::RunIfChanged, vec!["input `before` is known after apply"]));
    assert!(!plan.planned.attribute("text").unwrap().is_known());

    // The same: nothing runs, nothing is restored, even where the cache has nothing.
    fs::remove_dir_all(bench.path(".pipectl/store/actions")).unwrap();
    assert_eq!(bench.apply(Some(&first), &plan, &known("one", b"1")).await.unwrap(), first);
    assert_eq!((bench.runs(), bench.restored()), (1, 0));

    // Different: it runs.
    let second = bench.apply(Some(&first), &plan, &known("other", b"0")).await.unwrap();
    assert_eq!(fs::read_to_string(bench.view("text")).unwrap(), "0oneonetwotwo");
    assert_eq!(bench.runs(), 2);

    // Different, with outputs that someone touched in the meantime: they are not taken for whole.
    fs::remove_file(bench.view("text")).unwrap();
    assert_eq!(bench.apply(Some(&second), &plan, &known("other", b"0")).await.unwrap(), second);
    assert_eq!((bench.runs(), bench.restored()), (2, 1));
    assert_eq!(bench.read(&second).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_failed_run_leaves_what_was_there() {
    let bench = Bench::new();
    let first = bench.settle(None, &given([])).await;
    for (times, summary) in [(13, "Unlucky number"), (14, "Stopped")] {
        let unlucky = given([("times", Value::from(times))]);
        let plan = bench.plan(Some(&first), &unlucky).await;
        let (left, diagnostics) = bench.apply(Some(&first), &plan, &unlucky).await.unwrap_err();
        let diagnostic = diagnostics.iter().next().unwrap();
        assert_eq!((diagnostic.summary.as_str(), diagnostic.address.as_deref()), (summary, Some(ADDRESS)));
        if times == 13 {
            assert_eq!(diagnostic.hints, ["pipectl logs stage.repeat.a (kept in .pipectl/default/runs/repeat.a/0002)"]);
        }
        assert_eq!(left.as_ref(), Some(&first));
        assert_eq!(bench.read(&first).await, Vec::<String>::new());
        let job = bench.executor.jobs.lock().unwrap().last().unwrap().clone();
        assert!(job.checkpoint.join("begun").exists(), "the next attempt goes on from there");
    }
    // It failed the first time: there is nothing.
    let plan = bench.plan(None, &given([("times", Value::from(13))])).await;
    let (left, _) = bench.apply(None, &plan, &given([("times", Value::from(13))])).await.unwrap_err();
    assert_eq!(left, None);
    // A second attempt at the same finds the checkpoint of the first; each has a folder of its own.
    let jobs = bench.executor.jobs.lock().unwrap().clone();
    assert_eq!(jobs[1].checkpoint, jobs[3].checkpoint);
    assert_ne!(jobs[1].scratch, jobs[3].scratch);
    assert_ne!(jobs[1].output, jobs[3].output);
}

#[tokio::test]
async fn deleting_leaves_nothing_and_can_be_repeated() {
    let bench = Bench::new();
    let first = bench.settle(None, &given([])).await;
    for _ in 0..2 {
        let outcome = bench.stage.delete(&bench.cx, &first).await;
        assert_eq!((outcome.instance, outcome.diagnostics), (None, Diagnostics::new()));
        assert!(!bench.view("").exists());
        assert!(!bench.path(".pipectl/default/runs/repeat.a").exists());
    }
    assert_eq!(bench.settle(None, &given([])).await, first);
    assert_eq!((bench.runs(), bench.restored()), (1, 1), "what was stored stays until it is collected");
}

#[tokio::test]
async fn secrets_are_not_in_the_record() {
    let mut bench = Bench::new();
    let secret = |text: &str| given([("password", Value::from(text).marked(Marks::SENSITIVE))]);
    let first = bench.settle(None, &secret("hunter2")).await;
    let kept = first.private.to_string();
    assert!(!kept.contains("hunter2"));
    let fingerprint = keyed("one state").of(&format!("{} password", bench.cx.address), b"\"hunter2\"");
    assert!(kept.contains(&fingerprint), "{kept}");
    assert_eq!(bench.plan(Some(&first), &secret("hunter2")).await.effect, Effect::NoOp);
    let plan = bench.plan(Some(&first), &secret("hunter3")).await;
    assert_eq!((plan.effect, texts(&plan)), (Effect::Run, vec!["argument `password` changed"]));
    assert!(!plan.private.to_string().contains("hunter"));
    // Without the key of the state nobody can tell that it is the same.
    bench.cx.fingerprints = keyed("another state");
    assert_eq!(bench.plan(Some(&first), &secret("hunter2")).await.effect, Effect::Run);
}

#[tokio::test]
async fn what_cannot_run_is_said_before_or_when() {
    let bench = Bench::new();
    let diagnostics = bench.plan_with(None, &given([("source", "absent/*".into())]), false).await.unwrap_err();
    let diagnostic = diagnostics.iter().next().unwrap();
    assert_eq!((diagnostic.summary.as_str(), diagnostic.path.clone()), ("Source not found", Some(Path::of("source"))));
    assert!(diagnostic.detail.contains("`absent/*`"), "{}", diagnostic.detail);

    let elsewhere = given([("executor", Value::object([("kind", Value::from("kubernetes"))]))]);
    let plan = bench.plan(None, &elsewhere).await;
    let (left, diagnostics) = bench.apply(None, &plan, &elsewhere).await.unwrap_err();
    assert_eq!((left, diagnostics.iter().next().unwrap().summary.as_str()), (None, "Unsupported executor"));

    let greedy = bench.config(&given([("resources", Value::object([("cpus", Value::from(-1))]))]));
    let diagnostics = bench.stage.validate(&greedy);
    assert_eq!(diagnostics.iter().next().unwrap().path, Some(Path::of("resources").name("cpus")));
    assert_eq!(bench.runs(), 0);
}

#[tokio::test]
async fn sources_are_judged_before_a_run_and_only_then() {
    let bench = Bench::new();
    fs::write(bench.path("data/2"), "bad").unwrap();
    for arguments in [given([]), given([("before", Value::unknown(Type::Any))])] {
        let diagnostics = bench.plan_with(None, &arguments, false).await.unwrap_err();
        let expected =
            Diagnostic::error("Bad source", "`data/2` is bad.").on(Path::of("source").index(0)).about(ADDRESS);
        assert_eq!(diagnostics, expected.into());
    }
    // Files that are not known yet are judged by the run.
    assert_eq!(bench.plan(None, &given([("source", Value::unknown(Type::String))])).await.effect, Effect::Run);

    // What has run, or is in the action cache, is not judged again.
    let run = PlanResponse {
        effect: Effect::Run,
        planned: bench.config(&given([])),
        private: serde_json::Value::Null,
        reasons: Vec::new(),
        requires_replace: Vec::new(),
    };
    let first = bench.apply(None, &run, &given([])).await.unwrap();
    assert_eq!(bench.plan(Some(&first), &given([])).await.effect, Effect::NoOp);
    assert_eq!(bench.settle(None, &given([])).await, first);
    assert_eq!((bench.runs(), bench.restored()), (1, 1));
    // A run that is asked for is one.
    assert!(bench.plan_with(Some(&first), &given([]), true).await.is_err());
}

#[tokio::test]
async fn a_record_that_is_not_readable_is_drift() {
    let bench = Bench::new();
    let first = bench.settle(None, &given([])).await;
    let strange = Instance { private: serde_json::json!({ "key": 1 }), ..first.clone() };
    let plan = bench.plan(Some(&strange), &given([])).await;
    assert_eq!(plan.effect, Effect::Run);
    assert_eq!(texts(&plan)[0], "the record of its last run is not readable");
    assert_eq!(bench.apply(Some(&strange), &plan, &given([])).await.unwrap(), first);
    assert_eq!((bench.runs(), bench.restored()), (1, 1));
}
