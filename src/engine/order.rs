//! The order of an apply: from what a plan changes to a graph of steps.
//!
//! What is made follows the references of the configuration. What is removed follows the dependencies that the state keeps, the other way
//! round, since the configuration may not have the object any more. Three rules join the two:
//!
//! * An object that is replaced, removed first: everything that depends on it is removed before, its removal comes before its making.
//! * An object that is replaced, made first: what depends on it is changed over to the new one, then the old one is removed.
//! * An object that only goes: what depends on it and stays is changed first, so that it lets go.
//!
//! And where providers are configured from objects: what is removed goes before those change, because afterwards nobody could reach it.
//!
//! Where these rules close a circle, the last gives way first, then the part of the second that has others changed over, then what the state
//! remembers of earlier dependencies. Steps of a block share barriers, so the graph has O(V + E) edges.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};
use pipectl_core::{Address, Diagnostic, Diagnostics, ProviderAddress};
use pipectl_lang::Configuration;
use pipectl_state::State;

use crate::graph::{Graph, Node};
use crate::providers::locate::made_with;
use crate::{Action, Cause, Mode, Plan, ResourceChange};

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Evaluate a node that is no object.
    Evaluate(NodeIndex),
    /// All that a block needs is there: instances may begin.
    Begin(NodeIndex),
    /// Make or change an object: an index into the plan's changes.
    Apply(usize),
    /// Decide on the instances of a block that the plan has deferred, and make or change them.
    Deferred(NodeIndex),
    /// All instances of a block have ended: its value is known.
    End(NodeIndex),
    /// Everything is as it will be: checks may read their data sources.
    Checks,
    /// All that must come before removals of a declaration has been done.
    BeginRemoval(Address),
    /// Remove an object: an index into the plan's changes.
    Remove(usize),
    /// All removals in a block are done.
    EndRemoval(Address),
    /// Remove objects of a block with deferred instances that have turned out to be no longer declared.
    RemoveDeferred(NodeIndex),
}

/// Why one step comes before another: how much the order matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Strength {
    /// It is nicer that way.
    Preferred,
    /// Nothing should hold on to an old object when that is removed.
    Released,
    /// What is removed, is removed while its provider is still configured from what it lives in.
    Configured,
    /// The state says so, of a time that may be past.
    Remembered,
    /// It cannot be otherwise.
    Required,
}

/// The steps of a plan, in the order they need.
pub(crate) type Steps = DiGraph<Step, Strength>;

/// Builds the steps. `selected` says which nodes of the graph take part.
///
/// # Errors
/// When no order satisfies what is required: a mistake in the engine, never in a configuration.
pub(crate) fn steps(
    plan: &Plan,
    (configuration, graph): (&Configuration, &Graph),
    selected: impl Fn(NodeIndex) -> bool,
    state: &State,
) -> Result<Steps, Diagnostics> {
    let mut builder = Builder {
        steps: Steps::new(),
        begin: BTreeMap::new(),
        end: BTreeMap::new(),
        removals: BTreeMap::new(),
        deferred: Vec::new(),
    };
    if plan.mode == Mode::Normal {
        builder.forward(plan, graph, selected);
    }
    builder.backward(plan, (configuration, graph), state);
    let mut steps = builder.steps;
    for weakest in [Strength::Preferred, Strength::Released, Strength::Configured, Strength::Remembered] {
        if !has_circle(&steps) {
            return Ok(steps);
        }
        open_circles(&mut steps, weakest);
    }
    if has_circle(&steps) {
        return Err(Diagnostic::error(
            "No order found",
            "The steps of the plan wait for each other in a circle. This is a mistake in pipectl.",
        )
        .into());
    }
    Ok(steps)
}

/// Whether there is a circle. (petgraph's own question calls itself for each node of a path: a long chain would exhaust the stack.)
fn has_circle<N, E>(graph: &DiGraph<N, E>) -> bool {
    toposort(graph, None).is_err()
}

