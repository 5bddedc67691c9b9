//! `oci_core_security_list`: what may reach a subnet, and what it may reach.

use pipectl_cloud::{Fields, Group};
use pipectl_core::{Type, Value};
use pipectl_oci_client::Service;
use serde_json::{Map, Value as Json};

use super::ports::{flat, icmp};
use crate::cloud::Cloud;
use crate::kind::{Kind, USUAL, either, named, needed, option};

pub(crate) struct SecurityList;

impl Kind for SecurityList {
    type Cloud = Cloud;

    const TYPE: &'static str = "oci_core_security_list";
    const NOUN: &'static str = "security list";
    const SERVICE: Service = Service::Core;
    const COLLECTION: &'static str = "securityLists";

    fn fields() -> Fields {
        let protocol = || needed("The number of the protocol (6 is TCP, 17 is UDP, 1 is ICMP), or `all`.");
        let ports = |group: Group| {
            group
                .group("tcp_options", flat("tcpOptions", "The ports of TCP that it is about."))
                .group("udp_options", flat("udpOptions", "The ports of UDP that it is about."))
                .group("icmp_options", icmp())
        };
        let egress = Group::unordered("egressSecurityRules", "What may be reached.")
            .with("destination", "destination", needed("The addresses, or the label of a service."))
            .with("destination_type", "destinationType", either(Type::String, "`CIDR_BLOCK` or `SERVICE_CIDR_BLOCK`."))
            .with("protocol", "protocol", protocol())
            .with("description", "description", either(Type::String, "What it is for."))
            .with("stateless", "isStateless", either(Type::Bool, "Whether answers need a rule of their own."));
        let ingress = Group::unordered("ingressSecurityRules", "What may come in.")
            .with("source", "source", needed("The addresses, or the label of a service."))
            .with("source_type", "sourceType", either(Type::String, "`CIDR_BLOCK` or `SERVICE_CIDR_BLOCK`."))
            .with("protocol", "protocol", protocol())
            .with("description", "description", either(Type::String, "What it is for."))
            .with("stateless", "isStateless", option(Type::Bool, "Whether answers need a rule of their own."))
            .default("stateless", false);
        named("What may reach a subnet, and what it may reach.")
            .named("vcn_id", "vcnId", super::vcn())
            .group("egress_security_rules", ports(egress))
            .group("ingress_security_rules", ports(ingress))
            .times(USUAL)
    }

    fn body(fields: &Fields, planned: &Value) -> Map<String, Json> {
        let mut body = fields.body(planned);
        // The service wants to be told that there are none.
        for member in ["egressSecurityRules", "ingressSecurityRules"] {
            body.entry(member).or_insert_with(|| Json::Array(Vec::new()));
        }
        body
    }
}
