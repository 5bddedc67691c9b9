//! `oci_containerengine_node_pool`: nodes of a cluster that are alike.

use async_trait::async_trait;
use pipectl_cloud::{Fields, Group, Times};
use pipectl_core::{Attribute, Diagnostics, Type, Value};
use pipectl_oci_client::Service;
use pipectl_provider::arguments::{blocks, map_of_text, text as given};
use pipectl_provider::rules::{at_most_one_block, conflicts};
use serde_json::{Map, Value as Json};

use super::work;
use crate::cloud::Cloud;
use crate::kind::{Fault, Kind, Place, either, living, needed, text, told};

pub(crate) struct NodePool;

/// Blocks of which there is one.
const SINGLE: [&str; 5] = [
    "node_config_details",
    "node_eviction_node_pool_settings",
    "node_pool_cycling_details",
    "node_shape_config",
    "node_source_details",
];

#[async_trait]
impl Kind for NodePool {
    type Cloud = Cloud;

    const TYPE: &'static str = "oci_containerengine_node_pool";
    const NOUN: &'static str = "node pool";
    const SERVICE: Service = Service::ContainerEngine;
    const COLLECTION: &'static str = "nodePools";

    fn fields() -> Fields {
        let label = Group::many("initialNodeLabels", "A label that nodes have from the start.")
            .computed()
            .with("key", "key", either(Type::String, "Its name."))
            .with("value", "value", either(Type::String, "Its value."));
        living("Nodes of a cluster that are alike.")
            .without("time_created")
            .named("cluster_id", "clusterId", needed("The OCID of its cluster.").forces_replacement())
            .named("compartment_id", "compartmentId", needed("The OCID of its compartment.").forces_replacement())
            .named("name", "name", needed("Its name."))
            .named("node_shape", "nodeShape", needed("The shape of nodes. Another one counts for new nodes."))
            .named(
                "kubernetes_version",
                "kubernetesVersion",
                either(Type::String, "The version of Kubernetes. Another one counts for new nodes."),
            )
            .named("node_metadata", "nodeMetadata", either(map_of_text(), "What nodes are told when they start."))
            .named("ssh_public_key", "sshPublicKey", either(Type::String, "The key to log in to nodes with."))
            .named(
                "quantity_per_subnet",
                "quantityPerSubnet",
                either(Type::Number, "The number of nodes in each of `subnet_ids`."),
            )
            .named(
                "subnet_ids",
                "subnetIds",
                either(Type::set(Type::String), "The subnets of nodes, where `node_config_details` does not say them."),
            )
            .named("lifecycle_details", "lifecycleDetails", told(Type::String, "More on the state of its life."))
            .group("initial_node_labels", label)
            .group("node_config_details", config())
            .group("node_eviction_node_pool_settings", eviction())
            .group("node_pool_cycling_details", cycling())
            .group("node_shape_config", shape())
            .group("node_source_details", source())
            .group("nodes", nodes())
            .moving(["lifecycle_details", "nodes"])
            .moving_with("node_config_details", ["subnet_ids"])
            .times(Times::minutes(50, 50, 50))
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut found = Diagnostics::new();
        for block in SINGLE {
            found.extend(at_most_one_block(config, block));
        }
        if !blocks(config, "node_config_details").is_empty() {
            found.extend(conflicts(config, "subnet_ids", &["node_config_details"]));
            found.extend(conflicts(config, "quantity_per_subnet", &["node_config_details"]));
        }
        found
    }

    async fn create(at: &Place<'_>, planned: &Value) -> Result<Json, Fault> {
        let limit = at.fields.limit("create", planned);
        work::made::<Self>(at, "nodepool", Self::body(at.fields, planned), limit).await
    }

    async fn recorded(at: &Place<'_>, recorded: &Json) -> Result<Option<String>, Fault> {
        work::resource(at, "nodepool", recorded).await
    }

    async fn why(at: &Place<'_>, id: &str, object: &Json) -> Result<Option<String>, Fault> {
        work::reasons(at, &text(object, "clusterId").unwrap_or_default(), id, object).await
    }

    async fn delete(at: &Place<'_>, id: &str, prior: &Value) -> Result<(), Fault> {
        work::removed::<Self>(at, id, prior).await
    }

    async fn update(at: &Place<'_>, id: &str, prior: &Value, planned: &Value) -> Result<bool, Fault> {
        let body: Map<String, Json> = Self::changes(at.fields, prior, planned);
        if !body.is_empty() {
            let (body, limit) = (Json::Object(body), at.fields.limit("update", planned));
            work::changed::<Self>(at, id, &[Self::COLLECTION, id], &body, &body, limit).await?;
        }
        // Each change has been waited for.
        Ok(false)
    }

    /// It does not tell when it was made.
    async fn before(at: &Place<'_>, planned: &Value) -> Result<Option<Json>, Fault> {
        let cluster = given(planned, "cluster_id").unwrap_or_default();
        Ok(Some(work::before::<Self>(at, planned, &[("clusterId", cluster)]).await?))
    }

    async fn candidates(at: &Place<'_>, arguments: &Json, before: &Json) -> Result<Vec<Json>, Fault> {
        let cluster = arguments.get("cluster_id").and_then(Json::as_str).unwrap_or_default();
        Ok(work::without(work::candidates::<Self>(at, arguments, &[("clusterId", cluster)]).await?, before))
    }
}

