//! `oci_containerengine_cluster`

use async_trait::async_trait;
use pipectl_cloud::{Fields, Group, Times};
use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Type, Value};
use pipectl_oci_client::Service;
use pipectl_provider::arguments::{blocks, map_of_text};
use pipectl_provider::rules::{at_most_one_block, one_of};
use serde_json::{Map, Value as Json, json};

use super::{kubeconfig, work};
use crate::cloud::Cloud;
use crate::endpoint::holds;
use crate::kind::{Fault, Kind, More, NOT_IN_PLACE, Place, either, living, needed, option, told};

pub(crate) struct Cluster;

/// Blocks of which there is one.
const SINGLE: [&str; 3] = ["endpoint_config", "image_policy_config", "options"];

#[async_trait]
impl Kind for Cluster {
    type Cloud = Cloud;

    const TYPE: &'static str = "oci_containerengine_cluster";
    const NOUN: &'static str = "cluster";
    const SERVICE: Service = Service::ContainerEngine;
    const COLLECTION: &'static str = "clusters";
    const ISSUES: bool = true;

    fn fields() -> Fields {
        let text = |description: &str| told(Type::String, description);
        let fixed = |ty, description| either(ty, description).forces_replacement();
        living("A Kubernetes cluster.")
            .without("time_created")
            .named("compartment_id", "compartmentId", needed("The OCID of its compartment.").forces_replacement())
            .named("name", "name", needed("Its name."))
            .named(
                "kubernetes_version",
                "kubernetesVersion",
                needed("The version of Kubernetes: `v1.33.1`. A later one upgrades it."),
            )
            .named("vcn_id", "vcnId", needed("The OCID of its network.").forces_replacement())
            .named("kms_key_id", "kmsKeyId", fixed(Type::String, "The key that its secrets are encrypted with."))
            .named("type", "type", either(Type::String, "`BASIC_CLUSTER` or `ENHANCED_CLUSTER`."))
            .named(
                "available_kubernetes_upgrades",
                "availableKubernetesUpgrades",
                told(Type::list(Type::String), "The versions that it can be upgraded to."),
            )
            .named("lifecycle_details", "lifecycleDetails", text("More on the state of its life."))
            .named(
                "open_id_connect_discovery_endpoint",
                "openIdConnectDiscoveryEndpoint",
                text("Where its tokens can be verified."),
            )
            .apart(
                "kubeconfig",
                told(Type::String, "How to reach it: a kubeconfig that asks the `oci` command for tokens.")
                    .sensitive()
                    .readable_again(),
            )
            .group("cluster_pod_network_options", pod_network())
            .group("endpoint_config", endpoint_config())
            .group("image_policy_config", image_policy())
            .group("options", options())
            .group("endpoints", endpoints())
            .group("metadata", metadata())
            .moving(["available_kubernetes_upgrades", "lifecycle_details", "metadata"])
            .moving_with("endpoint_config", ["endpoints", "kubeconfig"])
            .times(Times::minutes(60, 60, 60))
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut found = one_of(config, "type", &["BASIC_CLUSTER", "ENHANCED_CLUSTER"]);
        for block in SINGLE {
            found.extend(at_most_one_block(config, block));
        }
        found
    }

    fn changes(fields: &Fields, prior: &Value, planned: &Value) -> Map<String, Json> {
        let mut changes = fields.changes(prior, planned);
        // Its place in the network has a call of its own; of the options some may be changed.
        changes.remove("endpointConfig");
        if let Some(Json::Object(options)) = changes.get_mut("options") {
            for fixed in ["kubernetesNetworkConfig", "serviceLbSubnetIds", "ipFamilies", "addOns"] {
                options.remove(fixed);
            }
            if options.is_empty() {
                changes.remove("options");
            }
        }
        changes
    }

    async fn create(at: &Place<'_>, planned: &Value) -> Result<Json, Fault> {
        let limit = at.fields.limit("create", planned);
        work::made::<Self>(at, "cluster", Self::body(at.fields, planned), limit).await
    }

