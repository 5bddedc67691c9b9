//! The operators that the executor implements, with their attributes parsed and checked.
//!
//! Owns the translation of a node's name and attributes into [`Operator`], as the ONNX operator specification words it
//! for operator sets 13 and later (`docs/Operators.md`). Every attribute must be known: one that we do not implement
//! could change what the node computes, so the node is reported as unsupported. Does not own shapes or arithmetic.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::kernels::recurrent::Activation;
use crate::proto::{self, AttributeProto, AttributeType, NodeProto};
use crate::tensor::{ElementType, Tensor};

/// An operator with its attributes. Negative axes count from the last dimension, as in ONNX.
#[derive(Debug, Clone, PartialEq)]
pub enum Operator {
    /// `Abs`: absolute value.
    Abs,
    /// `Add`, `Sub`, `Mul`, `Div` with broadcasting.
    Arithmetic(Arithmetic),
    /// `Cast` between the supported element types.
    Cast {
        /// The type of the result.
        to: ElementType,
    },
    /// `Greater`, `Equal` with broadcasting; the result is bool.
    Compare(Comparison),
    /// `Concat` along an axis.
    Concat {
        /// The axis along which sizes add up.
        axis: i64,
    },
    /// `Constant`: a tensor that stands in the graph.
    Constant(Tensor),
    /// `Flatten` to two dimensions.
    Flatten {
        /// Dimensions before this one become rows, the others columns.
        axis: i64,
    },
    /// `Gather`: slices chosen by index.
    Gather {
        /// The axis that the indices count along.
        axis: i64,
    },
    /// `Gemm`: alpha * A' * B' + beta * C.
    Gemm {
        /// Factor of the product.
        alpha: f32,
        /// Factor of C.
        beta: f32,
        /// Whether A is transposed first.
        transpose_a: bool,
        /// Whether B is transposed first.
        transpose_b: bool,
    },
    /// `GRU`, forward direction, sequences first (layout 0).
    Gru {
        /// Units of the layer; None takes them from the recurrent weights.
        hidden_size: Option<usize>,
        /// Whether the reset gate applies after the recurrent product (Keras' `reset_after`).
        linear_before_reset: bool,
        /// Activation of the update and reset gates, then of the candidate.
        activations: [Activation; 2],
    },
    /// `Identity`.
    Identity,
    /// `LSTM`, forward direction, sequences first (layout 0), no peepholes.
    Lstm {
        /// Units of the layer; None takes them from the recurrent weights.
        hidden_size: Option<usize>,
        /// Activation of the gates, of the candidate, and of the cell in the output.
        activations: [Activation; 3],
    },
    /// `MatMul` as numpy's matmul.
    MatMul,
    /// `ReduceMax`, `ReduceSum` over axes.
    Reduce {
        /// Which of them.
        reduction: Reduction,
        /// Axes given as an attribute; otherwise they are the optional second input.
        axes: Option<Vec<i64>>,
        /// Whether reduced dimensions stay with size one.
        keep_dimensions: bool,
        /// Whether no axes means no reduction (instead of all axes).
        noop_with_empty_axes: bool,
    },
    /// `Relu`: the larger of zero and the value.
    Relu,
    /// `Reshape` to the shape in the second input.
    Reshape {
        /// Whether a zero in the shape means zero (instead of the input's dimension).
        allow_zero: bool,
    },
    /// `Shape`: the dimensions as int64.
    Shape {
        /// First dimension of the result.
        start: i64,
        /// The dimension behind the last of the result; None takes all.
        end: Option<i64>,
    },
    /// `Sigmoid`: the logistic function.
    Sigmoid,
    /// `Softmax` along one axis.
    Softmax {
        /// The axis along which probabilities add up to one.
        axis: i64,
    },
    /// `Squeeze`: removes dimensions of size one.
    Squeeze,
    /// `Tanh`.
    Tanh,
    /// `Transpose`.
    Transpose {
        /// For each dimension of the result, the one of the input; None reverses them.
        permutation: Option<Vec<i64>>,
    },
    /// `Unsqueeze`: inserts dimensions of size one.
    Unsqueeze,
}

/// The arithmetic operators of two inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// `Add`.
    Add,
    /// `Sub`.
    Subtract,
    /// `Mul`.
    Multiply,
    /// `Div`; of integers it truncates.
    Divide,
}

/// The comparisons of two inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `Greater`.
    Greater,
    /// `Equal`.
    Equal,
}

/// The reductions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// `ReduceMax`.
    Maximum,
    /// `ReduceSum`.
    Sum,
}

