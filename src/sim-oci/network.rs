//! Networking: virtual cloud networks, subnets, and what belongs to them. One table of kinds, five verbs.

use serde_json::{Map, Value as Json, json};

use crate::address::Block;
use crate::answer::{Answer, Outcome, Refusal};
use crate::request::Call;
use crate::store::digest;
use crate::world::{World, born};
use crate::{gateways, listing, removal, rules, vnics};

/// A kind of object of Networking.
pub(crate) struct Kind {
    /// In names of operations.
    name: &'static str,
    /// In OCIDs.
    pub(crate) ocid: &'static str,
    model: &'static str,
    /// In messages.
    pub(crate) title: &'static str,
}

pub(crate) const KINDS: [Kind; 9] = [
    Kind { name: "vcn", ocid: "vcn", model: "core.Vcn", title: "VCN" },
    Kind { name: "subnet", ocid: "subnet", model: "core.Subnet", title: "Subnet" },
    Kind {
        name: "internet_gateway",
        ocid: "internetgateway",
        model: "core.InternetGateway",
        title: "Internet Gateway",
    },
    Kind { name: "nat_gateway", ocid: "natgateway", model: "core.NatGateway", title: "NAT Gateway" },
    Kind { name: "service_gateway", ocid: "servicegateway", model: "core.ServiceGateway", title: "Service Gateway" },
    Kind { name: "route_table", ocid: "routetable", model: "core.RouteTable", title: "Route Table" },
    Kind { name: "security_list", ocid: "securitylist", model: "core.SecurityList", title: "Security List" },
    Kind {
        name: "network_security_group",
        ocid: "networksecuritygroup",
        model: "core.NetworkSecurityGroup",
        title: "Network Security Group",
    },
    Kind { name: "dhcp_options", ocid: "dhcpoptions", model: "core.DhcpOptions", title: "DHCP Options" },
];

pub(crate) fn handle(world: &mut World, call: &Call<'_>) -> Option<Outcome> {
    let special = [rules::handle, gateways::handle, vnics::handle, cidr];
    if let Some(outcome) = special.into_iter().find_map(|handle| handle(world, call)) {
        return Some(outcome);
    }
    let (verb, rest) = call.operation.name.split_once('_')?;
    let moved = rest.strip_suffix("_compartment").filter(|_| verb == "change");
    let name = moved.unwrap_or(rest);
    let kind = KINDS.iter().find(|kind| kind.name == name || verb == "list" && format!("{}s", kind.name) == name)?;
    Some(match verb {
        "create" => create(world, call, kind),
        "get" => world.find(call, kind.ocid, call.id()).map(|object| world.show(kind.model, object)),
        "list" => listing::kind(world, call, kind.ocid, kind.model),
        "update" => update(world, call, kind),
        "delete" => removal::delete(world, call, kind),
        "change" => change_compartment(world, call, kind.ocid),
        _ => return None,
    })
}

/// Moves an object to the compartment of the body, which was checked.
pub(crate) fn change_compartment(world: &mut World, call: &Call<'_>, kind: &str) -> Outcome {
    let object = world.find_to_change(call, kind)?;
    object.set("compartmentId", call.body["compartmentId"].clone());
    Ok(Answer::empty(200).field("etag", object.etag()))
}

fn create(world: &mut World, call: &Call<'_>, kind: &Kind) -> Outcome {
    let time = world.time();
    let mut body = born(call, &time, kind.name.replace('_', "").as_str());
    let vcn = match kind.name {
        "vcn" => None,
        _ => Some(parent(world, call, "vcn", call.text("vcnId").unwrap_or_default())?),
    };
    if let (Some(table), Some(vcn)) = (call.text("routeTableId"), &vcn) {
        belongs(world, call, "routetable", table, &vcn.id)?;
    }
    match (kind.name, &vcn) {
        ("vcn", _) => network(&mut body)?,
        ("subnet", Some(vcn)) => subnet(world, call, &mut body, vcn)?,
        ("route_table", Some(vcn)) => gateways::routes(world, call, &mut body, &vcn.id)?,
        ("security_list", _) => rules::security_list(&mut body)?,
        ("internet_gateway" | "nat_gateway" | "service_gateway", Some(vcn)) => {
            gateways::prepare(world, kind, &mut body, &vcn.id)?;
        }
        _ => {}
    }
    let id = world.ocid(kind.ocid);
    if kind.name == "vcn" {
        defaults(world, call, &mut body, &id, &time);
    }
    let takes = world.settings.network_ms;
    let now = world.now();
    let later: &[_] = if takes == 0 { &[] } else { &[(takes, "AVAILABLE")] };
    let state = if takes == 0 { "AVAILABLE" } else { "PROVISIONING" };
    world.store.insert(kind.ocid, id.clone(), body, now, state, later);
    world.store.get(&id).map(|object| world.show(kind.model, object)).ok_or_else(Refusal::not_found)
}