    async fn recorded(at: &Place<'_>, recorded: &Json) -> Result<Option<String>, Fault> {
        work::resource(at, "cluster", recorded).await
    }

    async fn why(at: &Place<'_>, id: &str, object: &Json) -> Result<Option<String>, Fault> {
        work::reasons(at, id, id, object).await
    }

    fn alone(_attributes: &Value, id: Option<&str>) -> Option<String> {
        id.map(str::to_owned)
    }

    async fn more(at: &Place<'_>, object: &Json, _known: &Value) -> Result<More, Fault> {
        let Some(id) = Self::id(object) else { return Ok(More::new()) };
        let kubeconfig = kubeconfig::of(at, &id, object).await?;
        Ok([("kubeconfig".to_owned(), kubeconfig)].into())
    }

    async fn delete(at: &Place<'_>, id: &str, prior: &Value) -> Result<(), Fault> {
        work::removed::<Self>(at, id, prior).await
    }

    async fn update(at: &Place<'_>, id: &str, prior: &Value, planned: &Value) -> Result<bool, Fault> {
        fixed(id, prior, planned)?;
        let limit = at.fields.limit("update", planned);
        let body = Self::changes(at.fields, prior, planned);
        if !body.is_empty() {
            let body = Json::Object(body);
            work::changed::<Self>(at, id, &[Self::COLLECTION, id], &body, &body, limit).await?;
        }
        let group = endpoint_config();
        let of = |value: &Value| value.attribute("endpoint_config").and_then(|blocks| group.told(blocks));
        if let Some(endpoint) = of(planned).filter(|endpoint| of(prior).as_ref() != Some(endpoint)) {
            let mut body = Map::new();
            for member in ["isPublicIpEnabled", "nsgIds"] {
                body.extend(endpoint.get(member).map(|value| (member.to_owned(), value.clone())));
            }
            // Groups that are given no more are taken away.
            body.entry("nsgIds").or_insert_with(|| json!([]));
            let shown = json!({ "endpointConfig": body });
            let path = [Self::COLLECTION, id, "actions", "updateEndpointConfig"];
            work::changed::<Self>(at, id, &path, &Json::Object(body), &shown, limit).await?;
        }
        // Each change has been waited for.
        Ok(false)
    }

    async fn candidates(at: &Place<'_>, arguments: &Json, _before: &Json) -> Result<Vec<Json>, Fault> {
        work::candidates::<Self>(at, arguments, &[]).await
    }
}

fn pod_network() -> Group {
    Group::many("clusterPodNetworkOptions", "How pods get addresses.").computed().with(
        "cni_type",
        "cniType",
        needed("`OCI_VCN_IP_NATIVE` or `FLANNEL_OVERLAY`.").forces_replacement(),
    )
}

fn endpoint_config() -> Group {
    Group::one("endpointConfig", "Where its API server is.")
        .with("subnet_id", "subnetId", needed("The OCID of its subnet.").forces_replacement())
        .with("is_public_ip_enabled", "isPublicIpEnabled", either(Type::Bool, "Whether it has a public address."))
        .with("nsg_ids", "nsgIds", option(Type::set(Type::String), "Its network security groups."))
}

fn image_policy() -> Group {
    let key = Group::many("keyDetails", "A key that images are signed with.").computed().with(
        "kms_key_id",
        "kmsKeyId",
        either(Type::String, "The OCID of the key."),
    );
    Group::one("imagePolicyConfig", "Which images may run.")
        .computed()
        .with("is_policy_enabled", "isPolicyEnabled", either(Type::Bool, "Whether only signed images may."))
        .group("key_details", key)
}

