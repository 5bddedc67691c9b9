//! Runs the blocks of one test file, one after the other, over a state in memory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pipectl_core::{
    Address, AddressKind, Diagnostic, Diagnostics, Kind, Marks, Severity, SourceMap, Type, Value, convert,
};
use pipectl_engine::{
    Engine, InputValue, Inspection, Mode, Origin, OutputChange, Plan, PlanOptions, Planned, Seed, VariableInput,
    objects_of, resolve_variables,
};
use pipectl_lang::{Argument, Reference, Rule, parse_expression};
use pipectl_state::{MemoryStore, State, StateError, StateStore as _, StateWriter};

use super::file::{RunCommand, TestFile, TestRun};
use crate::app::{App, Effort};
use crate::operation::{holder, outputs_of};
use crate::project::Project;
use crate::reporter::Follower;
use crate::view::outputs::Output;
use crate::view::value::{self, Detail};

/// What came of a run.
pub struct Outcome {
    /// Whether it passed. After an error other than a failed assertion, the rest of the file makes no sense.
    pub status: Status,
    /// What was found.
    pub diagnostics: Diagnostics,
    /// What was planned, for those who want to see it.
    pub plan: Option<Plan>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// As it should.
    Pass,
    /// An assertion does not hold.
    Fail,
    /// It could not be carried out as its author expects.
    Error,
}

/// The runs of one file share a state, and may refer to outputs of those before them.
pub struct Session<'a> {
    app: &'a App,
    project: &'a Project,
    sources: &'a SourceMap,
    file: &'a TestFile,
    inputs: Vec<VariableInput>,
    engine: Engine,
    store: MemoryStore,
    /// The outputs of the runs so far.
    runs: BTreeMap<String, Value>,
    /// The variables of the last run that may have made something: with them it can be removed.
    last_inputs: Vec<VariableInput>,
}

impl<'a> Session<'a> {
    /// A session with an empty state. `inputs` are the variables from everywhere but test files; `work` is a folder for working files.
    pub fn new(
        app: &'a App,
        project: &'a Project,
        sources: &'a SourceMap,
        file: &'a TestFile,
        inputs: Vec<VariableInput>,
        work: PathBuf,
    ) -> Self {
        let mut engine = app.engine(project, Effort { parallelism: 10, verify: false }, &Follower::Nobody);
        // Its state stays in memory.
        engine.is_encrypted = true;
        engine.folders.view = work.join("artifacts");
        engine.folders.work = work;
        let last_inputs = inputs.clone();
        Self {
            app,
            project,
            sources,
            file,
            inputs,
            engine,
            store: MemoryStore::new(),
            runs: BTreeMap::new(),
            last_inputs,
        }
    }

    /// Carries out one run.
    pub async fn run(&mut self, run: &TestRun) -> Outcome {
        let inputs = match self.inputs_of(run) {
            Ok(inputs) => inputs,
            Err(diagnostics) => return Outcome { status: Status::Error, diagnostics, plan: None },
        };
        let mut judge = Judge::new(run);
        let state = self.state();
        let options = PlanOptions {
            refresh: run.refresh,
            targets: run.targets.iter().cloned().map(Into::into).collect(),
            replace: run.replace.clone(),
            ..PlanOptions::new(run.mode, Seed::random())
        };
        let configuration = Arc::clone(&self.project.configuration);
        let planned = match self.engine.plan(configuration, &inputs, state.as_ref(), &options).await {
            Ok(planned) => planned,
            Err(problems) => {
                judge.take(problems, run.command == RunCommand::Apply);
                return judge.conclude(None);
            }
        };
        let plan = planned.plan.clone();
        let outputs = {
            let (inspection, outputs) = match run.command {
                RunCommand::Plan => {
                    judge.take(planned.diagnostics.clone(), false);
                    self.after_plan(&plan, state.as_ref())
                }
                RunCommand::Apply => {
                    self.last_inputs = inputs;
                    match self.apply(planned, &mut judge).await {
                        Some(state) => self.after_apply(&plan, &state),
                        None => return judge.conclude(Some(plan)),
                    }
                }
            };
            for rule in &run.assertions {
                self.assert(rule, &inspection, &mut judge);
            }
            outputs
        };
        self.runs.insert(run.name.clone(), outputs);
        judge.conclude(Some(plan))
    }

    /// Removes what is left of all runs.
    ///
    /// # Errors
    /// What could not be removed, and why.
    pub async fn tear_down(&self) -> Result<(), Diagnostics> {
        let objects = |state: Option<State>| state.map(|state| state.resources).unwrap_or_default();
        let Some(state) = self.state().filter(|state| !state.resources.is_empty()) else { return Ok(()) };
        let mut problems = self.destroy(&state).await;
        let left: Vec<String> = objects(self.state()).keys().map(Address::to_string).collect();
        if !left.is_empty() {
            let detail = format!("These objects were made by the test and could not be removed: {}.", left.join(", "));
            problems.push(Diagnostic::error("Objects left behind", detail));
        }
        if problems.has_errors() { Err(problems) } else { Ok(()) }
    }

