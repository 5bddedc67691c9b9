//! Runs the blocks of one test file, one after the other, over states in memory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pipectl_core::{Address, AddressKind, Diagnostic, DiagnosticKind, Diagnostics, Kind, Marks, Type, Value, convert};
use pipectl_engine::{
    Engine, Inspection, Mode, OutputChange, Plan, PlanOptions, Planned, Seed, VariableInput, objects_of,
};
use pipectl_lang::{Configuration, Reference, Rule};
use pipectl_provider::Registry;
use pipectl_state::{MemoryStore, State, StateError, StateStore as _, StateWriter};

use super::file::{RunCommand, TestFile, TestRun};
use super::given::{Ground, named, without_target};
use super::judge::Judge;
use super::mock;
use super::modules::Modules;
use super::overrides::Settings;
use crate::app::{App, Effort};
use crate::operation::{holder, outputs_of};
use crate::project::Project;
use crate::reporter::Follower;
use crate::view::outputs::Output;

/// What came of a run.
pub struct Outcome {
    /// Whether it passed. After an error other than a failed assertion, the rest of the file makes no sense.
    pub status: Status,
    /// What was found.
    pub diagnostics: Diagnostics,
    /// What was planned, for those who want to see it.
    pub plan: Option<Plan>,
}

/// How a run ended, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// As it should.
    Pass,
    /// An assertion does not hold.
    Fail,
    /// It could not be carried out as its author expects.
    Error,
}

/// The runs of one file share states, and may refer to outputs of those before them.
pub struct Session<'a> {
    app: &'a App,
    root: &'a Arc<Configuration>,
    modules: &'a Modules,
    file: &'a TestFile,
    inputs: Vec<VariableInput>,
    engine: Engine,
    /// By key; that of the root module has none.
    holdings: BTreeMap<Option<String>, Holding>,
    /// How many runs there were.
    turn: usize,
    /// The outputs of the runs so far.
    runs: BTreeMap<String, Value>,
}

/// What some runs have made.
#[derive(Default)]
struct Holding {
    store: MemoryStore,
    /// What the last run worked with that may have made something: with that it can be removed.
    last: Option<Last>,
}

struct Last {
    run: String,
    turn: usize,
    configuration: Arc<Configuration>,
    inputs: Vec<VariableInput>,
    registry: Arc<Registry>,
}

impl<'a> Session<'a> {
    /// A session without any state. `inputs` are the variables from everywhere but test files; `work` is a folder for working files.
    pub fn new(
        app: &'a App,
        project: &'a Project,
        modules: &'a Modules,
        file: &'a TestFile,
        inputs: Vec<VariableInput>,
        work: PathBuf,
    ) -> Self {
        let mut engine = app.engine(project, Effort { parallelism: 10, verify: false }, &Follower::Nobody);
        // Its state stays in memory.
        engine.is_encrypted = true;
        engine.folders.view = work.join("artifacts");
        engine.folders.work = work;
        let root = &project.configuration;
        let (holdings, runs) = (BTreeMap::new(), BTreeMap::new());
        Self { app, root, modules, file, inputs, engine, holdings, turn: 0, runs }
    }

    /// What the file says that means nothing for any of its modules.
    pub fn warnings(&self) -> Diagnostics {
        let runs = self.file.runs.iter();
        let others = runs.filter_map(|run| self.modules.get(&run.module.as_ref()?.0)).map(|module| &**module);
        let modules: Vec<&Configuration> = std::iter::once(&**self.root).chain(others).collect();
        without_target(self.file, &modules)
    }

