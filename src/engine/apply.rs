//! Applying: walk the steps of a plan, evaluate with what is known by then, and commit after each object.

mod call;
mod committer;
mod deferred;
mod makings;
mod object;
mod open_calls;
mod prepare;
mod read_again;
mod removal;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use petgraph::graph::NodeIndex;
use pipectl_core::{
    Address, AddressKind, Diagnostic, DiagnosticKind, Diagnostics, ModulePath, ProviderAddress, Type, Value,
};
use pipectl_lang::{ObjectBlock, Scope};
use pipectl_provider::{Cancel, Stop};
use pipectl_state::{Change, ObjectState, OutputState, State, StateWriter};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::conditions::Conditions;
use crate::ephemeral::{OpenValues, Opening};
use crate::evaluation::{Evaluation, extend_once, value_of_output};
use crate::expansion::Expansion;
use crate::graph::{Graph, ModuleId, Node};
use crate::instance::{instance_of, output_of, shown_id};
use crate::limits::{Concurrency, Limits};
use crate::order::{Step, Steps, steps};
use crate::planner::{evaluate_constants, judge_assertion, judge_validations, pruned_graph};
use crate::providers::before::Ground;
use crate::providers::locate::{is_served, remembered};
use crate::providers::{Before, Choice, Chooser, Pool, Providers};
use crate::secrets::Secrets;
use crate::selection::Selection;
use crate::values::Values;
use crate::walk::{Bound, Outcome, Visit, walk};
use crate::{
    Action, Applied, ApplyEnd, CheckResult, CheckStatus, Checked, Engine, Event, Mode, OutputAction, OutputView, Plan,
    PlanOptions, Planned, ResourceChange, Summary,
};
use committer::Committer;
use makings::Makings;
use open_calls::OpenCalls;
use prepare::{former_providers, prepare_state, stale};
use read_again::read_again;

/// What applying works with; shared by its tasks.
struct Run {
    engine: Engine,
    secrets: Secrets,
    planned: Planned,
    graph: Graph,
    values: Values,
    /// Provider configurations as they follow from what has been applied.
    providers: Providers,
    /// Provider configurations as they followed from the state before the walk: what is removed is removed with them.
    providers_before: Before,
    /// Whether anything in the files says something of providers.
    configures_providers: bool,
    /// The part that the plan is about.
    selection: Selection,
    /// How many calls may run at once.
    permits: Arc<Semaphore>,
    /// The state as it was when the walk began, with what it keeps only fingerprints of as far as that was read: what existed before.
    before: State,
    committer: Committer,
    /// Announced calls as they stand in the state.
    open_calls: OpenCalls,
    makings: Makings,
    /// By node, and by instance of its module: what `Begin` has prepared for the instances of a block.
    blocks: Vec<OnceLock<Vec<Block>>>,
    /// Whether any block bounds its calls: else nobody need be asked.
    has_bounds: bool,
    /// What follows from variables and locals alone, for objects that are removed without their block being begun.
    constants: OnceLock<Values>,
    /// Ephemeral values that are open.
    open: OpenValues,
    /// By node: whether an object that is worked on needs it.
    needs_values: Vec<bool>,
    /// By node: the blocks that it refers to.
    needed: Vec<Arc<BTreeSet<Address>>>,
    /// Where the plan's changes of objects that stay or come stand in it.
    changes: HashMap<Address, usize>,
    /// What the plan has deferred.
    later: deferred::Later,
    /// What refresh saw of objects, in words.
    drift: BTreeMap<Address, Vec<String>>,
    /// How many objects there are to work on; more come with what was deferred.
    total: AtomicUsize,
    begun: AtomicUsize,
    ended: AtomicUsize,
    results: Mutex<Results>,
}

/// What is prepared once for all instances of a block.
struct Block {
    scope: Arc<Scope>,
    expansion: Expansion,
    limits: Limits,
}

/// What the tasks of an apply have come up with.
#[derive(Default)]
struct Results {
    diagnostics: Diagnostics,
    summary: Summary,
    instances: HashMap<Address, Value>,
}

impl Run {
    fn plan(&self) -> &Plan {
        &self.planned.plan
    }

