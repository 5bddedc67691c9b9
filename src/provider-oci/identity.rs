//! `data "oci_identity_availability_domains"`

use std::sync::Arc;

use async_trait::async_trait;
use pipectl_cloud::settling::READING_FAILED;
use pipectl_cloud::{Fields, Group, Lookup};
use pipectl_core::{Diagnostics, Schema, Type, Value};
use pipectl_oci_client::Service;
use pipectl_provider::arguments::text as given;
use pipectl_provider::{Cx, DataSource};
use serde_json::{Value as Json, json};

use crate::cloud::Cloud;
use crate::kind::{needed, told};
use crate::listing;

pub(crate) struct AvailabilityDomainsData {
    lookup: Lookup<Cloud>,
}

impl AvailabilityDomainsData {
    pub(crate) fn new(cloud: Option<Arc<Cloud>>) -> Self {
        let text = |description: &str| told(Type::String, description);
        let domain = Group::many("availabilityDomains", "An availability domain.")
            .computed()
            .with("id", "id", text("Its OCID."))
            .with("name", "name", text("Its name, which is another one in each tenancy."))
            .with("compartment_id", "compartmentId", text("The tenancy."));
        let fields = Fields::new("The availability domains of a region.")
            .apart("compartment_id", needed("The OCID of a compartment, or of the tenancy."))
            .group("availability_domains", domain);
        Self { lookup: Lookup::new(cloud, listing::with_filter(fields)) }
    }
}

#[async_trait]
impl DataSource for AvailabilityDomainsData {
    fn schema(&self) -> &Schema {
        self.lookup.schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        listing::validate(config, self.schema(), "availability_domains")
    }

    async fn read(&self, cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        let at = self.lookup.place(cx, Service::Identity, config).await?;
        let compartment = given(config, "compartment_id").unwrap_or_default();
        let domains = at.endpoint.list(&["availabilityDomains"], &[("compartmentId", compartment)]).await;
        let mut domains = domains.map_err(|fault| fault.told(READING_FAILED))?;
        // OCI promises no order, and `[0]` is to be the same one tomorrow.
        domains.sort_by_key(|domain| domain.get("name").and_then(Json::as_str).map(str::to_owned));
        let found = json!({ "availabilityDomains": domains });
        let value = self.lookup.value(&at, compartment, &found, config)?;
        Ok(listing::filtered(&value, "availability_domains", config))
    }
}
