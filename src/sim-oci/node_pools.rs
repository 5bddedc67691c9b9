//! Node pools, and the nodes in them.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use crate::answer::{Answer, Outcome, Refusal};
use crate::catalogue::{self, DOMAINS, FAULT_DOMAINS, IMAGES, SHAPES, VERSIONS, version};
use crate::compute::shape_config;
use crate::network::{belongs, texts};
use crate::request::Call;
use crate::store::digest;
use crate::work_requests::{Change, Verb, accept};
use crate::world::World;
use crate::{listing, vnics};

pub(crate) fn handle(world: &mut World, call: &Call<'_>) -> Option<Outcome> {
    Some(match call.operation.name.as_str() {
        "create_node_pool" => create(world, call),
        "get_node_pool" => {
            world.find(call, "nodepool", call.id()).map(|object| world.show("containerengine.NodePool", object))
        }
        "list_node_pools" => listing::kind(world, call, "nodepool", "containerengine.NodePoolSummary"),
        "update_node_pool" => update(world, call),
        "delete_node_pool" => delete(world, call),
        "delete_node" => delete_node(world, call),
        "get_node_pool_options" => get_options(world, call),
        _ => return None,
    })
}

fn create(world: &mut World, call: &Call<'_>) -> Outcome {
    let mut body = call.body.clone();
    let cluster = world.find(call, "cluster", call.text("clusterId").unwrap_or_default())?;
    cluster.needs(&["ACTIVE"])?;
    let (vcn, newest) = (cluster.text("vcnId").to_owned(), cluster.text("kubernetesVersion").to_owned());
    let wanted =
        body.entry("kubernetesVersion").or_insert_with(|| json!(newest)).as_str().unwrap_or_default().to_owned();
    check_version(&wanted, &newest)?;
    check_nodes(world, call, &body, &vcn)?;
    if !body.contains_key("nodeConfigDetails") && !body.contains_key("subnetIds") {
        return Err(Refusal::missing("nodeConfigDetails"));
    }
    source(&mut body)?;
    size(&mut body)?;
    let defaults = [
        ("freeformTags", json!({})),
        ("definedTags", json!({})),
        ("systemTags", json!({})),
        ("initialNodeLabels", json!([])),
        ("nodeMetadata", json!({})),
    ];
    for (member, value) in defaults {
        body.entry(member).or_insert(value);
    }
    place(&mut body);
    body.insert("nodes".to_owned(), json!([]));
    let id = world.ocid("nodepool");
    let now = world.now();
    let compartment = body["compartmentId"].clone();
    world.store.insert("nodepool", id.clone(), body, now, "CREATING", &[]);
    if let Err(refusal) = grow(world, &id) {
        world.store.forget(&id);
        return Err(refusal);
    }
    Ok(accept(world, &compartment, Change { kind: "nodepool", id, verb: Verb::Create, members: Map::new() }))
}

fn check_version(wanted: &str, newest: &str) -> Result<(), Refusal> {
    match version(wanted)? > version(newest)? {
        true => {
            Err(Refusal::invalid(format!("Invalid kubernetesVersion: {wanted} is newer than the cluster's {newest}")))
        }
        false => Ok(()),
    }
}

/// Where nodes are to be.
fn check_nodes(world: &World, call: &Call<'_>, body: &Map<String, Json>, vcn: &str) -> Result<(), Refusal> {
    let Some(config) = body.get("nodeConfigDetails") else { return Ok(()) };
    if config["size"].as_i64().is_some_and(|size| !(0..=1000).contains(&size)) {
        return Err(Refusal::invalid("nodeConfigDetails.size must be between 0 and 1000"));
    }
    if let Some(places) = config["placementConfigs"].as_array() {
        if places.is_empty() {
            return Err(Refusal::invalid("nodeConfigDetails.placementConfigs may not be empty"));
        }
        for place in places {
            catalogue::check_domain(place["availabilityDomain"].as_str().unwrap_or_default())?;
            belongs(world, call, "subnet", place["subnetId"].as_str().unwrap_or_default(), vcn)?;
        }
    }
    let groups = texts(config.get("nsgIds"));
    groups.iter().try_for_each(|group| belongs(world, call, "networksecuritygroup", group, vcn))
}