    fn results(&self) -> MutexGuard<'_, Results> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, diagnostics: Diagnostics) {
        for diagnostic in diagnostics.iter() {
            self.engine.events.observe(Event::Diagnostic(diagnostic.clone()));
        }
        self.results().diagnostics.extend(diagnostics);
    }

    /// What was prepared for the block of an object, in its instance of a module.
    fn begun(&self, address: &Address) -> Option<&Block> {
        let node = self.graph.find_object(address)?;
        let instance = self.values.instances(self.graph.module_of(node))?.find(&address.module)?;
        self.blocks[node.index()].get()?.get(instance)
    }

    /// The limits of an object's block. Where the object is removed before its block was begun, or the block is not begun at all, they are
    /// those that follow from variables and locals alone; an object without a block has none.
    fn limits(&self, address: &Address) -> Limits {
        if let Some(begun) = self.begun(address) {
            return begun.limits.clone();
        }
        let Some(block) = self.planned.configuration.object(address) else { return Limits::default() };
        if block.meta.retry.is_none() && block.meta.timeout.is_none() && block.meta.concurrency.is_none() {
            return Limits::default();
        }
        let constants = self.constants.get_or_init(|| {
            evaluate_constants(&self.engine, &self.planned.configuration, &self.planned.plan.variables, &self.graph)
        });
        let Some(node) = self.graph.find_object(address) else { return Limits::default() };
        let instances = constants.instances(self.graph.module_of(node));
        let Some(instance) = instances.and_then(|instances| instances.find(&address.module)) else {
            return Limits::default();
        };
        let scope = Arc::new(constants.scope(&self.graph, node, instance));
        let expansion = Expansion::of(block, &scope).unwrap_or(Expansion::Single);
        // What cannot be evaluated here has been reported by the plan, or needs objects that are about to go.
        Limits::of_block(block, &scope, &expansion).unwrap_or_default()
    }

    /// How many steps like this one may run at once.
    fn bound(&self, step: &Step) -> Option<Bound> {
        if !self.has_bounds {
            return None;
        }
        let (declaration, limits) = match step {
            Step::Apply(index) | Step::Remove(index) => {
                let address = &self.plan().changes[*index].address;
                (address.declaration(), self.limits(address))
            }
            // These work on one object after the other where the block is bounded, so that they count as one.
            Step::Deferred(node) | Step::RemoveDeferred(node) => {
                let Node::Object(declaration) = self.graph.node(*node) else { return None };
                let begun = self.blocks[node.index()].get()?.first()?;
                (declaration.clone(), begun.limits.clone())
            }
            Step::Evaluate(_)
            | Step::Begin(_)
            | Step::End(_)
            | Step::Checks
            | Step::BeginRemoval(_)
            | Step::EndRemoval(_) => {
                return None;
            }
        };
        let Concurrency { group, limit } = limits.concurrency?;
        let group = group.map_or_else(|| format!("block {declaration}"), |group| format!("group {group}"));
        Some(Bound { group, limit })
    }

    fn evaluation(&self) -> Evaluation<'_> {
        Evaluation {
            engine: &self.engine,
            configuration: &self.planned.configuration,
            variables: &self.planned.plan.variables,
            graph: &self.graph,
            values: &self.values,
            results: None,
            open: false,
            forgives: false,
        }
    }

    fn ground(&self) -> Ground<'_> {
        Ground {
            configuration: &self.planned.configuration,
            graph: &self.graph,
            variables: &self.planned.plan.variables,
        }
    }

    /// The provider configuration that serves an object, whose expressions are evaluated in `scope`; `None` where there is nothing to choose.
    fn choice(&self, address: &Address, block: &ObjectBlock, scope: &Scope) -> Result<Option<Choice>, Diagnostics> {
        let configuration = &self.planned.configuration;
        if !is_served(&self.engine.registry, configuration, self.configures_providers, address, block) {
            return Ok(None);
        }
        let choice = self.chooser().choose(address, block.meta.provider.as_ref(), scope)?;
        choice
            .map(Some)
            .ok_or_else(|| not_configured(self, address, "which provider configuration it uses is not known"))
    }

    fn chooser(&self) -> Chooser<'_> {
        Chooser { configuration: &self.planned.configuration, graph: &self.graph, values: &self.values }
    }

    /// What the state remembers of the provider configuration of an object.
    fn provider_of(&self, address: &Address) -> Option<ProviderAddress> {
        let configuration = &self.planned.configuration;
        let block = configuration.object(address)?;
        if !is_served(&self.engine.registry, configuration, self.configures_providers, address, block) {
            return None;
        }
        let begun = self.begun(address)?;
        let scope = begun.expansion.scope(&begun.scope, address.key.as_ref());
        let choice = self.choice(address, block, &scope).ok().flatten()?;
        remembered(&choice, address)
    }

    fn is_stopping(&self) -> bool {
        self.engine.cancel.state() != Stop::No || self.committer.has_failed()
    }

    /// Waits until a call may be made.
    async fn turn(&self) -> SemaphorePermit<'_> {
        self.permits.acquire().await.expect("the semaphore is never closed")
    }

    /// Tells that work on an object begins, which may be there already; the watch that runs from now on.
    fn begin(&self, address: &Address, action: Action, object: Option<&ObjectState>) -> Instant {
        let position = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let id = object.and_then(shown_id);
        let (address, total) = (address.clone(), self.total.load(Ordering::Relaxed));
        self.engine.events.observe(Event::ApplyStart { address, action, position, total, id });
        Instant::now()
    }

    /// Tells that work on an object has ended.
    fn end(&self, address: &Address, action: Action, end: ApplyEnd, watch: Option<Instant>, value: Option<&Value>) {
        if end == ApplyEnd::Done {
            self.results().summary.count(action);
        }
        let id = value.and_then(|value| value.attribute("id")).filter(|id| !id.is_sensitive()).and_then(Value::as_str);
        self.engine.events.observe(Event::ApplyComplete {
            address: address.clone(),
            action,
            end,
            done: self.ended.fetch_add(1, Ordering::Relaxed) + 1,
            total: self.total.load(Ordering::Relaxed),
            seconds: watch.map_or(0.0, |watch| watch.elapsed().as_secs_f64()),
            id: id.map(str::to_owned),
        });
    }
}

