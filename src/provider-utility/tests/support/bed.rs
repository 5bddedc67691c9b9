//! A folder, a clock and an environment to try kinds in, and the steps that the engine takes with them.

#![allow(clippy::unwrap_used)]
// Each test target takes its own part of it.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use pipectl_core::{Address, Diagnostics, Kind, Schema, Type, Value};
use pipectl_provider::{
    ApplyOutcome, Cx, DataSource, Effect, Environment, Event, EventSink, Instance, PlanRequest, PlanResponse,
    ReadOutcome, Registry, Resource,
};
use pipectl_sim::context;
pub use pipectl_sim::steps::config;
use serde_json::{Value as Json, json};

/// 2026-01-01T00:00:00Z
const START: u64 = 1_767_225_600;

pub struct Bed {
    registry: Registry,
    folder: tempfile::TempDir,
    world: Arc<World>,
    calls: AtomicU64,
}

struct World {
    now: AtomicU64,
    variables: Mutex<BTreeMap<String, String>>,
    warnings: Mutex<Vec<String>>,
}

impl Environment for World {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.lock().unwrap().get(name).cloned()
    }

    fn home(&self) -> Option<PathBuf> {
        None
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.now.load(Ordering::Relaxed))
    }

    fn program(&self) -> PathBuf {
        PathBuf::from("pipectl")
    }
}

impl EventSink for World {
    fn emit(&self, _address: &str, event: Event) {
        if let Event::Warning { text } = event {
            self.warnings.lock().unwrap().push(text);
        }
    }
}

impl Bed {
    pub fn new() -> Self {
        let mut registry = Registry::default();
        pipectl_provider_utility::register(&mut registry);
        let world = World { now: START.into(), variables: Mutex::default(), warnings: Mutex::default() };
        Self { registry, folder: tempfile::tempdir().unwrap(), world: Arc::new(world), calls: AtomicU64::new(0) }
    }

    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::create_dir_all(self.file(name).parent().unwrap()).unwrap();
        std::fs::write(self.file(name), content).unwrap();
    }

    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    pub fn wait(&self, seconds: u64) {
        self.world.now.fetch_add(seconds, Ordering::Relaxed);
    }

    pub fn set(&self, name: &str, value: &str) {
        self.world.variables.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }

    pub fn warnings(&self) -> Vec<String> {
        self.world.warnings.lock().unwrap().clone()
    }

    /// The context of a call with a token of its own.
    pub fn cx(&self, address: &str) -> Cx {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        self.cx_of(address, &format!("token-{call}"))
    }

    pub fn cx_of(&self, address: &str, token: &str) -> Cx {
        Cx {
            root: self.folder.path().to_owned(),
            environment: Arc::clone(&self.world) as _,
            events: Arc::clone(&self.world) as _,
            ..context(address, token)
        }
    }

    pub fn resource(&self, type_name: &str) -> &dyn Resource {
        self.registry.resources.get(type_name).unwrap().as_ref()
    }

    pub fn data_source(&self, type_name: &str) -> &dyn DataSource {
        self.registry.data_sources.get(type_name).unwrap().as_ref()
    }

    /// Looks at the object, if there is one, and plans. `None`: it is gone.
    pub async fn plan(&self, type_name: &str, given: &Json, prior: Option<&Instance>) -> PlanResponse {
        self.try_plan(type_name, given, prior, false).await.unwrap()
    }

    pub async fn try_plan(
        &self,
        type_name: &str,
        given: &Json,
        prior: Option<&Instance>,
        replace: bool,
    ) -> Result<PlanResponse, Diagnostics> {
        let kind = self.resource(type_name);
        let config = config(kind.schema(), given);
        let found = kind.validate(&config);
        if found.has_errors() {
            return Err(found);
        }
        let address: Address = format!("{type_name}.x").parse().unwrap();
        let cx = self.cx(&format!("{type_name}.x"));
        let mut drift = Vec::new();
        let mut seen = None;
        if let Some(prior) = prior
            && let ReadOutcome::Present { instance, drift: notes } = kind.read(&cx, prior).await?
        {
            (seen, drift) = (Some(*instance), notes);
        }
        let request = PlanRequest { address: &address, config: &config, prior: seen.as_ref(), drift: &drift, replace };
        let response = kind.plan(&cx, request).await?;
        keeps_arguments(kind.schema(), &config, &response.planned);
        Ok(response)
    }

    /// Plans and applies.
    pub async fn apply(&self, type_name: &str, given: &Json, prior: Option<&Instance>) -> Instance {
        let outcome = self.try_apply(type_name, given, prior).await.unwrap();
        assert!(outcome.diagnostics.is_empty(), "{:?}", outcome.diagnostics);
        outcome.instance.unwrap()
    }

    pub async fn try_apply(
        &self,
        type_name: &str,
        given: &Json,
        prior: Option<&Instance>,
    ) -> Result<ApplyOutcome, Diagnostics> {
        let kind = self.resource(type_name);
        let response = self.try_plan(type_name, given, prior, false).await?;
        let planned = Instance {
            attributes: response.planned.clone(),
            private: response.private.clone(),
            schema_version: kind.schema().version,
        };
        let cx = self.cx(&format!("{type_name}.x"));
        let outcome = match (response.effect, prior) {
            (Effect::NoOp, Some(prior)) => ApplyOutcome::done(prior.clone()),
            (Effect::Update, Some(prior)) => kind.update(&cx, prior, &planned).await,
            (Effect::Replace, Some(prior)) => {
                assert!(kind.delete(&cx, prior).await.diagnostics.is_empty());
                kind.create(&cx, &planned).await
            }
            _ => kind.create(&cx, &planned).await,
        };
        if let Some(made) = &outcome.instance
            && !outcome.diagnostics.has_errors()
        {
            assert!(made.attributes.is_wholly_known(), "{type_name} left something unknown: {}", made.attributes);
            keeps_promise(&response.planned, &made.attributes);
            let names: Vec<&String> = made.attributes.as_object().unwrap().keys().collect();
            let schema = kind.schema();
            let mut expected: Vec<&String> = schema.attributes.keys().chain(schema.blocks.keys()).collect();
            expected.sort();
            assert_eq!(names, expected, "{type_name}");
        }
        Ok(outcome)
    }

    /// Reads a data source, with everything that its schema says there.
    pub async fn data(&self, type_name: &str, given: &Json) -> Result<Value, Diagnostics> {
        let kind = self.data_source(type_name);
        let config = config(kind.schema(), given);
        // As the engine does.
        let found = kind.validate(&config);
        if found.has_errors() {
            return Err(found);
        }
        let value = kind.read(&self.cx_of(&format!("data.{type_name}.x"), ""), &config).await?;
        let names: Vec<&String> = value.as_object().unwrap().keys().collect();
        let mut expected: Vec<&String> = kind.schema().attributes.keys().chain(kind.schema().blocks.keys()).collect();
        expected.sort();
        assert_eq!(names, expected, "{type_name}");
        for (name, attribute) in &kind.schema().attributes {
            let converted = pipectl_core::convert::convert(&value.as_object().unwrap()[name], &attribute.ty);
            assert_eq!(converted.as_ref().map(Value::ty), Ok(attribute.ty.clone()), "{type_name}.{name}");
        }
        Ok(value)
    }
}

