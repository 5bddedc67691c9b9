//! Expressions where nothing is planned: over objects that are given, by a state or by a plan that has been made. `console` and `test` look here.
//!
//! The rules are those of a plan: the same graph, the same scopes, the same evaluation of everything that is no object. Only what objects are
//! is not asked of their kinds. Nodes are evaluated when something asks for them, and kept, so that one expression over a large configuration
//! costs what it refers to.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use petgraph::Direction;
use petgraph::graph::NodeIndex;
use pipectl_core::{Address, Diagnostics, InstanceKey, Marks, Type, Value};
use pipectl_lang::{Configuration, Expression, ObjectBlock, Reference, Scope, evaluate, referenced_values};

use crate::Engine;
use crate::evaluation::{Evaluation, extend_once};
use crate::expansion::Expansion;
use crate::graph::{Graph, ModuleId, Node};
use crate::instances::Instances;
use crate::values::Values;

/// A configuration with the values of its variables and its objects.
pub struct Inspection<'a> {
    engine: &'a Engine,
    configuration: &'a Configuration,
    variables: BTreeMap<String, Value>,
    /// Instances by block.
    objects: BTreeMap<Address, BTreeMap<Option<InstanceKey>, Value>>,
    /// What has no place in a configuration: outputs and earlier runs of a test.
    others: BTreeMap<Reference, Value>,
    graph: Graph,
    values: Values,
    done: Mutex<BTreeMap<NodeIndex, Result<(), Diagnostics>>>,
}

impl Engine {
    /// What expressions of the root module see, with values of variables and with objects by address. Where variables have no value they are
    /// known later, and so are objects that are not given.
    ///
    /// `plan_time` is what `plantimestamp` gives. With `drawn`, functions that use the clock or randomness have results.
    pub fn inspect<'a>(
        &'a self,
        configuration: &'a Configuration,
        variables: BTreeMap<String, Value>,
        objects: impl IntoIterator<Item = (Address, Value)>,
        (plan_time, drawn): (Option<i64>, bool),
    ) -> Inspection<'a> {
        let graph = Graph::of_given_objects(configuration);
        let values = Values::new(self, &graph, plan_time);
        let values = if drawn { values.drawn(self) } else { values };
        let mut by_block: BTreeMap<Address, BTreeMap<Option<InstanceKey>, Value>> = BTreeMap::new();
        for (address, value) in objects {
            by_block.entry(address.block()).or_default().insert(address.key, value);
        }
        let mut variables = variables;
        for (name, block) in &configuration.variables {
            let unknown = || Value::unknown(block.ty.clone()).marked(crate::variables::marks(block));
            variables.entry(name.clone()).or_insert_with(unknown);
        }
        Inspection {
            engine: self,
            configuration,
            variables,
            objects: by_block,
            others: BTreeMap::new(),
            graph,
            values,
            done: Mutex::default(),
        }
    }
}

