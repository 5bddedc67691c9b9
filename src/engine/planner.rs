//! Planning: evaluate in the order of references, ask each kind, and write down what is to be done and why.

mod deferral;
mod import;
mod object;
mod output;
mod refresh;
mod removal;
mod replace;
mod trigger;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use petgraph::graph::{DiGraph, NodeIndex};
use pipectl_core::{Address, Diagnostic, Diagnostics, ModulePath, ProviderAddress, Target, Value};
use pipectl_lang::{Configuration, ObjectBlock};
use pipectl_provider::context::{Fingerprints, Recorder};
use pipectl_provider::{Cancel, Cx};
use pipectl_state::{Change, ObjectState, State, StoredSecret};
use tokio::sync::Semaphore;

use crate::ephemeral::{OpenValues, Opening};
use crate::evaluation::Evaluation;
use crate::expansion::{Expansion, evaluate_enabled};
use crate::graph::{Disabled, Graph, ModuleId, Node};
use crate::moves::{Moves, below, moved_state};
use crate::providers::before::Ground;
use crate::providers::{Before, Chooser, Pool, Providers};
use crate::secrets::Secrets;
use crate::selection::{Selection, unknown_addresses};
use crate::sensitive_in_clear::warn_in_clear;
use crate::values::Values;
use crate::walk::{Visit, walk};
use crate::{
    Cause, CheckResult, DeferredChange, Engine, Event, Mode, Moved, OutputChange, Plan, PlanOptions, PlanSource,
    Planned, ResourceChange, StateIdentity, VariableInput,
};
use refresh::Observations;
pub(crate) use refresh::drop_words_on_secrets;

pub(crate) use deferral::new_action;
pub(crate) use import::mistakes as mistakes_of_imports;
pub(crate) use object::{Arguments, arguments, as_warnings, provider_mistake, with_marks_of};
pub(crate) use output::{judge_assertion, judge_validations};

/// What planning works with; shared by its tasks.
struct Run {
    engine: Engine,
    secrets: Secrets,
    configuration: Arc<Configuration>,
    variables: BTreeMap<String, Value>,
    options: PlanOptions,
    graph: Graph,
    selection: Selection,
    values: Values,
    /// Provider configurations as they are planned.
    providers: Providers,
    /// Provider configurations as the state has them.
    before: Before,
    /// Whether anything in the files says something of providers.
    configures_providers: bool,
    /// By node: whether something that it depends on, however far away, is deferred.
    after_deferred: Vec<AtomicBool>,
    /// By provider block, once asked for: an object that is replaced, and that its configurations are made from.
    replaced_below: Mutex<BTreeMap<NodeIndex, Option<Address>>>,
    observations: Observations,
    /// Objects that were moved: by their new address, the one that the state knew them by.
    previous: BTreeMap<Address, Address>,
    /// By node: the blocks that it refers to.
    needed: Vec<Arc<BTreeSet<Address>>>,
    /// See [`import::by_block`].
    imports: BTreeMap<Address, Vec<usize>>,
    /// What `removed` blocks name, and whether it is destroyed.
    removed: Vec<(Target, bool)>,
    /// Declarations whose replacements are made before the old object is removed: by their own words, or because something that needs them is.
    creates_first: BTreeSet<Address>,
    permits: Arc<Semaphore>,
    /// Ephemeral values that are open.
    open: OpenValues,
    found: Mutex<Found>,
    /// How conditions stand.
    checks: Mutex<Vec<CheckResult>>,
}

