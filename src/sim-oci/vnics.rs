//! Network interfaces: addresses out of a subnet, and what holds a subnet or a security group.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use crate::address::Block;
use crate::answer::{Outcome, Refusal};
use crate::listing;
use crate::network::{belongs, texts};
use crate::request::Call;
use crate::store::digest;
use crate::world::World;

/// What is asked of an interface.
pub(crate) struct Wanted<'a> {
    pub(crate) subnet: &'a str,
    pub(crate) domain: &'a str,
    pub(crate) label: Option<String>,
    /// `CreateVnicDetails`, or nothing of it.
    pub(crate) details: &'a Json,
    pub(crate) name: Json,
}

pub(crate) fn handle(world: &mut World, call: &Call<'_>) -> Option<Outcome> {
    Some(match call.operation.name.as_str() {
        "get_vnic" => world.find(call, "vnic", call.id()).map(|object| world.show("core.Vnic", object)),
        "update_vnic" => update(world, call),
        "get_vnic_attachment" => {
            world.find(call, "vnicattachment", call.id()).map(|object| world.show("core.VnicAttachment", object))
        }
        "list_vnic_attachments" => listing::kind(world, call, "vnicattachment", "core.VnicAttachment"),
        _ => return None,
    })
}

/// The addresses of a subnet that somebody has: interfaces, and nodes of clusters.
fn taken<'a>(world: &'a World, subnet: &'a str) -> BTreeSet<&'a str> {
    let vnics = world.store.live("vnic").filter(|vnic| vnic.text("subnetId") == subnet);
    let nodes = world.store.live("nodepool").flat_map(|pool| pool.value("nodes").as_array().into_iter().flatten());
    let nodes = nodes.filter(|node| node["subnetId"] == subnet).filter_map(|node| node["privateIp"].as_str());
    vnics.map(|vnic| vnic.text("privateIp")).chain(nodes).collect()
}

/// The next address of a subnet that nobody has.
pub(crate) fn free_address(world: &World, subnet: &str, besides: &BTreeSet<String>) -> Result<String, Refusal> {
    let block = world
        .store
        .get(subnet)
        .and_then(|subnet| Block::read(subnet.text("cidrBlock")))
        .ok_or_else(Refusal::not_found)?;
    let taken = taken(world, subnet);
    let is_free = |address: &String| !taken.contains(address.as_str()) && !besides.contains(address);
    let mut addresses = block.hosts().map(|address| address.to_string());
    addresses
        .find(is_free)
        .ok_or_else(|| Refusal::new(409, "Conflict", format!("The Subnet {subnet} has no free private IP address")))
}

