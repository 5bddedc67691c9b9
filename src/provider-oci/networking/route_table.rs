//! `oci_core_route_table`: where packets go.

use pipectl_cloud::{Fields, Group};
use pipectl_core::Type;
use pipectl_oci_client::Service;
use serde_json::{Map, Value as Json};

use crate::cloud::Cloud;
use crate::kind::{Kind, USUAL, either, named, needed};

pub(crate) struct RouteTable;

impl Kind for RouteTable {
    type Cloud = Cloud;

    const TYPE: &'static str = "oci_core_route_table";
    const NOUN: &'static str = "route table";
    const SERVICE: Service = Service::Core;
    const COLLECTION: &'static str = "routeTables";

    fn fields() -> Fields {
        let rule = Group::unordered("routeRules", "Where packets for some addresses go.")
            .with("network_entity_id", "networkEntityId", needed("The OCID of what they go to: a gateway, an address."))
            .with("destination", "destination", either(Type::String, "The addresses, or the label of a service."))
            .with("destination_type", "destinationType", either(Type::String, "`CIDR_BLOCK` or `SERVICE_CIDR_BLOCK`."))
            .with("cidr_block", "cidrBlock", either(Type::String, "The addresses, as they were given formerly."))
            .with("description", "description", either(Type::String, "What it is for."))
            .with("route_type", "routeType", either(Type::String, "`STATIC` or `LOCAL`."));
        named("Where the packets of a subnet go.")
            .named("vcn_id", "vcnId", super::vcn())
            .group("route_rules", rule)
            .times(USUAL)
    }

    fn body(fields: &Fields, planned: &pipectl_core::Value) -> Map<String, Json> {
        let mut body = fields.body(planned);
        // The service wants to be told that there are none.
        body.entry("routeRules").or_insert_with(|| Json::Array(Vec::new()));
        body
    }
}
