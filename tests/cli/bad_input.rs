//! Mistakes: each gets a diagnostic with file, line and caret, and exit status 1; nothing is lost.

use std::fs;

use super::scenario::Scenario;

/// Plans one file with a mistake, and compares what is said with a snapshot.
fn mistake(name: &str, text: &str) {
    let mut scenario = Scenario::empty();
    scenario.write("main.hcl", text);
    let output = scenario.run("plan");
    assert_eq!(output.status.code(), Some(1));
    assert!(!scenario.file(".pipectl").exists(), "a plan with mistakes writes nothing");
    scenario.check(name);
}

#[test]
fn many_undeclared_variables() {
    let mut scenario = Scenario::empty();
    scenario.write("main.tf", "variable \"zone\" {\n  default = 1\n}\n");
    let lines: String = (0..20).map(|number| format!("v{number} = {number}\n")).collect();
    scenario.write("terraform.tfvars", &format!("zine = 2\n{lines}"));
    // What the environment may hold takes no warning from what a file should not.
    scenario.set("TF_VAR_zine", "1");
    scenario.run("plan");
    scenario.check("many_undeclared_variables");
}

#[test]
fn undeclared_variable() {
    mistake(
        "undeclared_variable",
        r#"variable "workers" {
  default = 2
}

resource "terraform_data" "a" {
  input = var.wrkers + 1
}
"#,
    );
}

#[test]
fn wrong_type() {
    mistake(
        "wrong_type",
        r#"variable "workers" {
  type    = number
  default = "many"
}
"#,
    );
}

#[test]
fn wrong_type_of_a_given_value() {
    let mut scenario = Scenario::empty();
    scenario.write("main.hcl", "variable \"workers\" {\n  type = number\n}\n");
    scenario.write("wrong.tfvars", "workers = [1, 2]\n");
    scenario.run("plan -var workers=many");
    scenario.run("plan -var-file=wrong.tfvars");
    scenario.run("plan -input=false");
    scenario.check("wrong_type_of_a_given_value");
}

#[test]
fn cycle() {
    mistake(
        "cycle",
        r#"resource "terraform_data" "a" {
  input = terraform_data.b.output
}

resource "terraform_data" "b" {
  input = terraform_data.a.output
}
"#,
    );
}

#[test]
fn unknown_kinds() {
    mistake(
        "unknown_kinds",
        r#"pipeline "p" {}

stage "trian" "a" {
  epochs = 1
}

resource "terraform_dat" "a" {
  input = 1
}
"#,
    );
}

#[test]
fn several_mistakes_in_one_run() {
    mistake(
        "several_mistakes_in_one_run",
        r#"resource "terraform_data" "a" {
  imput = 1
}

resource "terraform_data" "b" {
  input = local.nothing
}

output "c" {
  value = terraform_data.c.output
}
"#,
    );
}

#[test]
fn values_of_a_failed_expression() {
    mistake(
        "values_of_a_failed_expression",
        r#"variable "workers" {
  default = "two"
}

variable "password" {
  default   = "hunter2"
  sensitive = true
}

resource "terraform_data" "a" {
  input = var.workers * 2
}

resource "terraform_data" "b" {
  input = var.password * 2
}
"#,
    );
}

#[test]
fn one_line_block() {
    mistake(
        "one_line_block",
        r#"pipeline "p" {}

variable "workers" { type = number, default = 2 }
"#,
    );
}

#[test]
fn syntax_error() {
    mistake("syntax_error", "resource \"terraform_data\" \"a\" {\n  input = [1, 2\n}\n");
}

#[test]
fn own_blocks_in_a_terraform_file() {
    let mut scenario = Scenario::empty();
    scenario.write("main.tf", "pipeline \"p\" {}\n");
    scenario.run("validate");
    scenario.run("validate -json");
    scenario.check("own_blocks_in_a_terraform_file");
}

#[test]
fn required_version() {
    mistake("required_version", "pipeline \"p\" {\n  required_version = \">= 99.0\"\n}\n");
}

#[test]
fn a_model_whose_shapes_do_not_fit() {
    mistake(
        "a_model_whose_shapes_do_not_fit",
        r#"pipeline "p" {}

model "classifier" {
  input "events" {
    shape = [801, 19]
  }
  layer "dense" "hidden" {
    input = layer.flt
    units = 25
  }
  layer "gru" "flat" {
    input = input.events
    units = 0
  }
  layer "dense" "class" {
    input      = layer.hidden
    units      = 3
    activation = "sofmax"
  }
  output = layer.class
}
"#,
    );
}

#[test]
fn a_layer_of_an_unknown_kind() {
    mistake(
        "a_layer_of_an_unknown_kind",
        r#"pipeline "p" {}

model "classifier" {
  input "x" {
    shape = [14]
  }
  layer "dens" "class" {
    input = input.x
    units = 3
  }
  output = layer.class
}
"#,
    );
}

#[test]
fn a_recurrent_layer_on_flat_input() {
    mistake(
        "a_recurrent_layer_on_flat_input",
        r#"pipeline "p" {}

model "classifier" {
  input "x" {
    shape = [14]
  }
  layer "gru" "memory" {
    input = input.x
    units = 50
  }
  output = layer.memory
}
"#,
    );
}

