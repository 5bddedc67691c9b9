//! OpenStack: clusters of Magnum, servers of Nova, networks of Neutron, and what they need.
//!
//! Kinds have the names, arguments and rules of the Terraform provider `terraform-provider-openstack/openstack`, version 3, so that
//! configurations move over. Credentials come as OpenStack's own tools take them: from the block, from `clouds.yaml`, from `OS_*`.
//!
//! A kind is a table of its arguments and a few calls; everything else is the same for all clouds (`pipectl-cloud`).
//!
//! What it deliberately leaves out: block storage, load balancers, orchestration.

mod cloud;
mod compute;
mod containerinfra;
mod credentials;
mod fault;
mod identity;
mod image;
mod kind;
mod networking;
mod provider;
mod settings;

pub use provider::OpenStack;
