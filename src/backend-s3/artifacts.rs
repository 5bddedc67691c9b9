//! Artifacts in a bucket.
//!
//! An upload that was interrupted is found again and gone on with, by whoever writes the same content: the key names it.

use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use pipectl_core::{Attribute, Diagnostics, Schema, Type, Value};
use pipectl_provider::{SharedObjects, SharedObjectsKind};
use pipectl_s3_client::{Fault, Interrupted, Object, Properties, Repeat, Turns};

use crate::bucket::Bucket;
use crate::settings::{Settings, schema};

/// How many questions are asked at the same time.
const QUESTIONS_AT_ONCE: usize = 32;

/// `artifact_store "s3" { ... }`.
#[derive(Clone, Copy, Debug, Default)]
pub struct S3Shared;

impl SharedObjectsKind for S3Shared {
    fn name(&self) -> &'static str {
        "s3"
    }

    fn schema(&self) -> Schema {
        let mut schema = schema();
        for name in ["dynamodb_table", "use_lockfile", "workspace_key_prefix"] {
            schema.attributes.remove(name);
        }
        let description = "What the names of the artifacts' objects begin with. Several pipelines may share it.";
        schema
            .attribute("key", Attribute::required(Type::String, description))
            .described("Artifacts in a bucket, which several machines share.")
    }

    fn check(&self, arguments: &Value) -> Diagnostics {
        Settings::read(arguments, Path::new("")).1
    }

    fn open(&self, arguments: &Value, root: &Path) -> Result<Arc<dyn SharedObjects>, Diagnostics> {
        let settings = Settings::usable(arguments, root)?;
        Ok(Arc::new(S3Artifacts::open(settings)))
    }
}

/// The artifacts below one key of a bucket.
#[derive(Clone, Debug)]
pub struct S3Artifacts {
    bucket: Arc<Bucket>,
    /// What their keys begin with, with a `/` at the end.
    prefix: String,
    /// How many parts may still be on their way, of all objects together.
    turns: Turns,
}

impl S3Artifacts {
    /// The artifacts below the key of these settings. Nothing is asked for yet.
    pub fn open(settings: Settings) -> Self {
        let prefix = format!("{}/", settings.key);
        Self { bucket: Arc::new(Bucket::new(settings, Repeat::Calls)), prefix, turns: Turns::default() }
    }

    /// Where an object is, to be carried somewhere else.
    fn at(&self, key: &str) -> Result<Object, String> {
        let client = self.bucket.client().map_err(|error| error.to_string())?;
        let settings = self.bucket.settings();
        let properties = Properties { encrypted: settings.encrypted.clone(), ..Properties::default() };
        Ok(Object {
            client,
            bucket: settings.bucket.clone(),
            key: format!("{}{key}", self.prefix),
            properties,
            only_new: false,
            turns: self.turns.clone(),
        })
    }

    fn call<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, String> {
        self.bucket.call(call).map_err(|error| error.to_string())?.map_err(|fault| fault.text)
    }
}

impl SharedObjects for S3Artifacts {
    fn name(&self) -> String {
        format!("s3://{}/{}", self.bucket.settings().bucket, self.prefix.trim_end_matches('/'))
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
        let at = self.at(key)?;
        self.call(async move { at.get().await })
    }

    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), String> {
        let (at, body) = (self.at(key)?, ByteStream::from(bytes.to_vec()));
        self.call(async move { at.put(body).await })
    }

    fn sizes(&self, keys: &[String]) -> Result<Vec<Option<u64>>, String> {
        let places = keys.iter().map(|key| self.at(key)).collect::<Result<Vec<_>, _>>()?;
        self.call(async move {
            let mut sizes = Vec::with_capacity(places.len());
            for window in places.chunks(QUESTIONS_AT_ONCE) {
                let asked: Vec<_> =
                    window.iter().cloned().map(|at| tokio::spawn(async move { at.size().await })).collect();
                for answer in asked {
                    sizes.push(answer.await.map_err(|error| Fault::here(error.to_string()))??);
                }
            }
            Ok(sizes)
        })
    }

    fn upload(&self, key: &str, from: &Path, bytes: u64) -> Result<(), String> {
        let (at, from) = (self.at(key)?, from.to_owned());
        self.call(async move { at.upload(&from, bytes, Interrupted::GoneOnWith).await })
    }

    fn download(&self, key: &str, to: &Path, bytes: u64) -> Result<bool, String> {
        let (at, to) = (self.at(key)?, to.to_owned());
        self.call(async move { at.download(&to, bytes).await })
    }
}
