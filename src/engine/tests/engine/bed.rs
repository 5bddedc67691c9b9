//! The test bed: an engine over a simulated cloud and a state in memory, with every plan linted and every event kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pipectl_core::{Address, Diagnostics};
use pipectl_engine::{
    Applied, Engine, Event, Folders, InputValue, Mode, Origin, PlanOptions, Planned, Seed, VariableInput, lint,
};
use pipectl_lang::{Configuration, FileKind, Files, ModuleFolders, NoFiles, SourceFile, load_with_modules};
use pipectl_provider::{Cancel, Registry};
use pipectl_sim::{Settings, World, context};
use pipectl_state::{Holder, MemoryStore, State, StateStore, StateWriter};

use crate::kinds::{self, Journal};
use crate::quoting;

/// Everything that lives longer than one run.
#[derive(Clone)]
pub(crate) struct Bed {
    pub(crate) world: World,
    pub(crate) store: MemoryStore,
    pub(crate) journal: Journal,
    pub(crate) events: Arc<Mutex<Vec<Event>>>,
    pub(crate) cancel: Cancel,
    pub(crate) parallelism: usize,
    pub(crate) inputs: Vec<VariableInput>,
    pub(crate) modules: Modules,
    seed: Arc<Mutex<u8>>,
    /// Whether the state counts as encrypted.
    pub(crate) is_encrypted: bool,
    secrets: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Bed {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            world: World::new(settings),
            store: MemoryStore::new(),
            journal: Journal::default(),
            events: Arc::default(),
            cancel: Cancel::new(),
            parallelism: 4,
            inputs: Vec::new(),
            modules: Modules::default(),
            seed: Arc::default(),
            is_encrypted: true,
            secrets: Arc::default(),
        }
    }

    /// From now on `secret(source)` gives this.
    pub(crate) fn set_secret(&self, source: &str, text: &str) {
        self.secrets.lock().unwrap().insert(source.to_owned(), text.to_owned());
    }

    /// A cloud without delay or failure.
    pub(crate) fn calm() -> Self {
        Self::new(Settings::default())
    }

    /// The same world with no state of it.
    pub(crate) fn forgetful(&self) -> Self {
        Self { store: MemoryStore::new(), ..self.clone() }
    }

    /// The same world with another state of it.
    pub(crate) fn with_state(&self, state: State) -> Self {
        Self { store: MemoryStore::holding(state), ..self.clone() }
    }

    pub(crate) fn engine(&self) -> Engine {
        let mut registry = Registry::default();
        registry.add(self.world.provider());
        registry.add(pipectl_provider_terraform::provider(Vec::new()));
        kinds::register(&mut registry, &self.journal);
        registry.add(quoting::provider());
        let events = Arc::clone(&self.events);
        let outside = context("none", "");
        Engine {
            registry: Arc::new(registry),
            environment: outside.environment,
            artifacts: outside.artifacts,
            files: Arc::new(SomeSecrets(Arc::clone(&self.secrets))),
            folders: Folders {
                started_in: "/started/in".into(),
                root: "root".into(),
                root_name: "main.hcl".to_owned(),
                work: "work".into(),
                view: "view".into(),
                in_commands: "main.hcl".to_owned(),
            },
            is_encrypted: self.is_encrypted,
            workspace: "default".to_owned(),
            parallelism: self.parallelism,
            events: Arc::new(move |event| events.lock().unwrap().push(event)),
            cancel: self.cancel.clone(),
        }
    }

    /// Options with a new seed: no two plans of a bed have the same.
    pub(crate) fn options(&self, mode: Mode) -> PlanOptions {
        let mut seed = self.seed.lock().unwrap();
        *seed += 1;
        PlanOptions::new(mode, Seed([*seed; 32]))
    }

    pub(crate) fn state(&self) -> State {
        self.store.read().unwrap().unwrap_or_default()
    }

    pub(crate) fn lock(&self) -> Box<dyn StateWriter> {
        let holder = Holder { pid: 1, who: "test".to_owned(), operation: "apply".to_owned(), since: "now".to_owned() };
        self.store.lock(&holder, Duration::from_secs(20)).unwrap()
    }

    pub(crate) async fn plan_with(&self, text: &str, options: &PlanOptions) -> Result<Planned, Diagnostics> {
        let configuration = self.configuration(text)?;
        let engine = self.engine();
        let state = self.store.read().unwrap();
        let planned = engine.plan(Arc::new(configuration), &self.inputs, state.as_ref(), options).await?;
        let problems = lint(&engine, &planned, state.as_ref());
        assert!(problems.is_empty(), "{problems:#?}");
        Ok(planned)
    }

    pub(crate) async fn plan(&self, text: &str) -> Result<Planned, Diagnostics> {
        self.plan_with(text, &self.options(Mode::Normal)).await
    }

    pub(crate) async fn apply_planned(&self, planned: Planned) -> Applied {
        self.engine().apply(planned, self.lock()).await
    }

    /// Plans and applies; panics when planning fails.
    pub(crate) async fn apply(&self, text: &str) -> Applied {
        let planned = self.plan(text).await.unwrap_or_else(|problems| panic!("{problems:#?}"));
        self.apply_planned(planned).await
    }

    /// The same; panics when anything fails.
    pub(crate) async fn succeed(&self, text: &str) -> Applied {
        let applied = self.apply(text).await;
        assert!(applied.succeeded(), "{:#?}", applied.diagnostics);
        applied
    }

    pub(crate) async fn destroy(&self, text: &str) -> Applied {
        let planned =
            self.plan_with(text, &self.options(Mode::Destroy)).await.unwrap_or_else(|problems| panic!("{problems:#?}"));
        self.apply_planned(planned).await
    }

    pub(crate) fn configuration(&self, text: &str) -> Result<Configuration, Diagnostics> {
        let files = vec![SourceFile { name: "main.hcl".to_owned(), text: text.to_owned() }];
        let (configuration, diagnostics) = load_with_modules(files, &self.modules);
        diagnostics.result(configuration).map(|(configuration, _)| configuration)
    }

    /// Gives a variable on the command line.
    #[must_use]
    pub(crate) fn with_variable(mut self, name: &str, text: &str) -> Self {
        self.inputs.push(VariableInput {
            name: name.to_owned(),
            value: InputValue::Text(text.to_owned()),
            origin: Origin::CommandLine,
        });
        self
    }

    pub(crate) fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.lock().unwrap())
    }
}

