//! The networks of a server: what it is asked to be in, and what it is in.

use pipectl_cloud::Group;
use pipectl_core::{Attribute, Type, Value};
use pipectl_provider::arguments::{blocks, flag, optional_text, text as given};
use serde_json::{Value as Json, json};

use super::sizes::only;
use crate::cloud::Service;
use crate::kind::{Fault, Place, text};

pub(super) fn network() -> Group {
    let either = |description| Attribute::optional_computed(Type::String, description).forces_replacement();
    Group::many("", "A network that it is in.")
        .computed()
        .with("uuid", "", either("The id of the network."))
        .with("name", "", either("Its name."))
        .with("port", "", either("The id of a port to use."))
        .with("fixed_ip_v4", "", either("The address there."))
        .with("fixed_ip_v6", "", either("The address of IPv6."))
        .with("mac", "", Attribute::computed(Type::String, "The address of its card."))
        .with("access_network", "", Attribute::optional(Type::Bool, "Whether it is reached there. Default false."))
        .default("access_network", false)
}

/// What Nova is asked for.
pub(super) async fn asked(at: &Place<'_>, planned: &Value) -> Result<Json, Fault> {
    let networks = blocks(planned, "network");
    if networks.is_empty() {
        return Ok(given(planned, "network_mode").unwrap_or("auto").into());
    }
    let mut asked = Vec::new();
    for network in networks {
        if let Some(port) = given(network, "port") {
            asked.push(json!({ "port": port }));
            continue;
        }
        let uuid = match (given(network, "uuid"), given(network, "name")) {
            (Some(uuid), _) => uuid.to_owned(),
            (None, name) => {
                let name = name.unwrap_or_default();
                let neutron = at.cloud.endpoint(Service::Network, at.region.as_deref()).await?;
                let list = neutron.list(&["networks"], &[("name", name)]).await?;
                only("network", name, &list["networks"], "network")?
            }
        };
        let address = given(network, "fixed_ip_v4").or_else(|| given(network, "fixed_ip_v6"));
        let mut one = json!({ "uuid": uuid });
        if let Some(address) = address {
            one["fixed_ip"] = address.into();
        }
        asked.push(one);
    }
    Ok(asked.into())
}

/// The networks that a server is in.
pub(super) struct Observed {
    pub(super) blocks: Value,
}

impl Observed {
    /// The address to reach the server at: that in the network that is meant for it, or the first.
    pub(super) fn access(&self, name: &str) -> Option<Value> {
        let networks = self.blocks.as_slice().unwrap_or_default();
        let is_meant = |network: &&Value| flag(network, "access_network") == Some(true);
        let chosen =
            networks.iter().find(is_meant).into_iter().chain(networks).find_map(|network| network.set_attribute(name));
        chosen.cloned()
    }
}

/// In the order of the blocks that were given; without any, in that of the cards.
pub(super) async fn observed(at: &Place<'_>, id: &str, server: &Json, known: &Value) -> Result<Observed, Fault> {
    let list = at.endpoint.look(&["servers", id, "os-interface"]).await?.unwrap_or_default();
    let mut cards: Vec<Json> = list.get("interfaceAttachments").and_then(Json::as_array).cloned().unwrap_or_default();
    let wanted = blocks(known, "network");
    let mut chosen: Vec<Option<Json>> = vec![None; wanted.len()];
    // Those of which most is known choose first.
    for likeness in [Likeness::Card, Likeness::Port, Likeness::Address, Likeness::Network] {
        for (wanted, chosen) in wanted.iter().zip(&mut chosen).filter(|(_, chosen)| chosen.is_none()) {
            let place = cards.iter().position(|card| likeness.is_of(server, card, wanted));
            *chosen = place.map(|place| cards.remove(place));
        }
    }
    let blocks_of = wanted.iter().zip(&chosen);
    let mut found: Vec<Value> =
        blocks_of.filter_map(|(wanted, card)| Some(block(server, card.as_ref()?, Some(wanted)))).collect();
    // One that was put on by somebody else is none of the blocks.
    if blocks(known, "network").is_empty() {
        found.extend(cards.iter().map(|card| block(server, card, None)));
    }
    Ok(Observed { blocks: Value::tuple(found) })
}

/// What tells that a card is the one of a block.
#[derive(Clone, Copy)]
enum Likeness {
    Card,
    Port,
    Address,
    Network,
}

impl Likeness {
    fn is_of(self, server: &Json, card: &Json, wanted: &Value) -> bool {
        let is = |name: &str, member: &str| {
            given(wanted, name).is_some_and(|text| card.get(member).and_then(Json::as_str) == Some(text))
        };
        let has = |name: &str| {
            let fixed = card.get("fixed_ips").and_then(Json::as_array).into_iter().flatten();
            given(wanted, name).is_some_and(|address| {
                fixed.into_iter().any(|fixed| fixed.get("ip_address").and_then(Json::as_str) == Some(address))
            })
        };
        let has_network = || is("uuid", "net_id") || is_named(server, card, given(wanted, "name"));
        match self {
            Likeness::Card => is("mac", "mac_addr"),
            Likeness::Port => is("port", "port_id"),
            Likeness::Address => {
                given(wanted, "port").is_none() && has_network() && (has("fixed_ip_v4") || has("fixed_ip_v6"))
            }
            Likeness::Network => given(wanted, "port").is_none() && has_network(),
        }
    }
}

fn is_named(server: &Json, card: &Json, name: Option<&str>) -> bool {
    name.is_some_and(|name| network_name(server, card).as_deref() == Some(name))
}

/// The name of the network that a card is in: Nova lists addresses by it.
fn network_name(server: &Json, card: &Json) -> Option<String> {
    let mac = card.get("mac_addr")?.as_str()?;
    let networks = server.get("addresses")?.as_object()?;
    let is_there = |addresses: &Json| {
        let mut all = addresses.as_array().into_iter().flatten();
        all.any(|address| address.get("OS-EXT-IPS-MAC:mac_addr").and_then(Json::as_str) == Some(mac))
    };
    networks.iter().find(|(_, addresses)| is_there(addresses)).map(|(name, _)| name.clone())
}

fn block(server: &Json, card: &Json, wanted: Option<&Value>) -> Value {
    let fixed = card.get("fixed_ips").and_then(Json::as_array).into_iter().flatten();
    let addresses: Vec<String> = fixed.filter_map(|fixed| text(fixed, "ip_address")).collect();
    let of = |is_wanted: fn(&str) -> bool| {
        optional_text(addresses.iter().map(String::as_str).find(|address| is_wanted(address)))
    };
    // A port that nobody named is the server's own, and Terraform's provider leaves it out.
    let port = wanted.and_then(|wanted| given(wanted, "port"));
    Value::object([
        ("uuid", optional_text(card.get("net_id").and_then(Json::as_str))),
        ("name", optional_text(network_name(server, card).as_deref())),
        ("port", optional_text(port)),
        ("fixed_ip_v4", of(|address| !address.contains(':'))),
        ("fixed_ip_v6", of(|address| address.contains(':'))),
        ("mac", optional_text(card.get("mac_addr").and_then(Json::as_str))),
        (
            "access_network",
            wanted
                .and_then(|wanted| wanted.attribute("access_network"))
                .cloned()
                .unwrap_or_else(|| Value::null_of(Type::Bool)),
        ),
    ])
}
