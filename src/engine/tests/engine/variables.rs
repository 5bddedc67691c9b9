//! Values of variables: precedence, conversion, defaults, and what is told of mistakes.

use pipectl_core::Severity;
use pipectl_engine::{InputValue, Origin, VariableInput, missing_variables, resolve_variables};

use crate::bed::{Bed, configuration};

const DECLARED: &str = r#"
variable "text" {
  type = string
}
variable "number" {
  type    = number
  default = "3"
}
variable "list" {
  type    = list(string)
  default = ["a"]
}
variable "strict" {
  type     = string
  default  = "x"
  nullable = false
}
variable "secret" {
  type      = string
  default   = "y"
  sensitive = true
}
variable "object" {
  type    = object({ a = number, b = optional(string, "z") })
  default = { a = 1 }
}
"#;

fn input(name: &str, text: &str, origin: Origin) -> VariableInput {
    VariableInput { name: name.to_owned(), value: InputValue::Text(text.to_owned()), origin }
}

/// Values in order of their names, then what is wrong.
fn resolved(inputs: &[VariableInput]) -> String {
    let (values, diagnostics) = resolve_variables(&configuration(DECLARED).unwrap(), inputs);
    let mut text: String = values.iter().map(|(name, value)| format!("{name} = {value}\n")).collect();
    for found in diagnostics.iter() {
        let severity = if found.severity == Severity::Error { "error" } else { "warning" };
        text.push_str(&format!("{severity} {}: {}\n", found.summary, found.detail));
    }
    text
}

#[test]
fn defaults_hold_until_something_is_given() {
    let given = input("text", "5", Origin::Environment);
    insta::assert_snapshot!(resolved(&[given]), @r#"
    list = ["a"]
    number = 3
    object = { a = 1, b = "z" }
    secret = (sensitive value)
    strict = "x"
    text = "5"
    "#);
}

#[test]
fn the_last_value_wins_and_is_converted() {
    let inputs = [
        input("text", "first", Origin::Environment),
        input("text", "null", Origin::CommandLine),
        input("number", "4", Origin::CommandLine),
        input("number", "7", Origin::CommandLine),
        input("list", "[1, true]", Origin::CommandLine),
        input("strict", "given", Origin::CommandLine),
        input("object", "{ a = \"2\", b = null, c = 1 }", Origin::File("x.tfvars".to_owned())),
    ];
    insta::assert_snapshot!(resolved(&inputs), @r#"
    list = ["1", "true"]
    number = 7
    object = { a = 2, b = "z" }
    secret = (sensitive value)
    strict = "given"
    text = "null"
    "#);
}

#[test]
fn mistakes_are_told_together() {
    let inputs = [
        input("nubmer", "4", Origin::CommandLine),
        input("nubmer", "4", Origin::Environment),
        input("lits", "4", Origin::File("x.tfvars".to_owned())),
        input("number", "many", Origin::CommandLine),
        input("object", "{ b = 1 }", Origin::CommandLine),
    ];
    insta::assert_snapshot!(resolved(&inputs), @r#"
    list = ["a"]
    number = (known after apply)
    object = (known after apply)
    secret = (sensitive value)
    strict = "x"
    text = (known after apply)
    error Value for undeclared variable: A variable named "nubmer" was assigned on the command line, but the configuration declares none of that name. Did you mean "number"?
    warning Value for undeclared variable: The file "x.tfvars" sets a variable named "lits", but the configuration declares none of that name. Did you mean "list"?
    error No value for required variable: The root module input variable "text" is not set, and has no default value.
    error Invalid value for input variable: The given value is not suitable for var.number: a number is required.
    error Invalid value for input variable: The given value is not suitable for var.object: attribute "a" is required.
    "#);
}

#[test]
fn what_files_set_for_others_is_told_in_few_words() {
    let file = |name| input(name, "4", Origin::File("shared.tfvars".to_owned()));
    let inputs = [input("text", "t", Origin::CommandLine), file("one"), file("two"), file("three"), file("four")];
    let (_, found) = resolve_variables(&configuration(DECLARED).unwrap(), &inputs);
    let summaries: Vec<&str> = found.iter().map(|found| found.summary.as_str()).collect();
    let one = "Value for undeclared variable";
    assert_eq!(summaries, [one, one, "Values for undeclared variables"]);
    let last = found.iter().last().map(|found| found.detail.as_str()).unwrap_or_default();
    assert!(last.starts_with("Files set 2 more variables") && last.contains("\"three\", \"four\""), "{last}");
}

#[test]
fn what_is_missing_can_be_asked_for() {
    let configuration = configuration(DECLARED).unwrap();
    assert_eq!(missing_variables(&configuration, &[]), ["text"]);
    assert!(missing_variables(&configuration, &[input("text", "", Origin::CommandLine)]).is_empty());
}

#[test]
fn a_broken_rule_of_a_module_is_told_by_validation_where_the_value_is_given() {
    let mut bed = Bed::calm();
    let rules =
        "variable \"a\" {\n  validation {\n    condition     = var.a != \"bad\"\n    error_message = \"no\"\n  }\n}\n";
    bed.modules.0.insert("m".to_owned(), rules.to_owned());
    let text = "variable \"x\" {\n  default = \"bad\"\n}\nmodule \"open\" {\n  source = \"./m\"\n  a      = var.x\n}\n\
                module \"wrong\" {\n  source = \"./m\"\n  a      = \"bad\"\n}\n";
    let configuration = bed.configuration(text).unwrap();
    let found: Vec<String> = bed
        .engine()
        .validate(&configuration)
        .iter()
        .map(|found| {
            let span = found.span.as_ref().unwrap();
            let file = &configuration.sources.get(span.source).unwrap().name;
            let (line, _) = configuration.sources.line_column(span).unwrap();
            format!("{file}:{line} {}: {}", found.summary, found.detail)
        })
        .collect();
    // What the root module is given is not known yet.
    let expected = "main.hcl:10 Invalid value for variable: no\n\nThe value is given in module \"wrong\". The rule is at m/main.hcl:3.";
    assert_eq!(found, [expected]);
}

#[test]
fn instances_cannot_come_from_variables_that_are_ephemeral_or_of_a_wrong_type() {
    let summaries = |ty: &str, extra: &str, argument: &str| -> Vec<String> {
        let text = format!(
            "variable \"v\" {{\n  type = {ty}\n  {extra}\n}}\nresource \"terraform_data\" \"a\" {{\n  {argument} = var.v\n}}\n"
        );
        let found = Bed::calm().engine().validate(&configuration(&text).unwrap());
        found.iter().map(|found| found.summary.clone()).collect()
    };
    let count = ["Invalid count argument"];
    let for_each = ["Invalid for_each argument"];
    assert_eq!(summaries("list(string)", "", "count"), count);
    assert_eq!(summaries("bool", "", "count"), count);
    assert_eq!(summaries("number", "ephemeral = true", "count"), count);
    assert_eq!(summaries("list(string)", "", "for_each"), for_each);
    assert_eq!(summaries("set(string)", "sensitive = true", "for_each"), for_each);
    assert_eq!(summaries("set(string)", "ephemeral = true", "for_each"), for_each);
    // Terraform takes this one, and so do we: a number of instances tells little.
    assert!(summaries("number", "sensitive = true", "count").is_empty());
    assert!(summaries("any", "", "for_each").is_empty());
}