fn options() -> Group {
    let fixed = |description: &str| either(Type::String, description).forces_replacement();
    let network = Group::one("kubernetesNetworkConfig", "Addresses within it.")
        .computed()
        .with(
            "pods_cidr",
            "podsCidr",
            fixed("The addresses of pods, where they are an overlay. Default `10.244.0.0/16`."),
        )
        .with("services_cidr", "servicesCidr", fixed("The addresses of services. Default `10.96.0.0/16`."));
    let flag = |description: &str| either(Type::Bool, description);
    let admission = Group::one("admissionControllerOptions", "What is judged before it is admitted.").computed().with(
        "is_pod_security_policy_enabled",
        "isPodSecurityPolicyEnabled",
        flag("Whether policies for pods are."),
    );
    let tagged = |member, description| {
        Group::one(member, description).computed().with(
            "freeform_tags",
            "freeformTags",
            Attribute::optional_computed(map_of_text(), "Tags of what it makes."),
        )
    };
    let balancers = tagged("serviceLbConfig", "Load balancers that it makes for services.").with(
        "backend_nsg_ids",
        "backendNsgIds",
        either(Type::list(Type::String), "Network security groups of what is behind them."),
    );
    let discovery = Group::one("openIdConnectDiscovery", "Whether others can verify tokens of service accounts.")
        .computed()
        .with("is_open_id_connect_discovery_enabled", "isOpenIdConnectDiscoveryEnabled", flag("Whether they can."));
    Group::one("options", "More on it.")
        .computed()
        .with(
            "service_lb_subnet_ids",
            "serviceLbSubnetIds",
            either(Type::list(Type::String), "The subnets of load balancers.").forces_replacement(),
        )
        .with("ip_families", "ipFamilies", either(Type::list(Type::String), "`IPv4`, `IPv6`.").forces_replacement())
        .group("kubernetes_network_config", network)
        .group("add_ons", add_ons())
        .group("admission_controller_options", admission)
        .group("persistent_volume_config", tagged("persistentVolumeConfig", "Volumes that it makes."))
        .group("service_lb_config", balancers)
        .group("open_id_connect_discovery", discovery)
}

fn add_ons() -> Group {
    let flag = |description: &str| either(Type::Bool, description);
    Group::one("addOns", "What runs on it from the start.")
        .computed()
        .with("is_kubernetes_dashboard_enabled", "isKubernetesDashboardEnabled", flag("Whether the dashboard does."))
        .with("is_tiller_enabled", "isTillerEnabled", flag("Whether Tiller does."))
}

/// What is neither changed here nor worth a new cluster.
fn fixed(id: &str, prior: &Value, planned: &Value) -> Result<(), Diagnostic> {
    let of = |value: &Value| {
        let options = blocks(value, "options").first()?;
        add_ons().told(options.attribute("add_ons")?)
    };
    // What was never told may be what is given now.
    match (of(prior), of(planned)) {
        (Some(before), Some(now)) if !holds(&before, &now) => {
            let detail = format!(
                "`add_ons` of the cluster `{id}` are only for a new one, and a cluster is not made anew for them."
            );
            let path = Path::of("options").index(0).name("add_ons");
            let hint = format!("oci ce cluster install-addon --cluster-id {id}");
            Err(Diagnostic::error(NOT_IN_PLACE, detail).on(path).hint(hint))
        }
        _ => Ok(()),
    }
}

fn endpoints() -> Group {
    let text = |description: &str| told(Type::String, description);
    Group::one("endpoints", "Where its API server answers.")
        .computed()
        .with("kubernetes", "kubernetes", text("Outside any network of one's own, formerly."))
        .with("public_endpoint", "publicEndpoint", text("In the Internet."))
        .with("private_endpoint", "privateEndpoint", text("In its network."))
        .with("vcn_hostname_endpoint", "vcnHostnameEndpoint", text("In its network, by name."))
        .with("ipv6endpoint", "ipv6Endpoint", text("By IPv6."))
}

fn metadata() -> Group {
    let text = |description: &str| told(Type::String, description);
    Group::one("metadata", "What has become of it so far.")
        .computed()
        .with("time_created", "timeCreated", text("When it was made."))
        .with("time_updated", "timeUpdated", text("When it was changed."))
        .with("created_by_user_id", "createdByUserId", text("Who made it."))
        .with("created_by_work_request_id", "createdByWorkRequestId", text("The work request that made it."))
        .with("updated_by_user_id", "updatedByUserId", text("Who changed it."))
        .with("updated_by_work_request_id", "updatedByWorkRequestId", text("The work request that changed it."))
}
