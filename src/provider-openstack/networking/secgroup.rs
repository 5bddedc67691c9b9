//! `openstack_networking_secgroup_v2`

use async_trait::async_trait;
use pipectl_cloud::{Fields, Times};
use pipectl_core::{Attribute, Type, Value};
use pipectl_provider::arguments::flag;
use serde_json::Value as Json;

use super::tags;
use crate::cloud::{Cloud, Service};
use crate::kind::{Fault, Kind, More, Place, put, text};

pub(crate) struct SecurityGroup;

#[async_trait]
impl Kind for SecurityGroup {
    type Cloud = Cloud;

    const TYPE: &'static str = "openstack_networking_secgroup_v2";
    const NOUN: &'static str = "security group";
    const SERVICE: Service = Service::Network;
    const COLLECTION: &'static str = "security-groups";
    const ENVELOPE: Option<&'static str> = Some("security_group");

    fn fields() -> Fields {
        let fields = Fields::new("A security group: what may reach servers, and what they may reach.")
            .in_region()
            .with("name", Attribute::required(Type::String, "Its name."))
            .with("description", Attribute::optional_computed(Type::String, "What it is for."))
            .with(
                "stateful",
                Attribute::optional_computed(Type::Bool, "Whether answers are let through. Default true."),
            )
            .apart(
                "delete_default_rules",
                Attribute::optional(
                    Type::Bool,
                    "Whether the rules go that every new group has: all may be reached from it.",
                )
                .forces_replacement(),
            )
            .times(Times::minutes(0, 0, 10));
        tags::with_tags(super::with_project(fields))
    }

    fn leaves(planned: &Value) -> bool {
        tags::has_tags(planned) || flag(planned, "delete_default_rules") == Some(true)
    }

    async fn finish(at: &Place<'_>, id: &str, planned: &Value) -> Result<(), Fault> {
        if flag(planned, "delete_default_rules") == Some(true) {
            let group = Self::look(at, id, planned).await?.unwrap_or_default();
            let rules = group.get("security_group_rules").and_then(Json::as_array);
            for rule in rules.into_iter().flatten().filter_map(|rule| text(rule, "id")) {
                at.endpoint.delete(&["security-group-rules", &rule]).await?;
            }
        }
        tags::put::<Self>(at, id, planned).await
    }

    async fn more(_at: &Place<'_>, object: &Json, known: &Value) -> Result<More, Fault> {
        Ok(tags::observed(object, known))
    }

    async fn update(at: &Place<'_>, id: &str, prior: &Value, planned: &Value) -> Result<bool, Fault> {
        tags::change::<Self>(at, id, prior, planned).await?;
        put::<Self>(at, id, Self::changes(at.fields, prior, planned)).await
    }

    async fn candidates(at: &Place<'_>, arguments: &Json, _before: &Json) -> Result<Vec<Json>, Fault> {
        let name = arguments.get("name").and_then(Json::as_str).unwrap_or_default();
        let list = at.endpoint.list(&[Self::COLLECTION], &[("name", name)]).await?;
        Ok(list.get("security_groups").and_then(Json::as_array).cloned().unwrap_or_default())
    }
}
