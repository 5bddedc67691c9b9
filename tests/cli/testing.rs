//! `test`: runs of a configuration with assertions.

use super::scenario::Scenario;

#[test]
fn tests_of_a_configuration() {
    let mut scenario = Scenario::of("tested");
    scenario.run("test");
    scenario.run("test -filter=sizes.tftest.hcl");
    scenario.run("test -json -filter=tests/failing.tftest.hcl");
    scenario.run("test -filter=sizes.tftest.hcl -verbose -var size=4");
    scenario.run("test -filter=absent.tftest.hcl");
    assert!(!scenario.file(".pipectl/default").exists(), "the state of tests is in memory");
    scenario.check("tests");
}

#[test]
fn mistakes_in_a_test_file() {
    let mut scenario = Scenario::of("tested");
    scenario.write(
        "tests/broken.tftest.hcl",
        "run \"a\" {\n  comand = plan\n  assert {\n    condition = true\n  }\n  module {\n    source = \"./m\"\n  }\n}\n\nmock_provider \"x\" {}\n",
    );
    scenario.run("test");
    scenario.check("tests_with_mistakes");
}

#[test]
fn what_assertions_see() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.tf",
        r#"resource "terraform_data" "zero" {
  count = 0
}

resource "terraform_data" "none" {
  for_each = toset([])
}

resource "terraform_data" "off" {
  lifecycle {
    enabled = false
  }
}

resource "terraform_data" "two" {
  count = 2
  input = "x${count.index}"
}

module "each" {
  source   = "./m"
  for_each = toset(["a", "b"])
  in       = each.key
}

module "empty" {
  source = "./m"
  count  = 0
  in     = "q"
}

output "places" {
  value = [path.cwd, path.root, path.module]
}

output "when" {
  value = plantimestamp()
}
"#,
    );
    scenario.write(
        "m/main.tf",
        r#"variable "in" {}

resource "terraform_data" "inner" {
  input = var.in
}

output "upper" {
  value = upper(var.in)
}

output "made" {
  value = terraform_data.inner.output
}

output "folder" {
  value = path.module
}
"#,
    );
    // What a real Terraform says of the same, but for `off`, which it does not have.
    let sees = r#"  assert {
    condition     = length(terraform_data.zero) == 0 && length(terraform_data.none) == 0
    error_message = "objects: ${jsonencode([terraform_data.zero, terraform_data.none])}"
  }

  assert {
    condition     = terraform_data.off == null
    error_message = "off"
  }

  assert {
    condition     = [for one in terraform_data.two : one.input] == ["x0", "x1"]
    error_message = "two"
  }

  assert {
    condition     = module.each["a"].upper == "A" && length(module.each) == 2 && length(module.empty) == 0
    error_message = "modules"
  }

  assert {
    condition     = module.each["b"].folder == "m"
    error_message = "folder"
  }

  assert {
    condition     = output.places == [path.cwd, path.root, path.module] && path.root == "."
    error_message = "places"
  }

  assert {
    condition     = output.when == plantimestamp()
    error_message = "time"
  }
"#;
    let made = "  assert {\n    condition     = module.each[\"b\"].made == \"b\"\n    error_message = \"it is ${module.each[\"b\"].made}\"\n  }\n";
    scenario.write(
        "sees.tftest.hcl",
        &format!("run \"plan\" {{\n  command = plan\n\n{sees}}}\n\nrun \"apply\" {{\n{sees}\n{made}}}\n"),
    );
    scenario.run("test");
    scenario.check("tests_see");
}

#[test]
fn what_a_test_leaves_behind_is_told() {
    let mut scenario = Scenario::empty();
    let main = "variable \"n\" {\n  type    = number\n  default = 1\n}\n\nresource \"terraform_data\" \"a\" {\n  input = var.n\n}\n";
    scenario.write("main.tf", main);
    scenario
        .write("two.tftest.hcl", "run \"makes\" {}\n\nrun \"is_wrong\" {\n  variables {\n    n = \"abc\"\n  }\n}\n");
    // What the first run made is removed with the variables of that run.
    scenario.run("test");
    scenario.edit("main.tf", "  input = var.n\n", "  input = var.n\n  lifecycle {\n    prevent_destroy = true\n  }\n");
    scenario.run("test -filter=two.tftest.hcl");
    scenario.check("what_a_test_leaves_behind_is_told");
}

#[test]
fn ephemeral_values_are_not_shown() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.tf",
        "variable \"token\" {\n  type      = string\n  ephemeral = true\n  default   = \"hunter2\"\n}\n\nlocals {\n  pin = 1\n}\n",
    );
    let assertion = "run \"a\" {\n  command = plan\n  assert {\n    condition     = var.token == \"x\"\n    error_message = \"no\"\n  }\n}\n";
    scenario.write("a.tftest.hcl", assertion);
    scenario.run("test");
    scenario.run("test -json");
    scenario.edit("main.tf", "pin = 1", "pin = tonumber(var.token)");
    scenario.run("plan");
    scenario.edit("main.tf", "tonumber(var.token)", "{ for one in [var.token, var.token] : one => 1 }");
    scenario.run("plan");
    scenario.check("ephemeral_values_are_not_shown");
}