/// See [`Engine::apply`].
pub(crate) async fn apply(engine: &Engine, planned: Planned, mut writer: Box<dyn StateWriter>) -> Applied {
    let nothing_done = |state: &State, diagnostics: Diagnostics| {
        diagnostics.iter().for_each(|diagnostic| engine.events.observe(Event::Diagnostic(diagnostic.clone())));
        Applied { state: state.clone(), summary: Summary::default(), diagnostics, stopped: false }
    };
    if let Some(stale) = stale(engine, &planned.plan, writer.state()) {
        return nothing_done(writer.state(), stale.into());
    }
    let graph = pruned_graph(engine, &planned.configuration, &planned.plan.variables);
    if let Err(problems) = prepare_state(engine, &planned.plan, writer.as_mut()) {
        return nothing_done(writer.state(), problems);
    }
    let (pool, open) = (Arc::new(Pool::default()), OpenValues::default());
    let ground = Ground { configuration: &planned.configuration, graph: &graph, variables: &planned.plan.variables };
    let selection = selection(&planned.plan, &graph, writer.state());
    let state = writer.state().clone();
    let before = read_again(engine, ground, (&planned.plan, &selection), state, (&pool, &open)).await;
    let (before, warnings) = match before {
        Ok(before) => before,
        Err(mut problems) => {
            problems.extend(open.close(engine).await);
            return nothing_done(writer.state(), problems);
        }
    };
    let providers_before = former_providers(engine, &planned, &graph, &before, (&pool, &open)).await;
    let ground = (&*planned.configuration, &graph);
    let steps = match steps(&planned.plan, ground, |node| selection.has_node(node), &before) {
        Ok(steps) => steps,
        Err(mut problems) => {
            problems.extend(open.close(engine).await);
            return nothing_done(writer.state(), problems);
        }
    };
    let parts = Parts { planned, graph, before, selection, pool, providers_before, open };
    let run = Arc::new(Run::new(engine, parts, &steps, Committer::start(writer)));
    run.report(warnings);
    let outcomes = walk_steps(&run, &steps).await;
    let problems = run.open.close(engine).await;
    run.report(problems);
    let is_complete = outcomes.iter().all(|outcome| *outcome == Outcome::Done);
    run.committer.commit_soon(remaining_outputs(&run, is_complete));
    run.report(broken_outputs(&run));
    let state = run.committer.finish().await;
    run.report(run.committer.take_failure().into_iter().collect());
    // A state that cannot be written ends the walk, too: that is a failure and was nobody's wish.
    let stopped = !is_complete && engine.cancel.state() != Stop::No;
    let (diagnostics, summary) = {
        let mut results = run.results();
        let summary = Summary { import: run.plan().imported(), ..results.summary };
        (std::mem::take(&mut results.diagnostics), summary)
    };
    engine.events.observe(Event::ChangeSummary(summary));
    if run.plan().mode != Mode::Destroy {
        engine.events.observe(Event::Outputs {
            outputs: state.outputs.iter().map(|(name, output)| (name.clone(), view(output))).collect(),
        });
    }
    Applied { state, summary, diagnostics, stopped }
}