impl Operator {
    /// ONNX's name of the operator.
    pub fn name(&self) -> &'static str {
        match self {
            Operator::Abs => "Abs",
            Operator::Arithmetic(Arithmetic::Add) => "Add",
            Operator::Arithmetic(Arithmetic::Subtract) => "Sub",
            Operator::Arithmetic(Arithmetic::Multiply) => "Mul",
            Operator::Arithmetic(Arithmetic::Divide) => "Div",
            Operator::Cast { .. } => "Cast",
            Operator::Compare(Comparison::Greater) => "Greater",
            Operator::Compare(Comparison::Equal) => "Equal",
            Operator::Concat { .. } => "Concat",
            Operator::Constant(_) => "Constant",
            Operator::Flatten { .. } => "Flatten",
            Operator::Gather { .. } => "Gather",
            Operator::Gemm { .. } => "Gemm",
            Operator::Gru { .. } => "GRU",
            Operator::Identity => "Identity",
            Operator::Lstm { .. } => "LSTM",
            Operator::MatMul => "MatMul",
            Operator::Reduce { reduction: Reduction::Maximum, .. } => "ReduceMax",
            Operator::Reduce { reduction: Reduction::Sum, .. } => "ReduceSum",
            Operator::Relu => "Relu",
            Operator::Reshape { .. } => "Reshape",
            Operator::Shape { .. } => "Shape",
            Operator::Sigmoid => "Sigmoid",
            Operator::Softmax { .. } => "Softmax",
            Operator::Squeeze => "Squeeze",
            Operator::Tanh => "Tanh",
            Operator::Transpose { .. } => "Transpose",
            Operator::Unsqueeze => "Unsqueeze",
        }
    }

    /// How many inputs and outputs a node may list. Inputs below the lower bound must be present.
    pub(crate) fn arity(&self) -> (RangeInclusive<usize>, RangeInclusive<usize>) {
        match self {
            Operator::Constant(_) => (0..=0, 1..=1),
            Operator::Abs
            | Operator::Cast { .. }
            | Operator::Flatten { .. }
            | Operator::Identity
            | Operator::Relu
            | Operator::Shape { .. }
            | Operator::Sigmoid
            | Operator::Softmax { .. }
            | Operator::Tanh
            | Operator::Transpose { .. } => (1..=1, 1..=1),
            Operator::Arithmetic(_)
            | Operator::Compare(_)
            | Operator::Gather { .. }
            | Operator::MatMul
            | Operator::Reshape { .. }
            | Operator::Unsqueeze => (2..=2, 1..=1),
            Operator::Reduce { .. } | Operator::Squeeze => (1..=2, 1..=1),
            Operator::Concat { .. } => (1..=usize::MAX, 1..=1),
            Operator::Gemm { .. } => (2..=3, 1..=1),
            Operator::Gru { .. } => (3..=6, 0..=2),
            Operator::Lstm { .. } => (3..=8, 0..=3),
        }
    }

    /// Translates a node.
    pub(crate) fn from_node(node: &NodeProto) -> Result<Self, NodeProblem> {
        if !node.domain.is_empty() && node.domain != "ai.onnx" {
            return Err(unsupported(format!("domain `{}`", node.domain)));
        }
        let mut attributes = Attributes::new(node)?;
        let operator = match node.op_type.as_str() {
            "Abs" => Operator::Abs,
            "Add" => Operator::Arithmetic(Arithmetic::Add),
            "Sub" => Operator::Arithmetic(Arithmetic::Subtract),
            "Mul" => Operator::Arithmetic(Arithmetic::Multiply),
            "Div" => Operator::Arithmetic(Arithmetic::Divide),
            "Cast" => cast(&mut attributes)?,
            "Greater" => Operator::Compare(Comparison::Greater),
            "Equal" => Operator::Compare(Comparison::Equal),
            "Concat" => {
                let axis = attributes.int("axis")?.ok_or_else(|| invalid("attribute `axis` is missing"))?;
                Operator::Concat { axis }
            }
            "Constant" => constant(&mut attributes)?,
            "Flatten" => Operator::Flatten { axis: attributes.int("axis")?.unwrap_or(1) },
            "Gather" => Operator::Gather { axis: attributes.int("axis")?.unwrap_or(0) },
            "Gemm" => Operator::Gemm {
                alpha: attributes.float("alpha")?.unwrap_or(1.0),
                beta: attributes.float("beta")?.unwrap_or(1.0),
                transpose_a: attributes.flag("transA", false)?,
                transpose_b: attributes.flag("transB", false)?,
            },
            "GRU" => {
                refuse_inputs(node, &[(5, "initial_h")])?;
                let defaults = [Activation::Sigmoid, Activation::Tanh];
                let (hidden_size, activations) = recurrent(&mut attributes, defaults)?;
                let linear_before_reset = attributes.flag("linear_before_reset", false)?;
                Operator::Gru { hidden_size, linear_before_reset, activations }
            }
            "Identity" => Operator::Identity,
            "LSTM" => {
                refuse_inputs(node, &[(5, "initial_h"), (6, "initial_c"), (7, "P")])?;
                let defaults = [Activation::Sigmoid, Activation::Tanh, Activation::Tanh];
                let (hidden_size, activations) = recurrent(&mut attributes, defaults)?;
                if attributes.flag("input_forget", false)? {
                    return Err(unsupported("input_forget = 1"));
                }
                Operator::Lstm { hidden_size, activations }
            }
            "MatMul" => Operator::MatMul,
            "ReduceMax" => reduce(&mut attributes, Reduction::Maximum)?,
            "ReduceSum" => reduce(&mut attributes, Reduction::Sum)?,
            "Relu" => Operator::Relu,
            "Reshape" => Operator::Reshape { allow_zero: attributes.flag("allowzero", false)? },
            "Shape" => Operator::Shape { start: attributes.int("start")?.unwrap_or(0), end: attributes.int("end")? },
            "Sigmoid" => Operator::Sigmoid,
            "Softmax" => Operator::Softmax { axis: attributes.int("axis")?.unwrap_or(-1) },
            "Squeeze" => Operator::Squeeze,
            "Tanh" => Operator::Tanh,
            "Transpose" => Operator::Transpose { permutation: attributes.ints("perm")? },
            "Unsqueeze" => Operator::Unsqueeze,
            _ => return Err(unsupported("no such operator here")),
        };
        attributes.finish()?;
        Ok(operator)
    }
}

