//! Validation: everything that can be judged without state, world and variable values.

use std::collections::BTreeSet;
use std::sync::Arc;

use petgraph::graph::NodeIndex;
use pipectl_core::suggest::did_you_mean;
use pipectl_core::{
    Address, AddressKind, Diagnostic, Diagnostics, Marks, Refinement, Schema, SourceId, Span, Step, Target, Type, Value,
};
use pipectl_lang::{Configuration, Expression, IgnoreChanges, ObjectBlock, Reference, Scope, WithoutSecrets, evaluate};
use pipectl_provider::planning::{with_unknown_computed, without_write_only};

use crate::conditions::Conditions;
use crate::conditions::{Verdict, judge};
use crate::evaluation::{Evaluation, qualified, value_of_output};
use crate::expansion::{Expansion, evaluate_enabled};
use crate::graph::{Graph, ModuleId, Node};
use crate::instance::mark_by_schema;
use crate::instances::Instances;
use crate::lifecycle::check_prevent_destroy;
use crate::limits::Limits;
use crate::planner::{arguments, judge_validations, mistakes_of_imports, with_marks_of};
use crate::providers::Providers;
use crate::values::Values;
use crate::{Engine, variables};

/// See [`Engine::validate`].
pub(crate) fn validate(engine: &Engine, configuration: &Configuration) -> Diagnostics {
    // Whoever judges a configuration need not have its secrets.
    let engine = &Engine { files: Arc::new(WithoutSecrets(Arc::clone(&engine.files))), ..engine.clone() };
    let mut diagnostics = configuration.check_references();
    let mut told: Vec<Span> = diagnostics.iter().filter_map(|problem| problem.span.clone()).collect();
    told.extend(configuration.lost_references());
    let told = Places::of(told);
    diagnostics.extend(check_kinds(engine, configuration));
    diagnostics.extend(check_removed(configuration));
    diagnostics.extend(mistakes_of_imports(configuration));
    diagnostics.extend(crate::providers::check::check(engine, configuration));
    let graph = Graph::new(configuration);
    diagnostics.extend(graph.cycles());
    let variables = configuration.variables.iter().map(|(name, block)| {
        let refinement = Refinement { not_null: !block.nullable, ..Refinement::default() };
        (name.clone(), Value::refined(block.ty.clone(), refinement).marked(variables::marks(block)))
    });
    let variables = variables.collect();
    let values = Values::new(engine, &graph, None);
    let evaluation = Evaluation {
        engine,
        configuration,
        variables: &variables,
        graph: &graph,
        values: &values,
        results: None,
        open: false,
        forgives: false,
    };
    let providers = Providers::new(engine, &graph, Arc::default());
    // A node in error gets an unknown value: what refers to it is still judged, and nothing is told twice.
    for &node in graph.order() {
        let module = graph.module_of(node);
        let path = &graph.module(module).path;
        let own = configuration.module(path).expect("the graph has the modules of its configuration");
        let (value, found) = match graph.node(node) {
            Node::Object(address) | Node::Ephemeral(address) => match configuration.object(address) {
                Some(block) => {
                    let scope = Arc::new(values.scope(&graph, node, 0));
                    validate_object(engine, block, address, &scope)
                }
                None => continue,
            },
            Node::Output(name) if module == ModuleId::ROOT => {
                let scope = values.scope(&graph, node, 0);
                let block = own.outputs.get(name);
                let judged = |block| Conditions::of_output(block, path).judge(&scope).certain();
                let problems =
                    block.and_then(|block| judged(block).and_then(|_| value_of_output(block, &scope, path)).err());
                (Value::null(), problems.unwrap_or_default())
            }
            Node::Check(name) => {
                let scope = values.scope(&graph, node, 0);
                let rules = own.checks.get(name).into_iter().flat_map(|block| &block.assertions);
                (Value::null(), rules.flat_map(|rule| mistakes(rule, &scope)).collect())
            }
            // What a module is given is there already; what the root module is given is not.
            Node::Validation(name) if module != ModuleId::ROOT => {
                (Value::null(), judge_validations(&evaluation, node, name).problems)
            }
            Node::Validation(name) => {
                let scope = values.scope(&graph, node, 0);
                let rules = own.variables.get(name).into_iter().flat_map(|block| &block.validations);
                (Value::null(), rules.flat_map(|rule| mistakes(rule, &scope)).collect())
            }
            Node::Call(name) => (Value::null(), validate_call(&evaluation, own, node, name)),
            Node::Provider(_) => {
                let found = providers.evaluate(&evaluation, node);
                (Value::null(), found.unwrap_or_else(|problems| problems))
            }
            Node::Variable(_)
            | Node::Local(_)
            | Node::Model(_)
            | Node::Executor(..)
            | Node::Output(_)
            | Node::Module(_) => {
                let found = evaluation.evaluate(node);
                (Value::unknown(Type::Any), found.unwrap_or_else(|problems| problems))
            }
        };
        // What a wrong reference leads to has been told with it.
        diagnostics.extend(found.into_iter().filter(|problem| !told.hold(problem)).collect::<Diagnostics>());
        // In validation one instance stands for all.
        values.set_everywhere(node, 1, &value);
    }
    without_repetitions(diagnostics)
}

