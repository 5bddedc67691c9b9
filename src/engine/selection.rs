//! Which part of the graph an operation is about: `-target` and `-exclude`.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::Direction;
use petgraph::graph::NodeIndex;
use pipectl_core::suggest::did_you_mean;
use pipectl_core::{Address, Diagnostic, Diagnostics};
use pipectl_state::State;

use crate::graph::{Graph, Node};
use crate::{Mode, PlanOptions};

/// The part that is selected. What a selected node needs is selected too, so values never come from outside the selection.
#[derive(Debug)]
pub(crate) struct Selection {
    nodes: Vec<bool>,
    /// Addresses asked for by `-target`, whole blocks and instances; empty: everything.
    targets: BTreeSet<Address>,
    /// Blocks that are selected because a target needs them: all their instances.
    needed: BTreeSet<Address>,
    excludes: BTreeSet<Address>,
    /// Blocks that depend on an excluded one.
    left_out: BTreeSet<Address>,
}

impl Selection {
    /// The selection of a plan.
    ///
    /// # Errors
    /// When an address is neither in the configuration nor in the state.
    pub(crate) fn of(graph: &Graph, state: Option<&State>, options: &PlanOptions) -> Result<Self, Diagnostics> {
        let diagnostics = unknown_addresses(graph, state, options);
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        let nodes_of = |addresses: &[Address]| -> Vec<NodeIndex> {
            addresses.iter().filter_map(|address| graph.find(&Node::Object(address.block()))).collect()
        };
        let mut nodes = vec![true; graph.len()];
        let mut needed = BTreeSet::new();
        if !options.targets.is_empty() {
            let targets = nodes_of(&options.targets);
            nodes = graph.closure(targets.iter().copied(), Direction::Incoming);
            needed = blocks(graph, &nodes)
                .filter(|block| !options.targets.iter().any(|target| target.block() == *block))
                .collect();
            add_outputs(graph, &mut nodes);
        }
        let mut left_out = BTreeSet::new();
        if !options.excludes.is_empty() {
            let whole: Vec<Address> =
                options.excludes.iter().filter(|address| address.key.is_none()).cloned().collect();
            let some: Vec<Address> = options.excludes.iter().filter(|address| address.key.is_some()).cloned().collect();
            let mut excluded = graph.closure(nodes_of(&whole), Direction::Outgoing);
            // What depends on an excluded instance depends on its block; the block's other instances go on.
            for node in nodes_of(&some) {
                let dependants = graph.closure(graph.needed_by(node), Direction::Outgoing);
                excluded.iter_mut().zip(dependants).for_each(|(excluded, dependant)| *excluded |= dependant);
            }
            left_out = blocks(graph, &excluded).collect();
            nodes.iter_mut().zip(excluded).for_each(|(selected, excluded)| *selected &= !excluded);
        }
        if options.mode == Mode::Destroy && !options.targets.is_empty() {
            // What depends on a target goes with it; what it needs stays.
            needed = with_dependants(state, options.targets.iter().map(Address::block).collect());
        }
        if options.mode == Mode::Destroy && !options.excludes.is_empty() {
            // What an excluded object needs stays with it.
            left_out = with_dependencies(state, options.excludes.iter().map(Address::block).collect());
        }
        Ok(Self {
            nodes,
            targets: options.targets.iter().cloned().collect(),
            needed,
            excludes: options.excludes.iter().cloned().collect(),
            left_out,
        })
    }

    /// Whether a node of the graph is selected.
    pub(crate) fn has_node(&self, node: NodeIndex) -> bool {
        self.nodes[node.index()]
    }

    /// Whether an object is selected: of the configuration or only of the state.
    pub(crate) fn has(&self, address: &Address) -> bool {
        let block = address.block();
        let wanted = self.targets.is_empty()
            || self.targets.contains(address)
            || self.targets.contains(&block)
            || self.needed.contains(&block);
        let whole_block_left_out = self.left_out.contains(&block)
            && !self.excludes.iter().any(|excluded| excluded.key.is_some() && excluded.block() == block);
        wanted && !self.excludes.contains(address) && !self.excludes.contains(&block) && !whole_block_left_out
    }
}

fn blocks<'a>(graph: &'a Graph, selected: &'a [bool]) -> impl Iterator<Item = Address> + 'a {
    graph.order().iter().filter(|node| selected[node.index()]).filter_map(|node| match graph.node(*node) {
        Node::Object(address) => Some(address.clone()),
        _ => None,
    })
}

/// Outputs and checks whose every object is selected are selected with all that they need.
fn add_outputs(graph: &Graph, nodes: &mut [bool]) {
    let objects = graph.objects_needed();
    let complete: Vec<NodeIndex> = graph
        .order()
        .iter()
        .copied()
        .filter(|node| matches!(graph.node(*node), Node::Output(_) | Node::Check(_) | Node::Validation(_)))
        .filter(|node| {
            let mut needed = objects[node.index()].iter();
            needed.all(|address| graph.find(&Node::Object(address.clone())).is_some_and(|object| nodes[object.index()]))
        })
        .collect();
    let more = graph.closure(complete, Direction::Incoming);
    nodes.iter_mut().zip(more).for_each(|(selected, more)| *selected |= more);
}

/// The blocks of `start` and all that depend on them, by what the state says.
fn with_dependants(state: Option<&State>, start: BTreeSet<Address>) -> BTreeSet<Address> {
    reach(start, &edges(state, |dependant, dependency| (dependency, dependant)))
}

/// The blocks of `start` and all that they depend on, by what the state says.
fn with_dependencies(state: Option<&State>, start: BTreeSet<Address>) -> BTreeSet<Address> {
    reach(start, &edges(state, |dependant, dependency| (dependant, dependency)))
}

type Edges = BTreeMap<Address, BTreeSet<Address>>;

fn edges(state: Option<&State>, direct: impl Fn(Address, Address) -> (Address, Address)) -> Edges {
    let mut edges = Edges::new();
    for (address, _, object) in state.into_iter().flat_map(State::objects) {
        for dependency in &object.dependencies {
            let (from, to) = direct(address.block(), dependency.clone());
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

fn unknown_addresses(graph: &Graph, state: Option<&State>, options: &PlanOptions) -> Diagnostics {
    let known: BTreeSet<String> = graph
        .order()
        .iter()
        .filter_map(|node| match graph.node(*node) {
            Node::Object(address) => Some(address.to_string()),
            _ => None,
        })
        .chain(
            state
                .into_iter()
                .flat_map(State::objects)
                .flat_map(|(address, _, _)| [address.to_string(), address.block().to_string()]),
        )
        .collect();
    let mut diagnostics = Diagnostics::new();
    for (option, addresses) in
        [("target", &options.targets), ("exclude", &options.excludes), ("replace", &options.replace)]
    {
        for address in addresses {
            if known.contains(&address.block().to_string()) {
                continue;
            }
            let suggestion = did_you_mean(&address.to_string(), known.iter().map(String::as_str));
            diagnostics.push(Diagnostic::error(
                "Unknown address",
                format!("-{option}={address}: there is no such object, neither in the configuration nor in the state.{suggestion}"),
            ));
        }
    }
    diagnostics
}