    async fn destroy(&self, state: &State) -> Diagnostics {
        let options = PlanOptions::new(Mode::Destroy, Seed::random());
        let configuration = Arc::clone(&self.project.configuration);
        let planned = match self.engine.plan(configuration, &self.last_inputs, Some(state), &options).await {
            Ok(planned) => planned,
            Err(problems) => return problems,
        };
        match self.lock() {
            Ok(writer) => self.engine.apply(planned, writer).await.diagnostics,
            Err(problems) => problems,
        }
    }

    /// Applies a plan. The state afterwards, if everything was done or failed as expected.
    async fn apply(&self, planned: Planned, judge: &mut Judge<'_>) -> Option<State> {
        judge.take(planned.diagnostics.clone(), false);
        let writer = match self.lock() {
            Ok(writer) => writer,
            Err(problems) => {
                judge.take(problems, false);
                return None;
            }
        };
        let applied = self.engine.apply(planned, writer).await;
        let succeeded = applied.succeeded();
        judge.take(applied.diagnostics, false);
        if applied.stopped {
            let detail = "The run was stopped before all of it was done.";
            judge.take(Diagnostic::error("Test interrupted", detail).into(), false);
        }
        (succeeded || judge.expects_everything).then_some(applied.state)
    }

    fn lock(&self) -> Result<Box<dyn StateWriter>, Diagnostics> {
        let holder = holder(&*self.app.environment, "test");
        self.store.lock(&holder, Duration::ZERO).map_err(|error: StateError| error.diagnostic().into())
    }

    fn state(&self) -> Option<State> {
        self.store.read().ok().flatten()
    }

    /// The values of variables for a run: the file's come after those from everywhere else, the run's own come last.
    fn inputs_of(&self, run: &TestRun) -> Result<Vec<VariableInput>, Diagnostics> {
        let mut inputs = self.inputs.clone();
        for arguments in [&self.file.variables, &run.variables] {
            let (variables, _) = resolve_variables(&self.project.configuration, &inputs);
            let inspection = self.inspection(variables, BTreeMap::new(), None);
            let given =
                arguments.iter().map(|argument| self.input(argument, &inspection)).collect::<Result<Vec<_>, _>>()?;
            inputs.extend(given);
        }
        Ok(inputs)
    }

    fn input(&self, argument: &Argument, inspection: &Inspection<'_>) -> Result<VariableInput, Diagnostics> {
        let unknown_run = argument.value.references().into_iter().find_map(|(reference, span)| match reference {
            Reference::Object(address) if is_run(&address) && !self.runs.contains_key(&address.name) => {
                Some((address.name, span))
            }
            _ => None,
        });
        if let Some((name, span)) = unknown_run {
            let detail = format!(
                "The run block \"{name}\" is not among those that come before this one. A run can only refer to earlier ones of its file."
            );
            return Err(Diagnostic::error("Reference to unknown run block", detail).at(span).into());
        }
        let value = InputValue::Value(inspection.evaluate(&argument.value)?, Some(argument.value.span()));
        Ok(VariableInput { name: argument.name.clone(), value, origin: Origin::File(self.file.name.clone()) })
    }

    fn inspection(
        &self,
        variables: BTreeMap<String, Value>,
        objects: BTreeMap<Address, Value>,
        plan_time: Option<i64>,
    ) -> Inspection<'_> {
        let configuration = &self.project.configuration;
        let mut inspection = self.engine.inspect(configuration, variables, objects, (plan_time, false));
        for (name, outputs) in &self.runs {
            inspection.set_other(named("run", name), outputs.clone());
        }
        inspection
    }

    /// What assertions see after a plan.
    fn after_plan(&self, plan: &Plan, state: Option<&State>) -> (Inspection<'_>, Value) {
        let prior = plan.prior_state(state.unwrap_or(&State::default()));
        let objects = plan.objects_after(&self.app.registry, &prior);
        let known = |output: &OutputChange| Some((output.name.clone(), output.after.clone()?));
        let outputs = plan.outputs.iter().filter_map(known).collect();
        self.with_outputs(plan, objects, outputs)
    }

    /// What assertions see after an apply. Data sources are in no state: they are as they were when the plan read them.
    fn after_apply(&self, plan: &Plan, state: &State) -> (Inspection<'_>, Value) {
        let mut objects = objects_of(&self.app.registry, state);
        let data = plan.changes.iter().filter(|change| change.address.kind == AddressKind::Data);
        objects.extend(data.filter_map(|change| Some((change.address.clone(), change.after.clone()?))));
        let marked = |(name, output): (String, Output)| {
            let marks = if output.sensitive { Marks::SENSITIVE } else { Marks::NONE };
            (name, output.value.marked(marks))
        };
        self.with_outputs(plan, objects, outputs_of(state).into_iter().map(marked).collect())
    }

    /// The same with outputs, which only tests refer to; and all of them as one object, for later runs.
    fn with_outputs(
        &self,
        plan: &Plan,
        objects: BTreeMap<Address, Value>,
        outputs: BTreeMap<String, Value>,
    ) -> (Inspection<'_>, Value) {
        let mut inspection = self.inspection(plan.variables.clone(), objects, Some(plan.made));
        for (name, value) in &outputs {
            inspection.set_other(named("output", name), value.clone());
        }
        (inspection, Value::object(outputs))
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
                    Ok(message) => Diagnostic::error("Test assertion failed", message),
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
        problem.values = self.values_in(rule, inspection);
        judge.assertion(problem.into());
    }

    /// What the condition refers to, with values.
    fn values_in(&self, rule: &Rule, inspection: &Inspection<'_>) -> Vec<(String, String)> {
        let mut values: Vec<(String, String)> = Vec::new();
        for traversal in rule.condition.traversals() {
            let steps: String = traversal.steps.iter().map(ToString::to_string).collect();
            let text = format!("{}{steps}", traversal.reference);
            let id = self.sources.clone().add("", text.as_str());
            let known = parse_expression(&text, id).ok().and_then(|expression| inspection.evaluate(&expression).ok());
            if let Some(found) = known.filter(|_| !values.iter().any(|(known, _)| *known == text)) {
                values.push((text, value::render(&found, 0, Detail::Short)));
            }
        }
        values
    }
}

