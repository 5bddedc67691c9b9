//! Provider configurations as they were when the objects of the state were made: evaluated from the state, and used to read objects and to remove
//! them.
//!
//! Evaluated is only what provider blocks need, in its order. An object counts with the attributes that the state has, or with those that a refresh
//! has seen. What cannot be evaluated this way stays unknown; what depends on it cannot be read, and is not.

use std::collections::BTreeMap;
use std::sync::Arc;

use petgraph::Direction;
use petgraph::graph::NodeIndex;
use pipectl_core::{Address, AddressKind, Diagnostic, Diagnostics, InstanceKey, ProviderAddress, Type, Value};
use pipectl_lang::{Configuration, ObjectBlock, Reference};
use pipectl_provider::Resource;
use pipectl_state::State;

use super::locate::{Site, is_served, made_with, remembered, sites_of};
use super::{Bound, Choice, Chooser, Pool, Providers};
use crate::Engine;
use crate::data::read;
use crate::ephemeral::{OpenValues, Opening};
use crate::evaluation::{Evaluation, extend_once};
use crate::expansion::{Expansion, MOST};
use crate::graph::{Graph, Node};
use crate::instance::mark_by_schema;
use crate::limits::Limits;
use crate::objects::attributes;
use crate::planner::{Arguments, arguments, with_marks_of};
use crate::values::Values;

/// Provider configurations that follow from the state.
pub(crate) struct Before {
    engine: Engine,
    values: Values,
    providers: Providers,
    /// What is wrong with blocks that could not be evaluated.
    problems: BTreeMap<NodeIndex, Diagnostics>,
}

/// What evaluating needs beside the state.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) configuration: &'a Configuration,
    pub(crate) graph: &'a Graph,
    /// Values of the root module's variables.
    pub(crate) variables: &'a BTreeMap<String, Value>,
}

impl Before {
    /// Nothing evaluated yet.
    pub(crate) fn new(engine: &Engine, graph: &Graph, pool: &Arc<Pool>) -> Self {
        Self {
            engine: engine.clone(),
            values: Values::new(engine, graph, None),
            providers: Providers::of_state(engine, graph, Arc::clone(pool)),
            problems: BTreeMap::new(),
        }
    }

    /// The configurations that follow from a state as it is, without looking at any of its objects. Ephemeral values that they are made from
    /// are opened, for as long as `open` is.
    pub(crate) async fn of(
        engine: &Engine,
        ground: Ground<'_>,
        state: &State,
        pool: &Arc<Pool>,
        open: &OpenValues,
    ) -> Self {
        let mut before = Self::new(engine, ground.graph, pool);
        let mut objects = BTreeMap::new();
        for node in Self::needed(ground.graph) {
            if let Node::Object(declaration) = ground.graph.node(node) {
                let own = state
                    .objects()
                    .filter(|(address, deposed, _)| deposed.is_none() && address.declaration() == *declaration);
                for (address, _, object) in own {
                    objects.insert(address.clone(), attributes(&engine.registry, address, object));
                }
            }
            before.visit(ground, node, &objects, open).await;
        }
        before
    }

    /// What has to be evaluated, in its order: all that provider blocks need, and the blocks.
    pub(crate) fn needed(graph: &Graph) -> Vec<NodeIndex> {
        if !graph.has_providers() {
            return Vec::new();
        }
        let is_provider = |node: &NodeIndex| matches!(graph.node(*node), Node::Provider(_));
        let needed = graph.closure(graph.order().iter().copied().filter(is_provider), Direction::Incoming);
        graph.order().iter().copied().filter(|node| needed[node.index()]).collect()
    }

    /// Evaluates a node. `objects` are those that exist, as far as they come before it.
    pub(crate) async fn visit(
        &mut self,
        ground: Ground<'_>,
        node: NodeIndex,
        objects: &BTreeMap<Address, Value>,
        open: &OpenValues,
    ) {
        let evaluation = Evaluation {
            engine: &self.engine,
            configuration: ground.configuration,
            variables: ground.variables,
            graph: ground.graph,
            values: &self.values,
            results: None,
            open: false,
        };
        let mut inherited = Diagnostics::new();
        for need in ground.graph.needs(node) {
            self.problems.get(&need).into_iter().for_each(|found| extend_once(&mut inherited, found.clone()));
        }
        // What stands in the way of something stands in the way of what is made from it. An object counts as it is, whatever it was made from.
        if inherited.has_errors() && !matches!(ground.graph.node(node), Node::Object(_)) {
            self.problems.insert(node, inherited);
            return;
        }
        match ground.graph.node(node) {
            Node::Provider(_) => {
                if let Err(problems) = self.providers.evaluate(&evaluation, node) {
                    self.problems.insert(node, problems);
                }
            }
            Node::Object(declaration) => {
                let modules = self.values.instances(ground.graph.module_of(node));
                let (Some(block), Some(modules)) = (ground.configuration.object(declaration), modules) else { return };
                let mut column = Vec::with_capacity(modules.len());
                for (module, path) in modules.paths().iter().enumerate() {
                    let address = declaration.in_module(path);
                    column.push(match address.kind {
                        AddressKind::Data => self.data(ground, node, block, &address, module).await,
                        AddressKind::Resource | AddressKind::Stage => existing(block, &address, objects),
                        AddressKind::Ephemeral => Value::unknown(Type::Any),
                    });
                }
                self.values.set(node, column);
            }
            Node::Ephemeral(declaration) => {
                let (providers, waits) = (&self.providers, &|_: &ObjectBlock, _: &Address| false);
                let opening = Opening { evaluation, open, providers, waits, is_needed: true };
                if let Err(problems) = opening.block(node, declaration).await {
                    self.problems.insert(node, problems);
                }
            }
            // What is wrong with other values is told where they are planned.
            _ => drop(evaluation.evaluate(node)),
        }
    }

