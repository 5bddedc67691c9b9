//! A pipeline with objects of every sort: stages, values, files outside of the disk, an archive on it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value as Json;

/// What comes on top of `fixtures/pipeline/small.hcl`.
const MORE: &str = r#"
variable "outside" {
  type = string
}

variable "greeting" {
  type    = string
  default = "hello"
}

variable "files" {
  type    = number
  default = 12
}

resource "terraform_data" "greeting" {
  count = var.files
  input = "${var.greeting} ${count.index}"
}

# Stands for what lives in a cloud: it is there when the disk is not.
resource "local_file" "outside" {
  count    = var.files
  filename = "${var.outside}/${count.index}.txt"
  content  = terraform_data.greeting[count.index].output
}

resource "local_file" "inside" {
  count    = 3
  filename = "files/${count.index}.txt"
  content  = "${var.greeting}\n${join("\n", range(900))}\n"
}
"#;

/// What is given on the command line when everything is to change.
pub const CHANGED: [&str; 4] = ["greeting=bye", "files=15", "epochs=3", "steps=15"];

/// What a command said.
pub struct Said {
    /// Its exit status; `None`: a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
}

impl Said {
    fn of(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), output: text(&output.stdout), errors: text(&output.stderr) }
    }

    /// Both streams.
    pub fn all(&self) -> String {
        format!("{}{}", self.output, self.errors)
    }

    /// The command has worked.
    #[track_caller]
    pub fn worked(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.all());
        self
    }

    /// The command has failed as it should: with status 1, in words that name a file and say what to do.
    #[track_caller]
    pub fn failed_for(&self, causes: &[&str], remedies: &[&str]) {
        self.failed_with(1, causes, remedies);
    }

    /// The same with another status: that of `fmt` is 2, as Terraform's.
    #[track_caller]
    pub fn failed_with(&self, status: i32, causes: &[&str], remedies: &[&str]) {
        let text = self.all();
        assert_eq!(self.code, Some(status), "{text}");
        assert!(!text.contains("panicked") && !text.contains("ended unexpectedly"), "{text}");
        for error in self.errors.split("error: ").skip(1) {
            // What stands in the state although it is not sure is said beside the error that made it so.
            if error.starts_with("Result not recorded") {
                continue;
            }
            assert!(causes.iter().any(|cause| error.contains(cause)), "the cause is missing: {error}");
            assert!(remedies.iter().any(|remedy| error.contains(remedy)), "what to do is missing: {error}");
            assert!(error.contains('`') || error.contains('/'), "no file is named: {error}");
        }
        assert!(self.errors.contains("error: "), "it failed without a word: {text}");
    }
}

/// Writes the files of the project into a folder, as this process sees it.
pub fn lay_out(folder: &Path) {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let small = fs::read_to_string(repository.join("tests/fixtures/pipeline/small.hcl")).unwrap();
    fs::create_dir_all(folder.join("data")).unwrap();
    fs::write(folder.join("small.hcl"), small + MORE).unwrap();
    for (name, events) in [("a", "train-0"), ("b", "train-1"), ("c", "test-0")] {
        let from = repository.join(format!("pipelines/data/hep/{events}.parquet"));
        fs::copy(from, folder.join(format!("data/{name}.parquet"))).unwrap();
    }
}

/// A project, and how to run commands in it.
pub struct Project<'a> {
    /// Where this process sees it.
    pub seen: PathBuf,
    /// Where files lie that stand for a cloud.
    pub outside: PathBuf,
    /// Makes a command of a program that runs in the project's folder.
    pub command: Box<dyn Fn(&str) -> Command + 'a>,
}

