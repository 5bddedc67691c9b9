//! Oracle Cloud Infrastructure: who asks, and how its services are spoken to.
//!
//! Requests are signed as Oracle's SDKs sign them (draft-cavage-http-signatures, RSA with SHA-256), byte for byte: [`Signer`] is an `Authorize`
//! of `pipectl-http`. Who asks is a [`Credential`]: an API key, a session token, an instance, a resource, or a pod of a Kubernetes cluster; all
//! but the first come to a token with a key of its own, which is renewed before it ends. [`Endpoint`] knows the habits that services share:
//! retry tokens, entity tags, pages, errors; [`work_request`] reads what a long operation says of itself.
//!
//! What it deliberately leaves out: what objects there are. Environment variables and the clock are handed in.

mod claims;
mod credential;
mod endpoint;
mod fault;
mod key;
mod profile;
mod region;
mod settings;
mod sign;
mod signer;
pub mod work_request;

pub use credential::{Credential, InstanceMetadata, Workload};
pub use endpoint::{Endpoint, Failed, RetryToken, Seen, Service, retry_token};
pub use fault::{ClockSkew, Refusal, failed, said};
pub use key::{KeyError, PrivateKey};
pub use profile::{Profile, ProfileError};
pub use region::{Region, realm_domain};
pub use settings::{Environment, resource_principal, workload};
pub use sign::{Identity, signature};
pub use signer::Signer;
