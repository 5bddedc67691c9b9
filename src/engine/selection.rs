//! Which part of the graph an operation is about: `-target` and `-exclude`.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::Direction;
use petgraph::graph::NodeIndex;
use pipectl_core::suggest::did_you_mean;
use pipectl_core::{Address, Diagnostic, Diagnostics, Target};
use pipectl_state::State;

use crate::graph::{Graph, Node};
use crate::{Mode, Moved, PlanOptions};

/// The part that is selected. What a selected node needs is selected too, so values never come from outside the selection.
#[derive(Debug)]
pub(crate) struct Selection {
    nodes: Vec<bool>,
    /// What `-target` asks for; empty: everything.
    targets: Vec<Target>,
    /// Declarations that are selected because a target needs them: all their instances.
    needed: BTreeSet<Address>,
    excludes: Vec<Target>,
    /// Declarations that depend on an excluded one.
    left_out: BTreeSet<Address>,
}

impl Selection {
    /// The selection of a plan.
    pub(crate) fn of(graph: &Graph, state: Option<&State>, options: &PlanOptions) -> Self {
        let mut nodes = vec![true; graph.len()];
        let mut needed = BTreeSet::new();
        if !options.targets.is_empty() {
            nodes = graph.closure(nodes_of(graph, &options.targets), Direction::Incoming);
            let is_target = |block: &Address| options.targets.iter().any(|target| declares(target, block));
            needed = blocks(graph, &nodes).filter(|block| !is_target(block)).collect();
            add_outputs(graph, &mut nodes);
        }
        let mut left_out = BTreeSet::new();
        if !options.excludes.is_empty() {
            let (whole, some): (Vec<Target>, Vec<Target>) = options.excludes.iter().cloned().partition(is_everything);
            let mut excluded = graph.closure(nodes_of(graph, &whole), Direction::Outgoing);
            // What depends on an excluded instance depends on its block; the other instances of that go on.
            let mut dependants = graph.closure(nodes_of(graph, &some), Direction::Outgoing);
            for &node in graph.order() {
                dependants[node.index()] &= !some.iter().any(|target| is_part(graph, node, target));
            }
            excluded.iter_mut().zip(dependants).for_each(|(excluded, dependant)| *excluded |= dependant);
            left_out = blocks(graph, &excluded).collect();
            nodes.iter_mut().zip(excluded).for_each(|(selected, excluded)| *selected &= !excluded);
        }
        if options.mode == Mode::Destroy && !options.targets.is_empty() {
            // What depends on a target goes with it; what it needs stays.
            let start = declarations(state, &options.targets);
            needed = with_dependants(state, start.clone()).difference(&start).cloned().collect();
        }
        if options.mode == Mode::Destroy && !options.excludes.is_empty() {
            // What an excluded object needs stays with it.
            left_out = with_dependencies(state, declarations(state, &options.excludes));
        }
        Self { nodes, targets: options.targets.clone(), needed, excludes: options.excludes.clone(), left_out }
    }

    /// Whether a node of the graph is selected.
    pub(crate) fn has_node(&self, node: NodeIndex) -> bool {
        self.nodes[node.index()]
    }

    /// Whether what has moved may leave its old address: `-target` names both ends of a move.
    pub(crate) fn has_source(&self, from: &Address) -> bool {
        self.targets.is_empty() || self.targets.iter().any(|target| target.contains(from))
    }

    /// Whether an object is selected: of the configuration or only of the state.
    pub(crate) fn has(&self, address: &Address) -> bool {
        if self.targets.is_empty() && self.excludes.is_empty() {
            return true;
        }
        let block = address.declaration();
        let wanted = self.targets.is_empty()
            || self.targets.iter().any(|target| target.contains(address))
            || self.needed.contains(&block);
        let is_chosen = |target: &Target| !is_everything(target) && declares(target, &block);
        let whole_block_left_out = self.left_out.contains(&block) && !self.excludes.iter().any(is_chosen);
        wanted && !self.excludes.iter().any(|target| target.contains(address)) && !whole_block_left_out
    }
}

/// Whether a target leaves out no instance, of modules neither.
fn is_everything(target: &Target) -> bool {
    declaration(target) == *target
}

fn declaration(target: &Target) -> Target {
    match target {
        Target::Module(path) => Target::Module(path.declaration()),
        Target::Object(address) => Target::Object(address.declaration()),
    }
}

/// Whether a target means instances of a declaration.
fn declares(target: &Target, block: &Address) -> bool {
    declaration(target).contains(block)
}

/// The nodes of the objects that targets mean.
fn nodes_of(graph: &Graph, targets: &[Target]) -> Vec<NodeIndex> {
    let wanted: Vec<Target> = targets.iter().map(declaration).collect();
    let is_meant = |node: &NodeIndex| match graph.node(*node) {
        Node::Object(address) => wanted.iter().any(|target| target.contains(address)),
        _ => false,
    };
    graph.order().iter().copied().filter(is_meant).collect()
}