pub(crate) fn configuration(text: &str) -> Result<Configuration, Diagnostics> {
    Bed::calm().configuration(text)
}

/// No files, and the secrets that a test has set.
struct SomeSecrets(Arc<Mutex<BTreeMap<String, String>>>);

impl Files for SomeSecrets {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        NoFiles.read(path)
    }

    fn kind(&self, path: &str) -> Result<FileKind, String> {
        NoFiles.kind(path)
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, String> {
        NoFiles.names(folder)
    }

    fn absolute(&self, path: &str) -> Result<String, String> {
        NoFiles.absolute(path)
    }

    fn secret(&self, source: &str) -> Result<Option<String>, String> {
        let secrets = self.0.lock().unwrap();
        secrets.get(source).cloned().map(Some).ok_or_else(|| format!("there is no secret {source}"))
    }
}

/// Modules by folder: one file each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Modules(pub(crate) BTreeMap<String, String>);

impl ModuleFolders for Modules {
    fn files(&self, folder: &str) -> Result<Vec<SourceFile>, String> {
        let text = self.0.get(folder).ok_or("no such file or folder")?;
        Ok(vec![SourceFile { name: format!("{folder}/main.hcl"), text: text.clone() }])
    }
}

pub(crate) fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// Summaries and details, one a line.
pub(crate) fn texts(diagnostics: &Diagnostics) -> String {
    diagnostics.iter().map(|found| format!("{}: {}\n", found.summary, found.detail)).collect()
}
