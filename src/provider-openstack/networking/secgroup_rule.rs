//! `openstack_networking_secgroup_rule_v2`

use async_trait::async_trait;
use pipectl_cloud::{Fields, Times};
use pipectl_core::{Attribute, Diagnostics, Type, Value};
use pipectl_provider::rules::{conflicts, one_of, requires};
use serde_json::Value as Json;

use super::address::is_same_network;
use crate::cloud::{Cloud, Service};
use crate::kind::{Fault, Kind, Place};

/// Whom a rule is about: at most one of these.
const REMOTES: [&str; 3] = ["remote_ip_prefix", "remote_group_id", "remote_address_group_id"];

pub(crate) struct SecurityGroupRule;

#[async_trait]
impl Kind for SecurityGroupRule {
    type Cloud = Cloud;

    const TYPE: &'static str = "openstack_networking_secgroup_rule_v2";
    const NOUN: &'static str = "security group rule";
    const SERVICE: Service = Service::Network;
    const COLLECTION: &'static str = "security-group-rules";
    const ENVELOPE: Option<&'static str> = Some("security_group_rule");

    fn fields() -> Fields {
        let given = |ty, description| Attribute::optional(ty, description).forces_replacement();
        let either = |description| Attribute::optional_computed(Type::String, description).forces_replacement();
        let needed = |description| Attribute::required(Type::String, description).forces_replacement();
        let fields = Fields::new("A rule of a security group: something that is let through.")
            .in_region()
            .with("security_group_id", needed("The `id` of the group."))
            .with("direction", needed("`ingress` or `egress`."))
            .with("ethertype", needed("`IPv4` or `IPv6`."))
            .with("description", given(Type::String, "What it is for."))
            .with("protocol", given(Type::String, "`tcp`, `udp`, `icmp`, or a number. Default: all."))
            .with("port_range_min", given(Type::Number, "The first port."))
            .with("port_range_max", given(Type::Number, "The last port."))
            .with("remote_ip_prefix", either("Addresses on the other side: `10.0.0.0/8`."))
            .with("remote_group_id", either("The group that the other side is in."))
            .with("remote_address_group_id", either("The group of addresses on the other side."))
            .equivalent("remote_ip_prefix", is_same_network)
            .times(Times::minutes(0, 0, 10));
        super::with_project(fields)
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut found = one_of(config, "direction", &["ingress", "egress"]);
        found.extend(one_of(config, "ethertype", &["IPv4", "IPv6"]));
        for (index, remote) in REMOTES.iter().enumerate() {
            found.extend(conflicts(config, remote, &REMOTES[index + 1..]));
        }
        for (one, other) in [("port_range_min", "port_range_max"), ("port_range_max", "port_range_min")] {
            found.extend(requires(config, one, other));
        }
        found.extend(requires(config, "port_range_min", "protocol"));
        found
    }

    async fn update(_at: &Place<'_>, _id: &str, _prior: &Value, _planned: &Value) -> Result<bool, Fault> {
        // Only how long its removal may take can be changed.
        Ok(false)
    }

    async fn candidates(at: &Place<'_>, arguments: &Json, _before: &Json) -> Result<Vec<Json>, Fault> {
        let Some(group) = arguments.get("security_group_id").and_then(Json::as_str) else { return Ok(Vec::new()) };
        let list = at.endpoint.list(&[Self::COLLECTION], &[("security_group_id", group)]).await?;
        Ok(list.get("security_group_rules").and_then(Json::as_array).cloned().unwrap_or_default())
    }
}
