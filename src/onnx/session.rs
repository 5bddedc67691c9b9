//! Our executor: runs a checked graph, node after node.
//!
//! Owns the order of execution and the lifetime of intermediate values (each is dropped behind its last reader). Does
//! not own arithmetic: that is in `kernels`. Results do not depend on the number of threads, nor on the machine.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::graph::{Graph, LoadError, ValueId};
use crate::kernels::{self, Prepared};
use crate::model::Model;
use crate::scorer::{ScoreError, Scorer, ValueSpec, check_inputs};
use crate::tensor::Tensor;

/// A loaded model that runs on our own kernels.
#[derive(Debug)]
pub struct Session {
    graph: Graph,
    /// For each node, its constant weights as the kernel wants them.
    prepared: Vec<Option<Prepared>>,
    /// For each node, the values that nobody reads behind it.
    dead_after: Vec<Vec<ValueId>>,
    threads: usize,
}

impl Session {
    /// Loads the bytes of an ONNX file; it runs on one thread.
    ///
    /// # Errors
    /// [`LoadError`]; unsupported operators are all listed.
    pub fn load(bytes: &[u8]) -> Result<Self, LoadError> {
        Self::from_model(&Model::decode(bytes)?)
    }

    /// Loads a model.
    ///
    /// # Errors
    /// As [`Session::load`].
    pub fn from_model(model: &Model) -> Result<Self, LoadError> {
        let graph = Graph::from_model(model)?;
        let (prepared, dead_after) = (prepare(&graph), dead_after(&graph));
        Ok(Self { graph, prepared, dead_after, threads: 1 })
    }

    /// Lets recurrent layers and matrix products use this many threads (at least one); rows are shared out.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// The graph that it runs.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
}

impl Scorer for Session {
    fn name(&self) -> String {
        "pipectl".to_owned()
    }

    fn inputs(&self) -> &[ValueSpec] {
        self.graph.inputs()
    }

    fn outputs(&self) -> &[ValueSpec] {
        self.graph.outputs()
    }

    fn run(&mut self, inputs: &BTreeMap<String, Tensor>) -> Result<BTreeMap<String, Tensor>, ScoreError> {
        check_inputs(self.graph.inputs(), inputs)?;
        let graph = &self.graph;
        let mut values: Vec<Option<Cow<'_, Tensor>>> = vec![None; graph.value_names.len()];
        for (id, tensor) in &graph.constants {
            values[id.0] = Some(Cow::Borrowed(tensor));
        }
        for (id, spec) in graph.input_ids.iter().zip(&graph.inputs) {
            values[id.0] = inputs.get(&spec.name).map(Cow::Borrowed);
        }
        for ((node, prepared), dead) in graph.nodes.iter().zip(&self.prepared).zip(&self.dead_after) {
            let arguments: Vec<Option<&Tensor>> =
                node.inputs.iter().map(|id| id.and_then(|id| values[id.0].as_deref())).collect();
            let wanted: Vec<bool> = node.outputs.iter().map(Option::is_some).collect();
            let results =
                kernels::execute(&node.operator, &arguments, prepared.as_ref(), &wanted, self.threads).map_err(
                    |source| ScoreError::Operator { node: node.name.clone(), operator: node.operator.name(), source },
                )?;
            for (id, result) in node.outputs.iter().zip(results) {
                if let Some(id) = id {
                    values[id.0] = result.map(Cow::Owned);
                }
            }
            for id in dead {
                values[id.0] = None;
            }
        }
        let outputs = graph.output_ids.iter().zip(&graph.outputs).map(|(id, spec)| {
            let tensor = values[id.0].clone().expect("the graph check saw that every output is defined");
            (spec.name.clone(), tensor.into_owned())
        });
        Ok(outputs.collect())
    }
}

/// Packs the weights that stand in the file.
fn prepare(graph: &Graph) -> Vec<Option<Prepared>> {
    let mut constants: Vec<Option<&Tensor>> = vec![None; graph.value_names.len()];
    for (id, tensor) in &graph.constants {
        constants[id.0] = Some(tensor);
    }
    graph
        .nodes
        .iter()
        .map(|node| {
            let inputs: Vec<Option<Option<&Tensor>>> = node
                .inputs
                .iter()
                .map(|id| match id {
                    None => Some(None),
                    Some(id) => constants[id.0].map(Some),
                })
                .collect();
            kernels::prepare(&node.operator, &inputs)
        })
        .collect()
}

/// For each node, the values whose last reader (or writer, if nobody reads them) it is. Outputs live on.
fn dead_after(graph: &Graph) -> Vec<Vec<ValueId>> {
    let mut last_use: Vec<Option<usize>> = vec![None; graph.value_names.len()];
    for (index, node) in graph.nodes.iter().enumerate() {
        for id in node.inputs.iter().chain(&node.outputs).flatten() {
            last_use[id.0] = Some(index);
        }
    }
    for id in &graph.output_ids {
        last_use[id.0] = None;
    }
    let mut dead = vec![Vec::new(); graph.nodes.len()];
    for (value, index) in last_use.iter().enumerate() {
        if let Some(index) = index {
            dead[*index].push(ValueId(value));
        }
    }
    dead
}