/// The image of new nodes, by its id or by its name.
fn source(body: &mut Map<String, Json>) -> Result<(), Refusal> {
    let named = body.get("nodeImageName").and_then(Json::as_str);
    let image = match (body.get("nodeSourceDetails"), named) {
        (Some(details), _) => catalogue::find_image(details["imageId"].as_str().unwrap_or_default())
            .map_err(|_| Refusal::invalid("Invalid nodeSourceDetails.imageId: there is no such image"))?,
        (None, Some(name)) => IMAGES
            .iter()
            .find(|image| image.name == name)
            .ok_or_else(|| Refusal::invalid(format!("Invalid nodeImageName: {name}")))?,
        (None, None) => return Err(Refusal::missing("nodeSourceDetails")),
    };
    let shape =
        catalogue::find_shape(body.get("nodeShape").and_then(Json::as_str).unwrap_or_default()).map_err(|_| {
            Refusal::invalid("Invalid nodeShape: Node shape is unavailable in subnet availability domain(s).")
        })?;
    if shape.is_arm != image.is_arm {
        return Err(Refusal::invalid(format!("Invalid nodeShape: {} does not run image {}", shape.name, image.name)));
    }
    body.entry("nodeSourceDetails").or_insert_with(|| json!({"sourceType": "IMAGE", "imageId": image.id()}));
    body.insert(
        "nodeSource".to_owned(),
        json!({"sourceType": "IMAGE", "sourceName": image.name, "imageId": image.id()}),
    );
    body.insert("nodeImageId".to_owned(), json!(image.id()));
    body.insert("nodeImageName".to_owned(), json!(image.name));
    Ok(())
}

/// The size of nodes of a flexible shape, within what the shape can be.
fn size(body: &mut Map<String, Json>) -> Result<(), Refusal> {
    let shape = catalogue::find_shape(body.get("nodeShape").and_then(Json::as_str).unwrap_or_default())?;
    let mut asked = body.get("nodeShapeConfig").cloned().unwrap_or_else(|| json!({}));
    if shape.is_flexible() && asked["ocpus"].is_null() {
        asked["ocpus"] = json!(1.0);
    }
    let config = shape_config(shape, Some(&asked))?;
    let shown = match shape.is_flexible() {
        true => json!({"ocpus": config["ocpus"], "memoryInGBs": config["memoryInGBs"]}),
        false => Json::Null,
    };
    body.insert("nodeShapeConfig".to_owned(), shown);
    Ok(())
}

/// `subnetIds` follows from where nodes are to be.
fn place(body: &mut Map<String, Json>) {
    let places = body.get("nodeConfigDetails").and_then(|config| config["placementConfigs"].as_array());
    let subnets: BTreeSet<String> =
        places.into_iter().flatten().filter_map(|place| place["subnetId"].as_str()).map(str::to_owned).collect();
    if !subnets.is_empty() {
        body.insert("subnetIds".to_owned(), json!(subnets));
    }
}

/// Brings the nodes to the number that is wanted: new ones are being made, the youngest are being deleted.
fn grow(world: &mut World, id: &str) -> Result<(), Refusal> {
    let pool = world.store.get(id).ok_or_else(Refusal::not_found)?;
    let config = pool.value("nodeConfigDetails");
    let per_subnet = pool.body.get("quantityPerSubnet").and_then(Json::as_u64).unwrap_or(1);
    let places: Vec<(String, String)> = match config["placementConfigs"].as_array() {
        Some(places) => places
            .iter()
            .map(|place| {
                (
                    place["availabilityDomain"].as_str().unwrap_or_default().to_owned(),
                    place["subnetId"].as_str().unwrap_or_default().to_owned(),
                )
            })
            .collect(),
        None => pool.texts("subnetIds").into_iter().map(|subnet| (DOMAINS[0].to_owned(), subnet.to_owned())).collect(),
    };
    let size = config["size"].as_u64().unwrap_or(per_subnet * places.len() as u64) as usize;
    let mut nodes = pool.value("nodes").as_array().cloned().unwrap_or_default();
    let (kubernetes, cluster, tags) =
        (pool.value("kubernetesVersion").clone(), digest(pool.text("clusterId")), pool.value("freeformTags").clone());
    let mut taken = BTreeSet::new();
    let mut number = nodes.len();
    while nodes.len() < size && !places.is_empty() {
        let (domain, subnet) = &places[number % places.len()];
        let address = vnics::free_address(world, subnet, &taken)?;
        taken.insert(address.clone());
        let names = (&cluster[..11], &digest(id)[..11], &digest(subnet)[..11]);
        nodes.push(json!({
            "id": world.ocid("instance"), "name": format!("oke-c{}-n{}-s{}-{number}", names.0, names.1, names.2),
            "kubernetesVersion": kubernetes, "availabilityDomain": domain, "subnetId": subnet, "nodePoolId": id,
            "faultDomain": FAULT_DOMAINS[number % 3], "privateIp": address, "lifecycleState": "CREATING",
            "lifecycleDetails": "waiting for running compute instance", "freeformTags": tags, "definedTags": {},
        }));
        number += 1;
    }
    for node in nodes.iter_mut().skip(size) {
        node["lifecycleState"] = json!("DELETING");
    }
    world.store.get_mut(id).ok_or_else(Refusal::not_found)?.set("nodes", json!(nodes));
    Ok(())
}

