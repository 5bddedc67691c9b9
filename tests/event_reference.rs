//! The reference of events shows lines of real runs. `UPDATE=1 cargo test --test event_reference` writes it.
//!
//! What every type means stands here; a type that a run says, or the program could say, and that is not here is an error.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value as Json, json};

const BEGINNING: &str = "# Events

`-json` makes `plan`, `apply`, `destroy`, `refresh` and `test` write one JSON object a line to standard output, and nothing else. The types and their \
members are those of Terraform's machine-readable UI; what has the word *ours* comes on top, so that a program made for Terraform reads these lines, too.

On every line:

| member | |
|---|---|
| `type` | one of the types below |
| `@level` | `info`, `warn` or `error` |
| `@message` | the event as a sentence for people |
| `@module` | `pipectl.ui` |
| `@timestamp` | when, in UTC |
| `pipeline` | *ours*: which root it is about, where one command works on several |

Objects are named by `resource`: `addr` is the address, the other members are its parts. Sensitive values are in no event. Readers must pass over types \
and members that they do not know: there may be more of them in a later version.

Written from real runs by the test `event_reference`; times and random identifiers are made the same.
";

/// The types in the order of a run, and what they mean.
const TYPES: [(&str, &str); 21] = [
    (
        "version",
        "The first line of every run: who speaks, and which version of Terraform's events this follows (`ui`).",
    ),
    (
        "log",
        "Something to say about the run as a whole: that it waits for a lock, or that it ended before everything was done.",
    ),
    (
        "diagnostic",
        "An error or a warning: `severity`, `summary`, `detail`, and the `address`, the `range` in a file and the `snippet` where there is one. *Ours*: \
         `hints`, commands or lines that help.",
    ),
    ("refresh_start", "An object is about to be read."),
    ("refresh_complete", "It was read."),
    (
        "resource_drift",
        "An object is not as the state says: `action` is `update`, or `delete` where it is gone. Where only a refresh was asked for, it may \
         also be `move`, with `previous_resource`. *Ours*: `notes` tell the differences in words.",
    ),
    (
        "planned_change",
        "What is to be done with an object: `action` is `create`, `update`, `replace`, `delete`, `move`, `import`, `remove` (from the state alone), \
         `read`, or, for stages, `run` and `run_if_changed`. `reason` is Terraform's word for it, where it has one. *Ours*: `reasons`, in sentences.",
    ),
    (
        "deferred_change",
        "What is decided only while the plan is applied: the address is a pattern, and `reason` is `instance_count_unknown`, `provider_config_unknown` \
         or `deferred_prereq`, as in Terraform.",
    ),
    (
        "change_summary",
        "How much a plan wants to do, or an apply has done: `operation` is `plan`, `apply` or `destroy`. *Ours*: `run` and `run_if_changed`, for stages.",
    ),
    (
        "outputs",
        "After a plan, what becomes of each output (`action`); after an apply, the values. Sensitive ones have none.",
    ),
    ("ephemeral_op_start", "An ephemeral value is being opened, renewed or closed (`action`)."),
    ("ephemeral_op_complete", "It was."),
    ("apply_start", "Work on an object begins. *Ours*: it is number `position` of `total`."),
    (
        "apply_progress",
        "How far a stage is. `progress.event` is *ours*: `progress`, with `done` of `total` in some `unit` and the `metrics` of a training; `message` and \
         `warning`, with a `text`; or `restored`, with the `key` in the action cache. Terraform's `elapsed_seconds` is not there.",
    ),
    ("apply_retry", "*Ours*. A call failed, and is made again after `wait_seconds`."),
    (
        "apply_complete",
        "Work on an object has ended well. *Ours*: `done` of `total` have ended, and `end` is `unchanged` where the inputs turned out the same.",
    ),
    (
        "apply_errored",
        "Work on an object has failed, or did not begin: `end` (*ours*) is `failed`, `blocked` by something that failed, or `not_started` because the run \
         was stopped. The reason comes as a `diagnostic`.",
    ),
    ("test_abstract", "What `test` has found: run blocks by file."),
    ("test_file", "A test file begins, is torn down, or is through (`progress`)."),
    ("test_run", "A run block begins or is through, with its `status`: `pass`, `fail`, `error` or `skip`."),
    ("test_summary", "The last line of `test`: how many run blocks ended how."),
];

