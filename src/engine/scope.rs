//! Values of the graph's nodes, and the scopes that expressions are evaluated in: each sees exactly what it refers to.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use petgraph::graph::NodeIndex;
use pipectl_core::{Diagnostics, Value};
use pipectl_lang::{Configuration, Reference, Scope, decode, decode_model, evaluate};

use crate::Engine;
use crate::expansion::evaluate_enabled;
use crate::graph::{Graph, Node};

/// The values of all nodes of a graph, each set once.
pub(crate) struct Values {
    values: Vec<OnceLock<Value>>,
    base: Arc<Scope>,
}

impl Values {
    /// No values yet.
    pub(crate) fn new(engine: &Engine, graph: &Graph) -> Self {
        let mut base = Scope::new(Arc::clone(&engine.files));
        base.set(&Reference::Terraform("workspace".to_owned()), Value::from(engine.workspace.as_str()));
        for name in ["module", "root", "cwd"] {
            base.set(&Reference::Path(name.to_owned()), Value::from("."));
        }
        let mut values = Vec::new();
        values.resize_with(graph.len(), OnceLock::new);
        Self { values, base: Arc::new(base) }
    }

    /// Sets the value of a node; a second time changes nothing.
    pub(crate) fn set(&self, node: NodeIndex, value: Value) {
        let _ = self.values[node.index()].set(value);
    }

    /// The value of a node, once set.
    pub(crate) fn get(&self, node: NodeIndex) -> Option<&Value> {
        self.values[node.index()].get()
    }

    /// A scope with the values of everything that a node needs.
    pub(crate) fn scope(&self, graph: &Graph, node: NodeIndex) -> Scope {
        let mut scope = Scope::inside(&self.base);
        for need in graph.needs(node) {
            if let (Some(reference), Some(value)) = (graph.node(need).reference(), self.get(need)) {
                scope.set(&reference, value.clone());
            }
        }
        scope
    }
}

/// Evaluates a variable, local, model or executor and sets its value. Returns whether the node has a value now.
///
/// Objects, outputs, checks and validations are the business of planning and applying.
pub(crate) fn evaluate_value(
    engine: &Engine,
    configuration: &Configuration,
    variables: &BTreeMap<String, Value>,
    graph: &Graph,
    values: &Values,
    node: NodeIndex,
) -> Result<Diagnostics, Diagnostics> {
    let scope = || values.scope(graph, node);
    let (value, diagnostics) = match graph.node(node) {
        Node::Variable(name) => (variables.get(name).cloned().unwrap_or_else(Value::null), Diagnostics::new()),
        Node::Local(name) => match configuration.locals.get(name) {
            Some(local) => (evaluate(&local.expression, &scope())?, Diagnostics::new()),
            None => (Value::null(), Diagnostics::new()),
        },
        Node::Model(name) => match (configuration.models.get(name), &engine.registry.model) {
            (Some(block), Some(kind)) => {
                let (value, mut diagnostics) = decode_model(block, &kind.schema, &scope());
                if diagnostics.has_errors() {
                    return Err(diagnostics);
                }
                let (value, more) = (kind.finish)(value);
                diagnostics.extend(located(
                    more,
                    |path| block.body.span_of(path),
                    &block.span,
                    &format!("model.{name}"),
                ));
                (value, diagnostics)
            }
            _ => (Value::null(), Diagnostics::new()),
        },
        Node::Executor(kind_name, name) => {
            let key = (kind_name.clone(), name.clone());
            match (configuration.executors.get(&key), engine.registry.executors.get(kind_name)) {
                (Some(block), Some(kind)) => {
                    let scope = scope();
                    if let Some(enabled) = &block.enabled
                        && !evaluate_enabled(enabled, &scope)?
                    {
                        values.set(node, Value::null());
                        return Ok(Diagnostics::new());
                    }
                    let (value, mut diagnostics) = decode(&block.body, &kind.schema, &scope);
                    if diagnostics.has_errors() {
                        return Err(diagnostics);
                    }
                    let value = value
                        .with_attribute("kind", Value::from(kind_name.as_str()))
                        .with_attribute("name", Value::from(name.as_str()));
                    let (value, more) = (kind.finish)(value);
                    let address = format!("executor.{kind_name}.{name}");
                    diagnostics.extend(located(more, |path| block.body.span_of(path), &block.span, &address));
                    (value, diagnostics)
                }
                _ => (Value::null(), Diagnostics::new()),
            }
        }
        Node::Object(_) | Node::Output(_) | Node::Check(_) | Node::Validation(_) => return Ok(Diagnostics::new()),
    };
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    values.set(node, value);
    Ok(diagnostics)
}

/// Diagnostics about a value, with the places in the configuration that the value was written at.
pub(crate) fn located(
    mut diagnostics: Diagnostics,
    span_of: impl Fn(&pipectl_core::Path) -> Option<pipectl_core::Span>,
    block: &pipectl_core::Span,
    address: &str,
) -> Diagnostics {
    for diagnostic in diagnostics.iter_mut() {
        if diagnostic.span.is_none() {
            diagnostic.span = diagnostic.path.as_ref().and_then(&span_of).or_else(|| Some(block.clone()));
        }
        diagnostic.address.get_or_insert_with(|| address.to_owned());
    }
    diagnostics
}
