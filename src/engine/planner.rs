//! Planning: evaluate in the order of references, ask each kind, and write down what is to be done and why.

mod object;
mod output;
mod refresh;
mod removal;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use petgraph::graph::{DiGraph, NodeIndex};
use pipectl_core::{Address, Diagnostics, Value};
use pipectl_lang::Configuration;
use pipectl_provider::context::Recorder;
use pipectl_provider::{Cancel, Cx};
use pipectl_state::State;
use tokio::sync::Semaphore;

use crate::expansion::{Expansion, evaluate_enabled};
use crate::graph::{Graph, Node};
use crate::scope::{Values, evaluate_value};
use crate::selection::Selection;
use crate::walk::{Visit, walk};
use crate::{
    Action, CheckResult, Engine, Event, Mode, OutputChange, Plan, PlanOptions, PlanSource, Planned, ResourceChange,
    StateIdentity, VariableInput,
};
use refresh::Observations;

pub(crate) use object::{Arguments, arguments, provider_mistake, with_marks_of};
pub(crate) use output::{evaluate_output, judge_assertion};

/// What planning works with; shared by its tasks.
struct Run {
    engine: Engine,
    configuration: Arc<Configuration>,
    variables: BTreeMap<String, Value>,
    options: PlanOptions,
    graph: Graph,
    selection: Selection,
    values: Values,
    observations: Observations,
    /// Blocks whose replacements are made before the old object is removed: by their own words, or because something that needs them is.
    creates_first: BTreeSet<Address>,
    permits: Arc<Semaphore>,
    found: Mutex<Found>,
}

/// What the tasks of a plan have come up with.
#[derive(Default)]
struct Found {
    diagnostics: Diagnostics,
    changes: Vec<ResourceChange>,
    /// By block, for questions about one: which instances have something to be done.
    pending: BTreeMap<Address, Vec<Pending>>,
    expansions: BTreeMap<Address, Expansion>,
    outputs: Vec<OutputChange>,
    checks: Vec<CheckResult>,
}

/// An instance with something to be done.
struct Pending {
    address: Address,
    action: Action,
    /// Whether the object exists before.
    existed: bool,
}

impl Found {
    fn add(&mut self, change: ResourceChange) {
        if !change.action.is_no_op() {
            let pending =
                Pending { address: change.address.clone(), action: change.action, existed: change.before.is_some() };
            self.pending.entry(change.address.block()).or_default().push(pending);
        }
        self.changes.push(change);
    }
}

impl Run {
    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, diagnostics: Diagnostics) {
        self.found().diagnostics.extend(diagnostics);
    }
}

/// The context of a call that changes nothing.
fn reading(engine: &Engine, address: &Address, token: String) -> Cx {
    context(engine, address, token, engine.cancel.clone(), Recorder::none())
}

