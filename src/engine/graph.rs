//! The graph of a configuration: what must be known before what.
//!
//! Nodes are the blocks and values of the configuration, of all its modules; an edge leads from what is referred to, to what refers to it.
//! Building, ordering and every question here cost O(V + E). Instances share a node, those of a block as those of the module around it:
//! `count` and `for_each` are known only when the block is planned. Two nodes stand for a `module` block: [`Node::Call`] comes before all
//! that is inside and says which instances there are, [`Node::Module`] comes after it and is the module as a value.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::fmt;
use std::sync::Arc;

use petgraph::Direction;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use pipectl_core::{Address, AddressKind, Diagnostic, Diagnostics, ModulePath, Span};
use pipectl_lang::{Configuration, Dependency, ModuleBlock, Reference};

use crate::providers::locate::{Site, sites_of};

/// One node. Names are those of its module; addresses of objects tell the module, too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    /// The value of a variable.
    Variable(String),
    /// The validation rules of a variable.
    Validation(String),
    /// A local value.
    Local(String),
    /// A model.
    Model(String),
    /// An executor.
    Executor(String, String),
    /// A provider block, by its key in [`Configuration::providers`].
    Provider(String),
    /// All instances of a resource, data source or stage in all instances of its module.
    Object(Address),
    /// All instances of an ephemeral resource in all instances of its module.
    Ephemeral(Address),
    /// Which instances a module has.
    Call(String),
    /// A module with everything inside.
    Module(String),
    /// An output.
    Output(String),
    /// A check.
    Check(String),
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::Variable(name) => write!(f, "var.{name}"),
            Node::Validation(name) => write!(f, "var.{name} (validation)"),
            Node::Local(name) => write!(f, "local.{name}"),
            Node::Model(name) => write!(f, "model.{name}"),
            Node::Executor(kind, name) => write!(f, "executor.{kind}.{name}"),
            Node::Provider(name) => write!(f, "provider.{name}"),
            Node::Object(address) | Node::Ephemeral(address) => write!(f, "{address}"),
            Node::Call(name) => write!(f, "module.{name} (expand)"),
            Node::Module(name) => write!(f, "module.{name}"),
            Node::Output(name) => write!(f, "output.{name}"),
            Node::Check(name) => write!(f, "check.{name}"),
        }
    }
}

impl Node {
    /// The node of a block of objects or ephemeral values, by the block's declaration.
    fn of(declaration: Address) -> Self {
        match declaration.kind {
            AddressKind::Resource | AddressKind::Data | AddressKind::Stage => Node::Object(declaration),
            AddressKind::Ephemeral => Node::Ephemeral(declaration),
        }
    }

    /// Whether its value comes from a provider.
    pub(crate) fn takes_calls(&self) -> bool {
        matches!(self, Node::Object(_) | Node::Ephemeral(_))
    }

    /// How expressions of its module refer to it; `None`: they cannot.
    pub(crate) fn reference(&self) -> Option<Reference> {
        Some(match self {
            Node::Variable(name) => Reference::Variable(name.clone()),
            Node::Local(name) => Reference::Local(name.clone()),
            Node::Model(name) => Reference::Model(name.clone()),
            Node::Executor(kind, name) => Reference::Executor { kind: kind.clone(), name: name.clone() },
            Node::Object(address) | Node::Ephemeral(address) => Reference::Object(address.inside_module()),
            Node::Module(name) => Reference::Module(name.clone()),
            Node::Provider(_) | Node::Call(_) | Node::Validation(_) | Node::Output(_) | Node::Check(_) => return None,
        })
    }
}

/// A module of the graph, whatever its instances: a position in the list of modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ModuleId(usize);

impl ModuleId {
    /// The root module.
    pub(crate) const ROOT: ModuleId = ModuleId(0);

    /// The position in a list with one element for each module.
    pub(crate) fn index(self) -> usize {
        self.0
    }
}

/// A module of the graph.
#[derive(Debug)]
pub(crate) struct Module {
    /// Its path, without instances.
    pub(crate) path: ModulePath,
    /// The module that has its block, and the block's name; `None` for the root module.
    pub(crate) parent: Option<(ModuleId, String)>,
    /// Whether its block has `count` or `for_each`.
    pub(crate) has_keys: bool,
    /// The way to its folder from the root module's; empty for the root module.
    pub(crate) folder: String,
    children: BTreeMap<String, ModuleId>,
}

