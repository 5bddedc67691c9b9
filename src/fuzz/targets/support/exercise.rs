//! What the targets of the language have in common: everything that a configuration can be asked for before there is a world.

use std::sync::Arc;

use pipectl_core::{Attribute, Block, Schema, Type, Value};
use pipectl_lang::{NoFiles, Reference, Scope, SourceFile, decode, evaluate, load, parse_variable_value};

fn schema() -> Schema {
    let inner = Schema::of([("value", Attribute::optional(Type::Any, "Anything."))]);
    Schema::of([
        ("input", Attribute::optional(Type::Any, "Anything.")),
        ("size", Attribute::optional(Type::Number, "A size.")),
    ])
    .block("rule", Block::list(inner.clone(), "Rules.").labelled(["kind"]))
    .block("main", Block::single(inner, "The main rule."))
}

/// Loads the text as the configuration file `name`, checks its references and evaluates all that it can.
pub fn exercise(name: &str, text: &str) {
    let (configuration, _) = load(vec![SourceFile { name: name.to_owned(), text: text.to_owned() }]);
    configuration.check_references();
    let mut scope = Scope::new(Arc::new(NoFiles));
    for variable in configuration.variables.values() {
        let value = variable.default.clone().unwrap_or_else(|| Value::unknown(variable.ty.clone()));
        scope.set(&Reference::Variable(variable.name.clone()), value);
        let _ = parse_variable_value(text, variable.declared_type(), &variable.name);
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
}
