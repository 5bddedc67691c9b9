//! An ONNX file: bytes in, bytes out, and what its header says.
//!
//! Owns reading and writing. What was read is kept as it is in the fields that we know; unknown fields are dropped.
//! The check that a model can be run is in `graph`.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use prost::Message;
use thiserror::Error;

use crate::proto::{
    self, DimensionProto, DimensionValue, GraphProto, ModelProto, NodeProto, TensorShapeProto, TensorTypeProto,
    TypeProto, ValueInfoProto,
};
use crate::scorer::{Dimension, ValueSpec};
use crate::tensor::ElementType;

/// Versions of the ONNX operator set whose operators our executor implements. Below 13, Softmax, Squeeze and ReduceSum
/// mean something else; up to 22 the operators that we know only gained element types.
pub const SUPPORTED_OPSETS: RangeInclusive<i64> = 13..=22;

/// Why a model could not be read or written.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The file could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file could not be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The bytes are no protobuf message of this kind.
    #[error("it is not an ONNX file, or a damaged one")]
    Decode(#[from] prost::DecodeError),
    /// A part that every model has is not there.
    #[error("it has no {part}")]
    Missing {
        /// The part.
        part: &'static str,
    },
    /// An input or output is of a kind that we cannot compute with.
    #[error("{direction} `{name}`: {reason}")]
    Value {
        /// "input" or "output".
        direction: &'static str,
        /// Its name.
        name: String,
        /// The kind.
        reason: String,
    },
}

/// An ONNX model, as read or as built.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    proto: ModelProto,
}

impl Model {
    pub(crate) fn from_proto(proto: ModelProto) -> Self {
        Self { proto }
    }

    /// Reads a model from the bytes of a file.
    ///
    /// # Errors
    /// [`ModelError::Decode`] for bytes that are no ONNX model, [`ModelError::Missing`] for one without a graph or an
    /// operator set (an empty file decodes to such a model).
    pub fn decode(bytes: &[u8]) -> Result<Self, ModelError> {
        let model = Self { proto: ModelProto::decode(bytes)? };
        model.graph()?;
        model.opset()?;
        Ok(model)
    }

    /// The bytes of the model's file: the same model always gives the same bytes.
    pub fn encode(&self) -> Vec<u8> {
        self.proto.encode_to_vec()
    }

    /// Reads a file.
    ///
    /// # Errors
    /// As [`Model::decode`], and [`ModelError::Read`].
    pub fn load(path: &Path) -> Result<Self, ModelError> {
        let bytes = std::fs::read(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
        Self::decode(&bytes)
    }

    /// Writes a file.
    ///
    /// # Errors
    /// [`ModelError::Write`].
    pub fn save(&self, path: &Path) -> Result<(), ModelError> {
        std::fs::write(path, self.encode()).map_err(|source| ModelError::Write { path: path.to_owned(), source })
    }

    /// The version of the file format.
    pub fn ir_version(&self) -> i64 {
        self.proto.ir_version
    }

    /// The version of ONNX's own operator set.
    ///
    /// # Errors
    /// [`ModelError::Missing`] when the model imports none.
    pub fn opset(&self) -> Result<i64, ModelError> {
        self.proto
            .opset_import
            .iter()
            .find(|import| import.domain.is_empty() || import.domain == "ai.onnx")
            .map(|import| import.version)
            .ok_or(ModelError::Missing { part: "operator set" })
    }

    /// The model's metadata, later entries winning.
    pub fn metadata(&self) -> BTreeMap<&str, &str> {
        self.proto.metadata_props.iter().map(|entry| (entry.key.as_str(), entry.value.as_str())).collect()
    }

    /// The inputs that must be given: those of the graph that have no constant as default.
    ///
    /// # Errors
    /// [`ModelError::Value`] for one that is no tensor of a supported element type.
    pub fn inputs(&self) -> Result<Vec<ValueSpec>, ModelError> {
        let graph = self.graph()?;
        let constants: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
        let given = graph.input.iter().filter(|value| !constants.contains(value.name.as_str()));
        given.map(|value| read_value(value, "input")).collect()
    }

    /// The outputs.
    ///
    /// # Errors
    /// [`ModelError::Value`] for one that is no tensor of a supported element type.
    pub fn outputs(&self) -> Result<Vec<ValueSpec>, ModelError> {
        self.graph()?.output.iter().map(|value| read_value(value, "output")).collect()
    }

    pub(crate) fn graph(&self) -> Result<&GraphProto, ModelError> {
        self.proto.graph.as_ref().ok_or(ModelError::Missing { part: "graph" })
    }
}

/// The name that messages use for a node.
pub(crate) fn node_name(node: &NodeProto) -> &str {
    if node.name.is_empty() {
        node.output.iter().find(|output| !output.is_empty()).map_or("", String::as_str)
    } else {
        &node.name
    }
}

/// The message of an input or output.
pub(crate) fn write_value(spec: &ValueSpec) -> ValueInfoProto {
    let shape = spec.shape.as_ref().map(|dimensions| TensorShapeProto {
        dim: dimensions
            .iter()
            .map(|dimension| DimensionProto {
                value: match dimension {
                    Dimension::Fixed(size) => Some(DimensionValue::DimValue(*size as i64)),
                    Dimension::Symbol(name) => Some(DimensionValue::DimParam(name.clone())),
                    Dimension::Unknown => None,
                },
            })
            .collect(),
    });
    let tensor_type = TensorTypeProto { elem_type: spec.element_type.data_type(), shape };
    ValueInfoProto { name: spec.name.clone(), r#type: Some(TypeProto { tensor_type: Some(tensor_type) }) }
}

fn read_value(value: &ValueInfoProto, direction: &'static str) -> Result<ValueSpec, ModelError> {
    let refuse = |reason: String| ModelError::Value { direction, name: value.name.clone(), reason };
    let tensor_type = value
        .r#type
        .as_ref()
        .and_then(|r#type| r#type.tensor_type.as_ref())
        .ok_or_else(|| refuse("it is not a tensor".to_owned()))?;
    let element_type = ElementType::from_data_type(tensor_type.elem_type).ok_or_else(|| {
        refuse(format!("element type {} is not supported", proto::data_type_name(tensor_type.elem_type)))
    })?;
    let shape = match &tensor_type.shape {
        None => None,
        Some(shape) => Some(
            shape
                .dim
                .iter()
                .map(|dimension| match &dimension.value {
                    None => Ok(Dimension::Unknown),
                    Some(DimensionValue::DimParam(name)) if name.is_empty() => Ok(Dimension::Unknown),
                    Some(DimensionValue::DimParam(name)) => Ok(Dimension::Symbol(name.clone())),
                    Some(DimensionValue::DimValue(size)) => usize::try_from(*size)
                        .map(Dimension::Fixed)
                        .map_err(|_| refuse(format!("dimension {size} is negative"))),
                })
                .collect::<Result<Vec<Dimension>, ModelError>>()?,
        ),
    };
    Ok(ValueSpec { name: value.name.clone(), element_type, shape })
}
