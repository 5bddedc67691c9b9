//! The knobs: how long things take, what fails, and when.
//!
//! All of it is plain data that can be sent as JSON; nothing here acts.

use serde::{Deserialize, Serialize};

/// The knobs of a server. Times are milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// From which chance draws.
    pub seed: u64,
    /// How long each answer is held back.
    pub latency_ms: u64,
    /// How long networks, subnets and gateways are `PROVISIONING` or `TERMINATING`.
    pub network_ms: u64,
    /// How long an instance takes from one state to the next.
    pub instance_ms: u64,
    /// How long a work request of a cluster takes, half of it `ACCEPTED`.
    pub cluster_ms: u64,
    /// How long a work request of a node pool takes, half of it `ACCEPTED`.
    pub node_pool_ms: u64,
    /// How long what belongs to a network is still seen as `TERMINATED`.
    pub network_terminated_ms: u64,
    /// How long instances, clusters and node pools are still seen when they are gone.
    pub terminated_ms: u64,
    /// No page has more entries, whatever `limit` asks for.
    pub page_size: usize,
    /// For how long all replicas but the first do not know that an object was made, changed or removed.
    pub visible_after_ms: u64,
    /// How many replicas answer in turn.
    pub replicas: u64,
    /// For how long a retry token is remembered.
    pub retry_token_ms: u64,
    /// By how many seconds the server's clock is wrong.
    pub clock_offset_seconds: i64,
    /// More requests than this within a second are throttled. `None`: no limit.
    pub requests_per_second: Option<u32>,
    /// What `Retry-After` says on a throttled request.
    pub retry_after_seconds: u64,
    /// Failures by chance.
    pub chance: Chance,
    /// Failures by a script. An entry is taken out when it has been used up.
    pub faults: Vec<Fault>,
    /// Work requests that fail. An entry is taken out when it has been used up.
    pub work_request_failures: Vec<WorkRequestFailure>,
    /// Whether instances tell nothing of their disks but what they were made of, as some real ones do.
    pub hides_disks: bool,
    /// Whether work requests tell only when they are over what they are about.
    pub hides_resources: bool,
    /// `host:port` of the Kubernetes API that clusters name. `None`: an address of documentation.
    pub kubernetes_endpoint: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            latency_ms: 0,
            network_ms: 50,
            instance_ms: 100,
            cluster_ms: 200,
            node_pool_ms: 200,
            network_terminated_ms: 1_000,
            terminated_ms: 3_600_000,
            page_size: 100,
            visible_after_ms: 0,
            replicas: 3,
            retry_token_ms: 86_400_000,
            clock_offset_seconds: 0,
            requests_per_second: None,
            retry_after_seconds: 1,
            chance: Chance::default(),
            faults: Vec::new(),
            work_request_failures: Vec::new(),
            hides_disks: false,
            hides_resources: false,
            kubernetes_endpoint: None,
        }
    }
}

/// How often a request meets a fault, each between 0 and 1. What happens to a call depends on the seed, the operation, its target, and how
/// often it was made; never on the order in which tasks happen to run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Chance {
    /// 429 with `Retry-After`.
    pub throttle: f64,
    /// 500 before anything happened.
    pub error: f64,
    /// The connection is closed before the request has acted.
    pub drop_before: f64,
    /// The request acts, and the connection is closed where the answer should come.
    pub drop_after: f64,
    /// Operations that can meet one: names as `create_vcn`, with `*` at the end for a family. Empty: all.
    pub operations: Vec<String>,
}

/// A fault that meets certain calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The operation, as `create_vcn`, with `*` at the end for a family.
    pub operation: String,
    /// How many calls are spared first.
    #[serde(default)]
    pub skip: u32,
    /// How many calls it meets.
    #[serde(default = "once")]
    pub times: u32,
    /// What happens.
    pub effect: Effect,
}

impl Fault {
    /// The next call of an operation.
    pub fn next(operation: &str, effect: Effect) -> Self {
        Self { operation: operation.to_owned(), skip: 0, times: 1, effect }
    }
}

/// What a fault does to a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// 429 with `Retry-After`.
    Throttle,
    /// The connection is closed before the request has acted.
    DropBefore,
    /// The request acts, and the connection is closed where the answer should come.
    DropAfter,
    /// The answer is held back, in milliseconds.
    Delay(u64),
    /// Refused as told, before anything happened.
    Refuse {
        /// The status.
        status: u16,
        /// OCI's code, as `InternalError`.
        code: String,
        /// What it says.
        message: String,
    },
}

/// Work requests that are accepted and fail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkRequestFailure {
    /// Its operation type, as `CLUSTER_CREATE`.
    pub operation_type: String,
    /// How many of them are still to fail.
    #[serde(default = "once")]
    pub times: u32,
    /// The code of its error.
    pub code: String,
    /// The text of its error.
    pub message: String,
}

impl WorkRequestFailure {
    /// The next work request of a type.
    pub fn next(operation_type: &str, code: &str, message: &str) -> Self {
        let (operation_type, code) = (operation_type.to_owned(), code.to_owned());
        Self { operation_type, times: 1, code, message: message.to_owned() }
    }
}

fn once() -> u32 {
    1
}
