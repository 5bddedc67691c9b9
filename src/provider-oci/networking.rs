//! Networks: what the virtual network service has.
//!
//! API: https://docs.oracle.com/en-us/iaas/api/#/en/iaas/20160918/

mod gateway;
mod ports;
mod route_table;
mod security_group;
mod security_list;
mod security_rule;
mod services;
mod subnet;
mod vcn;

pub(crate) use gateway::{InternetGateway, NatGateway, ServiceGateway};
pub(crate) use route_table::RouteTable;
pub(crate) use security_group::SecurityGroup;
pub(crate) use security_list::SecurityList;
pub(crate) use security_rule::SecurityRule;
pub(crate) use services::ServicesData;
pub(crate) use subnet::Subnet;
pub(crate) use vcn::Vcn;

use pipectl_core::Attribute;

use crate::kind::needed;

/// The network that something is in.
fn vcn() -> Attribute {
    needed("The OCID of its network.").forces_replacement()
}