/// What is configured must be planned.
fn keeps_arguments(schema: &Schema, config: &Value, planned: &Value) {
    for name in schema.attributes.keys().chain(schema.blocks.keys()) {
        if let Some(given) = config.set_attribute(name) {
            assert_eq!(planned.attribute(name), Some(given), "{name}");
        }
    }
}

/// What was planned as known must be so.
fn keeps_promise(planned: &Value, made: &Value) {
    for (name, planned) in planned.as_object().unwrap() {
        let made = made.attribute(name).unwrap();
        match planned.kind() {
            Kind::Unknown(unknown) => {
                let is_typed = made.is_null() || unknown.ty == Type::Any || made.ty() == unknown.ty;
                assert!(is_typed, "{name} was to be {}, and is {}", unknown.ty, made.ty());
            }
            _ => assert!(planned.equal_content(made), "{name}: planned {planned}, made {made}"),
        }
    }
}

/// The text of an attribute.
pub fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.attribute(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no text `{name}`"))
}

/// The whole number of an attribute.
pub fn integer(object: &Value, name: &str) -> i64 {
    object.attribute(name).and_then(Value::as_number).and_then(pipectl_core::Number::to_i64).unwrap()
}

/// An object with some members changed; null takes one away.
pub fn with(given: &Json, changes: &Json) -> Json {
    let mut changed = given.clone();
    for (name, value) in changes.as_object().unwrap() {
        changed[name] = value.clone();
    }
    changed
}

/// The words of a failure.
pub fn words(problems: &Diagnostics) -> String {
    problems.iter().map(|problem| format!("{}: {}", problem.summary, problem.detail)).collect::<Vec<_>>().join("\n")
}

/// No arguments.
pub fn nothing() -> Json {
    json!({})
}