/// Blocks of which none of the arguments are evaluated.
#[derive(Debug, Default)]
pub(crate) struct Disabled {
    /// Whether objects are given: all that is evaluated of any block of one is what says which instances there are.
    given_objects: bool,
    /// Declarations of objects.
    pub(crate) objects: BTreeSet<Address>,
    /// Modules, without instances: nothing inside is evaluated.
    pub(crate) modules: BTreeSet<ModulePath>,
}

impl Disabled {
    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.modules.is_empty()
    }
}

/// The graph of one configuration.
#[derive(Debug)]
pub(crate) struct Graph {
    nodes: DiGraph<(ModuleId, Node), Span>,
    index: BTreeMap<(ModuleId, Node), NodeIndex>,
    /// The same of objects and ephemeral values, whose addresses tell the module. Asked for each object, again and again.
    objects: HashMap<Address, NodeIndex>,
    /// Each after the one that has its block.
    modules: Vec<Module>,
    paths: BTreeMap<ModulePath, ModuleId>,
    /// By variable: its validation, where that can be judged before anything else uses the variable.
    gates: BTreeMap<NodeIndex, NodeIndex>,
    order: Vec<NodeIndex>,
}

/// References that are still to become edges.
struct Wanted {
    node: NodeIndex,
    /// The module whose names they are.
    module: ModuleId,
    references: Vec<(Reference, Span)>,
}

impl Graph {
    /// The graph of everything in `configuration`. References to what is not declared are left out: who checks references reports them.
    pub(crate) fn new(configuration: &Configuration) -> Self {
        Self::without_arguments_of(configuration, &Disabled::default())
    }

    /// The same where objects are given, so that their blocks need only what decides which instances they have.
    pub(crate) fn of_given_objects(configuration: &Configuration) -> Self {
        Self::without_arguments_of(configuration, &Disabled { given_objects: true, ..Disabled::default() })
    }

    /// The same, where the blocks in `disabled` need nothing but what `enabled` refers to: none of their arguments are
    /// evaluated.
    pub(crate) fn without_arguments_of(configuration: &Configuration, disabled: &Disabled) -> Self {
        let mut graph = Self {
            nodes: DiGraph::new(),
            index: BTreeMap::new(),
            objects: HashMap::new(),
            modules: Vec::new(),
            paths: BTreeMap::new(),
            gates: BTreeMap::new(),
            order: Vec::new(),
        };
        let mut wanted = Vec::new();
        graph.add_module(configuration, None, disabled, false, &mut wanted);
        for block in &configuration.imports {
            // An object is taken over when its block is planned. What its id comes from is the root module's, wherever the block is.
            if let Some(node) = graph.find_object(&block.to.declaration) {
                // That an id may not come from the object itself is not for the graph to say.
                let is_other = |(reference, _): &(Reference, Span)| !block.to.is_meant(reference);
                let references = block.references().into_iter().filter(is_other).collect();
                wanted.push(Wanted { node, module: ModuleId::ROOT, references });
            }
        }
        for Wanted { node, module, references } in wanted {
            let mut seen = BTreeSet::new();
            for (reference, span) in references {
                let Some(from) = graph.resolve(module, &reference) else { continue };
                if !seen.insert(from) {
                    continue;
                }
                // A value that breaks its own rules is used by nobody.
                if let Some(&gate) = graph.gates.get(&from)
                    && !matches!(graph.node(node), Node::Validation(_))
                {
                    graph.nodes.add_edge(gate, node, span.clone());
                }
                graph.nodes.add_edge(from, node, span);
            }
        }
        if configuration.configures_providers() {
            graph.add_provider_edges(configuration, disabled);
        }
        graph.order = graph.sort();
        graph
    }

