//! Loads a configuration, native or JSON, checks its references, evaluates all that it can, and lays it out.
//!
//! Beyond not panicking: what `format` gives, it gives again.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use pipectl_core::{Attribute, Block, Schema, Type, Value};
use pipectl_lang::{NoFiles, Reference, Scope, SourceFile, decode, evaluate, format, load, parse_variable_value};

fn schema() -> Schema {
    let inner = Schema::of([("value", Attribute::optional(Type::Any, "Anything."))]);
    Schema::of([
        ("input", Attribute::optional(Type::Any, "Anything.")),
        ("size", Attribute::optional(Type::Number, "A size.")),
    ])
    .block("rule", Block::list(inner.clone(), "Rules.").labelled(["kind"]))
    .block("main", Block::single(inner, "The main rule."))
}

fuzz_target!(|text: &str| {
    let name = if text.starts_with(['{', '[']) { "main.tf.json" } else { "main.hcl" };
    let (configuration, _) = load(vec![SourceFile { name: name.to_owned(), text: text.to_owned() }]);
    configuration.check_references();
    let mut scope = Scope::new(Arc::new(NoFiles));
    for variable in configuration.variables.values() {
        let value = variable.default.clone().unwrap_or_else(|| Value::unknown(variable.ty.clone()));
        scope.set(&Reference::Variable(variable.name.clone()), value);
        let _ = parse_variable_value(text, &variable.ty, &variable.name);
    }
    for (name, local) in &configuration.locals {
        if let Ok(value) = evaluate(&local.expression, &scope) {
            scope.set(&Reference::Local(name.clone()), value);
        }
    }
    for object in configuration.objects.values() {
        decode(&object.body, &schema(), &scope);
    }
    for output in configuration.outputs.values() {
        let _ = evaluate(&output.value, &scope);
    }
    if let Ok(once) = format(text) {
        assert_eq!(format(&once).as_ref(), Ok(&once), "formatting again changes nothing");
    }
});
