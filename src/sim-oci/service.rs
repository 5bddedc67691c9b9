//! The services, each of which the real cloud has at an address of its own.

/// A service of OCI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Networking and Compute.
    Core,
    /// Kubernetes Engine.
    ContainerEngine,
    /// Object Storage.
    ObjectStorage,
    /// Identity.
    Identity,
    /// The authentication service, which gives instances their tokens.
    Auth,
}

impl Service {
    /// All of them.
    pub const ALL: [Service; 5] =
        [Service::Core, Service::ContainerEngine, Service::ObjectStorage, Service::Identity, Service::Auth];

    /// Its name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Service::Core => "core",
            Service::ContainerEngine => "containerengine",
            Service::ObjectStorage => "objectstorage",
            Service::Identity => "identity",
            Service::Auth => "auth",
        }
    }
}
