//! The graph of a configuration as a drawing: the DOT language of Graphviz, laid out as Terraform's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use petgraph::graph::NodeIndex;
use pipectl_core::{Address, Diagnostics, ModulePath};
use pipectl_lang::Configuration;

use crate::graph::{Graph, Node};

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawing {
    /// Resources, data sources and stages, by module; an arrow leads from a block to what it needs through variables, locals and modules.
    /// What follows from other arrows has none of its own.
    Objects,
    /// Every node, with everything that it refers to.
    Everything,
}

/// The graph in the DOT language.
///
/// # Errors
/// When references go in a circle.
pub fn drawing(configuration: &Configuration, what: Drawing) -> Result<String, Diagnostics> {
    let graph = Graph::new(configuration);
    let cycles = graph.cycles();
    if cycles.has_errors() {
        return Err(cycles);
    }
    let body = match what {
        Drawing::Objects => objects(&graph),
        Drawing::Everything => everything(&graph),
    };
    Ok(format!("digraph G {{\n  rankdir = \"RL\";\n  node [shape = rect, fontname = \"sans-serif\"];\n{body}}}\n"))
}

/// Writing to a string does not fail.
const WRITTEN: &str = "a string takes everything";

fn objects(graph: &Graph) -> String {
    let needs = Needs::of(graph);
    let mut modules: BTreeMap<&ModulePath, BTreeSet<&Address>> = BTreeMap::new();
    for address in needs.positions.keys().copied() {
        modules.entry(&address.module).or_default().insert(address);
    }
    let mut text = String::new();
    for (path, addresses) in &modules {
        let label =
            |address: &Address| format!("{:?} [label={:?}];", address.to_string(), address.inside_module().to_string());
        if path.is_root() {
            addresses.iter().for_each(|address| writeln!(text, "  {}", label(address)).expect(WRITTEN));
            continue;
        }
        let head = format!("  subgraph \"cluster_{path}\" {{\n    label = \"{path}\"\n    fontname = \"sans-serif\"");
        writeln!(text, "{head}").expect(WRITTEN);
        addresses.iter().for_each(|address| writeln!(text, "    {}", label(address)).expect(WRITTEN));
        text.push_str("  }\n");
    }
    for address in modules.values().flatten() {
        for need in needs.direct(address) {
            writeln!(text, "  {:?} -> {:?};", address.to_string(), need.to_string()).expect(WRITTEN);
        }
    }
    text
}

fn everything(graph: &Graph) -> String {
    let mut text = String::new();
    for &node in graph.order() {
        writeln!(text, "  {:?};", graph.name(node)).expect(WRITTEN);
    }
    for &node in graph.order() {
        let names: BTreeSet<String> = graph.needs(node).map(|need| graph.name(need)).collect();
        for name in names {
            writeln!(text, "  {:?} -> {name:?};", graph.name(node)).expect(WRITTEN);
        }
    }
    text
}

/// Which objects need which.
struct Needs<'a> {
    /// Where the nodes of objects come in the order of the graph: each after what it needs.
    positions: BTreeMap<&'a Address, (usize, NodeIndex)>,
    needed: Vec<Arc<BTreeSet<Address>>>,
}

impl<'a> Needs<'a> {
    fn of(graph: &'a Graph) -> Self {
        let order = graph.order().iter().enumerate();
        let positions = order.filter_map(|(position, &node)| match graph.node(node) {
            Node::Object(address) => Some((address, (position, node))),
            _ => None,
        });
        Self { positions: positions.collect(), needed: graph.objects_needed() }
    }

    fn all(&self, address: &Address) -> impl Iterator<Item = &Address> {
        self.positions.get(address).into_iter().flat_map(|(_, node)| self.needed[node.index()].iter())
    }

    fn position(&self, address: &Address) -> usize {
        self.positions.get(address).map_or(0, |(position, _)| *position)
    }

    /// What an object needs, without what something else that it needs does need, too. Nothing that comes before all of them is looked at.
    fn direct(&self, address: &Address) -> BTreeSet<&Address> {
        let mut direct: BTreeSet<&Address> = self.all(address).collect();
        let Some(first) = direct.iter().map(|need| self.position(need)).min() else { return direct };
        let mut open: Vec<&Address> = direct.iter().copied().collect();
        let mut seen = BTreeSet::new();
        while let Some(next) = open.pop().filter(|_| direct.len() > 1) {
            for need in self.all(next).filter(|need| self.position(need) >= first) {
                if seen.insert(need) {
                    direct.remove(need);
                    open.push(need);
                }
            }
        }
        direct
    }
}