    /// What serves an object comes before it: every configuration that may, where values decide which.
    fn add_provider_edges(&mut self, configuration: &Configuration, disabled: &Disabled) {
        let mut edges = Vec::new();
        configuration.visit_modules(&mut |path, module| {
            if disabled.modules.iter().any(|off| off.contains(path)) {
                return;
            }
            for (address, block) in &module.objects {
                let address = address.in_module(path);
                let Some(object) = self.find_object(&address).filter(|_| !disabled.objects.contains(&address)) else {
                    continue;
                };
                for site in sites_of(configuration, path, &address, block.meta.provider.as_ref()) {
                    let Site::Block(module, name) = site else { continue };
                    let node = self.find_module(&module).and_then(|module| self.find(module, &Node::Provider(name)));
                    edges.extend(node.map(|node| (node, object, block.span.clone())));
                }
            }
        });
        for (provider, object, span) in edges {
            self.nodes.add_edge(provider, object, span);
        }
    }

    /// Whether a node is a provider block that nothing uses: as in Terraform it is not evaluated then, so that it may be made from what is disabled.
    pub(crate) fn is_idle_provider(&self, node: NodeIndex) -> bool {
        matches!(self.node(node), Node::Provider(_)) && self.needed_by(node).next().is_none()
    }

    /// Whether there is any provider block.
    pub(crate) fn has_providers(&self) -> bool {
        self.nodes.node_weights().any(|(_, node)| matches!(node, Node::Provider(_)))
    }

    /// Adds the nodes of a module and of those below, and the edges that hold a module together.
    fn add_module(
        &mut self,
        configuration: &Configuration,
        outer: Option<(ModuleId, &ModuleBlock)>,
        disabled: &Disabled,
        is_disabled: bool,
        wanted: &mut Vec<Wanted>,
    ) -> Vec<NodeIndex> {
        let id = ModuleId(self.modules.len());
        let path = match outer {
            None => ModulePath::ROOT,
            Some((parent, block)) => self.module(parent).path.child(&block.name, None),
        };
        if let Some((ModuleId(parent), block)) = outer {
            self.modules[parent].children.insert(block.name.clone(), id);
        }
        self.paths.insert(path.clone(), id);
        self.modules.push(Module {
            path: path.clone(),
            parent: outer.map(|(parent, block)| (parent, block.name.clone())),
            has_keys: outer.is_some_and(|(_, block)| block.count.is_some() || block.for_each.is_some()),
            folder: configuration.folder.clone(),
            children: BTreeMap::new(),
        });
        let first = self.nodes.node_count();
        let mut own = Vec::new();
        let mut want = |node: NodeIndex, module: ModuleId, references: Vec<(Reference, Span)>| {
            if !is_disabled {
                wanted.push(Wanted { node, module, references });
            }
        };
        for (name, block) in &configuration.variables {
            let node = self.add(id, Node::Variable(name.clone()));
            // What is given to a module is said in terms of the module that has its block.
            if let Some((parent, outer)) = outer
                && let Some(argument) = outer.inputs.argument(name)
            {
                want(node, parent, argument.value.references());
            }
            if !block.validations.is_empty() {
                let own = Reference::Variable(name.clone());
                let mut references = vec![(own.clone(), block.span.clone())];
                references.extend(block.validations.iter().flat_map(|rule| rule.references()));
                let validation = self.add(id, Node::Validation(name.clone()));
                // Rules that refer to more may refer to what uses the variable. The root module's variables come from outside.
                let comes_first = |(reference, _): &(Reference, Span)| {
                    *reference == own || outer.is_none() && matches!(reference, Reference::Variable(_))
                };
                if references.iter().all(comes_first) {
                    self.gates.insert(node, validation);
                }
                want(validation, id, references);
            }
        }
        for (name, local) in &configuration.locals {
            want(self.add(id, Node::Local(name.clone())), id, local.expression.references());
        }
        for (name, block) in &configuration.models {
            want(self.add(id, Node::Model(name.clone())), id, block.references());
        }
        for ((kind, name), block) in &configuration.executors {
            let mut references = block.body.references();
            references.extend(block.enabled.iter().flat_map(|enabled| enabled.references()));
            want(self.add(id, Node::Executor(kind.clone(), name.clone())), id, references);
        }
        for (name, block) in &configuration.providers {
            want(self.add(id, Node::Provider(name.clone())), id, block.references());
        }
        for (address, block) in &configuration.objects {
            let address = address.in_module(&path);
            let references = if disabled.given_objects {
                let meta = &block.meta;
                let given = [&meta.enabled, &meta.count, &meta.for_each].into_iter().flatten();
                given.flat_map(|given| given.references()).collect()
            } else if disabled.objects.contains(&address) {
                // All that is evaluated of such a block is what says that it is one.
                block.meta.enabled.iter().flat_map(|enabled| enabled.references()).collect()
            } else {
                let mut references = block.meta.references();
                references.extend(block.body.references());
                references
            };
            want(self.add(id, Node::of(address)), id, references);
        }
        for (name, block) in &configuration.outputs {
            let mut references = block.value.references();
            references.extend(block.depends_on.iter().map(Dependency::located));
            references.extend(block.preconditions.iter().flat_map(|rule| rule.references()));
            want(self.add(id, Node::Output(name.clone())), id, references);
        }
        for (name, block) in &configuration.checks {
            let references = block.assertions.iter().flat_map(|rule| rule.references()).collect();
            want(self.add(id, Node::Check(name.clone())), id, references);
        }
        own.extend((first..self.nodes.node_count()).map(NodeIndex::new));
        for (name, block) in &configuration.modules {
            let inside = path.child(name, None);
            let off = disabled.modules.contains(&inside);
            let call = self.add(id, Node::Call(name.clone()));
            if !is_disabled {
                let references = match off {
                    true => block.enabled.iter().flat_map(|enabled| enabled.references()).collect(),
                    false => block.references(),
                };
                wanted.push(Wanted { node: call, module: id, references });
            }
            let parts = match &block.configuration {
                Some(inside) => self.add_module(inside, Some((id, block)), disabled, is_disabled || off, wanted),
                None => Vec::new(),
            };
            let whole = self.add(id, Node::Module(name.clone()));
            self.nodes.add_edge(call, whole, block.span.clone());
            let is_of_check = |address: &Address| {
                let inside = block.configuration.as_ref().and_then(|inside| inside.objects.get(address));
                inside.is_some_and(|block| block.check.is_some())
            };
            for part in parts {
                self.nodes.add_edge(call, part, block.span.clone());
                let counts = match self.node(part) {
                    // What a check reads is seen by nobody else.
                    Node::Object(address) => !is_of_check(&address.inside_module()),
                    Node::Ephemeral(_) | Node::Output(_) | Node::Module(_) | Node::Validation(_) => true,
                    Node::Variable(_)
                    | Node::Local(_)
                    | Node::Model(_)
                    | Node::Executor(..)
                    | Node::Provider(_)
                    | Node::Call(_)
                    | Node::Check(_) => false,
                };
                if counts {
                    self.nodes.add_edge(part, whole, block.span.clone());
                }
            }
            own.extend([call, whole]);
        }
        own
    }

