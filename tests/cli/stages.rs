//! Stages as people meet them: run once for each content of their inputs, repaired when their outputs are lost, and clear about what is
//! wrong with a file.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::scenario::Scenario;

/// The fixture with the events of the main pipeline's first test file.
fn events() -> Scenario {
    let scenario = Scenario::of("events");
    take(&scenario, "test-0.parquet", "data/a.parquet");
    scenario
}

/// Copies a file of the main pipeline's data.
pub fn take(scenario: &Scenario, from: &str, to: &str) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/data/hep");
    fs::create_dir_all(scenario.file(to).parent().unwrap()).unwrap();
    fs::copy(data.join(from), scenario.file(to)).unwrap();
}

/// What an argument takes is told before anything runs: what can be seen from its type by `validate`, and all else by `plan`.
#[test]
fn artifacts_of_a_wrong_kind() {
    let mut scenario = Scenario::empty();
    take(&scenario, "test-0.parquet", "data/a.parquet");
    let head = "pipeline \"p\" {}\n\nmodel \"m\" {\n  input \"x\" {\n    shape = [14]\n  }\n  layer \"dense\" \"d\" {\n    input      = input.x\n    units      = \
                2\n    activation = \"softmax\"\n  }\n  output = layer.d\n}\n\nstage \"convert\" \"c\" {\n  source = \"data/a.parquet\"\n  step \"select\" {\n    \
                columns = [\"hfeatures\"]\n  }\n  output {\n    format = \"tfrecord\"\n  }\n}\n";
    let of_types = r#"
stage "convert" "again" {
  input = stage.convert.c
  output {
    format = "tfrecord"
  }
}

stage "train" "t" {
  model      = stage.convert.c
  dataset    = stage.convert.c.rows
  validation = model.m
  batch_size = 1
  epochs     = 1
}

stage "export" "e" {
  weights = stage.train.t
  dataset = "data/a.parquet"
}

stage "score" "s" {
  onnx      = stage.export.e
  dataset   = ["x"]
  reference = 3
}

stage "evaluate" "v" {
  weights = model.m
  dataset = var.dataset
}

variable "dataset" {
  type    = bool
  default = true
}
"#;
    let of_kinds = r#"
stage "train" "t" {
  model      = model.m
  dataset    = stage.convert.c.dataset
  batch_size = 1
  epochs     = 1
}

stage "convert" "again" {
  input = stage.train.t.weights
  output {
    format = "tfrecord"
  }
}

stage "train" "again" {
  model      = model.m
  dataset    = stage.train.t.weights
  batch_size = 1
  epochs     = 1
}

stage "export" "e" {
  weights = stage.convert.c.dataset
  dataset = stage.train.t.weights
}

stage "score" "s" {
  onnx    = stage.train.t.weights
  dataset = stage.train.t.weights
}

stage "evaluate" "v" {
  weights = true ? stage.convert.c.dataset : null
  dataset = stage.train.t.weights
}
"#;
    scenario.write("p.hcl", &format!("{head}{of_types}"));
    scenario.run("validate p.hcl");
    scenario.write("p.hcl", &format!("{head}{of_kinds}"));
    scenario.run("plan p.hcl");
    scenario.check("artifacts_of_a_wrong_kind");
}

#[test]
fn stages_run_once_for_each_content() {
    let mut scenario = events();
    scenario.run("apply -auto-approve");
    scenario.run("apply -auto-approve");
    scenario.edit("events.hcl", "# What is known", "# All that is known");
    scenario.run("plan -detailed-exitcode");

    fs::remove_file(scenario.file("made/events/convert.features/dataset/part-00000.parquet")).unwrap();
    scenario.note("remove made/events/convert.features/dataset/part-00000.parquet");
    scenario.run("plan -detailed-exitcode");
    scenario.run("apply -auto-approve");

    take(&scenario, "train-0.parquet", "data/a.parquet");
    scenario.note("data/a.parquet is another file");
    scenario.run("apply -auto-approve");
    take(&scenario, "test-0.parquet", "data/a.parquet");
    scenario.note("data/a.parquet is the first file again");
    scenario.run("apply -auto-approve");

    scenario.run("artifacts list");
    scenario.run("artifacts verify");
    scenario.run("artifacts gc -dry-run");
    scenario.run("artifacts gc -keep=0s");
    scenario.run("artifacts list");
    scenario.run("logs stage.convert.features");
    scenario.run("output dataset");
    scenario.run("destroy -auto-approve");
    assert!(!scenario.file("made/events/convert.features").exists());
    scenario.check("stages_run_once_for_each_content");
}

#[test]
fn a_stage_shows_as_blocks() {
    let mut scenario = events();
    scenario.quietly("apply -auto-approve");
    scenario.edit("events.hcl", "shards = 2", "shards = 3");
    scenario.edit("events.hcl", "columns = [\"hfeatures\", \"class\"]", "columns = [\"class\", \"hfeatures\"]");
    scenario.run("plan");
    scenario.run("state show stage.convert.features");
    scenario.check("a_stage_shows_as_blocks");
}

