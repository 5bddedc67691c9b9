//! `openstack_networking_network_v2`

use async_trait::async_trait;
use pipectl_cloud::{Fields, Group, Times};
use pipectl_core::{Attribute, Type, Value};
use pipectl_provider::arguments::blocks;
use serde_json::{Map, Value as Json};

use super::tags;
use crate::cloud::{Cloud, Service};
use crate::kind::{Condition, Fault, Kind, More, Place, put};

pub(crate) struct Network;

#[async_trait]
impl Kind for Network {
    type Cloud = Cloud;

    const TYPE: &'static str = "openstack_networking_network_v2";
    const NOUN: &'static str = "network";
    const SERVICE: Service = Service::Network;
    const COLLECTION: &'static str = "networks";
    const ENVELOPE: Option<&'static str> = Some("network");

    fn fields() -> Fields {
        let flag = |description| Attribute::optional_computed(Type::Bool, description);
        let text = |description| Attribute::optional_computed(Type::String, description);
        let fields = Fields::new("A network.")
            .in_region()
            .with("name", Attribute::optional(Type::String, "Its name."))
            .with("description", Attribute::optional(Type::String, "What it is for."))
            .with("admin_state_up", flag("Whether it forwards packets. Default true."))
            .with("shared", flag("Whether all projects may use it. Default false."))
            .named("external", "router:external", flag("Whether it leads outside. Default false."))
            .named("transparent_vlan", "vlan_transparent", flag("Whether it lets VLAN tags pass.").forces_replacement())
            .with("port_security_enabled", flag("Whether its ports check addresses."))
            .with("mtu", Attribute::optional_computed(Type::Number, "The largest packet, in bytes."))
            .with("dns_domain", text("Its domain."))
            .with("qos_policy_id", text("The policy for its quality of service."))
            .with(
                "availability_zone_hints",
                Attribute::optional_computed(Type::set(Type::String), "Zones to be in.").forces_replacement(),
            )
            .group("segments", segment())
            .times(Times::minutes(10, 0, 10));
        super::with_value_specs(tags::with_tags(super::with_project(fields)))
    }

    fn body(fields: &Fields, planned: &Value) -> Map<String, Json> {
        let mut body = fields.body(planned);
        body.extend(segments(planned));
        super::add_value_specs(&mut body, planned);
        body
    }

    fn changes(fields: &Fields, prior: &Value, planned: &Value) -> Map<String, Json> {
        let mut changes = fields.changes(prior, planned);
        if segments(prior) != segments(planned) {
            changes.extend(segments(planned));
        }
        changes
    }

    fn leaves(planned: &Value) -> bool {
        tags::has_tags(planned)
    }

    async fn finish(at: &Place<'_>, id: &str, planned: &Value) -> Result<(), Fault> {
        tags::put::<Self>(at, id, planned).await
    }

    fn condition(object: &Json) -> Condition {
        super::condition(object)
    }

    async fn more(_at: &Place<'_>, object: &Json, known: &Value) -> Result<More, Fault> {
        let mut more = tags::observed(object, known);
        // Only administrators are told.
        let found = match object.get("segments") {
            Some(segments) => Some(segment().seen(segments)),
            None if object.get("provider:network_type").is_some() => {
                Some(segment().seen(&Json::Array(vec![object.clone()])))
            }
            None => None,
        };
        more.extend(found.map(|found| ("segments".to_owned(), found)));
        Ok(more)
    }

    async fn update(at: &Place<'_>, id: &str, prior: &Value, planned: &Value) -> Result<bool, Fault> {
        tags::change::<Self>(at, id, prior, planned).await?;
        put::<Self>(at, id, Self::changes(at.fields, prior, planned)).await
    }
}

fn segment() -> Group {
    Group::unordered("", "A segment, for administrators.")
        .computed()
        .with(
            "physical_network",
            "provider:physical_network",
            Attribute::optional(Type::String, "The physical network."),
        )
        .with(
            "network_type",
            "provider:network_type",
            Attribute::optional(Type::String, "`flat`, `vlan`, `vxlan`, `gre`."),
        )
        .with(
            "segmentation_id",
            "provider:segmentation_id",
            Attribute::optional_computed(Type::Number, "The number of the segment."),
        )
}

/// One segment stands in the network itself, several in a list.
fn segments(planned: &Value) -> Map<String, Json> {
    let mut segments: Vec<_> = blocks(planned, "segments").iter().map(|block| segment().object(block)).collect();
    match segments.len() {
        0 => Map::new(),
        1 => segments.remove(0),
        _ => [("segments".to_owned(), segments.into_iter().map(Json::Object).collect())].into_iter().collect(),
    }
}