fn update(world: &mut World, call: &Call<'_>, kind: &Kind) -> Outcome {
    let object = world.find_to_change(call, kind.ocid)?;
    object.needs(&["AVAILABLE"])?;
    let (id, vcn) = (object.id.clone(), object.text("vcnId").to_owned());
    let mut changes = call.body.clone();
    match kind.name {
        "route_table" if changes.contains_key("routeRules") => gateways::routes(world, call, &mut changes, &vcn)?,
        "security_list" => rules::security_list(&mut changes)?,
        "service_gateway" if changes.contains_key("services") => gateways::services(&mut changes)?,
        "subnet" => belong(world, call, &changes, &vcn)?,
        _ => {}
    }
    if kind.name != "subnet"
        && let Some(table) = call.text("routeTableId")
    {
        belongs(world, call, "routetable", table, &vcn)?;
    }
    if let Some(block) = changes.get("cidrBlock").and_then(Json::as_str).map(str::to_owned) {
        let vcn = parent(world, call, "vcn", &vcn)?;
        free(world, &block, &vcn, &id)?;
        changes.insert("ipv4CidrBlocks".to_owned(), json!([block]));
    }
    let object = world.store.get_mut(&id).ok_or_else(Refusal::not_found)?;
    object.change(changes);
    let object = world.store.get(&id).ok_or_else(Refusal::not_found)?;
    Ok(world.show(kind.model, object))
}

/// What a new object needs of the network that it is made in.
pub(crate) struct Network {
    pub(crate) id: String,
    blocks: Vec<String>,
    label: String,
    defaults: [String; 3],
}

/// The network that something is made in: known to the replica, and available.
pub(crate) fn parent(world: &World, call: &Call<'_>, kind: &str, id: &str) -> Result<Network, Refusal> {
    let object = world.find(call, kind, id)?;
    object.needs(&["AVAILABLE"])?;
    Ok(Network {
        id: object.id.clone(),
        blocks: object.texts("cidrBlocks").into_iter().map(str::to_owned).collect(),
        label: object.text("dnsLabel").to_owned(),
        defaults: ["defaultRouteTableId", "defaultSecurityListId", "defaultDhcpOptionsId"]
            .map(|member| object.text(member).to_owned()),
    })
}

/// Refuses what is not there, or belongs to another network.
pub(crate) fn belongs(world: &World, call: &Call<'_>, kind: &str, id: &str, vcn: &str) -> Result<(), Refusal> {
    let object = world.find(call, kind, id)?;
    match object.text("vcnId") == vcn && !object.is_gone() {
        true => Ok(()),
        false => Err(Refusal::invalid(format!("The {kind} {id} does not belong to the VCN {vcn}"))),
    }
}

/// The references of a subnet.
fn belong(world: &World, call: &Call<'_>, body: &Map<String, Json>, vcn: &str) -> Result<(), Refusal> {
    let named = |member: &str| body.get(member).and_then(Json::as_str);
    for (member, kind) in [("routeTableId", "routetable"), ("dhcpOptionsId", "dhcpoptions")] {
        if let Some(id) = named(member) {
            belongs(world, call, kind, id, vcn)?;
        }
    }
    let lists = body.get("securityListIds").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    if lists.len() > 5 {
        return Err(Refusal::invalid("securityListIds has more than 5 entries"));
    }
    lists.iter().filter_map(Json::as_str).try_for_each(|id| belongs(world, call, "securitylist", id, vcn))
}

fn network(body: &mut Map<String, Json>) -> Result<(), Refusal> {
    let one = body.get("cidrBlock").and_then(Json::as_str).map(str::to_owned);
    let many: Vec<String> = texts(body.get("cidrBlocks"));
    let blocks = match (one, many.is_empty()) {
        (Some(_), false) => return Err(Refusal::invalid("cidrBlock and cidrBlocks exclude each other")),
        (Some(block), true) => vec![block],
        (None, false) => many,
        (None, true) => return Err(Refusal::missing("cidrBlocks")),
    };
    distinct(&blocks)?;
    if let Some(label) = body.get("dnsLabel").and_then(Json::as_str).map(str::to_owned) {
        check_label(&label)?;
        body.insert("vcnDomainName".to_owned(), json!(format!("{label}.oraclevcn.com")));
    }
    body.insert("cidrBlock".to_owned(), json!(blocks[0]));
    body.insert("cidrBlocks".to_owned(), json!(blocks));
    for flag in ["isIpv6Enabled", "isOracleGuaAllocationEnabled"] {
        body.remove(flag);
    }
    Ok(())
}