#[test]
fn a_damaged_state_loses_nothing() {
    let mut scenario = Scenario::of("cluster");
    scenario.quietly("apply -auto-approve -parallelism=1");
    let log = scenario.file(".pipectl/default/default/log");
    let good = fs::read(&log).unwrap();
    let mut damaged = good.clone();
    // In the first record: it begins at byte 96, whatever the ids of this run are.
    damaged[160] ^= 1;
    fs::write(&log, &damaged).unwrap();
    scenario.note("one bit of the state's log flips");
    for line in ["plan", "apply -auto-approve", "destroy -auto-approve", "output", "state list", "init"] {
        let output = scenario.run(line);
        assert_eq!(output.status.code(), Some(1), "{line}");
    }
    assert_eq!(fs::read(&log).unwrap(), damaged, "nothing was written");
    fs::write(&log, &good).unwrap();
    scenario.note("the file is restored");
    scenario.run("plan -detailed-exitcode");
    scenario.check("a_damaged_state_loses_nothing");
}

#[test]
fn two_roots_of_one_name() {
    let mut scenario = Scenario::of("several");
    scenario.quietly("apply -auto-approve pipelines/one.hcl");
    fs::copy(scenario.file("pipelines/one.hcl"), scenario.file("pipelines/copy.hcl")).unwrap();
    scenario.run("plan pipelines/copy.hcl");
    fs::remove_file(scenario.file("pipelines/copy.hcl")).unwrap();
    scenario.edit("pipelines/one.hcl", "pipeline \"one\"", "pipeline \"first\"");
    scenario.run("plan pipelines/one.hcl");
    fs::rename(scenario.file("pipelines/.pipectl/one"), scenario.file("pipelines/.pipectl/first")).unwrap();
    scenario.note("mv pipelines/.pipectl/one pipelines/.pipectl/first");
    scenario.run("plan -detailed-exitcode pipelines/one.hcl");
    scenario.check("two_roots_of_one_name");
}

#[test]
fn words_of_mistakes_say_where_and_what_to_do() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.tf",
        r#"variable "size" {
  type = number
}

resource "random_sentence" "a" {
  length = 4
}

resource "terraform_data" "b" {
  provisioner "local-exec" {
    command = "true"
  }

  connection {
    host = "x"
  }
}

module "m" {
  source = "./m"
  size   = var.size
}
"#,
    );
    scenario.write(
        "m/main.tf",
        r#"variable "size" {
  validation {
    condition     = var.size > 1
    error_message = "The size must be larger."
  }
}
"#,
    );
    scenario.run("plan -var size=1");
    scenario.note("without the provisioners");
    let text = scenario.read("main.tf");
    let (first, rest) = text.split_once("resource \"terraform_data\"").unwrap();
    let (_, last) = rest.split_once("module").unwrap();
    scenario.write("main.tf", &format!("{first}module{last}"));
    scenario.run("plan -var size=1");
    scenario.note("without the misspelt type");
    let (first, _) = first.split_once("resource").unwrap();
    scenario.write("main.tf", &format!("{first}module{last}"));
    scenario.run("plan -var size=1");
    scenario.run("plan -var size=x");
    scenario.run("workspace new 'a b'");
    scenario.check("words_of_mistakes_say_where_and_what_to_do");
}

/// One mistake in a block is not told again wherever the block is used, in whichever module.
#[test]
fn what_stands_in_a_block_with_a_mistake_is_declared() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.tf",
        r#"variable "a" {
  default = 1
}

resource "terraform_data" "x" {
  input = var.a +
}

resource "terraform_data" "y" {
  input = [terraform_data.x.output, terraform_data.z.output]
}

provider "tls" {
  alias = "a" "b"
}

resource "tls_private_key" "k" {
  provider  = tls.a
  algorithm = "ED25519"
}

module "m" {
  source = "./m"
  name   = 1
}

output "o" {
  value = [terraform_data.x.id, module.m.out]
}
"#,
    );
    scenario.write("m/main.tf", "variable \"name\" {\n  type = foo\n}\n\noutput \"out\" {\n  value =\n}\n");
    scenario.run("validate");
    scenario.run("plan");
    scenario.check("what_stands_in_a_block_with_a_mistake_is_declared");
}

/// Whoever reads events gets events, whatever is wrong with the command line; two roots are one too many.
#[test]
fn wrong_command_lines() {
    let mut scenario = Scenario::empty();
    scenario.write("main.tf", "resource \"terraform_data\" \"a\" {}\n");
    scenario.run("plan -json -bogus");
    scenario.run("plan -json -lock-timeout=x");
    scenario.run("plan -json a b");
    scenario.run("plan -bogus");
    scenario.run("import -config=. ./ terraform_data.a 1");
    scenario.run("import cfg terraform_data.a 1");
    scenario.set("TF_CLI_ARGS", "\"x");
    scenario.run("plan -json");
    scenario.check("wrong_command_lines");
}
