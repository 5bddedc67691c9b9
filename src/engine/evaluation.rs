//! Evaluating the nodes that are no objects: variables, locals, models, executors, modules and what they put out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use petgraph::graph::NodeIndex;
use pipectl_core::{Diagnostic, Diagnostics, Kind, Marks, ModulePath, Number, Type, Value};
use pipectl_lang::{Configuration, OutputBlock, Scope, decode, decode_model, evaluate};

use crate::conditions::Conditions;
use crate::expansion::{Expansion, evaluate_enabled};
use crate::graph::{Graph, Node};
use crate::instances::Instances;
use crate::values::Values;
use crate::variables::input_value;
use crate::{CheckResult, Engine};

/// What evaluating works with.
#[derive(Clone, Copy)]
pub(crate) struct Evaluation<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) configuration: &'a Configuration,
    /// Values of the root module's variables.
    pub(crate) variables: &'a BTreeMap<String, Value>,
    pub(crate) graph: &'a Graph,
    pub(crate) values: &'a Values,
    /// Takes down how conditions stand.
    pub(crate) results: Option<&'a Mutex<Vec<CheckResult>>>,
    /// Whether it may stay open which instances a module has: a plan may, an apply may not.
    pub(crate) open: bool,
    /// Whether outputs of modules whose preconditions do not hold have values all the same: what only refreshes goes on.
    pub(crate) forgives: bool,
}

type Evaluated = Result<(Value, Diagnostics), Diagnostics>;

