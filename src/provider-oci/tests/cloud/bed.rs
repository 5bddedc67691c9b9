//! A provider with an environment and a server, and the steps that the engine takes with a kind.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use pipectl_core::json::from_json_as;
use pipectl_core::{Address, BlockBody, Diagnostics, Nesting, Schema, Value};
use pipectl_provider::context::Recorder;
use pipectl_provider::{
    ApplyOutcome, Cx, Effect, Environment, Instance, Intent, Kinds, PlanRequest, PlanResponse, Provider, ReadOutcome,
    Resource,
};
use pipectl_provider_oci::Oci;
use pipectl_sim::context;
use pipectl_sim_oci::Server;
use serde_json::{Value as Json, json};

pub struct Bed {
    pub folder: tempfile::TempDir,
    pub variables: BTreeMap<String, String>,
    pub recorded: Arc<Mutex<Json>>,
    pub server: Server,
}

struct World {
    variables: BTreeMap<String, String>,
    home: PathBuf,
}

/// The time of the real clock, which the server goes by.
#[expect(clippy::disallowed_methods, reason = "the server goes by the real clock")]
pub fn clock() -> SystemTime {
    SystemTime::now()
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
    /// A server, and a configuration file of the user that it knows.
    pub fn new() -> Self {
        let server = Server::start().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let profile = server.profile();
        let config = folder.path().join("home/.oci");
        std::fs::create_dir_all(&config).unwrap();
        std::fs::write(config.join("key.pem"), &profile.private_key).unwrap();
        std::fs::write(config.join("config"), profile.config_file("~/.oci/key.pem")).unwrap();
        Self { folder, variables: BTreeMap::new(), recorded: Arc::default(), server }
    }

    pub fn cx(&self, token: &str) -> Cx {
        let recorded = Arc::clone(&self.recorded);
        Cx {
            root: self.folder.path().to_owned(),
            environment: Arc::new(World { variables: self.variables.clone(), home: self.folder.path().join("home") }),
            recorder: Recorder::new(move |json| *recorded.lock().unwrap() = json),
            ..context("oci_core_vcn.x", token)
        }
    }

    pub async fn configure(&self, mut block: Json) -> Result<Arc<Kinds>, Diagnostics> {
        let endpoint = self.server.endpoint();
        let all = ["iaas", "containerengine", "objectstorage", "identity", "auth"];
        block["endpoint_overrides"] = all.iter().map(|name| ((*name).to_owned(), json!(endpoint))).collect();
        let provider = Oci::new();
        let config = config(provider.schema(), &block);
        let found = provider.validate(&config);
        if found.has_errors() {
            return Err(found);
        }
        provider.configure(&self.cx("none"), &config).await
    }

    pub async fn kinds(&self) -> Arc<Kinds> {
        self.configure(json!({})).await.unwrap_or_else(|found| panic!("{}", words(&found)))
    }

    pub async fn plan(&self, kind: &dyn Resource, given: &Json, prior: Option<&Instance>) -> PlanResponse {
        let address: Address = "oci_core_vcn.x".parse().unwrap();
        let config = config(kind.schema(), given);
        let found = kind.validate(&config);
        assert!(!found.has_errors(), "{}", words(&found));
        let request = PlanRequest { address: &address, config: &config, prior, drift: &[], replace: false };
        kind.plan(&self.cx("plan"), request).await.unwrap()
    }

    pub async fn create(&self, kind: &dyn Resource, given: &Json, token: &str) -> ApplyOutcome {
        let planned = planned(kind, self.plan(kind, given, None).await);
        kind.create(&self.cx(token), &planned).await
    }

    /// Makes an object; what is seen of it then is what was made, and the plan has nothing to do.
    pub async fn made(&self, kind: &dyn Resource, given: &Json, token: &str) -> Instance {
        let made = done(self.create(kind, given, token).await);
        self.settled(kind, given, made).await
    }

    async fn settled(&self, kind: &dyn Resource, given: &Json, made: Instance) -> Instance {
        let seen = read(kind, &self.cx("read"), &made).await.unwrap();
        let response = self.plan(kind, given, Some(&seen)).await;
        let reasons: Vec<_> = response.reasons.iter().map(|reason| reason.text.clone()).collect();
        assert_eq!(response.effect, Effect::NoOp, "{reasons:?}\n{}\n{}", made.attributes, seen.attributes);
        seen
    }

    /// Changes an object in its place.
    pub async fn changed(&self, kind: &dyn Resource, given: &Json, prior: &Instance, token: &str) -> Instance {
        let response = self.plan(kind, given, Some(prior)).await;
        assert_eq!(response.effect, Effect::Update, "{:?}", response.reasons);
        let changed = done(kind.update(&self.cx(token), prior, &planned(kind, response)).await);
        self.settled(kind, given, changed).await
    }

    pub async fn removed(&self, kind: &dyn Resource, prior: &Instance) {
        let outcome = kind.delete(&self.cx("delete"), prior).await;
        assert!(outcome.instance.is_none() && outcome.diagnostics.is_empty(), "{}", words(&outcome.diagnostics));
        assert!(read(kind, &self.cx("read"), prior).await.is_none());
        assert!(kind.delete(&self.cx("again"), prior).await.diagnostics.is_empty(), "gone is gone");
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

pub fn planned(kind: &dyn Resource, response: PlanResponse) -> Instance {
    Instance { attributes: response.planned, private: response.private, schema_version: kind.schema().version }
}

pub async fn read(kind: &dyn Resource, cx: &Cx, prior: &Instance) -> Option<Instance> {
    match kind.read(cx, prior).await.unwrap_or_else(|found| panic!("{}", words(&found))) {
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
            (body @ Json::Object(_), Nesting::Single { .. }) => config(schema, body),
            (body @ Json::Object(_), Nesting::List { .. }) => Value::tuple([config(schema, body)]),
            (_, Nesting::List { .. }) => Value::tuple([]),
            (_, Nesting::Single { .. }) => Value::null(),
        };
        (name.clone(), value)
    });
    Value::object(attributes.chain(blocks).collect::<Vec<_>>())
}
