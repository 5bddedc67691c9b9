//! `oci_core_network_security_group`: what may reach some of the network, and what that may reach.

use pipectl_cloud::Fields;
use pipectl_oci_client::Service;

use crate::cloud::Cloud;
use crate::kind::{Kind, USUAL, named};

pub(crate) struct SecurityGroup;

impl Kind for SecurityGroup {
    type Cloud = Cloud;

    const TYPE: &'static str = "oci_core_network_security_group";
    const NOUN: &'static str = "network security group";
    const SERVICE: Service = Service::Core;
    const COLLECTION: &'static str = "networkSecurityGroups";

    fn fields() -> Fields {
        named("A group of network interfaces to which rules apply.").named("vcn_id", "vcnId", super::vcn()).times(USUAL)
    }
}
