//! Security rules: those of security lists, and those of network security groups, which are objects of their own.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::address::Block;
use crate::answer::{Answer, Outcome, Refusal};
use crate::catalogue;
use crate::contract::Contract;
use crate::listing;
use crate::request::Call;
use crate::world::World;

/// No group has more rules.
const MOST_RULES: usize = 120;
/// No call handles more rules.
const MOST_AT_ONCE: usize = 25;

/// The rules of network security groups.
#[derive(Default)]
pub(crate) struct Rules {
    groups: BTreeMap<String, Vec<Json>>,
    made: u32,
}

impl Rules {
    pub(crate) fn of(&self, group: &str) -> &[Json] {
        self.groups.get(group).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn forget(&mut self, group: &str) {
        self.groups.remove(group);
    }
}

pub(crate) fn handle(world: &mut World, call: &Call<'_>) -> Option<Outcome> {
    Some(match call.operation.name.as_str() {
        "add_network_security_group_security_rules" => add(world, call),
        "update_network_security_group_security_rules" => update(world, call),
        "remove_network_security_group_security_rules" => remove(world, call),
        "list_network_security_group_security_rules" => list(world, call),
        "list_network_security_group_vnics" => list_vnics(world, call),
        _ => return None,
    })
}

/// Checks the rules of a security list and fills in what was left out.
pub(crate) fn security_list(body: &mut Map<String, Json>) -> Result<(), Refusal> {
    for (member, side) in [("egressSecurityRules", "destination"), ("ingressSecurityRules", "source")] {
        for rule in body.get_mut(member).and_then(Json::as_array_mut).into_iter().flatten() {
            complete(rule, side)?;
        }
    }
    Ok(())
}

fn add(world: &mut World, call: &Call<'_>) -> Outcome {
    let group = group(world, call)?;
    let mut rules = given(call)?;
    if world.rules.of(&group).len() + rules.len() > MOST_RULES {
        return Err(Refusal::new(400, "LimitExceeded", format!("A group has at most {MOST_RULES} rules")));
    }
    let time = world.time();
    for rule in &mut rules {
        check(world, call, rule)?;
        world.rules.made += 1;
        rule["id"] = json!(format!("{:06X}", world.rules.made));
        rule["isValid"] = json!(true);
        rule["timeCreated"] = json!(time);
    }
    world.rules.groups.entry(group).or_default().extend(rules.clone());
    Ok(Answer::json(json!({"securityRules": rules})))
}

fn update(world: &mut World, call: &Call<'_>) -> Outcome {
    let group = group(world, call)?;
    let mut rules = given(call)?;
    for rule in &mut rules {
        check(world, call, rule)?;
        let before =
            world.rules.of(&group).iter().find(|before| before["id"] == rule["id"]).ok_or_else(Refusal::not_found)?;
        rule["isValid"] = json!(true);
        rule["timeCreated"] = before["timeCreated"].clone();
    }
    for stored in world.rules.groups.entry(group).or_default() {
        if let Some(rule) = rules.iter().find(|rule| rule["id"] == stored["id"]) {
            *stored = rule.clone();
        }
    }
    Ok(Answer::json(json!({"securityRules": rules})))
}

fn remove(world: &mut World, call: &Call<'_>) -> Outcome {
    let group = group(world, call)?;
    let ids = crate::network::texts(call.body.get("securityRuleIds"));
    let known = |id: &String| world.rules.of(&group).iter().any(|rule| rule["id"] == id.as_str());
    if ids.len() > MOST_AT_ONCE || !ids.iter().all(known) {
        return Err(Refusal::invalid("securityRuleIds names a rule that the group does not have, or more than 25"));
    }
    let stored = world.rules.groups.entry(group).or_default();
    stored.retain(|rule| !ids.iter().any(|id| rule["id"] == id.as_str()));
    Ok(Answer::empty(204))
}

fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    let group = world.find(call, "networksecuritygroup", call.id())?.id.clone();
    let is_meant = |rule: &&Json| call.asked("direction").is_none_or(|direction| rule["direction"] == direction);
    let rules = world.rules.of(&group).iter().filter(is_meant).cloned().collect();
    listing::page(world, call, rules)
}

