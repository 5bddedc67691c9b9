//! Ways of Terraform's commands that people rely on: graphs by module, imports with values of variables, generated configuration, checks that
//! read, refreshes that take in, and validation of tests.

use std::fs;

use super::scenario::Scenario;

#[test]
fn graphs_show_modules_and_only_direct_needs() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.tf",
        r#"resource "terraform_data" "a" {
  count = 2
}

module "m" {
  source = "./m"
  count  = 2
  a      = terraform_data.a[0].id
}

resource "terraform_data" "b" {
  input = [module.m[0].last, terraform_data.a[0].id]
}
"#,
    );
    scenario.write(
        "m/main.tf",
        r#"variable "a" {}

resource "terraform_data" "first" {
  input = var.a
}

resource "terraform_data" "last" {
  input = [terraform_data.first.id, var.a]
}

module "n" {
  source = "./n"
  first  = terraform_data.first
}

output "last" {
  value = terraform_data.last.id
}
"#,
    );
    scenario
        .write("m/n/main.tf", "variable \"first\" {}\n\nresource \"terraform_data\" \"n\" {\n  input = var.first\n}\n");
    scenario.run("graph");
    scenario.run("graph -type=plan");
    scenario.run("graph -type=nope");
    scenario.check("graphs_show_modules_and_only_direct_needs");
}

#[test]
fn imports_take_values_of_variables() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "infra/main.tf",
        "variable \"v\" {\n  type = number\n}\n\nresource \"terraform_data\" \"a\" {\n  input = var.v\n}\n",
    );
    scenario.run("import -config=infra -var v=x terraform_data.a an-id");
    scenario.run("import -config=infra -var nope=1 terraform_data.a an-id");
    scenario.run("import -config=infra -var v=1 -input=false terraform_data.a an-id");
    scenario.run("-chdir=infra state list");
    scenario.check("imports_take_values_of_variables");
}

#[test]
fn configuration_is_generated_for_imports() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.tf",
        r#"variable "id" {
  default = "an-id"
}

import {
  to = terraform_data.a
  id = var.id
}

import {
  to = random_integer.b
  id = "15390,1,50000"
}
"#,
    );
    scenario.run("plan");
    scenario.run("plan -destroy -generate-config-out=generated.tf");
    scenario.write("there.tf", "");
    scenario.run("plan -generate-config-out=there.tf");
    fs::remove_file(scenario.file("there.tf")).unwrap();
    scenario.run("plan -generate-config-out=generated.tf");
    let text = scenario.read("generated.tf");
    scenario.note(text.trim_end());
    scenario.run("apply -auto-approve");
    scenario.run("plan -detailed-exitcode -generate-config-out=more.tf");
    assert!(!scenario.file("more.tf").exists());
    scenario.check("configuration_is_generated_for_imports");
}

/// A file that the next plan would not read, or would take for another root module, is not written; nor is a secret.
#[test]
fn configuration_is_generated_where_it_is_read() {
    let mut scenario = Scenario::empty();
    let import = "import {\n  to = terraform_data.x\n  id = \"abc\"\n}\n";
    scenario.write("a.hcl", &format!("pipeline \"a\" {{}}\n\n{import}"));
    scenario.run("plan a.hcl");
    scenario.run("plan -generate-config-out=gen.tf a.hcl");
    scenario.write("b.hcl", "pipeline \"b\" {}\n");
    scenario.run("plan -generate-config-out=gen.tf");
    scenario.write("root/main.tf", import);
    scenario.run("plan -generate-config-out=gen.tf root/");
    scenario.run("plan -generate-config-out=root/gen.txt root/");
    scenario.write(
        "root/main.tf",
        &format!(
            "variable \"id\" {{\n  default   = \"canary\"\n  sensitive = true\n}}\n\n{}",
            import.replace("\"abc\"", "var.id")
        ),
    );
    scenario.run("plan -generate-config-out=root/gen.tf root/");
    assert!(!scenario.file("gen.tf").exists() && !scenario.file("root/gen.tf").exists());
    scenario.write("root/main.tf", import);
    scenario.run("plan -generate-config-out=root/gen.tf root/");
    scenario.run("plan root/");
    scenario.check("configuration_is_generated_where_it_is_read");
}

#[test]
fn checks_read_data() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.tf",
        r#"resource "terraform_data" "a" {
  input = 1
}

check "health" {
  data "terraform_remote_state" "other" {
    backend = "local"
    config  = { path = "${path.module}/other/terraform.tfstate" }
  }

  assert {
    condition     = data.terraform_remote_state.other.outputs.size == 2
    error_message = "The size should be 2."
  }
}
"#,
    );
    scenario.run("apply -auto-approve");
    let output = "\"size\": {\"value\": 3, \"type\": \"number\"}";
    let state = format!(
        "{{\"version\": 4, \"serial\": 1, \"lineage\": \"x\", \"outputs\": {{{output}}}, \"resources\": []}}\n"
    );
    scenario.write("other/terraform.tfstate", &state);
    scenario.run("plan -detailed-exitcode");
    scenario.edit("main.tf", "input = 1", "input = 2");
    scenario.run("plan");
    scenario.check("checks_read_data");
}

#[test]
fn refreshes_say_what_they_take_in() {
    let mut scenario = Scenario::empty();
    scenario.write("main.tf", "resource \"local_file\" \"f\" {\n  filename = \"out.txt\"\n  content  = \"a\"\n}\n");
    scenario.quietly("apply -auto-approve");
    scenario.run("plan -refresh-only");
    scenario.write("out.txt", "b");
    scenario.run("plan -refresh-only -detailed-exitcode");
    fs::remove_file(scenario.file("out.txt")).unwrap();
    scenario.run("plan -refresh-only -detailed-exitcode");
    scenario.check("refreshes_say_what_they_take_in");
}

#[test]
fn tests_are_validated_too() {
    let mut scenario = Scenario::empty();
    scenario.write("main.tf", "resource \"terraform_data\" \"a\" {}\n");
    scenario.write(
        "tests/a.tftest.hcl",
        "run \"x\" {\n  assert {\n    condition = true\n  }\n  bogus = 1\n}\n\nmock_provider \"terraform\" {\n  defaults = {}\n}\n",
    );
    scenario.run("validate");
    scenario.run("validate -no-tests");
    scenario.run("validate -json -test-directory=none");
    scenario.check("tests_are_validated_too");
}
