//! `data "oci_containerengine_node_pool_option"`: what nodes may be made of.

use std::sync::Arc;

use async_trait::async_trait;
use pipectl_cloud::settling::READING_FAILED;
use pipectl_cloud::{Fields, Group, Lookup};
use pipectl_core::{Diagnostic, Diagnostics, Schema, Type, Value};
use pipectl_oci_client::Service;
use pipectl_provider::arguments::{flag, text as given};
use pipectl_provider::{Cx, DataSource};

use crate::cloud::Cloud;
use crate::kind::{needed, option, told};

pub(crate) struct NodePoolOptionData {
    lookup: Lookup<Cloud>,
}

impl NodePoolOptionData {
    pub(crate) fn new(cloud: Option<Arc<Cloud>>) -> Self {
        let texts = |description| told(Type::list(Type::String), description);
        let source = Group::many("sources", "An image of nodes.")
            .computed()
            .with("image_id", "imageId", told(Type::String, "Its OCID."))
            .with("source_name", "sourceName", told(Type::String, "Its name, which tells the version of Kubernetes."))
            .with("source_type", "sourceType", told(Type::String, "`IMAGE`."));
        let fields = Fields::new("What nodes of a cluster may be made of.")
            .apart("node_pool_option_id", needed("The OCID of a cluster, or `all`."))
            .apart("compartment_id", option(Type::String, "The OCID of the compartment."))
            .apart("node_pool_os_type", option(Type::String, "Only images of this system: `OL8`, `UBUNTU`."))
            .apart("node_pool_os_arch", option(Type::String, "Only images for these processors: `X86_64`, `AARCH64`."))
            .apart("should_list_all_patch_versions", option(Type::Bool, "Whether all versions are told."))
            .named("images", "images", texts("The names of images."))
            .named("kubernetes_versions", "kubernetesVersions", texts("The versions of Kubernetes."))
            .named("shapes", "shapes", texts("The shapes."))
            .group("sources", source);
        Self { lookup: Lookup::new(cloud, fields) }
    }
}

#[async_trait]
impl DataSource for NodePoolOptionData {
    fn schema(&self) -> &Schema {
        self.lookup.schema()
    }

    async fn read(&self, cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        let at = self.lookup.place(cx, Service::ContainerEngine, config).await?;
        let id = given(config, "node_pool_option_id").unwrap_or_default();
        let mut query = Vec::new();
        for (argument, name) in [
            ("compartment_id", "compartmentId"),
            ("node_pool_os_type", "nodePoolOsType"),
            ("node_pool_os_arch", "nodePoolOsArch"),
        ] {
            query.extend(given(config, argument).map(|value| (name, value)));
        }
        if flag(config, "should_list_all_patch_versions") == Some(true) {
            query.push(("shouldListAllPatchVersions", "true"));
        }
        let found =
            at.endpoint.look(&["nodePoolOptions", id], &query).await.map_err(|fault| fault.told(READING_FAILED))?;
        let found = found.ok_or_else(|| {
            Diagnostics::from(Diagnostic::error(
                "Nothing found",
                format!("There are no options for node pools of `{id}`."),
            ))
        })?;
        self.lookup.value(&at, id, &found, config)
    }
}