    fn add(&mut self, module: ModuleId, node: Node) -> NodeIndex {
        let index = self.nodes.add_node((module, node.clone()));
        match node {
            Node::Object(address) | Node::Ephemeral(address) => self.objects.insert(address, index),
            node => self.index.insert((module, node), index),
        };
        index
    }

    /// The node that a reference in a module asks for; `None` for what every scope has, and for what is not declared.
    ///
    /// One output of a module is asked for by itself: what needs it waits for nothing else of the module. Where there is no such output the
    /// whole module is asked for, and evaluation says what is wrong.
    pub(crate) fn resolve(&self, module: ModuleId, reference: &Reference) -> Option<NodeIndex> {
        let node = match reference {
            Reference::Variable(name) => Node::Variable(name.clone()),
            Reference::Local(name) => Node::Local(name.clone()),
            Reference::Object(address) => Node::of(address.block().in_module(&self.module(module).path)),
            Reference::Model(name) => Node::Model(name.clone()),
            Reference::Executor { kind, name } => Node::Executor(kind.clone(), name.clone()),
            Reference::Module(name) => Node::Module(name.clone()),
            Reference::ModuleOutput { module: name, output, of_instances } => {
                let inside = self.module(module).children.get(name).copied();
                let inside = inside.filter(|inside| self.module(*inside).has_keys == *of_instances);
                match inside.and_then(|inside| self.find(inside, &Node::Output(output.clone()))) {
                    Some(output) => return Some(output),
                    None => Node::Module(name.clone()),
                }
            }
            Reference::Path(_)
            | Reference::Each
            | Reference::Count
            | Reference::SelfObject
            | Reference::Terraform(_)
            | Reference::Provider(_) => return None,
        };
        self.find(module, &node)
    }