impl Evaluation<'_> {
    /// Evaluates a variable, local, model, executor, module, or the output of a module, in all instances of its module, and sets its values.
    /// Returns warnings; the node has values then.
    ///
    /// Objects, ephemeral values, providers, checks, validations and the outputs of the root module are the business of planning and applying.
    pub(crate) fn evaluate(&self, node: NodeIndex) -> Result<Diagnostics, Diagnostics> {
        let module = self.graph.module_of(node);
        // Where it is not known which instances there are, that has been reported.
        let instances = self.values.instances(module).ok_or_else(Diagnostics::new)?;
        let own = self.configuration.module(&self.graph.module(module).path);
        let own = own.expect("the graph has the modules of its configuration");
        let scope = |instance: usize| self.values.scope(self.graph, node, instance);
        let name = |instance: usize, name: String| qualified(instances.path(instance), &name);
        match self.graph.node(node) {
            Node::Object(_) | Node::Ephemeral(_) | Node::Provider(_) | Node::Check(_) | Node::Validation(_) => {
                Ok(Diagnostics::new())
            }
            Node::Output(_) if self.graph.module(module).parent.is_none() => Ok(Diagnostics::new()),
            Node::Variable(variable) => self.each(node, instances, |instance| self.variable(node, instance, variable)),
            Node::Local(local) => self.each(node, instances, |instance| match own.locals.get(local) {
                Some(local) => Ok((evaluate(&local.expression, &scope(instance))?, Diagnostics::new())),
                None => Ok((Value::null(), Diagnostics::new())),
            }),
            Node::Model(model) => self.each(node, instances, |instance| {
                self.model(own, model, &scope(instance), &name(instance, format!("model.{model}")))
            }),
            Node::Executor(kind, executor) => self.each(node, instances, |instance| {
                let name = name(instance, format!("executor.{kind}.{executor}"));
                self.executor(own, kind, executor, &scope(instance), &name)
            }),
            Node::Call(call) => self.call(node, own, call, instances),
            Node::Module(call) => {
                let is_asked_for =
                    self.graph.needed_by(node).any(|other| !matches!(self.graph.node(other), Node::Module(_)));
                if is_asked_for {
                    self.whole_module(node, call);
                }
                Ok(Diagnostics::new())
            }
            Node::Output(output) => {
                let Some(block) = own.outputs.get(output) else { return Ok(Diagnostics::new()) };
                let (values, warnings) = all(instances, |instance| {
                    let (scope, path) = (scope(instance), instances.path(instance));
                    let mut judged = Conditions::of_output(block, path).judge(&scope);
                    if let Some(all) = self.results {
                        all.lock().unwrap_or_else(PoisonError::into_inner).append(&mut judged.results);
                    }
                    let warnings = if self.forgives { judged.forgiven() } else { judged.certain() }?;
                    Ok((value_of_output(block, &scope, path)?, warnings))
                })?;
                self.values.set(node, instances.assemble(block, &values));
                Ok(warnings)
            }
        }
    }

    /// Evaluates a node in each instance and sets its values.
    fn each(
        &self,
        node: NodeIndex,
        instances: &Instances,
        evaluate: impl Fn(usize) -> Evaluated,
    ) -> Result<Diagnostics, Diagnostics> {
        let (values, warnings) = all(instances, evaluate)?;
        self.values.set(node, values);
        Ok(warnings)
    }

    fn variable(&self, node: NodeIndex, instance: usize, name: &str) -> Evaluated {
        let module = self.graph.module_of(node);
        let inside = self.graph.module(module);
        let Some((around, call)) = &inside.parent else {
            return Ok((self.variables.get(name).cloned().unwrap_or_else(Value::null), Diagnostics::new()));
        };
        let own = self.configuration.module(&inside.path).and_then(|own| own.variables.get(name));
        let outer =
            self.configuration.module(&self.graph.module(*around).path).and_then(|outer| outer.modules.get(call));
        let (Some(block), Some(outer), Some(instances)) = (own, outer, self.values.instances(module)) else {
            return Ok((Value::null(), Diagnostics::new()));
        };
        let given = match outer.inputs.argument(name) {
            None => None,
            Some(argument) => {
                let scope = Arc::new(self.values.scope_in(self.graph, node, *around, instances.outer(instance)));
                let value = evaluate(&argument.value, &instances.input_scope(instance, &scope))?;
                Some((value, argument.value.span()))
            }
        };
        let name = qualified(instances.path(instance), &format!("var.{name}"));
        input_value(&name, block, given, &outer.span).map(|value| (value, Diagnostics::new()))
    }

    fn model(&self, own: &Configuration, name: &str, scope: &Scope, address: &str) -> Evaluated {
        let (Some(block), Some(kind)) = (own.models.get(name), &self.engine.registry.model) else {
            return Ok((Value::null(), Diagnostics::new()));
        };
        let (value, mut diagnostics) = decode_model(block, &kind.schema, scope);
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        let (value, more) = (kind.finish)(value);
        diagnostics.extend(located(more, |path| block.body.span_of(path), &block.span, address));
        if diagnostics.has_errors() { Err(diagnostics) } else { Ok((value, diagnostics)) }
    }

    fn executor(&self, own: &Configuration, kind_name: &str, name: &str, scope: &Scope, address: &str) -> Evaluated {
        let key = (kind_name.to_owned(), name.to_owned());
        let (Some(block), Some(kind)) = (own.executors.get(&key), self.engine.registry.executors.get(kind_name)) else {
            return Ok((Value::null(), Diagnostics::new()));
        };
        if let Some(enabled) = &block.enabled
            && !evaluate_enabled(enabled, scope)?
        {
            return Ok((Value::null(), Diagnostics::new()));
        }
        let (value, mut diagnostics) = decode(&block.body, &kind.schema, scope);
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        let value = value.with_attribute("kind", Value::from(kind_name)).with_attribute("name", Value::from(name));
        let (value, more) = (kind.finish)(value);
        diagnostics.extend(located(more, |path| block.body.span_of(path), &block.span, address));
        if diagnostics.has_errors() { Err(diagnostics) } else { Ok((value, diagnostics)) }
    }

    /// Finds out which instances a module has.
    fn call(
        &self,
        node: NodeIndex,
        own: &Configuration,
        name: &str,
        instances: &Instances,
    ) -> Result<Diagnostics, Diagnostics> {
        let inside = self.graph.module(self.graph.module_of(node)).path.child(name, None);
        let (Some(block), Some(inside)) = (own.modules.get(name), self.graph.find_module(&inside)) else {
            return Ok(Diagnostics::new());
        };
        if self.values.instances(inside).is_some() {
            return Ok(Diagnostics::new());
        }
        let mut expansions = Vec::with_capacity(instances.len());
        let mut problems = Diagnostics::new();
        for instance in 0..instances.len() {
            let scope = self.values.scope(self.graph, node, instance);
            let evaluate = if self.open { Expansion::of_module_or_open } else { Expansion::of_module };
            match evaluate(block, &scope) {
                Ok(expansion) => expansions.push(expansion),
                Err(found) => extend_once(&mut problems, found),
            }
        }
        if problems.has_errors() {
            return Err(problems);
        }
        self.values.set_instances(inside, Instances::inside(instances, name, expansions, self.configuration));
        Ok(problems)
    }

    /// Sets a module as a value: its outputs, or its instances with their outputs.
    pub(crate) fn whole_module(&self, node: NodeIndex, name: &str) {
        let module = self.graph.module_of(node);
        let path = self.graph.module(module).path.child(name, None);
        let (Some(inside), Some(id)) = (self.configuration.module(&path), self.graph.find_module(&path)) else {
            return;
        };
        let (Some(instances), Some(of_module)) = (self.values.instances(module), self.values.instances(id)) else {
            return;
        };
        let values = (0..instances.len()).map(|instance| {
            let outputs = inside.outputs.keys().filter_map(|output| {
                let node = self.graph.find(id, &Node::Output(output.clone()))?;
                Some((output.as_str(), self.values.get(node, instance)?))
            });
            of_module.expansion(instance).transpose(outputs)
        });
        self.values.set(node, values.collect());
    }
}

/// The values of all instances, and the warnings; or all errors, each once.
fn all(instances: &Instances, evaluate: impl Fn(usize) -> Evaluated) -> Result<(Vec<Value>, Diagnostics), Diagnostics> {
    let mut values = Vec::with_capacity(instances.len());
    let mut found = Diagnostics::new();
    for instance in 0..instances.len() {
        match evaluate(instance) {
            Ok((value, warnings)) => {
                values.push(value);
                extend_once(&mut found, warnings);
            }
            Err(problems) => extend_once(&mut found, problems),
        }
    }
    if found.has_errors() || values.len() < instances.len() { Err(found) } else { Ok((values, found)) }
}

