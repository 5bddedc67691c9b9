//! `data "oci_objectstorage_namespace"`: the name that all buckets of a tenancy are below.

use std::sync::Arc;

use async_trait::async_trait;
use pipectl_cloud::settling::READING_FAILED;
use pipectl_cloud::{Fields, Lookup};
use pipectl_core::{Diagnostics, Schema, Type, Value};
use pipectl_http::Method;
use pipectl_oci_client::Service;
use pipectl_provider::arguments::text as given;
use pipectl_provider::{Cx, DataSource};
use serde_json::Value as Json;

use crate::cloud::Cloud;
use crate::kind::{Fault, Place, option, told};

pub(crate) struct NamespaceData {
    lookup: Lookup<Cloud>,
}

impl NamespaceData {
    pub(crate) fn new(cloud: Option<Arc<Cloud>>) -> Self {
        let fields = Fields::new("The name that all buckets of a tenancy are below.")
            .apart("compartment_id", option(Type::String, "The OCID of the tenancy. Default: that of who asks."))
            .apart("namespace", told(Type::String, "The name."));
        Self { lookup: Lookup::new(cloud, fields) }
    }
}

#[async_trait]
impl DataSource for NamespaceData {
    fn schema(&self) -> &Schema {
        self.lookup.schema()
    }

    async fn read(&self, cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        let at = self.lookup.place(cx, Service::ObjectStorage, config).await?;
        let name = namespace(&at, given(config, "compartment_id")).await.map_err(|fault| fault.told(READING_FAILED))?;
        let value = self.lookup.value(&at, &name, &Json::Null, config)?;
        Ok(value.with_attribute("namespace", name.as_str().into()))
    }
}

async fn namespace(at: &Place<'_>, compartment: Option<&str>) -> Result<String, Fault> {
    let query: Vec<_> = compartment.map(|id| ("compartmentId", id)).into_iter().collect();
    Ok(at.endpoint.send(&at.endpoint.call(Method::GET, &["n"], &query)).await?.json()?)
}