/// What the tasks of a plan have come up with.
#[derive(Default)]
struct Found {
    diagnostics: Diagnostics,
    changes: Vec<ResourceChange>,
    deferred: Vec<DeferredChange>,
    /// Blocks with something to be done, and whether any object of theirs exists and becomes another.
    pending: HashMap<Address, bool>,
    /// Where the changes of pending instances stand in `changes`. What is deferred has none yet.
    pending_changes: HashMap<Address, usize>,
    /// Modules, without instances, with something to be done inside.
    pending_modules: BTreeSet<ModulePath>,
    expansions: BTreeMap<Address, Expansion>,
    /// What takes imported objects into the state.
    imported: BTreeMap<Address, Change>,
    /// Objects that stay as they are with another provider configuration than the state remembers: what it is to remember.
    rebound: BTreeMap<Address, Option<ProviderAddress>>,
    /// By name of a concurrency group: the block that was the first to name it, and the limit.
    groups: BTreeMap<String, (Address, usize)>,
    outputs: Vec<OutputChange>,
    /// Checks whose data source could not be read.
    unread: BTreeSet<(ModulePath, String)>,
}

impl Found {
    fn add(&mut self, planned: Planning) {
        match planned {
            Planning::Change(change) => {
                // Nothing but the assertions of its check waits for what a check reads.
                if !change.action.is_no_op() && !matches!(change.cause, Some(Cause::InCheck(_))) {
                    self.is_pending(&change.address, trigger::pulls(&change));
                    // What has made room is not the object that others refer to.
                    if change.deposed.is_none() {
                        self.pending_changes.insert(change.address.clone(), self.changes.len());
                    }
                }
                self.changes.push(*change);
            }
            Planning::Deferred(deferred) => {
                self.is_pending(deferred.address.address(), false);
                self.deferred.push(*deferred);
            }
        }
    }

    fn is_pending(&mut self, address: &Address, becomes_another: bool) {
        *self.pending.entry(address.block()).or_default() |= becomes_another;
        let mut module = address.module.declaration();
        while let Some((outer, _)) = module.parent() {
            if !self.pending_modules.insert(std::mem::replace(&mut module, outer)) {
                break;
            }
        }
    }
}

/// What the plan has for an object.
enum Planning {
    /// What is to be done with it.
    Change(Box<ResourceChange>),
    /// That this is decided later.
    Deferred(Box<DeferredChange>),
}

impl Run {
    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, diagnostics: Diagnostics) {
        self.found().diagnostics.extend(diagnostics);
    }

    fn evaluation(&self) -> Evaluation<'_> {
        Evaluation {
            engine: &self.engine,
            configuration: &self.configuration,
            variables: &self.variables,
            graph: &self.graph,
            values: &self.values,
            results: Some(&self.checks),
            open: true,
            forgives: self.options.mode == Mode::RefreshOnly,
        }
    }

    /// Takes down how conditions stand.
    fn judged(&self, results: impl IntoIterator<Item = CheckResult>) {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner).extend(results);
    }

    fn ground(&self) -> Ground<'_> {
        Ground { configuration: &self.configuration, graph: &self.graph, variables: &self.variables }
    }

    fn chooser(&self) -> Chooser<'_> {
        Chooser { configuration: &self.configuration, graph: &self.graph, values: &self.values }
    }
}

/// The context of a call that changes nothing.
fn reading(engine: &Engine, address: &Address, token: String) -> Cx {
    context(engine, address, token, engine.cancel.clone(), Recorder::none())
}

/// The context of a call about an object. Who has secrets to tell apart puts the state's fingerprints in.
pub(crate) fn context(engine: &Engine, address: &Address, token: String, cancel: Cancel, recorder: Recorder) -> Cx {
    Cx { cancel, token, recorder, ..named_context(engine, address.to_string()) }
}

/// The context of a call that is about no object: of configuring a provider.
pub(crate) fn named_context(engine: &Engine, name: String) -> Cx {
    Cx {
        address: name,
        cancel: engine.cancel.clone(),
        events: Arc::new(Forward(Arc::clone(&engine.events))),
        environment: Arc::clone(&engine.environment),
        artifacts: Arc::clone(&engine.artifacts),
        token: String::new(),
        root: engine.folders.root.clone(),
        work: engine.folders.work.clone(),
        view: engine.folders.view.clone(),
        recorder: Recorder::none(),
        fingerprints: Fingerprints::none(),
    }
}

