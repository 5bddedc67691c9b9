//! The checked form of a graph: what the executor runs, and what other code may rely on.
//!
//! Owns the check of a model: operators known, every value defined once and before its use, constants complete. A
//! [`Graph`] that exists has no dangling names and only supported operators. Shapes are not inferred: they are checked
//! when the graph runs, because batch and sequence length are open until then.

use std::collections::{HashMap, HashSet};

use thiserror::Error;

use crate::model::{self, Model, ModelError, SUPPORTED_OPSETS};
use crate::operator::{NodeProblem, Operator};
use crate::proto::{GraphProto, NodeProto};
use crate::scorer::ValueSpec;
use crate::tensor::{Tensor, TensorError};

/// A value of a graph: an input, a constant, or the output of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub(crate) usize);

/// One operator with the values that it reads and writes.
#[derive(Debug, Clone)]
pub struct Node {
    /// The node's name, or that of its first output when it has none.
    pub name: String,
    /// The operator and its attributes.
    pub operator: Operator,
    /// Inputs in the operator's order; None for an absent optional one.
    pub inputs: Vec<Option<ValueId>>,
    /// Outputs in the operator's order; None for one that nobody wants.
    pub outputs: Vec<Option<ValueId>>,
}

/// A checked graph, nodes in the order of execution.
#[derive(Debug, Clone)]
pub struct Graph {
    pub(crate) inputs: Vec<ValueSpec>,
    pub(crate) input_ids: Vec<ValueId>,
    pub(crate) outputs: Vec<ValueSpec>,
    pub(crate) output_ids: Vec<ValueId>,
    pub(crate) constants: Vec<(ValueId, Tensor)>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) value_names: Vec<String>,
}

/// A node that cannot be run, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// The node's name, or that of its first output.
    pub node: String,
    /// The operator's name as written.
    pub operator: String,
    /// The part that is not implemented.
    pub reason: String,
}

/// Why a model cannot be run by our executor.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The bytes are no ONNX model.
    #[error("the model cannot be read")]
    Model(#[from] ModelError),
    /// The model's operator set is one that we do not know.
    #[error(
        "operator set {found} is not supported, only {} to {}",
        SUPPORTED_OPSETS.start(),
        SUPPORTED_OPSETS.end()
    )]
    Opset {
        /// The version in the file.
        found: i64,
    },
    /// Some nodes cannot be run: all of them, in the order of the graph.
    #[error("{} not supported: {}", count_nodes(.0), list_unsupported(.0))]
    Unsupported(Vec<Unsupported>),
    /// A node breaks the rules of its operator.
    #[error("node `{node}` ({operator}): {reason}")]
    Node {
        /// The node's name, or that of its first output.
        node: String,
        /// The operator's name as written.
        operator: String,
        /// The rule.
        reason: String,
    },
    /// A node reads a value that nothing before it defines.
    #[error("node `{node}` ({operator}) reads `{value}`, which nothing before it defines")]
    UndefinedValue {
        /// The node's name, or that of its first output.
        node: String,
        /// The operator's name as written.
        operator: String,
        /// The missing value.
        value: String,
    },
    /// Two inputs, constants or nodes define a value of the same name.
    #[error("value `{value}` is defined twice")]
    DuplicateValue {
        /// The name.
        value: String,
    },
    /// Two nodes have the same name.
    #[error("two nodes are named `{node}`")]
    DuplicateNode {
        /// The name.
        node: String,
    },
    /// A constant of the graph cannot be read.
    #[error("constant `{value}` cannot be read")]
    Constant {
        /// Its name.
        value: String,
        /// What is wrong with it.
        source: TensorError,
    },
    /// An output of the graph is not defined.
    #[error("output `{value}` is not defined by any node")]
    UndefinedOutput {
        /// Its name.
        value: String,
    },
}

fn count_nodes(nodes: &[Unsupported]) -> String {
    match nodes.len() {
        1 => "1 node is".to_owned(),
        count => format!("{count} nodes are"),
    }
}

fn list_unsupported(nodes: &[Unsupported]) -> String {
    let items: Vec<String> =
        nodes.iter().map(|item| format!("`{}` ({}): {}", item.node, item.operator, item.reason)).collect();
    items.join("; ")
}

impl Graph {
    /// Checks a model's graph.
    ///
    /// # Errors
    /// The first broken rule; unsupported nodes are gathered, so that all of them are in one error.
    pub fn from_model(model: &Model) -> Result<Self, LoadError> {
        let opset = model.opset()?;
        if !SUPPORTED_OPSETS.contains(&opset) {
            return Err(LoadError::Opset { found: opset });
        }
        let proto = model.graph()?;
        let mut names = Names::default();
        let constants = read_constants(proto, &mut names)?;
        let inputs = model.inputs()?;
        let outputs = model.outputs()?;
        let input_ids =
            inputs.iter().map(|spec| names.define(&spec.name)).collect::<Result<Vec<ValueId>, LoadError>>()?;
        check_node_names(proto)?;
        let operators = read_operators(proto)?;
        let nodes = proto
            .node
            .iter()
            .zip(operators)
            .map(|(node, operator)| connect(node, operator, &mut names))
            .collect::<Result<Vec<Node>, LoadError>>()?;
        let output_ids = outputs
            .iter()
            .map(|spec| names.get(&spec.name).ok_or_else(|| LoadError::UndefinedOutput { value: spec.name.clone() }))
            .collect::<Result<Vec<ValueId>, LoadError>>()?;
        Ok(Self { inputs, input_ids, outputs, output_ids, constants, nodes, value_names: names.names })
    }

