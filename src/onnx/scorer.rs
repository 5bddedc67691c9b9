//! What every executor of an ONNX model offers: our own and ONNX Runtime.
//!
//! Owns the trait, the description of inputs and outputs, and the check of inputs before a run, so that both executors
//! refuse wrong inputs with the same words. Owns no executor.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use crate::kernels::KernelError;
use crate::tensor::{ElementType, Tensor};

/// One dimension of an input or output.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// Always this size.
    Fixed(usize),
    /// Any size, the same for every dimension with this name ("N" is the batch by convention).
    Symbol(String),
    /// Any size.
    Unknown,
}

impl fmt::Display for Dimension {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dimension::Fixed(size) => write!(formatter, "{size}"),
            Dimension::Symbol(name) => formatter.write_str(name),
            Dimension::Unknown => formatter.write_str("?"),
        }
    }
}

/// Name, element type and shape of an input or output of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueSpec {
    /// The name that inputs and outputs are passed by.
    pub name: String,
    /// The type of every element.
    pub element_type: ElementType,
    /// The dimensions; None when the model leaves even the rank open.
    pub shape: Option<Vec<Dimension>>,
}

impl fmt::Display for ValueSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}{}", self.name, self.element_type, SpecShape(self.shape.as_deref()))
    }
}

/// An executor with a loaded model.
pub trait Scorer: Send {
    /// Name and version for reports: "onnxruntime 1.32.0" or "pipectl".
    fn name(&self) -> String;

    /// What [`Scorer::run`] must be given.
    fn inputs(&self) -> &[ValueSpec];

    /// What [`Scorer::run`] returns.
    fn outputs(&self) -> &[ValueSpec];

    /// Computes every output of the model from every input, by name.
    ///
    /// # Errors
    /// A missing, unknown or wrongly shaped input, and whatever an operator refuses.
    fn run(&mut self, inputs: &BTreeMap<String, Tensor>) -> Result<BTreeMap<String, Tensor>, ScoreError>;
}

/// Why a model could not be run on its inputs.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// An input of the model was not given.
    #[error("input `{name}` is missing")]
    MissingInput {
        /// The model's name of it.
        name: String,
    },
    /// An input was given that the model does not have.
    #[error("the model has no input `{name}`")]
    UnknownInput {
        /// The name given.
        name: String,
    },
    /// An input has elements of another type.
    #[error("input `{name}` has elements of type {found}, the model wants {expected}")]
    InputType {
        /// The input.
        name: String,
        /// The model's type.
        expected: ElementType,
        /// The given type.
        found: ElementType,
    },
    /// An input has another shape, or a symbol of the shape has two sizes.
    #[error("input `{name}` has shape {found:?}, the model wants {expected}")]
    InputShape {
        /// The input.
        name: String,
        /// The model's shape, symbols by name.
        expected: String,
        /// The given shape.
        found: Vec<usize>,
    },
    /// An operator refused its inputs.
    #[error("node `{node}` ({operator}) failed")]
    Operator {
        /// The node's name, or that of its first output.
        node: String,
        /// The operator's name.
        operator: &'static str,
        /// What was wrong.
        source: KernelError,
    },
    /// A native runtime failed.
    #[error("{runtime} failed")]
    Runtime {
        /// Name and version of the runtime.
        runtime: String,
        /// Its own error.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Compares inputs with what a model wants: all there, none unknown, types and shapes equal, and one size a symbol.
///
/// # Errors
/// The first difference, in the order of `specs`.
pub fn check_inputs(specs: &[ValueSpec], inputs: &BTreeMap<String, Tensor>) -> Result<(), ScoreError> {
    let mut symbols: BTreeMap<&str, usize> = BTreeMap::new();
    for spec in specs {
        let tensor = inputs.get(&spec.name).ok_or_else(|| ScoreError::MissingInput { name: spec.name.clone() })?;
        if tensor.element_type() != spec.element_type {
            return Err(ScoreError::InputType {
                name: spec.name.clone(),
                expected: spec.element_type,
                found: tensor.element_type(),
            });
        }
        let Some(shape) = &spec.shape else { continue };
        let fits = shape.len() == tensor.shape().len()
            && shape.iter().zip(tensor.shape()).all(|(dimension, &size)| match dimension {
                Dimension::Fixed(fixed) => *fixed == size,
                Dimension::Symbol(symbol) => *symbols.entry(symbol).or_insert(size) == size,
                Dimension::Unknown => true,
            });
        if !fits {
            let mut expected = SpecShape(Some(shape)).to_string();
            for (symbol, size) in &symbols {
                if shape.iter().any(|dimension| matches!(dimension, Dimension::Symbol(name) if name == symbol)) {
                    expected.push_str(&format!(", {symbol} = {size}"));
                }
            }
            return Err(ScoreError::InputShape { name: spec.name.clone(), expected, found: tensor.shape().to_vec() });
        }
    }
    match inputs.keys().find(|name| specs.iter().all(|spec| spec.name != **name)) {
        Some(name) => Err(ScoreError::UnknownInput { name: name.clone() }),
        None => Ok(()),
    }
}

struct SpecShape<'a>(Option<&'a [Dimension]>);

impl fmt::Display for SpecShape<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(dimensions) = self.0 else { return formatter.write_str("[...]") };
        formatter.write_str("[")?;
        for (index, dimension) in dimensions.iter().enumerate() {
            if index > 0 {
                formatter.write_str(", ")?;
            }
            write!(formatter, "{dimension}")?;
        }
        formatter.write_str("]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specs() -> Vec<ValueSpec> {
        let rows = || Dimension::Symbol("N".into());
        vec![
            ValueSpec {
                name: "x".into(),
                element_type: ElementType::Float,
                shape: Some(vec![rows(), Dimension::Fixed(2)]),
            },
            ValueSpec { name: "n".into(), element_type: ElementType::Int32, shape: Some(vec![rows()]) },
        ]
    }

    fn inputs(x: Tensor, n: Tensor) -> BTreeMap<String, Tensor> {
        BTreeMap::from([("x".to_owned(), x), ("n".to_owned(), n)])
    }

    #[test]
    fn each_wrong_input_is_named() {
        let x = || Tensor::new([3, 2], vec![0.0_f32; 6]).unwrap();
        let n = || Tensor::new([3], vec![1_i32; 3]).unwrap();
        check_inputs(&specs(), &inputs(x(), n())).unwrap();

        let text = |inputs: &BTreeMap<String, Tensor>| check_inputs(&specs(), inputs).unwrap_err().to_string();
        let mut missing = inputs(x(), n());
        missing.remove("n");
        assert_eq!(text(&missing), "input `n` is missing");
        let mut unknown = inputs(x(), n());
        unknown.insert("z".into(), n());
        assert_eq!(text(&unknown), "the model has no input `z`");
        let wrong_type = inputs(x(), Tensor::new([3], vec![1_i64; 3]).unwrap());
        assert_eq!(text(&wrong_type), "input `n` has elements of type int64, the model wants int32");
        let wrong_shape = inputs(Tensor::new([2, 3], vec![0.0_f32; 6]).unwrap(), n());
        assert_eq!(text(&wrong_shape), "input `x` has shape [2, 3], the model wants [N, 2], N = 2");
        let two_sizes = inputs(x(), Tensor::new([4], vec![1_i32; 4]).unwrap());
        assert_eq!(text(&two_sizes), "input `n` has shape [4], the model wants [N], N = 3");
    }
}