fn view(output: &OutputState) -> OutputView {
    OutputView {
        value: (!output.sensitive).then(|| output.value.clone()),
        ty: output.ty.clone(),
        sensitive: output.sensitive,
    }
}

/// The error for an object whose provider has no configuration.
fn not_configured(run: &Run, address: &Address, why: &str) -> Diagnostics {
    let detail = format!("Nothing can be done with {address}: {why}.");
    Diagnostic::error("Provider configuration not known", detail)
        .about(address)
        .hint(run.engine.folders.command("plan", ""))
        .into()
}

/// The part of the graph that the plan is about.
fn selection(plan: &Plan, graph: &Graph, state: &State) -> Selection {
    let options = PlanOptions {
        targets: plan.targets.clone(),
        excludes: plan.excludes.clone(),
        ..PlanOptions::new(plan.mode, plan.seed)
    };
    Selection::of(graph, Some(state), &options)
}

/// What is there before the walk begins.
struct Parts {
    planned: Planned,
    graph: Graph,
    before: State,
    selection: Selection,
    pool: Arc<Pool>,
    providers_before: Before,
    open: OpenValues,
}

impl Run {
    fn new(engine: &Engine, parts: Parts, steps: &Steps, committer: Committer) -> Self {
        let Parts { planned, graph, before, selection, pool, providers_before, open } = parts;
        let stays_or_comes = |change: &ResourceChange| {
            change.deposed.is_none() && !matches!(change.action, Action::Delete | Action::Forget)
        };
        let changes = planned.plan.changes.iter().enumerate();
        let changes = changes.filter(|(_, change)| stays_or_comes(change));
        let changes = changes.map(|(index, change)| (change.address.clone(), index)).collect();
        let is_work = |step: &Step| match step {
            Step::Apply(index) => planned.plan.changes[*index].action != Action::Read,
            Step::Remove(_) => true,
            Step::Evaluate(_)
            | Step::Begin(_)
            | Step::Deferred(_)
            | Step::End(_)
            | Step::Checks
            | Step::BeginRemoval(_)
            | Step::EndRemoval(_)
            | Step::RemoveDeferred(_) => false,
        };
        let mut blocks = Vec::new();
        blocks.resize_with(graph.len(), OnceLock::new);
        let worked_on: Vec<NodeIndex> = steps
            .node_weights()
            .filter_map(|step| match step {
                Step::Apply(index) => graph.find_object(&planned.plan.changes[*index].address),
                Step::Deferred(node) => Some(*node),
                _ => None,
            })
            .collect();
        Self {
            engine: engine.clone(),
            secrets: Secrets::of(Some(&before), planned.plan.seed),
            values: Values::new(engine, &graph, Some(planned.plan.made)).drawn(engine),
            has_bounds: planned
                .configuration
                .distinct_modules()
                .iter()
                .any(|module| module.objects.values().any(|block| block.meta.concurrency.is_some())),
            constants: OnceLock::new(),
            open,
            needs_values: graph.closure(worked_on, petgraph::Direction::Incoming),
            providers: Providers::new(engine, &graph, pool),
            providers_before,
            configures_providers: planned.configuration.configures_providers(),
            selection,
            permits: Arc::new(Semaphore::new(engine.parallelism.max(1))),
            needed: graph.objects_needed(),
            later: deferred::Later::of(&planned.plan, &before),
            open_calls: OpenCalls::of(&before),
            makings: Makings::default(),
            before,
            committer,
            blocks,
            changes,
            drift: drift_by_object(&planned.plan),
            total: AtomicUsize::new(steps.node_weights().filter(|step| is_work(step)).count()),
            begun: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            results: Mutex::new(Results::default()),
            planned,
            graph,
        }
    }
}

fn drift_by_object(plan: &Plan) -> BTreeMap<Address, Vec<String>> {
    let mut drift: BTreeMap<Address, Vec<String>> = BTreeMap::new();
    for seen in &plan.drift {
        drift.entry(seen.address.clone()).or_default().extend(seen.notes.iter().cloned());
    }
    drift
}

