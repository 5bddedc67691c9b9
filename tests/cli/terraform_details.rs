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

#[test]
fn a_refresh_goes_on_where_conditions_fail_and_then_says_so() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.tf",
        r#"variable "fit" {
  default = "a"
}

module "inside" {
  source = "./inside"
  fit    = var.fit
}

resource "terraform_data" "a" {
  input = module.inside.all
  lifecycle {
    postcondition {
      condition     = var.fit == "a"
      error_message = "The object does not fit."
    }
  }
}

check "fits" {
  assert {
    condition     = var.fit == "a"
    error_message = "Nothing fits."
  }
}

output "fit" {
  value = "${terraform_data.a.output}-${var.fit}"
  precondition {
    condition     = var.fit == "a"
    error_message = "The output does not fit."
  }
}
"#,
    );
    let inside = "variable \"fit\" {}\n\noutput \"all\" {\n  value = \"x\"\n  precondition {\n    condition     = var.fit == \"a\"\n    \
                  error_message = \"The inside does not fit.\"\n  }\n}\n";
    scenario.write("inside/main.tf", inside);
    scenario.quietly("apply -auto-approve");
    scenario.run("plan -refresh-only -detailed-exitcode -var fit=b");
    let refreshed = scenario.run("apply -refresh-only -auto-approve -var fit=b");
    assert_eq!(refreshed.status.code(), Some(1));
    scenario.run("output fit");
    scenario.check("a_refresh_goes_on_where_conditions_fail_and_then_says_so");
}

#[test]
fn assertions_that_are_known_after_apply_are_announced() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.tf",
        r#"resource "terraform_data" "a" {
  input = "x"
}

check "made" {
  assert {
    condition     = terraform_data.a.id != terraform_data.a.output
    error_message = "It is what it is."
  }
}
"#,
    );
    scenario.run("plan -out=p");
    // Nobody is asked, and the apply judges at once: there is nothing to announce.
    let applied = scenario.command("apply -auto-approve").output().expect("the command runs");
    let text = String::from_utf8_lossy(&applied.stderr).into_owned();
    assert!(!text.contains("known after apply"), "{text}");
    scenario.run("plan");
    scenario.write(
        "made.tftest.hcl",
        "run \"make\" {}\n\nrun \"plan\" {\n  command = plan\n  variables { word = \"y\" }\n}\n",
    );
    scenario.edit("main.tf", "input = \"x\"", "input = var.word");
    scenario.edit("main.tf", "resource", "variable \"word\" {\n  default = \"x\"\n}\n\nresource");
    // The run that applies has nothing to announce; the one that plans has.
    scenario.run("test");
    scenario.check("assertions_that_are_known_after_apply_are_announced");
}

#[test]
fn a_check_waits_for_what_its_data_source_names() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.tf",
        r#"resource "terraform_data" "made" {
  input = "none.tfstate"
}

check "later" {
  data "terraform_remote_state" "it" {
    backend = "local"
    config  = { path = "${path.root}/${terraform_data.made.input}" }
  }
  assert {
    condition     = data.terraform_remote_state.it.outputs.word == "x"
    error_message = "It is another word."
  }
}
"#,
    );
    // What is to be read may only be there once the object is made: nothing is said to be missing.
    scenario.run("plan");
    scenario.quietly("apply -auto-approve");
    scenario.run("plan");
    scenario.check("a_check_waits_for_what_its_data_source_names");
}

#[test]
fn a_refresh_that_breaks_a_condition_shows_what_it_refers_to() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.tf",
        r#"variable "fit" {
  default = true
}

resource "terraform_data" "a" {}

output "word" {
  value = terraform_data.a.id
  precondition {
    condition     = var.fit
    error_message = "It does not fit."
  }
}
"#,
    );
    scenario.quietly("apply -auto-approve");
    scenario.quietly("plan -refresh-only -var fit=false -out=p");
    scenario.run("apply p");
    scenario.check("a_refresh_that_breaks_a_condition_shows_what_it_refers_to");
}

#[test]
fn what_was_applied_in_part_is_said_to_be_so() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.tf",
        r#"variable "word" {
  default = "a"
}

resource "terraform_data" "a" {}

resource "terraform_data" "b" {}

output "word" {
  value = "${length(terraform_data.a.id)}-${var.word}"
}
"#,
    );
    scenario.quietly("apply -auto-approve");
    scenario.run("apply -auto-approve -var word=b -target=terraform_data.a");
    scenario.quietly("plan -out=p -var word=c -exclude=terraform_data.b");
    scenario.run("apply p");
    // Where it went wrong, too; and the command is about this root.
    scenario.write("other/main.tf", "resource \"terraform_data\" \"a\" {\n  lifecycle {\n    postcondition {\n      condition     = self.id == \"\"\n      error_message = \"No.\"\n    }\n  }\n}\n");
    scenario.run("apply -auto-approve -target=terraform_data.a other");
    scenario.check("what_was_applied_in_part_is_said_to_be_so");
}

#[test]
fn documents_have_objects_in_terraforms_order() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "inside/main.tf",
        "resource \"terraform_data\" \"x\" {}\n\noutput \"id\" {\n  value = terraform_data.x.id\n}\n",
    );
    scenario.write(
        "outside/main.tf",
        "module \"inside\" {\n  source = \"../inside\"\n}\n\noutput \"id\" {\n  value = module.inside.id\n}\n",
    );
    scenario.write(
        "main.tf",
        r#"module "a" {
  source = "./outside"
}

module "b" {
  source = "./inside"
}

resource "terraform_data" "first" {
  for_each = toset(["k"])
}

resource "terraform_data" "last" {
  input      = [module.a.id, module.b.id]
  depends_on = [terraform_data.first["k"]]
}
"#,
    );
    scenario.quietly("plan -out=p");
    let shown = |scenario: &Scenario, line: &str| -> serde_json::Value {
        serde_json::from_slice(&scenario.command(line).output().unwrap().stdout).unwrap()
    };
    let plan = shown(&scenario, "show -json p");
    let changes = plan["resource_changes"].as_array().unwrap();
    let addresses: Vec<&str> = changes.iter().map(|change| change["address"].as_str().unwrap()).collect();
    let inner = "module.a.module.inside.terraform_data.x";
    assert_eq!(addresses, ["terraform_data.first[\"k\"]", "terraform_data.last", "module.b.terraform_data.x", inner]);
    let written = &plan["configuration"]["root_module"]["resources"];
    assert_eq!(written[1]["depends_on"], serde_json::json!(["terraform_data.first[\"k\"]"]));
    assert!(written[0].get("expressions").is_none(), "a block without arguments has none: {written}");
    scenario.quietly("apply p");
    let state = shown(&scenario, "show -json");
    let needed = &state["values"]["root_module"]["resources"][1]["depends_on"];
    assert_eq!(*needed, serde_json::json!([inner, "module.b.terraform_data.x", "terraform_data.first"]));
}