/// The context of a call about an object.
pub(crate) fn context(engine: &Engine, address: &Address, token: String, cancel: Cancel, recorder: Recorder) -> Cx {
    Cx {
        address: address.to_string(),
        cancel,
        events: Arc::new(Forward(Arc::clone(&engine.events))),
        environment: Arc::clone(&engine.environment),
        artifacts: Arc::clone(&engine.artifacts),
        token,
        root: engine.folders.root.clone(),
        work: engine.folders.work.clone(),
        view: engine.folders.view.clone(),
        recorder,
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
    if diagnostics.has_errors() {
        diagnostics.extend(Graph::new(&configuration).cycles());
        return Err(diagnostics);
    }
    let graph = pruned_graph(engine, &configuration, &variables);
    diagnostics.extend(graph.cycles());
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    let selection = Selection::of(&graph, state, options)?;
    let permits = Arc::new(Semaphore::new(engine.parallelism.max(1)));
    let empty = State::default();
    let state = state.unwrap_or(&empty);
    let (observations, problems) = refresh::observe(engine, state, &selection, options, &permits).await;
    diagnostics.extend(problems);
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    let values = Values::new(engine, &graph);
    let creates_first = creates_first(&configuration, &graph);
    let run = Arc::new(Run {
        engine: engine.clone(),
        configuration: Arc::clone(&configuration),
        variables,
        options: options.clone(),
        graph,
        selection,
        values,
        observations,
        creates_first,
        permits,
        found: Mutex::new(Found { diagnostics, ..Found::default() }),
    });
    if options.mode == Mode::Destroy {
        removal::plan_everything(&run);
    } else {
        walk_graph(&run, state).await;
        removal::plan_orphans(&run);
    }
    output::plan_removed(&run, state);
    let mut found = std::mem::take(&mut *run.found());
    if found.diagnostics.has_errors() {
        return Err(found.diagnostics);
    }
    found.changes.sort_by(|a, b| (&a.address, &a.deposed).cmp(&(&b.address, &b.deposed)));
    found.outputs.sort_by(|a, b| a.name.cmp(&b.name));
    found.checks.sort_by(|a, b| (&a.check, a.assertion).cmp(&(&b.check, b.assertion)));
    let plan = Plan {
        mode: options.mode,
        workspace: engine.workspace.clone(),
        sources: configuration
            .sources
            .iter()
            .map(|(_, source)| PlanSource { name: source.name.clone(), text: source.text.to_string() })
            .collect(),
        variables: run.variables.clone(),
        base: StateIdentity::of(state),
        seed: options.seed,
        targets: options.targets.clone(),
        excludes: options.excludes.clone(),
        observed: run.observations.changes.clone(),
        read_again: Vec::new(),
        drift: run.observations.drift.clone(),
        changes: found.changes,
        outputs: found.outputs,
        checks: found.checks,
    };
    announce(engine, &plan);
    Ok(Planned { plan, configuration, diagnostics: found.diagnostics })
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
    engine.events.observe(Event::ChangeSummary(plan.summary()));
}

/// The graph without what disabled blocks would need, as far as `enabled` follows from variables and locals alone.
pub(crate) fn pruned_graph(
    engine: &Engine,
    configuration: &Configuration,
    variables: &BTreeMap<String, Value>,
) -> Graph {
    let whole = Graph::new(configuration);
    if configuration.objects.values().all(|block| block.meta.enabled.is_none()) {
        return whole;
    }
    let disabled: BTreeSet<Address> = {
        let values = evaluate_constants(engine, configuration, variables, &whole);
        let needs_objects = whole.needs_objects();
        let candidates =
            configuration.objects.iter().filter_map(|(address, block)| Some((address, block.meta.enabled.as_ref()?)));
        candidates
            .filter(|(address, enabled)| {
                let needed =
                    enabled.references().into_iter().filter_map(|(reference, _)| whole.find(&Node::of(&reference)?));
                let mut needed = needed.peekable();
                let is_constant =
                    needed.all(|node| !needs_objects[node.index()] && !matches!(whole.node(node), Node::Object(_)));
                let node = whole.find(&Node::Object((*address).clone()));
                // What cannot be evaluated here is judged, and reported, in its turn.
                is_constant
                    && node.is_some_and(|node| evaluate_enabled(enabled, &values.scope(&whole, node)) == Ok(false))
            })
            .map(|(address, _)| address.clone())
            .collect()
    };
    if disabled.is_empty() { whole } else { Graph::without_arguments_of(configuration, &disabled) }
}

/// The values of everything that depends on no object. What cannot be evaluated has none.
fn evaluate_constants(
    engine: &Engine,
    configuration: &Configuration,
    variables: &BTreeMap<String, Value>,
    graph: &Graph,
) -> Values {
    let values = Values::new(engine, graph);
    let needs_objects = graph.needs_objects();
    for &node in graph.order() {
        if !needs_objects[node.index()] {
            let _ = evaluate_value(engine, configuration, variables, graph, &values, node);
        }
    }
    values
}

/// Blocks with `create_before_destroy`, and all blocks that those need: a new object cannot be made before the old one is removed when what
/// it needs has been removed already.
fn creates_first(configuration: &Configuration, graph: &Graph) -> BTreeSet<Address> {
    let own = configuration.objects.iter().filter(|(_, block)| block.meta.lifecycle.create_before_destroy);
    let start: Vec<NodeIndex> = own.filter_map(|(address, _)| graph.find(&Node::Object(address.clone()))).collect();
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
    let visit = |place: NodeIndex| {
        let node = selected[place];
        match run.graph.node(node) {
            Node::Object(address) => {
                let (run, address) = (Arc::clone(run), address.clone());
                Visit::Run(async move { object::plan_block(&run, node, &address).await })
            }
            Node::Output(name) => Visit::Ready(output::plan_output(run, node, name, outputs.get(name))),
            Node::Check(name) => Visit::Ready(output::plan_check(run, node, name)),
            Node::Validation(name) => Visit::Ready(output::validate_variable(run, node, name)),
            Node::Variable(_) | Node::Local(_) | Node::Model(_) | Node::Executor(..) => {
                let evaluated =
                    evaluate_value(&run.engine, &run.configuration, &run.variables, &run.graph, &run.values, node);
                let worked = evaluated.is_ok();
                run.report(evaluated.unwrap_or_else(|problems| problems));
                Visit::Ready(worked)
            }
        }
    };
    walk(&selected, run.engine.parallelism, || false, visit, |_, _| {}).await;
}
