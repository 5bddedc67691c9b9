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
        "run \"a\" {\n  comand = plan\n  assert {\n    condition = true\n  }\n  module {\n    source = \"m\"\n  }\n}\n\nmock_provider \"x\" {\n  mock_thing \"y\" {}\n}\n\noverride_data {\n  target = \
         terraform_data.a\n}\n",
    );
    scenario.run("test");
    scenario.check("tests_with_mistakes");
}

#[test]
fn mocks_and_other_modules() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.tf",
        r#"variable "prefix" {
  default = "p"
}

resource "terraform_data" "a" {
  input = var.prefix
}

resource "local_file" "f" {
  filename = "made.txt"
  content  = terraform_data.a.id
}

data "http" "answer" {
  url = "http://127.0.0.1:1/${terraform_data.a.id}"
}

module "m" {
  source = "./m"
}

output "seen" {
  value = [terraform_data.a.id, data.http.answer.response_body, module.m.inner]
}
"#,
    );
    scenario.write(
        "m/main.tf",
        "resource \"local_file\" \"inner\" {\n  filename = \"inner.txt\"\n  content  = \"x\"\n}\n\noutput \"inner\" {\n  value = \
         local_file.inner.content_md5\n}\n",
    );
    scenario.write(
        "helper/main.tf",
        "variable \"prefix\" {}\n\nresource \"terraform_data\" \"h\" {\n  input = \"${var.prefix}-helped\"\n}\n\noutput \"helped\" {\n  value = \
         terraform_data.h.output\n}\n",
    );
    scenario.write(
        "a.tftest.hcl",
        r#"mock_provider "http" {
  mock_data "http" {
    defaults = {
      response_body = "mocked"
    }
  }
}

mock_provider "local" {}

run "helper" {
  variables {
    prefix = "from-file"
  }

  module {
    source = "./helper"
  }

  assert {
    condition     = output.helped == "from-file-helped" && terraform_data.h.input == output.helped
    error_message = "The helper says ${output.helped}."
  }
}

run "mocked" {
  variables {
    prefix = run.helper.helped
  }

  override_resource {
    target = terraform_data.a
    values = {
      id = "an-id"
    }
  }

  override_module {
    target = module.m
    outputs = {
      inner = "overridden"
    }
  }

  assert {
    condition     = output.seen == ["an-id", "mocked", "overridden"] && terraform_data.a.input == "from-file-helped"
    error_message = "Seen: ${jsonencode(output.seen)}"
  }

  assert {
    condition     = !fileexists("made.txt") && length(local_file.f.content_md5) == 8
    error_message = "The file is there."
  }
}

run "planned" {
  command = plan

  override_data {
    target          = data.http.answer
    override_during = plan
    values = {
      response_body = var.prefix
    }
  }

  assert {
    condition     = data.http.answer.response_body == "p"
    error_message = "It says ${data.http.answer.response_body}."
  }

  assert {
    condition     = terraform_data.a.input == "nope"
    error_message = "The input is ${terraform_data.a.input} < nope."
  }
}
"#,
    );
    scenario.run("test -junit-xml=report.xml");
    let report = scenario.read("report.xml");
    assert!(report.contains("tests=\"3\" skipped=\"0\" failures=\"1\" errors=\"0\""), "{report}");
    assert!(report.contains("<failure message=\"1 of 2 assertions failed: The input is p &lt; nope.\">"), "{report}");
    assert!(!scenario.file("made.txt").exists() && !scenario.file("inner.txt").exists());
    scenario.check("mocks_and_other_modules");
}

#[test]
fn secrets_stay_secret_in_mocks() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.tf",
        r#"variable "password" {
  sensitive = true
}

variable "token" {
  ephemeral = true
  default   = "ephemeral-hunter2"
}

variable "whole" {
  type      = map(string)
  sensitive = true
}

resource "terraform_data" "a" {
  input = var.password
}

resource "tls_private_key" "k" {
  algorithm = "ED25519"
}

