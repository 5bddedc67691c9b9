//! A provider with an environment, and the steps that the engine takes with a kind.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use pipectl_core::json::from_json_as;
use pipectl_core::{Address, BlockBody, Diagnostics, Nesting, Schema, Value};
use pipectl_provider::context::Recorder;
use pipectl_provider::{
    ApplyOutcome, Cx, Environment, Instance, Intent, Kinds, PlanRequest, PlanResponse, Provider, ReadOutcome, Resource,
};
use pipectl_provider_openstack::OpenStack;
use pipectl_sim::context;
use serde_json::{Value as Json, json};

use super::server::clock;

pub const NETWORK: &str = "openstack_networking_network_v2";

pub struct Bed {
    pub folder: tempfile::TempDir,
    pub variables: BTreeMap<String, String>,
    pub recorded: Arc<Mutex<Json>>,
}

struct World {
    variables: BTreeMap<String, String>,
    home: PathBuf,
}

impl Environment for World {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn home(&self) -> Option<PathBuf> {
        Some(self.home.clone())
    }

    fn now(&self) -> SystemTime {
        clock()
    }

    fn program(&self) -> PathBuf {
        PathBuf::from("pipectl")
    }
}

impl Bed {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: BTreeMap::new(), recorded: Arc::default() }
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

    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn cx(&self, token: &str) -> Cx {
        let recorded = Arc::clone(&self.recorded);
        Cx {
            root: self.folder.path().to_owned(),
            environment: Arc::new(World { variables: self.variables.clone(), home: self.folder.path().join("home") }),
            recorder: Recorder::new(move |json| *recorded.lock().unwrap() = json),
            ..context("openstack_networking_network_v2.x", token)
        }
    }

    pub async fn configure(&self, block: &Json) -> Result<Arc<Kinds>, Diagnostics> {
        let provider = OpenStack::new();
        let config = config(provider.schema(), block);
        let found = provider.validate(&config);
        if found.has_errors() {
            return Err(found);
        }
        provider.configure(&self.cx("none"), &config).await
    }

    pub async fn networks(&self) -> Arc<dyn Resource> {
        Arc::clone(&self.configure(&json!({})).await.unwrap().resources[NETWORK])
    }

    /// A kind of a cloud that has the service that it needs, and that of networks.
    pub async fn kind(&self, name: &str) -> Arc<dyn Resource> {
        Arc::clone(&self.configure(&json!({})).await.unwrap().resources[name])
    }

    pub async fn plan(&self, kind: &dyn Resource, given: &Json, prior: Option<&Instance>) -> PlanResponse {
        let address: Address = "openstack_networking_network_v2.x".parse().unwrap();
        let config = config(kind.schema(), given);
        let request = PlanRequest { address: &address, config: &config, prior, drift: &[], replace: false };
        kind.plan(&self.cx("plan"), request).await.unwrap()
    }

    pub async fn create(&self, kind: &dyn Resource, given: &Json, token: &str) -> ApplyOutcome {
        let planned = planned(kind, self.plan(kind, given, None).await);
        kind.create(&self.cx(token), &planned).await
    }

    /// What the engine would ask about a call that was announced at a time.
    pub async fn intent(&self, kind: &dyn Resource, given: &Json, token: &str, began: SystemTime) -> Intent {
        let planned = self.plan(kind, given, None).await.planned;
        let known = planned.as_object().unwrap().iter().filter(|(_, value)| value.is_wholly_known());
        let arguments =
            known.map(|(name, value)| (name.clone(), pipectl_core::json::to_json(value).unwrap())).collect();
        let recorded = self.recorded.lock().unwrap().clone();
        Intent {
            token: token.to_owned(),
            arguments: Json::Object(arguments),
            recorded,
            began: Some(began),
            known: BTreeSet::new(),
        }
    }
}

/// An object as the state has it that was made of some arguments: with nothing in the place of what was open, and some attributes.
pub fn kept(response: PlanResponse, attributes: &[(&str, Value)]) -> Instance {
    let closed = response.planned.map_deep(&|value| match value.kind() {
        pipectl_core::Kind::Unknown(unknown) => Value::null_of(unknown.ty.clone()),
        _ => value,
    });
    Instance::new(attributes.iter().fold(closed, |closed, (name, value)| closed.with_attribute(name, value.clone())))
}

pub fn planned(kind: &dyn Resource, response: PlanResponse) -> Instance {
    Instance { attributes: response.planned, private: response.private, schema_version: kind.schema().version }
}

pub async fn read(kind: &dyn Resource, cx: &Cx, prior: &Instance) -> Option<Instance> {
    match kind.read(cx, prior).await.unwrap() {
        ReadOutcome::Present { instance, .. } => Some(*instance),
        ReadOutcome::Gone => None,
    }
}

/// The object of a call that went well.
pub fn done(outcome: ApplyOutcome) -> Instance {
    assert!(outcome.diagnostics.is_empty(), "{}", words(&outcome.diagnostics));
    let instance = outcome.instance.unwrap();
    assert!(instance.attributes.is_wholly_known(), "{}", instance.attributes);
    instance
}

pub fn words(found: &Diagnostics) -> String {
    found.iter().map(|one| format!("{}: {} ({})\n", one.summary, one.detail, one.hints.join("; "))).collect()
}

pub fn text<'a>(instance: &'a Instance, name: &str) -> &'a str {
    instance.attributes.attribute(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no {name}"))
}

/// Arguments as the engine hands them over.
pub fn config(schema: &Schema, given: &Json) -> Value {
    let attributes = schema
        .attributes
        .iter()
        .map(|(name, attribute)| (name.clone(), from_json_as(&given[name], &attribute.ty).unwrap()));
    let blocks = schema.blocks.iter().map(|(name, block)| {
        let BlockBody::Uniform(schema) = &block.body else { panic!("no block here goes by label") };
        let value = match (&given[name], block.nesting) {
            (Json::Array(bodies), _) => Value::tuple(bodies.iter().map(|body| config(schema, body))),
            (body @ Json::Object(_), _) => config(schema, body),
            (_, Nesting::List { .. }) => Value::tuple([]),
            (_, Nesting::Single { .. }) => Value::null(),
        };
        (name.clone(), value)
    });
    Value::object(attributes.chain(blocks).collect::<Vec<_>>())
}
