//! Commands that look: usage, formatting, roots, versions, logs.

use std::io::Read as _;
use std::process::Stdio;

use super::scenario::Scenario;

#[test]
fn usage() {
    let mut scenario = Scenario::of("values");
    scenario.run("plan -unknown");
    scenario.run("frobnicate");
    scenario.run("plan -parallelism=-1");
    scenario.run("plan -json=maybe");
    scenario.run("plan -var greeting");
    scenario.run("plan -target=nothing");
    scenario.run("output -raw");
    scenario.run("state show");
    scenario.run("plan absent.hcl");
    scenario.run("-chdir=absent plan");
    scenario.run("version -json");
    scenario.check("usage");
}

#[test]
fn flags_are_spelt_as_in_terraform() {
    let scenario = Scenario::of("cluster");
    let status = |line: &str| scenario.command(line).output().unwrap().status.code().unwrap();
    // The statuses are those of Terraform 1.11.4 on the same lines.
    for (line, wanted) in [
        ("plan -detailed-exitcode=true", 2),
        ("plan -detailed-exitcode=false", 0),
        ("plan -detailed-exitcode -detailed-exitcode", 2),
        ("plan -detailed-exitcode -detailed-exitcode=f", 0),
        ("plan -json=true", 0),
        ("plan -input=0 -refresh=FALSE -lock=T", 0),
        ("plan -out=", 0),
        ("plan -parallelism=0", 0),
        ("apply -auto-approve=true -lock=false", 0),
        ("output -json=1", 0),
        ("fmt -check=true", 0),
        ("fmt absent.tf", 2),
        ("workspace select -or-create=true w", 0),
        ("plan -destroy -replace=terraform_data.network", 1),
        ("plan -refresh-only -replace=terraform_data.network", 1),
        ("plan -refresh-only -refresh=false", 1),
    ] {
        assert_eq!(status(line), wanted, "{line}");
    }
}

#[test]
fn the_environment_adds_arguments() {
    let mut scenario = Scenario::of("cluster");
    scenario.set("TF_CLI_ARGS_apply", "-auto-approve -parallelism=1");
    scenario.set("TF_CLI_ARGS_state_list", "terraform_data.network");
    scenario.quietly("apply");
    let listed = scenario.command("-chdir=. state list").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&listed.stdout), "terraform_data.network\n");
    scenario.set("TF_CLI_ARGS", "-bogus");
    scenario.run("plan");
    scenario.run("version");
    scenario.set("TF_CLI_ARGS", "-var 'a=1");
    scenario.run("plan");
    scenario.check("arguments_of_the_environment");
}

#[test]
fn help() {
    let mut scenario = Scenario::empty();
    scenario.run("-help");
    scenario.run("apply -help");
    scenario.check("help");
}

#[test]
fn formatting() {
    let mut scenario = Scenario::of("format");
    scenario.run("fmt -check -diff");
    scenario.run("fmt -recursive -write=false");
    scenario.run("fmt -recursive");
    scenario.run("fmt -recursive -check");
    scenario.write("broken.hcl", "locals {\n  a =\n}\n");
    scenario.run("fmt");
    scenario.run("fmt absent.hcl");
    // What is printed ends with a line break.
    scenario.feed("fmt -", "a=1");
    scenario.feed("fmt -diff -", "a=1\n");
    for file in ["untidy.hcl", "inside/values.tfvars"] {
        let text = scenario.read(file);
        scenario.note(&format!("{file} is now:\n{text}"));
    }
    scenario.check("formatting");
}

#[test]
fn roots() {
    let mut scenario = Scenario::of("several");
    scenario.run("init");
    scenario.run("plan -parallelism=1");
    scenario.run("apply -auto-approve pipelines/one.hcl");
    scenario.run("output pipelines/one.hcl a");
    scenario.run("output a");
    scenario.run("-chdir=pipelines state list one.hcl");
    scenario.check("roots");
}

#[test]
fn graph() {
    let mut scenario = Scenario::of("values");
    scenario.run("graph");
    scenario.check("graph");
}

#[test]
fn logs() {
    let mut scenario = Scenario::of("values");
    let attempt = ".pipectl/values/default/runs/train.a/0002";
    scenario.write(".pipectl/values/default/runs/train.a/0001/rank-0.stderr.log", "the first attempt\n");
    scenario.write(
        &format!("{attempt}/rank-0.events.jsonl"),
        concat!(
            r#"{"event":"hello","protocol":1,"program":"0.1.0","pid":7}"#,
            "\n",
            r#"{"event":"progress","phase":"reading","done":10,"total":40,"unit":"rows","metrics":{}}"#,
            "\n",
            r#"{"event":"progress","phase":"reading","done":20,"total":40,"unit":"rows","metrics":{}}"#,
            "\n",
            r#"{"event":"failed","summary":"Missing column","detail":"There is no column `x`.","transient":false}"#,
            "\n",
        ),
    );
    scenario.write(&format!("{attempt}/rank-0.stderr.log"), "a line of the user's own\n");
    scenario
        .write(&format!("{attempt}/outcome.json"), r#"{"version":1,"outcome":"failed","started":0.0,"seconds":12.0}"#);
    scenario.run("logs stage.train.a");
    scenario.run("logs stage.train.a -attempt=1");
    scenario.run("logs stage.train.a -rank 3");
    scenario.run("logs stage.train.b");
    scenario.run("logs terraform_data.greeting");
    scenario.check("logs");
}

#[test]
fn a_reader_that_goes_away_does_no_harm() {
    let mut scenario = Scenario::of("values");
    scenario.quietly("apply -auto-approve -parallelism=1");
    let mut child = scenario.command("show").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut complaints = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
    assert_eq!((child.wait().unwrap().code(), complaints.as_str()), (Some(0), ""));
}