module "m" {
  source = "./m"
}
"#,
    );
    scenario.write("m/main.tf", "output \"pass\" {\n  value = \"none\"\n}\n");
    scenario.write(
        "a.tftest.hcl",
        r#"mock_provider "tls" {
  mock_resource "tls_private_key" {
    defaults = {
      private_key_pem = "key-hunter2"
    }
  }
}

variables {
  password = "hunter2"
  whole = {
    id   = "whole-hunter2"
    pass = "whole-hunter2"
  }
}

override_resource {
  target          = terraform_data.a
  override_during = plan
  values = {
    id     = var.password
    output = "an output"
  }
}

override_module {
  target = module.m
  outputs = {
    pass = var.password
  }
}

run "all" {
  assert {
    condition     = terraform_data.a.id == "x"
    error_message = "id"
  }

  assert {
    condition     = terraform_data.a.input == "x"
    error_message = "input ${terraform_data.a.input}"
  }

  assert {
    condition     = tls_private_key.k.private_key_pem == "x"
    error_message = "key ${tls_private_key.k.private_key_pem}"
  }

  assert {
    condition     = module.m.pass == "x"
    error_message = "module ${module.m.pass}"
  }
}

run "what_is_sensitive_as_a_whole" {
  override_resource {
    target          = terraform_data.a
    override_during = plan
    values          = { for key, value in var.whole : key => value }
  }

  override_module {
    target  = module.m
    outputs = { for key, value in var.whole : key => value }
  }

  assert {
    condition     = terraform_data.a.id == "x"
    error_message = "id ${terraform_data.a.id}"
  }

  assert {
    condition     = module.m.pass == "x"
    error_message = "module ${module.m.pass}"
  }
}

run "ephemeral" {
  override_resource {
    target = terraform_data.a
    values = {
      id = var.token
    }
  }
}
"#,
    );
    scenario.run("test -verbose -junit-xml=report.xml");
    scenario.run("test -json");
    assert!(!scenario.read("report.xml").contains("hunter2"), "{}", scenario.read("report.xml"));
    scenario.check("secrets_stay_secret_in_mocks");
}

#[test]
fn what_was_there_for_real_is_removed_for_real() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.tf",
        "resource \"local_file\" \"f\" {\n  count    = 2\n  filename = \"made-${count.index}.txt\"\n  content  = \"x\"\n}\n\n\
         output \"made\" {\n  value = [for index in [0, 1] : fileexists(\"made-${index}.txt\")]\n}\n",
    );
    let overriding = "  override_resource {\n    target = local_file.f[INDEX]\n  }\n";
    let look = "  module {\n    source = \"./look\"\n  }\n  assert {\n    condition     = output.made == EXPECTED\n    error_message = \
                jsonencode(output.made)\n  }\n";
    scenario.write(
        "look/main.tf",
        "output \"made\" {\n  value = [for index in [0, 1] : fileexists(\"made-${index}.txt\")]\n}\n",
    );
    let run = |name: &str, body: &str| format!("run \"{name}\" {{\n{body}}}\n\n");
    let text = [
        run("one_is_made_up", &overriding.replace("INDEX", "0")),
        run("look", &look.replace("EXPECTED", "[false, true]")),
        run(
            "the_other_is_overridden",
            &overriding.replace("INDEX", "1").replace("    target", "    values = {}\n    target"),
        ),
    ];
    scenario.write("a.tftest.hcl", &text.concat());
    scenario.run("test");
    assert!(!scenario.file("made-0.txt").exists() && !scenario.file("made-1.txt").exists());
    scenario.check("what_was_there_for_real_is_removed_for_real");
}

