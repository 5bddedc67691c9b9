//! The steps that the engine takes with a provider and its kinds, for tests of providers: configure, plan, create, look, change, remove, ask about an intent.
//!
//! Everything here panics where a provider does not do what the engine relies on: it belongs to tests, and nothing else calls it. What it
//! deliberately leaves out: servers, and what a provider's own tests expect of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use pipectl_core::json::from_json_as;
use pipectl_core::{Address, BlockBody, Diagnostics, Kind, Nesting, Schema, Value};
use pipectl_provider::context::Recorder;
use pipectl_provider::{
    ApplyOutcome, Cx, Effect, Environment, Instance, Intent, Kinds, PlanRequest, PlanResponse, Provider, ReadOutcome,
    Resource,
};
use serde_json::{Map, Value as Json};
use tempfile::TempDir;

use crate::context;

/// Where the steps are taken: a provider, what it sees of its surroundings, and what it has recorded.
pub struct Steps {
    provider: Box<dyn Provider>,
    /// What all objects are called: `oci_core_vcn.x`.
    pub address: String,
    /// The folder of the root module.
    pub root: PathBuf,
    /// The home of the user.
    pub home: PathBuf,
    /// The environment variables.
    pub variables: BTreeMap<String, String>,
    /// What tells the time.
    pub now: fn() -> SystemTime,
    /// What the call that runs has recorded last.
    pub recorded: Arc<Mutex<Json>>,
    /// Is there as long as the steps are.
    _folder: TempDir,
}

/// The time of the real clock, for providers whose server goes by it.
#[expect(clippy::disallowed_methods, reason = "servers of tests go by the real clock, and their clients must, too")]
pub fn clock() -> SystemTime {
    SystemTime::now()
}

struct Surroundings {
    variables: BTreeMap<String, String>,
    home: PathBuf,
    now: fn() -> SystemTime,
}

impl Environment for Surroundings {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn home(&self) -> Option<PathBuf> {
        Some(self.home.clone())
    }

    fn now(&self) -> SystemTime {
        (self.now)()
    }

    fn program(&self) -> PathBuf {
        PathBuf::from("pipectl")
    }
}

impl Steps {
    /// Steps in a folder of their own, with the real clock and no variables. The home is a folder below it.
    pub fn new(provider: impl Provider + 'static, address: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        Self {
            provider: Box::new(provider),
            address: address.to_owned(),
            root: folder.path().to_owned(),
            home: folder.path().join("home"),
            variables: BTreeMap::new(),
            now: clock,
            recorded: Arc::default(),
            _folder: folder,
        }
    }

    /// Sets an environment variable.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Writes a file below the root.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.root.join(name);
        let folder = path.parent().expect("a file below the root is in a folder");
        std::fs::create_dir_all(folder).expect("folders can be made below the root");
        std::fs::write(path, text).expect("files can be written below the root");
    }

    /// The context of a call with a token.
    pub fn cx(&self, token: &str) -> Cx {
        let recorded = Arc::clone(&self.recorded);
        let surroundings = Surroundings { variables: self.variables.clone(), home: self.home.clone(), now: self.now };
        Cx {
            root: self.root.clone(),
            environment: Arc::new(surroundings),
            recorder: Recorder::new(move |json| *recorded.lock().unwrap_or_else(PoisonError::into_inner) = json),
            ..context(&self.address, token)
        }
    }

    /// The kinds of the provider with a block of settings.
    ///
    /// # Errors
    /// When the provider refuses the block.
    pub async fn configure(&self, block: &Json) -> Result<Arc<Kinds>, Diagnostics> {
        let config = config(self.provider.schema(), block);
        let found = self.provider.validate(&config);
        if found.has_errors() {
            return Err(found);
        }
        self.provider.configure(&self.cx("none"), &config).await
    }

    /// A kind of the provider without settings.
    pub async fn kind(&self, name: &str) -> Arc<dyn Resource> {
        let kinds = self.configure(&Json::Object(Map::new())).await;
        let kinds = kinds.unwrap_or_else(|found| panic!("{}", words(&found)));
        Arc::clone(&kinds.resources[name])
    }

    /// Plans arguments that must be valid.
    pub async fn plan(&self, kind: &dyn Resource, given: &Json, prior: Option<&Instance>) -> PlanResponse {
        let address: Address = self.address.parse().expect("steps have an address of a resource");
        let config = config(kind.schema(), given);
        let found = kind.validate(&config);
        assert!(!found.has_errors(), "{}", words(&found));
        let request = PlanRequest { address: &address, config: &config, prior, drift: &[], replace: false };
        kind.plan(&self.cx("plan"), request).await.unwrap_or_else(|found| panic!("{}", words(&found)))
    }

    /// Plans and creates.
    pub async fn create(&self, kind: &dyn Resource, given: &Json, token: &str) -> ApplyOutcome {
        let planned = planned(kind, self.plan(kind, given, None).await);
        kind.create(&self.cx(token), &planned).await
    }

    /// Makes an object; what is seen of it then is what was made, and the plan has nothing to do.
    pub async fn made(&self, kind: &dyn Resource, given: &Json, token: &str) -> Instance {
        let made = done(self.create(kind, given, token).await);
        self.settled(kind, given, made).await
    }

    /// Changes an object in its place; the plan has nothing to do then.
    pub async fn changed(&self, kind: &dyn Resource, given: &Json, prior: &Instance, token: &str) -> Instance {
        let response = self.plan(kind, given, Some(prior)).await;
        assert_eq!(response.effect, Effect::Update, "{:?}", response.reasons);
        let changed = done(kind.update(&self.cx(token), prior, &planned(kind, response)).await);
        self.settled(kind, given, changed).await
    }

    async fn settled(&self, kind: &dyn Resource, given: &Json, made: Instance) -> Instance {
        let seen = read(kind, &self.cx("read"), &made).await.expect("what was just made or changed is there");
        // Whoever needs it in the same run has been told what it is.
        assert!(seen.attributes.equal_content(&made.attributes), "{}\n{}", made.attributes, seen.attributes);
        let response = self.plan(kind, given, Some(&seen)).await;
        let reasons: Vec<_> = response.reasons.iter().map(|reason| reason.text.clone()).collect();
        assert_eq!(response.effect, Effect::NoOp, "{reasons:?}\n{}\n{}", made.attributes, seen.attributes);
        seen
    }

    /// Removes an object; it is not there then, and to remove it again is no error.
    pub async fn removed(&self, kind: &dyn Resource, prior: &Instance) {
        let outcome = kind.delete(&self.cx("delete"), prior).await;
        assert!(outcome.instance.is_none() && outcome.diagnostics.is_empty(), "{}", words(&outcome.diagnostics));
        assert!(read(kind, &self.cx("read"), prior).await.is_none(), "what was removed is gone");
        assert!(kind.delete(&self.cx("again"), prior).await.diagnostics.is_empty(), "gone is gone");
    }

    /// What the engine would ask about a call that was announced at a time.
    pub async fn intent(&self, kind: &dyn Resource, given: &Json, token: &str, began: SystemTime) -> Intent {
        Intent {
            token: token.to_owned(),
            arguments: Intent::known_arguments(&self.plan(kind, given, None).await.planned),
            recorded: self.recorded.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            began: Some(began),
            known: BTreeSet::new(),
        }
    }
}

