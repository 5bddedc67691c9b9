//! Networks: Neutron.
//!
//! API: https://docs.openstack.org/api-ref/network/v2/.

mod address;
mod network;
mod router;
mod router_interface;
mod secgroup;
mod secgroup_rule;
mod subnet;
mod tags;

use pipectl_cloud::Fields;
use pipectl_core::json::to_json;
use pipectl_core::{Attribute, Type, Value};
use pipectl_provider::arguments::map_of_text;
use serde_json::{Map, Value as Json};

pub(crate) use network::Network;
pub(crate) use router::Router;
pub(crate) use router_interface::RouterInterface;
pub(crate) use secgroup::SecurityGroup;
pub(crate) use secgroup_rule::SecurityGroupRule;
pub(crate) use subnet::Subnet;

use crate::kind::Condition;

/// The arguments that nearly all kinds have.
fn with_project(fields: Fields) -> Fields {
    let tenant = Attribute::optional_computed(Type::String, "The project that it belongs to. Default: the provider's.");
    fields.with("tenant_id", tenant.forces_replacement())
}

/// The same, of those that take members that nobody here knows.
fn with_value_specs(fields: Fields) -> Fields {
    let specs = Attribute::optional(map_of_text(), "More members of the request that makes it.");
    fields.apart("value_specs", specs.forces_replacement())
}

fn add_value_specs(body: &mut Map<String, Json>, planned: &Value) {
    if let Some(Json::Object(specs)) = planned.set_attribute("value_specs").and_then(to_json) {
        body.extend(specs);
    }
}

/// By the status of a network, a router or a port.
fn condition(object: &Json) -> Condition {
    match object.get("status").and_then(Json::as_str) {
        Some(status @ ("BUILD" | "PENDING_CREATE" | "PENDING_UPDATE" | "ALLOCATING")) => {
            Condition::Busy(status.to_owned())
        }
        Some("ERROR") => Condition::Failed("in status ERROR".to_owned()),
        Some(_) | None => Condition::Ready,
    }
}
