//! The kinds of resource of the simulated cloud.

use pipectl_core::{Attribute, Schema, Type, Value};

/// Type name of networks: `resource "sim_network" "<name>"`.
pub const NETWORK: &str = "sim_network";
/// Type name of instances: `resource "sim_instance" "<name>"`.
pub const INSTANCE: &str = "sim_instance";

/// A kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Network,
    Instance,
}

impl Kind {
    pub(crate) const ALL: [Kind; 2] = [Kind::Network, Kind::Instance];

    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Kind::Network => NETWORK,
            Kind::Instance => INSTANCE,
        }
    }

    pub(crate) fn schema(self) -> Schema {
        let name = Attribute::required(Type::String, "Its name; two objects may have the same.").forces_replacement();
        let tags = Attribute::optional(Type::map(Type::String), "Words to find it by.");
        let id = Attribute::computed(Type::String, "What the cloud calls it.");
        let common = [("name", name), ("tags", tags), ("id", id)];
        match self {
            Kind::Network => Schema::of(common).described("A simulated network.").attribute(
                "cidr",
                Attribute::optional_computed(Type::String, "Its addresses. Default 10.0.0.0/16.").forces_replacement(),
            ),
            Kind::Instance => Schema::of(common)
                .described("A simulated machine.")
                .attribute("size", Attribute::optional_computed(Type::Number, "Its cores. Default 1."))
                .attribute(
                    "network_id",
                    Attribute::optional(Type::String, "The `id` of the network it is in.").forces_replacement(),
                )
                .attribute("address", Attribute::computed(Type::String, "Its address in the network.")),
        }
    }

    /// What the cloud decides for a computed attribute of a new object. `number`: how many of the kind were made before it.
    pub(crate) fn decide(self, attribute: &str, id: &str, number: u64) -> Value {
        match (self, attribute) {
            (_, "id") => Value::from(id),
            (Kind::Network, "cidr") => Value::from("10.0.0.0/16"),
            (Kind::Instance, "size") => Value::from(1),
            (Kind::Instance, "address") => Value::from(format!("10.0.{}.{}", number / 250, number % 250 + 1)),
            (Kind::Network | Kind::Instance, _) => Value::null(),
        }
    }
}
