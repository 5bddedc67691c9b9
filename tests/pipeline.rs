//! A pipeline's life, through the program alone: nothing runs twice, plans say why, what breaks is repaired, what is killed goes on.
//!
//! The pipeline is `fixtures/pipeline/small.hcl` over events of `pipelines/data/hep`; the examples in `pipelines` have their turn too.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A copy of a pipeline in a folder of its own.
struct Project {
    folder: TempDir,
    /// The pipeline's file there.
    file: &'static str,
}

/// What a command said.
struct Said {
    code: Option<i32>,
    text: String,
}

impl Project {
    fn new() -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap(), file: "small.hcl" };
        project.take("tests/fixtures/pipeline/small.hcl", "small.hcl");
        for (name, events) in [("a", "train-0"), ("b", "train-1"), ("c", "test-0")] {
            project.take(&format!("pipelines/data/hep/{events}.parquet"), &format!("data/{name}.parquet"));
        }
        project
    }

    /// An example with one file of training events.
    fn example(file: &'static str) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap(), file };
        project.take(&format!("pipelines/{file}"), file);
        for events in ["train-0", "test-0"] {
            project.take(&format!("pipelines/data/hep/{events}.parquet"), &format!("data/hep/{events}.parquet"));
        }
        project
    }

    /// Copies a file of the repository.
    fn take(&self, from: &str, to: &str) {
        fs::create_dir_all(self.path(to).parent().unwrap()).unwrap();
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(from), self.path(to)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pipectl"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("NO_COLOR", "1")
            .env_remove("ORT_DYLIB_PATH")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Said {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        Said { code: status.code(), text }
    }

    fn apply(&self, more: &[&str]) -> Said {
        let said = self.run(&[&["apply", self.file, "-auto-approve"], more].concat());
        assert_eq!(said.code, Some(0), "{}", said.text);
        said
    }

    fn plan(&self, more: &[&str]) -> Said {
        self.run(&[&["plan", self.file, "-detailed-exitcode"], more].concat())
    }

    fn output(&self, name: &str) -> String {
        self.run(&["output", "-raw", self.file, name]).text.trim().to_owned()
    }

    fn edit(&self, from: &str, to: &str) {
        let path = self.path(self.file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "the fixture has no `{from}`");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    /// Starts an apply and waits until it says `sign`. The caller waits for its end.
    #[expect(clippy::zombie_processes, reason = "the only path that does not hand the process on is a failed test")]
    fn apply_until(&self, more: &[&str], sign: &str) -> Child {
        let mut child = self
            .command(&[&["apply", self.file, "-auto-approve"], more].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = String::new();
        loop {
            let line =
                lines.next().unwrap_or_else(|| panic!("the run ended before it said `{sign}`:\n{seen}")).unwrap();
            if line.contains(sign) {
                // Whoever writes to a closed pipe would fail: the rest is read and thrown away.
                thread::spawn(move || lines.for_each(drop));
                return child;
            }
            seen.push_str(&line);
            seen.push('\n');
        }
    }

    /// Processes of workers whose job lies in this project.
    fn workers(&self) -> Vec<u32> {
        let here = self.folder.path().to_string_lossy().into_owned();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            if line.contains(" worker ") && line.contains(&here) {
                found.push(id);
            }
        }
        found
    }

    fn wait_for_no_worker(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.workers().is_empty() {
            assert!(Instant::now() < deadline, "workers are left: {:?}", self.workers());
            thread::sleep(Duration::from_millis(50));
        }
    }
}

fn kill(process: u32) {
    assert!(Command::new("kill").args(["-9", &process.to_string()]).status().unwrap().success());
}

impl Said {
    fn has(&self, text: &str) -> &Self {
        assert!(self.text.contains(text), "`{text}` is missing from:\n{}", self.text);
        self
    }

    fn lacks(&self, text: &str) -> &Self {
        assert!(!self.text.contains(text), "`{text}` should not be in:\n{}", self.text);
        self
    }
}

#[test]
fn nothing_runs_twice_and_every_run_has_a_reason() {
    let project = Project::new();
    project.apply(&[]).has("6 run");
    let model = project.output("model");
    assert!(project.path(&model).is_file(), "{model}");
    assert_eq!((project.output("checked_rows").as_str(), project.output("scored_by").as_str()), ("64", "pipectl"));

    project.apply(&[]).has("No changes.");
    assert_eq!(project.plan(&[]).code, Some(0));

    // What cannot change an output runs nothing: comments, the executor's resources, retries.
    project.edit("# A small pipeline", "# The same small pipeline");
    project.edit(
        "epochs            = var.epochs\n",
        "epochs            = var.epochs\n  retry { max_attempts = 3 }\n  resources { cpus = 2 }\n",
    );
    let plan = project.plan(&[]);
    assert_eq!(plan.code, Some(0), "{}", plan.text);

    // One changed file: what depends on it, and the plan says which and how.
    let before = fs::read(project.path("data/b.parquet")).unwrap();
    let other = fs::read(project.path("data/c.parquet")).unwrap();
    fs::write(project.path("data/b.parquet"), &other).unwrap();
    let plan = project.plan(&[]);
    assert_eq!(plan.code, Some(2), "{}", plan.text);
    plan.has("input `data/b.parquet` changed: ").has(".. -> ").has("stage.train.small").lacks("stage.convert.apart");
    let digest = |bytes: &[u8]| pipectl_digest(bytes);
    plan.has(&digest(&before)).has(&digest(&other));
    // The first 300 rows are of the other file, so the new dataset is the old one: nothing behind it runs.
    project.apply(&[]).has("1 run");

    // Back again: the action cache has it.
    fs::write(project.path("data/b.parquet"), &before).unwrap();
    project.plan(&[]).has("action cache");
    project.apply(&[]).lacks("epoch 1/2");
    project.apply(&[]).has("No changes.");

    // Another number of epochs trains, and going back does not.
    project.plan(&["-var", "epochs=3"]).has("argument `epochs` changed: 2 -> 3").lacks("stage.convert.train:");
    project.apply(&["-var", "epochs=3"]).has("epoch 3/3");
    project.apply(&[]).lacks("epoch 1/2");

    project.run(&["destroy", "small.hcl", "-auto-approve"]).has("Destroy complete!");
    assert!(!project.path("artifacts/small/train.small").exists());
    assert!(project.run(&["state", "list", "small.hcl"]).text.trim().is_empty());
}

/// The first 12 digits of the SHA-256 of `bytes`, by the system's own tool.
fn pipectl_digest(bytes: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    let sum = Command::new("sha256sum").arg(file.path()).output().unwrap().stdout;
    String::from_utf8(sum).unwrap()[..12].to_owned()
}

#[test]
fn a_deleted_output_is_drift_and_only_its_stage_is_repaired() {
    let project = Project::new();
    project.apply(&[]);
    let model = project.path(&project.output("model"));
    let bytes = fs::read(&model).unwrap();
    fs::remove_file(&model).unwrap();
    let plan = project.plan(&[]);
    assert_eq!(plan.code, Some(2), "{}", plan.text);
    plan.has("is missing").has("stage.export.small").lacks("stage.train.small:").lacks("stage.score.small:");
    project.apply(&[]).has("1 run");
    assert_eq!(fs::read(&model).unwrap(), bytes);
    project.apply(&[]).has("No changes.");
}

#[test]
fn a_killed_engine_leaves_no_worker_and_the_next_apply_goes_on() {
    let project = Project::new();
    let long = ["-var", "epochs=400"];
    let mut engine = project.apply_until(&long, "epoch 20/400");
    assert_eq!(project.workers().len(), 1);
    engine.kill().unwrap();
    engine.wait().unwrap();
    project.wait_for_no_worker();
    // What was done before is known; what was under way is not.
    let state = project.run(&["state", "list", "small.hcl"]);
    state.has("stage.convert.train").lacks("stage.train.small");
    project.apply(&long).has("resuming after epoch").lacks("epoch 2/400");
    project.apply(&long).has("No changes.");
}

#[test]
fn a_killed_worker_fails_its_stage_and_the_next_apply_goes_on() {
    let project = Project::new();
    let long = ["-var", "epochs=400"];
    let mut engine = project.apply_until(&long, "epoch 20/400");
    for worker in project.workers() {
        kill(worker);
    }
    assert_eq!(engine.wait().unwrap().code(), Some(1));
    project.wait_for_no_worker();
    project.run(&["state", "list", "small.hcl"]).has("stage.convert.train").lacks("stage.train.small");
    project.apply(&long).has("resuming after epoch").lacks("epoch 2/400");
    project.apply(&long).has("No changes.");
}

#[test]
fn an_interrupted_run_stops_at_a_checkpoint() {
    let project = Project::new();
    let long = ["-var", "epochs=400"];
    let mut engine = project.apply_until(&long, "epoch 20/400");
    assert!(Command::new("kill").args(["-INT", &engine.id().to_string()]).status().unwrap().success());
    assert_ne!(engine.wait().unwrap().code(), Some(0));
    project.wait_for_no_worker();
    project.apply(&long).has("resuming after epoch").lacks("epoch 2/400");
}

#[test]
fn bad_data_is_told_and_nothing_is_lost() {
    let project = Project::new();
    project.apply(&[]);
    let fails = |what: &[&str]| {
        let said = project.run(&["apply", "small.hcl", "-auto-approve"]);
        assert_eq!(said.code, Some(1), "{}", said.text);
        what.iter().for_each(|text| {
            said.has(text);
        });
    };
    let good = fs::read(project.path("data/a.parquet")).unwrap();

    fs::remove_file(project.path("data/a.parquet")).unwrap();
    fails(&["No file matches `data/a.parquet`", "small.hcl:", "source = ["]);

    fs::write(project.path("data/a.parquet"), &good[..good.len() / 2]).unwrap();
    fails(&["data/a.parquet"]);

    fs::write(project.path("data/a.parquet"), &good).unwrap();
    project.apply(&[]).lacks("epoch 1/2");

    project.edit("columns = [\"Pt\", \"Eta\", \"Phi\"]", "columns = [\"Pt\", \"Etaa\", \"Phi\"]");
    fails(&["There is no column `Etaa`", "Did you mean \"Eta\"?", "columns = [\"Pt\", \"Etaa\", \"Phi\"]"]);
    project.plan(&[]).has("There is no column `Etaa`").has("^^^^^^");
    project.edit("columns = [\"Pt\", \"Etaa\", \"Phi\"]", "columns = [\"Pt\", \"Eta\", \"Phi\"]");

    project.edit("shape = [var.steps, 3]", "shape = [var.steps, 4]");
    fails(&["shape"]);
    project.edit("shape = [var.steps, 4]", "shape = [var.steps, 3]");

    project.apply(&[]).has("No changes.");
}

#[test]
fn the_faithful_example_goes_from_one_recurrent_layer_to_the_other_and_back() {
    let project = Project::example("hep-faithful.hcl");
    let few = ["-var=events={train=48,validation=16,test=16}", "-var=epochs=1", "-var=batch_size=16"];
    let lstm = [&few[..], &["-var=cell=lstm"]].concat();
    project.apply(&few).has("8 run").has("validation_accuracy=");
    assert_eq!(project.output("parameters"), "12353");
    let accuracies = (project.output("test_accuracy"), project.output("validation_accuracy"));
    project.apply(&few).has("No changes.");

    // The events stay what they are.
    project
        .plan(&lstm)
        .has("stage.train.classifier will run")
        .has("argument `model.layers[1].kind` changed: \"gru\" -> \"lstm\"")
        .lacks("stage.convert.event");
    project.apply(&lstm).has("4 run");
    assert_eq!(project.output("parameters"), "15703");
    assert_eq!(project.output("scored_accuracy"), project.output("test_accuracy"), "through ONNX as without");

    project.apply(&few).lacks("epoch 1/1");
    assert_eq!((project.output("test_accuracy"), project.output("validation_accuracy")), accuracies);
    project.plan(&["-var=cell=rnn"]).has("The recurrent layer is a gru or an lstm, not rnn.");
}