fn update(world: &mut World, call: &Call<'_>) -> Outcome {
    let now = world.now();
    let pool = world.find_to_change(call, "nodepool")?;
    pool.needs(&["ACTIVE", "NEEDS_ATTENTION"])?;
    let (id, cluster) = (pool.id.clone(), pool.text("clusterId").to_owned());
    let mut members = call.body.clone();
    // What is given of the nodes' configuration replaces only that.
    if let Some(config) = members.get_mut("nodeConfigDetails").and_then(Json::as_object_mut) {
        let mut all = pool.value("nodeConfigDetails").as_object().cloned().unwrap_or_default();
        all.append(config);
        *config = all;
    }
    let needs_source = ["nodeSourceDetails", "nodeShape"].iter().any(|member| members.contains_key(*member));
    if needs_source {
        for member in ["nodeShape", "nodeSourceDetails"] {
            let before = pool.value(member).clone();
            members.entry(member).or_insert(before);
        }
        source(&mut members)?;
    }
    if members.contains_key("nodeShape") || members.contains_key("nodeShapeConfig") {
        let is_other = members.get("nodeShape").is_some_and(|shape| shape != pool.value("nodeShape"));
        members.entry("nodeShape").or_insert_with(|| pool.value("nodeShape").clone());
        // The size of another shape says nothing of this one's.
        if !is_other {
            members.entry("nodeShapeConfig").or_insert_with(|| pool.value("nodeShapeConfig").clone());
        }
        size(&mut members)?;
    }
    let compartment = pool.value("compartmentId").clone();
    let cluster = world.store.get(&cluster).ok_or_else(Refusal::not_found)?;
    cluster.needs(&["ACTIVE"])?;
    if let Some(wanted) = call.text("kubernetesVersion") {
        check_version(wanted, cluster.text("kubernetesVersion"))?;
    }
    check_nodes(world, call, &members, cluster.text("vcnId"))?;
    place(&mut members);
    let pool = world.store.get_mut(&id).ok_or_else(Refusal::not_found)?;
    let before = pool.clone();
    pool.change(members.clone());
    pool.go(now, "UPDATING", &[]);
    if let Err(refusal) = grow(world, &id) {
        world.store.restore(before);
        return Err(refusal);
    }
    Ok(accept(world, &compartment, Change { kind: "nodepool", id, verb: Verb::Update, members }))
}

fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let now = world.now();
    let pool = world.find_to_change(call, "nodepool")?;
    pool.needs(&["ACTIVE", "FAILED", "NEEDS_ATTENTION"])?;
    let (id, compartment) = (pool.id.clone(), pool.value("compartmentId").clone());
    pool.go(now, "DELETING", &[]);
    mark(pool, "DELETING");
    Ok(accept(world, &compartment, Change { kind: "nodepool", id, verb: Verb::Delete, members: Map::new() }))
}

/// Deletes one node, which makes the pool smaller if asked for, and is replaced otherwise.
fn delete_node(world: &mut World, call: &Call<'_>) -> Outcome {
    let now = world.now();
    let pool = world.find_to_change(call, "nodepool")?;
    pool.needs(&["ACTIVE", "NEEDS_ATTENTION"])?;
    let (id, compartment) = (pool.id.clone(), pool.value("compartmentId").clone());
    let before = pool.clone();
    let mut nodes = pool.value("nodes").as_array().cloned().unwrap_or_default();
    let place = nodes.iter().position(|node| node["id"] == call.part("nodeId")).ok_or_else(Refusal::not_found)?;
    nodes.remove(place);
    pool.set("nodes", json!(nodes));
    if call.asked("isDecrementSize") != Some("false") {
        let mut config = pool.value("nodeConfigDetails").clone();
        config["size"] = json!(nodes.len());
        pool.set("nodeConfigDetails", config);
    }
    pool.go(now, "UPDATING", &[]);
    if let Err(refusal) = grow(world, &id) {
        world.store.restore(before);
        return Err(refusal);
    }
    Ok(accept(world, &compartment, Change { kind: "nodepool", id, verb: Verb::Update, members: Map::new() }))
}