/// Hands events of calls on as events of the engine.
struct Forward(Arc<dyn crate::Observer>);

impl pipectl_provider::EventSink for Forward {
    fn emit(&self, address: &str, event: pipectl_provider::Event) {
        if let Ok(address) = address.parse() {
            self.0.observe(Event::ApplyProgress { address, progress: event });
        }
    }
}

/// See [`Engine::plan`].
pub(crate) async fn plan(
    engine: &Engine,
    configuration: Arc<Configuration>,
    inputs: &[VariableInput],
    state: Option<&State>,
    options: &PlanOptions,
) -> Result<Planned, Diagnostics> {
    let (variables, mut diagnostics) = crate::resolve_variables(&configuration, inputs);
    diagnostics.extend(configuration.check_references());
    diagnostics.extend(crate::validate::check_kinds(engine, &configuration));
    diagnostics.extend(crate::validate::check_removed(&configuration));
    diagnostics.extend(import::check(engine, &configuration));
    diagnostics.extend(crate::providers::check::check(engine, &configuration));
    if diagnostics.has_errors() {
        diagnostics.extend(Graph::new(&configuration).cycles());
        return Err(diagnostics);
    }
    let graph = pruned_graph(engine, &configuration, &variables);
    diagnostics.extend(graph.cycles());
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    let empty = State::default();
    let known = state.unwrap_or(&empty);
    let moves = match Moves::of(&configuration, known) {
        Ok(moves) => moves,
        Err(problems) => {
            diagnostics.extend(problems);
            return Err(diagnostics);
        }
    };
    diagnostics.extend(moves.warning());
    let after_moves = (!moves.moved.is_empty()).then(|| moved_state(known, &moves.moved));
    let state = after_moves.as_ref().unwrap_or(known);
    diagnostics.extend(unknown_addresses(&graph, state, &moves.moved, options));
    let selection = Selection::of(&graph, Some(state), options);
    diagnostics.extend(left_out_moves(&selection, &moves.moved));
    let permits = Arc::new(Semaphore::new(engine.parallelism.max(1)));
    let pool = Arc::new(Pool::default());
    let mut before = Before::new(engine, &graph, &pool, state);
    let ground = Ground { configuration: &configuration, graph: &graph, variables: &variables };
    let open = OpenValues::default();
    let secrets = Secrets::of(Some(state), options.seed);
    let refresh = refresh::Refresh {
        engine,
        ground,
        state,
        selection: &selection,
        options,
        secrets: &secrets,
        permits: &permits,
        open: &open,
    };
    let (observations, problems) = refresh.observe(&mut before).await;
    diagnostics.extend(problems);
    if diagnostics.has_errors() {
        diagnostics.extend(open.close(engine).await);
        return Err(diagnostics);
    }
    let made = crate::values::seconds(&*engine.environment);
    let values = Values::new(engine, &graph, Some(made));
    let providers = Providers::new(engine, &graph, pool);
    let creates_first = creates_first(&configuration, &graph);
    let needed = if configuration.imports.is_empty() { Vec::new() } else { graph.objects_needed() };
    let mut after_deferred = Vec::new();
    after_deferred.resize_with(graph.len(), AtomicBool::default);
    let run = Arc::new(Run {
        engine: engine.clone(),
        secrets,
        configuration: Arc::clone(&configuration),
        variables,
        options: options.clone(),
        graph,
        selection,
        values,
        providers,
        before,
        configures_providers: configuration.configures_providers(),
        after_deferred,
        replaced_below: Mutex::default(),
        observations,
        previous: moves.moved.iter().map(|moved| (moved.to.clone(), moved.from.clone())).collect(),
        needed,
        imports: import::by_block(&configuration),
        removed: removed_blocks(&configuration),
        creates_first,
        permits,
        open,
        found: Mutex::new(Found { diagnostics, ..Found::default() }),
        checks: Mutex::default(),
    });
    if options.mode == Mode::Destroy {
        removal::plan_everything(&run);
    } else {
        walk_graph(&run, state).await;
        removal::plan_orphans(&run);
        let problems = still_declared(&run, &moves);
        run.report(problems);
        replace::tell_incomplete(&run);
    }
    let problems = run.open.close(engine).await;
    run.report(problems);
    removal::tell_forgotten(&run);
    output::plan_removed(&run, state);
    let mut found = std::mem::take(&mut *run.found());
    if found.diagnostics.has_errors() {
        // What is wrong with a provider is wrong with all that it serves.
        return Err(crate::validate::without_repetitions(found.diagnostics));
    }
    found.deferred.sort_by(|a, b| a.address.cmp(&b.address));
    found.changes.sort_by(|a, b| (&a.address, &a.deposed).cmp(&(&b.address, &b.deposed)));
    found.outputs.sort_by(|a, b| a.name.cmp(&b.name));
    let mut checks = std::mem::take(&mut *run.checks.lock().unwrap_or_else(PoisonError::into_inner));
    checks.sort_by(|a, b| (&a.module, &a.subject, a.condition).cmp(&(&b.module, &b.subject, b.condition)));
    if !engine.is_encrypted {
        found.diagnostics.extend(warn_in_clear(&found.changes, &found.outputs));
    }
    let plan = Plan {
        mode: options.mode,
        workspace: engine.workspace.clone(),
        sources: sources(&configuration),
        variables: run.variables.clone(),
        given_ephemerals: given_ephemerals(&configuration, inputs),
        base: StateIdentity::of(known),
        seed: options.seed,
        made,
        targets: options.targets.clone(),
        excludes: options.excludes.clone(),
        moved: moves.moved,
        observed: observed(&run.observations, &found, state),
        drift: run.observations.drift.clone(),
        secrets: secrets_of(&run.secrets, &found.changes),
        changes: found.changes,
        deferred: found.deferred,
        allow_deferred_destroy: options.allow_deferred_destroy,
        outputs: found.outputs,
        checks,
    };
    announce(engine, &plan);
    Ok(Planned { plan, configuration, diagnostics: found.diagnostics })
}