/// Removes edges of a strength that lie on a circle.
fn open_circles(steps: &mut Steps, strength: Strength) {
    let mut component = vec![0; steps.node_count()];
    for (number, nodes) in kosaraju_scc(&*steps).into_iter().enumerate() {
        for node in nodes {
            component[node.index()] = number;
        }
    }
    steps.retain_edges(|steps, edge| {
        let inside =
            steps.edge_endpoints(edge).is_some_and(|(from, to)| component[from.index()] == component[to.index()]);
        !inside || steps[edge] != strength
    });
}

/// The first and the last step of removing objects of a block.
#[derive(Clone, Copy)]
struct Removal {
    begin: NodeIndex,
    end: NodeIndex,
}

struct Builder {
    steps: Steps,
    /// By node of the configuration's graph: its first step.
    begin: BTreeMap<NodeIndex, NodeIndex>,
    /// By node of the configuration's graph: the step after which its value is known.
    end: BTreeMap<NodeIndex, NodeIndex>,
    removals: BTreeMap<Address, Removal>,
    deferred: Vec<Later>,
}

/// A block with deferred instances.
struct Later {
    declaration: Address,
    /// The step that decides on them.
    step: NodeIndex,
    /// The step that removes of them what is no longer declared.
    removal: NodeIndex,
}

impl Builder {
    fn edge(&mut self, from: NodeIndex, to: NodeIndex, strength: Strength) {
        if from != to {
            self.steps.add_edge(from, to, strength);
        }
    }

    /// Steps of what the configuration has.
    fn forward(&mut self, plan: &Plan, graph: &Graph, selected: impl Fn(NodeIndex) -> bool) {
        let mut instances: BTreeMap<Address, Vec<usize>> = BTreeMap::new();
        for (index, change) in plan.changes.iter().enumerate() {
            if !matches!(change.action, Action::Delete | Action::Forget | Action::NoOp) {
                instances.entry(change.address.declaration()).or_default().push(index);
            }
        }
        let deferred: BTreeSet<Address> =
            plan.deferred.iter().map(|deferred| deferred.address.address().declaration()).collect();
        for &node in graph.order() {
            if !selected(node) {
                continue;
            }
            if let Node::Object(address) = graph.node(node) {
                let begin = self.steps.add_node(Step::Begin(node));
                let instances = instances.get(address).cloned().unwrap_or_default();
                let applies: Vec<NodeIndex> =
                    instances.into_iter().map(|index| self.steps.add_node(Step::Apply(index))).collect();
                let end = self.steps.add_node(Step::End(node));
                self.edge(begin, end, Strength::Required);
                if deferred.contains(address) {
                    let step = self.steps.add_node(Step::Deferred(node));
                    self.edge(begin, step, Strength::Required);
                    self.edge(step, end, Strength::Required);
                    let removal = self.steps.add_node(Step::RemoveDeferred(node));
                    self.edge(end, removal, Strength::Required);
                    self.deferred.push(Later { declaration: address.clone(), step, removal });
                }
                for apply in applies {
                    self.edge(begin, apply, Strength::Required);
                    self.edge(apply, end, Strength::Required);
                }
                self.begin.insert(node, begin);
                self.end.insert(node, end);
            } else {
                let step = self.steps.add_node(Step::Evaluate(node));
                self.begin.insert(node, step);
                self.end.insert(node, step);
            }
            let begin = self.begin[&node];
            let needs: Vec<NodeIndex> = graph.needs(node).filter_map(|need| self.end.get(&need).copied()).collect();
            for need in needs {
                self.edge(need, begin, Strength::Required);
            }
        }
        self.deferred_last(graph);
        self.checks_last(plan, graph);
    }