#[test]
fn missing_source() {
    let mut scenario = Scenario::of("events");
    scenario.run("plan");
    scenario.run("apply -auto-approve");
    assert!(!scenario.file(".pipectl/events/default/log").exists());
    scenario.check("missing_source");
}

#[test]
fn truncated_source() {
    let mut scenario = events();
    let whole = fs::read(scenario.file("data/a.parquet")).unwrap();
    fs::write(scenario.file("data/a.parquet"), &whole[..whole.len() / 2]).unwrap();
    scenario.run("apply -auto-approve");
    scenario.run("state list");
    fs::write(scenario.file("data/a.parquet"), whole).unwrap();
    scenario.quietly("apply -auto-approve");
    scenario.check("truncated_source");
}

#[test]
fn wrong_column() {
    let mut scenario = events();
    scenario.edit("events.hcl", "[\"hfeatures\", \"class\"]", "[\"hfeature\", \"class\"]");
    scenario.run("plan");
    scenario.check("wrong_column");
}

#[test]
fn wrong_column_of_a_dataset() {
    let mut scenario = events();
    let more = "stage \"convert\" \"labels\" {\n  input = stage.convert.features.dataset\n\n  step \"limit\" { rows = 10 }\n  \
                step \"select\" {\n    columns = [\"hfeatures\", \"label\"]\n  }\n}\n";
    let text = scenario.read("events.hcl");
    scenario.write("events.hcl", &format!("{text}\n{more}"));
    scenario.run("plan");
    scenario.run("apply -auto-approve");
    scenario.run("state list");
    scenario.run("logs stage.convert.labels");
    scenario.check("wrong_column_of_a_dataset");
}

#[test]
fn sources_that_differ() {
    let mut scenario = events();
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/stage-convert/tests/data/expected_2.parquet");
    fs::copy(other, scenario.file("data/b.parquet")).unwrap();
    scenario.run("plan");
    scenario.check("sources_that_differ");
}

#[test]
fn a_failed_step() {
    let mut scenario = events();
    scenario.edit("events.hcl", "classes = 3", "classes = 2");
    scenario.run("apply -auto-approve");
    scenario.run("state list");
    scenario.run("logs stage.convert.features");
    scenario.check("a_failed_step");
}

#[test]
fn values_that_are_no_numbers() {
    let mut scenario = events();
    scenario.edit(
        "events.hcl",
        "  step \"select\"",
        "  step \"derive\" {\n    columns = { hfeatures = \"log(0 - hfeatures)\" }\n  }\n  step \"select\"",
    );
    scenario.run("apply -auto-approve");
    scenario.check("values_that_are_no_numbers");
}

#[test]
fn a_source_with_a_value_that_is_no_number() {
    let mut scenario = Scenario::of("not_a_number");
    let output = scenario.run("apply -auto-approve");
    assert_eq!(output.status.code(), Some(1));
    assert!(!scenario.file("made").exists(), "nothing is published");
    for line in ["state list", "output", "artifacts list", "artifacts gc -keep=0s"] {
        scenario.run(line);
    }
    scenario.check("a_source_with_a_value_that_is_no_number");
}

#[test]
fn wrong_arguments_of_a_stage() {
    let mut scenario = events();
    scenario.edit("events.hcl", "format = \"parquet\"", "format = \"parquette\"");
    scenario.edit("events.hcl", "shards = 2", "shards = 0");
    scenario.edit("events.hcl", "source = ", "sources = ");
    scenario.edit("events.hcl", "step \"one_hot\"", "step \"one_hut\"");
    scenario.run("validate");
    scenario.check("wrong_arguments_of_a_stage");
}

/// Starts an apply of much data, and waits until it converts rows.
fn converting(scenario: &Scenario) -> Child {
    for number in 0..4 {
        take(scenario, &format!("train-{number}.parquet"), &format!("data/{number}.parquet"));
    }
    let text = scenario.read("events.hcl");
    // Sorting every particle list takes long enough to be interrupted.
    let steps = "  step \"sort\" {\n    columns = [\"Pt\", \"Eta\", \"Phi\"]\n    by      = \"Pt\"\n  }\n".repeat(20);
    scenario.write("events.hcl", &text.replacen("  step", &format!("{steps}  step"), 1));
    let mut child =
        scenario.command("apply -auto-approve").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    while !said.contains("converting") {
        said.clear();
        assert!(output.read_line(&mut said).unwrap() > 0, "it ended before it converted anything");
    }
    // Someone goes on reading, or the pipe fills up.
    std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
    child
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn an_interrupt_stops_stages_and_the_next_apply_goes_on() {
    let mut scenario = events();
    let child = converting(&scenario);
    signal(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{complaints}");
    assert!(complaints.contains("Interrupt received."), "{complaints}");
    scenario.quietly("apply -auto-approve");
    let output = scenario.run("plan -detailed-exitcode");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_killed_engine_loses_nothing() {
    let mut scenario = events();
    let mut child = converting(&scenario);
    signal(&child, "-KILL");
    child.wait().unwrap();
    let output = scenario.run("plan -detailed-exitcode");
    assert_eq!(output.status.code(), Some(2));
    scenario.quietly("apply -auto-approve");
    let output = scenario.run("plan -detailed-exitcode");
    assert_eq!(output.status.code(), Some(0));
}
