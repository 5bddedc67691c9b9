//! Reading the files of one root: what is kept of each block, and that one mistake hides no other.
#![allow(clippy::unwrap_used)]

use pipectl_core::{Address, AddressKind, Attribute, Block, Schema, Type, Value};
use pipectl_lang::{Configuration, IgnoreChanges, Scope, SourceFile, decode, load};

fn loaded(files: &[(&str, &str)]) -> (Configuration, Vec<String>) {
    let files =
        files.iter().map(|(name, text)| SourceFile { name: (*name).to_owned(), text: (*text).to_owned() }).collect();
    let (configuration, found) = load(files);
    let told = found
        .iter()
        .map(|one| {
            let place = one.span.as_ref().map(|span| {
                let (line, _) = configuration.sources.line_column(span).unwrap();
                format!("{}:{line}", configuration.sources.get(span.source).unwrap().name)
            });
            format!("{} {}", place.unwrap_or_default(), one.summary)
        })
        .collect();
    (configuration, told)
}

#[test]
fn files_of_a_root_are_one_configuration() {
    let (configuration, told) = loaded(&[
        ("main.tf", "variable \"a\" {}\nlocals {\n  x = 1\n}\n"),
        ("more.hcl", "pipeline \"p\" {}\nlocals {\n  y = local.x\n}\n"),
        ("data.tf.json", "{\"locals\": {\"z\": \"${local.y}\"}}"),
        ("empty.tf", ""),
        ("comment.hcl", "# nothing\n"),
    ]);
    assert!(told.is_empty(), "{told:?}");
    assert_eq!(configuration.locals.keys().collect::<Vec<_>>(), ["x", "y", "z"]);
    assert!(configuration.check_references().is_empty());
    assert_eq!(configuration.pipeline.unwrap().name, "p");
}

#[test]
fn mistakes_of_all_files_are_told_and_the_rest_is_kept() {
    let (configuration, told) = loaded(&[
        ("a.hcl", "locals {\n  x = [1\n}\nvariable \"kept\" {}\nvariable \"kept\" {}\n"),
        ("b.hcl", "output \"o\" {\n  value = 1 +\n  sensitive = tru e\n}\noutput \"p\" {\n  value = 2\n}\n"),
        ("c.tf.json", "{\"variable\": {\"kept\": {}}}"),
        ("d.tf.json", "{"),
        ("e.hcl", "locals {\n  \"quoted\" = 1\n}\n/* never closed"),
    ]);
    assert_eq!(
        told,
        [
            "a.hcl:2 Unterminated tuple constructor expression",
            "a.hcl:5 Duplicate variable",
            "b.hcl:2 Invalid expression",
            "b.hcl:3 Missing newline after argument",
            "c.tf.json:1 Duplicate variable",
            "d.tf.json:1 Unclosed object",
            "e.hcl:2 Argument or block definition required",
            "e.hcl:4 Unterminated comment",
        ]
    );
    assert_eq!(configuration.variables.len(), 1);
    assert_eq!(configuration.outputs.keys().collect::<Vec<_>>(), ["p"]);
}

#[test]
fn meta_arguments_are_apart_from_arguments() {
    let (configuration, told) = loaded(&[(
        "main.hcl",
        "resource \"t\" \"r\" {\n  count      = 2\n  provider   = p.other\n  depends_on = [data.d.x, module_like.y]\n  timeout    = \"1m\"\n  size       = 5\n  \
         lifecycle {\n    ignore_changes       = [size, tags[\"a\"], rule[0].port]\n    replace_triggered_by = [t.other, t.more[count.index].a.b[1][\"c\"]]\n    enabled = var.on\n  }\n  \
         retry {\n    max_attempts = 2\n  }\n  rule {}\n}\n",
    )]);
    assert!(told.is_empty(), "{told:?}");
    let object = &configuration.objects[&Address::new(AddressKind::Resource, "t", "r")];
    assert_eq!(object.body.arguments().map(|argument| argument.name.as_str()).collect::<Vec<_>>(), ["size"]);
    assert_eq!(object.body.blocks().map(|block| block.kind.as_str()).collect::<Vec<_>>(), ["rule"]);
    let provider = object.meta.provider.as_ref().unwrap().choices()[0];
    assert_eq!((provider.name.as_str(), provider.alias.as_deref()), ("p", Some("other")));
    let depends: Vec<String> =
        object.meta.depends_on.iter().map(|dependency| dependency.reference.to_string()).collect();
    assert_eq!(depends, ["data.d.x", "module_like.y"]);
    assert!(
        object.meta.count.is_some()
            && object.meta.enabled.is_some()
            && object.meta.timeout.is_some()
            && object.meta.retry.is_some()
    );
    let IgnoreChanges::Paths(paths) = &object.meta.lifecycle.ignore_changes else { panic!("paths are given") };
    assert_eq!(paths.iter().map(|(path, _)| path.to_string()).collect::<Vec<_>>(), ["size", "tags.a", "rule[0].port"]);
    let triggers = object.meta.lifecycle.replace_triggered_by.iter();
    let triggers: Vec<_> =
        triggers.map(|trigger| (trigger.block.to_string(), trigger.key.is_some(), trigger.path.to_string())).collect();
    let written = |block: &str, has_key, path: &str| (block.to_owned(), has_key, path.to_owned());
    assert_eq!(triggers, [written("t.other", false, ""), written("t.more", true, "a.b[1].c")]);
}