    /// Kahn's algorithm; among nodes that are free at the same time, the order of declaration. Nodes on a cycle, and what needs them, are left out.
    fn sort(&self) -> Vec<NodeIndex> {
        let mut missing: Vec<usize> = self
            .nodes
            .node_indices()
            .map(|node| self.nodes.neighbors_directed(node, Direction::Incoming).count())
            .collect();
        let mut free: BinaryHeap<Reverse<NodeIndex>> =
            self.nodes.node_indices().filter(|node| missing[node.index()] == 0).map(Reverse).collect();
        let mut order = Vec::with_capacity(missing.len());
        while let Some(Reverse(node)) = free.pop() {
            order.push(node);
            for next in self.nodes.neighbors_directed(node, Direction::Outgoing) {
                missing[next.index()] -= 1;
                if missing[next.index()] == 0 {
                    free.push(Reverse(next));
                }
            }
        }
        order
    }

    /// An error for each circle of references.
    pub(crate) fn cycles(&self) -> Diagnostics {
        if self.order.len() == self.nodes.node_count() {
            return Diagnostics::new();
        }
        let mut components: Vec<BTreeSet<NodeIndex>> =
            kosaraju_scc(&self.nodes).into_iter().map(|component| component.into_iter().collect()).collect();
        components.retain(|component: &BTreeSet<NodeIndex>| {
            component.len() > 1 || component.iter().any(|node| self.nodes.contains_edge(*node, *node))
        });
        components.sort();
        components.iter().map(|component| self.cycle(component)).collect()
    }

    /// Follows references inside a strongly connected component until one comes up again.
    fn cycle(&self, component: &BTreeSet<NodeIndex>) -> Diagnostic {
        let start = *component.first().expect("a component has nodes");
        let mut chain = vec![start];
        loop {
            let last = *chain.last().expect("the chain has a start");
            let next = self
                .nodes
                .neighbors_directed(last, Direction::Incoming)
                .filter(|node| component.contains(node))
                .min()
                .expect("every node of a component has a predecessor in it");
            if let Some(position) = chain.iter().position(|node| *node == next) {
                chain.drain(..position);
                break;
            }
            chain.push(next);
        }
        let first = chain[0];
        let second = *chain.get(1).unwrap_or(&first);
        let span = self.nodes.find_edge(second, first).map(|edge| self.nodes[edge].clone());
        if chain.len() == 1 {
            let detail = format!(
                "{} refers to itself. What a block makes is not known while its own arguments are evaluated.",
                self.name(first)
            );
            return Diagnostic::error("Self-referential block", detail).or_at(span.as_ref());
        }
        let mut names: Vec<String> = chain.iter().map(|node| self.name(*node)).collect();
        names.push(names[0].clone());
        let detail =
            format!("These refer to each other in a circle, so none of them can come first: {}.", names.join(" -> "));
        Diagnostic::error("Cycle", detail).or_at(span.as_ref())
    }

    /// How many nodes there are; their indices are below.
    pub(crate) fn len(&self) -> usize {
        self.nodes.node_count()
    }

    /// All nodes that are not on a cycle, each after what it needs.
    pub(crate) fn order(&self) -> &[NodeIndex] {
        &self.order
    }

    /// The node at an index.
    pub(crate) fn node(&self, index: NodeIndex) -> &Node {
        &self.nodes[index].1
    }

    /// The module that a node belongs to.
    pub(crate) fn module_of(&self, index: NodeIndex) -> ModuleId {
        self.nodes[index].0
    }

    /// What people call the node at an index.
    pub(crate) fn name(&self, index: NodeIndex) -> String {
        let (module, node) = &self.nodes[index];
        match (node, self.module(*module).path.is_root()) {
            (Node::Object(_) | Node::Ephemeral(_), _) | (_, true) => node.to_string(),
            (_, false) => format!("{}.{node}", self.module(*module).path),
        }
    }

