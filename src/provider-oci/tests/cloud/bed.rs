//! The provider with a server of its own, and the steps that the engine takes with a kind.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use pipectl_core::Diagnostics;
use pipectl_provider::Kinds;
use pipectl_provider_oci::Oci;
use pipectl_sim::steps::Steps;
pub use pipectl_sim::steps::{clock, config, done, planned, read, text, words};
use pipectl_sim_oci::Server;
use serde_json::{Value as Json, json};

pub struct Bed {
    steps: Steps,
    pub server: Server,
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
    /// A server, and a configuration file of the user that it knows.
    pub fn new() -> Self {
        let server = Server::start().expect("a port of loopback is free");
        let steps = Steps::new(Oci::new(), "oci_core_vcn.x");
        let profile = server.profile();
        steps.write("home/.oci/key.pem", &profile.private_key);
        steps.write("home/.oci/config", &profile.config_file("~/.oci/key.pem"));
        Self { steps, server }
    }

    pub async fn configure(&self, mut block: Json) -> Result<Arc<Kinds>, Diagnostics> {
        let endpoint = self.server.endpoint();
        let all = ["iaas", "containerengine", "objectstorage", "identity", "auth"];
        block["endpoint_overrides"] = all.iter().map(|name| ((*name).to_owned(), json!(endpoint))).collect();
        self.steps.configure(&block).await
    }

    pub async fn kinds(&self) -> Arc<Kinds> {
        self.configure(json!({})).await.unwrap_or_else(|found| panic!("{}", words(&found)))
    }
}