/// Places in files, in the order of their beginnings, each with the furthest end of those that begin no later in its file.
struct Places(Vec<(SourceId, usize, usize)>);

impl Places {
    fn of(spans: Vec<Span>) -> Self {
        let mut places: Vec<(SourceId, usize, usize)> =
            spans.into_iter().map(|span| (span.source, span.range.start, span.range.end)).collect();
        places.sort_unstable();
        for index in 1..places.len() {
            if places[index - 1].0 == places[index].0 {
                places[index].2 = places[index].2.max(places[index - 1].2);
            }
        }
        Self(places)
    }

    /// Whether a finding stands inside of one of them.
    fn hold(&self, problem: &Diagnostic) -> bool {
        let Some(span) = &problem.span else { return false };
        let before = self.0.partition_point(|(source, start, _)| (*source, *start) <= (span.source, span.range.start));
        let last = before.checked_sub(1).map(|last| self.0[last]);
        last.is_some_and(|(source, _, end)| source == span.source && span.range.end <= end)
    }
}

/// Judges what decides the instances of a module, and lets one stand for all of them.
fn validate_call(evaluation: &Evaluation<'_>, own: &Configuration, node: NodeIndex, name: &str) -> Diagnostics {
    let Evaluation { graph, values, .. } = evaluation;
    let module = graph.module_of(node);
    let inside = graph.find_module(&graph.module(module).path.child(name, None));
    let (Some(block), Some(inside), Some(instances)) = (own.modules.get(name), inside, values.instances(module)) else {
        return Diagnostics::new();
    };
    let scope = values.scope(graph, node, 0);
    let (count, for_each) = (block.count.as_ref(), block.for_each.as_ref());
    let found = validate_expansion(block.enabled.as_ref(), count, for_each, &scope);
    let any = vec![Expansion::any(count, for_each, &scope)];
    values.set_instances(inside, Instances::inside(instances, name, any, evaluation.configuration));
    found
}

/// The same finding may come from two checks: it is told once.
pub(crate) fn without_repetitions(diagnostics: Diagnostics) -> Diagnostics {
    let mut told = BTreeSet::new();
    let is_new = |diagnostic: &Diagnostic| {
        let place = diagnostic.span.as_ref().map(|span| (span.source, span.range.start, span.range.end));
        told.insert((place, diagnostic.summary.clone(), diagnostic.detail.clone()))
    };
    diagnostics.into_iter().filter(is_new).collect()
}

/// Kinds that no provider, stage or executor of this program has.
pub(crate) fn check_kinds(engine: &Engine, configuration: &Configuration) -> Diagnostics {
    configuration.distinct_modules().into_iter().flat_map(|module| check_own_kinds(engine, module)).collect()
}

