//! The kinds of resource of the simulated cloud.

use pipectl_core::{Attribute, Number, Schema, Type, Value};

/// Type name of networks: `resource "sim_network" "<name>"`.
pub const NETWORK: &str = "sim_network";
/// Type name of instances: `resource "sim_instance" "<name>"`.
pub const INSTANCE: &str = "sim_instance";

/// Type name of clusters, as resources and as data: `resource "sim_cluster" "<name>"`.
pub const CLUSTER: &str = "sim_cluster";
/// The type of ephemeral tokens of clusters.
pub const TOKEN: &str = "sim_token";

/// The region of a provider that names none.
pub(crate) const HOME: &str = "home";

/// A kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Network,
    Instance,
    Cluster,
}

impl Kind {
    pub(crate) const ALL: [Kind; 3] = [Kind::Network, Kind::Instance, Kind::Cluster];

    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Kind::Network => NETWORK,
            Kind::Instance => INSTANCE,
            Kind::Cluster => CLUSTER,
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
            Kind::Cluster => Schema::of(common)
                .described("A simulated cluster, in which other objects can live: its endpoint and token configure the provider.")
                .attribute("release", Attribute::optional_computed(Type::Number, "Its software. Another one gives it another endpoint. Default 1."))
                .attribute("endpoint", Attribute::computed(Type::String, "Where it answers."))
                .attribute("token", Attribute::computed(Type::String, "What it asks for.").sensitive().readable_again()),
        }
    }

    /// Where a cluster answers.
    pub(crate) fn endpoint(id: &str, release: i64) -> Value {
        Value::from(match release {
            1 => format!("https://{id}.sim"),
            release => format!("https://{id}-{release}.sim"),
        })
    }

    /// What the cloud sets whatever was asked for.
    pub(crate) fn decided(self, id: &str, attributes: Value) -> Value {
        match self {
            Kind::Network | Kind::Instance => attributes,
            Kind::Cluster => {
                let release = attributes.attribute("release").and_then(Value::as_number).and_then(Number::to_i64);
                attributes.with_attribute("endpoint", Self::endpoint(id, release.unwrap_or(1)))
            }
        }
    }

    /// What the cloud decides for a computed attribute of a new object. `number`: how many of the kind were made before it.
    pub(crate) fn decide(self, attribute: &str, id: &str, number: u64) -> Value {
        match (self, attribute) {
            (_, "id") => Value::from(id),
            (Kind::Network, "cidr") => Value::from("10.0.0.0/16"),
            (Kind::Instance, "size") => Value::from(1),
            (Kind::Instance, "address") => Value::from(format!("10.0.{}.{}", number / 250, number % 250 + 1)),
            (Kind::Cluster, "release") => Value::from(1),
            (Kind::Cluster, "token") => Value::from(format!("token of {id}")),
            // The endpoint follows from the release: see `decided`.
            (Kind::Network | Kind::Instance | Kind::Cluster, _) => Value::null(),
        }
    }
}