    /// Carries out one run.
    pub async fn run(&mut self, run: &TestRun) -> Outcome {
        let source = run.module.as_ref().map(|(source, _)| source);
        let module = source.map_or(Some(self.root), |source| self.modules.get(source));
        let module = Arc::clone(module.expect("the modules of all runs were read before"));
        let key = run.state_key.clone().or_else(|| source.map(|_| module.folder.clone()));
        let ground =
            Ground { engine: &self.engine, root: self.root, file: self.file, runs: &self.runs, inputs: &self.inputs };
        let given = match ground.given(run, &module) {
            Ok(given) => given,
            Err(diagnostics) => return Outcome { status: Status::Error, diagnostics, plan: None },
        };
        let mut engine = self.engine.clone();
        if self.mocks() {
            engine.registry = Arc::new(mock::registry(&engine.registry, given.rules));
        }
        self.turn += 1;
        let holding = self.holdings.entry(key).or_default();
        let state = holding.state();
        let mut judge = Judge::new(run);
        judge.take(given.warnings, false);
        let options = PlanOptions {
            refresh: run.refresh,
            targets: run.targets.iter().cloned().map(Into::into).collect(),
            replace: run.replace.clone(),
            ..PlanOptions::new(run.mode, Seed::random())
        };
        let planned = engine.plan(Arc::clone(&given.configuration), &given.inputs, state.as_ref(), &options).await;
        let planned = match planned {
            Ok(planned) => planned,
            Err(problems) => {
                judge.take(problems, run.command == RunCommand::Apply);
                return judge.conclude(None);
            }
        };
        if run.command == RunCommand::Apply {
            let (configuration, registry) = (Arc::clone(&given.configuration), Arc::clone(&engine.registry));
            let (run, inputs) = (run.name.clone(), given.inputs.clone());
            holding.last = Some(Last { run, turn: self.turn, configuration, inputs, registry });
        }
        let plan = planned.plan.clone();
        let (objects, mut outputs) = match run.command {
            RunCommand::Plan => {
                judge.take(planned.diagnostics.clone(), false);
                after_plan(&engine.registry, &plan, state.as_ref())
            }
            RunCommand::Apply => match holding.apply(self.app, &engine, planned, &mut judge).await {
                Some(state) => after_apply(&engine.registry, &plan, &state),
                None => return judge.conclude(Some(plan)),
            },
        };
        // What is null is not stored.
        for name in given.configuration.outputs.keys() {
            outputs.entry(name.clone()).or_insert_with(Value::null);
        }
        let variables = plan.variables.clone();
        let mut inspection = engine.inspect(&given.configuration, variables, objects, (Some(plan.made), false));
        // Only tests refer to outputs, to runs, and to variables that nobody declares.
        let outputs_of = |(name, value): (&String, &Value)| (named("output", name), value.clone());
        let run_of = |(name, value): (&String, &Value)| (named("run", name), value.clone());
        let others = given.others.into_iter().map(|(name, value)| (Reference::Variable(name), value));
        for (reference, value) in outputs.iter().map(outputs_of).chain(self.runs.iter().map(run_of)).chain(others) {
            inspection.set_other(reference, value);
        }
        for rule in &run.assertions {
            self.assert(rule, &inspection, &mut judge);
        }
        drop(inspection);
        self.runs.insert(run.name.clone(), Value::object(outputs));
        judge.conclude(Some(plan))
    }

    /// Whether anything in the file is mocked. Then no run is without the mocks' kinds: they know what was never there.
    fn mocks(&self) -> bool {
        let is_mock = |settings: &Settings| matches!(settings, Settings::Mock(_));
        self.file.providers.iter().any(|provider| is_mock(&provider.settings))
            || !self.file.overrides.is_empty()
            || self.file.runs.iter().any(|run| !run.overrides.is_empty())
    }

    /// Removes what is left of all runs, of those that were last first, and tells each before.
    ///
    /// # Errors
    /// What could not be removed, and why.
    pub async fn tear_down(&self, begins: impl Fn(&str)) -> Result<(), Diagnostics> {
        let mut made: Vec<(&Last, &Holding)> =
            self.holdings.values().filter_map(|holding| Some((holding.last.as_ref()?, holding))).collect();
        made.sort_by_key(|(last, _)| std::cmp::Reverse(last.turn));
        let mut problems = Diagnostics::new();
        for (last, holding) in made {
            begins(&last.run);
            let engine = Engine { registry: Arc::clone(&last.registry), ..self.engine.clone() };
            problems.extend(holding.tear_down(self.app, &engine, last).await);
        }
        if problems.has_errors() { Err(problems) } else { Ok(()) }
    }