fn config() -> Group {
    let preemption = Group::one("preemptionAction", "What becomes of it then.")
        .with("type", "type", needed("`TERMINATE`."))
        .with("is_preserve_boot_volume", "isPreserveBootVolume", either(Type::Bool, "Whether its disk stays."));
    let preemptible = Group::one("preemptibleNodeConfig", "That nodes may be taken away.")
        .computed()
        .group("preemption_action", preemption);
    let placement = Group::unordered("placementConfigs", "A place for nodes. They are spread over all of them.")
        .with("availability_domain", "availabilityDomain", needed("The availability domain."))
        .with("subnet_id", "subnetId", needed("The OCID of the subnet."))
        .with(
            "capacity_reservation_id",
            "capacityReservationId",
            either(Type::String, "The reservation that they are of."),
        )
        .with("fault_domains", "faultDomains", either(Type::list(Type::String), "The fault domains."))
        .group("preemptible_node_config", preemptible)
        .any_case(["availability_domain"]);
    let pods = Group::one("nodePoolPodNetworkOptionDetails", "How pods get addresses.")
        .computed()
        .with("cni_type", "cniType", needed("`OCI_VCN_IP_NATIVE` or `FLANNEL_OVERLAY`.").forces_replacement())
        .with("max_pods_per_node", "maxPodsPerNode", either(Type::Number, "The largest number of pods of a node."))
        .with("pod_nsg_ids", "podNsgIds", either(Type::list(Type::String), "Network security groups of pods."))
        .with("pod_subnet_ids", "podSubnetIds", either(Type::list(Type::String), "Subnets of pods."));
    Group::one("nodeConfigDetails", "How many nodes, and where.")
        .computed()
        .with("size", "size", Attribute::required(Type::Number, "The number of nodes."))
        .with(
            "is_pv_encryption_in_transit_enabled",
            "isPvEncryptionInTransitEnabled",
            either(Type::Bool, "Whether data on the way to disks are encrypted."),
        )
        .with("kms_key_id", "kmsKeyId", either(Type::String, "The key that disks are encrypted with."))
        .with("nsg_ids", "nsgIds", either(Type::set(Type::String), "Network security groups of nodes."))
        .with("freeform_tags", "freeformTags", either(map_of_text(), "Tags of nodes."))
        .group("placement_configs", placement)
        .group("node_pool_pod_network_option_details", pods)
}

fn eviction() -> Group {
    Group::one("nodeEvictionNodePoolSettings", "How nodes are emptied before they are removed.")
        .computed()
        .with(
            "eviction_grace_duration",
            "evictionGraceDuration",
            either(Type::String, "How long it may take: `PT60M`."),
        )
        .with(
            "is_force_delete_after_grace_duration",
            "isForceDeleteAfterGraceDuration",
            either(Type::Bool, "Whether they are removed then in any case."),
        )
        .with(
            "is_force_action_after_grace_duration",
            "isForceActionAfterGraceDuration",
            either(Type::Bool, "Whether they are changed then in any case."),
        )
}

fn cycling() -> Group {
    Group::one(
        "nodePoolCyclingDetails",
        "How nodes are replaced by new ones when something changes that counts for new nodes.",
    )
    .computed()
    .with("is_node_cycling_enabled", "isNodeCyclingEnabled", either(Type::Bool, "Whether they are."))
    .with("maximum_surge", "maximumSurge", either(Type::String, "How many more there may be meanwhile: `1`, `25%`."))
    .with("maximum_unavailable", "maximumUnavailable", either(Type::String, "How many less there may be meanwhile."))
    .with(
        "cycle_modes",
        "cycleModes",
        either(Type::list(Type::String), "`INSTANCE_REPLACE`, `BOOT_VOLUME_REPLACE`."),
    )
}

fn shape() -> Group {
    Group::one("nodeShapeConfig", "The size of nodes, where their shape leaves it open.")
        .computed()
        .with("ocpus", "ocpus", either(Type::Number, "Cores."))
        .with("memory_in_gbs", "memoryInGBs", either(Type::Number, "Memory, in GB."))
}

fn source() -> Group {
    Group::one("nodeSourceDetails", "What nodes start from.")
        .computed()
        .with("source_type", "sourceType", needed("`IMAGE`."))
        .with("image_id", "imageId", needed("The OCID of the image: see `oci_containerengine_node_pool_option`."))
        .with("boot_volume_size_in_gbs", "bootVolumeSizeInGBs", either(Type::Number, "The size of the disk, in GB."))
        .any_case(["source_type"])
}

fn nodes() -> Group {
    let text = |description: &str| told(Type::String, description);
    let error = Group::one("nodeError", "What is wrong with it.")
        .computed()
        .with("code", "code", text("A word for it."))
        .with("message", "message", text("The same in words."))
        .with("status", "status", text("The status of the answer that it was."));
    Group::many("nodes", "The nodes that there are.")
        .computed()
        .with("id", "id", text("Its OCID."))
        .with("name", "name", text("Its name."))
        .with("availability_domain", "availabilityDomain", text("Its availability domain."))
        .with("fault_domain", "faultDomain", text("Its fault domain."))
        .with("kubernetes_version", "kubernetesVersion", text("Its version of Kubernetes."))
        .with("private_ip", "privateIp", text("Its address."))
        .with("public_ip", "publicIp", text("Its public address."))
        .with("subnet_id", "subnetId", text("Its subnet."))
        .with("state", "lifecycleState", text("The state of its life."))
        .with("lifecycle_details", "lifecycleDetails", text("More on that."))
        .group("error", error)
}
