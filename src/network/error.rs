//! What can be wrong with a declaration, and with a file of weights.

use std::fmt;
use std::path::PathBuf;

/// One thing wrong with a model declaration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct NetworkError {
    /// Where in the declaration: `layers[3].units`, `inputs[0].shape[1]`, `output`.
    pub path: String,
    /// What is wrong, a lowercase fragment.
    pub message: String,
    /// What to do about it, a sentence: `Did you mean "gru"?`.
    pub hint: Option<String>,
}

impl NetworkError {
    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        NetworkError { path: path.into(), message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Suggests the candidate that is nearest to `given`, if one is near.
    pub(crate) fn suggest<'a>(mut self, given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        self.hint = pipectl_core::suggest::nearest(given, candidates).map(|name| format!("Did you mean \"{name}\"?"));
        self
    }
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            write!(f, "{}", self.message)?;
        } else {
            write!(f, "{}: {}", self.path, self.message)?;
        }
        match &self.hint {
            Some(hint) => write!(f, ". {hint}"),
            None => Ok(()),
        }
    }
}

/// A file of weights that cannot be written, read, or does not belong to its network.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file cannot be read.
    #[error("cannot read weights from {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write weights to {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The bytes are no safetensors file.
    #[error("not a safetensors file")]
    Format(#[from] safetensors::SafeTensorError),
    /// The file has tensors but no declaration.
    #[error("the file's metadata has no model declaration under \"network\"")]
    NoNetwork,
    /// The declaration in the file is no JSON.
    #[error("the file's model declaration is not JSON")]
    NetworkJson(#[source] serde_json::Error),
    /// The declaration in the file is not valid.
    #[error("the file's model declaration is not valid: {}", list(.0))]
    Network(Vec<NetworkError>),
    /// A parameter of the network has no tensor.
    #[error("tensor \"{name}\" is missing")]
    Missing {
        /// The parameter.
        name: String,
    },
    /// A tensor is no parameter of the network.
    #[error("tensor \"{name}\" is no parameter of the network")]
    Unexpected {
        /// The tensor.
        name: String,
    },
    /// A tensor has another shape than its parameter.
    #[error("tensor \"{name}\" has shape {found:?}, the network needs {expected:?}")]
    Shape {
        /// The parameter.
        name: String,
        /// The parameter's shape.
        expected: Vec<usize>,
        /// The tensor's shape.
        found: Vec<usize>,
    },
    /// A tensor has another number of values than its shape says.
    #[error("tensor \"{name}\" has {found} values, its shape needs {expected}")]
    Length {
        /// The parameter.
        name: String,
        /// The product of the shape.
        expected: usize,
        /// The values there are.
        found: usize,
    },
    /// A tensor does not hold 32-bit floats.
    #[error("tensor \"{name}\" holds {found}, not F32")]
    DataType {
        /// The parameter.
        name: String,
        /// The data type in the file.
        found: String,
    },
}

fn list(errors: &[NetworkError]) -> String {
    errors.iter().map(NetworkError::to_string).collect::<Vec<_>>().join("; ")
}
