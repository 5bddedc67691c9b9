//! Details in which Terraform's commands answer in their own way: what is only moved, what is not there yet, how values are written. Each
//! answer was compared with Terraform 1.11.4.

use super::scenario::Scenario;

#[test]
fn a_refresh_tells_of_moves_and_has_no_changes() {
    let mut scenario = Scenario::empty();
    scenario.write("main.tf", "resource \"terraform_data\" \"a\" {\n  input = 1\n}\n");
    scenario.quietly("apply -auto-approve");
    scenario.write(
        "main.tf",
        "resource \"terraform_data\" \"b\" {\n  input = 1\n}\n\nmoved {\n  from = terraform_data.a\n  to   = terraform_data.b\n}\n",
    );
    assert!(scenario.run("plan -refresh-only -detailed-exitcode -out=p").status.success());
    let shown = scenario.command("show -json p").output().unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    let drift = &shown["resource_drift"][0];
    assert_eq!(
        (&drift["address"], &drift["previous_address"]),
        (&"terraform_data.b".into(), &"terraform_data.a".into())
    );
    assert_eq!(drift["change"]["actions"], serde_json::json!(["no-op"]));
    assert_eq!((&shown["applyable"], &shown["resource_changes"]), (&false.into(), &serde_json::Value::Null));
    scenario.run("plan -refresh-only -json");
    scenario.run("state list");
    // Nobody is asked: nothing changes but the address.
    scenario.run("apply -refresh-only");
    scenario.run("state list");
    scenario.check("a_refresh_tells_of_moves_and_has_no_changes");
}

#[test]
fn imported_objects_are_there_before_the_plan() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.tf",
        r#"provider "terraform" {
  alias = "x"
}

resource "terraform_data" "a" {
  provider = terraform.x
}

import {
  to       = terraform_data.a
  id       = "known"
  provider = terraform.x
}
"#,
    );
    scenario.quietly("plan -out=p");
    let shown = scenario.command("show -json p").output().unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    let values = |part: &str| shown[part]["values"]["root_module"]["resources"][0]["values"]["id"].clone();
    assert_eq!(values("prior_state"), "known");
    let change = &shown["resource_changes"][0]["change"];
    assert_eq!((&change["before"]["id"], &change["after"]["id"]), (&"known".into(), &"known".into()));
    let events = scenario.command("apply -json p").output().unwrap();
    let events = String::from_utf8(events.stdout).unwrap();
    assert!(!events.contains("planned_change"), "what is only imported was told by the plan: {events}");
}

#[test]
fn outputs_are_written_as_the_language_reads_them() {
    let mut scenario = Scenario::empty();
    scenario.run("state list");
    scenario.write(
        "main.tf",
        r#"output "all" {
  value = {
    empty  = tolist([])
    list   = tolist([1])
    map    = tomap({ "a b" = true })
    none   = null
    object = { x = null }
    set    = toset(["a"])
    text   = "one\ntwo\n"
    tuple  = [1, "a", []]
  }
}

output "secret" {
  value     = "hunter2"
  sensitive = true
}

output "text" {
  value = "one\ntwo"
}
"#,
    );
    for line in ["state list", "output", "output text", "output -raw text", "output -json text"] {
        scenario.run(line);
    }
    scenario.quietly("apply -auto-approve");
    for line in ["state list", "output", "output all", "output text", "output secret", "output nope"] {
        scenario.run(line);
    }
    scenario.check("outputs_are_written_as_the_language_reads_them");
}

#[test]
fn whoever_says_apply_is_told_of_an_apply() {
    let mut scenario = Scenario::empty();
    scenario.write("main.tf", "output \"one\" {\n  value = 1\n}\n");
    scenario.quietly("apply -auto-approve");
    scenario.run("apply -destroy -auto-approve");
    scenario.run("apply -destroy -auto-approve -json");
    scenario.quietly("apply -auto-approve");
    scenario.run("destroy -auto-approve");
    scenario.run("destroy -auto-approve -json");
    scenario.check("whoever_says_apply_is_told_of_an_apply");
}

#[test]
fn workspaces_are_listed_and_texts_formatted() {
    let mut scenario = Scenario::empty();
    scenario.write("main.tf", "variable \"a\" {\n default   = 1\n}\n");
    for name in ["zeta", "Alpha", "10", "9"] {
        scenario.quietly(&format!("workspace new {name}"));
    }
    scenario.run("workspace list");
    scenario.run("fmt -diff -write=false");
    scenario.run("fmt -list=false -write=false");
    scenario.feed("fmt -diff -", "a   = 1\nbb = 2\n");
    scenario.check("workspaces_are_listed_and_texts_formatted");
}

#[test]
fn one_instance_moves_to_a_block_that_has_others() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.tf",
        "resource \"terraform_data\" \"a\" {}\n\nresource \"terraform_data\" \"b\" {\n  count = 2\n  input = terraform_data.a.id\n}\n",
    );
    scenario.quietly("apply -auto-approve");
    scenario.run("state mv terraform_data.a terraform_data.b");
    scenario.run("state mv terraform_data.b terraform_data.c");
    scenario.run("state mv terraform_data.c 'terraform_data.b[0]'");
    scenario.run("state list");
    scenario.quietly("destroy -auto-approve");
    scenario.run("state list");
    scenario.check("one_instance_moves_to_a_block_that_has_others");
}

#[test]
fn limits_of_no_instances_are_judged_by_the_plan() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.hcl",
        r#"variable "wait" {
  default = "soon"
}

resource "terraform_data" "none" {
  count   = 0
  timeout = var.wait
}

resource "terraform_data" "disabled" {
  timeout = var.wait
  lifecycle {
    enabled = false
  }
}

resource "terraform_data" "by_index" {
  count   = 0
  timeout = count.index + 1
  retry {
    max_attempts = count.index + 1
  }
}

resource "terraform_data" "by_key" {
  for_each = toset([])
  timeout  = "${each.key}m"
}
"#,
    );
    scenario.run("validate");
    scenario.run("plan");
    scenario.run("plan -var wait=2m");
    scenario.run("apply -auto-approve -var wait=2m");
    scenario.check("limits_of_no_instances_are_judged_by_the_plan");
}
