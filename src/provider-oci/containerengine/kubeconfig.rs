//! How to reach a cluster: as an attribute of it, and as `data "oci_containerengine_cluster_kube_config"`.

use std::sync::Arc;

use async_trait::async_trait;
use pipectl_cloud::settling::READING_FAILED;
use pipectl_cloud::{Fields, Lookup};
use pipectl_core::{Diagnostics, Schema, Type, Value};
use pipectl_http::Method;
use pipectl_oci_client::Service;
use pipectl_provider::arguments::{integer, text as given};
use pipectl_provider::rules::one_of;
use pipectl_provider::{Cx, DataSource};
use serde_json::{Map, Value as Json, json};

use crate::cloud::{Cloud, is_missing};
use crate::kind::{Fault, Place, needed, option, text, told};

const TOKEN_VERSION: &str = "2.0.0";

/// The kubeconfig of a cluster that answers somewhere. Null where it does not yet.
pub(super) async fn of(at: &Place<'_>, id: &str, cluster: &Json) -> Result<Value, Fault> {
    let answers = |name: &str| {
        let endpoint = cluster.get("endpoints").and_then(|endpoints| endpoints.get(name)?.as_str());
        endpoint.is_some_and(|endpoint| !endpoint.is_empty())
    };
    let endpoint = match (answers("publicEndpoint"), answers("privateEndpoint")) {
        (true, _) => Some("PUBLIC_ENDPOINT"),
        (false, true) => Some("PRIVATE_ENDPOINT"),
        (false, false) if answers("kubernetes") => None,
        (false, false) => return Ok(Value::null_of(Type::String)),
    };
    let mut body = Map::from_iter([("tokenVersion".to_owned(), json!(TOKEN_VERSION))]);
    body.extend(endpoint.map(|endpoint| ("endpoint".to_owned(), json!(endpoint))));
    let is_there = matches!(text(cluster, "lifecycleState").as_deref(), Some("ACTIVE" | "UPDATING"));
    match content(at, id, body).await {
        Ok(text) => Ok(text.into()),
        // A cluster that is being made or removed has none. Of one that is there it is said to who may not have it.
        Err(fault) if is_missing(&fault) && !is_there => Ok(Value::null_of(Type::String)),
        Err(fault) => Err(fault),
    }
}

async fn content(at: &Place<'_>, id: &str, body: Map<String, Json>) -> Result<String, Fault> {
    let path = ["clusters", id, "kubeconfig", "content"];
    // It makes nothing: it may be asked for as often as one likes.
    let call = at.endpoint.call(Method::POST, &path, &[]).json(&body).repeat(pipectl_http::Repeat::Safe).private();
    let answer = at.endpoint.send_new(&call, &path.join("/")).await?;
    Ok(String::from_utf8_lossy(&answer.body).into_owned())
}

/// `data "oci_containerengine_cluster_kube_config"`
pub(crate) struct KubeConfigData {
    lookup: Lookup<Cloud>,
}

impl KubeConfigData {
    pub(crate) fn new(cloud: Option<Arc<Cloud>>) -> Self {
        let fields = Fields::new("How to reach a cluster.")
            .apart("cluster_id", needed("The OCID of the cluster."))
            .apart(
                "endpoint",
                option(
                    Type::String,
                    "Which way: `PUBLIC_ENDPOINT`, `PRIVATE_ENDPOINT`, `VCN_HOSTNAME`, `LEGACY_KUBERNETES`.",
                ),
            )
            .apart("expiration", option(Type::Number, "For how many seconds its token holds, where it holds one."))
            .apart(
                "token_version",
                option(Type::String, "`2.0.0` (the default): it asks the `oci` command for tokens."),
            )
            .apart("content", told(Type::String, "The kubeconfig.").sensitive());
        Self { lookup: Lookup::new(cloud, fields) }
    }
}

#[async_trait]
impl DataSource for KubeConfigData {
    fn schema(&self) -> &Schema {
        self.lookup.schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let ways = ["PUBLIC_ENDPOINT", "PRIVATE_ENDPOINT", "VCN_HOSTNAME", "LEGACY_KUBERNETES"];
        one_of(config, "endpoint", &ways)
    }

    async fn read(&self, cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        let at = self.lookup.place(cx, Service::ContainerEngine, config).await?;
        let id = given(config, "cluster_id").unwrap_or_default();
        let version = given(config, "token_version").unwrap_or(TOKEN_VERSION);
        let mut body = Map::from_iter([("tokenVersion".to_owned(), json!(version))]);
        body.extend(given(config, "endpoint").map(|endpoint| ("endpoint".to_owned(), json!(endpoint))));
        body.extend(integer(config, "expiration").map(|seconds| ("expiration".to_owned(), json!(seconds))));
        let content = content(&at, id, body).await.map_err(|fault| fault.told(READING_FAILED))?;
        Ok(self.lookup.value(&at, id, &Json::Null, config)?.with_attribute("content", content.into()))
    }
}
