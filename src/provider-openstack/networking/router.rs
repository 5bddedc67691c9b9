//! `openstack_networking_router_v2`

use async_trait::async_trait;
use pipectl_cloud::{Fields, Group, Times, differs};
use pipectl_core::{Attribute, Block, Diagnostics, Schema, Type, Value};
use pipectl_http::StatusCode;
use pipectl_provider::arguments::{blocks, flag, text, texts};
use pipectl_provider::rules::{at_most_one_block, conflicts};
use serde_json::{Map, Value as Json, json};

use super::tags;
use crate::cloud::{Cloud, Service};
use crate::kind::{Condition, Fault, Kind, More, Place, put, unwrap, wrap};

/// What the gateway is made of.
const GATEWAY: [&str; 5] =
    ["external_network_id", "enable_snat", "external_qos_policy_id", "external_fixed_ip", "external_subnet_ids"];

pub(crate) struct Router;

#[async_trait]
impl Kind for Router {
    type Cloud = Cloud;

    const TYPE: &'static str = "openstack_networking_router_v2";
    const NOUN: &'static str = "router";
    const SERVICE: Service = Service::Network;
    const COLLECTION: &'static str = "routers";
    const ENVELOPE: Option<&'static str> = Some("router");

    fn fields() -> Fields {
        let flag = |description| Attribute::optional_computed(Type::Bool, description);
        let text = |description| Attribute::optional_computed(Type::String, description);
        let vendor = Schema::of([(
            "set_router_gateway_after_create",
            Attribute::optional(Type::Bool, "Whether the gateway is set when the router is there. Default false."),
        )]);
        let fields = Fields::new("A router between networks.")
            .in_region()
            .with("name", Attribute::optional(Type::String, "Its name."))
            .with("description", Attribute::optional(Type::String, "What it is for."))
            .with("admin_state_up", flag("Whether it forwards packets. Default true."))
            .with("distributed", flag("Whether it is on every host.").forces_replacement())
            .with("flavor_id", Attribute::optional(Type::String, "Its flavor.").forces_replacement())
            .with(
                "availability_zone_hints",
                Attribute::optional_computed(Type::list(Type::String), "Zones to be in.").forces_replacement(),
            )
            .apart("external_network_id", text("The network that leads outside."))
            .apart("external_qos_policy_id", text("The policy for the quality of its way outside."))
            .apart("enable_snat", flag("Whether it hides addresses of servers from the outside."))
            .apart(
                "external_subnet_ids",
                Attribute::optional(
                    Type::list(Type::String),
                    "Subnets to have an outside address of: the first that has one left.",
                ),
            )
            .group("external_fixed_ip", fixed())
            .block("vendor_options", Block::list(vendor, "What some clouds need."))
            .times(Times::minutes(10, 0, 10));
        super::with_value_specs(tags::with_tags(super::with_project(fields)))
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut found = at_most_one_block(config, "vendor_options");
        if !blocks(config, "external_fixed_ip").is_empty() {
            found.extend(conflicts(config, "external_subnet_ids", &["external_fixed_ip"]));
        }
        found
    }

    fn refine(planned: Value, config: &Value, prior: Option<&Value>) -> Value {
        if !prior.is_some_and(|prior| is_gateway_changed(prior, &planned)) {
            return planned;
        }
        // Another network has other addresses. And what nobody gives is not asked for: not everybody may.
        let planned = match blocks(config, "external_fixed_ip").is_empty() {
            true => planned.with_attribute("external_fixed_ip", Value::unknown(Type::Any)),
            false => planned,
        };
        match config.set_attribute("enable_snat") {
            Some(_) => planned,
            None => planned.with_attribute("enable_snat", Value::unknown(Type::Bool)),
        }
    }

    async fn create(at: &Place<'_>, planned: &Value) -> Result<Json, Fault> {
        let mut body = at.fields.body(planned);
        super::add_value_specs(&mut body, planned);
        let gateways = if is_set_later(planned) { Vec::new() } else { gateways(planned) };
        let (last, others) = gateways.split_last().map_or((None, &[][..]), |(last, others)| (Some(last), others));
        for gateway in others {
            match with_gateway(at, body.clone(), gateway).await {
                // Its subnet has no address left.
                Err(fault) if fault.status() == Some(StatusCode::CONFLICT) => {}
                made => return made,
            }
        }
        match last {
            Some(gateway) => with_gateway(at, body, gateway).await,
            None => Ok(unwrap::<Self>(at.endpoint.post(&[Self::COLLECTION], &wrap::<Self>(body)).await?)),
        }
    }