    /// What refers to objects that may go lets go of them first.
    fn deferred_last(&mut self, graph: &Graph) {
        if self.deferred.is_empty() {
            return;
        }
        let needed = graph.objects_needed();
        let removals: BTreeMap<&Address, NodeIndex> =
            self.deferred.iter().map(|later| (&later.declaration, later.removal)).collect();
        let mut pairs = Vec::new();
        for (&node, &end) in &self.end {
            let own = needed[node.index()].iter().filter_map(|declaration| removals.get(declaration));
            pairs.extend(own.map(|removal| (end, *removal)));
        }
        for (end, removal) in pairs {
            self.edge(end, removal, Strength::Preferred);
        }
    }

    /// Checks read when all else has been done, whether or not they refer to it.
    fn checks_last(&mut self, plan: &Plan, graph: &Graph) {
        let in_check = |change: &&ResourceChange| matches!(change.cause, Some(Cause::InCheck(_)));
        let reads: BTreeSet<NodeIndex> = plan
            .changes
            .iter()
            .filter(in_check)
            .filter_map(|change| self.begin.get(&graph.find_object(&change.address)?).copied())
            .collect();
        if reads.is_empty() {
            return;
        }
        let gate = self.steps.add_node(Step::Checks);
        let is_object = |(node, _): &(&NodeIndex, &NodeIndex)| {
            matches!(graph.node(**node), Node::Object(_)) && !reads.contains(&self.begin[*node])
        };
        let ends: Vec<NodeIndex> = self.end.iter().filter(is_object).map(|(_, end)| *end).collect();
        for end in ends {
            self.edge(end, gate, Strength::Required);
        }
        for read in reads {
            self.edge(gate, read, Strength::Required);
        }
    }

    /// Steps of what is removed.
    fn backward(&mut self, plan: &Plan, (configuration, graph): (&Configuration, &Graph), state: &State) {
        let is_removed = |action| matches!(action, Action::Delete | Action::Forget | Action::Replace { .. });
        let removed: BTreeSet<Address> = plan
            .changes
            .iter()
            .filter(|change| is_removed(change.action))
            .map(|change| change.address.declaration())
            .collect();
        for block in removed {
            let begin = self.steps.add_node(Step::BeginRemoval(block.clone()));
            let end = self.steps.add_node(Step::EndRemoval(block.clone()));
            self.edge(begin, end, Strength::Required);
            self.removals.insert(block, Removal { begin, end });
        }
        let applies: BTreeMap<usize, NodeIndex> = self
            .steps
            .node_indices()
            .filter_map(|step| if let Step::Apply(index) = self.steps[step] { Some((index, step)) } else { None })
            .collect();
        let mut made_first = BTreeSet::new();
        for (index, change) in plan.changes.iter().enumerate().filter(|(_, change)| is_removed(change.action)) {
            let removal = self.removals[&change.address.declaration()];
            let step = self.steps.add_node(Step::Remove(index));
            self.edge(removal.begin, step, Strength::Required);
            self.edge(step, removal.end, Strength::Required);
            if let (Action::Replace { create_before_destroy }, Some(&apply)) = (change.action, applies.get(&index)) {
                if create_before_destroy {
                    made_first.insert(change.address.declaration());
                    self.edge(apply, step, Strength::Required);
                } else {
                    self.edge(step, apply, Strength::Required);
                }
            }
        }
        // What is made anew is made after the old object is gone.
        for later in &self.deferred {
            if let Some(removal) = self.removals.get(&later.declaration) {
                self.steps.add_edge(removal.end, later.step, Strength::Required);
            }
        }
        self.after_dependants_removed(state);
        self.after_dependants_changed(graph, state, &made_first);
        self.before_their_providers_change(plan, (configuration, graph), state);
    }

