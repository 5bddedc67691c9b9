//! The provider with a server of its own, and the steps that the engine takes with a kind.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use pipectl_core::{Diagnostics, Value};
use pipectl_provider::{DataSource, Kinds, Resource};
use pipectl_provider_oci::Oci;
use pipectl_sim::steps::Steps;
pub use pipectl_sim::steps::{clock, config, done, planned, read, text, words};
use pipectl_sim_oci::{COMPARTMENT, Server};
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

/// A network with a subnet.
pub async fn network(bed: &Bed, of: impl Fn(&str) -> Arc<dyn Resource>) -> (String, String) {
    let vcn = bed
        .made(&*of("oci_core_vcn"), &json!({ "compartment_id": COMPARTMENT, "cidr_block": "10.0.0.0/16" }), "v")
        .await;
    let vcn = text(&vcn, "id").to_owned();
    let subnet = json!({ "compartment_id": COMPARTMENT, "vcn_id": vcn, "cidr_block": "10.0.1.0/24" });
    let subnet = bed.made(&*of("oci_core_subnet"), &subnet, "s").await;
    (vcn, text(&subnet, "id").to_owned())
}

/// What a data source tells.
pub async fn looked(bed: &Bed, source: &dyn DataSource, given: Json) -> Value {
    source
        .read(&bed.cx("d"), &config(source.schema(), &given))
        .await
        .unwrap_or_else(|found| panic!("{}", words(&found)))
}

/// A text of the first element of a list.
pub fn first(value: &Value, list: &str, name: &str) -> String {
    let first =
        value.attribute(list).and_then(|list| list.as_slice()?.first().cloned()).expect("the list has elements");
    first.attribute(name).and_then(Value::as_str).expect("elements have such a text").to_owned()
}