#[test]
fn files_with_other_line_ends_and_marks_are_read() {
    let (configuration, told) = loaded(&[
        ("crlf.hcl", "locals {\r\n  a = 1\r\n  b = <<EOT\r\nx\r\nEOT\r\n}\r\n"),
        ("bom.hcl", "\u{feff}locals {\n  c = 1\n}\n"),
        ("bom.tf.json", "\u{feff}{\"locals\": {\"d\": 1}}"),
        ("last.hcl", "locals {\n  e = 1\n}"),
    ]);
    assert!(told.is_empty(), "{told:?}");
    assert_eq!(configuration.locals.keys().collect::<Vec<_>>(), ["a", "b", "c", "d", "e"]);
}

#[test]
fn every_prefix_of_a_file_is_read_without_a_panic() {
    let whole =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/json/resources.tf")).unwrap();
    let json =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/json/resources.tf.json")).unwrap();
    for (name, text) in [("main.tf", whole), ("main.tf.json", json)] {
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            let (configuration, _) = loaded(&[(name, &text[..end])]);
            configuration.check_references();
        }
    }
}

#[test]
fn override_files_change_blocks_of_other_files() {
    let (configuration, told) = loaded(&[
        // What an earlier file has is changed by a later one, whatever their syntaxes are.
        (
            "a_override.tf",
            "resource \"test_thing\" \"a\" {\n  name = \"a\"\n  rule {}\n  lifecycle {\n    ignore_changes = [size]\n  }\n}\n",
        ),
        (
            "b_override.tf.json",
            "{\"resource\": {\"test_thing\": {\"a\": {\"size\": 3, \"setting\": [{\"value\": \"json\"}]}}}}",
        ),
        (
            "main.tf",
            "resource \"test_thing\" \"a\" {\n  name = \"main\"\n  size = 1\n  setting {\n    value = \"main\"\n  }\n  \
             dynamic \"rule\" {\n    for_each = []\n    content {}\n  }\n  lifecycle {\n    create_before_destroy = true\n    \
             ignore_changes = [name]\n  }\n}\n",
        ),
        ("override.hcl", "locals {\n  not_an_override_file = 1\n}\n"),
    ]);
    assert!(told.is_empty(), "{told:?}");
    let block = &configuration.objects[&Address::new(AddressKind::Resource, "test_thing", "a")];
    assert_eq!(block.body.argument("name").unwrap().value.as_literal_str(), Some("a"));
    assert_eq!(block.body.blocks().map(|block| block.kind.as_str()).collect::<Vec<_>>(), ["rule"]);
    assert!(block.meta.lifecycle.create_before_destroy);
    let IgnoreChanges::Paths(paths) = &block.meta.lifecycle.ignore_changes else { panic!("ignore_changes is a list") };
    assert_eq!(paths.iter().map(|(path, _)| path.to_string()).collect::<Vec<_>>(), ["size"]);
    let schema = Schema::of([
        ("name", Attribute::required(Type::String, "Its name.")),
        ("size", Attribute::optional(Type::Number, "Its size.")),
    ])
    .block("setting", Block::list(Schema::of([("value", Attribute::optional(Type::String, "A value."))]), "Settings."))
    .block("rule", Block::list(Schema::default(), "Rules."));
    let (value, found) = decode(&block.body, &schema, &Scope::constant());
    assert!(found.is_empty(), "{found:?}");
    let setting = Value::object([("value".to_owned(), Value::from("json"))]);
    assert_eq!(value.attribute("size"), Some(&Value::from(3_i64)));
    assert_eq!(value.attribute("setting"), Some(&Value::tuple([setting])));
    assert_eq!(value.attribute("rule"), Some(&Value::tuple([Value::object(Vec::<(String, Value)>::new())])));
}

#[test]
fn settings_and_dependencies_are_judged_as_they_are_read() {
    let summaries = |text: &str| -> Vec<String> {
        let (_, found) = load(vec![SourceFile { name: "main.tf".to_owned(), text: text.to_owned() }]);
        found.iter().map(|found| found.summary.clone()).collect()
    };
    let providers =
        |inside: &str| summaries(&format!("terraform {{\n  required_providers {{\n    {inside}\n  }}\n}}\n"));
    assert!(
        providers("my-sim = { source = \"hashicorp/sim\", version = \">= 1.2, != 1.3.0-beta, < 2.0\" }").is_empty()
    );
    assert!(providers("sim = \"~> 1.2\"").is_empty());
    assert_eq!(providers("sim = { version = \"x\" }"), ["Invalid version constraint"]);
    assert_eq!(providers("sim = \">\""), ["Invalid version constraint"]);
    assert_eq!(providers("my_sim = { source = \"hashicorp/sim\" }"), ["Invalid provider local name"]);
    assert_eq!(providers("Sim = { source = \"hashicorp/sim\" }"), ["Invalid provider local name"]);
    assert!(summaries("terraform {\n  language = TF2021\n  provider_meta \"sim\" {\n    x = 1\n  }\n}\n").is_empty());
    assert_eq!(summaries("terraform {\n  language = TF2099\n}\n"), ["Unsupported language edition"]);
    assert_eq!(summaries("terraform {\n  language = \"TF2021\"\n}\n"), ["Invalid language edition"]);
    let depends_on = |on: &str| summaries(&format!("resource \"a\" \"b\" {{\n  depends_on = [{on}]\n}}\n"));
    assert!(depends_on("a.b").is_empty() && depends_on("a.c[0]").is_empty() && depends_on("module.m").is_empty());
    assert_eq!(depends_on("a.c.id"), ["Invalid depends_on reference"]);
    assert_eq!(depends_on("a.c[0].id"), ["Invalid depends_on reference"]);
}