    /// The inputs, without those that have a constant as default.
    pub fn inputs(&self) -> &[ValueSpec] {
        &self.inputs
    }

    /// The outputs.
    pub fn outputs(&self) -> &[ValueSpec] {
        &self.outputs
    }

    /// The nodes, each behind those that it depends on.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The values that stand in the file.
    pub fn constants(&self) -> impl Iterator<Item = (ValueId, &Tensor)> {
        self.constants.iter().map(|(id, tensor)| (*id, tensor))
    }

    /// The name of a value of this graph.
    pub fn value_name(&self, id: ValueId) -> &str {
        &self.value_names[id.0]
    }
}

#[derive(Default)]
struct Names {
    ids: HashMap<String, ValueId>,
    names: Vec<String>,
}

impl Names {
    fn define(&mut self, name: &str) -> Result<ValueId, LoadError> {
        let id = ValueId(self.names.len());
        if self.ids.insert(name.to_owned(), id).is_some() {
            return Err(LoadError::DuplicateValue { value: name.to_owned() });
        }
        self.names.push(name.to_owned());
        Ok(id)
    }

    fn get(&self, name: &str) -> Option<ValueId> {
        self.ids.get(name).copied()
    }
}

fn read_constants(proto: &GraphProto, names: &mut Names) -> Result<Vec<(ValueId, Tensor)>, LoadError> {
    proto
        .initializer
        .iter()
        .map(|initializer| {
            let tensor = Tensor::from_proto(initializer)
                .map_err(|source| LoadError::Constant { value: initializer.name.clone(), source })?;
            Ok((names.define(&initializer.name)?, tensor))
        })
        .collect()
}

/// Nodes need no name, but ONNX Runtime refuses a file in which two have the same.
fn check_node_names(proto: &GraphProto) -> Result<(), LoadError> {
    let mut seen = HashSet::new();
    match proto.node.iter().find(|node| !node.name.is_empty() && !seen.insert(&node.name)) {
        Some(node) => Err(LoadError::DuplicateNode { node: node.name.clone() }),
        None => Ok(()),
    }
}

fn read_operators(proto: &GraphProto) -> Result<Vec<Operator>, LoadError> {
    let mut operators = Vec::with_capacity(proto.node.len());
    let mut unsupported = Vec::new();
    for node in &proto.node {
        match Operator::from_node(node) {
            Ok(operator) => operators.push(operator),
            Err(NodeProblem::Unsupported(reason)) => unsupported.push(Unsupported {
                node: model::node_name(node).to_owned(),
                operator: node.op_type.clone(),
                reason,
            }),
            Err(NodeProblem::Invalid(reason)) => return Err(broken(node, reason)),
        }
    }
    if unsupported.is_empty() { Ok(operators) } else { Err(LoadError::Unsupported(unsupported)) }
}

fn broken(node: &NodeProto, reason: impl Into<String>) -> LoadError {
    LoadError::Node { node: model::node_name(node).to_owned(), operator: node.op_type.clone(), reason: reason.into() }
}

fn connect(node: &NodeProto, operator: Operator, names: &mut Names) -> Result<Node, LoadError> {
    let (inputs_allowed, outputs_allowed) = operator.arity();
    if !inputs_allowed.contains(&node.input.len()) {
        return Err(broken(node, format!("{} inputs", node.input.len())));
    }
    if !outputs_allowed.contains(&node.output.len()) {
        return Err(broken(node, format!("{} outputs", node.output.len())));
    }
    let all_required = matches!(operator, Operator::Concat { .. });
    let required = if all_required { node.input.len() } else { *inputs_allowed.start() };
    let mut inputs = Vec::with_capacity(node.input.len());
    for (index, name) in node.input.iter().enumerate() {
        if name.is_empty() {
            if index < required {
                return Err(broken(node, format!("input {index} is missing")));
            }
            inputs.push(None);
            continue;
        }
        let id = names.get(name).ok_or_else(|| LoadError::UndefinedValue {
            node: model::node_name(node).to_owned(),
            operator: node.op_type.clone(),
            value: name.clone(),
        })?;
        inputs.push(Some(id));
    }
    let outputs = node
        .output
        .iter()
        .map(|name| if name.is_empty() { Ok(None) } else { names.define(name).map(Some) })
        .collect::<Result<Vec<Option<ValueId>>, LoadError>>()?;
    Ok(Node { name: model::node_name(node).to_owned(), operator, inputs, outputs })
}
