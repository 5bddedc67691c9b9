//! Configurations in JSON mean what those in the native syntax mean, and what Terraform 1.11.4 makes of both
//! (`tests/peers/terraform_json_syntax.sh` writes its plans).
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pipectl_core::{Attribute, Schema, Type, Value};
use pipectl_lang::{
    Configuration, Dependency, IgnoreChanges, NoFiles, Reference, Scope, SourceFile, decode, evaluate, load,
};
use serde_json::Value as Json;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/json")
}

fn names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(fixtures())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".tf").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 3);
    names
}

fn loaded(name: &str) -> Configuration {
    let text = std::fs::read_to_string(fixtures().join(name)).unwrap();
    let (configuration, diagnostics) = load(vec![SourceFile { name: name.to_owned(), text }]);
    assert!(diagnostics.is_empty(), "{name}: {diagnostics:?}");
    let undeclared = configuration.check_references();
    assert!(undeclared.is_empty(), "{name}: {undeclared:?}");
    configuration
}

/// Default values, local values, and what the arguments of `terraform_data` resources say; outputs that follow from these.
fn outputs(configuration: &Configuration) -> BTreeMap<String, Value> {
    let schema = Schema::of([
        ("input", Attribute::optional(Type::Any, "Anything.")),
        ("triggers_replace", Attribute::optional(Type::Any, "Anything.")),
    ]);
    let mut scope = Scope::new(Arc::new(NoFiles));
    for variable in configuration.variables.values() {
        scope.set(&Reference::Variable(variable.name.clone()), variable.default.clone().unwrap());
    }
    // Each pass finds the values that those before made possible.
    for _ in 0..5 {
        for (name, local) in &configuration.locals {
            if let Ok(value) = evaluate(&local.expression, &scope) {
                scope.set(&Reference::Local(name.clone()), value);
            }
        }
    }
    for object in configuration.objects.values() {
        let outer = Arc::new(scope.clone());
        let instance = |each: Option<(Reference, Value)>| {
            let mut inside = Scope::inside(&outer);
            if let Some((reference, value)) = each {
                inside.set(&reference, value);
            }
            let (value, found) = decode(&object.body, &schema, &inside);
            assert!(found.is_empty(), "{found:?}");
            value
        };
        let value = if let Some(count) = &object.meta.count {
            let count = evaluate(count, &scope).unwrap().as_number().unwrap().to_usize().unwrap();
            let index = |index: usize| Value::object([("index", Value::from(index as i64))]);
            Value::tuple((0..count).map(|number| instance(Some((Reference::Count, index(number))))))
        } else if let Some(for_each) = &object.meta.for_each {
            let keys = evaluate(for_each, &scope).unwrap();
            Value::object(keys.as_slice().unwrap().iter().map(|key| {
                let each = Value::object([("key", key.clone()), ("value", key.clone())]);
                (key.as_str().unwrap(), instance(Some((Reference::Each, each))))
            }))
        } else {
            instance(None)
        };
        scope.set(&Reference::Object(object.address.clone()), value);
    }
    configuration
        .outputs
        .iter()
        .map(|(name, output)| {
            (name.clone(), evaluate(&output.value, &scope).unwrap_or_else(|found| panic!("{name}: {found:?}")))
        })
        .collect()
}

fn json(value: &Value) -> Json {
    let mut scope = Scope::new(Arc::new(NoFiles));
    scope.set(&Reference::Local("value".to_owned()), value.clone());
    let call = pipectl_lang::parse_expression("jsonencode(local.value)", pipectl_core::SourceId(0)).unwrap();
    serde_json::from_str(evaluate(&call, &scope).unwrap().as_str().unwrap()).unwrap()
}

#[test]
fn outputs_are_those_of_the_native_syntax_and_of_terraform() {
    for name in names() {
        let native = outputs(&loaded(&format!("{name}.tf")));
        let other = outputs(&loaded(&format!("{name}.tf.json")));
        assert_eq!(other, native, "{name}");
        let planned: Json =
            serde_json::from_str(&std::fs::read_to_string(fixtures().join(format!("{name}.planned.json"))).unwrap())
                .unwrap();
        let planned = planned["outputs"].as_object().unwrap();
        assert_eq!(planned.keys().collect::<Vec<_>>(), native.keys().collect::<Vec<_>>(), "{name}");
        for (output, value) in &native {
            assert_eq!(json(value), planned[output]["value"], "{name}: output {output}");
        }
    }
}