/// So is what a run has made with another configuration of its provider than the mocked one of the last run.
#[test]
fn what_a_mocked_provider_has_not_made_is_removed_for_real() {
    let mut scenario = Scenario::empty();
    scenario.write("main.tf", "resource \"local_file\" \"f\" {\n  filename = \"real.txt\"\n  content  = \"x\"\n}\n");
    let providers =
        "provider \"local\" {\n  alias = \"real\"\n}\n\nmock_provider \"local\" {\n  alias = \"fake\"\n}\n\n";
    let run = |alias: &str| format!("run \"{alias}\" {{\n  providers = {{\n    local = local.{alias}\n  }}\n}}\n\n");
    scenario.write("a.tftest.hcl", &[providers.to_owned(), run("real"), run("fake")].concat());
    scenario.run("test");
    assert!(!scenario.file("real.txt").exists());
    scenario.check("what_a_mocked_provider_has_not_made_is_removed_for_real");
}

/// The answers are those of a real Terraform.
#[test]
fn single_instances_are_overridden() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.tf",
        "resource \"terraform_data\" \"a\" {\n  for_each = toset([\"x\", \"y\"])\n}\n\nmodule \"m\" {\n  source   = \"./m\"\n  for_each = \
         toset([\"a\", \"b\"])\n}\n",
    );
    scenario.write(
        "m/main.tf",
        "resource \"terraform_data\" \"z\" {\n  lifecycle {\n    postcondition {\n      condition     = self.id != \"refused\"\n      \
         error_message = \"refused\"\n    }\n  }\n}\n\nmodule \"k\" {\n  source = \"./k\"\n  count  = 2\n}\n\noutput \"z\" {\n  value = \
         terraform_data.z.id\n}\n\noutput \"k\" {\n  value     = module.k\n  sensitive = true\n}\n",
    );
    scenario.write(
        "m/k/main.tf",
        "resource \"terraform_data\" \"q\" {}\n\noutput \"q\" {\n  value = terraform_data.q.id\n}\n",
    );
    let overriding = |kind: &str, target: &str, values: &str| {
        let name = if kind == "module" { "outputs" } else { "values" };
        format!("  override_{kind} {{\n    target = {target}\n    {name} = {{\n      {values}\n    }}\n  }}\n\n")
    };
    let assert = |condition: &str| {
        format!("  assert {{\n    condition     = {condition}\n    error_message = \"it is not\"\n  }}\n\n")
    };
    let run = |name: &str, parts: &[String]| format!("run \"{name}\" {{\n{}}}\n\n", parts.concat());
    let text = [
        run(
            "one_of_each",
            &[
                overriding("resource", "terraform_data.a[\"x\"]", "id = \"ax\""),
                overriding("module", "module.m[\"b\"]", "z = \"mb\""),
                overriding("module", "module.m[\"a\"].module.k[1]", "q = \"mak1\""),
                assert("terraform_data.a[\"x\"].id == \"ax\" && length(terraform_data.a[\"y\"].id) == 36"),
                assert("module.m[\"b\"].z == \"mb\" && module.m[\"b\"].k == null && length(module.m[\"a\"].z) == 36"),
                assert("module.m[\"a\"].k[1].q == \"mak1\" && length(module.m[\"a\"].k[0].q) == 36"),
            ],
        ),
        run(
            "one_goes_before_all",
            &[
                overriding("module", "module.m[\"a\"].module.k", "q = \"mak\""),
                overriding("module", "module.m[\"a\"].module.k[0]", "q = \"mak0\""),
                overriding("module", "module.m[\"zz\"]", "z = \"nobody\""),
                assert(
                    "[for one in module.m[\"a\"].k : one.q] == [\"mak0\", \"mak\"] && length(module.m[\"b\"].k[0].q) == 36",
                ),
            ],
        ),
        run("all_again", &[assert("module.m[\"b\"].z == \"wrong\""), assert("module.m[\"b\"].k == \"hidden\"")]),
    ];
    scenario.write("a.tftest.hcl", &text.concat());
    scenario.run("test -verbose");
    scenario.check("single_instances_are_overridden");
}

