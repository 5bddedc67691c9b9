//! Provider configurations as they were when the objects of the state were made: evaluated from the state, and used to read objects and to remove
//! them.
//!
//! Evaluated is only what provider blocks need, in its order. An object counts with the attributes that the state has, or with those that a refresh
//! has seen. What cannot be evaluated this way stays unknown; what depends on it cannot be read, and is not.
//!
//! A module counts with the instances that it has now and those that the state has objects of: its outputs are what they were.
//!
//! A data source, an ephemeral resource or a module that is disabled now may be what a configuration was made from. Where objects of the state are
//! left that can be reached in no other way, such a configuration is evaluated once more as if `enabled` were true.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use petgraph::Direction;
use petgraph::graph::NodeIndex;
use pipectl_core::{
    Address, AddressKind, Diagnostic, Diagnostics, InstanceKey, ModulePath, ProviderAddress, Type, Value,
};
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
use crate::instances::Instances;
use crate::limits::Limits;
use crate::objects::attributes;
use crate::planner::{Arguments, arguments, with_marks_of};
use crate::selection::Selection;
use crate::values::Values;

/// Provider configurations that follow from the state.
pub(crate) struct Before {
    engine: Engine,
    values: Values,
    providers: Providers,
    /// What is wrong with blocks that could not be evaluated.
    problems: BTreeMap<NodeIndex, Diagnostics>,
    /// Modules that the state has objects in, or in modules inside.
    modules: Arc<BTreeSet<ModulePath>>,
    /// Whether disabled data sources, ephemeral resources and modules count as if they were not.
    ignores_enabled: bool,
    /// Provider blocks that need what is disabled, and everything as if it were not.
    formerly: Option<(BTreeSet<NodeIndex>, Box<Before>)>,
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
    pub(crate) fn new(engine: &Engine, graph: &Graph, pool: &Arc<Pool>, state: &State) -> Self {
        Self::with_modules(engine, graph, pool, Arc::new(Self::modules_of(graph, state)))
    }

    fn with_modules(engine: &Engine, graph: &Graph, pool: &Arc<Pool>, modules: Arc<BTreeSet<ModulePath>>) -> Self {
        Self {
            modules,
            engine: engine.clone(),
            values: Values::new(engine, graph, None),
            providers: Providers::of_state(engine, graph, Arc::clone(pool)),
            problems: BTreeMap::new(),
            ignores_enabled: false,
            formerly: None,
        }
    }

    fn modules_of(graph: &Graph, state: &State) -> BTreeSet<ModulePath> {
        let mut modules = BTreeSet::new();
        if graph.has_providers() {
            let called = state.intents.keys();
            for address in state.objects().map(|(address, ..)| address).chain(called) {
                let mut path = address.module.clone();
                while let Some((outer, _)) = path.parent()
                    && modules.insert(path)
                {
                    path = outer;
                }
            }
        }
        modules
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
        let mut before = Self::new(engine, ground.graph, pool, state);
        before.visit_from_state(ground, Self::needed(ground.graph), state, open).await;
        before.recall_disabled(ground, state, open).await;
        before
    }

    /// Evaluates nodes with the objects that the state has.
    async fn visit_from_state(&mut self, ground: Ground<'_>, nodes: Vec<NodeIndex>, state: &State, open: &OpenValues) {
        let is_needed = |node: &NodeIndex| match ground.graph.node(*node) {
            Node::Object(declaration) => Some(declaration),
            _ => None,
        };
        let declarations: BTreeSet<&Address> = nodes.iter().filter_map(is_needed).collect();
        let existing = state
            .objects()
            .filter(|(address, deposed, _)| deposed.is_none() && declarations.contains(&*address.declared()));
        let objects = existing
            .map(|(address, _, object)| (address.clone(), attributes(&self.engine.registry, address, object)))
            .collect();
        for node in nodes {
            self.visit(ground, node, &objects, open).await;
        }
    }