/// What the state does not say yet: what refresh saw, which provider configurations objects live on with, and what was imported.
fn observed(observations: &Observations, found: &Found, state: &State) -> Vec<Change> {
    // What is decided at apply is asked for once more then: the same call may be made again.
    let is_decided_later = |address: &Address| {
        observations.unanswered.contains_key(address)
            && found.deferred.iter().any(|deferred| deferred.address.fits(address))
    };
    let seen = observations
        .changes
        .iter()
        .filter(|change| !matches!(change, Change::RemoveIntent { address } if is_decided_later(address)));
    let rebound = rebound(observations, &found.rebound, state);
    seen.chain(&rebound).chain(found.imported.values()).cloned().collect()
}

/// What tells the state of the provider configurations that objects live on with.
fn rebound(
    observations: &Observations,
    rebound: &BTreeMap<Address, Option<ProviderAddress>>,
    state: &State,
) -> Vec<Change> {
    let mut seen: BTreeMap<&Address, &ObjectState> = BTreeMap::new();
    if !rebound.is_empty() {
        seen.extend(observations.changes.iter().filter_map(|change| match change {
            Change::SetObject { address, object } => Some((address, object)),
            _ => None,
        }));
    }
    let each = |(address, provider): (&Address, &Option<ProviderAddress>)| {
        let object = seen.get(address).copied().or_else(|| state.object(address))?;
        let object = ObjectState { provider: provider.clone(), ..object.clone() };
        Some(Change::SetObject { address: address.clone(), object })
    };
    rebound.iter().filter_map(each).collect()
}

/// Ephemeral variables that something was given for.
fn given_ephemerals(configuration: &Configuration, inputs: &[VariableInput]) -> BTreeSet<String> {
    let is_ephemeral = |name: &String| configuration.variables.get(name).is_some_and(|block| block.ephemeral);
    inputs.iter().map(|input| input.name.clone()).filter(is_ephemeral).collect()
}

