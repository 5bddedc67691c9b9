//! Clusters of Kubernetes Engine.

use serde_json::{Map, Value as Json, json};

use crate::answer::{Answer, Outcome, Refusal};
use crate::catalogue::{VERSIONS, version};
use crate::network::{belongs, parent, texts};
use crate::request::Call;
use crate::store::{Object, digest};
use crate::work_requests::{Change, Verb, accept};
use crate::world::World;
use crate::{kubeconfig, listing, node_pools};

pub(crate) fn handle(world: &mut World, call: &Call<'_>) -> Option<Outcome> {
    Some(match call.operation.name.as_str() {
        "create_cluster" => create(world, call),
        "get_cluster" => {
            world.find(call, "cluster", call.id()).map(|object| world.show("containerengine.Cluster", object))
        }
        "list_clusters" => listing::kind(world, call, "cluster", "containerengine.ClusterSummary"),
        "update_cluster" => update(world, call),
        "delete_cluster" => delete(world, call),
        "create_kubeconfig" => kubeconfig::create(world, call),
        "get_cluster_options" => get_options(call),
        _ => return None,
    })
}

fn create(world: &mut World, call: &Call<'_>) -> Outcome {
    let mut body = call.body.clone();
    let of = version(call.text("kubernetesVersion").unwrap_or_default())?;
    let vcn = parent(world, call, "vcn", call.text("vcnId").unwrap_or_default())?.id;
    if call.text("name").unwrap_or_default().is_empty() {
        return Err(Refusal::invalid("name may not be empty"));
    }
    let endpoint = body.entry("endpointConfig").or_insert_with(|| json!({})).clone();
    if let Some(subnet) = endpoint["subnetId"].as_str() {
        belongs(world, call, "subnet", subnet, &vcn)?;
        texts(endpoint.get("nsgIds"))
            .iter()
            .try_for_each(|group| belongs(world, call, "networksecuritygroup", group, &vcn))?;
        let prohibits = world.find(call, "subnet", subnet)?.value("prohibitPublicIpOnVnic") == true;
        if prohibits && endpoint["isPublicIpEnabled"] == true {
            return Err(Refusal::invalid(format!("endpointConfig: the Subnet {subnet} prohibits public IPs")));
        }
    }
    for subnet in texts(body.get("options").and_then(|options| options.get("serviceLbSubnetIds"))) {
        belongs(world, call, "subnet", &subnet, &vcn)?;
    }
    let id = world.ocid("cluster");
    let options = body.entry("options").or_insert_with(|| json!({}));
    let network = options["kubernetesNetworkConfig"].clone();
    options["kubernetesNetworkConfig"] = json!({
        "podsCidr": network["podsCidr"].as_str().unwrap_or("10.244.0.0/16"),
        "servicesCidr": network["servicesCidr"].as_str().unwrap_or("10.96.0.0/16"),
    });
    let defaults = [
        ("type", json!("BASIC_CLUSTER")),
        ("freeformTags", json!({})),
        ("definedTags", json!({})),
        ("systemTags", json!({})),
        ("imagePolicyConfig", json!({"isPolicyEnabled": false, "keyDetails": []})),
        ("clusterPodNetworkOptions", json!([{"cniType": "FLANNEL_OVERLAY"}])),
    ];
    for (member, value) in defaults {
        body.entry(member).or_insert(value);
    }
    body.insert("availableKubernetesUpgrades".to_owned(), upgrades(of));
    let address = &digest(&id)[..6];
    let (public, private) = (endpoint["isPublicIpEnabled"] == true, format!("10.0.0.{}:6443", 1 + address.len()));
    let outside = world.settings.kubernetes_endpoint.clone();
    let shown =
        outside.unwrap_or_else(|| format!("203.0.113.{}:6443", u8::from_str_radix(&address[..2], 16).unwrap_or(1)));
    // Seen when the cluster is active.
    let mut endpoints = json!({"kubernetes": if public { &shown } else { &private }, "privateEndpoint": private});
    if public {
        endpoints["publicEndpoint"] = json!(shown);
    }
    body.insert("endpointsToCome".to_owned(), endpoints);
    let (now, time) = (world.now(), world.time());
    body.insert("metadata".to_owned(), json!({"timeCreated": time, "createdByUserId": call.user}));
    let compartment = body["compartmentId"].clone();
    world.store.insert("cluster", id.clone(), body, now, "CREATING", &[]);
    let answer = accept(
        world,
        &compartment,
        Change { kind: "cluster", id: id.clone(), verb: Verb::Create, members: Map::new() },
    );
    note(world, &id, "created", &answer);
    Ok(answer)
}

/// Notes in a cluster by which work request it was changed.
fn note(world: &mut World, id: &str, how: &str, answer: &Answer) {
    let work_request = answer.fields.iter().find(|(name, _)| name == "opc-work-request-id").map(|(_, id)| id.clone());
    if let Some(cluster) = world.store.get_mut(id) {
        cluster.body["metadata"][format!("{how}ByWorkRequestId")] = json!(work_request);
    }
}

