//! Validation: everything that can be judged without state, world and variable values.

use std::collections::BTreeSet;
use std::sync::Arc;

use pipectl_core::suggest::did_you_mean;
use pipectl_core::{AddressKind, Diagnostic, Diagnostics, Marks, Refinement, Schema, Span, Type, Value};
use pipectl_lang::{Configuration, ObjectBlock, Reference, Scope, evaluate};
use pipectl_provider::planning::with_unknown_computed;

use crate::conditions::{Verdict, judge};
use crate::expansion::Expansion;
use crate::graph::{Graph, Node};
use crate::instance::mark_by_schema;
use crate::lifecycle::limits;
use crate::planner::{arguments, evaluate_output, with_marks_of};
use crate::scope::{Values, evaluate_value};
use crate::{Engine, variables};

/// See [`Engine::validate`].
pub(crate) fn validate(engine: &Engine, configuration: &Configuration) -> Diagnostics {
    let mut diagnostics = configuration.check_references();
    diagnostics.extend(check_kinds(engine, configuration));
    let graph = Graph::new(configuration);
    diagnostics.extend(graph.cycles());
    let variables = configuration.variables.iter().map(|(name, block)| {
        let refinement = Refinement { not_null: !block.nullable, ..Refinement::default() };
        (name.clone(), Value::refined(block.ty.clone(), refinement).marked(variables::marks(block)))
    });
    let variables = variables.collect();
    let values = Values::new(engine, &graph);
    // A node in error gets an unknown value: what refers to it is still judged, and nothing is told twice.
    for &node in graph.order() {
        let (value, found) = match graph.node(node) {
            Node::Object(address) => match configuration.objects.get(address) {
                Some(block) => {
                    let scope = Arc::new(values.scope(&graph, node));
                    validate_object(engine, block, &scope)
                }
                None => continue,
            },
            Node::Output(name) => {
                let scope = values.scope(&graph, node);
                let problems = configuration.outputs.get(name).and_then(|block| evaluate_output(block, &scope).err());
                (Value::null(), problems.unwrap_or_default())
            }
            Node::Check(name) => {
                let scope = values.scope(&graph, node);
                let rules = configuration.checks.get(name).into_iter().flat_map(|block| &block.assertions);
                (Value::null(), rules.flat_map(|rule| mistakes(rule, &scope)).collect())
            }
            Node::Validation(name) => {
                let scope = values.scope(&graph, node);
                let rules = configuration.variables.get(name).into_iter().flat_map(|block| &block.validations);
                (Value::null(), rules.flat_map(|rule| mistakes(rule, &scope)).collect())
            }
            Node::Variable(_) | Node::Local(_) | Node::Model(_) | Node::Executor(..) => {
                match evaluate_value(engine, configuration, &variables, &graph, &values, node) {
                    Ok(warnings) => (Value::unknown(Type::Any), warnings),
                    Err(problems) => (Value::unknown(Type::Any), problems),
                }
            }
        };
        diagnostics.extend(found);
        values.set(node, value);
    }
    without_repetitions(diagnostics)
}

/// The same finding may come from two checks: it is told once.
fn without_repetitions(diagnostics: Diagnostics) -> Diagnostics {
    let mut told = BTreeSet::new();
    let is_new = |diagnostic: &Diagnostic| {
        let place = diagnostic.span.as_ref().map(|span| (span.source, span.range.start, span.range.end));
        told.insert((place, diagnostic.summary.clone(), diagnostic.detail.clone()))
    };
    diagnostics.into_iter().filter(is_new).collect()
}

/// Kinds that no provider, stage or executor of this program has.
pub(crate) fn check_kinds(engine: &Engine, configuration: &Configuration) -> Diagnostics {
    let registry = &engine.registry;
    let mut diagnostics = Diagnostics::new();
    for (address, block) in &configuration.objects {
        let type_name = &address.type_name;
        match address.kind {
            AddressKind::Resource => {
                unknown_kind(&mut diagnostics, "resource type", type_name, &registry.resources, &block.span);
            }
            AddressKind::Data => {
                unknown_kind(&mut diagnostics, "data source", type_name, &registry.data_sources, &block.span)
            }
            AddressKind::Stage => {
                unknown_kind(&mut diagnostics, "stage kind", type_name, &registry.stages, &block.span)
            }
        }
    }
    for ((kind, _), block) in &configuration.executors {
        unknown_kind(&mut diagnostics, "executor kind", kind, &registry.executors, &block.span);
    }
    if let (None, Some(block)) = (&registry.model, configuration.models.values().next()) {
        let detail = "This pipectl was built without models. Build it with the feature `train`.";
        diagnostics.push(Diagnostic::error("Models not supported", detail).at(block.span.clone()));
    }
    diagnostics
}