/// The fingerprints of the secrets that objects are to have.
fn secrets_of(secrets: &Secrets, changes: &[ResourceChange]) -> BTreeMap<Address, Vec<StoredSecret>> {
    let each = |change: &ResourceChange| {
        let found = secrets.of_object(&change.address, change.after.as_ref()?);
        (!found.is_empty()).then(|| (change.address.clone(), found))
    };
    changes.iter().filter_map(each).collect()
}

/// What the `removed` blocks of all modules name, as the root module writes it.
fn removed_blocks(configuration: &Configuration) -> Vec<(Target, bool)> {
    let mut removed = Vec::new();
    configuration.visit_modules(&mut |path, module| {
        removed.extend(module.removed.iter().map(|block| (below(&block.from, path), block.destroy)));
    });
    removed
}

/// What was moved must be planned, from where it was to where it is: `-target` and `-exclude` may not leave either end out.
fn left_out_moves(selection: &Selection, moved: &[Moved]) -> Option<Diagnostic> {
    let is_whole = |moved: &&Moved| selection.has(&moved.to) && selection.has_source(&moved.from);
    let left_out: Vec<&Moved> = moved.iter().filter(|moved| !is_whole(moved)).collect();
    let list: Vec<String> = left_out.iter().map(|moved| format!("{} to {}", moved.from, moved.to)).collect();
    let detail = format!(
        "Objects of the state have moved to other addresses, and these are left out: {}. Plan them, too.",
        list.join(", ")
    );
    let problem = Diagnostic::error("Moved resource instances excluded by targeting", detail);
    (!left_out.is_empty()).then(|| {
        let hint = |moved: &Moved| format!("-target='{}' -target='{}'", moved.from, moved.to);
        left_out.iter().fold(problem, |problem, moved| problem.hint(hint(moved)))
    })
}

/// Errors for what has moved away by the configuration's words, and is still declared in it.
fn still_declared(run: &Run, moves: &Moves) -> Diagnostics {
    let modules = |path: &ModulePath| {
        let instances = run.graph.find_module(path).and_then(|module| run.values.instances(module));
        instances.map_or_else(Vec::new, |instances| instances.paths().to_vec())
    };
    let found = run.found();
    moves.still_declared(modules, |from, any| match from {
        Target::Module(path) if any => run.configuration.module_block(path).is_some(),
        Target::Module(path) => modules(path).contains(path),
        Target::Object(address) if any => run.configuration.object(address).is_some(),
        Target::Object(address) => {
            found.expansions.get(&address.block()).is_some_and(|expansion| expansion.contains(address.key.as_ref()))
        }
    })
}

/// The files of all modules, those of the root module first.
fn sources(configuration: &Configuration) -> Vec<PlanSource> {
    let files = configuration.distinct_modules().into_iter().flat_map(|module| {
        let of_module = |id: &pipectl_core::SourceId| (module.folder.clone(), *id);
        module.files.iter().map(of_module).collect::<Vec<_>>()
    });
    files
        .filter_map(|(folder, id)| {
            let source = configuration.sources.get(id)?;
            Some(PlanSource { name: source.name.clone(), folder, text: source.text.to_string() })
        })
        .collect()
}

fn announce(engine: &Engine, plan: &Plan) {
    for drift in &plan.drift {
        engine.events.observe(Event::ResourceDrift { address: drift.address.clone(), notes: drift.notes.clone() });
    }
    for change in plan.changes.iter().filter(|change| !change.action.is_no_op()) {
        engine.events.observe(Event::PlannedChange {
            address: change.address.clone(),
            deposed: change.deposed.clone(),
            action: change.action,
            reasons: change.reasons.clone(),
        });
    }
    for deferred in &plan.deferred {
        engine.events.observe(Event::DeferredChange {
            address: deferred.address.clone(),
            action: deferred.action,
            why: deferred.why,
            reasons: deferred.reasons.clone(),
        });
    }
    engine.events.observe(Event::ChangeSummary(plan.summary()));
}

