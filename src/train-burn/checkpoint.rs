//! Checkpoints: everything that training needs to go on as if it had never stopped, in one file.
//!
//! A safetensors file with the flat tensors `parameters`, `moments/first` and `moments/second`, and one JSON text in the
//! metadata under `checkpoint`: version, network, optimiser, seed, step, the caller's progress, and the SHA-256 of all of
//! that. It is written beside the old one and renamed, so that a crash leaves one of the two.

use std::collections::HashMap;
use std::path::Path;

use pipectl_core::digest::Hasher;
use pipectl_network::{Network, write_whole};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::error::CheckpointError;
use crate::learner::Learner;
use crate::optimizer::{Moments, Optimizer};

/// Version of the file's format.
const VERSION: u32 = 1;
const KEY: &str = "checkpoint";
const PARAMETERS: &str = "parameters";
const FIRST: &str = "moments/first";
const SECOND: &str = "moments/second";

#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    /// Of the body's text and of the tensors.
    digest: String,
    /// A [`Body`] as JSON text: as text, its digest does not depend on how JSON is written.
    body: String,
}

#[derive(Serialize, Deserialize)]
struct Body {
    network: serde_json::Value,
    optimizer: Optimizer,
    seed: u64,
    step: u64,
    progress: serde_json::Value,
}

impl Learner {
    /// Writes parameters, moments, step and progress, whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save_checkpoint(&self, path: impl AsRef<Path>) -> Result<(), CheckpointError> {
        let path = path.as_ref();
        let tensors = [
            (PARAMETERS, to_bytes(&self.parameters)),
            (FIRST, to_bytes(&self.moments.first)),
            (SECOND, to_bytes(&self.moments.second)),
        ];
        let body = Body {
            network: self.network().to_json(),
            optimizer: self.optimizer,
            seed: self.seed,
            step: self.moments.step,
            progress: self.progress.clone(),
        };
        let failed = |source| CheckpointError::Write { path: path.to_owned(), source };
        let body = serde_json::to_string(&body).map_err(|source| failed(std::io::Error::other(source)))?;
        let digest = digest(&body, tensors.iter().map(|(_, bytes)| bytes.as_slice()));
        let header = serde_json::to_string(&Header { version: VERSION, digest, body })
            .map_err(|source| failed(std::io::Error::other(source)))?;
        let damaged = |source| CheckpointError::Format { path: path.to_owned(), source };
        let mut views = Vec::new();
        for (name, bytes) in &tensors {
            views.push((*name, TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes).map_err(damaged)?));
        }
        let metadata = HashMap::from([(KEY.to_owned(), header)]);
        let bytes = safetensors::serialize(views, Some(metadata)).map_err(damaged)?;
        write_whole(path, &bytes).map_err(failed)
    }

    /// The learner that [`Learner::save_checkpoint`] wrote, on `threads` threads.
    ///
    /// # Errors
    /// If the file cannot be read, is not whole, or was changed.
    pub fn load_checkpoint(path: impl AsRef<Path>, threads: usize) -> Result<Learner, CheckpointError> {
        let path = path.as_ref();
        let damaged = |what: &str| CheckpointError::Damaged { path: path.to_owned(), what: what.to_owned() };
        let format = |source| CheckpointError::Format { path: path.to_owned(), source };
        let bytes = std::fs::read(path).map_err(|source| CheckpointError::Read { path: path.to_owned(), source })?;

        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(format)?;
        let metadata = metadata.metadata().as_ref();
        let text = metadata.and_then(|metadata| metadata.get(KEY)).ok_or_else(|| damaged("it has no header"))?;
        let header: serde_json::Value = serde_json::from_str(text).map_err(|_| damaged("its header is not JSON"))?;
        let version = header.get("version").and_then(serde_json::Value::as_u64).unwrap_or(0);
        if version != u64::from(VERSION) {
            let found = u32::try_from(version).unwrap_or(u32::MAX);
            return Err(CheckpointError::Version { path: path.to_owned(), expected: VERSION, found });
        }
        let header: Header =
            serde_json::from_value(header).map_err(|_| damaged("its header lacks a field or has a wrong type"))?;

        let tensors = SafeTensors::deserialize(&bytes).map_err(format)?;
        let mut data = Vec::new();
        for name in [PARAMETERS, FIRST, SECOND] {
            let view = tensors.tensor(name).map_err(format)?;
            if view.dtype() != Dtype::F32 {
                return Err(damaged("a tensor does not hold 32-bit floats"));
            }
            data.push(view.data());
        }
        let found = digest(&header.body, data.iter().copied());
        if found != header.digest {
            return Err(CheckpointError::Digest { path: path.to_owned(), expected: header.digest, found });
        }

        let Body { network, optimizer, seed, step, progress } =
            serde_json::from_str(&header.body).map_err(|_| damaged("its body lacks a field or has a wrong type"))?;
        let network = Network::from_json(&network).map_err(|errors| match errors.into_iter().next() {
            Some(first) => CheckpointError::Network { path: path.to_owned(), first },
            None => damaged("its model declaration is not valid"),
        })?;
        let [parameters, first, second] = [0, 1, 2].map(|index| from_bytes(data[index]));
        let fresh = Moments::new(&optimizer, network.parameter_count());
        if parameters.len() != network.parameter_count()
            || first.len() != fresh.first.len()
            || second.len() != fresh.second.len()
        {
            return Err(damaged("its tensors do not fit its network"));
        }
        let moments = Moments { step, first, second };
        let mut learner = Learner::from_parts(&network, parameters, optimizer, moments, seed, threads)
            .map_err(|source| CheckpointError::Learner { path: path.to_owned(), source })?;
        learner.set_progress(progress);
        Ok(learner)
    }
}

fn digest<'a>(body: &str, tensors: impl Iterator<Item = &'a [u8]>) -> String {
    let mut hasher = Hasher::new();
    hasher.update(body.as_bytes());
    for bytes in tensors {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    }
    hasher.finish().to_string()
}

fn to_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn from_bytes(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|value| f32::from_le_bytes(value.try_into().expect("chunks of four bytes"))).collect()
}
