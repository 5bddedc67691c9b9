//! `openstack_containerinfra_clustertemplate_v1`, as a resource and as data.

use std::sync::Arc;

use async_trait::async_trait;
use pipectl_cloud::settling::READING_FAILED;
use pipectl_cloud::{Fields, Lookup, Times, one};
use pipectl_core::{Attribute, Diagnostics, Schema, Type, Value};
use pipectl_provider::arguments::{map_of_text, text as given};
use pipectl_provider::{Cx, DataSource};
use serde_json::Value as Json;

use super::patch;
use crate::cloud::{Cloud, Service};
use crate::kind::{Fault, Kind, Place, text};

pub(crate) struct ClusterTemplate;

#[async_trait]
impl Kind for ClusterTemplate {
    type Cloud = Cloud;

    const TYPE: &'static str = "openstack_containerinfra_clustertemplate_v1";
    const NOUN: &'static str = "cluster template";
    const SERVICE: Service = Service::ContainerInfra;
    const COLLECTION: &'static str = "clustertemplates";

    fn fields() -> Fields {
        let text = |description| Attribute::optional(Type::String, description);
        let flag = |description| Attribute::optional(Type::Bool, description);
        let number = |description| Attribute::optional(Type::Number, description);
        let either = |description| Attribute::optional_computed(Type::String, description);
        let told = |description| Attribute::computed(Type::String, description);
        let fields = Fields::new("What clusters are made after.")
            .in_region()
            .with("name", Attribute::required(Type::String, "Its name."))
            .with("coe", Attribute::required(Type::String, "What runs containers: `kubernetes`."))
            .named("image", "image_id", Attribute::required(Type::String, "The name or id of the image of nodes."))
            .named("flavor", "flavor_id", text("The flavor of nodes."))
            .named("master_flavor", "master_flavor_id", text("The flavor of control nodes."))
            .with("keypair_id", text("The key pair to log in to nodes with."))
            .with("external_network_id", text("The network that leads outside."))
            .with("fixed_network", text("The network of nodes. Default: one of its own."))
            .with("fixed_subnet", text("The subnet of nodes."))
            .with("network_driver", either("`flannel`, `calico`."))
            .with("volume_driver", text("`cinder`."))
            .with("server_type", either("`vm`, `bm`."))
            .with("cluster_distro", either("The system of nodes: the image says it."))
            .with("docker_volume_size", number("The disk for containers of a node, in GB."))
            .with("docker_storage_driver", text("`overlay2`."))
            .with("apiserver_port", number("The port of the API server."))
            .with("dns_nameserver", text("The server of names."))
            .with("http_proxy", text("The proxy for HTTP."))
            .with("https_proxy", text("The proxy for HTTPS."))
            .with("no_proxy", text("What is reached without a proxy."))
            .with("insecure_registry", text("A registry of images without TLS."))
            .with("labels", Attribute::optional(map_of_text(), "What drivers are told: `kube_tag`, `cvmfs_enabled`."))
            .with("project_id", told("Its project.").forces_replacement())
            .with("user_id", told("Its user.").forces_replacement())
            .with("created_at", told("When it was made."))
            .with("updated_at", told("When it was changed."))
            .moving(["updated_at"])
            .times(Times::minutes(10, 0, 10));
        // Magnum's own defaults differ between releases: what is not given is false, as with Terraform.
        let flags = [
            ("floating_ip_enabled", "Whether nodes get addresses outside."),
            ("hidden", "Whether it is left out of lists."),
            ("master_lb_enabled", "Whether a load balancer stands before control nodes."),
            ("public", "Whether all projects see it."),
            ("registry_enabled", "Whether clusters get a registry of images."),
            ("tls_disabled", "Whether the API server speaks without TLS."),
        ];
        flags
            .into_iter()
            .fold(fields, |fields, (name, description)| fields.with(name, flag(description)).default(name, false))
    }

    fn id(object: &Json) -> Option<String> {
        text(object, "uuid")
    }

    async fn update(at: &Place<'_>, id: &str, prior: &Value, planned: &Value) -> Result<bool, Fault> {
        let changes = Self::changes(at.fields, prior, planned);
        let is_asked = !changes.is_empty();
        if is_asked {
            patch(at, &[Self::COLLECTION, id], changes).await?;
        }
        Ok(is_asked)
    }

    async fn candidates(at: &Place<'_>, arguments: &Json, _before: &Json) -> Result<Vec<Json>, Fault> {
        let list = at.endpoint.list(&[Self::COLLECTION], &[]).await?;
        let listed = list.get(Self::COLLECTION).and_then(Json::as_array).into_iter().flatten();
        Ok(listed.filter(|object| object.get("name") == arguments.get("name")).cloned().collect())
    }
}

/// `data "openstack_containerinfra_clustertemplate_v1"`: by its name, which operators give to one after the other.
pub(crate) struct ClusterTemplateData {
    lookup: Lookup<Cloud>,
    schema: Schema,
}

impl ClusterTemplateData {
    pub(crate) fn new(cloud: Option<Arc<Cloud>>) -> Self {
        let lookup = Lookup::like(cloud, ClusterTemplate::fields(), &["name"]);
        Self { schema: lookup.schema().clone(), lookup }
    }
}

#[async_trait]
impl DataSource for ClusterTemplateData {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    async fn read(&self, cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        let at = self.lookup.place(cx, Service::ContainerInfra, config).await?;
        let name = given(config, "name").unwrap_or_default();
        let listed = ClusterTemplate::candidates(&at, &serde_json::json!({ "name": name }), &Json::Null).await;
        let listed = listed.map_err(|fault| fault.told(READING_FAILED))?;
        let found =
            one("cluster template", listed, |object| format!("{} ({name})", text(object, "uuid").unwrap_or_default()))?;
        let id = text(&found, "uuid").unwrap_or_default();
        self.lookup.value(&at, &id, &found, config)
    }
}