    /// Evaluates once more the provider blocks that could not be evaluated, that objects of the state were made with, and that need data sources,
    /// ephemeral resources or modules that may be disabled: as if those were not, from the objects as the state has them. Called when all others
    /// are evaluated.
    pub(crate) async fn recall_disabled(&mut self, ground: Ground<'_>, state: &State, open: &OpenValues) {
        let is_provider = |node: &NodeIndex| matches!(ground.graph.node(*node), Node::Provider(_));
        let mut failed: BTreeSet<NodeIndex> = self.problems.keys().copied().filter(is_provider).collect();
        if failed.is_empty() {
            return;
        }
        let serving = self.serving(ground, state, |_| true);
        failed.retain(|node| serving.contains(node));
        // The same nodes, with the references of what is disabled, too.
        let whole = Graph::new(ground.configuration);
        let needed = whole.closure(failed.iter().copied(), Direction::Incoming);
        let nodes: Vec<NodeIndex> = whole.order().iter().copied().filter(|node| needed[node.index()]).collect();
        let may_be_disabled = |node: &NodeIndex| match whole.node(*node) {
            Node::Object(declaration) if declaration.kind != AddressKind::Data => false,
            Node::Object(declaration) | Node::Ephemeral(declaration) => {
                ground.configuration.object(declaration).is_some_and(|block| block.meta.enabled.is_some())
            }
            Node::Call(name) => {
                let around = ground.configuration.module(&whole.module(whole.module_of(*node)).path);
                around.and_then(|around| around.modules.get(name)).is_some_and(|block| block.enabled.is_some())
            }
            _ => false,
        };
        if nodes.iter().any(may_be_disabled) {
            let new = Self::with_modules(&self.engine, &whole, self.providers.pool(), Arc::clone(&self.modules));
            let mut formerly = Self { ignores_enabled: true, ..new };
            // Boxed, because this is how the evaluation itself began.
            Box::pin(formerly.visit_from_state(Ground { graph: &whole, ..ground }, nodes, state, open)).await;
            self.formerly = Some((failed, Box::new(formerly)));
        }
    }

    /// The provider blocks that objects of the state were made with, and what interrupted runs may have made.
    fn serving(&self, ground: Ground<'_>, state: &State, is_meant: impl Fn(&Address) -> bool) -> BTreeSet<NodeIndex> {
        let objects = state.objects().map(|(address, _, object)| (address, object.provider.as_ref()));
        let called = state.intents.iter().map(|(address, intent)| (address, intent.provider.as_ref()));
        let meant = objects.chain(called).filter(|(address, _)| is_meant(address));
        meant.filter_map(|(address, recorded)| self.choice(ground, address, recorded).ok()??.node).collect()
    }