fn unknown_kind<T>(
    diagnostics: &mut Diagnostics,
    what: &str,
    name: &str,
    known: &std::collections::BTreeMap<String, T>,
    span: &Span,
) {
    if known.contains_key(name) {
        return;
    }
    let suggestion = did_you_mean(name, known.keys().map(String::as_str));
    let list = match known.len() {
        0 => "This pipectl was built without any.".to_owned(),
        1..=12 => format!("Known are: {}.", known.keys().cloned().collect::<Vec<_>>().join(", ")),
        count => format!("{count} are known."),
    };
    let detail = format!("There is no {what} \"{name}\".{suggestion} {list}");
    let summary = match what {
        "resource type" => "Invalid resource type",
        "data source" => "Invalid data source",
        "stage kind" => "Invalid stage kind",
        _ => "Invalid executor kind",
    };
    diagnostics.push(Diagnostic::error(summary, detail).at(span.clone()));
}

/// What is wrong with a rule whatever the values: a condition that does not hold is for the plan to report.
fn mistakes(rule: &pipectl_lang::Rule, scope: &Scope) -> Diagnostics {
    match judge(rule, scope) {
        Verdict::Invalid(problems) => problems,
        Verdict::Pass | Verdict::Fail(_) | Verdict::Unknown => Diagnostics::new(),
    }
}

/// Judges a block once, for all its instances; the value is what others may count on.
fn validate_object(engine: &Engine, block: &ObjectBlock, scope: &Arc<Scope>) -> (Value, Diagnostics) {
    let kind = engine.registry.resource(block.address.kind, &block.address.type_name);
    let data =
        engine.registry.data_sources.get(&block.address.type_name).filter(|_| block.address.kind == AddressKind::Data);
    let schema: &Schema = match (kind, data) {
        (Some(kind), _) => kind.schema(),
        (None, Some(data)) => data.schema(),
        (None, None) => return (Value::unknown(Type::Any), Diagnostics::new()),
    };
    let mut diagnostics = validate_meta(block, scope);
    let inside = instance_scope(block, scope);
    let validate = |config: &Value| kind.map_or_else(Diagnostics::new, |kind| kind.validate(config));
    let value = match arguments(block, &block.address, schema, validate, &inside) {
        Ok(evaluated) => {
            diagnostics.extend(evaluated.warnings);
            with_marks_of(&evaluated.config, with_unknown_computed(schema, &evaluated.config))
        }
        Err(problems) => {
            diagnostics.extend(problems);
            Value::unknown(schema.object_type())
        }
    };
    let value = mark_by_schema(schema, value);
    let mut about_itself = Scope::inside(&inside);
    about_itself.set(&Reference::SelfObject, value.clone());
    let lifecycle = &block.meta.lifecycle;
    diagnostics.extend(lifecycle.preconditions.iter().flat_map(|rule| mistakes(rule, &inside)));
    diagnostics.extend(lifecycle.postconditions.iter().flat_map(|rule| mistakes(rule, &about_itself)));
    let ty = || schema.object_type();
    let whole = match (&block.meta.count, &block.meta.for_each, &block.meta.enabled) {
        (Some(_), _, _) => Value::unknown(Type::list(ty())),
        (None, Some(_), _) => Value::unknown(Type::map(ty())),
        (None, None, Some(_)) => Value::unknown(ty()),
        (None, None, None) => value,
    };
    (whole, diagnostics)
}

/// Judges meta-arguments. What is only known at plan is judged then.
fn validate_meta(block: &ObjectBlock, scope: &Scope) -> Diagnostics {
    let meta = &block.meta;
    let mut diagnostics = Diagnostics::new();
    let expressions = [&meta.enabled, &meta.count, &meta.for_each];
    let is_known = expressions
        .into_iter()
        .flatten()
        .all(|expression| evaluate(expression, scope).is_ok_and(|value| value.is_wholly_known()));
    if is_known {
        diagnostics.extend(Expansion::of(block, scope).err().into_iter().flatten());
    } else {
        for expression in expressions.into_iter().flatten() {
            diagnostics.extend(evaluate(expression, scope).err().into_iter().flatten());
        }
    }
    diagnostics.extend(limits(meta, scope).err().into_iter().flatten());
    if let Some(expression) = &meta.lifecycle.prevent_destroy {
        diagnostics.extend(evaluate(expression, scope).err().into_iter().flatten());
    }
    diagnostics
}

/// The scope of any instance: its key and value are unknown.
fn instance_scope(block: &ObjectBlock, scope: &Arc<Scope>) -> Arc<Scope> {
    let mut inside = Scope::inside(scope);
    let not_null = |ty| Value::refined(ty, Refinement { not_null: true, ..Refinement::default() });
    if block.meta.count.is_some() {
        inside.set(&Reference::Count, Value::object([("index", not_null(Type::Number))]));
    }
    if let Some(for_each) = &block.meta.for_each {
        let marks = evaluate(for_each, scope).map_or(Marks::NONE, |value| value.marks());
        let each = Value::object([("key", not_null(Type::String)), ("value", Value::unknown(Type::Any))]);
        inside.set(&Reference::Each, each.marked(marks));
    }
    Arc::new(inside)
}