    /// All modules, each after the one that has its block.
    pub(crate) fn modules(&self) -> impl Iterator<Item = (ModuleId, &Module)> {
        self.modules.iter().enumerate().map(|(index, module)| (ModuleId(index), module))
    }

    /// One module.
    pub(crate) fn module(&self, id: ModuleId) -> &Module {
        &self.modules[id.0]
    }

    /// The module at a path, of which instances do not matter.
    pub(crate) fn find_module(&self, path: &ModulePath) -> Option<ModuleId> {
        self.paths.get(&path.declaration()).copied()
    }

    /// Where a node of a module is.
    pub(crate) fn find(&self, module: ModuleId, node: &Node) -> Option<NodeIndex> {
        match node {
            Node::Object(address) | Node::Ephemeral(address) => self.objects.get(address).copied(),
            node => self.index.get(&(module, node.clone())).copied(),
        }
    }

    /// Where the block of an object is.
    pub(crate) fn find_object(&self, address: &Address) -> Option<NodeIndex> {
        self.objects.get(&*address.declared()).copied()
    }

    /// What a node needs directly.
    pub(crate) fn needs(&self, index: NodeIndex) -> impl Iterator<Item = NodeIndex> {
        self.nodes.neighbors_directed(index, Direction::Incoming)
    }

    /// What needs a node directly.
    pub(crate) fn needed_by(&self, index: NodeIndex) -> impl Iterator<Item = NodeIndex> {
        self.nodes.neighbors_directed(index, Direction::Outgoing)
    }

    /// The nodes of `start` and all that they need (`Incoming`) or all that need them (`Outgoing`), by index.
    pub(crate) fn closure(&self, start: impl IntoIterator<Item = NodeIndex>, direction: Direction) -> Vec<bool> {
        let mut inside = vec![false; self.len()];
        let mut open: Vec<NodeIndex> = start.into_iter().collect();
        while let Some(node) = open.pop() {
            if !std::mem::replace(&mut inside[node.index()], true) {
                open.extend(self.nodes.neighbors_directed(node, direction));
            }
        }
        inside
    }

    /// For each node the blocks of objects that it refers to, directly or through variables, locals, modules, models, executors and providers.
    pub(crate) fn objects_needed(&self) -> Vec<Arc<BTreeSet<Address>>> {
        let none = Arc::new(BTreeSet::new());
        let mut found = vec![Arc::clone(&none); self.len()];
        for &node in &self.order {
            let mut all = Arc::clone(&none);
            for need in self.needs(node) {
                if let Node::Object(address) = self.node(need) {
                    Arc::make_mut(&mut all).insert(address.clone());
                } else if all.is_empty() {
                    // Most have one way only: it is shared, not copied.
                    all = Arc::clone(&found[need.index()]);
                } else if !found[need.index()].is_empty() {
                    Arc::make_mut(&mut all).extend(found[need.index()].iter().cloned());
                }
            }
            found[node.index()] = all;
        }
        found
    }

    /// The objects that must outlive those of a node: what it refers to, and through data sources what those refer to. `needed` is what
    /// [`Graph::objects_needed`] gives.
    pub(crate) fn dependencies(&self, needed: &[Arc<BTreeSet<Address>>], node: NodeIndex) -> Vec<Address> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::from([node]);
        let mut open = vec![node];
        while let Some(next) = open.pop() {
            for address in needed[next.index()].iter() {
                match address.kind {
                    AddressKind::Data => open.extend(self.find_object(address).filter(|data| seen.insert(*data))),
                    AddressKind::Resource | AddressKind::Stage => drop(found.insert(address.clone())),
                    // What its arguments refer to is among what is needed already.
                    AddressKind::Ephemeral => {}
                }
            }
        }
        if let Node::Object(own) = self.node(node) {
            found.remove(own);
        }
        found.into_iter().collect()
    }

    /// For each node whether an object, or an ephemeral value, is among what it needs, however far away.
    pub(crate) fn needs_objects(&self) -> Vec<bool> {
        // What lies on a cycle is never evaluated before the cycle is reported: it counts as if it needed an object.
        let mut needs = vec![true; self.len()];
        for &node in &self.order {
            needs[node.index()] = self.needs(node).any(|need| needs[need.index()] || self.node(need).takes_calls());
        }
        needs
    }
}
