//! `openstack_containerinfra_nodegroup_v1`: more nodes of a cluster, of another sort. Its id is that of its cluster, a slash, and its own.

use async_trait::async_trait;
use pipectl_cloud::settling::settled;
use pipectl_cloud::{Fields, Times};
use pipectl_core::{Attribute, Diagnostic, Diagnostics, Type, Value};
use pipectl_provider::arguments::{integer, map_of_text, text as given};
use serde_json::{Map, Value as Json};

use super::cluster::Cluster;
use super::{labels, patch, resize, with_labels};
use crate::cloud::{Cloud, Service};
use crate::kind::{Condition, Fault, Kind, Known, More, Place, text};

pub(crate) struct NodeGroup;

#[async_trait]
impl Kind for NodeGroup {
    type Cloud = Cloud;

    const TYPE: &'static str = "openstack_containerinfra_nodegroup_v1";
    const NOUN: &'static str = "node group";
    const SERVICE: Service = Service::ContainerInfra;
    const COLLECTION: &'static str = "nodegroups";
    const IS_SLOW: bool = true;

    fn fields() -> Fields {
        let either = |ty, description| Attribute::optional_computed(ty, description).forces_replacement();
        let needed = |description| Attribute::required(Type::String, description).forces_replacement();
        let told = |description| Attribute::computed(Type::String, description);
        Fields::new("A group of nodes of a cluster.")
            .in_region()
            .with("cluster_id", needed("The `id` of the cluster."))
            .with("name", needed("Its name."))
            .with("docker_volume_size", either(Type::Number, "The disk for containers of a node, in GB."))
            .apart("labels", either(map_of_text(), "What drivers are told, in the place of the cluster's labels."))
            .apart(
                "merge_labels",
                Attribute::optional(Type::Bool, "Whether labels are added to the cluster's.").forces_replacement(),
            )
            .with("role", either(Type::String, "What its nodes are for. Default `worker`."))
            .with("node_count", Attribute::optional(Type::Number, "The number of nodes."))
            .default("node_count", 1)
            .with(
                "min_node_count",
                Attribute::optional_computed(Type::Number, "The least number of nodes for autoscaling."),
            )
            .with("max_node_count", Attribute::optional(Type::Number, "The largest number of nodes for autoscaling."))
            .with("image_id", either(Type::String, "The image of nodes. Default: the template's."))
            .with("flavor_id", either(Type::String, "The flavor of nodes. Default: the cluster's."))
            .with("project_id", told("Its project.").forces_replacement())
            .with("created_at", told("When it was made."))
            .with("updated_at", told("When it was changed."))
            .moving(["updated_at"])
            .times(Times::minutes(60, 30, 30))
    }

    fn id(object: &Json) -> Option<String> {
        Some(format!("{}/{}", text(object, "cluster_id")?, text(object, "uuid")?))
    }

    async fn create(at: &Place<'_>, planned: &Value) -> Result<Json, Fault> {
        let cluster = given(planned, "cluster_id").unwrap_or_default();
        idle(at, cluster, at.fields.limit("create", planned)).await?;
        let mut body = with_labels(at.fields.body(planned), planned);
        // It stands in the path.
        body.remove("cluster_id");
        Ok(at.endpoint.post(&["clusters", cluster, "nodegroups"], &Json::Object(body)).await?)
    }

    async fn look(at: &Place<'_>, id: &str, _known: &Value) -> Result<Option<Json>, Fault> {
        let (cluster, group) = parts(id);
        Ok(at.endpoint.look(&["clusters", cluster, "nodegroups", group]).await?)
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

    fn alone(attributes: &Value, _id: Option<&str>) -> Option<String> {
        given(attributes, "cluster_id").map(str::to_owned)
    }

    async fn more(_at: &Place<'_>, object: &Json, known: &Value) -> Result<More, Fault> {
        Ok(labels(object, known).map(|labels| ("labels".to_owned(), labels)).into_iter().collect())
    }

    async fn update(at: &Place<'_>, id: &str, prior: &Value, planned: &Value) -> Result<bool, Fault> {
        let (cluster, group) = parts(id);
        let limit = at.fields.limit("update", planned);
        idle(at, cluster, limit).await?;
        let mut changes: Map<String, Json> = at.fields.changes(prior, planned);
        let count = changes.remove("node_count").and_then(|_| integer(planned, "node_count"));
        // Each is waited for before anything else is asked for: what was before is not what was before the first.
        if !changes.is_empty() {
            let before = Self::look(at, id, planned).await?;
            patch(at, &["clusters", cluster, "nodegroups", group], changes).await?;
            settled::<Self>(at, id, planned, limit, before.as_ref()).await?;
            idle(at, cluster, limit).await?;
        }
        if let Some(count) = count {
            let before = Self::look(at, id, planned).await?;
            resize(at, cluster, group, count).await?;
            settled::<Self>(at, id, planned, limit, before.as_ref()).await?;
        }
        Ok(false)
    }

    async fn delete(at: &Place<'_>, id: &str, prior: &Value) -> Result<(), Fault> {
        let (cluster, group) = parts(id);
        if Cluster::look(at, cluster, &Value::null()).await?.is_none() {
            // It went with its cluster.
            return Ok(());
        }
        idle(at, cluster, at.fields.limit("delete", prior)).await?;
        Ok(at.endpoint.delete(&["clusters", cluster, "nodegroups", group]).await?)
    }

    async fn candidates(at: &Place<'_>, arguments: &Json, _before: &Json) -> Result<Vec<Json>, Fault> {
        let cluster = arguments.get("cluster_id").and_then(Json::as_str).unwrap_or_default();
        let Some(list) = at.endpoint.look(&["clusters", cluster, "nodegroups"]).await? else { return Ok(Vec::new()) };
        let listed = list.get("nodegroups").and_then(Json::as_array).into_iter().flatten();
        let named = listed.filter(|object| object.get("name") == arguments.get("name"));
        Ok(named
            .map(|group| {
                let mut group = group.clone();
                group["cluster_id"] = cluster.into();
                group
            })
            .collect())
    }

    fn imported(id: &str) -> Result<(String, Known), Diagnostics> {
        match id.split_once('/') {
            Some((cluster, group)) if !cluster.is_empty() && !group.is_empty() => {
                Ok((id.to_owned(), vec![("cluster_id", cluster.into())]))
            }
            _ => {
                let detail = format!("The id of a node group is `CLUSTER_ID/NODE_GROUP_ID`, and not `{id}`.");
                Err(Diagnostic::error("Invalid id", detail).into())
            }
        }
    }
}

fn parts(id: &str) -> (&str, &str) {
    id.split_once('/').unwrap_or((id, ""))
}

/// Waits until nothing is being done with a cluster: Magnum forgets what it is asked for meanwhile.
async fn idle(at: &Place<'_>, cluster: &str, limit: std::time::Duration) -> Result<(), Fault> {
    match settled::<Cluster>(at, cluster, &Value::null(), limit, None).await {
        Ok(_) => Ok(()),
        // A cluster that has failed takes changes.
        Err(problems) if problems.iter().any(|problem| problem.summary == pipectl_cloud::settling::FAILED) => Ok(()),
        Err(problems) => Err(problems.into()),
    }
}
