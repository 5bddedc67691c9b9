//! Deletion of what belongs to a network: refused while something else needs it.

use serde_json::Value as Json;

use crate::answer::{Answer, Outcome, Refusal};
use crate::network::{KINDS, Kind};
use crate::request::Call;
use crate::rules::Rules;
use crate::store::Object;
use crate::world::World;

pub(crate) fn delete(world: &mut World, call: &Call<'_>, kind: &Kind) -> Outcome {
    let object = world.find_to_change(call, kind.ocid)?;
    object.needs(&["AVAILABLE"])?;
    let object = object.clone();
    if object.body.contains_key("isDefault") {
        return Err(Refusal::state(format!(
            "The {} {} is a default of its VCN and goes with it",
            kind.title, object.id
        )));
    }
    needed(world, kind, &object)?;
    let now = world.now();
    let (takes, seen) = (world.settings.network_ms, world.settings.network_terminated_ms);
    let belongs = |other: &Object| kind.ocid == "vcn" && other.text("vcnId") == object.id;
    let leaving: Vec<String> = world
        .store
        .all()
        .filter(|other| other.id == object.id || belongs(other))
        .map(|other| other.id.clone())
        .collect();
    for id in leaving {
        if let Some(other) = world.store.get_mut(&id)
            && !other.is_gone()
        {
            other.leave(now, ["TERMINATING", "TERMINATED"], takes, seen);
        }
    }
    world.rules.forget(&object.id);
    Ok(Answer::empty(204))
}

/// Refuses while something that is not gone needs the object. What is just leaving still does.
fn needed(world: &World, kind: &Kind, object: &Object) -> Result<(), Refusal> {
    let id = object.id.as_str();
    let live = |wanted: &'static str| world.store.live(wanted);
    let lists = |json: &Json| json.as_array().into_iter().flatten().any(|one| one == id);
    // What nodes and their pods have is theirs as long as there are nodes.
    let nodes_of = |pool: &Object, own: &str, pods: &str| {
        let config = pool.value("nodeConfigDetails");
        let has_nodes = pool.value("nodes").as_array().is_some_and(|nodes| !nodes.is_empty());
        has_nodes && (lists(&config[own]) || lists(&config["nodePoolPodNetworkOptionDetails"][pods]))
    };
    let referenced = |what: &str, by: &Object| {
        Err(Refusal::conflict(format!(
            "The {} {id} references the {what} {}. You must remove the reference to proceed with this operation.",
            kind.title, by.id
        )))
    };
    match kind.ocid {
        "vcn" => {
            let inside = |other: &&Object| other.text("vcnId") == id && !other.body.contains_key("isDefault");
            for other in KINDS.iter().skip(1) {
                let Some(found) = world.store.live(other.ocid).find(inside) else { continue };
                return match other.title.strip_suffix(" Gateway") {
                    // The real service does not say which.
                    Some(_) => Err(Refusal::state(format!("{id} is associated with Gateway that is in use"))),
                    None => Err(Refusal::state(format!(
                        "{id} is associated with {} {} that is in use",
                        other.title, found.id
                    ))),
                };
            }
            if let Some(cluster) = live("cluster").find(|cluster| cluster.text("vcnId") == id) {
                return referenced("Cluster", cluster);
            }
        }
        "subnet" => {
            if let Some(vnic) = live("vnic").find(|vnic| vnic.text("subnetId") == id) {
                return referenced("VNIC", vnic);
            }
            if let Some(cluster) = live("cluster").find(|cluster| cluster.value("endpointConfig")["subnetId"] == id) {
                return referenced("service VNIC", cluster);
            }
            let is_held = |pool: &&Object| pool.names("subnetIds", id) || nodes_of(pool, "subnetIds", "podSubnetIds");
            if let Some(pool) = live("nodepool").find(is_held) {
                return referenced("VNIC", pool);
            }
        }
        "internetgateway" | "natgateway" | "servicegateway" => {
            let routes = |table: &&Object| {
                let rules = table.value("routeRules").as_array();
                rules.into_iter().flatten().any(|rule| rule["networkEntityId"] == id)
            };
            if let Some(table) = live("routetable").find(routes) {
                return referenced("Route Table", table);
            }
        }
        "routetable" => {
            let mut users = world.store.all().filter(|other| !other.is_gone() && other.text("routeTableId") == id);
            if let Some(user) = users.next() {
                return referenced("Subnet", user);
            }
        }
        "securitylist" => {
            if let Some(subnet) = live("subnet").find(|subnet| subnet.names("securityListIds", id)) {
                return referenced("Subnet", subnet);
            }
        }
        "networksecuritygroup" => {
            if let Some(vnic) = live("vnic").find(|vnic| vnic.names("nsgIds", id)) {
                return referenced("VNIC", vnic);
            }
            if let Some(cluster) = live("cluster").find(|cluster| lists(&cluster.value("endpointConfig")["nsgIds"])) {
                return referenced("service VNIC", cluster);
            }
            if let Some(pool) = live("nodepool").find(|pool| nodes_of(pool, "nsgIds", "podNsgIds")) {
                return referenced("VNIC", pool);
            }
            if let Some(group) =
                live("networksecuritygroup").find(|group| group.id != id && names(&world.rules, group, id))
            {
                return referenced("Network Security Group", group);
            }
        }
        _ => {}
    }
    Ok(())
}

fn names(rules: &Rules, group: &Object, id: &str) -> bool {
    rules.of(&group.id).iter().any(|rule| rule["source"] == id || rule["destination"] == id)
}