    fn assert(&self, rule: &Rule, inspection: &Inspection<'_>, judge: &mut Judge<'_>) {
        let value = match inspection.evaluate(&rule.condition) {
            Ok(value) => value,
            Err(problems) => return judge.assertion(problems),
        };
        let at = rule.condition.span();
        let value = match convert::convert(&value, &Type::Bool) {
            Ok(value) => value,
            Err(error) => {
                let detail = format!("A condition must be true or false: {error}.");
                return judge.assertion(Diagnostic::error("Invalid condition result", detail).at(at).into());
            }
        };
        let problem = match value.kind() {
            Kind::Bool(true) => return,
            Kind::Bool(false) => {
                let message = inspection.evaluate(&rule.error_message).map(|message| match message.as_str() {
                    Some(text) if message.marks_deep().is_empty() => text.trim().to_owned(),
                    _ => "The error message cannot be shown: it is not a known text, or it is sensitive.".to_owned(),
                });
                match message {
                    Ok(message) => {
                        Diagnostic::error("Test assertion failed", message).of_kind(DiagnosticKind::FailedAssertion)
                    }
                    Err(problems) => return judge.assertion(problems),
                }
            }
            Kind::Unknown(_) => Diagnostic::error(
                "Unknown condition value",
                "The condition depends on something that is known only after apply, and this run plans only.",
            )
            .hint("command = apply"),
            _ => Diagnostic::error(
                "Invalid condition result",
                "A condition must be true or false, and this one is null.",
            ),
        };
        let mut problem = problem.at(at);
        problem.values = inspection.referenced_values(&rule.condition);
        judge.assertion(problem.into());
    }
}

impl Holding {
    fn state(&self) -> Option<State> {
        self.store.read().ok().flatten()
    }

    fn lock(&self, app: &App) -> Result<Box<dyn StateWriter>, Diagnostics> {
        let holder = holder(&*app.environment, "test");
        self.store.lock(&holder, Duration::ZERO).map_err(|error: StateError| error.diagnostic().into())
    }

    /// Applies a plan. The state afterwards, if everything was done or failed as expected.
    async fn apply(&self, app: &App, engine: &Engine, planned: Planned, judge: &mut Judge<'_>) -> Option<State> {
        // The apply is about to tell what the plan does not know yet.
        judge.take(planned.diagnostics.clone().without(DiagnosticKind::UnknownCheck), false);
        let writer = match self.lock(app) {
            Ok(writer) => writer,
            Err(problems) => {
                judge.take(problems, false);
                return None;
            }
        };
        let applied = engine.apply(planned, writer).await;
        let succeeded = applied.succeeded();
        judge.take(applied.diagnostics, false);
        if applied.stopped {
            let detail = "The run was stopped before all of it was done.";
            judge.take(Diagnostic::error("Test interrupted", detail).into(), false);
        }
        (succeeded || judge.expects_everything).then_some(applied.state)
    }

    /// Removes everything. What stood in the way.
    async fn tear_down(&self, app: &App, engine: &Engine, last: &Last) -> Diagnostics {
        let Some(state) = self.state().filter(|state| !state.resources.is_empty()) else { return Diagnostics::new() };
        let mut problems = self.destroy(app, engine, last, &state).await;
        let left = self.state().map(|state| state.resources).unwrap_or_default();
        if !left.is_empty() {
            let names: Vec<String> = left.keys().map(Address::to_string).collect();
            let detail = format!("These objects were made by the test and could not be removed: {}.", names.join(", "));
            problems.push(Diagnostic::error("Objects left behind", detail));
        }
        problems
    }

    async fn destroy(&self, app: &App, engine: &Engine, last: &Last, state: &State) -> Diagnostics {
        let options = PlanOptions::new(Mode::Destroy, Seed::random());
        let planned = engine.plan(Arc::clone(&last.configuration), &last.inputs, Some(state), &options).await;
        let planned = match planned {
            Ok(planned) => planned,
            Err(problems) => return problems,
        };
        match self.lock(app) {
            Ok(writer) => engine.apply(planned, writer).await.diagnostics,
            Err(problems) => problems,
        }
    }
}

/// Objects and outputs that assertions see.
type Seen = (BTreeMap<Address, Value>, BTreeMap<String, Value>);

/// What there is after a plan.
fn after_plan(registry: &Registry, plan: &Plan, state: Option<&State>) -> Seen {
    let prior = plan.prior_state(state.unwrap_or(&State::default()));
    let objects = plan.objects_after(registry, &prior);
    let known = |output: &OutputChange| Some((output.name.clone(), output.after.clone()?));
    (objects, plan.outputs.iter().filter_map(known).collect())
}

/// What there is after an apply. Data sources are in no state: they are as they were when the plan read them.
fn after_apply(registry: &Registry, plan: &Plan, state: &State) -> Seen {
    let mut objects = objects_of(registry, state);
    let data = plan.changes.iter().filter(|change| change.address.kind == AddressKind::Data);
    objects.extend(data.filter_map(|change| Some((change.address.clone(), change.after.clone()?))));
    let marked = |(name, output): (String, Output)| {
        let marks = if output.sensitive { Marks::SENSITIVE } else { Marks::NONE };
        (name, output.value.marked(marks))
    };
    (objects, outputs_of(state).into_iter().map(marked).collect())
}