    fn leaves(planned: &Value) -> bool {
        tags::has_tags(planned) || is_set_later(planned)
    }

    async fn finish(at: &Place<'_>, id: &str, planned: &Value) -> Result<(), Fault> {
        if is_set_later(planned) {
            set_gateway(at, id, planned).await?;
        }
        tags::put::<Self>(at, id, planned).await
    }

    fn condition(object: &Json) -> Condition {
        super::condition(object)
    }

    async fn more(_at: &Place<'_>, object: &Json, known: &Value) -> Result<More, Fault> {
        let mut more = tags::observed(object, known);
        let gateway = object.get("external_gateway_info").unwrap_or(&Json::Null);
        let text = |member: &str| {
            gateway.get(member).and_then(Json::as_str).map_or_else(|| Value::null_of(Type::String), Value::from)
        };
        more.insert("external_network_id".to_owned(), text("network_id"));
        more.insert("external_qos_policy_id".to_owned(), text("qos_policy_id"));
        let snat = gateway.get("enable_snat").and_then(Json::as_bool);
        more.insert("enable_snat".to_owned(), snat.map_or_else(|| Value::null_of(Type::Bool), Value::from));
        let fixed = gateway.get("external_fixed_ips").unwrap_or(&Json::Null);
        more.insert("external_fixed_ip".to_owned(), self::fixed().seen(fixed));
        Ok(more)
    }

    async fn update(at: &Place<'_>, id: &str, prior: &Value, planned: &Value) -> Result<bool, Fault> {
        put::<Self>(at, id, at.fields.changes(prior, planned)).await?;
        if is_gateway_changed(prior, planned) {
            set_gateway(at, id, planned).await?;
        }
        tags::change::<Self>(at, id, prior, planned).await?;
        Ok(true)
    }
}

/// An outside address. It is a member of the gateway.
fn fixed() -> Group {
    let text = |description| Attribute::optional_computed(Type::String, description);
    Group::unordered("", "An outside address.").computed().with("subnet_id", "subnet_id", text("The subnet.")).with(
        "ip_address",
        "ip_address",
        text("The address."),
    )
}

fn is_gateway_changed(prior: &Value, planned: &Value) -> bool {
    GATEWAY.iter().any(|name| differs(prior, planned, name))
}

fn is_set_later(planned: &Value) -> bool {
    blocks(planned, "vendor_options")
        .iter()
        .any(|options| flag(options, "set_router_gateway_after_create") == Some(true))
}

async fn with_gateway(at: &Place<'_>, mut body: Map<String, Json>, gateway: &Json) -> Result<Json, Fault> {
    body.insert("external_gateway_info".to_owned(), gateway.clone());
    Ok(unwrap::<Router>(at.endpoint.post(&[Router::COLLECTION], &wrap::<Router>(body)).await?))
}

async fn set_gateway(at: &Place<'_>, id: &str, planned: &Value) -> Result<(), Fault> {
    let gateways = gateways(planned);
    let mut refused = None;
    for gateway in if gateways.is_empty() { vec![json!({})] } else { gateways } {
        let body = json!({ "router": { "external_gateway_info": gateway } });
        match at.endpoint.put(&[Router::COLLECTION, id], &body).await {
            Ok(_) => return Ok(()),
            Err(error) if error.status() == Some(StatusCode::CONFLICT) => refused = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    refused.map_or(Ok(()), |error| Err(error.into()))
}

/// The gateway as Neutron is asked for it: one for each subnet that may have an address left, or one.
fn gateways(planned: &Value) -> Vec<Json> {
    let Some(network) = text(planned, "external_network_id").filter(|network| !network.is_empty()) else {
        return Vec::new();
    };
    let mut gateway = json!({ "network_id": network });
    if let Some(snat) = flag(planned, "enable_snat") {
        gateway["enable_snat"] = snat.into();
    }
    if let Some(policy) = text(planned, "external_qos_policy_id").filter(|policy| !policy.is_empty()) {
        gateway["qos_policy_id"] = policy.into();
    }
    let addresses = blocks(planned, "external_fixed_ip").iter().map(|block| Json::Object(fixed().object(block)));
    let addresses: Vec<Json> = addresses.collect();
    if !addresses.is_empty() {
        gateway["external_fixed_ips"] = addresses.into();
        return vec![gateway];
    }
    let subnets = texts(planned, "external_subnet_ids");
    if subnets.is_empty() {
        return vec![gateway];
    }
    let of = |subnet: &str| {
        let mut gateway = gateway.clone();
        gateway["external_fixed_ips"] = json!([{ "subnet_id": subnet }]);
        gateway
    };
    subnets.into_iter().map(of).collect()
}
