//! `oci_core_internet_gateway`, `oci_core_nat_gateway`, `oci_core_service_gateway`: ways out of a network.

use pipectl_cloud::{Fields, Group};
use pipectl_core::Type;
use pipectl_oci_client::Service;

use crate::cloud::Cloud;
use crate::kind::{Kind, USUAL, either, named, needed, option, told};

pub(crate) struct InternetGateway;

impl Kind for InternetGateway {
    type Cloud = Cloud;

    const TYPE: &'static str = "oci_core_internet_gateway";
    const NOUN: &'static str = "internet gateway";
    const SERVICE: Service = Service::Core;
    const COLLECTION: &'static str = "internetGateways";

    fn fields() -> Fields {
        named("The way to and from the Internet, for what has a public address.")
            .named("vcn_id", "vcnId", super::vcn())
            .named("enabled", "isEnabled", option(Type::Bool, "Whether it is open."))
            .default("enabled", true)
            .named("route_table_id", "routeTableId", either(Type::String, "The route table for what comes in."))
            .times(USUAL)
    }
}

pub(crate) struct NatGateway;

impl Kind for NatGateway {
    type Cloud = Cloud;

    const TYPE: &'static str = "oci_core_nat_gateway";
    const NOUN: &'static str = "NAT gateway";
    const SERVICE: Service = Service::Core;
    const COLLECTION: &'static str = "natGateways";

    fn fields() -> Fields {
        named("The way into the Internet, for what has no public address.")
            .named("vcn_id", "vcnId", super::vcn())
            .named("block_traffic", "blockTraffic", either(Type::Bool, "Whether it is closed. Default false."))
            .named(
                "public_ip_id",
                "publicIpId",
                either(Type::String, "Its address, where it is one's own.").forces_replacement(),
            )
            .named("route_table_id", "routeTableId", either(Type::String, "The route table for what comes in."))
            .named("nat_ip", "natIp", told(Type::String, "Its address."))
            .times(USUAL)
    }
}

pub(crate) struct ServiceGateway;

impl Kind for ServiceGateway {
    type Cloud = Cloud;

    const TYPE: &'static str = "oci_core_service_gateway";
    const NOUN: &'static str = "service gateway";
    const SERVICE: Service = Service::Core;
    const COLLECTION: &'static str = "serviceGateways";

    fn fields() -> Fields {
        let service = Group::unordered("services", "A service, or a group of services, that it leads to.")
            .with("service_id", "serviceId", needed("The OCID of the service: see `oci_core_services`."))
            .with("service_name", "serviceName", told(Type::String, "Its name."));
        named("The way to Oracle's own services.")
            .named("vcn_id", "vcnId", super::vcn())
            .named("route_table_id", "routeTableId", either(Type::String, "The route table for what comes in."))
            .named("block_traffic", "blockTraffic", told(Type::Bool, "Whether it is closed."))
            .group("services", service)
            .times(USUAL)
    }
}