/// What a new interface will be. Nothing is made yet.
pub(crate) fn plan(world: &World, call: &Call<'_>, wanted: &Wanted<'_>) -> Result<Map<String, Json>, Refusal> {
    let subnet = world.find(call, "subnet", wanted.subnet)?;
    let vcn = subnet.text("vcnId");
    let only = subnet.text("availabilityDomain");
    if !only.is_empty() && only != wanted.domain {
        return Err(Refusal::invalid(format!("The Subnet {} lies in the availability domain {only}", wanted.subnet)));
    }
    let groups = texts(wanted.details.get("nsgIds"));
    groups.iter().try_for_each(|group| belongs(world, call, "networksecuritygroup", group, vcn))?;
    let prohibits = subnet.value("prohibitPublicIpOnVnic") == true;
    let public = wanted.details["assignPublicIp"].as_bool();
    if prohibits && public == Some(true) {
        return Err(Refusal::invalid(format!("Public IPs are prohibited in the Subnet {}", wanted.subnet)));
    }
    let is_inside = |address: &str| {
        let block = Block::read(subnet.text("cidrBlock"));
        address.parse().is_ok_and(|address| block.is_some_and(|block| block.has_host(address)))
    };
    let private = match wanted.details["privateIp"].as_str() {
        Some(address) if !is_inside(address) => {
            return Err(Refusal::invalid(format!(
                "The private IP address {address} is not one for hosts of the Subnet {}",
                subnet.id
            )));
        }
        Some(address) if taken(world, wanted.subnet).contains(address) => {
            return Err(Refusal::conflict(format!("The private IP address {address} is in use")));
        }
        Some(address) => address.to_owned(),
        None => free_address(world, wanted.subnet, &BTreeSet::new())?,
    };
    let mac = digest(&format!("{} {private}", wanted.subnet));
    let mut vnic = Map::from_iter(
        [
            ("availabilityDomain", json!(wanted.domain)),
            ("subnetId", json!(wanted.subnet)),
            ("displayName", wanted.details.get("displayName").cloned().unwrap_or_else(|| wanted.name.clone())),
            ("isPrimary", json!(true)),
            ("macAddress", json!(format!("02:00:17:{}:{}:{}", &mac[..2], &mac[2..4], &mac[4..6]))),
            ("nsgIds", json!(groups)),
            ("skipSourceDestCheck", json!(wanted.details["skipSourceDestCheck"] == true)),
            ("freeformTags", wanted.details.get("freeformTags").cloned().unwrap_or_else(|| json!({}))),
            ("definedTags", wanted.details.get("definedTags").cloned().unwrap_or_else(|| json!({}))),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    if public.unwrap_or(!prohibits) {
        let number = private.rsplit('.').next().unwrap_or("1");
        vnic.insert("publicIp".to_owned(), json!(format!("203.0.113.{number}")));
    }
    if let Some(label) = &wanted.label {
        vnic.insert("hostnameLabel".to_owned(), json!(label));
    }
    vnic.insert("privateIp".to_owned(), json!(private));
    Ok(vnic)
}

fn update(world: &mut World, call: &Call<'_>) -> Outcome {
    let vnic = world.find_to_change(call, "vnic")?;
    vnic.needs(&["AVAILABLE"])?;
    let (id, subnet) = (vnic.id.clone(), vnic.text("subnetId").to_owned());
    let vcn = world.store.get(&subnet).ok_or_else(Refusal::not_found)?.text("vcnId");
    let groups = texts(call.body.get("nsgIds"));
    groups.iter().try_for_each(|group| belongs(world, call, "networksecuritygroup", group, vcn))?;
    world.store.get_mut(&id).ok_or_else(Refusal::not_found)?.change(call.body.clone());
    let vnic = world.store.get(&id).ok_or_else(Refusal::not_found)?;
    Ok(world.show("core.Vnic", vnic))
}

/// Makes a planned interface and attaches it.
pub(crate) fn attach(
    world: &mut World,
    instance: &str,
    compartment: &Json,
    time: &str,
    takes: u64,
    mut vnic: Map<String, Json>,
) {
    let id = world.ocid("vnic");
    let now = world.now();
    vnic.insert("compartmentId".to_owned(), compartment.clone());
    vnic.insert("timeCreated".to_owned(), json!(time));
    // No model shows it; it tells whose it is.
    vnic.insert("instanceId".to_owned(), json!(instance));
    let mut attachment = Map::from_iter([
        ("compartmentId".to_owned(), compartment.clone()),
        ("instanceId".to_owned(), json!(instance)),
        ("vnicId".to_owned(), json!(id)),
        ("nicIndex".to_owned(), json!(0)),
        ("timeCreated".to_owned(), json!(time)),
    ]);
    for member in ["availabilityDomain", "subnetId"] {
        attachment.insert(member.to_owned(), vnic[member].clone());
    }
    world.store.insert("vnic", id, vnic, now, "PROVISIONING", &[(takes, "AVAILABLE")]);
    let attached = world.ocid("vnicattachment");
    world.store.insert("vnicattachment", attached, attachment, now, "ATTACHING", &[(takes, "ATTACHED")]);
}

/// Lets go of what an instance has.
pub(crate) fn detach(world: &mut World, instance: &str) {
    let (now, takes, seen) = (world.now(), world.settings.instance_ms, world.settings.terminated_ms);
    let held: Vec<(String, &str)> = world
        .store
        .all()
        .filter(|object| object.kind != "instance" && object.text("instanceId") == instance)
        .map(|object| (object.id.clone(), object.kind))
        .collect();
    for (id, kind) in held {
        if let Some(object) = world.store.get_mut(&id) {
            let (states, seen) = match kind {
                "vnic" => (["TERMINATING", "TERMINATED"], 0),
                _ => (["DETACHING", "DETACHED"], seen),
            };
            object.leave(now, states, takes, seen);
        }
    }
}
