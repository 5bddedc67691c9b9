//! Ephemeral values: opened when something needs them, renewed while the run goes on, closed at its end. Nothing of them is stored.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use petgraph::graph::NodeIndex;
use pipectl_core::{Address, Diagnostic, Diagnostics, Marks, Path, Type, Value};
use pipectl_lang::{ObjectBlock, Reference, Scope};
use pipectl_provider::context::Recorder;
use pipectl_provider::planning::with_unknown_computed;
use pipectl_provider::{Cancel, Ephemeral, Lease, Opened, Stop};
use tokio::task::JoinSet;

use crate::conditions::Conditions;
use crate::data::within;
use crate::evaluation::{Evaluation, extend_once, located};
use crate::expansion::Expansion;
use crate::instance::mark_by_schema;
use crate::limits::Limits;
use crate::planner::{Arguments, arguments, context, with_marks_of};
use crate::{Engine, EphemeralOperation, Event};

/// What is open in a run. Dropping it leaves everything as it is, and renews nothing any more.
#[derive(Default)]
pub(crate) struct OpenValues {
    open: Mutex<Vec<OpenValue>>,
    renewals: Mutex<JoinSet<()>>,
}

struct OpenValue {
    address: Address,
    kind: Arc<dyn Ephemeral>,
    lease: Arc<Mutex<Lease>>,
    /// What went wrong when it was to be renewed.
    problems: Arc<Mutex<Diagnostics>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When a block is opened.
pub(crate) struct When<'a> {
    /// Whether an instance has to wait until something is applied: a plan leaves its value open.
    pub(crate) waits: &'a (dyn Fn(&ObjectBlock, &Address) -> bool + Sync),
    /// Whether anything needs the value at all.
    pub(crate) is_needed: bool,
}

/// Opens all instances of a block, in all instances of its module, and sets the block's values. Returns warnings.
///
/// # Errors
/// What is wrong; the block has no value then.
pub(crate) async fn open_block(
    evaluation: Evaluation<'_>,
    open: &OpenValues,
    node: NodeIndex,
    declaration: &Address,
    when: When<'_>,
) -> Result<Diagnostics, Diagnostics> {
    let Evaluation { engine, configuration, graph, values, .. } = evaluation;
    let modules = values.instances(graph.module_of(node)).ok_or_else(Diagnostics::new)?;
    let block = configuration.object(declaration).ok_or_else(Diagnostics::new)?;
    if !when.is_needed {
        values.set_everywhere(node, modules.len(), &Value::unknown(Type::Any).marked(Marks::EPHEMERAL));
        return Ok(Diagnostics::new());
    }
    let kind = engine.registry.ephemerals.get(&declaration.type_name).ok_or_else(|| unknown_kind(declaration))?;
    let mut found = Diagnostics::new();
    let mut column = Vec::with_capacity(modules.len());
    for (module, path) in modules.paths().iter().enumerate() {
        let scope = Arc::new(values.scope(graph, node, module));
        let expansion = match Expansion::of(block, &scope) {
            Ok(expansion) => expansion,
            Err(problems) => {
                extend_once(&mut found, problems);
                continue;
            }
        };
        let mut instances = Vec::with_capacity(expansion.len());
        for key in expansion.keys() {
            let address = declaration.in_module(path).with_key(key);
            let scope = expansion.scope(&scope, address.key.as_ref());
            match open_instance(engine, open, block, &address, &scope, (kind, when.waits)).await {
                Ok((value, warnings)) => {
                    extend_once(&mut found, warnings);
                    instances.push(value);
                }
                Err(problems) => extend_once(&mut found, problems),
            }
        }
        if instances.len() == expansion.len() {
            column.push(expansion.assemble(instances));
        }
    }
    if found.has_errors() {
        return Err(found);
    }
    values.set(node, column);
    Ok(found)
}

type Waits<'a> = &'a (dyn Fn(&ObjectBlock, &Address) -> bool + Sync);