/// Why a node is refused.
pub(crate) enum NodeProblem {
    /// Legal ONNX that we do not implement.
    Unsupported(String),
    /// Not legal ONNX.
    Invalid(String),
}

fn unsupported(reason: impl Into<String>) -> NodeProblem {
    NodeProblem::Unsupported(reason.into())
}

fn invalid(reason: impl Into<String>) -> NodeProblem {
    NodeProblem::Invalid(reason.into())
}

fn refuse_inputs(node: &NodeProto, names: &[(usize, &str)]) -> Result<(), NodeProblem> {
    match names.iter().find(|(index, _)| node.input.get(*index).is_some_and(|input| !input.is_empty())) {
        Some((_, name)) => Err(unsupported(format!("input `{name}`"))),
        None => Ok(()),
    }
}

fn cast(attributes: &mut Attributes<'_>) -> Result<Operator, NodeProblem> {
    let to = attributes.int("to")?.ok_or_else(|| invalid("attribute `to` is missing"))?;
    // Saturation only matters for the 8-bit floats, which are refused.
    attributes.int("saturate")?;
    let data_type = i32::try_from(to).map_err(|_| invalid(format!("to = {to} is no element type")))?;
    let to = ElementType::from_data_type(data_type)
        .ok_or_else(|| unsupported(format!("to {}", proto::data_type_name(data_type))))?;
    Ok(Operator::Cast { to })
}

fn constant(attributes: &mut Attributes<'_>) -> Result<Operator, NodeProblem> {
    let mut found = Vec::new();
    if let Some(tensor) = attributes.tensor("value")? {
        found.push(tensor);
    }
    if let Some(value) = attributes.float("value_float")? {
        found.push(Tensor::from_parts(Vec::new(), vec![value]));
    }
    if let Some(value) = attributes.int("value_int")? {
        found.push(Tensor::from_parts(Vec::new(), vec![value]));
    }
    if let Some(values) = attributes.floats("value_floats")? {
        found.push(Tensor::from_parts(vec![values.len()], values));
    }
    if let Some(values) = attributes.ints("value_ints")? {
        found.push(Tensor::from_parts(vec![values.len()], values));
    }
    // Unknown attributes (strings, sparse tensors) are better news than a missing value.
    attributes.finish()?;
    match found.len() {
        1 => Ok(Operator::Constant(found.swap_remove(0))),
        count => Err(invalid(format!("{count} values, expected one"))),
    }
}

fn reduce(attributes: &mut Attributes<'_>, reduction: Reduction) -> Result<Operator, NodeProblem> {
    Ok(Operator::Reduce {
        reduction,
        axes: attributes.ints("axes")?,
        keep_dimensions: attributes.flag("keepdims", true)?,
        noop_with_empty_axes: attributes.flag("noop_with_empty_axes", false)?,
    })
}

