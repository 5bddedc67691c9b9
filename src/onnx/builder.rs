//! Writes models: a graph builder whose result is checked before anyone sees it.
//!
//! Owns names and the order of nodes. Does not own layers: the export stage decides what to build.

use thiserror::Error;

use crate::graph::{Graph, LoadError};
use crate::model::{Model, write_value};
use crate::proto::{
    AttributeProto, AttributeType, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
};
use crate::scorer::{Dimension, ValueSpec};
use crate::tensor::{ElementType, Tensor};

/// IR version that we write: the newest that ONNX Runtime 1.13 and the runtimes inside databases read.
const IR_VERSION: i64 = 8;
/// Operator set that we write, the one that came with IR version 8.
const OPSET: i64 = 17;

/// A value of a graph that is being built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value(String);

impl Value {
    /// The value's name in the file.
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// An attribute of a node.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    /// One integer; flags are 0 or 1.
    Int(i64),
    /// A list of integers.
    Ints(Vec<i64>),
    /// One float.
    Float(f32),
    /// A list of strings.
    Strings(Vec<String>),
}

/// Why a graph could not be finished: a mistake of the code that built it.
#[derive(Debug, Error)]
#[error("the graph that was built is not valid")]
pub struct BuildError(#[from] LoadError);

/// Builds one model of opset 17 and IR version 8.
#[derive(Debug)]
pub struct GraphBuilder {
    graph: GraphProto,
    metadata: Vec<StringStringEntryProto>,
}

impl GraphBuilder {
    /// An empty graph of this name.
    pub fn new(name: &str) -> Self {
        Self { graph: GraphProto { name: name.to_owned(), ..GraphProto::default() }, metadata: Vec::new() }
    }

    /// Declares an input.
    pub fn input(&mut self, name: &str, element_type: ElementType, shape: Vec<Dimension>) -> Value {
        let spec = ValueSpec { name: name.to_owned(), element_type, shape: Some(shape) };
        self.graph.input.push(write_value(&spec));
        Value(name.to_owned())
    }

    /// Adds a constant.
    pub fn constant(&mut self, name: &str, tensor: &Tensor) -> Value {
        self.graph.initializer.push(tensor.to_proto(name));
        Value(name.to_owned())
    }

    /// Adds a node with one output; node and output share the name.
    pub fn node(&mut self, operator: &str, name: &str, inputs: &[&Value], attributes: &[(&str, Attribute)]) -> Value {
        let inputs: Vec<Option<&Value>> = inputs.iter().copied().map(Some).collect();
        self.node_with_outputs(operator, name, &inputs, attributes, &[Some(name)]);
        Value(name.to_owned())
    }

    /// Adds a node whose optional inputs and outputs may be absent. Returns the outputs that are present.
    pub fn node_with_outputs(
        &mut self,
        operator: &str,
        name: &str,
        inputs: &[Option<&Value>],
        attributes: &[(&str, Attribute)],
        outputs: &[Option<&str>],
    ) -> Vec<Value> {
        let mut input: Vec<String> =
            inputs.iter().map(|value| value.map_or_else(String::new, |value| value.0.clone())).collect();
        while input.last().is_some_and(String::is_empty) {
            input.pop();
        }
        self.graph.node.push(NodeProto {
            input,
            output: outputs.iter().map(|name| name.unwrap_or_default().to_owned()).collect(),
            name: name.to_owned(),
            op_type: operator.to_owned(),
            attribute: attributes.iter().map(|(name, value)| write_attribute(name, value)).collect(),
            domain: String::new(),
        });
        outputs.iter().flatten().map(|name| Value((*name).to_owned())).collect()
    }

    /// Declares a value as an output of the graph, under its own name.
    pub fn output(&mut self, value: &Value, element_type: ElementType, shape: Vec<Dimension>) {
        let spec = ValueSpec { name: value.0.clone(), element_type, shape: Some(shape) };
        self.graph.output.push(write_value(&spec));
    }

    /// Adds an entry to the model's metadata.
    pub fn metadata(&mut self, key: &str, value: &str) {
        self.metadata.push(StringStringEntryProto { key: key.to_owned(), value: value.to_owned() });
    }

    /// Checks the graph and makes the model.
    ///
    /// # Errors
    /// [`BuildError`] when the graph is one that our own executor would refuse.
    pub fn finish(self) -> Result<Model, BuildError> {
        let model = Model::from_proto(ModelProto {
            ir_version: IR_VERSION,
            producer_name: "pipectl".to_owned(),
            graph: Some(self.graph),
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
            metadata_props: self.metadata,
        });
        Graph::from_model(&model)?;
        Ok(model)
    }
}

fn write_attribute(name: &str, value: &Attribute) -> AttributeProto {
    let mut proto = AttributeProto { name: name.to_owned(), ..AttributeProto::default() };
    let r#type = match value {
        Attribute::Int(value) => {
            proto.i = Some(*value);
            AttributeType::Int
        }
        Attribute::Ints(values) => {
            proto.ints = values.clone();
            AttributeType::Ints
        }
        Attribute::Float(value) => {
            proto.f = Some(*value);
            AttributeType::Float
        }
        Attribute::Strings(values) => {
            proto.strings = values.iter().map(|text| text.as_bytes().to_vec()).collect();
            AttributeType::Strings
        }
    };
    proto.r#type = r#type as i32;
    proto
}
