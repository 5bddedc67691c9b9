//! The steps that the engine takes with the provider and its kinds, in the surroundings that its users have.

use pipectl_provider_openstack::OpenStack;
pub use pipectl_sim::steps::{Steps, config, done, kept, planned, read, text, words};

pub const NETWORK: &str = "openstack_networking_network_v2";

/// Nothing but a folder.
pub fn bed() -> Steps {
    Steps::new(OpenStack::new(), "openstack_networking_network_v2.x")
}

/// The variables of an openrc file for a server.
pub fn of(address: &str) -> Steps {
    let mut bed = bed();
    for (name, value) in [
        ("OS_AUTH_URL", format!("http://{address}/v3").as_str()),
        ("OS_USERNAME", "anna"),
        ("OS_PASSWORD", "hunter2"),
        ("OS_PROJECT_NAME", "physics"),
        ("OS_REGION_NAME", "cern"),
    ] {
        bed.set(name, value);
    }
    bed
}