/// What a network has from the start: a route table, a security list, DHCP options.
fn defaults(world: &mut World, call: &Call<'_>, body: &mut Map<String, Json>, vcn: &str, time: &str) {
    let name = body["displayName"].as_str().unwrap_or_default().to_owned();
    let open =
        json!([{"protocol": "all", "destination": "0.0.0.0/0", "destinationType": "CIDR_BLOCK", "isStateless": false}]);
    let ssh = json!([
        {"protocol": "6", "source": "0.0.0.0/0", "sourceType": "CIDR_BLOCK", "isStateless": false,
         "tcpOptions": {"destinationPortRange": {"min": 22, "max": 22}}},
        {"protocol": "1", "source": "0.0.0.0/0", "sourceType": "CIDR_BLOCK", "isStateless": false,
         "icmpOptions": {"type": 3, "code": 4}},
        {"protocol": "1", "source": body["cidrBlock"], "sourceType": "CIDR_BLOCK", "isStateless": false,
         "icmpOptions": {"type": 3}},
    ]);
    let dns = json!([{"type": "DomainNameServer", "serverType": "VcnLocalPlusInternet", "customDnsServers": []}]);
    let made = [
        ("defaultRouteTableId", "routetable", "Route Table", json!({"routeRules": []})),
        (
            "defaultSecurityListId",
            "securitylist",
            "Security List",
            json!({"egressSecurityRules": open, "ingressSecurityRules": ssh}),
        ),
        (
            "defaultDhcpOptionsId",
            "dhcpoptions",
            "DHCP Options",
            json!({"options": dns, "domainNameType": "CUSTOM_DOMAIN"}),
        ),
    ];
    for (member, kind, title, own) in made {
        let mut default = own.as_object().cloned().unwrap_or_default();
        let id = world.ocid(kind);
        default.insert("compartmentId".to_owned(), call.body["compartmentId"].clone());
        default.insert("displayName".to_owned(), json!(format!("Default {title} for {name}")));
        default.insert("freeformTags".to_owned(), json!({}));
        default.insert("definedTags".to_owned(), json!({}));
        default.insert("timeCreated".to_owned(), json!(time));
        default.insert("vcnId".to_owned(), json!(vcn));
        default.insert("isDefault".to_owned(), json!(true));
        body.insert(member.to_owned(), json!(id));
        let now = world.now();
        world.store.insert(kind, id, default, now, "AVAILABLE", &[]);
    }
}

fn subnet(world: &World, call: &Call<'_>, body: &mut Map<String, Json>, vcn: &Network) -> Result<(), Refusal> {
    belong(world, call, body, &vcn.id)?;
    let one = body.get("cidrBlock").and_then(Json::as_str).map(str::to_owned);
    let block = match (one, texts(body.get("ipv4CidrBlocks")).as_slice()) {
        (Some(block), _) => block,
        (None, [block]) => block.clone(),
        (None, _) => return Err(Refusal::missing("cidrBlock")),
    };
    let read = free(world, &block, vcn, "")?;
    body.insert("cidrBlock".to_owned(), json!(block));
    body.insert("ipv4CidrBlocks".to_owned(), json!([block]));
    body.insert("virtualRouterIp".to_owned(), json!(read.router().to_string()));
    let mac = digest(&format!("{} {block}", vcn.id));
    body.insert("virtualRouterMac".to_owned(), json!(format!("00:00:17:{}:{}:{}", &mac[..2], &mac[2..4], &mac[4..6])));
    if let Some(label) = body.get("dnsLabel").and_then(Json::as_str).map(str::to_owned) {
        check_label(&label)?;
        if vcn.label.is_empty() {
            return Err(Refusal::invalid("dnsLabel needs a VCN with a dnsLabel"));
        }
        if world.store.live("subnet").any(|other| other.text("vcnId") == vcn.id && other.text("dnsLabel") == label) {
            return Err(Refusal::invalid(format!("dnsLabel {label} is used by another subnet of the VCN")));
        }
        body.insert("subnetDomainName".to_owned(), json!(format!("{label}.{}.oraclevcn.com", vcn.label)));
    }
    if let Some(domain) = body.get("availabilityDomain").and_then(Json::as_str) {
        crate::catalogue::check_domain(domain)?;
    }
    let [table, list, options] = &vcn.defaults;
    body.entry("routeTableId").or_insert_with(|| json!(table));
    body.entry("securityListIds").or_insert_with(|| json!([list]));
    body.entry("dhcpOptionsId").or_insert_with(|| json!(options));
    body.entry("prohibitPublicIpOnVnic").or_insert_with(|| json!(false));
    let prohibits = body["prohibitPublicIpOnVnic"].clone();
    body.entry("prohibitInternetIngress").or_insert(prohibits);
    Ok(())
}