    /// What is removed goes before what its provider is configured from changes: afterwards it could not be reached.
    fn before_their_providers_change(
        &mut self,
        plan: &Plan,
        (configuration, graph): (&Configuration, &Graph),
        state: &State,
    ) {
        if !graph.has_providers() || self.removals.is_empty() {
            return;
        }
        let changes = plan.changes.iter().filter(|change| !matches!(change.action, Action::NoOp | Action::Read));
        let changed: BTreeSet<Address> = changes.map(|change| change.address.declaration()).collect();
        let needed = graph.objects_needed();
        let mut begins: BTreeMap<ProviderAddress, Vec<NodeIndex>> = BTreeMap::new();
        for &node in graph.order() {
            let Node::Provider(name) = graph.node(node) else { continue };
            let module = &graph.module(graph.module_of(node)).path;
            let Some(own) = configuration.module(module) else { continue };
            let Some(block) = own.providers.get(name) else { continue };
            let source = own.provider_source(&block.name);
            let provider = ProviderAddress { module: module.clone(), source, alias: block.alias.clone(), key: None };
            let mut made_from = graph.dependencies(&needed, node);
            made_from.retain(|declaration| changed.contains(declaration));
            let of_objects = made_from.iter();
            let of_objects =
                of_objects.filter_map(|declaration| self.begin.get(&graph.find_object(declaration)?).copied());
            begins.insert(provider, of_objects.collect());
        }
        let mut pairs = BTreeSet::new();
        for (address, _, object) in state.objects() {
            let Some(removal) = self.removals.get(&address.declaration()) else { continue };
            let provider = made_with(configuration, address, object.provider.as_ref());
            // All instances of a module, and of a block, have one node.
            let provider = ProviderAddress { module: provider.module.declaration(), key: None, ..provider };
            let own = begins.get(&provider).into_iter().flatten();
            pairs.extend(own.map(|begin| (removal.end, *begin)));
        }
        for (removal, begin) in pairs {
            self.edge(removal, begin, Strength::Configured);
        }
    }

    /// What depends on an object is removed before it.
    fn after_dependants_removed(&mut self, state: &State) {
        let mut pairs = BTreeSet::new();
        for (address, _, object) in state.objects() {
            let block = address.declaration();
            let Some(dependant) = self.removals.get(&block).copied() else { continue };
            for dependency in &object.dependencies {
                if let Some(removal) = self.removals.get(dependency)
                    && *dependency != block
                {
                    pairs.insert((dependant.end, removal.begin));
                }
            }
        }
        for (dependant, removal) in pairs {
            self.edge(dependant, removal, Strength::Remembered);
        }
    }

    /// What depends on an object and stays is changed before the object is removed: above all where its replacement is there already.
    fn after_dependants_changed(&mut self, graph: &Graph, state: &State, made_first: &BTreeSet<Address>) {
        let mut pairs = BTreeMap::new();
        if !made_first.is_empty() {
            let needed = graph.objects_needed();
            for (&node, &end) in &self.end {
                if !matches!(graph.node(node), Node::Object(_)) {
                    continue;
                }
                for block in needed[node.index()].iter().filter(|block| made_first.contains(*block)) {
                    pairs.insert((end, self.removals[block].begin), Strength::Released);
                }
            }
        }
        for (address, deposed, object) in state.objects() {
            let block = address.declaration();
            let node = graph.find_object(address);
            let Some(end) = node.filter(|_| deposed.is_none()).and_then(|node| self.end.get(&node)) else { continue };
            for dependency in object.dependencies.iter().filter(|dependency| **dependency != block) {
                if let Some(removal) = self.removals.get(dependency) {
                    pairs.entry((*end, removal.begin)).or_insert(Strength::Preferred);
                }
            }
        }
        for ((dependant, removal), strength) in pairs {
            self.edge(dependant, removal, strength);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_may_be_longer_than_the_stack_is_deep() {
        let mut chain = DiGraph::<(), ()>::new();
        let nodes: Vec<NodeIndex> = (0..200_000).map(|_| chain.add_node(())).collect();
        for pair in nodes.windows(2) {
            chain.add_edge(pair[0], pair[1], ());
        }
        let small = std::thread::Builder::new().stack_size(256 << 10);
        let found = small.spawn(move || {
            let before = has_circle(&chain);
            chain.add_edge(nodes[nodes.len() - 1], nodes[0], ());
            (before, has_circle(&chain))
        });
        assert_eq!(found.unwrap().join().unwrap(), (false, true));
    }
}
