//! The graph of a configuration as a drawing: the DOT language of Graphviz.

use std::fmt::Write;

use pipectl_core::Diagnostics;
use pipectl_lang::Configuration;

use crate::graph::{Graph, Node};

/// The graph in the DOT language: an arrow leads from a block to what it needs. Only resources, data sources and stages, with what they need
/// through variables and locals; with `all`, every node.
///
/// # Errors
/// When references go in a circle.
pub fn drawing(configuration: &Configuration, all: bool) -> Result<String, Diagnostics> {
    let graph = Graph::new(configuration);
    let cycles = graph.cycles();
    if cycles.has_errors() {
        return Err(cycles);
    }
    let shown = |node: &Node| all || matches!(node, Node::Object(_));
    let needed = graph.objects_needed();
    let mut text =
        String::from("digraph {\n  rankdir = \"RL\";\n  node [shape = \"rect\", fontname = \"sans-serif\"];\n");
    for &index in graph.order().iter().filter(|index| shown(graph.node(**index))) {
        writeln!(text, "  {:?};", graph.name(index)).expect("writing to a string does not fail");
    }
    for &index in graph.order().iter().filter(|index| shown(graph.node(**index))) {
        let mut names: Vec<String> = match all {
            true => graph.needs(index).map(|need| graph.name(need)).collect(),
            false => needed[index.index()].iter().map(ToString::to_string).collect(),
        };
        names.sort();
        for name in names {
            writeln!(text, "  {:?} -> {name:?};", graph.name(index)).expect("writing to a string does not fail");
        }
    }
    text.push_str("}\n");
    Ok(text)
}
