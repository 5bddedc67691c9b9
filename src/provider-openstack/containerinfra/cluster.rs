//! `openstack_containerinfra_cluster_v1`

use async_trait::async_trait;
use pipectl_cloud::settling::settled;
use pipectl_cloud::{Fields, Times};
use pipectl_core::{Attribute, Type, Value};
use pipectl_http::Method;
use pipectl_provider::arguments::{integer, map_of_text, text as given};
use serde_json::{Map, Value as Json, json};

use super::{kubeconfig, labels, resize, with_labels};
use crate::cloud::{Cloud, Service};
use crate::kind::{Condition, Fault, Kind, More, Place, act, text};

pub(crate) struct Cluster;

#[async_trait]
impl Kind for Cluster {
    type Cloud = Cloud;

    const TYPE: &'static str = "openstack_containerinfra_cluster_v1";
    const NOUN: &'static str = "cluster";
    const SERVICE: Service = Service::ContainerInfra;
    const COLLECTION: &'static str = "clusters";
    const IS_SLOW: bool = true;
    const ISSUES: bool = true;

    fn fields() -> Fields {
        let either = |ty, description| Attribute::optional_computed(ty, description).forces_replacement();
        let told = |description| Attribute::computed(Type::String, description);
        let addresses = |description| Attribute::computed(Type::list(Type::String), description);
        Fields::new("A cluster.").in_region()
            .with("name", either(Type::String, "Its name."))
            .with("cluster_template_id", Attribute::required(Type::String, "The id of its template. Another one upgrades it."))
            .with("create_timeout", either(Type::Number, "How long making it may take, in minutes. It counts for the cloud."))
            .with("discovery_url", either(Type::String, "Where its nodes find each other."))
            .with("docker_volume_size", either(Type::Number, "The disk for containers of a node, in GB."))
            .named("flavor", "flavor_id", either(Type::String, "The flavor of nodes. Default: the template's."))
            .named("master_flavor", "master_flavor_id", either(Type::String, "The flavor of control nodes."))
            .with("keypair", either(Type::String, "The key pair to log in to nodes with."))
            .apart("labels", either(map_of_text(), "What drivers are told, in the place of the template's labels."))
            .apart(
                "merge_labels",
                Attribute::optional(Type::Bool, "Whether labels are added to the template's.").forces_replacement(),
            )
            .with("master_count", either(Type::Number, "The number of control nodes."))
            .with("master_lb_enabled", either(Type::Bool, "Whether a load balancer stands before control nodes."))
            .apart("node_count", Attribute::optional(Type::Number, "The number of nodes of the group that a cluster is made with."))
            .default("node_count", 1)
            .with("fixed_network", either(Type::String, "The network of nodes."))
            .with("fixed_subnet", either(Type::String, "The subnet of nodes."))
            .with("floating_ip_enabled", either(Type::Bool, "Whether nodes get addresses outside."))
            .with("project_id", told("Its project.").forces_replacement())
            .with("user_id", told("Its user.").forces_replacement())
            .with("created_at", told("When it was made."))
            .with("updated_at", told("When it was changed."))
            .with("api_address", told("Where its API server answers."))
            .with("coe_version", told("The version of Kubernetes."))
            .with("container_version", told("The version of what runs containers."))
            .with("master_addresses", addresses("The addresses of control nodes."))
            .with("node_addresses", addresses("The addresses of nodes."))
            .with("stack_id", told("What the orchestration calls it."))
            .apart(
                "kubeconfig",
                Attribute::computed(
                    map_of_text(),
                    "How to reach it as an administrator: `raw_config`, `host`, `cluster_ca_certificate`, `client_certificate`, `client_key`.",
                )
                .sensitive(),
            )
            .moving(["updated_at", "node_addresses", "master_addresses", "api_address", "coe_version", "container_version"])
            .times(Times::minutes(60, 30, 30))
    }

    fn id(object: &Json) -> Option<String> {
        text(object, "uuid")
    }

    fn body(fields: &Fields, planned: &Value) -> Map<String, Json> {
        let mut body = with_labels(fields.body(planned), planned);
        body.insert("node_count".to_owned(), integer(planned, "node_count").unwrap_or(1).into());
        body
    }

    fn condition(object: &Json) -> Condition {
        super::condition(object)
    }

    fn stays(object: &Json) -> Option<String> {
        super::stays(object)
    }

    fn is_changed(before: &Json, now: &Json) -> bool {
        super::is_written(before, now)
    }

    fn alone(_attributes: &Value, id: Option<&str>) -> Option<String> {
        id.map(str::to_owned)
    }

    async fn more(at: &Place<'_>, object: &Json, known: &Value) -> Result<More, Fault> {
        let mut more = More::new();
        more.extend(labels(object, known).map(|labels| ("labels".to_owned(), labels)));
        // The number of nodes of a cluster counts all groups.
        let id = Self::id(object).unwrap_or_default();
        let groups = default_workers(at, &id).await?;
        let count = groups.as_ref().and_then(|group| group.get("node_count")?.as_i64());
        more.extend(count.map(|count| ("node_count".to_owned(), count.into())));
        Ok(more)
    }

    async fn issue(at: &Place<'_>, id: &str, object: &Json) -> Result<More, Fault> {
        let kubeconfig = kubeconfig::made(at, id, object).await?;
        Ok([("kubeconfig".to_owned(), kubeconfig)].into())
    }

    async fn update(at: &Place<'_>, id: &str, prior: &Value, planned: &Value) -> Result<bool, Fault> {
        // Each is waited for before anything else is asked for: what was before is not what was before the first.
        let limit = at.fields.limit("update", planned);
        let template = given(planned, "cluster_template_id");
        if given(prior, "cluster_template_id") != template {
            let before = Self::look(at, id, planned).await?;
            let body = json!({ "cluster_template": template, "max_batch_size": 1 });
            act(at, Method::POST, &[Self::COLLECTION, id, "actions", "upgrade"], &body).await?;
            settled::<Self>(at, id, planned, limit, before.as_ref()).await?;
        }
        if integer(prior, "node_count") != integer(planned, "node_count") {
            let group = default_workers(at, id).await?.and_then(|group| text(&group, "uuid")).unwrap_or_default();
            let before = Self::look(at, id, planned).await?;
            resize(at, id, &group, integer(planned, "node_count").unwrap_or(1)).await?;
            settled::<Self>(at, id, planned, limit, before.as_ref()).await?;
        }
        Ok(false)
    }

    async fn candidates(at: &Place<'_>, arguments: &Json, _before: &Json) -> Result<Vec<Json>, Fault> {
        let list = at.endpoint.list(&[Self::COLLECTION], &[]).await?;
        let listed = list.get(Self::COLLECTION).and_then(Json::as_array).into_iter().flatten();
        let name = arguments.get("name").filter(|name| !name.is_null());
        Ok(listed.filter(|object| name.is_none() || object.get("name") == name).cloned().collect())
    }
}

/// The group of nodes that a cluster is made with.
async fn default_workers(at: &Place<'_>, cluster: &str) -> Result<Option<Json>, Fault> {
    let Some(list) = at.endpoint.look(&["clusters", cluster, "nodegroups"]).await? else { return Ok(None) };
    let groups = list.get("nodegroups").and_then(Json::as_array).into_iter().flatten();
    let is_meant = |group: &&Json| {
        group.get("is_default").and_then(Json::as_bool) == Some(true)
            && group.get("role").and_then(Json::as_str) != Some("master")
    };
    Ok(groups.into_iter().find(is_meant).cloned())
}