async fn walk_steps(run: &Arc<Run>, steps: &Steps) -> Vec<Outcome> {
    let visit = |place: NodeIndex| match steps[place] {
        Step::Evaluate(node) => match run.graph.node(node) {
            Node::Ephemeral(_) => {
                let run = Arc::clone(run);
                Visit::Run(Work::Open(run, node))
            }
            _ => Visit::Ready(evaluate(run, node)),
        },
        Step::Begin(node) => Visit::Ready(begin_block(run, node)),
        Step::End(node) => Visit::Ready(end_block(run, node)),
        Step::Checks | Step::BeginRemoval(_) | Step::EndRemoval(_) => Visit::Ready(true),
        Step::Apply(index) => {
            let run = Arc::clone(run);
            Visit::Run(Work::Apply(run, index))
        }
        Step::Remove(index) => {
            let run = Arc::clone(run);
            Visit::Run(Work::Remove(run, index))
        }
        Step::Deferred(node) => Visit::Run(Work::Deferred(Arc::clone(run), node)),
        Step::RemoveDeferred(node) => Visit::Run(Work::RemoveDeferred(Arc::clone(run), node)),
    };
    let visit = |place| match visit(place) {
        Visit::Ready(worked) => Visit::Ready(worked),
        Visit::Run(work) => Visit::Run(work.run()),
    };
    let skipped = |place: NodeIndex, outcome: Outcome| {
        let (index, is_removal) = match steps[place] {
            Step::Apply(index) => (index, false),
            Step::Remove(index) => (index, true),
            Step::Deferred(node) => return deferred::skipped(run, node, end_of(outcome)),
            Step::Evaluate(_)
            | Step::Begin(_)
            | Step::End(_)
            | Step::Checks
            | Step::BeginRemoval(_)
            | Step::EndRemoval(_)
            | Step::RemoveDeferred(_) => return,
        };
        let change = &run.plan().changes[index];
        let end = end_of(outcome);
        if change.action != Action::Read {
            run.end(&change.address, part(change.action, is_removal), end, None, None);
        }
    };
    let bound = |place: NodeIndex| run.bound(&steps[place]);
    walk(steps, run.engine.parallelism, || run.is_stopping(), bound, visit, skipped).await
}

fn end_of(outcome: Outcome) -> ApplyEnd {
    if outcome == Outcome::NotStarted { ApplyEnd::NotStarted } else { ApplyEnd::Blocked }
}

/// One task of the walk.
enum Work {
    Open(Arc<Run>, NodeIndex),
    Apply(Arc<Run>, usize),
    Remove(Arc<Run>, usize),
    Deferred(Arc<Run>, NodeIndex),
    RemoveDeferred(Arc<Run>, NodeIndex),
}

impl Work {
    async fn run(self) -> bool {
        match self {
            Work::Open(run, node) => open(&run, node).await,
            Work::Apply(run, index) => {
                let _turn = run.turn().await;
                object::apply(&run, index).await
            }
            Work::Remove(run, index) => {
                let _turn = run.turn().await;
                removal::remove(&run, index).await
            }
            // Each object has a turn of its own.
            Work::Deferred(run, node) => deferred::apply(&run, node).await,
            Work::RemoveDeferred(run, node) => deferred::remove(&run, node).await,
        }
    }
}

/// Opens an ephemeral resource, where anything that is done needs it. Whether it worked.
async fn open(run: &Arc<Run>, node: NodeIndex) -> bool {
    let Node::Ephemeral(declaration) = run.graph.node(node) else { return true };
    let opening = Opening {
        evaluation: run.evaluation(),
        open: &run.open,
        providers: &run.providers,
        waits: &|_, _| false,
        is_needed: run.needs_values[node.index()],
        ignores_enabled: false,
    };
    let opened = opening.block(node, declaration).await;
    let worked = opened.is_ok();
    // The plan has told the warnings already.
    run.report(opened.map_or_else(|problems| problems, |_| Diagnostics::new()));
    worked
}

/// A replacement is done in two parts.
fn part(action: Action, is_removal: bool) -> Action {
    match action {
        Action::Replace { .. } if is_removal => Action::Delete,
        Action::Replace { .. } => Action::Create,
        other => other,
    }
}

