//! Servers and what they need: Nova.
//!
//! API: https://docs.openstack.org/api-ref/compute/.

mod flavor;
mod instance;
mod keypair;

pub(crate) use flavor::FlavorData;
pub(crate) use instance::Instance;
pub(crate) use keypair::KeyPair;