/// The graph without what disabled blocks would need, as far as `enabled` follows from variables and locals alone.
pub(crate) fn pruned_graph(
    engine: &Engine,
    configuration: &Configuration,
    variables: &BTreeMap<String, Value>,
) -> Graph {
    let whole = Graph::new(configuration);
    let has_enabled = |module: &&Configuration| {
        module.objects.values().any(|block| block.meta.enabled.is_some())
            || module.modules.values().any(|block| block.enabled.is_some())
    };
    if !configuration.distinct_modules().iter().any(has_enabled) {
        return whole;
    }
    let values = evaluate_constants(engine, configuration, variables, &whole);
    let needs_objects = whole.needs_objects();
    let mut disabled = Disabled::default();
    for &node in whole.order() {
        let module = whole.module_of(node);
        let enabled = match whole.node(node) {
            Node::Object(address) | Node::Ephemeral(address) => {
                configuration.object(address).and_then(|block| block.meta.enabled.as_ref())
            }
            Node::Call(name) => {
                let around = configuration.module(&whole.module(module).path);
                around.and_then(|around| around.modules.get(name)?.enabled.as_ref())
            }
            _ => None,
        };
        let (Some(enabled), Some(instances)) = (enabled, values.instances(module)) else { continue };
        let is_constant = enabled
            .references()
            .iter()
            .filter_map(|(reference, _)| whole.resolve(module, reference))
            .all(|need| !needs_objects[need.index()] && !whole.node(need).takes_calls());
        // What cannot be evaluated here is judged, and reported, in its turn.
        let is_off = |instance| evaluate_enabled(enabled, &values.scope(&whole, node, instance)) == Ok(false);
        if !is_constant || !(0..instances.len()).all(is_off) {
            continue;
        }
        match whole.node(node) {
            Node::Object(address) | Node::Ephemeral(address) => drop(disabled.objects.insert(address.clone())),
            Node::Call(name) => drop(disabled.modules.insert(whole.module(module).path.child(name, None))),
            _ => {}
        }
    }
    if disabled.is_empty() { whole } else { Graph::without_arguments_of(configuration, &disabled) }
}

/// The values of everything that depends on no object. What cannot be evaluated has none.
pub(crate) fn evaluate_constants(
    engine: &Engine,
    configuration: &Configuration,
    variables: &BTreeMap<String, Value>,
    graph: &Graph,
) -> Values {
    constants_and_mistakes(engine, configuration, variables, graph).0
}

/// The same, and what is wrong with variables and local values among them.
pub(crate) fn constants_and_mistakes(
    engine: &Engine,
    configuration: &Configuration,
    variables: &BTreeMap<String, Value>,
    graph: &Graph,
) -> (Values, Diagnostics) {
    let values = Values::new(engine, graph, None);
    let needs_objects = graph.needs_objects();
    let evaluation = Evaluation {
        engine,
        configuration,
        variables,
        graph,
        values: &values,
        results: None,
        open: false,
        forgives: false,
    };
    let mut mistakes = Diagnostics::new();
    let mut failed = vec![false; graph.len()];
    for &node in graph.order() {
        if needs_objects[node.index()] {
            continue;
        }
        let found = match graph.node(node) {
            _ if graph.needs(node).any(|need| failed[need.index()]) => Err(Diagnostics::new()),
            Node::Validation(name) => {
                let judged = judge_validations(&evaluation, node, name);
                if judged.problems.has_errors() { Err(judged.problems) } else { Ok(()) }
            }
            Node::Variable(_) | Node::Local(_) => evaluation.evaluate(node).map(|_| ()),
            _ => {
                let _ = evaluation.evaluate(node);
                Ok(())
            }
        };
        if let Err(found) = found {
            failed[node.index()] = true;
            mistakes.extend(found);
        }
    }
    (values, mistakes)
}