fn evaluate(run: &Run, node: NodeIndex) -> bool {
    let result = match run.graph.node(node) {
        Node::Output(name) if run.graph.module_of(node) == ModuleId::ROOT => {
            root_output(run, node, name).map(|()| Diagnostics::new())
        }
        Node::Check(name) => {
            let found = check(run, node, name);
            if found.has_errors() { Err(found) } else { Ok(found) }
        }
        Node::Validation(name) => {
            let failed = judge_validations(&run.evaluation(), node, name).problems;
            if failed.has_errors() { Err(failed) } else { Ok(failed) }
        }
        Node::Provider(_) if run.graph.is_idle_provider(node) => Ok(Diagnostics::new()),
        // The plan has told the warnings already.
        Node::Provider(_) => run.providers.evaluate(&run.evaluation(), node).map(|_| Diagnostics::new()),
        Node::Variable(_)
        | Node::Local(_)
        | Node::Model(_)
        | Node::Executor(..)
        | Node::Object(_)
        | Node::Ephemeral(_)
        | Node::Call(_)
        | Node::Module(_)
        | Node::Output(_) => {
            // The plan has told the warnings already.
            run.evaluation().evaluate(node).map(|_| Diagnostics::new())
        }
    };
    let worked = result.is_ok();
    run.report(result.unwrap_or_else(|problems| problems));
    worked
}

fn root_output(run: &Run, node: NodeIndex, name: &str) -> Result<(), Diagnostics> {
    let Some(block) = run.planned.configuration.outputs.get(name) else {
        return Ok(());
    };
    let scope = run.values.scope(&run.graph, node, 0);
    Conditions::of_output(block, &ModulePath::ROOT).judge(&scope).certain()?;
    let value = value_of_output(block, &scope, &ModulePath::ROOT)?;
    if value.is_null() {
        if run.before.outputs.contains_key(name) {
            run.committer.commit_soon(vec![Change::RemoveOutput { name: name.to_owned() }]);
        }
        return Ok(());
    }
    let output = output_of(&value, block.sensitive).filter(|output| run.before.outputs.get(name) != Some(output));
    if let Some(output) = output {
        run.committer.commit_soon(vec![Change::SetOutput { name: name.to_owned(), output }]);
    }
    Ok(())
}

/// Warnings and errors of assertions that the plan did not report already.
fn check(run: &Run, node: NodeIndex, name: &str) -> Diagnostics {
    let module = run.graph.module_of(node);
    let own = run.planned.configuration.module(&run.graph.module(module).path);
    let rules = own.and_then(|own| own.checks.get(name)).map_or(&[][..], |block| &block.assertions);
    let mut found = Diagnostics::new();
    for (instance, path) in run.values.instances(module).into_iter().flat_map(|found| found.paths().iter().enumerate())
    {
        let scope = run.values.scope(&run.graph, node, instance);
        let told = |assertion: usize| {
            let mut planned = run.plan().checks.iter();
            planned.any(|result| {
                result.status == CheckStatus::Fail
                    && (&result.module, result.condition) == (path, assertion)
                    && matches!(&result.subject, Checked::Check(check) if check == name)
            })
        };
        for (assertion, rule) in rules.iter().enumerate().filter(|(assertion, _)| !told(*assertion)) {
            let problems = judge_assertion(path, name, assertion, rule, &scope).1;
            // Where something failed, the rest stays unknown: that has been told, and no apply is to come.
            found.extend(problems.without(DiagnosticKind::UnknownCheck));
        }
    }
    found
}

fn begin_block(run: &Run, node: NodeIndex) -> bool {
    let Node::Object(declaration) = run.graph.node(node) else { return true };
    let modules = run.values.instances(run.graph.module_of(node));
    let (Some(block), Some(modules)) = (run.planned.configuration.object(declaration), modules) else { return false };
    let mut prepared = Vec::with_capacity(modules.len());
    let mut problems = Diagnostics::new();
    for module in 0..modules.len() {
        let scope = Arc::new(run.values.scope(&run.graph, node, module));
        let block = Expansion::of(block, &scope).and_then(|expansion| {
            let limits = Limits::of_block(block, &scope, &expansion)?;
            Ok(Block { scope, expansion, limits })
        });
        match block {
            Ok(block) => prepared.push(block),
            Err(found) => extend_once(&mut problems, found),
        }
    }
    if problems.has_errors() {
        run.report(problems);
        return false;
    }
    let _ = run.blocks[node.index()].set(prepared);
    true
}

