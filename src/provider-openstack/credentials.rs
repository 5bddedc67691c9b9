//! Credentials that users make for programs: Keystone.
//!
//! API: https://docs.openstack.org/api-ref/identity/v3/, "Application credentials", and the extension OS-EC2.

mod application;
mod ec2;

pub(crate) use application::ApplicationCredential;
pub(crate) use ec2::Ec2Credential;