/// How a test refers to an output or to an earlier run: it reads like a resource.
fn named(what: &str, name: &str) -> Reference {
    Reference::Object(Address::new(AddressKind::Resource, what, name))
}

fn is_run(address: &Address) -> bool {
    address.kind == AddressKind::Resource && address.type_name == "run"
}

/// Sorts what was found into what was expected and what was not.
struct Judge<'r> {
    run: &'r TestRun,
    met: Vec<bool>,
    found: Diagnostics,
    status: Status,
    /// Whether every error so far was expected, and there was one.
    expects_everything: bool,
}

/// Summaries of conditions that do not hold.
const CONDITIONS: [&str; 5] = [
    "Check block assertion failed",
    "Invalid value for variable",
    "Module output value precondition failed",
    "Resource postcondition failed",
    "Resource precondition failed",
];

impl<'r> Judge<'r> {
    fn new(run: &'r TestRun) -> Self {
        let met = vec![false; run.expected_failures.len()];
        Self { run, met, found: Diagnostics::new(), status: Status::Pass, expects_everything: false }
    }

    /// Takes in what a plan or an apply found. Where a plan fails and an apply was asked for, the run has not done what it is for.
    fn take(&mut self, diagnostics: Diagnostics, stops_an_apply: bool) {
        let has_errors = diagnostics.has_errors();
        self.expects_everything = has_errors;
        for mut found in diagnostics {
            let address = found.address.clone().filter(|_| CONDITIONS.contains(&found.summary.as_str()));
            let expected = address.as_deref().and_then(|address| self.expected(address));
            match (expected, found.severity) {
                (Some(position), Severity::Warning) => {
                    self.met[position] = true;
                    continue;
                }
                (Some(position), Severity::Error) => {
                    self.met[position] = true;
                    if !stops_an_apply {
                        continue;
                    }
                    self.status = Status::Error;
                    found.hints.push(
                        "The failure is expected, but it stopped the plan, so nothing was applied: command = plan"
                            .to_owned(),
                    );
                }
                (None, Severity::Error) => {
                    self.status = Status::Error;
                    self.expects_everything = false;
                }
                // A check only warns; in a test, a warning that nobody expects is a failure.
                (None, Severity::Warning) if found.summary == "Check block assertion failed" && !has_errors => {
                    found.severity = Severity::Error;
                    self.status = Status::Error;
                }
                (None, Severity::Warning) => {}
            }
            self.found.push(found);
        }
    }

    /// Which of the expected failures a condition's address is.
    fn expected(&self, address: &str) -> Option<usize> {
        let block = |address: &str| address.parse::<Address>().ok().map(|address| address.block().to_string());
        self.run
            .expected_failures
            .iter()
            .position(|(expected, _)| expected == address || block(address).is_some_and(|block| block == *expected))
    }

    fn assertion(&mut self, problems: Diagnostics) {
        let is_failure = problems.iter().all(|problem| problem.summary == "Test assertion failed");
        self.found.extend(problems);
        match (self.status, is_failure) {
            (Status::Error, _) | (_, false) => self.status = Status::Error,
            (Status::Pass | Status::Fail, true) => self.status = Status::Fail,
        }
    }

    fn conclude(mut self, plan: Option<Plan>) -> Outcome {
        for ((expected, span), _) in self.run.expected_failures.iter().zip(&self.met).filter(|(_, met)| !**met) {
            let detail = format!("The checkable object, {expected}, was expected to report an error but did not.");
            self.found.push(Diagnostic::error("Missing expected failure", detail).at(span.clone()));
            self.status = Status::Error;
        }
        Outcome { status: self.status, diagnostics: self.found, plan }
    }
}