/// Sets the values of a block from its instances: those that were worked on, and those that stay as they are.
fn end_block(run: &Run, node: NodeIndex) -> bool {
    let modules = run.values.instances(run.graph.module_of(node));
    let (Node::Object(declaration), Some(blocks), Some(modules)) =
        (run.graph.node(node), run.blocks[node.index()].get(), modules)
    else {
        return false;
    };
    let mut column = Vec::with_capacity(blocks.len());
    for (block, path) in blocks.iter().zip(modules.paths()) {
        match block_value(run, block, &declaration.in_module(path)) {
            Ok(value) => column.push(value),
            Err(problems) => {
                run.report(problems);
                return false;
            }
        }
    }
    run.values.set(node, column);
    true
}

/// The value of a block in one instance of its module.
fn block_value(run: &Run, block: &Block, address: &Address) -> Result<Value, Diagnostics> {
    let mut values = Vec::new();
    for key in block.expansion.keys() {
        let instance = address.with_key(key);
        let done = run.results().instances.remove(&instance);
        let value = match (done, run.changes.get(&instance)) {
            (Some(value), _) => value,
            (None, Some(index)) => unchanged(run, block, *index)?,
            // Left out of the plan.
            (None, None) => match existing(run, &instance)? {
                Some(value) => object::with_secrets_back(run, block, &instance, value)?,
                None => Value::unknown(Type::Any),
            },
        };
        values.push(value);
    }
    Ok(block.expansion.assemble(values))
}

/// The value of an object that the plan leaves as it is. Arguments that mean nothing to the object may have changed: they are remembered.
fn unchanged(run: &Run, block: &Block, index: usize) -> Result<Value, Diagnostics> {
    let change = &run.plan().changes[index];
    let with_secrets = |value| object::with_secrets_back(run, block, &change.address, value);
    let Some(after) = &change.after else {
        return existing(run, &change.address)?.map_or(Ok(Value::null()), with_secrets);
    };
    let is_remembered = change.address.kind != AddressKind::Data && change.before.as_ref() != Some(after);
    let after = with_secrets(after.clone())?;
    if is_remembered {
        object::remember(run, &change.address, &after, &change.private, None);
    }
    Ok(after)
}

/// The value of an object as it was before.
fn existing(run: &Run, address: &Address) -> Result<Option<Value>, Diagnostics> {
    match (run.before.object(address), run.engine.registry.resource(address.kind, &address.type_name)) {
        (Some(object), Some(kind)) => {
            instance_of(address, object, kind.as_ref()).map(|instance| Some(instance.attributes))
        }
        _ => Ok(None),
    }
}

/// Outputs that no step of the walk has set.
fn remaining_outputs(run: &Run, is_complete: bool) -> Vec<Change> {
    let plan = run.plan();
    let mut changes = Vec::new();
    for output in &plan.outputs {
        match (output.action, &output.after) {
            // While something still exists, what is known of it is kept.
            (OutputAction::Delete, _) if plan.mode != Mode::Destroy || is_complete => {
                changes.push(Change::RemoveOutput { name: output.name.clone() });
            }
            (OutputAction::Update, Some(after)) if plan.mode == Mode::RefreshOnly && after.is_null() => {
                changes.push(Change::RemoveOutput { name: output.name.clone() });
            }
            (OutputAction::Create | OutputAction::Update, Some(after)) if plan.mode == Mode::RefreshOnly => {
                let stored = output_of(after, output.sensitive);
                changes.extend(stored.map(|stored| Change::SetOutput { name: output.name.clone(), output: stored }));
            }
            _ => {}
        }
    }
    changes
}

/// Outputs whose preconditions do not hold. Other plans stop at them; one that only takes in what was found goes on, and they stay as they were.
fn broken_outputs(run: &Run) -> Diagnostics {
    let is_asked = |_: &&CheckResult| run.plan().mode == Mode::RefreshOnly;
    let broken = run.plan().checks.iter().filter(is_asked).filter_map(|result| {
        let Checked::Output(name) = &result.subject else { return None };
        let block = run.planned.configuration.module(&result.module)?.outputs.get(name)?;
        Conditions::of_output(block, &result.module).problem(result)
    });
    broken.collect()
}

/// A switch for one call: what the whole run is asked, the call is asked too.
fn child(parent: &Cancel) -> Cancel {
    let child = Cancel::new();
    child.request(parent.state());
    child
}
