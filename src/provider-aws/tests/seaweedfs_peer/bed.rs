//! The provider with a server, a client beside it, and the steps that the engine takes with a kind.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use pipectl_core::Diagnostics;
use pipectl_provider::{DataSource, Kinds, Resource};
use pipectl_provider_aws::Aws;
use pipectl_s3_client::{Repeat, Settings, client};
use pipectl_sim::steps::Steps;
pub use pipectl_sim::steps::{clock, config, planned, read, text, words};
use serde_json::{Value as Json, json};

/// The only user of the server that the script starts.
pub const KEYS: (&str, &str) = ("pipectl-tests", "not-a-secret-of-anybody");

pub struct Bed {
    steps: Steps,
    /// Asks the server, and does what others might do.
    pub client: Client,
    pub kinds: Arc<Kinds>,
}

impl Deref for Bed {
    type Target = Steps;

    fn deref(&self) -> &Steps {
        &self.steps
    }
}

impl DerefMut for Bed {
    fn deref_mut(&mut self) -> &mut Steps {
        &mut self.steps
    }
}

#[expect(clippy::disallowed_methods, reason = "whoever starts the server says where it is")]
pub fn endpoint() -> String {
    std::env::var("S3_ENDPOINT").expect("S3_ENDPOINT names the server that `tests/servers/seaweedfs up` has started")
}

/// A name that no other bucket has.
pub fn name() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let since = clock().duration_since(std::time::UNIX_EPOCH).expect("it is later than 1970").as_micros();
    format!("kinds-{since}-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

impl Bed {
    pub async fn new() -> Self {
        let steps = Steps::new(Aws::new(), "aws_s3_object.x");
        let kinds = steps.configure(&block()).await.unwrap_or_else(|found| panic!("{}", words(&found)));
        let settings = Settings {
            region: Some("us-east-1".to_owned()),
            endpoint: Some(endpoint()),
            is_path_style: true,
            credentials: Some((KEYS.0.to_owned(), KEYS.1.to_owned(), None)),
            ..Settings::default()
        };
        let client = client(&settings, Repeat::Nothing).await.unwrap_or_else(|found| panic!("{}", found.detail));
        Self { steps, client, kinds }
    }

    /// The same with a bucket.
    pub async fn with_bucket() -> (Self, String) {
        let (bed, name) = (Self::new().await, name());
        bed.client.create_bucket().bucket(&name).send().await.expect("nobody has it");
        (bed, name)
    }

    pub fn kind(&self, name: &str) -> &dyn Resource {
        &*self.kinds.resources[name]
    }

    /// What a data source tells.
    pub async fn told(&self, name: &str, given: &Json) -> Result<pipectl_core::Value, Diagnostics> {
        let source: &dyn DataSource = &*self.kinds.data_sources[name];
        source.read(&self.cx("data"), &config(source.schema(), given)).await
    }

    /// What somebody else puts there.
    pub async fn put(&self, bucket: &str, key: &str, bytes: &[u8]) {
        let put = self.client.put_object().bucket(bucket).key(key).body(ByteStream::from(bytes.to_vec()));
        put.send().await.expect("the bucket is there");
    }

    /// What is there.
    pub async fn get(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        let answer = self.client.get_object().bucket(bucket).key(key).send().await.ok()?;
        Some(answer.body.collect().await.expect("the server is near").to_vec())
    }

    /// How many uploads did not come to their end.
    pub async fn uploads(&self, bucket: &str) -> usize {
        let listed = self.client.list_multipart_uploads().bucket(bucket).send().await;
        listed.expect("the bucket is there").uploads.unwrap_or_default().len()
    }

    /// How many versions of all objects there are, and how many marks of removals.
    pub async fn versions(&self, bucket: &str) -> (usize, usize) {
        let listed = self.client.list_object_versions().bucket(bucket).send().await.expect("the bucket is there");
        (listed.versions.unwrap_or_default().len(), listed.delete_markers.unwrap_or_default().len())
    }
}

/// The block of a configuration.
pub fn block() -> Json {
    json!({ "region": "us-east-1", "access_key": KEYS.0, "secret_key": KEYS.1, "s3_use_path_style": true, "endpoints": { "s3": endpoint() } })
}
