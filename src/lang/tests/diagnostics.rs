//! What broken configurations are told: every diagnostic with its words, place, hints and values, as snapshots.
//!
//! A fixture is loaded, its references are checked, its local values and outputs evaluated (variables have their defaults), its
//! `test_thing` resources and models decoded with the schemas below.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use pipectl_core::{Attribute, Block, Diagnostics, Marks, Nesting, Schema, SourceMap, Type, Value};
use pipectl_lang::{NoFiles, Reference, Scope, SourceFile, decode, decode_model, evaluate, load};

fn thing() -> Schema {
    let setting = Schema::of([
        ("value", Attribute::required(Type::String, "A value.")),
        ("port", Attribute::optional(Type::Number, "A port.")),
    ]);
    let adam = Schema::of([("rate", Attribute::optional(Type::Number, "Learning rate."))]);
    let sgd = adam.clone().attribute("momentum", Attribute::optional(Type::Number, "Momentum."));
    let deep = Schema::of([("level", Attribute::required(Type::Number, "A level."))]);
    let optimizer = Block::single(Schema::default(), "How weights change.")
        .labelled(["kind"])
        .by_label([("adam", adam), ("sgd", sgd)]);
    Schema::of([
        ("id", Attribute::computed(Type::String, "Its id.")),
        ("name", Attribute::required(Type::String, "Its name.")),
        ("size", Attribute::optional(Type::Number, "Its size.")),
        ("shape", Attribute::optional(Type::list(Type::Number), "Its shape.")),
        ("tags", Attribute::optional(Type::map(Type::String), "Its tags.")),
        ("ports", Attribute::optional(Type::list(Type::Number), "Its ports.")),
    ])
    .block("setting", Block::list(setting, "Settings."))
    .block("optimizer", optimizer)
    .block("nested", Block::single(Schema::default().block("deep", Block::list(deep, "Deeper.")), "Nested."))
    .block("rule", Block::single(Schema::default(), "A rule."))
}

/// A schema with blocks that must be there.
fn strict() -> Schema {
    let mut owner = Block::single(Schema::default(), "Its owner.");
    owner.nesting = Nesting::Single { required: true };
    let mut rule = Block::list(Schema::default(), "Rules.");
    rule.nesting = Nesting::List { minimum: 2 };
    Schema::default().block("owner", owner).block("rule", rule)
}

fn network() -> Schema {
    let input = Schema::of([("shape", Attribute::required(Type::list(Type::Number), "Its shape."))]);
    let dense = Schema::of([
        ("input", Attribute::required(Type::String, "What it reads.")),
        ("units", Attribute::required(Type::Number, "How many units.")),
    ]);
    Schema::of([("output", Attribute::required(Type::String, "The last layer."))])
        .block("input", Block::list(input, "An input.").labelled(["name"]))
        .block(
            "layer",
            Block::list(Schema::default(), "A layer.").labelled(["kind", "name"]).by_label([("dense", dense)]),
        )
}

/// Diagnostics as text: the line that each points to with what is pointed to underlined, then its words.
fn described(sources: &SourceMap, diagnostics: &Diagnostics) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics.iter() {
        writeln!(text, "{:?}: {}", diagnostic.severity, diagnostic.summary).unwrap();
        if let Some(span) = &diagnostic.span {
            let (line, column) = sources.line_column(span).unwrap();
            let source = &sources.get(span.source).unwrap().text;
            let shown = source.lines().nth(line - 1).unwrap_or_default();
            let pointed = source[span.range.clone()].lines().next().unwrap_or_default();
            // The lines of deep nesting are long; where they are pointed to says enough.
            let first = column.saturating_sub(60);
            let shown: String = shown.chars().skip(first).take(120).collect();
            let caret = "^".repeat(pointed.chars().count().clamp(1, 120));
            writeln!(text, "  at {line}:{column}\n  | {shown}\n  | {}{caret}", " ".repeat(column - 1 - first)).unwrap();
        }
        for line in diagnostic.detail.lines() {
            writeln!(text, "  {line}").unwrap();
        }
        for (name, value) in &diagnostic.values {
            writeln!(text, "  while {name} is {value}").unwrap();
        }
        for hint in &diagnostic.hints {
            writeln!(text, "  hint: {hint}").unwrap();
        }
        text.push('\n');
    }
    text
}

fn examine(name: &str, text: String) -> String {
    let (configuration, mut diagnostics) = load(vec![SourceFile { name: name.to_owned(), text }]);
    diagnostics.extend(configuration.check_references());
    let mut scope = Scope::new(Arc::new(NoFiles));
    for variable in configuration.variables.values() {
        let marks = if variable.sensitive { Marks::SENSITIVE } else { Marks::NONE };
        let value = variable.default.clone().unwrap_or_else(|| Value::unknown(variable.ty.clone()));
        scope.set(&Reference::Variable(variable.name.clone()), value.marked(marks));
    }
    // References that are missing were reported once; here they only must not stop the rest.
    let evaluates = !name.starts_with("references") && !name.starts_with("meta") && !name.starts_with("syntax");
    for (name, local) in configuration.locals.iter().filter(|_| evaluates) {
        match evaluate(&local.expression, &scope) {
            Ok(value) => scope.set(&Reference::Local(name.clone()), value),
            Err(found) => diagnostics.extend(found),
        }
    }
    for object in configuration.objects.values().filter(|_| evaluates) {
        let schema = match object.address.type_name.as_str() {
            "test_thing" => thing(),
            "test_strict" => strict(),
            _ => continue,
        };
        diagnostics.extend(decode(&object.body, &schema, &scope).1);
    }
    for model in configuration.models.values().filter(|_| name.starts_with("models")) {
        diagnostics.extend(decode_model(model, &network(), &scope).1);
    }
    described(&configuration.sources, &diagnostics)
}

#[test]
fn broken_configurations_are_told_what_is_wrong() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/broken");
    let mut names: Vec<String> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(names.len() >= 38, "only {} fixtures were found", names.len());
    for name in names {
        let text = std::fs::read_to_string(folder.join(&name)).unwrap();
        let told = examine(&name, text);
        assert!(!told.contains("hunter2"), "{name} tells a secret:\n{told}");
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name.as_str(), told);
        });
    }
}
