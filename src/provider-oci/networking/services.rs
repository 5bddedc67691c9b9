//! `data "oci_core_services"`: Oracle's own services, which a service gateway leads to.

use std::sync::Arc;

use async_trait::async_trait;
use pipectl_cloud::settling::READING_FAILED;
use pipectl_cloud::{Fields, Group, Lookup};
use pipectl_core::{Diagnostics, Schema, Type, Value};
use pipectl_oci_client::Service;
use pipectl_provider::{Cx, DataSource};
use serde_json::json;

use crate::cloud::Cloud;
use crate::kind::told;
use crate::listing;

pub(crate) struct ServicesData {
    lookup: Lookup<Cloud>,
}

impl ServicesData {
    pub(crate) fn new(cloud: Option<Arc<Cloud>>) -> Self {
        let text = |description: &str| told(Type::String, description);
        let service = Group::many("services", "A service, or a group of services.")
            .computed()
            .with("id", "id", text("Its OCID."))
            .with("name", "name", text("Its name: `All FRA Services In Oracle Services Network`."))
            .with("cidr_block", "cidrBlock", text("Its label, which route rules name as `destination`."))
            .with("description", "description", text("What it is."));
        let fields = Fields::new("Oracle's own services, which a service gateway leads to.").group("services", service);
        Self { lookup: Lookup::new(cloud, listing::with_filter(fields)) }
    }
}

#[async_trait]
impl DataSource for ServicesData {
    fn schema(&self) -> &Schema {
        self.lookup.schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        listing::validate(config, self.schema(), "services")
    }

    async fn read(&self, cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        let at = self.lookup.place(cx, Service::Core, config).await?;
        let services = at.endpoint.list(&["services"], &[]).await.map_err(|fault| fault.told(READING_FAILED))?;
        let found = json!({ "services": services });
        let value = self.lookup.value(&at, "services", &found, config)?;
        Ok(listing::filtered(&value, "services", config))
    }
}
