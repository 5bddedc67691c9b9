//! S3 as one of its users sees it.

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, Region, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use pipectl_cloud::{Clocks, Turns};
use pipectl_core::{Diagnostic, Diagnostics, Value};
use pipectl_http::Error;
use serde_json::{Map, Value as Json};

use crate::kind::{Fault, Kind, Place};

/// S3 as one of its users sees it.
pub(crate) struct Cloud {
    pub(crate) client: Client,
    /// The server, where it is not Amazon's.
    pub(crate) server: Option<String>,
    /// The region where none is named.
    pub(crate) region: String,
    pub(crate) clocks: Clocks,
    pub(crate) turns: Turns,
    /// How many parts of large objects may still be on their way.
    pub(crate) parts: pipectl_s3_client::Turns,
}

impl Cloud {
    /// Whether the server is Amazon's, as far as the block says.
    pub(crate) fn is_amazon(&self) -> bool {
        self.server.is_none()
    }

    /// What names of buckets stand before in addresses.
    pub(crate) fn domain(&self) -> String {
        let host = self.server.as_deref().map(|url| url.split_once("://").map_or(url, |(_, host)| host));
        host.map_or_else(|| "s3.amazonaws.com".to_owned(), |host| host.trim_end_matches('/').to_owned())
    }
}

/// What begins the name of everything that Amazon has in a region.
pub(crate) fn arn(region: &str, name: &str) -> String {
    let partition = match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    format!("arn:{partition}:s3:::{name}")
}

#[async_trait]
impl pipectl_cloud::Cloud for Cloud {
    const NAME: &'static str = "S3";
    const CREATED: &'static [&'static str] = &[];

    type Service = ();
    type Endpoint = Client;

    fn region(&self) -> Option<&str> {
        Some(&self.region)
    }

    async fn endpoint(&self, _service: (), region: Option<&str>) -> Result<Client, Diagnostics> {
        Ok(match region.filter(|region| *region != self.region) {
            None => self.client.clone(),
            Some(region) => {
                let elsewhere = self.client.config().to_builder().region(Region::new(region.to_owned()));
                Client::from_conf(elsewhere.build())
            }
        })
    }

    fn clocks(&self) -> &Clocks {
        &self.clocks
    }

    fn turns(&self) -> &Turns {
        &self.turns
    }

    fn failed(summary: &str, error: &Error) -> Diagnostic {
        error.diagnostic(summary, None)
    }

    async fn create<K: Kind<Cloud = Self>>(_at: &Place<'_>, _body: Map<String, Json>) -> Result<Json, Fault> {
        Err(unlike::<K>())
    }

    async fn look<K: Kind<Cloud = Self>>(_at: &Place<'_>, _id: &str, _known: &Value) -> Result<Option<Json>, Fault> {
        Err(unlike::<K>())
    }

    async fn update<K: Kind<Cloud = Self>>(
        _at: &Place<'_>,
        _id: &str,
        _prior: &Value,
        _planned: &Value,
    ) -> Result<bool, Fault> {
        Err(unlike::<K>())
    }

    async fn delete<K: Kind<Cloud = Self>>(_at: &Place<'_>, _id: &str, _prior: &Value) -> Result<(), Fault> {
        Err(unlike::<K>())
    }

    async fn candidates<K: Kind<Cloud = Self>>(at: &Place<'_>, arguments: &Json) -> Result<Vec<Json>, Fault> {
        let Some(id) = K::id(arguments) else { return Ok(Vec::new()) };
        // No other one can have its name.
        Ok(K::look(at, &id, &Value::null()).await?.into_iter().collect())
    }
}

/// Calls of S3 have nothing in common but who is asked: each kind says how its own are made.
fn unlike<K: Kind>() -> Fault {
    let detail = format!("Nothing says how this is done with a {}. This is a mistake in pipectl.", K::NOUN);
    Diagnostic::error("Not possible", detail).into()
}

/// The digest that older servers, Ceph's among them, ask for where a bucket is told something. The SDK has given it up for others that they do not
/// know.
#[derive(Debug)]
pub(crate) struct BodyDigest;

impl Intercept for BodyDigest {
    fn name(&self) -> &'static str {
        "BodyDigest"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        const TOLD: [&str; 4] = ["delete", "lifecycle", "tagging", "versioning"];
        let request = context.request_mut();
        let query = request.uri().split_once('?').map(|(_, query)| query).unwrap_or_default();
        let is_told = query.split('&').any(|pair| TOLD.contains(&pair.split('=').next().unwrap_or_default()));
        if let Some(body) = request.body().bytes().filter(|body| is_told && !body.is_empty()) {
            let digest = STANDARD.encode(Md5::digest(body));
            request.headers_mut().insert("content-md5", digest);
        }
        Ok(())
    }
}
