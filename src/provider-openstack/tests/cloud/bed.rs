//! The provider with an environment, and the steps that the engine takes with a kind.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use pipectl_core::Diagnostics;
use pipectl_provider::{Kinds, Resource};
use pipectl_provider_openstack::OpenStack;
use pipectl_sim::steps::Steps;
pub use pipectl_sim::steps::{config, done, kept, planned, read, text, words};
use serde_json::{Value as Json, json};

pub const NETWORK: &str = "openstack_networking_network_v2";

pub struct Bed {
    steps: Steps,
    /// Is there as long as the bed is.
    _folder: tempfile::TempDir,
}

impl Deref for Bed {
    type Target = Steps;

    fn deref(&self) -> &Steps {
        &self.steps
    }
}

impl DerefMut for Bed {
    fn deref_mut(&mut self) -> &mut Steps {
        &mut self.steps
    }
}

impl Bed {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        Self { steps: Steps::new("openstack_networking_network_v2.x", folder.path()), _folder: folder }
    }

    /// The variables of an openrc file for a server.
    pub fn of(address: &str) -> Self {
        let mut bed = Self::new();
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

    pub async fn configure(&self, block: &Json) -> Result<Arc<Kinds>, Diagnostics> {
        self.steps.configure(&OpenStack::new(), block).await
    }

    pub async fn networks(&self) -> Arc<dyn Resource> {
        self.kind(NETWORK).await
    }

    /// A kind of a cloud that has the service that it needs, and that of networks.
    pub async fn kind(&self, name: &str) -> Arc<dyn Resource> {
        let kinds = self.configure(&json!({})).await.unwrap_or_else(|found| panic!("{}", words(&found)));
        Arc::clone(&kinds.resources[name])
    }
}