fn upgrades(of: usize) -> Json {
    VERSIONS.iter().skip(of + 1).take(1).copied().collect()
}

fn update(world: &mut World, call: &Call<'_>) -> Outcome {
    let time = world.time();
    let now = world.now();
    let cluster = world.find_to_change(call, "cluster")?;
    cluster.needs(&["ACTIVE"])?;
    let mut members = call.body.clone();
    if let Some(wanted) = call.text("kubernetesVersion") {
        let (of, to) = (version(cluster.text("kubernetesVersion"))?, version(wanted)?);
        if to < of || to > of + 1 {
            return Err(Refusal::invalid(format!(
                "Invalid kubernetesVersion: {} cannot be upgraded to {wanted}",
                cluster.text("kubernetesVersion")
            )));
        }
        members.insert("availableKubernetesUpgrades".to_owned(), upgrades(to));
    }
    if cluster.value("type") == "ENHANCED_CLUSTER" && call.text("type") == Some("BASIC_CLUSTER") {
        return Err(Refusal::invalid("type: an enhanced cluster cannot become a basic one"));
    }
    if let Some(options) = members.get_mut("options").and_then(Json::as_object_mut) {
        let mut all = cluster.value("options").as_object().cloned().unwrap_or_default();
        all.append(options);
        *options = all;
    }
    let (id, compartment) = (cluster.id.clone(), cluster.value("compartmentId").clone());
    cluster.go(now, "UPDATING", &[]);
    cluster.body["metadata"]["timeUpdated"] = json!(time);
    cluster.body["metadata"]["updatedByUserId"] = json!(call.user);
    let answer = accept(world, &compartment, Change { kind: "cluster", id: id.clone(), verb: Verb::Update, members });
    note(world, &id, "updated", &answer);
    Ok(answer)
}

fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, time) = (world.now(), world.time());
    let cluster = world.find_to_change(call, "cluster")?;
    cluster.needs(&["ACTIVE", "FAILED"])?;
    let (id, compartment) = (cluster.id.clone(), cluster.value("compartmentId").clone());
    let busy = |pool: &&Object| {
        pool.text("clusterId") == id && !["ACTIVE", "FAILED", "NEEDS_ATTENTION"].contains(&pool.state())
    };
    if let Some(pool) = world.store.live("nodepool").find(busy) {
        return Err(Refusal::state(format!("The node pool {} is in state {}", pool.id, pool.state())));
    }
    let cluster = world.store.get_mut(&id).ok_or_else(Refusal::not_found)?;
    cluster.go(now, "DELETING", &[]);
    cluster.body["metadata"]["timeDeleted"] = json!(time);
    cluster.body["metadata"]["deletedByUserId"] = json!(call.user);
    node_pools::leave_with(world, &id);
    let answer = accept(
        world,
        &compartment,
        Change { kind: "cluster", id: id.clone(), verb: Verb::Delete, members: Map::new() },
    );
    note(world, &id, "deleted", &answer);
    Ok(answer)
}

/// Ends a work request.
pub(crate) fn finish(world: &mut World, change: &Change, failure: Option<&str>) {
    let (now, seen) = (world.now(), world.settings.terminated_ms);
    if change.verb == Verb::Delete {
        node_pools::gone_with(world, &change.id, failure.is_some());
    }
    let Some(cluster) = world.store.get_mut(&change.id) else { return };
    match (change.verb, failure) {
        (Verb::Create, Some(why)) | (Verb::Delete, Some(why)) => {
            cluster.go(now, "FAILED", &[]);
            cluster.set("lifecycleDetails", json!(why));
        }
        (Verb::Create, None) => {
            let endpoints = cluster.value("endpointsToCome").clone();
            cluster.set("endpoints", endpoints);
            cluster.go(now, "ACTIVE", &[]);
        }
        // A failed update leaves the cluster as it was.
        (Verb::Update, Some(why)) => {
            cluster.go(now, "ACTIVE", &[]);
            cluster.set("lifecycleDetails", json!(why));
        }
        (Verb::Update, None) => {
            cluster.change(change.members.clone());
            cluster.go(now, "ACTIVE", &[]);
        }
        (Verb::Delete, None) => cluster.leave(now, ["DELETED", "DELETED"], 0, seen),
    }
}

fn get_options(call: &Call<'_>) -> Outcome {
    match call.id() == "all" {
        true => Ok(Answer::json(json!({
            "kubernetesVersions": VERSIONS,
            "clusterPodNetworkOptions": [{"cniType": "OCI_VCN_IP_NATIVE"}, {"cniType": "FLANNEL_OVERLAY"}],
        }))),
        false => Err(Refusal::not_found()),
    }
}