/// Whether a node is the block that a target means, or part of the module.
fn is_part(graph: &Graph, node: NodeIndex, target: &Target) -> bool {
    match (declaration(target), graph.node(node)) {
        (Target::Module(path), _) => path.contains(&graph.module(graph.module_of(node)).path),
        (block, Node::Object(address)) => block.contains(address),
        _ => false,
    }
}

/// The declarations of what the state has of targets.
fn declarations(state: Option<&State>, targets: &[Target]) -> BTreeSet<Address> {
    let objects = state.into_iter().flat_map(State::objects).map(|(address, _, _)| address);
    objects.filter(|address| targets.iter().any(|target| target.contains(address))).map(Address::declaration).collect()
}

fn blocks<'a>(graph: &'a Graph, selected: &'a [bool]) -> impl Iterator<Item = Address> + 'a {
    graph.order().iter().filter(|node| selected[node.index()]).filter_map(|node| match graph.node(*node) {
        Node::Object(address) => Some(address.clone()),
        _ => None,
    })
}

/// Outputs and checks whose every object is selected are selected with all that they need. Those that come from no object have nothing to do
/// with any target; only what is given to variables is judged in any case.
fn add_outputs(graph: &Graph, nodes: &mut [bool]) {
    let objects = graph.objects_needed();
    let complete: Vec<NodeIndex> = graph
        .order()
        .iter()
        .copied()
        .filter(|node| matches!(graph.node(*node), Node::Output(_) | Node::Check(_) | Node::Validation(_)))
        .filter(|node| {
            let mut needed = objects[node.index()].iter();
            let is_concerned = !objects[node.index()].is_empty() || matches!(graph.node(*node), Node::Validation(_));
            is_concerned && needed.all(|address| graph.find_object(address).is_some_and(|object| nodes[object.index()]))
        })
        .collect();
    let more = graph.closure(complete, Direction::Incoming);
    nodes.iter_mut().zip(more).for_each(|(selected, more)| *selected |= more);
}

/// The declarations of `start` and all that depend on them, by what the state says.
pub(crate) fn with_dependants(state: Option<&State>, start: BTreeSet<Address>) -> BTreeSet<Address> {
    reach(start, &edges(state, |dependant, dependency| (dependency, dependant)))
}

/// The declarations of `start` and all that they depend on, by what the state says.
fn with_dependencies(state: Option<&State>, start: BTreeSet<Address>) -> BTreeSet<Address> {
    reach(start, &edges(state, |dependant, dependency| (dependant, dependency)))
}

type Edges = BTreeMap<Address, BTreeSet<Address>>;

fn edges(state: Option<&State>, direct: impl Fn(Address, Address) -> (Address, Address)) -> Edges {
    let mut edges = Edges::new();
    for (address, _, object) in state.into_iter().flat_map(State::objects) {
        for dependency in &object.dependencies {
            let (from, to) = direct(address.declaration(), dependency.clone());
            edges.entry(from).or_default().insert(to);
        }
    }
    edges
}

fn reach(start: BTreeSet<Address>, edges: &Edges) -> BTreeSet<Address> {
    let mut open: Vec<Address> = start.into_iter().collect();
    let mut inside = BTreeSet::new();
    while let Some(block) = open.pop() {
        open.extend(edges.get(&block).into_iter().flatten().filter(|next| !inside.contains(*next)).cloned());
        inside.insert(block);
    }
    inside
}

/// Warnings for addresses that are neither in the configuration nor in the state, and that nothing has moved from: as in Terraform, they select
/// nothing.
pub(crate) fn unknown_addresses(graph: &Graph, state: &State, moved: &[Moved], options: &PlanOptions) -> Diagnostics {
    if options.targets.is_empty() && options.excludes.is_empty() && options.replace.is_empty() {
        return Diagnostics::new();
    }
    let declared = graph.order().iter().filter_map(|node| match graph.node(*node) {
        Node::Object(address) => Some(address),
        _ => None,
    });
    let stored = state.objects().map(|(address, _, _)| address);
    let known: BTreeSet<Address> = declared.cloned().chain(stored.map(Address::declaration)).collect();
    let replace: Vec<Target> = options.replace.iter().cloned().map(Target::Object).collect();
    let mut diagnostics = Diagnostics::new();
    for (option, targets) in [("target", &options.targets), ("exclude", &options.excludes), ("replace", &replace)] {
        for target in targets {
            let is_module = |path| graph.find_module(path).is_some();
            let is_known = known.iter().any(|block| declares(target, block))
                || matches!(target, Target::Module(path) if is_module(path))
                || moved.iter().any(|moved| target.contains(&moved.from));
            if is_known {
                continue;
            }
            let modules = graph.modules().map(|(_, module)| module.path.to_string()).filter(|path| !path.is_empty());
            let names: Vec<String> = known.iter().map(ToString::to_string).chain(modules).collect();
            let suggestion = did_you_mean(&target.to_string(), names.iter().map(String::as_str));
            let what = match target {
                Target::Module(_) => "module",
                Target::Object(_) => "object",
            };
            diagnostics.push(Diagnostic::warning(
                "Unknown address",
                format!(
                    "-{option}={target} has no effect: there is no such {what}, neither in the configuration nor in the state.{suggestion}"
                ),
            ));
        }
    }
    diagnostics
}