impl Project<'_> {
    /// Runs a command of the program. `settings` are variables.
    pub fn run(&self, arguments: &[&str], settings: &[&str]) -> Said {
        self.run_with(arguments, settings, |command| command.stdout(Stdio::piped()))
    }

    /// The same after something was done to the command.
    pub fn run_with(
        &self,
        arguments: &[&str],
        settings: &[&str],
        prepare: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Said {
        let mut command = (self.command)(env!("CARGO_BIN_EXE_pipectl"));
        command.args(arguments);
        if ["plan", "apply", "destroy"].contains(&arguments[0]) && arguments[1] == "small.hcl" {
            command.arg(format!("-var=outside={}", self.outside.display()));
            command.args(settings.iter().map(|setting| format!("-var={setting}")));
        }
        command.env_remove("ORT_DYLIB_PATH").env("NO_COLOR", "1").stdin(Stdio::null()).stderr(Stdio::piped());
        Said::of(prepare(&mut command).spawn().unwrap().wait_with_output().unwrap())
    }

    /// Applies.
    pub fn apply(&self, settings: &[&str]) -> Said {
        self.run(&["apply", "small.hcl", "-auto-approve"], settings)
    }

    /// The state as `show -json` tells it; `Null` where there is none.
    pub fn state(&self) -> Json {
        let said = self.run(&["show", "-json", "small.hcl"], &[]).worked();
        serde_json::from_str(&said.output).unwrap()
    }

    /// Addresses in the state.
    pub fn addresses(&self) -> BTreeSet<String> {
        self.run(&["state", "list", "small.hcl"], &[]).worked().output.lines().map(str::to_owned).collect()
    }

    /// Contents of the files outside, by the number in their names.
    pub fn contents_outside(&self) -> Vec<(String, String)> {
        let mut found: Vec<_> = fs::read_dir(&self.outside)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap()))
            .collect();
        found.sort();
        found
    }

    /// The state tells the truth: no object is there twice, and files that it holds are there and are as it says, unless the program has
    /// said that its state could not be written any more. `said` is what it said.
    pub fn check_state(&self, when: &str, said: &str) {
        let state = self.state();
        let contents = self.contents_outside();
        let resources = state["values"]["root_module"]["resources"].as_array().cloned().unwrap_or_default();
        let mut told = BTreeSet::new();
        for resource in &resources {
            assert!(told.insert(resource["address"].to_string()), "{when}: {} is there twice", resource["address"]);
            let values = &resource["values"];
            let Some(path) = values["filename"].as_str().filter(|path| path.starts_with('/')) else { continue };
            if said.contains("error: State not accessible") {
                continue;
            }
            let name = Path::new(path).file_name().unwrap().to_str().unwrap();
            let content = contents.iter().find(|(found, _)| found == name).map(|(_, content)| content.as_str());
            assert_eq!(content, values["content"].as_str(), "{when}: {path}");
        }
    }

    /// There is room again: the next apply brings everything about, after it there is nothing to do, and nothing lies around.
    pub fn converges(&self, when: &str, settings: &[&str]) {
        let said = self.apply(settings);
        assert_eq!(said.code, Some(0), "{when}: {}", said.all());
        let plan = self.run(&["plan", "small.hcl", "-detailed-exitcode"], settings);
        assert_eq!(plan.code, Some(0), "{when}: {}", plan.all());
        self.check_state(when, "");
        let verified = self.run(&["artifacts", "verify", "small.hcl"], &[]);
        assert_eq!(verified.code, Some(0), "{when}: {}", verified.all());
        assert_eq!(self.left_behind(), Vec::<PathBuf>::new(), "{when}");
    }

    /// Removes everything; the world outside is empty then.
    pub fn destroy(&self, when: &str, settings: &[&str]) {
        let said = self.run(&["destroy", "small.hcl", "-auto-approve"], settings);
        assert_eq!(said.code, Some(0), "{when}: {}", said.all());
        assert_eq!(self.contents_outside(), [], "{when}");
        assert_eq!(self.addresses(), BTreeSet::new(), "{when}");
    }

    /// Files that nobody will ever look at again.
    fn left_behind(&self) -> Vec<PathBuf> {
        let temporary = |path: &Path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.ends_with(".new") || name.starts_with(".pipectl-") || name.ends_with(".job.json")
        };
        let in_work = |path: &Path| {
            let shown = path.strip_prefix(&self.seen).unwrap().to_string_lossy();
            shown.contains("/store/tmp/") && path.is_file() || shown.contains("/scratch/")
        };
        below(&self.seen).into_iter().filter(|path| temporary(path) || in_work(path)).collect()
    }
}

/// Everything below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(below(&path));
        }
        found.push(path);
    }
    found
}

/// Copies a folder with everything below into another, which is emptied of all but `keep` first.
pub fn reset(to: &Path, from: &Path, keep: &[&str]) {
    for entry in fs::read_dir(to).unwrap() {
        let entry = entry.unwrap();
        if keep.iter().any(|kept| entry.file_name() == *kept) {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            fs::remove_dir_all(entry.path()).unwrap();
        } else {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    let status = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().unwrap();
    assert!(status.success());
}