    /// By node: whether a provider is configured from it that objects of a selection were made with.
    pub(crate) fn configures(&self, ground: Ground<'_>, state: &State, selection: &Selection) -> Vec<bool> {
        ground.graph.closure(self.serving(ground, state, |address| selection.has(address)), Direction::Incoming)
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
            forgives: false,
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
                let ignores_enabled = self.ignores_enabled;
                let opening = Opening { evaluation, open, providers, waits, is_needed: true, ignores_enabled };
                if let Err(problems) = opening.block(node, declaration).await {
                    self.problems.insert(node, problems);
                }
            }
            Node::Call(name) => {
                if let Err(problems) = self.call(ground, node, name) {
                    self.problems.insert(node, problems);
                }
            }
            // What is wrong with other values is told where they are planned.
            _ => drop(evaluation.evaluate(node)),
        }
    }

    /// Finds out which instances a module has: those of now, and those that the state has objects in.
    ///
    /// # Errors
    /// When it is disabled, and the state still has objects in it: what it puts out now is not what it put out for them.
    fn call(&self, ground: Ground<'_>, node: NodeIndex, name: &str) -> Result<(), Diagnostics> {
        let (graph, values) = (ground.graph, &self.values);
        let module = graph.module_of(node);
        let path = &graph.module(module).path;
        let block = ground.configuration.module(path).and_then(|own| own.modules.get(name));
        let (Some(block), Some(inside), Some(around)) =
            (block, graph.find_module(&path.child(name, None)), values.instances(module))
        else {
            return Ok(());
        };
        let mut expansions = Vec::with_capacity(around.len());
        for (instance, outer) in around.paths().iter().enumerate() {
            let scope = values.scope(graph, node, instance);
            let enabled = block.enabled.as_ref().filter(|_| !self.ignores_enabled);
            let now = Expansion::evaluate(enabled, block.count.as_ref(), block.for_each.as_ref(), &scope);
            let keys = self.keys_in_state(outer, name);
            expansions.push(match now {
                Ok(Expansion::Disabled) if !keys.is_empty() => {
                    let detail = format!("{} is disabled.", outer.child(name, None));
                    return Err(Diagnostic::error("Module disabled", detail).at(block.span.clone()).into());
                }
                Ok(now) => now.with_keys(&keys),
                // What is wrong with it is told where it is planned.
                Err(_) => Expansion::of_keys(&keys),
            });
        }
        values.set_instances(inside, Instances::inside(around, name, expansions, ground.configuration));
        Ok(())
    }

    /// The instances of a module in an instance of the module around it that the state has objects in.
    fn keys_in_state(&self, outer: &ModulePath, name: &str) -> Vec<Option<InstanceKey>> {
        let depth = outer.steps().len();
        // Whatever is inside of one path comes after it, and before anything else.
        let of_block = self.modules.range(outer.child(name, None)..).take_while(|path| {
            path.steps().starts_with(outer.steps()) && path.steps().get(depth).is_some_and(|step| step.name == name)
        });
        let direct = of_block.filter(|path| path.steps().len() == depth + 1);
        direct.map(|path| path.steps()[depth].key.clone()).collect()
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
        let enabled = block.meta.enabled.as_ref().filter(|_| !self.ignores_enabled);
        let expansion = Expansion::evaluate(enabled, block.meta.count.as_ref(), block.meta.for_each.as_ref(), &scope);
        let Ok(expansion) = expansion else { return unknown() };
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
                Ok(value) => values.push(self.engine.mark(kind.schema(), with_marks_of(&config, value))),
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
        let has_client =
            |address: &ProviderAddress| registry.provider(&address.source).is_some_and(|found| found.is_configurable());
        let Some(recorded) = recorded else {
            let implied = made_with(ground.configuration, address, None);
            if !has_client(&implied) {
                return Ok(None);
            }
            return Ok(self.chooser(ground).recorded(&implied));
        };
        if let Some(choice) = self.chooser(ground).recorded(recorded) {
            return Ok(Some(choice));
        }
        // Where there is nothing to configure, nothing of a configuration is missed.
        if !has_client(recorded) {
            return Ok(Some(Choice { node: None, address: recorded.clone() }));
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
        if let Some(node) = choice.as_ref().and_then(|choice| choice.node)
            && let Some(problems) = self.problems.get(&node)
        {
            return match &self.formerly {
                Some((providers, formerly)) if providers.contains(&node) => match formerly.problems.get(&node) {
                    Some(problems) => Err(self.still_needed(address, problems)),
                    None => formerly.providers.resource(address, choice.as_ref()).await,
                },
                _ => Err(self.still_needed(address, problems)),
            };
        }
        self.providers.resource(address, choice.as_ref()).await
    }

    /// What is wrong with a provider block, as far as an object needs it that was made with it.
    fn still_needed(&self, address: &Address, problems: &Diagnostics) -> Diagnostics {
        let with_way_out = |problem: Diagnostic| {
            // The same for all objects: it is told once.
            let detail = format!(
                "{}\n\nObjects that were made with this provider configuration still exist, and they are read and removed with it. Leave what it is made \
                 from in the files until they are removed, or remove them from the state.",
                problem.detail
            );
            Diagnostic { detail, ..problem }.hint(self.engine.folders.command("state rm", &format!("'{address}'")))
        };
        problems.iter().cloned().map(with_way_out).collect()
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