/// The attributes that GRU and LSTM share.
fn recurrent<const COUNT: usize>(
    attributes: &mut Attributes<'_>,
    defaults: [Activation; COUNT],
) -> Result<(Option<usize>, [Activation; COUNT]), NodeProblem> {
    if let Some(direction) = attributes.string("direction")?
        && direction != "forward"
    {
        return Err(unsupported(format!("direction `{direction}`")));
    }
    if attributes.flag("layout", false)? {
        return Err(unsupported("layout = 1"));
    }
    let hidden_size = match attributes.int("hidden_size")? {
        None => None,
        Some(size) => Some(
            usize::try_from(size)
                .ok()
                .filter(|&size| size > 0)
                .ok_or_else(|| invalid(format!("hidden_size = {size}")))?,
        ),
    };
    let mut activations = defaults;
    if let Some(names) = attributes.strings("activations")? {
        if names.len() != COUNT {
            return Err(invalid(format!("{} activations, expected {COUNT}", names.len())));
        }
        for (activation, name) in activations.iter_mut().zip(&names) {
            *activation = Activation::from_name(name).ok_or_else(|| unsupported(format!("activation `{name}`")))?;
        }
    }
    Ok((hidden_size, activations))
}

/// A node's attributes; each is taken once, what remains is unknown.
struct Attributes<'a> {
    remaining: BTreeMap<&'a str, &'a AttributeProto>,
}

impl<'a> Attributes<'a> {
    fn new(node: &'a NodeProto) -> Result<Self, NodeProblem> {
        let mut remaining = BTreeMap::new();
        for attribute in &node.attribute {
            if !attribute.ref_attr_name.is_empty() {
                return Err(unsupported("attributes of functions"));
            }
            if remaining.insert(attribute.name.as_str(), attribute).is_some() {
                return Err(invalid(format!("attribute `{}` is given twice", attribute.name)));
            }
        }
        Ok(Self { remaining })
    }

    fn finish(&self) -> Result<(), NodeProblem> {
        match self.remaining.keys().next() {
            Some(name) => Err(unsupported(format!("attribute `{name}`"))),
            None => Ok(()),
        }
    }

    fn take(&mut self, name: &str, expected: AttributeType) -> Result<Option<&'a AttributeProto>, NodeProblem> {
        match self.remaining.remove(name) {
            Some(attribute) if attribute.r#type != expected as i32 => {
                Err(invalid(format!("attribute `{name}` is not of type {expected:?}")))
            }
            attribute => Ok(attribute),
        }
    }

    fn int(&mut self, name: &str) -> Result<Option<i64>, NodeProblem> {
        Ok(self.take(name, AttributeType::Int)?.map(|attribute| attribute.i.unwrap_or(0)))
    }

    fn flag(&mut self, name: &str, default: bool) -> Result<bool, NodeProblem> {
        Ok(self.int(name)?.map_or(default, |value| value != 0))
    }

    fn float(&mut self, name: &str) -> Result<Option<f32>, NodeProblem> {
        Ok(self.take(name, AttributeType::Float)?.map(|attribute| attribute.f.unwrap_or(0.0)))
    }

    fn ints(&mut self, name: &str) -> Result<Option<Vec<i64>>, NodeProblem> {
        Ok(self.take(name, AttributeType::Ints)?.map(|attribute| attribute.ints.clone()))
    }

    fn floats(&mut self, name: &str) -> Result<Option<Vec<f32>>, NodeProblem> {
        Ok(self.take(name, AttributeType::Floats)?.map(|attribute| attribute.floats.clone()))
    }

    fn string(&mut self, name: &str) -> Result<Option<String>, NodeProblem> {
        Ok(self
            .take(name, AttributeType::String)?
            .map(|attribute| String::from_utf8_lossy(attribute.s.as_deref().unwrap_or_default()).into_owned()))
    }

    fn strings(&mut self, name: &str) -> Result<Option<Vec<String>>, NodeProblem> {
        Ok(self
            .take(name, AttributeType::Strings)?
            .map(|attribute| attribute.strings.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()))
    }

    fn tensor(&mut self, name: &str) -> Result<Option<Tensor>, NodeProblem> {
        let Some(attribute) = self.take(name, AttributeType::Tensor)? else { return Ok(None) };
        let tensor = attribute.t.as_ref().ok_or_else(|| invalid(format!("attribute `{name}` has no tensor")))?;
        Tensor::from_proto(tensor).map(Some).map_err(|error| unsupported(format!("attribute `{name}`: {error}")))
    }
}