/// The block of a subnet, which must lie in the network and overlap no other.
fn free(world: &World, text: &str, vcn: &Network, except: &str) -> Result<Block, Refusal> {
    let block = Block::of_network(text, "cidrBlock")?;
    if !vcn.blocks.iter().filter_map(|text| Block::read(text)).any(|whole| whole.contains(block)) {
        return Err(Refusal::invalid(format!("The CIDR {text} does not lie in the VCN {}", vcn.id)));
    }
    let mut others = world.store.live("subnet").filter(|other| other.text("vcnId") == vcn.id && other.id != except);
    match others.find(|other| Block::read(other.text("cidrBlock")).is_some_and(|other| other.overlaps(block))) {
        Some(other) => Err(Refusal::invalid(format!(
            "The requested CIDR {text} is invalid: subnet {} with CIDR {} overlaps with this CIDR.",
            other.id,
            other.text("cidrBlock")
        ))),
        None => Ok(block),
    }
}

/// The operations on the blocks of a network.
fn cidr(world: &mut World, call: &Call<'_>) -> Option<Outcome> {
    let verb = call.operation.name.strip_suffix("_vcn_cidr")?;
    Some(change_blocks(world, call, verb))
}

fn change_blocks(world: &mut World, call: &Call<'_>, verb: &str) -> Outcome {
    let vcn = world.find_to_change(call, "vcn")?;
    vcn.needs(&["AVAILABLE"])?;
    let id = vcn.id.clone();
    let mut blocks: Vec<String> = vcn.texts("cidrBlocks").into_iter().map(str::to_owned).collect();
    let block = |member: &str| call.text(member).unwrap_or_default().to_owned();
    let taken = match verb {
        "add" => None,
        "remove" => Some(block("cidrBlock")),
        _ => Some(block("originalCidrBlock")),
    };
    if let Some(taken) = taken {
        let place = blocks.iter().position(|block| *block == taken);
        let place = place.ok_or_else(|| Refusal::invalid(format!("{taken} is no CIDR of the VCN")))?;
        if verb == "remove" && blocks.len() == 1 {
            return Err(Refusal::invalid("The last CIDR of a VCN cannot be removed"));
        }
        blocks.remove(place);
        if verb == "modify" {
            blocks.insert(place, block("newCidrBlock"));
        }
    } else {
        blocks.push(block("cidrBlock"));
    }
    distinct(&blocks)?;
    let whole: Vec<Block> = blocks.iter().filter_map(|text| Block::read(text)).collect();
    let outside = |block: Block| !whole.iter().any(|whole| whole.contains(block));
    let mut subnets = world.store.live("subnet").filter(|subnet| subnet.text("vcnId") == id);
    if let Some(subnet) = subnets.find(|subnet| Block::read(subnet.text("cidrBlock")).is_some_and(outside)) {
        return Err(Refusal::conflict(format!("The Subnet {} would lie outside of the VCN", subnet.id)));
    }
    drop(subnets);
    let vcn = world.store.get_mut(&id).ok_or_else(Refusal::not_found)?;
    vcn.set("cidrBlock", json!(blocks[0]));
    vcn.set("cidrBlocks", json!(blocks));
    Ok(Answer::empty(202).field("etag", vcn.etag()))
}

fn distinct(blocks: &[String]) -> Result<(), Refusal> {
    let mut read: Vec<Block> = Vec::new();
    for text in blocks {
        let block = Block::of_network(text, "cidrBlocks")?;
        if read.iter().any(|other| other.overlaps(block)) {
            return Err(Refusal::invalid(format!("The CIDR {text} overlaps with another one of the VCN")));
        }
        read.push(block);
    }
    Ok(())
}

fn check_label(label: &str) -> Result<(), Refusal> {
    let is_right = label.len() <= 15
        && label.starts_with(|first: char| first.is_ascii_alphabetic())
        && label.chars().all(|character| character.is_ascii_alphanumeric());
    match is_right {
        true => Ok(()),
        false => Err(Refusal::invalid(format!("dnsLabel is not valid: {label}"))),
    }
}

/// The texts of a list.
pub(crate) fn texts(json: Option<&Json>) -> Vec<String> {
    let items = json.and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    items.iter().filter_map(Json::as_str).map(str::to_owned).collect()
}
