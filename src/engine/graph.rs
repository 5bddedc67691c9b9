//! The graph of a configuration: what must be known before what.
//!
//! Nodes are the blocks and values of the configuration; an edge leads from what is referred to, to what refers to it. Building, ordering and
//! every question here cost O(V + E). Instances of a block share its node: `count` and `for_each` are known only when it is planned.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::fmt;
use std::sync::Arc;

use petgraph::Direction;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use pipectl_core::{Address, Diagnostic, Diagnostics, Span};
use pipectl_lang::{Configuration, Reference};

/// One node.
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
    /// All instances of a resource, data source or stage.
    Object(Address),
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
            Node::Object(address) => write!(f, "{address}"),
            Node::Output(name) => write!(f, "output.{name}"),
            Node::Check(name) => write!(f, "check.{name}"),
        }
    }
}

impl Node {
    /// The node that a reference asks for; `None` for what every scope has.
    pub(crate) fn of(reference: &Reference) -> Option<Self> {
        Some(match reference {
            Reference::Variable(name) => Node::Variable(name.clone()),
            Reference::Local(name) => Node::Local(name.clone()),
            Reference::Object(address) => Node::Object(address.block()),
            Reference::Model(name) => Node::Model(name.clone()),
            Reference::Executor { kind, name } => Node::Executor(kind.clone(), name.clone()),
            Reference::Path(_)
            | Reference::Each
            | Reference::Count
            | Reference::SelfObject
            | Reference::Terraform(_)
            | Reference::Provider(_) => return None,
        })
    }

    /// How expressions refer to it; `None`: they cannot.
    pub(crate) fn reference(&self) -> Option<Reference> {
        Some(match self {
            Node::Variable(name) => Reference::Variable(name.clone()),
            Node::Local(name) => Reference::Local(name.clone()),
            Node::Model(name) => Reference::Model(name.clone()),
            Node::Executor(kind, name) => Reference::Executor { kind: kind.clone(), name: name.clone() },
            Node::Object(address) => Reference::Object(address.clone()),
            Node::Validation(_) | Node::Output(_) | Node::Check(_) => return None,
        })
    }
}

/// The graph of one configuration.
#[derive(Debug)]
pub(crate) struct Graph {
    nodes: DiGraph<Node, Span>,
    index: BTreeMap<Node, NodeIndex>,
    order: Vec<NodeIndex>,
}

impl Graph {
    /// The graph of everything in `configuration`. References to what is not declared are left out: who checks references reports them.
    pub(crate) fn new(configuration: &Configuration) -> Self {
        Self::without_arguments_of(configuration, &BTreeSet::new())
    }

    /// The same, where the blocks in `disabled` need nothing but what `enabled` refers to: none of their arguments are
    /// evaluated.
    pub(crate) fn without_arguments_of(configuration: &Configuration, disabled: &BTreeSet<Address>) -> Self {
        let mut graph = Self { nodes: DiGraph::new(), index: BTreeMap::new(), order: Vec::new() };
        let mut wanted: Vec<(NodeIndex, Vec<(Reference, Span)>)> = Vec::new();
        for (name, block) in &configuration.variables {
            graph.add(Node::Variable(name.clone()));
            if !block.validations.is_empty() {
                let mut references = vec![(Reference::Variable(name.clone()), block.span.clone())];
                references.extend(block.validations.iter().flat_map(|rule| rule.references()));
                wanted.push((graph.add(Node::Validation(name.clone())), references));
            }
        }
        for (name, local) in &configuration.locals {
            wanted.push((graph.add(Node::Local(name.clone())), local.expression.references()));
        }
        for (name, block) in &configuration.models {
            wanted.push((graph.add(Node::Model(name.clone())), block.references()));
        }
        for ((kind, name), block) in &configuration.executors {
            let mut references = block.body.references();
            references.extend(block.enabled.iter().flat_map(|enabled| enabled.references()));
            wanted.push((graph.add(Node::Executor(kind.clone(), name.clone())), references));
        }
        for (address, block) in &configuration.objects {
            let node = graph.add(Node::Object(address.clone()));
            let references = if disabled.contains(address) {
                // All that is evaluated of such a block is what says that it is one.
                block.meta.enabled.iter().flat_map(|enabled| enabled.references()).collect()
            } else {
                let mut references = block.meta.references();
                references.extend(block.body.references());
                references
            };
            wanted.push((node, references));
        }
        for (name, block) in &configuration.outputs {
            let mut references = block.value.references();
            references.extend(block.depends_on.iter().cloned());
            references.extend(block.preconditions.iter().flat_map(|rule| rule.references()));
            wanted.push((graph.add(Node::Output(name.clone())), references));
        }
        for (name, block) in &configuration.checks {
            let references = block.assertions.iter().flat_map(|rule| rule.references()).collect();
            wanted.push((graph.add(Node::Check(name.clone())), references));
        }
        for (node, references) in wanted {
            let mut seen = BTreeSet::new();
            for (reference, span) in references {
                if let Some(from) = Node::of(&reference).and_then(|from| graph.index.get(&from).copied())
                    && seen.insert(from)
                {
                    graph.nodes.add_edge(from, node, span);
                }
            }
        }
        graph.order = graph.sort();
        graph
    }

    fn add(&mut self, node: Node) -> NodeIndex {
        let index = self.nodes.add_node(node.clone());
        self.index.insert(node, index);
        index
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
                self.nodes[first]
            );
            return Diagnostic::error("Self-referential block", detail).or_at(span.as_ref());
        }
        let mut names: Vec<String> = chain.iter().map(|node| self.nodes[*node].to_string()).collect();
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
        &self.nodes[index]
    }

    /// Where a node is.
    pub(crate) fn find(&self, node: &Node) -> Option<NodeIndex> {
        self.index.get(node).copied()
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

    /// For each node the objects that it refers to, directly or through variables, locals, models and executors.
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

    /// For each node whether an object is among what it needs, however far away.
    pub(crate) fn needs_objects(&self) -> Vec<bool> {
        // What lies on a cycle is never evaluated before the cycle is reported: it counts as if it needed an object.
        let mut needs = vec![true; self.len()];
        for &node in &self.order {
            needs[node.index()] =
                self.needs(node).any(|need| needs[need.index()] || matches!(self.node(need), Node::Object(_)));
        }
        needs
    }
}