    /// A data source as it is read from what exists; unknown where it cannot be.
    async fn data(
        &self,
        ground: Ground<'_>,
        node: NodeIndex,
        block: &ObjectBlock,
        address: &Address,
        module: usize,
    ) -> Value {
        let unknown = || Value::unknown(Type::Any);
        let scope = Arc::new(self.values.scope(ground.graph, node, module));
        let Ok(expansion) = Expansion::of(block, &scope) else { return unknown() };
        let mut values = Vec::with_capacity(expansion.len());
        for key in expansion.keys() {
            let scope = expansion.scope(&scope, key.as_ref());
            let address = address.with_key(key);
            let chooser = self.chooser(ground);
            let Ok(Some(choice)) = chooser.choose(&address, block.meta.provider.as_ref(), &scope) else {
                return unknown();
            };
            let Ok(Bound::Ready(kind)) = self.providers.data_source(&address, Some(&choice)).await else {
                return unknown();
            };
            let judged = arguments(block, &address, kind.schema(), |config| kind.validate(config), &scope);
            let Ok(Arguments { config, .. }) = judged else { return unknown() };
            if !config.is_wholly_known() {
                return unknown();
            }
            let Ok(limits) = Limits::of(&block.meta, &scope) else { return unknown() };
            match read(&self.engine, &address, kind.as_ref(), &config, &limits).await {
                Ok(value) => values.push(mark_by_schema(kind.schema(), with_marks_of(&config, value))),
                Err(_) => return unknown(),
            }
        }
        expansion.assemble(values)
    }

    fn chooser<'a>(&'a self, ground: Ground<'a>) -> Chooser<'a> {
        Chooser { configuration: ground.configuration, graph: ground.graph, values: &self.values }
    }

    /// The configuration that an object of the state was made with; `None` where its kind has nothing to configure.
    ///
    /// # Errors
    /// When the files have that configuration no longer, and do not say another one for the object.
    pub(crate) fn choice(
        &self,
        ground: Ground<'_>,
        address: &Address,
        recorded: Option<&ProviderAddress>,
    ) -> Result<Option<Choice>, Diagnostics> {
        let registry = &self.engine.registry;
        if address.kind == AddressKind::Stage || recorded.is_none() && !registry.is_configurable() {
            return Ok(None);
        }
        let Some(recorded) = recorded else {
            let implied = made_with(ground.configuration, address, None);
            if registry.provider(&implied.source).is_none_or(|provider| !provider.is_configurable()) {
                return Ok(None);
            }
            return Ok(self.chooser(ground).recorded(&implied));
        };
        if let Some(choice) = self.chooser(ground).recorded(recorded) {
            return Ok(Some(choice));
        }
        match self.configured(ground, address) {
            Some(choice) => Ok(Some(choice)),
            None => {
                let detail = format!(
                    "To work with {address} its original provider configuration at {recorded} is required, but it has been removed. This occurs when a \
                     provider configuration is removed while objects created by that provider still exist in the state. Re-add the provider \
                     configuration to destroy {address}, after which you can remove the provider configuration again."
                );
                Err(Diagnostic::error("Provider configuration not present", detail).about(address).into())
            }
        }
    }