/// Takes in what is not there already: instances of a module have the same mistakes.
pub(crate) fn extend_once(diagnostics: &mut Diagnostics, more: Diagnostics) {
    for diagnostic in more {
        let is_known = |known: &Diagnostic| {
            (&known.summary, &known.detail, &known.span) == (&diagnostic.summary, &diagnostic.detail, &diagnostic.span)
        };
        if !diagnostics.iter().any(is_known) {
            diagnostics.push(diagnostic);
        }
    }
}

/// A name of a module as it is known from outside: `module.a.local.x`.
pub(crate) fn qualified(module: &ModulePath, name: &str) -> String {
    if module.is_root() { name.to_owned() } else { format!("{module}.{name}") }
}

/// The value of an output in an instance of a module, whatever its preconditions say. Of the root module: marked sensitive as a whole where the
/// block says so, else free of marks. Of another module: with the marks that it has, so that a secret does not lose its mark on the way out.
pub(crate) fn value_of_output(block: &OutputBlock, scope: &Scope, module: &ModulePath) -> Result<Value, Diagnostics> {
    let address = qualified(module, &format!("output.{}", block.name));
    if module.is_root() && block.ephemeral {
        let detail = "The outputs of a root module are stored and shown, so none of them can be ephemeral. Those of other modules can.";
        return Err(Diagnostic::error("Ephemeral output not allowed", detail)
            .at(block.span.clone())
            .about(&address)
            .into());
    }
    let value = evaluate(&block.value, scope)?;
    let marks = value.marks_deep();
    let problem =
        |summary: &str, detail: String| Diagnostic::error(summary, detail).at(block.value.span()).about(&address);
    if module.is_root() && marks.contains(Marks::SECRET) && !block.ephemeral {
        let detail = format!(
            "The value of output \"{}\" holds a secret, and outputs are stored in the state. What `secret` gives, whoever needs it reads from where it \
             is; what a provider decides can be an output where the state is encrypted, once it has been read.",
            block.name
        );
        return Err(problem("Secret value not allowed", detail).into());
    }
    if module.is_root() && marks.contains(Marks::SENSITIVE) && !block.sensitive {
        if marks.contains(Marks::EPHEMERAL) {
            // No mark of the output would help.
            let detail = format!(
                "The value of output \"{}\" holds something sensitive that is ephemeral, too: as a sensitive output it could not be stored in the state \
                 either.",
                block.name
            );
            return Err(problem("Output refers to sensitive values", detail).into());
        }
        let detail = format!(
            "The value of output \"{}\" holds something sensitive, and outputs are shown. If that is meant, mark the output as sensitive.",
            block.name
        );
        return Err(problem("Output refers to sensitive values", detail).hint("sensitive = true").into());
    }
    if marks.contains(Marks::EPHEMERAL) && !block.ephemeral {
        let detail = match module.is_root() {
            true => {
                format!("The value of output \"{}\" is ephemeral, so it cannot be stored in the state.", block.name)
            }
            false => format!("The value of output \"{}\" is ephemeral, and the output does not say so.", block.name),
        };
        let problem = problem("Ephemeral value not allowed", detail);
        return Err(if module.is_root() { problem } else { problem.hint("ephemeral = true") }.into());
    }
    if block.ephemeral && !marks.contains(Marks::EPHEMERAL) && !is_dynamic(&value) {
        let detail = format!(
            "The output \"{}\" is declared to be ephemeral, so it can only be set to an ephemeral value, and this one is not.",
            block.name
        );
        return Err(problem("Value not allowed in ephemeral output", detail).into());
    }
    if !module.is_root() {
        return Ok(if block.sensitive { value.marked(Marks::SENSITIVE) } else { value });
    }
    let (plain, _) = value.unmark_deep();
    // A zero with a sign does not outlive a plan of Terraform's.
    let plain = plain.map_deep(&without_sign_of_zero);
    Ok(if block.sensitive { plain.marked(Marks::SENSITIVE) } else { plain })
}

fn without_sign_of_zero(value: Value) -> Value {
    match value.kind() {
        Kind::Number(number) if number.signum() == 0 => Value::from(Number::ZERO).marked(value.marks()),
        _ => value,
    }
}

/// Whether nothing is known of a value: something in it failed, and that has been reported.
fn is_dynamic(value: &Value) -> bool {
    matches!(value.kind(), Kind::Unknown(unknown) if unknown.ty == Type::Any)
}

/// Diagnostics with what they are about, where they do not say so themselves.
pub(crate) fn about(mut diagnostics: Diagnostics, whom: &impl ToString) -> Diagnostics {
    for diagnostic in diagnostics.iter_mut() {
        diagnostic.address.get_or_insert_with(|| whom.to_string());
    }
    diagnostics
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