impl Inspection<'_> {
    /// Sets what a reference means that no block declares.
    pub fn set_other(&mut self, reference: Reference, value: Value) {
        self.others.insert(reference, value);
    }

    /// The value of an expression of the root module.
    ///
    /// # Errors
    /// What is wrong with it, or with what it refers to.
    pub fn evaluate(&self, expression: &Expression) -> Result<Value, Diagnostics> {
        evaluate(expression, &self.scope(expression)?)
    }

    /// What an expression of the root module refers to, and what can be said of each in a line.
    pub fn referenced_values(&self, expression: &Expression) -> Vec<(String, String)> {
        self.scope(expression).map(|scope| referenced_values(expression, &scope)).unwrap_or_default()
    }

    /// How evaluating went, by node.
    fn done(&self) -> MutexGuard<'_, BTreeMap<NodeIndex, Result<(), Diagnostics>>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn scope(&self, expression: &Expression) -> Result<Scope, Diagnostics> {
        let references: Vec<Reference> = expression.references().into_iter().map(|(reference, _)| reference).collect();
        let nodes = references.iter().filter_map(|reference| self.graph.resolve(ModuleId::ROOT, reference));
        self.settle(nodes.collect())?;
        let mut scope = self.values.empty_scope(ModuleId::ROOT);
        for reference in &references {
            match self.others.get(reference) {
                Some(value) => scope.set(reference, value.clone()),
                None => self.values.bind(&self.graph, ModuleId::ROOT, 0, reference, &mut scope),
            }
            self.offer_names(reference, &mut scope);
        }
        Ok(scope)
    }

    /// Where a name is not declared, others of its sort are: for "did you mean".
    fn offer_names(&self, reference: &Reference, scope: &mut Scope) {
        if scope.get(reference).is_some() || self.graph.resolve(ModuleId::ROOT, reference).is_some() {
            return;
        }
        let configuration = self.configuration;
        let names: Vec<Reference> = match reference {
            Reference::Variable(_) => configuration.variables.keys().cloned().map(Reference::Variable).collect(),
            Reference::Local(_) => configuration.locals.keys().cloned().map(Reference::Local).collect(),
            Reference::Object(_) => configuration.objects.keys().cloned().map(Reference::Object).collect(),
            Reference::Module(_) | Reference::ModuleOutput { .. } => {
                configuration.modules.keys().cloned().map(Reference::Module).collect()
            }
            _ => Vec::new(),
        };
        for name in names {
            scope.set(&name, Value::unknown(Type::Any));
        }
    }

    /// Evaluates nodes and everything that they need, each once.
    ///
    /// # Errors
    /// Whatever stands in the way of one of them, told every time that it does.
    fn settle(&self, wanted: Vec<NodeIndex>) -> Result<(), Diagnostics> {
        let needed = self.graph.closure(wanted, Direction::Incoming);
        let in_order: Vec<NodeIndex> = self.graph.order().iter().copied().filter(|node| needed[node.index()]).collect();
        // What lies on a circle is in no order.
        if in_order.len() < needed.iter().filter(|needed| **needed).count() {
            return Err(self.graph.cycles());
        }
        let mut problems = Ok(());
        for node in in_order {
            let known = self.done().get(&node).cloned();
            let evaluated = known.unwrap_or_else(|| {
                let evaluated = self.evaluate_node(node);
                self.done().insert(node, evaluated.clone());
                evaluated
            });
            if let Err(found) = evaluated {
                let mut all = problems.err().unwrap_or_default();
                extend_once(&mut all, found);
                problems = Err(all);
            }
        }
        problems
    }

    /// Evaluates a node whose needs have been evaluated.
    ///
    /// # Errors
    /// What is wrong with it. Nothing where something that it needs is wrong: that has been told.
    fn evaluate_node(&self, node: NodeIndex) -> Result<(), Diagnostics> {
        let is_in_error = |need: NodeIndex| self.done().get(&need).is_some_and(Result::is_err);
        if self.graph.needs(node).any(is_in_error) {
            return Err(Diagnostics::new());
        }
        let module = self.graph.module_of(node);
        let evaluation = Evaluation {
            engine: self.engine,
            configuration: self.configuration,
            variables: &self.variables,
            graph: &self.graph,
            values: &self.values,
            results: None,
            open: false,
            forgives: false,
        };
        match self.graph.node(node) {
            Node::Object(declaration) => self.set_objects(node, declaration),
            // Nothing is opened for a question.
            Node::Ephemeral(_) => {
                let instances = self.values.instances(module).map_or(0, Instances::len);
                let value = Value::unknown(Type::Any).marked(Marks::EPHEMERAL);
                self.values.set_everywhere(node, instances, &value);
            }
            Node::Module(name) => evaluation.whole_module(node, name),
            Node::Call(name) => match self.open_call(node, name) {
                Some((inside, instances)) => self.values.set_instances(inside, instances),
                None => return evaluation.evaluate(node).map(drop),
            },
            Node::Output(_) if module == ModuleId::ROOT => {}
            // Nobody is asked: the objects are given.
            Node::Provider(_) => {}
            Node::Variable(_)
            | Node::Validation(_)
            | Node::Local(_)
            | Node::Model(_)
            | Node::Executor(..)
            | Node::Output(_)
            | Node::Check(_) => return evaluation.evaluate(node).map(drop),
        }
        Ok(())
    }

    /// The instances of a module of which it is not known which there are: one stands for all of them, as in validation.
    fn open_call(&self, node: NodeIndex, name: &str) -> Option<(ModuleId, Instances)> {
        let module = self.graph.module_of(node);
        let path = &self.graph.module(module).path;
        let block = self.configuration.module(path)?.modules.get(name)?;
        let inside = self.graph.find_module(&path.child(name, None))?;
        let instances = self.values.instances(module)?;
        let arguments = [&block.enabled, &block.count, &block.for_each];
        let is_open = |instance: usize| {
            let scope = self.values.scope(&self.graph, node, instance);
            let mut given = arguments.iter().filter_map(|argument| argument.as_ref());
            given.any(|given| evaluate(given, &scope).is_ok_and(|value| !value.is_wholly_known()))
        };
        let any = |instance: usize| {
            let scope = self.values.scope(&self.graph, node, instance);
            match (is_open(instance), Expansion::of_module(block, &scope)) {
                (false, Ok(expansion)) => expansion,
                _ => Expansion::any(block.count.as_ref(), block.for_each.as_ref(), &scope),
            }
        };
        let has_open = (0..instances.len()).any(is_open);
        let expansions = || (0..instances.len()).map(any).collect();
        has_open.then(|| (inside, Instances::inside(instances, name, expansions(), self.configuration)))
    }

    /// The values of a block, in all instances of its module.
    fn set_objects(&self, node: NodeIndex, declaration: &Address) {
        let modules = self.values.instances(self.graph.module_of(node));
        let (Some(block), Some(modules)) = (self.configuration.object(declaration), modules) else { return };
        let value = |(module, path)| {
            let scope = self.values.scope(&self.graph, node, module);
            self.object(block, &declaration.in_module(path), &scope)
        };
        self.values.set(node, modules.paths().iter().enumerate().map(value).collect());
    }

    /// A block's value from its instances: one object, a tuple for `count`, an object for `for_each`. Those that are there count; where there are
    /// none, it is known that there are none only if the block says so.
    fn object(&self, block: &ObjectBlock, address: &Address, scope: &Scope) -> Value {
        let none = BTreeMap::new();
        let instances = self.objects.get(address).unwrap_or(&none);
        let expansion = Expansion::of(block, scope).ok();
        if instances.is_empty() {
            let is_empty = expansion.as_ref().is_some_and(|expansion| expansion.len() == 0);
            return expansion
                .filter(|_| is_empty)
                .map_or_else(|| Value::unknown(Type::Any), |expansion| expansion.assemble(Vec::new()));
        }
        if block.meta.count.is_some() {
            let numbered = instances.iter().filter(|(key, _)| matches!(key, Some(InstanceKey::Index(_))));
            return Value::tuple(numbered.map(|(_, value)| value.clone()));
        }
        if block.meta.for_each.is_some() {
            let named = |(key, value): (&Option<InstanceKey>, &Value)| match key {
                Some(InstanceKey::Name(name)) => Some((name.clone(), value.clone())),
                _ => None,
            };
            return Value::object(instances.iter().filter_map(named));
        }
        instances.get(&None).cloned().unwrap_or_else(|| Value::unknown(Type::Any))
    }
}