async fn open_instance(
    engine: &Engine,
    open: &OpenValues,
    block: &ObjectBlock,
    address: &Address,
    scope: &Arc<Scope>,
    (kind, waits): (&Arc<dyn Ephemeral>, Waits<'_>),
) -> Result<(Value, Diagnostics), Diagnostics> {
    let name = address.to_string();
    let failed = Conditions::before(block, address).judge(scope).problems;
    if failed.has_errors() {
        return Err(failed);
    }
    let limits = Limits::of(&block.meta, scope)?;
    let schema = kind.schema();
    let Arguments { config, warnings } = arguments(block, address, schema, |config| kind.validate(config), scope)?;
    let value = if waits(block, address) || !config.is_wholly_known() {
        with_unknown_computed(schema, &config)
    } else {
        let opened = open_value(engine, open, kind, address, &config, &limits).await;
        opened.map_err(|problems| located(problems, |path: &Path| block.body.span_of(path), &block.span, &name))?
    };
    let value = mark_by_schema(schema, with_marks_of(&config, value)).marked(Marks::EPHEMERAL);
    let mut inside = Scope::inside(scope);
    inside.set(&Reference::SelfObject, value.clone());
    let failed = Conditions::after(block, address).judge(&inside).problems;
    if failed.has_errors() { Err(failed) } else { Ok((value, warnings)) }
}

fn unknown_kind(address: &Address) -> Diagnostics {
    Diagnostic::error("Unknown kind", format!("There is no kind `{}`.", address.type_name)).about(address).into()
}

fn tell(engine: &Engine, address: &Address, operation: EphemeralOperation, done: bool) {
    engine.events.observe(Event::Ephemeral { address: address.clone(), operation, done });
}

async fn open_value(
    engine: &Engine,
    open: &OpenValues,
    kind: &Arc<dyn Ephemeral>,
    address: &Address,
    config: &Value,
    limits: &Limits,
) -> Result<Value, Diagnostics> {
    tell(engine, address, EphemeralOperation::Open, false);
    let call = |cx| async move { kind.open(&cx, config).await };
    let Opened { value, lease } = within(engine, address, "opened", limits, call).await?;
    tell(engine, address, EphemeralOperation::Open, true);
    let lease = Arc::new(Mutex::new(lease));
    let problems = Arc::default();
    let (own, told) = (Arc::clone(&lease), Arc::clone(&problems));
    let renewal = renew(engine.clone(), Arc::clone(kind), address.clone(), own, told);
    if lock(&lease).renew_after.is_some() {
        lock(&open.renewals).spawn(renewal);
    }
    lock(&open.open).push(OpenValue { address: address.clone(), kind: Arc::clone(kind), lease, problems });
    Ok(value)
}

/// Renews a value again and again, until it lasts by itself or cannot be renewed.
async fn renew(
    engine: Engine,
    kind: Arc<dyn Ephemeral>,
    address: Address,
    lease: Arc<Mutex<Lease>>,
    problems: Arc<Mutex<Diagnostics>>,
) {
    loop {
        let Lease { private, renew_after: Some(wait) } = lock(&lease).clone() else { return };
        tokio::time::sleep(wait).await;
        tell(&engine, &address, EphemeralOperation::Renew, false);
        let cx = context(&engine, &address, String::new(), engine.cancel.clone(), Recorder::none());
        match kind.renew(&cx, &Lease { private, renew_after: Some(wait) }).await {
            Ok(renewed) => {
                *lock(&lease) = renewed;
                tell(&engine, &address, EphemeralOperation::Renew, true);
            }
            Err(found) => {
                lock(&problems).extend(found);
                return;
            }
        }
    }
}

impl OpenValues {
    /// Closes what is open, the last first; also when the run was told to stop. What went wrong, with what it could not renew.
    pub(crate) async fn close(&self, engine: &Engine) -> Diagnostics {
        let mut renewals = std::mem::take(&mut *lock(&self.renewals));
        renewals.shutdown().await;
        let open = std::mem::take(&mut *lock(&self.open));
        let mut found = Diagnostics::new();
        for OpenValue { address, kind, lease, problems } in open.into_iter().rev() {
            found.extend(about(std::mem::take(&mut *lock(&problems)), &address));
            tell(engine, &address, EphemeralOperation::Close, false);
            let cancel = Cancel::new();
            let cx = context(engine, &address, String::new(), cancel.clone(), Recorder::none());
            let lease = lock(&lease).clone();
            let close = kind.close(&cx, &lease);
            let closed = tokio::select! {
                closed = close => closed,
                () = engine.cancel.reached(Stop::Now) => {
                    let detail = format!("{address} was not closed, because the run was told to stop at once.");
                    Err(Diagnostic::warning("Ephemeral value left open", detail).about(&address).into())
                }
            };
            match closed {
                Ok(()) => tell(engine, &address, EphemeralOperation::Close, true),
                Err(problems) => found.extend(about(problems, &address)),
            }
        }
        found
    }
}

fn about(mut diagnostics: Diagnostics, address: &Address) -> Diagnostics {
    for diagnostic in diagnostics.iter_mut() {
        diagnostic.address.get_or_insert_with(|| address.to_string());
    }
    diagnostics
}