fn check_own_kinds(engine: &Engine, configuration: &Configuration) -> Diagnostics {
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
            AddressKind::Ephemeral => {
                unknown_kind(&mut diagnostics, "ephemeral resource", type_name, &registry.ephemerals, &block.span);
            }
            AddressKind::Stage => {
                unknown_kind(&mut diagnostics, "stage kind", type_name, &registry.stages, &block.span)
            }
        }
    }
    for (address, block) in &configuration.objects {
        if let Some(schema) = registry.schema(address.kind, &address.type_name) {
            diagnostics.extend(check_ignored(block, schema));
        }
        if let Some(expression) = &block.meta.lifecycle.prevent_destroy
            && expression.references().is_empty()
        {
            let scope = Scope::new(Arc::clone(&engine.files));
            diagnostics.extend(check_prevent_destroy(expression, &scope));
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

/// What is wrong with `ignore_changes`: names that the kind does not have, and those that no configuration can set.
fn check_ignored(block: &ObjectBlock, schema: &Schema) -> Diagnostics {
    let IgnoreChanges::Paths(paths) = &block.meta.lifecycle.ignore_changes else { return Diagnostics::new() };
    let mut diagnostics = Diagnostics::new();
    for (path, span) in paths {
        let Some(Step::Name(name)) = path.0.first() else { continue };
        match (schema.attributes.get(name), schema.blocks.contains_key(name)) {
            (Some(attribute), _) if !attribute.required && !attribute.optional => {
                let detail = format!(
                    "The attribute {name} is decided by the provider alone, so there can be no configured value whose changes could be \
                     ignored. Including it in ignore_changes has no effect."
                );
                diagnostics.push(Diagnostic::warning("Redundant ignore_changes element", detail).at(span.clone()));
            }
            (None, false) => {
                let known = schema.attributes.keys().chain(schema.blocks.keys()).map(String::as_str);
                let hint = did_you_mean(name, known);
                let detail =
                    format!("This object has no argument, nested block, or exported attribute named {name:?}.{hint}");
                diagnostics.push(Diagnostic::error("Unsupported attribute", detail).at(span.clone()));
            }
            _ => {}
        }
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
        count => {
            // Those of the same family: of a provider, as a rule.
            let family = name.split('_').next().unwrap_or(name);
            let is_near = |known: &&String| known.split('_').next() == Some(family);
            match known.keys().filter(is_near).cloned().collect::<Vec<_>>().as_slice() {
                near if !near.is_empty() && suggestion.is_empty() => {
                    format!("Of {family}, these are known: {}.", near.join(", "))
                }
                _ => format!("{count} are known."),
            }
        }
    };
    let detail = format!("There is no {what} \"{name}\".{suggestion} {list}");
    let summary = match what {
        "resource type" => "Invalid resource type",
        "data source" => "Invalid data source",
        "ephemeral resource" => "Invalid ephemeral resource",
        "stage kind" => "Invalid stage kind",
        _ => "Invalid executor kind",
    };
    diagnostics.push(Diagnostic::error(summary, detail).at(span.clone()));
}

/// `removed` blocks for what is still declared.
pub(crate) fn check_removed(configuration: &Configuration) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    configuration.visit_modules(&mut |path, module| {
        for block in &module.removed {
            let (what, is_declared) = match &block.from {
                Target::Module(inside) => ("module", module.module_block(inside).is_some()),
                Target::Object(address) => ("resource", module.object(address).is_some()),
            };
            if is_declared {
                let from = qualified(path, &block.from.to_string());
                let detail = format!(
                    "This statement declares that {from} was removed, but it is still declared. Take out the declaration or the statement."
                );
                let problem = Diagnostic::error(format!("Removed {what} still exists"), detail);
                diagnostics.push(problem.at(block.span.clone()));
            }
        }
    });
    diagnostics
}

/// What is wrong with a rule whatever the values: a condition that does not hold is for the plan to report.
fn mistakes(rule: &pipectl_lang::Rule, scope: &Scope) -> Diagnostics {
    match judge(rule, scope) {
        Verdict::Invalid(problems) => problems,
        Verdict::Pass | Verdict::Fail(_) | Verdict::Unknown => Diagnostics::new(),
    }
}

/// Judges a block once, for all its instances; the value is what others may count on.
fn validate_object(
    engine: &Engine,
    block: &ObjectBlock,
    address: &Address,
    scope: &Arc<Scope>,
) -> (Value, Diagnostics) {
    let registry = &engine.registry;
    let Some(schema) = registry.schema(address.kind, &address.type_name) else {
        return (Value::unknown(Type::Any), Diagnostics::new());
    };
    let kind = registry.resource(address.kind, &address.type_name);
    let data = registry.data_sources.get(&address.type_name).filter(|_| address.kind == AddressKind::Data);
    let ephemeral = registry.ephemerals.get(&address.type_name).filter(|_| address.kind == AddressKind::Ephemeral);
    let inside = Expansion::any(block.meta.count.as_ref(), block.meta.for_each.as_ref(), scope).scope(scope, None);
    let mut diagnostics = validate_meta(block, scope, &inside);
    let validate = |config: &Value| match (kind, data, ephemeral) {
        (Some(kind), _, _) => kind.validate(config),
        (None, Some(data), _) => data.validate(config),
        (None, None, Some(ephemeral)) => ephemeral.validate(config),
        (None, None, None) => Diagnostics::new(),
    };
    let value = match arguments(block, address, schema, validate, &inside) {
        Ok(evaluated) => {
            diagnostics.extend(evaluated.warnings);
            let config = without_write_only(schema, evaluated.config);
            with_marks_of(&config, with_unknown_computed(schema, &config))
        }
        Err(problems) => {
            diagnostics.extend(problems);
            Value::unknown(schema.object_type())
        }
    };
    let marks = if ephemeral.is_some() { Marks::EPHEMERAL } else { Marks::NONE };
    let value = mark_by_schema(schema, value).marked(marks);
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
    (whole.marked(marks), diagnostics)
}

/// Judges meta-arguments: those that decide the instances outside of them, the others `inside`. What is only known at plan is judged then.
fn validate_meta(block: &ObjectBlock, scope: &Scope, inside: &Scope) -> Diagnostics {
    let meta = &block.meta;
    let mut diagnostics = validate_expansion(meta.enabled.as_ref(), meta.count.as_ref(), meta.for_each.as_ref(), scope);
    diagnostics.extend(Limits::of(meta, inside).err().into_iter().flatten());
    if let Some(expression) = &meta.lifecycle.prevent_destroy {
        diagnostics.extend(evaluate(expression, inside).err().into_iter().flatten());
    }
    diagnostics
}

/// Judges what decides the instances of a block.
fn validate_expansion(
    enabled: Option<&Expression>,
    count: Option<&Expression>,
    for_each: Option<&Expression>,
    scope: &Scope,
) -> Diagnostics {
    let expressions = [enabled, count, for_each].into_iter().flatten();
    let is_known = |expression: &Expression| evaluate(expression, scope).is_ok_and(|value| value.is_wholly_known());
    if expressions.clone().all(is_known) {
        return Expansion::evaluate(enabled, count, for_each, scope).err().unwrap_or_default();
    }
    if enabled.is_some_and(|enabled| evaluate_enabled(enabled, scope) == Ok(false)) {
        return Diagnostics::new();
    }
    let mut problems: Diagnostics =
        enabled.into_iter().flat_map(|enabled| evaluate(enabled, scope).err().unwrap_or_default()).collect();
    // What is not known may be known to be of a wrong type, or sensitive, or ephemeral.
    problems.extend(Expansion::evaluate_or_open(None, count, for_each, scope).err().unwrap_or_default());
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_holds_what_stands_inside_of_it() {
        let span = |source: u32, range: std::ops::Range<usize>| Span { source: SourceId(source), range };
        let places =
            Places::of(vec![span(1, 50..60), span(0, 0..100), span(0, 10..20), span(1, 5..9), span(1, 50..55)]);
        let holds = |source, range| places.hold(&Diagnostic::error("", "").at(span(source, range)));
        assert!(holds(0, 0..100) && holds(0, 12..90) && holds(1, 50..60) && holds(1, 5..9) && holds(1, 6..6));
        assert!(!holds(0, 0..101) && !holds(1, 0..9) && !holds(1, 5..10) && !holds(1, 49..60) && !holds(2, 5..6));
        assert!(!places.hold(&Diagnostic::error("", "")), "what stands nowhere stands in none");
    }
}