fn list_vnics(world: &mut World, call: &Call<'_>) -> Outcome {
    let group = world.find(call, "networksecuritygroup", call.id())?.id.clone();
    let shown = world
        .store
        .live("vnic")
        .filter(|vnic| vnic.names("nsgIds", &group))
        .map(|vnic| json!({"vnicId": vnic.id, "resourceId": vnic.text("instanceId"), "timeAssociated": vnic.text("timeCreated")}))
        .collect();
    listing::page(world, call, shown)
}

/// The group of a call, which must be available.
fn group(world: &mut World, call: &Call<'_>) -> Result<String, Refusal> {
    let group = world.find_to_change(call, "networksecuritygroup")?;
    group.needs(&["AVAILABLE"])?;
    Ok(group.id.clone())
}

fn given(call: &Call<'_>) -> Result<Vec<Json>, Refusal> {
    let rules = call.body.get("securityRules").and_then(Json::as_array).cloned().unwrap_or_default();
    match rules.len() {
        0 => Err(Refusal::missing("securityRules")),
        1..=MOST_AT_ONCE => Ok(rules),
        _ => Err(Refusal::invalid(format!("securityRules has more than {MOST_AT_ONCE} entries"))),
    }
}

/// A rule of a group has the side of its direction, and only that.
fn check(world: &World, call: &Call<'_>, rule: &mut Json) -> Result<(), Refusal> {
    let (side, other) =
        if rule["direction"] == "EGRESS" { ("destination", "source") } else { ("source", "destination") };
    if rule[side].is_null() {
        return Err(Refusal::missing(&format!("securityRules.{side}")));
    }
    if !rule[other].is_null() {
        return Err(Refusal::invalid(format!("{other} is not allowed with direction {}", rule["direction"])));
    }
    if rule[format!("{side}Type")] == "NETWORK_SECURITY_GROUP" {
        let id = rule[side].as_str().unwrap_or_default();
        world.find(call, "networksecuritygroup", id)?;
    }
    complete(rule, side)?;
    // Reading `rule[other]` leaves no trace, but defaults must not leave any either.
    if let (Some(members), Some(model)) = (rule.as_object_mut(), Contract::get().models.get("core.SecurityRule")) {
        members.retain(|name, value| model.members.contains_key(name) && !value.is_null());
    }
    Ok(())
}

fn complete(rule: &mut Json, side: &str) -> Result<(), Refusal> {
    let kind = format!("{side}Type");
    let members = rule.as_object_mut().ok_or_else(|| Refusal::unreadable("a rule is an object"))?;
    members.entry(kind.clone()).or_insert_with(|| json!("CIDR_BLOCK"));
    members.entry("isStateless").or_insert_with(|| json!(false));
    let text = rule[side].as_str().unwrap_or_default();
    let is_right = match rule[&kind].as_str() {
        // IPv6 is not looked at any closer.
        Some("CIDR_BLOCK") => Block::read(text).is_some() || text.contains(':'),
        Some("SERVICE_CIDR_BLOCK") => catalogue::services().iter().any(|service| service["cidrBlock"] == text),
        _ => true,
    };
    if !is_right {
        return Err(Refusal::invalid(format!("{side} is not valid: {text}")));
    }
    let protocol = rule["protocol"].as_str().unwrap_or_default();
    if protocol != "all" && protocol.parse::<u8>().is_err() {
        return Err(Refusal::invalid(format!("protocol must be \"all\" or the number of a protocol, not {protocol}")));
    }
    for (options, protocols) in [("tcpOptions", &["6"][..]), ("udpOptions", &["17"]), ("icmpOptions", &["1", "58"])] {
        if !rule[options].is_null() && !protocols.contains(&protocol) {
            return Err(Refusal::invalid(format!("{options} is not allowed with protocol {protocol}")));
        }
        for range in ["destinationPortRange", "sourcePortRange"] {
            let ends = [&rule[options][range]["min"], &rule[options][range]["max"]].map(Json::as_i64);
            if let [Some(least), Some(most)] = ends
                && !(1 <= least && least <= most && most <= 65_535)
            {
                return Err(Refusal::invalid(format!("{options}.{range} is no range of ports: {least}-{most}")));
            }
        }
    }
    Ok(())
}
