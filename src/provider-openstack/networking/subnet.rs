//! `openstack_networking_subnet_v2`

use async_trait::async_trait;
use pipectl_cloud::{Fields, Group, Times};
use pipectl_core::{Attribute, Diagnostics, Type, Value};
use pipectl_provider::arguments::{flag, text};
use pipectl_provider::rules::conflicts;
use serde_json::{Map, Value as Json};

use super::address::{is_same_address, is_same_network};
use super::tags;
use crate::cloud::{Cloud, Service};
use crate::kind::{Fault, Kind, More, Place, put};

pub(crate) struct Subnet;

#[async_trait]
impl Kind for Subnet {
    type Cloud = Cloud;

    const TYPE: &'static str = "openstack_networking_subnet_v2";
    const NOUN: &'static str = "subnet";
    const SERVICE: Service = Service::Network;
    const COLLECTION: &'static str = "subnets";
    const ENVELOPE: Option<&'static str> = Some("subnet");

    fn fields() -> Fields {
        let text = |description| Attribute::optional_computed(Type::String, description);
        let pool = Group::unordered("allocation_pools", "Addresses that are given out.")
            .computed()
            .with("start", "start", Attribute::required(Type::String, "The first address."))
            .with("end", "end", Attribute::required(Type::String, "The last address."));
        let fields = Fields::new("Addresses of a network.")
            .in_region()
            .with("network_id", Attribute::required(Type::String, "The `id` of its network.").forces_replacement())
            .with("cidr", text("Its addresses: `10.0.0.0/24`.").forces_replacement())
            .named(
                "prefix_length",
                "prefixlen",
                Attribute::optional(Type::Number, "How long the prefix of addresses from a pool is.")
                    .forces_replacement(),
            )
            .with("name", Attribute::optional(Type::String, "Its name."))
            .with("description", Attribute::optional(Type::String, "What it is for."))
            .with("gateway_ip", text("The address of its gateway. Default: the first one."))
            .apart("no_gateway", Attribute::optional(Type::Bool, "Whether it has no gateway."))
            .default("no_gateway", false)
            .with("ip_version", Attribute::optional(Type::Number, "4 or 6.").forces_replacement())
            .default("ip_version", 4)
            .with("enable_dhcp", Attribute::optional(Type::Bool, "Whether servers get their addresses by DHCP."))
            .default("enable_dhcp", true)
            .with("dns_nameservers", Attribute::optional(Type::list(Type::String), "Servers of names, in this order."))
            .with("dns_publish_fixed_ip", Attribute::optional(Type::Bool, "Whether fixed addresses get names."))
            .with("ipv6_address_mode", text("`slaac`, `dhcpv6-stateful`, `dhcpv6-stateless`.").forces_replacement())
            .with("ipv6_ra_mode", text("The same for router advertisements.").forces_replacement())
            .with("segment_id", Attribute::optional(Type::String, "The segment of the network that it is for."))
            .with(
                "subnetpool_id",
                Attribute::optional(Type::String, "The pool that its addresses are from.").forces_replacement(),
            )
            .with(
                "service_types",
                Attribute::optional_computed(Type::list(Type::String), "What its addresses are for."),
            )
            .group("allocation_pool", pool)
            .equivalent("cidr", is_same_network)
            .equivalent("gateway_ip", is_same_address)
            .times(Times::minutes(10, 0, 10));
        super::with_value_specs(tags::with_tags(super::with_project(fields)))
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut found = conflicts(config, "cidr", &["prefix_length"]);
        if flag(config, "no_gateway") == Some(true) {
            found.extend(conflicts(config, "gateway_ip", &["no_gateway"]));
        }
        found
    }

    fn refine(planned: Value, config: &Value, prior: Option<&Value>) -> Value {
        let Some(prior) = prior else { return planned };
        match (flag(prior, "no_gateway"), flag(&planned, "no_gateway")) {
            (_, Some(true)) => planned.with_attribute("gateway_ip", Value::null_of(Type::String)),
            (Some(true), Some(false)) if config.set_attribute("gateway_ip").is_none() => {
                planned.with_attribute("gateway_ip", Value::unknown(Type::String))
            }
            _ => planned,
        }
    }

    fn body(fields: &Fields, planned: &Value) -> Map<String, Json> {
        let mut body = fields.body(planned);
        if flag(planned, "no_gateway") == Some(true) {
            body.insert("gateway_ip".to_owned(), Json::Null);
        }
        super::add_value_specs(&mut body, planned);
        body
    }

    fn changes(fields: &Fields, prior: &Value, planned: &Value) -> Map<String, Json> {
        let mut changes = fields.changes(prior, planned);
        match (flag(prior, "no_gateway"), flag(planned, "no_gateway")) {
            (_, Some(true)) if changes.contains_key("gateway_ip") => {
                changes.insert("gateway_ip".to_owned(), Json::Null);
            }
            // Neutron decides on a gateway only for a new subnet: the first address is what it takes then.
            (Some(true), Some(false)) if !changes.contains_key("gateway_ip") => {
                let first = text(planned, "cidr").and_then(super::address::first);
                changes.extend(first.map(|first| ("gateway_ip".to_owned(), first.into())));
            }
            _ => {}
        }
        changes
    }

    fn leaves(planned: &Value) -> bool {
        tags::has_tags(planned)
    }

    async fn finish(at: &Place<'_>, id: &str, planned: &Value) -> Result<(), Fault> {
        tags::put::<Self>(at, id, planned).await
    }

    async fn more(_at: &Place<'_>, object: &Json, known: &Value) -> Result<More, Fault> {
        let mut more = tags::observed(object, known);
        let has_gateway = object.get("gateway_ip").is_some_and(|gateway| !gateway.is_null());
        more.insert("no_gateway".to_owned(), (!has_gateway).into());
        Ok(more)
    }

    async fn update(at: &Place<'_>, id: &str, prior: &Value, planned: &Value) -> Result<bool, Fault> {
        tags::change::<Self>(at, id, prior, planned).await?;
        put::<Self>(at, id, Self::changes(at.fields, prior, planned)).await
    }
}
