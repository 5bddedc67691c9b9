//! The provider: its arguments, its kinds, and the server that a configuration names.
//!
//! Names and precedence are those of the Terraform provider: what the block says counts; then the environment; then the profile of the shared
//! files; then who the machine is.

use std::path::Path as FilePath;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use pipectl_cloud::{Clocks, Registration, Turns};
use pipectl_core::{Attribute, Block, Diagnostics, Path, ProviderSource, Schema, Type, Value};
use pipectl_provider::arguments::{flag, text};
use pipectl_provider::{Cx, Environment, Kinds, Provider};
use pipectl_s3_client::{Repeat, Settings};

use crate::bucket::Bucket;
use crate::cloud::{BodyDigest, Cloud};
use crate::data::{BucketData, ObjectData};
use crate::lifecycle::Lifecycle;
use crate::object::Object;
use crate::versioning::Versioning;

/// The provider `aws`.
pub struct Aws {
    schema: Schema,
    kinds: Kinds,
}

impl Aws {
    /// The provider, which knows of no server yet.
    #[expect(clippy::new_without_default, reason = "there is nothing that it is the default of")]
    pub fn new() -> Self {
        Self { schema: schema(), kinds: kinds(None) }
    }
}

fn schema() -> Schema {
    let path_style = "The bucket stands in the URL's path. Servers other than Amazon's mostly need that.";
    let endpoint =
        Attribute::optional(Type::String, "The URL of a server other than Amazon's. Or AWS_ENDPOINT_URL_S3.");
    Settings::schema()
        .attribute("s3_use_path_style", Attribute::optional(Type::Bool, path_style))
        .block("endpoints", Block::single(Schema::of([("s3", endpoint)]), "Servers other than Amazon's."))
        .described("Amazon S3, and whoever else speaks S3: Ceph, SeaweedFS, Oracle's Object Storage.")
}

fn kinds(cloud: Option<Arc<Cloud>>) -> Kinds {
    Registration::of(cloud)
        .resource::<Bucket>()
        .resource::<Lifecycle>()
        .resource::<Object>()
        .resource::<Versioning>()
        .data("aws_s3_bucket", BucketData::new)
        .data("aws_s3_object", ObjectData::new)
        .kinds()
}

#[async_trait]
impl Provider for Aws {
    fn name(&self) -> &str {
        "aws"
    }

    fn source(&self) -> ProviderSource {
        "hashicorp/aws".parse().expect("a source with a namespace and a name")
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        match config.is_wholly_known() {
            true => given(config, FilePath::new("")).1,
            // What is not known yet is not missing.
            false => Diagnostics::new(),
        }
    }

    async fn configure(&self, cx: &Cx, config: &Value) -> Result<Arc<Kinds>, Diagnostics> {
        let (settings, problems) = given(config, &cx.root);
        if problems.has_errors() {
            return Err(problems);
        }
        let settings = completed(settings, cx.environment.as_ref());
        // Who cannot ask at all learns it here, once, and not from every object.
        pipectl_s3_client::signer(&settings).await?;
        let client = pipectl_s3_client::client(&settings, Repeat::Calls).await?;
        let region = client.config().region().map(ToString::to_string).unwrap_or_default();
        let environment = Arc::clone(&cx.environment);
        let cloud = Cloud {
            client: Client::from_conf(client.config().to_builder().interceptor(BodyDigest).build()),
            server: settings.endpoint,
            region,
            clocks: Clocks::new(move || environment.now()),
            turns: Turns::default(),
            parts: pipectl_s3_client::Turns::default(),
        };
        Ok(Arc::new(kinds(Some(Arc::new(cloud)))))
    }
}

/// What the block says, and what is wrong with it.
fn given(config: &Value, root: &FilePath) -> (Settings, Diagnostics) {
    let mut problems = Diagnostics::new();
    let endpoint = config.set_attribute("endpoints").and_then(|endpoints| text(endpoints, "s3")).map(str::to_owned);
    let settings = Settings::read(config, root, &mut problems).with_endpoint(
        endpoint,
        Path::of("endpoints").name("s3"),
        &mut problems,
    );
    let is_path_style = flag(config, "s3_use_path_style") == Some(true);
    (Settings { is_path_style, ..settings }, problems)
}

/// The same with what the environment says beside it. What it does not say, the client looks for in the shared files.
fn completed(mut settings: Settings, environment: &dyn Environment) -> Settings {
    let variable = |name: &str| environment.variable(name).filter(|value| !value.is_empty());
    // Whoever names a profile means it.
    if settings.credentials.is_none() && settings.profile.is_none() {
        let keys = variable("AWS_ACCESS_KEY_ID").zip(variable("AWS_SECRET_ACCESS_KEY"));
        settings.credentials = keys.map(|(access, secret)| (access, secret, variable("AWS_SESSION_TOKEN")));
        settings.profile = variable("AWS_PROFILE").filter(|_| settings.credentials.is_none());
    }
    settings.region = settings.region.or_else(|| variable("AWS_REGION")).or_else(|| variable("AWS_DEFAULT_REGION"));
    settings.endpoint =
        settings.endpoint.or_else(|| variable("AWS_ENDPOINT_URL_S3")).or_else(|| variable("AWS_ENDPOINT_URL"));
    settings
}
