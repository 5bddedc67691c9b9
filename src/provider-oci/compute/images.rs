//! `data "oci_core_images"`: what instances start from.

use std::sync::Arc;

use async_trait::async_trait;
use pipectl_cloud::settling::READING_FAILED;
use pipectl_cloud::{Fields, Group, Lookup};
use pipectl_core::{Diagnostics, Schema, Type, Value};
use pipectl_oci_client::Service;
use pipectl_provider::arguments::text as given;
use pipectl_provider::rules::one_of;
use pipectl_provider::{Cx, DataSource};
use serde_json::json;

use crate::cloud::Cloud;
use crate::kind::{needed, option, told};
use crate::listing;

/// Arguments that the service is asked with.
const QUERY: [(&str, &str); 8] = [
    ("compartment_id", "compartmentId"),
    ("display_name", "displayName"),
    ("operating_system", "operatingSystem"),
    ("operating_system_version", "operatingSystemVersion"),
    ("shape", "shape"),
    ("state", "lifecycleState"),
    ("sort_by", "sortBy"),
    ("sort_order", "sortOrder"),
];

pub(crate) struct ImagesData {
    lookup: Lookup<Cloud>,
}

impl ImagesData {
    pub(crate) fn new(cloud: Option<Arc<Cloud>>) -> Self {
        let text = |description: &str| told(Type::String, description);
        let given = |description: &str| option(Type::String, description);
        let image = Group::many("images", "An image.")
            .computed()
            .with("id", "id", text("Its OCID."))
            .with("display_name", "displayName", text("Its name."))
            .with("compartment_id", "compartmentId", text("Its compartment. Oracle's own have none."))
            .with("operating_system", "operatingSystem", text("The operating system."))
            .with("operating_system_version", "operatingSystemVersion", text("Its version."))
            .with("base_image_id", "baseImageId", text("The image that it was made of."))
            .with("create_image_allowed", "createImageAllowed", told(Type::Bool, "Whether images may be made of it."))
            .with(
                "launch_mode",
                "launchMode",
                text("How it meets its hardware: `NATIVE`, `EMULATED`, `PARAVIRTUALIZED`."),
            )
            .with("size_in_mbs", "sizeInMBs", told(Type::Number, "Its size, in MB."))
            .with("billable_size_in_gbs", "billableSizeInGBs", told(Type::Number, "The size that is paid for, in GB."))
            .with("state", "lifecycleState", text("The state of its life."))
            .with("time_created", "timeCreated", text("When it was made."));
        let fields = Fields::new("What instances may start from.")
            .apart("compartment_id", needed("The OCID of a compartment. Oracle's own images are in all of them."))
            .apart("display_name", given("Only images of this name."))
            .apart("operating_system", given("Only images of this operating system: `Oracle Linux`."))
            .apart("operating_system_version", given("Only images of this version of it."))
            .apart("shape", given("Only images that run on this shape."))
            .apart("state", given("Only images in this state: `AVAILABLE`."))
            .apart("sort_by", given("`TIMECREATED` (the default) or `DISPLAYNAME`."))
            .apart("sort_order", given("`ASC` or `DESC`."))
            .group("images", image);
        Self { lookup: Lookup::new(cloud, listing::with_filter(fields)) }
    }
}

#[async_trait]
impl DataSource for ImagesData {
    fn schema(&self) -> &Schema {
        self.lookup.schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let mut found = listing::validate(config, self.schema(), "images");
        found.extend(one_of(config, "sort_by", &["TIMECREATED", "DISPLAYNAME"]));
        found.extend(one_of(config, "sort_order", &["ASC", "DESC"]));
        found
    }

    async fn read(&self, cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        let at = self.lookup.place(cx, Service::Core, config).await?;
        let query: Vec<_> = QUERY.iter().filter_map(|(name, member)| Some((*member, given(config, name)?))).collect();
        let images = at.endpoint.list(&["images"], &query).await.map_err(|fault| fault.told(READING_FAILED))?;
        let id = given(config, "compartment_id").unwrap_or_default();
        let value = self.lookup.value(&at, id, &json!({ "images": images }), config)?;
        Ok(listing::filtered(&value, "images", config))
    }
}