#[test]
fn blocks_say_the_same_in_both_syntaxes() {
    for name in names() {
        let (native, other) = (loaded(&format!("{name}.tf")), loaded(&format!("{name}.tf.json")));
        let references = |configuration: &Configuration| {
            let mut found: Vec<String> =
                configuration.references().iter().map(|(reference, _)| reference.to_string()).collect();
            found.sort();
            found
        };
        assert_eq!(references(&other), references(&native), "{name}");
        for (variable, own) in native.variables.values().zip(other.variables.values()) {
            assert_eq!(
                (&own.name, &own.ty, &own.default, &own.description),
                (&variable.name, &variable.ty, &variable.default, &variable.description)
            );
            assert_eq!(
                (own.nullable, own.sensitive, own.validations.len()),
                (variable.nullable, variable.sensitive, variable.validations.len())
            );
        }
        assert_eq!(other.variables.len(), native.variables.len());
        for (address, object) in &native.objects {
            let own = &other.objects[address];
            let said = |object: &pipectl_lang::ObjectBlock| {
                let (meta, lifecycle) = (&object.meta, &object.meta.lifecycle);
                let named = |dependencies: &[Dependency]| {
                    dependencies.iter().map(|dependency| dependency.reference.to_string()).collect::<Vec<_>>()
                };
                let ignored = match &lifecycle.ignore_changes {
                    IgnoreChanges::All => "all".to_owned(),
                    IgnoreChanges::Paths(paths) => {
                        format!("{:?}", paths.iter().map(|(path, _)| path.to_string()).collect::<Vec<_>>())
                    }
                };
                let triggers = lifecycle.replace_triggered_by.iter();
                let triggers: Vec<_> = triggers.map(|trigger| (trigger.block.clone(), trigger.path.clone())).collect();
                (
                    (meta.count.is_some(), meta.for_each.is_some(), named(&meta.depends_on), triggers),
                    (
                        lifecycle.create_before_destroy,
                        ignored,
                        lifecycle.preconditions.len(),
                        lifecycle.postconditions.len(),
                    ),
                )
            };
            assert_eq!(said(own), said(object), "{address}");
        }
        let outputs = |configuration: &Configuration| {
            configuration
                .outputs
                .values()
                .map(|output| {
                    (
                        output.name.clone(),
                        output.sensitive,
                        output.description.clone(),
                        output.depends_on.len(),
                        output.preconditions.len(),
                    )
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(outputs(&other), outputs(&native), "{name}");
        assert_eq!(other.checks.keys().collect::<Vec<_>>(), native.checks.keys().collect::<Vec<_>>());
        assert_eq!(other.required_versions.len(), native.required_versions.len());
    }
}

/// Text in JSON has escapes; places are still those of the file.
#[test]
fn places_in_strings_are_places_in_the_file() {
    let text = r#"{"locals": {"a": "tab \t \"q\" \u00e9\ud83d\ude00 ${var.missing} ${upper(\"x\", local.other)}", "b": ["${var.second}"]}}"#;
    let (configuration, diagnostics) =
        load(vec![SourceFile { name: "main.tf.json".to_owned(), text: text.to_owned() }]);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let places: Vec<(String, &str)> = configuration
        .references()
        .into_iter()
        .map(|(reference, span)| (reference.to_string(), &text[span.range]))
        .collect();
    assert_eq!(
        places,
        [
            ("var.missing".to_owned(), "var.missing"),
            ("local.other".to_owned(), "local.other"),
            ("var.second".to_owned(), "var.second")
        ]
    );
    let found = evaluate(&configuration.locals["a"].expression, &Scope::new(Arc::new(NoFiles))).unwrap_err();
    let placed: Vec<&str> = found.iter().map(|one| &text[one.span.clone().unwrap().range]).collect();
    assert_eq!(placed, ["var.missing", "local.other"]);
}

/// The name of an iterator is no reference, wherever the `dynamic` block stands.
#[test]
fn iterators_of_nested_dynamic_blocks_are_no_references() {
    let text = r#"{"variable": {"v": {"default": []}}, "resource": {"t": {"r": {"plain": "${var.v}", "nested": {"dynamic": {"deep": {
        "for_each": "${var.v}", "content": {"level": "${deep.value}", "dynamic": {"deeper": {
        "for_each": "${deep.value}", "iterator": "it", "content": {"x": "${it.key} ${t.none.id}"}}}}}}}}}}}"#;
    let (configuration, diagnostics) =
        load(vec![SourceFile { name: "main.tf.json".to_owned(), text: text.to_owned() }]);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let references: Vec<String> =
        configuration.references().iter().map(|(reference, _)| reference.to_string()).collect();
    assert_eq!(references, ["var.v", "var.v", "t.none"]);
}