/// Blocks with `create_before_destroy`, and all blocks that those need: a new object cannot be made before the old one is removed when what
/// it needs has been removed already.
fn creates_first(configuration: &Configuration, graph: &Graph) -> BTreeSet<Address> {
    let creates_first = |node: &NodeIndex| match graph.node(*node) {
        Node::Object(address) => {
            configuration.object(address).is_some_and(|block| block.meta.lifecycle.create_before_destroy)
        }
        _ => false,
    };
    let start: Vec<NodeIndex> = graph.order().iter().copied().filter(creates_first).collect();
    if start.is_empty() {
        return BTreeSet::new();
    }
    let inside = graph.closure(start, petgraph::Direction::Incoming);
    let objects = graph.order().iter().filter(|node| inside[node.index()]).filter_map(|node| match graph.node(*node) {
        Node::Object(address) => Some(address.clone()),
        _ => None,
    });
    objects.collect()
}

/// Visits the selected nodes; a node in error stops what needs it, so that one mistake is told once.
async fn walk_graph(run: &Arc<Run>, state: &State) {
    let mut selected: DiGraph<NodeIndex, ()> = DiGraph::new();
    let mut places = vec![None; run.graph.len()];
    for &node in run.graph.order() {
        if run.selection.has_node(node) {
            let place = selected.add_node(node);
            places[node.index()] = Some(place);
            for need in run.graph.needs(node) {
                if let Some(from) = places[need.index()] {
                    selected.add_edge(from, place, ());
                }
            }
        }
    }
    let outputs = state.outputs.clone();
    let visit = |place: NodeIndex| -> Visit<Pin<Box<dyn Future<Output = bool> + Send>>> {
        let node = selected[place];
        let is_deferred = |need: NodeIndex| run.after_deferred[need.index()].load(Ordering::Relaxed);
        if run.graph.needs(node).any(is_deferred) {
            run.after_deferred[node.index()].store(true, Ordering::Relaxed);
        }
        match run.graph.node(node) {
            Node::Object(address) => {
                let (run, address) = (Arc::clone(run), address.clone());
                Visit::Run(Box::pin(async move { object::plan_block(&run, node, &address).await }))
            }
            Node::Ephemeral(address) => {
                let (run, address) = (Arc::clone(run), address.clone());
                Visit::Run(Box::pin(async move {
                    let waits =
                        |block: &ObjectBlock, address: &Address| object::waits_for(&run, block, address).is_some();
                    let opening = Opening {
                        evaluation: run.evaluation(),
                        open: &run.open,
                        providers: &run.providers,
                        waits: &waits,
                        is_needed: true,
                        ignores_enabled: false,
                    };
                    let opened = opening.block(node, &address).await;
                    let worked = opened.is_ok();
                    run.report(opened.unwrap_or_else(|problems| problems));
                    worked
                }))
            }
            Node::Output(name) if run.graph.module_of(node) == ModuleId::ROOT => {
                Visit::Ready(output::plan_output(run, node, name, outputs.get(name)))
            }
            Node::Check(name) => Visit::Ready(output::plan_check(run, node, name)),
            Node::Validation(name) => Visit::Ready(output::validate_variable(run, node, name)),
            Node::Provider(_) if run.graph.is_idle_provider(node) => Visit::Ready(true),
            Node::Provider(_) => {
                let evaluated = run.providers.evaluate(&run.evaluation(), node);
                let worked = evaluated.is_ok();
                run.report(evaluated.unwrap_or_else(|problems| problems));
                Visit::Ready(worked)
            }
            Node::Variable(_)
            | Node::Local(_)
            | Node::Model(_)
            | Node::Executor(..)
            | Node::Call(_)
            | Node::Module(_)
            | Node::Output(_) => {
                let evaluated = run.evaluation().evaluate(node);
                let worked = evaluated.is_ok();
                run.report(evaluated.unwrap_or_else(|problems| problems));
                Visit::Ready(worked)
            }
        }
    };
    walk(&selected, run.engine.parallelism, || false, |_| None, visit, |_, _| {}).await;
}