fn mark(pool: &mut crate::store::Object, state: &str) {
    for node in pool.body.get_mut("nodes").and_then(Json::as_array_mut).into_iter().flatten() {
        node["lifecycleState"] = json!(state);
    }
}

/// Ends a work request.
pub(crate) fn finish(world: &mut World, change: &Change, failure: Option<&str>) {
    let (now, seen) = (world.now(), world.settings.terminated_ms);
    let Some(pool) = world.store.get_mut(&change.id) else { return };
    match (change.verb, failure) {
        (Verb::Delete, None) => {
            pool.set("nodes", json!([]));
            pool.leave(now, ["DELETED", "DELETED"], 0, seen);
        }
        (Verb::Update, Some(why)) => {
            pool.set("lifecycleDetails", json!(why));
            pool.go(now, "NEEDS_ATTENTION", &[]);
        }
        (_, Some(why)) => {
            pool.set("lifecycleDetails", json!(why));
            let error = json!({"code": "InternalError", "message": why, "status": "500"});
            for node in pool.body.get_mut("nodes").and_then(Json::as_array_mut).into_iter().flatten() {
                node["lifecycleState"] = json!("FAILING");
                node["nodeError"] = error.clone();
            }
            pool.go(now, "FAILED", &[]);
        }
        (_, None) => {
            let nodes = pool.value("nodes").as_array().cloned().unwrap_or_default();
            let mut stay: Vec<Json> = nodes.into_iter().filter(|node| node["lifecycleState"] != "DELETING").collect();
            for node in &mut stay {
                node["lifecycleState"] = json!("ACTIVE");
                node["lifecycleDetails"] = json!("");
            }
            pool.set("nodes", json!(stay));
            pool.go(now, "ACTIVE", &[]);
        }
    }
}

/// A cluster that is being deleted takes its node pools with it.
pub(crate) fn leave_with(world: &mut World, cluster: &str) {
    let now = world.now();
    for id in pools_of(world, cluster) {
        if let Some(pool) = world.store.get_mut(&id) {
            pool.go(now, "DELETING", &[]);
            mark(pool, "DELETING");
        }
    }
}

/// The cluster is gone, or its deletion failed.
pub(crate) fn gone_with(world: &mut World, cluster: &str, failed: bool) {
    let (now, seen) = (world.now(), world.settings.terminated_ms);
    for id in pools_of(world, cluster) {
        if let Some(pool) = world.store.get_mut(&id) {
            match failed {
                true => {
                    mark(pool, "ACTIVE");
                    pool.go(now, "ACTIVE", &[]);
                }
                false => {
                    pool.set("nodes", json!([]));
                    pool.leave(now, ["DELETED", "DELETED"], 0, seen);
                }
            }
        }
    }
}

fn pools_of(world: &World, cluster: &str) -> Vec<String> {
    world.store.live("nodepool").filter(|pool| pool.text("clusterId") == cluster).map(|pool| pool.id.clone()).collect()
}

fn get_options(world: &World, call: &Call<'_>) -> Outcome {
    if call.id() != "all" {
        world.find(call, "cluster", call.id())?;
    }
    let arm = match call.asked("nodePoolOsArch") {
        Some("X86_64") => Some(false),
        Some("AARCH64") => Some(true),
        _ => None,
    };
    let images =
        IMAGES.iter().filter(|image| image.kubernetes().is_some() && arm.is_none_or(|arm| arm == image.is_arm));
    let sources: Vec<Json> =
        images.map(|image| json!({"sourceType": "IMAGE", "sourceName": image.name, "imageId": image.id()})).collect();
    let names: Vec<Json> = sources.iter().map(|source| source["sourceName"].clone()).collect();
    Ok(Answer::json(json!({
        "kubernetesVersions": VERSIONS, "shapes": SHAPES.iter().map(|shape| shape.name).collect::<Vec<_>>(),
        "images": names, "sources": sources,
    })))
}
