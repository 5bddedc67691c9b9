//! A model in ONNX Runtime, behind the scorer trait.

use std::collections::BTreeMap;

use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, TensorElementType, TensorRef};
use pipectl_onnx::{Model, ModelError, ScoreError, Scorer, Tensor, TensorData, ValueSpec, check_inputs};
use thiserror::Error;

use crate::runtime::Runtime;

/// A model that ONNX Runtime executes on the CPU.
#[derive(Debug)]
pub struct OrtSession {
    name: String,
    session: Session,
    inputs: Vec<ValueSpec>,
    outputs: Vec<ValueSpec>,
}

/// Why ONNX Runtime could not take a model.
#[derive(Debug, Error)]
pub enum SessionError {
    /// The bytes are no ONNX model, or its inputs are of a kind that we cannot pass.
    #[error("the model cannot be read")]
    Model(#[from] ModelError),
    /// ONNX Runtime refused it.
    #[error("{runtime} refused the model: {reason}")]
    Refused {
        /// Name and version.
        runtime: String,
        /// Its own words.
        reason: String,
    },
}

impl OrtSession {
    /// Loads the bytes of an ONNX file; operators run on `threads` threads (at least one).
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn load(runtime: &Runtime, bytes: &[u8], threads: usize) -> Result<Self, SessionError> {
        let model = Model::decode(bytes)?;
        let (inputs, outputs) = (model.inputs()?, model.outputs()?);
        let session = open(runtime, bytes, threads.max(1))
            .map_err(|error| SessionError::Refused { runtime: runtime.name(), reason: words(&error) })?;
        Ok(Self { name: runtime.name(), session, inputs, outputs })
    }
}

impl Scorer for OrtSession {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn inputs(&self) -> &[ValueSpec] {
        &self.inputs
    }

    fn outputs(&self) -> &[ValueSpec] {
        &self.outputs
    }

    fn run(&mut self, inputs: &BTreeMap<String, Tensor>) -> Result<BTreeMap<String, Tensor>, ScoreError> {
        check_inputs(&self.inputs, inputs)?;
        let runtime = self.name.clone();
        let fail = |error: ort::Error| ScoreError::Runtime { runtime: runtime.clone(), source: Box::new(error) };
        let values = inputs
            .iter()
            .map(|(name, tensor)| Ok((name.as_str(), view(tensor)?)))
            .collect::<Result<Vec<(&str, SessionInputValue<'_>)>, ort::Error>>()
            .map_err(fail)?;
        let results = self.session.run(values).map_err(fail)?;
        self.outputs
            .iter()
            .map(|spec| {
                let value = results
                    .get(&spec.name)
                    .ok_or_else(|| ort::Error::new(format!("it returned no output `{}`", spec.name)))
                    .map_err(fail)?;
                Ok((spec.name.clone(), copy(value).map_err(fail)?))
            })
            .collect()
    }
}

/// ONNX Runtime's message as a fragment.
fn words(error: &ort::Error) -> String {
    error.to_string().trim_end_matches(['.', ' ', '\n']).to_owned()
}

fn open(runtime: &Runtime, bytes: &[u8], threads: usize) -> Result<Session, ort::Error> {
    Session::builder(runtime.environment())?
        .with_intra_threads(threads)
        .map_err(|error| ort::Error::new(error.message()))?
        .with_inter_threads(1)
        .map_err(|error| ort::Error::new(error.message()))?
        .commit_from_memory(bytes)
}

fn view(tensor: &Tensor) -> Result<SessionInputValue<'_>, ort::Error> {
    let shape = tensor.shape().to_vec();
    Ok(match tensor.data() {
        TensorData::Float(values) => TensorRef::from_array_view((shape, values.as_slice()))?.into(),
        TensorData::Int32(values) => TensorRef::from_array_view((shape, values.as_slice()))?.into(),
        TensorData::Int64(values) => TensorRef::from_array_view((shape, values.as_slice()))?.into(),
        TensorData::Bool(values) => TensorRef::from_array_view((shape, values.as_slice()))?.into(),
    })
}

fn copy(value: &DynValue) -> Result<Tensor, ort::Error> {
    let element_type = value.dtype().tensor_type().ok_or_else(|| ort::Error::new("an output is not a tensor"))?;
    let make = |shape: &[i64], data: TensorData| {
        let shape: Vec<usize> = shape.iter().map(|&size| usize::try_from(size).unwrap_or(0)).collect();
        Tensor::new(shape, data).map_err(|error| ort::Error::new(error.to_string()))
    };
    macro_rules! extract {
        ($element:ty) => {{
            let (shape, values) = value.try_extract_tensor::<$element>()?;
            make(shape, values.to_vec().into())
        }};
    }
    match element_type {
        TensorElementType::Float32 => extract!(f32),
        TensorElementType::Int32 => extract!(i32),
        TensorElementType::Int64 => extract!(i64),
        TensorElementType::Bool => extract!(bool),
        other => Err(ort::Error::new(format!("an output has elements of type {other}"))),
    }
}