    /// The configuration that a block means for one of its instances, as far as that follows from the state; `None`: it does not.
    ///
    /// # Errors
    /// When a key or a condition is no good.
    fn choice_of(
        &self,
        ground: Ground<'_>,
        address: &Address,
        block: &ObjectBlock,
    ) -> Result<Option<Choice>, Diagnostics> {
        let Some(node) = ground.graph.find_object(address) else { return Ok(None) };
        let instances = self.values.instances(ground.graph.module_of(node));
        let Some(module) = instances.and_then(|found| found.find(&address.module)) else {
            return Ok(self.configured(ground, address));
        };
        let mut scope = self.values.scope(ground.graph, node, module);
        if let Some(InstanceKey::Name(key)) = &address.key {
            let each = [("key", Value::from(key.as_str())), ("value", Value::unknown(Type::Any))];
            scope.set(&Reference::Each, Value::object(each));
        }
        let choice = self.chooser(ground).choose(address, block.meta.provider.as_ref(), &scope)?;
        Ok(choice.or_else(|| self.configured(ground, address)))
    }

    /// The kind of an object that is to be imported, bound to the configuration that its block means, and what the state remembers of that.
    ///
    /// # Errors
    /// When a key or a condition is no good, or the provider cannot be configured.
    pub(crate) async fn to_import(
        &self,
        ground: Ground<'_>,
        address: &Address,
    ) -> Result<Bound<(Arc<dyn Resource>, Option<ProviderAddress>)>, Diagnostics> {
        let configuration = ground.configuration;
        let block = configuration.object(address).ok_or_else(Diagnostics::new)?;
        let configures = configuration.configures_providers();
        let mut choice = None;
        if is_served(&self.engine.registry, configuration, configures, address, block) {
            choice = self.choice_of(ground, address, block)?;
            if choice.is_none() {
                return Ok(Bound::NotYet("which provider configuration it uses is not known".to_owned()));
            }
        }
        Ok(match self.providers.resource(address, choice.as_ref()).await? {
            Bound::Ready(kind) => Bound::Ready((kind, choice.and_then(|choice| remembered(&choice, address)))),
            Bound::NotYet(why) => Bound::NotYet(why),
        })
    }

    /// What the files say of an object that is still declared, where they leave no choice.
    fn configured(&self, ground: Ground<'_>, address: &Address) -> Option<Choice> {
        let block = ground.configuration.object(address)?;
        let path = address.module.declaration();
        let sites = sites_of(ground.configuration, &path, address, block.meta.provider.as_ref());
        match sites.as_slice() {
            [Site::Implicit(source)] => {
                Some(Choice { node: None, address: ProviderAddress::default_of(source.clone()) })
            }
            [Site::Block(module, name)] => {
                let own = ground.configuration.module(module)?;
                let found = own.providers.get(name).filter(|block| block.for_each.is_none())?;
                let node = ground.graph.find(ground.graph.find_module(module)?, &Node::Provider(name.clone()))?;
                let source = own.provider_source(&found.name);
                let address = ProviderAddress { module: module.clone(), source, alias: found.alias.clone(), key: None };
                Some(Choice { node: Some(node), address })
            }
            _ => None,
        }
    }

    /// The kind of an object of the state, bound to the configuration that it was made with.
    ///
    /// # Errors
    /// When there is no such configuration any more, or the provider cannot be configured.
    pub(crate) async fn resource(
        &self,
        ground: Ground<'_>,
        address: &Address,
        recorded: Option<&ProviderAddress>,
    ) -> Result<Bound<Arc<dyn Resource>>, Diagnostics> {
        let choice = self.choice(ground, address, recorded)?;
        if let Some(problems) = choice.as_ref().and_then(|choice| self.problems.get(&choice.node?)) {
            return Err(problems.clone());
        }
        self.providers.resource(address, choice.as_ref()).await
    }
}

/// The value of a block from the objects that exist: unknown where there are none, or one that no block could have.
fn existing(block: &ObjectBlock, address: &Address, objects: &BTreeMap<Address, Value>) -> Value {
    let of_block: BTreeMap<Option<&InstanceKey>, &Value> = objects
        .iter()
        .filter(|(other, _)| other.block() == *address)
        .map(|(other, value)| (other.key.as_ref(), value))
        .collect();
    let unknown = || Value::unknown(Type::Any);
    match (&block.meta.count, &block.meta.for_each) {
        (None, None) => of_block.get(&None).map_or_else(unknown, |value| (*value).clone()),
        _ if of_block.is_empty() => unknown(),
        (Some(_), _) => {
            let last = of_block.keys().filter_map(|key| match key {
                Some(InstanceKey::Index(index)) => Some(*index),
                _ => None,
            });
            // A damaged state may say anything.
            let Some(count) = last.max().map_or(Some(0), |last| last.checked_add(1)).filter(|count| *count <= MOST)
            else {
                return unknown();
            };
            let at =
                |index| of_block.get(&Some(&InstanceKey::Index(index))).map_or_else(unknown, |value| (*value).clone());
            Value::tuple((0..count).map(at))
        }
        (None, Some(_)) => Value::object(of_block.iter().filter_map(|(key, value)| match key {
            Some(InstanceKey::Name(name)) => Some((name.clone(), (*value).clone())),
            _ => None,
        })),
    }
}