const MAIN: &str = r#"pipeline "events" {}

variable "note" {
  default = "first"
}

ephemeral "random_password" "login" {
  length = 16
}

resource "local_file" "note" {
  filename = "note.txt"
  content  = var.note
}

resource "terraform_data" "names" {
  input = ["one"]
}

resource "terraform_data" "each" {
  for_each = toset(terraform_data.names.output)
  input    = each.key
}

stage "convert" "events" {
  source = "data/hep/train-*.parquet"

  step "select" { columns = ["label"] }

  output {
    format = "parquet"
  }
}

resource "local_file" "nowhere" {
  count    = var.note == "first" ? 0 : 1
  filename = "note.txt/below"
  content  = "nothing"

  retry {
    max_attempts    = 2
    backoff_seconds = 0.01
  }
}

output "note" {
  value = local_file.note.filename
}
"#;

const TEST: &str = r#"run "names_a_file" {
  command = plan

  assert {
    condition     = output.note == "note.txt"
    error_message = "It is another file."
  }
}
"#;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The first line of each type that a life of this folder says.
fn said() -> BTreeMap<String, Json> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("main.hcl"), MAIN).unwrap();
    fs::write(folder.path().join("main.tftest.hcl"), TEST).unwrap();
    std::os::unix::fs::symlink(root().join("pipelines/data"), folder.path().join("data")).unwrap();
    let mut first = BTreeMap::new();
    let mut run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pipectl"));
        // With nothing of this process's environment but the path: in CI, for one, there are more warnings.
        #[expect(clippy::disallowed_methods, reason = "the program under test starts workers and needs the path")]
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.args(arguments).current_dir(folder.path()).env_clear().env("PATH", path).env("HOME", folder.path());
        let output = command.env("NO_COLOR", "1").output().unwrap();
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let event: Json = serde_json::from_str(line).unwrap();
            let kind = event["type"].as_str().unwrap().to_owned();
            // Of the outputs, those of an apply say more.
            let is_better = kind == "outputs" && event.pointer("/outputs/note/value").is_some();
            if is_better || !first.contains_key(&kind) {
                first.insert(kind, settled(event));
            }
        }
    };
    run(&["plan", "-json", "-parallelism=1"]);
    run(&["apply", "-json", "-auto-approve", "-parallelism=1"]);
    fs::write(folder.path().join("note.txt"), "edited").unwrap();
    run(&["apply", "-json", "-auto-approve", "-parallelism=1", "-var=note=second"]);
    run(&["test", "-json"]);
    first
}

/// A line without what differs between runs.
fn settled(mut event: Json) -> Json {
    event["@timestamp"] = json!("2026-11-23T12:00:00.000000Z");
    if let Some(elapsed) = event.pointer_mut("/hook/elapsed_seconds") {
        *elapsed = json!(0.25);
    }
    event
}

#[test]
fn the_page_shows_what_runs_say() {
    let said = said();
    let known: BTreeSet<&str> = TYPES.iter().map(|(kind, _)| *kind).collect();
    let heard: BTreeSet<&str> = said.keys().map(String::as_str).collect();
    assert_eq!(heard, known);
    let mut page = BEGINNING.to_owned();
    for (kind, meaning) in TYPES {
        page.push_str(&format!("\n## `{kind}`\n\n{meaning}\n\n```json\n{}\n```\n", said[kind]));
    }
    let path = root().join("docs/src/reference/events.md");
    #[expect(clippy::disallowed_methods, reason = "a switch of the person who runs the test")]
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/src/reference/events.md is stale: UPDATE=1 cargo test --test event_reference");
}

#[test]
fn no_type_is_missing() {
    let mut folders: Vec<PathBuf> = vec![root().join("src/cli")];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap_or_default();
            for made in ["Line::info(", "kind: "].into_iter().flat_map(|made| text.split(made).skip(1)) {
                if let Some(literal) = made.trim_start().strip_prefix('"') {
                    found.extend(literal.split('"').next().map(str::to_owned));
                }
            }
        }
    }
    let known: BTreeSet<String> = TYPES.iter().map(|(kind, _)| (*kind).to_owned()).collect();
    let unknown: Vec<&String> = found.difference(&known).collect();
    assert!(
        found.len() > 15 && unknown.is_empty(),
        "types that docs/src/reference/events.md does not tell: {unknown:?}"
    );
}