/// What is handed to a call for a plan.
pub fn planned(kind: &dyn Resource, response: PlanResponse) -> Instance {
    Instance { attributes: response.planned, private: response.private, schema_version: kind.schema().version }
}

/// An object as it is seen; `None` when it is gone.
pub async fn read(kind: &dyn Resource, cx: &Cx, prior: &Instance) -> Option<Instance> {
    match kind.read(cx, prior).await.unwrap_or_else(|found| panic!("{}", words(&found))) {
        ReadOutcome::Present { instance, .. } => Some(*instance),
        ReadOutcome::Gone => None,
    }
}

/// The object of a call that went well.
pub fn done(outcome: ApplyOutcome) -> Instance {
    assert!(outcome.diagnostics.is_empty(), "{}", words(&outcome.diagnostics));
    let instance = outcome.instance.expect("a call that went well has an object");
    assert!(instance.attributes.is_wholly_known(), "{}", instance.attributes);
    instance
}

/// All that is said of a failure.
pub fn words(found: &Diagnostics) -> String {
    found.iter().map(|one| format!("{}: {} ({})\n", one.summary, one.detail, one.hints.join("; "))).collect()
}

/// The text of an attribute.
pub fn text<'a>(instance: &'a Instance, name: &str) -> &'a str {
    instance.attributes.attribute(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no text `{name}`"))
}

/// Arguments as the engine hands them over: every attribute and block of the schema, null where absent. The text `(unknown)` stands for what is
/// known after apply, and an object in the place of a list of blocks for one block.
pub fn config(schema: &Schema, given: &Json) -> Value {
    let is_argument = |name: &String| {
        schema.attributes.get(name).is_some_and(|attribute| attribute.required || attribute.optional)
            || schema.blocks.contains_key(name)
    };
    let unknown = given.as_object().and_then(|given| given.keys().find(|name| !is_argument(name)));
    assert_eq!(unknown, None, "no such argument");
    let attributes = schema.attributes.iter().map(|(name, attribute)| {
        let value = match &given[name] {
            Json::String(text) if text == "(unknown)" => Value::unknown(attribute.ty.clone()),
            json => from_json_as(json, &attribute.ty).unwrap_or_else(|error| panic!("{name}: {error}")),
        };
        (name.clone(), value)
    });
    let blocks = schema.blocks.iter().map(|(name, block)| {
        let BlockBody::Uniform(schema) = &block.body else { panic!("{name}: no block here goes by label") };
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

/// An object as the state has it that was made of some arguments: with nothing in the place of what was open, and some attributes.
pub fn kept(response: PlanResponse, attributes: &[(&str, Value)]) -> Instance {
    let closed = response.planned.map_deep(&|value| match value.kind() {
        Kind::Unknown(unknown) => Value::null_of(unknown.ty.clone()),
        _ => value,
    });
    Instance::new(attributes.iter().fold(closed, |closed, (name, value)| closed.with_attribute(name, value.clone())))
}