/// In JSON the same mistakes are told as in the native syntax, where they stand. A mistake of Terraform 1.12's words is one here, too.
#[test]
fn mistakes_in_a_test_file_in_json() {
    let mut scenario = Scenario::empty();
    scenario.write("main.tf", "variable \"in\" {\n  default = 1\n}\n");
    let text = r#"{
  "test": { "parallel": "maybe", "paralel": true },
  "mock_provider": { "terraform": { "source": "./mocks", "override_during": "now" } },
  "runs": {},
  "run": {
    "a": {
      "comand": "plan",
      "command": "destroy",
      "parallel": [],
      "expect_failures": "var.in",
      "plan_options": { "refresh": "x", "mode": "nope", "target": ["a"], "replace": ["${1}"] },
      "assert": [{ "condition": true }, { "condition": "${var.in == }", "error_message": "a ${x" }]
    },
    "not ok": {}
  }
}
"#;
    scenario.write("a.tftest.json", text);
    scenario
        .write("mocks/m.tfmock.json", "{ \"mock_resource\": { \"x\": { \"default\": {} } }, \"mock_thing\": {} }\n");
    scenario.run("test");
    scenario.write("a.tftest.json", "{ \"run\": { \"a\": { \"command\": \"plan\" } }\n");
    scenario.run("test");
    std::fs::remove_file(scenario.file("a.tftest.json")).unwrap();
    scenario.write(
        "a.tftest.hcl",
        "test {\n  parallel = 1\n  more {}\n}\n\ntest \"x\" {}\n\nvariables {}\n\nvariables {}\n\nrun \"a\" \"b\" {\n  command  = \"plan\"\n  \
         parallel = \"x\"\n\n  plan_options {\n    refresh = null\n    target  = \"terraform_data.a\"\n    replace = [3]\n  }\n\n  plan_options \
         {}\n\n  expect_failures = [\"var.in\", [var.in], \"check.a[\\\"x\\\"].\\\"\"]\n}\n",
    );
    scenario.run("test");
    scenario.write(
        "a.tftest.hcl",
        "test {\n  parallel = true\n}\n\nrun \"a\" {\n  parallel        = \"true\"\n  command         = \
         plan\n  expect_failures = [\"var.in\"]\n}\n",
    );
    scenario.run("test");
    scenario.check("mistakes_in_a_test_file_in_json");
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

/// Compared with Terraform 1.11.4.
#[test]
fn nulls_unknown_values_and_variables_of_tests() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.tf",
        "variable \"a\" {\n  default = \"default\"\n}\n\nresource \"terraform_data\" \"a\" {}\n\noutput \"id\" {\n  value = \
         terraform_data.a.id\n}\n\noutput \"none\" {\n  value = null\n}\n\noutput \"a\" {\n  value = var.a\n}\n",
    );
    // Those of the tests' folder hold for the tests in it, and there against all others.
    scenario.write("terraform.tfvars", "a = \"root\"\n");
    scenario.write("tests/terraform.tfvars", "a = \"tests\"\nonly = \"for tests\"\n");
    scenario.write(
        "beside.tftest.hcl",
        r#"run "beside" {
  command = plan
  assert {
    condition     = var.a == "cli" && output.none == null
    error_message = "a is ${var.a}"
  }
}
"#,
    );
    scenario.write(
        "tests/inside.tftest.hcl",
        r#"run "inside" {
  assert {
    condition     = var.a == "tests" && var.only == "for tests" && output.none == null
    error_message = "a is ${var.a}"
  }
}

run "null_of_a_run" {
  assert {
    condition     = run.inside.none == null && run.inside.a == "tests"
    error_message = "not null"
  }
}
"#,
    );
    scenario.write(
        "tests/unknown.tftest.hcl",
        r#"run "planned" {
  command = plan
}

run "known_part" {
  command = plan
  variables {
    a = run.planned.a
  }
}

run "whole" {
  command = plan
  variables {
    a = run.planned
  }
}
"#,
    );
    scenario.run("test -var a=cli -var undeclared=1");
    scenario.check("nulls_unknown_values_and_variables_of_tests");
}
