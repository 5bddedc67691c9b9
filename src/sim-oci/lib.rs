//! A simulated Oracle Cloud Infrastructure on loopback: an independent witness for whatever speaks to OCI.
//!
//! ```no_run
//! let server = pipectl_sim_oci::Server::start().expect("a port of loopback is free");
//! server.change(|settings| settings.cluster_ms = 50);
//! let endpoint = server.endpoint(); // http://127.0.0.1:PORT, all services; `endpoint_of` for one that knows its own alone
//! let profile = server.profile(); // tenancy, user, fingerprint, key: what a config file holds; `profile.config_file(key_path)`
//! # let _ = (endpoint, profile);
//! ```
//!
//! It judges every request by a contract that is made from the official SDK's clients and models (`contract.json`, written by
//! `tests/peers/oci_contract_golden.py`): an operation that is not there is a 404, a member that is unknown, missing or of the wrong type a 400.
//! It judges its own answers by the same contract, and answers `SimulatorFault` where it broke it.
//! Signatures, body digests and clock skew are checked as the real services do. Objects have ids, etags and lifecycle states that take their time;
//! what something else still needs cannot be deleted. `tests/peers/oci_interop.py` proves all of it with the unmodified SDK and CLI of Oracle.
//!
//! **Services**: Networking and Compute ([`Service::Core`]), Kubernetes Engine, Object Storage, a little Identity, and the
//! authentication service with instance metadata ([`Server::instance_metadata`]). The operations are those of the contract.
//!
//! **Knobs** are [`Settings`]: how long states take, page size, latency, eventual consistency, throttling and failures by seeded chance, faults
//! by a script ([`Fault`]: the next call of an operation is throttled, fails, is dropped before or after it acted), work requests that fail.
//! They are set in code ([`Server::change`]) or, for the binary, over a control path that needs no signature:
//! `GET|POST /_sim/settings` (a POST changes what it names), `GET /_sim/requests` (counts by operation), `GET /_sim/objects` (all that is not
//! gone), `POST /_sim/keys` and `POST /_sim/session-tokens`.
//!
//! **Where nobody outside of Oracle knows the order of checks**, the strict one is taken: an etag changes with the lifecycle state too, a parent must
//! be `AVAILABLE` before something is made in it, an upload in chunks that does not say its length is a 411. Object Storage does not lag behind; the
//! rules of security groups do not either, which the real ones may. Deliberately left out: everything kept beyond the process's life, quotas, policies, IPv6,
//! volumes, virtual node pools, add-ons, pre-authenticated requests, encryption keys of customers.

mod address;
mod answer;
mod authority;
mod buckets;
mod catalogue;
mod clusters;
mod compute;
mod connection;
mod contract;
mod control;
mod credentials;
mod faults;
mod gateways;
mod identity;
mod judge;
mod kubeconfig;
mod listing;
mod metadata;
mod multipart;
mod network;
mod node_pools;
mod objects;
mod removal;
mod request;
mod rules;
mod server;
mod service;
mod settings;
mod signature;
mod store;
mod vnics;
mod work_requests;
mod world;

pub use credentials::Profile;
pub use server::{Logged, Server};
pub use service::Service;
pub use settings::{Chance, Effect, Fault, Settings, WorkRequestFailure};
pub use world::{COMPARTMENT, NAMESPACE, OTHER_COMPARTMENT, REGION, TENANCY, USER};
