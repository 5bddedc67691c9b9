//! `oci_core_subnet`: some of the addresses of a network.

use async_trait::async_trait;
use pipectl_cloud::{Cloud as _, Fields, differs};
use pipectl_core::{Diagnostic, Diagnostics, Path, Type, Value};
use pipectl_oci_client::Service;
use pipectl_provider::rules::{at_least_one_of, conflicts};

use crate::cloud::Cloud;
use crate::kind::{Fault, Kind, NOT_IN_PLACE, Place, USUAL, either, named, told};

pub(crate) struct Subnet;

#[async_trait]
impl Kind for Subnet {
    type Cloud = Cloud;

    const TYPE: &'static str = "oci_core_subnet";
    const NOUN: &'static str = "subnet";
    const SERVICE: Service = Service::Core;
    const COLLECTION: &'static str = "subnets";

    fn fields() -> Fields {
        let list = || Type::list(Type::String);
        let fixed = |ty, description| either(ty, description).forces_replacement();
        named("Some of the addresses of a network.")
            .named("vcn_id", "vcnId", super::vcn())
            .named(
                "availability_domain",
                "availabilityDomain",
                fixed(Type::String, "The availability domain that it is in. Default: all of the region."),
            )
            .named("cidr_block", "cidrBlock", either(Type::String, "Its addresses."))
            .named("ipv4cidr_blocks", "ipv4CidrBlocks", either(list(), "Its addresses, where they are several blocks."))
            .named("ipv6cidr_block", "ipv6CidrBlock", either(Type::String, "Its IPv6 addresses."))
            .named(
                "ipv6cidr_blocks",
                "ipv6CidrBlocks",
                either(list(), "Its IPv6 addresses, where they are several blocks."),
            )
            .named(
                "dhcp_options_id",
                "dhcpOptionsId",
                either(Type::String, "Its DHCP options. Default: the network's."),
            )
            .named("dns_label", "dnsLabel", fixed(Type::String, "Its name in host names."))
            .named(
                "prohibit_internet_ingress",
                "prohibitInternetIngress",
                fixed(Type::Bool, "Whether nobody in the Internet may begin to talk to it."),
            )
            .named(
                "prohibit_public_ip_on_vnic",
                "prohibitPublicIpOnVnic",
                fixed(Type::Bool, "Whether nothing in it has a public address."),
            )
            .named("route_table_id", "routeTableId", either(Type::String, "Its route table. Default: the network's."))
            .named(
                "security_list_ids",
                "securityListIds",
                either(Type::set(Type::String), "Its security lists. Default: the network's."),
            )
            .named(
                "ipv6virtual_router_ip",
                "ipv6VirtualRouterIp",
                told(Type::String, "The IPv6 address of its router."),
            )
            .named("subnet_domain_name", "subnetDomainName", told(Type::String, "The domain of its host names."))
            .named("virtual_router_ip", "virtualRouterIp", told(Type::String, "The address of its router."))
            .named("virtual_router_mac", "virtualRouterMac", told(Type::String, "The MAC address of its router."))
            .any_case(["availability_domain", "dns_label"])
            .moving_with("cidr_block", ["ipv4cidr_blocks", "virtual_router_ip"])
            .moving_with("ipv6cidr_block", ["ipv6cidr_blocks", "ipv6virtual_router_ip"])
            .moving_with("ipv6cidr_blocks", ["ipv6cidr_block", "ipv6virtual_router_ip"])
            .times(USUAL)
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut found = conflicts(config, "cidr_block", &["ipv4cidr_blocks"]);
        found.extend(at_least_one_of(config, &["cidr_block", "ipv4cidr_blocks", "ipv6cidr_block", "ipv6cidr_blocks"]));
        found
    }

    async fn update(at: &Place<'_>, id: &str, prior: &Value, planned: &Value) -> Result<bool, Fault> {
        if differs(prior, planned, "ipv4cidr_blocks") {
            let detail = "Blocks of addresses of a subnet that is there are not added or taken away here.";
            let hint = format!("oci network subnet add-ipv4-subnet-cidr --subnet-id {id}");
            return Err(Diagnostic::error(NOT_IN_PLACE, detail).on(Path::of("ipv4cidr_blocks")).hint(hint).into());
        }
        Cloud::update::<Self>(at, id, prior, planned).await
    }
}
