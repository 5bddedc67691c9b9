//! A network's parameters with values, and their file.
//!
//! The file is one safetensors file (<https://github.com/huggingface/safetensors>): every tensor under its Keras name, and
//! the declaration as JSON in the metadata under `network`. Its bytes depend on network and values only.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::declaration::Network;
use crate::error::WeightsError;
use crate::file::write_whole;

/// Key of the declaration in the file's metadata.
const NETWORK_KEY: &str = "network";

/// Numbers in a shape, row major.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Sizes of the axes.
    pub shape: Vec<usize>,
    /// As many values as the product of the shape.
    pub data: Vec<f32>,
}

/// A value for every parameter of a network, in the order of [`Network::parameters`].
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    tensors: Vec<(String, Tensor)>,
}

impl Weights {
    /// Weights for `network` from named tensors in any order.
    ///
    /// # Errors
    /// A parameter without a tensor, a tensor without a parameter, a wrong shape or number of values.
    pub fn new(
        network: &Network,
        tensors: impl IntoIterator<Item = (String, Tensor)>,
    ) -> Result<Weights, WeightsError> {
        let mut given: HashMap<String, Tensor> = tensors.into_iter().collect();
        let mut ordered = Vec::new();
        for parameter in network.parameters() {
            let name = parameter.name;
            let Some(tensor) = given.remove(&name) else { return Err(WeightsError::Missing { name }) };
            if tensor.shape != parameter.shape {
                return Err(WeightsError::Shape { name, expected: parameter.shape, found: tensor.shape });
            }
            let expected = tensor.shape.iter().product();
            if tensor.data.len() != expected {
                return Err(WeightsError::Length { name, expected, found: tensor.data.len() });
            }
            ordered.push((name, tensor));
        }
        match given.into_keys().min() {
            Some(name) => Err(WeightsError::Unexpected { name }),
            None => Ok(Weights { tensors: ordered }),
        }
    }

    /// Weights for `network` from all values in the order of its parameters.
    ///
    /// # Errors
    /// Another number of values than [`Network::parameter_count`].
    pub fn from_flat(network: &Network, values: &[f32]) -> Result<Weights, WeightsError> {
        let expected = network.parameter_count();
        if values.len() != expected {
            return Err(WeightsError::Length { name: network.name().to_owned(), expected, found: values.len() });
        }
        let mut rest = values;
        let tensors = network.parameters().into_iter().map(|parameter| {
            let (data, others) = rest.split_at(parameter.len());
            rest = others;
            (parameter.name, Tensor { shape: parameter.shape, data: data.to_vec() })
        });
        Ok(Weights { tensors: tensors.collect() })
    }

    /// All values in the order of the parameters.
    pub fn to_flat(&self) -> Vec<f32> {
        self.tensors.iter().flat_map(|(_, tensor)| tensor.data.iter().copied()).collect()
    }

    /// The tensor of a parameter, such as `gru/kernel`.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.iter().find(|(known, _)| known == name).map(|(_, tensor)| tensor)
    }

    /// Names and tensors in the order of the parameters.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// If safetensors refuses a tensor, which [`Weights::new`] does not let happen.
    pub fn to_bytes(&self, network: &Network) -> Result<Vec<u8>, WeightsError> {
        let bytes: Vec<Vec<u8>> = self
            .tensors
            .iter()
            .map(|(_, tensor)| tensor.data.iter().flat_map(|value| value.to_le_bytes()).collect())
            .collect();
        let mut views = Vec::with_capacity(bytes.len());
        for ((name, tensor), bytes) in self.tensors.iter().zip(&bytes) {
            views.push((name.as_str(), TensorView::new(Dtype::F32, tensor.shape.clone(), bytes)?));
        }
        // One key only: safetensors writes several in no fixed order.
        let metadata = HashMap::from([(NETWORK_KEY.to_owned(), network.to_json().to_string())]);
        Ok(safetensors::serialize(views, Some(metadata))?)
    }

    /// The network and weights of a file's bytes.
    ///
    /// # Errors
    /// Bytes that are no safetensors file, have no valid declaration, or tensors that do not fit it.
    pub fn from_bytes(bytes: &[u8]) -> Result<(Network, Weights), WeightsError> {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let declaration =
            header.metadata().as_ref().and_then(|metadata| metadata.get(NETWORK_KEY)).ok_or(WeightsError::NoNetwork)?;
        let declaration = serde_json::from_str(declaration).map_err(WeightsError::NetworkJson)?;
        let network = Network::from_json(&declaration).map_err(WeightsError::Network)?;
        let mut tensors = Vec::new();
        for (name, view) in SafeTensors::deserialize(bytes)?.iter() {
            if view.dtype() != Dtype::F32 {
                return Err(WeightsError::DataType { name: name.to_owned(), found: format!("{:?}", view.dtype()) });
            }
            let values = view
                .data()
                .chunks_exact(4)
                .map(|value| f32::from_le_bytes(value.try_into().expect("chunks of four bytes")));
            tensors.push((name.to_owned(), Tensor { shape: view.shape().to_vec(), data: values.collect() }));
        }
        let weights = Weights::new(&network, tensors)?;
        Ok((network, weights))
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>, network: &Network) -> Result<(), WeightsError> {
        let path = path.as_ref();
        let bytes = self.to_bytes(network)?;
        write_whole(path, &bytes).map_err(|source| WeightsError::Write { path: path.to_owned(), source })
    }

    /// Reads a file that [`Weights::save`] wrote.
    ///
    /// # Errors
    /// If it cannot be read; and as [`Weights::from_bytes`].
    pub fn load(path: impl AsRef<Path>) -> Result<(Network, Weights), WeightsError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| WeightsError::Read { path: path.to_owned(), source })?;
        Weights::from_bytes(&bytes)
    }
}
