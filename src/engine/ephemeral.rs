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
use crate::evaluation::{Evaluation, about, extend_once, located};
use crate::expansion::Expansion;
use crate::instance::mark_by_schema;
use crate::limits::Limits;
use crate::planner::{Arguments, arguments, context, with_marks_of};
use crate::providers::configured::unknown_kind;
use crate::providers::locate::is_served;
use crate::providers::{Bound, Chooser, Providers};
use crate::secrets::{Texts, redacted};
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
    /// The arguments, and what they gave, for whoever asks once more.
    config: Value,
    value: Value,
    /// What must not be told of it.
    texts: Arc<Texts>,
    lease: Arc<Mutex<Lease>>,
    /// What went wrong when it was to be renewed.
    problems: Arc<Mutex<Diagnostics>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What opening works with.
pub(crate) struct Opening<'a> {
    pub(crate) evaluation: Evaluation<'a>,
    /// Where what is opened is kept until it is closed.
    pub(crate) open: &'a OpenValues,
    /// The configurations of the providers whose values they are.
    pub(crate) providers: &'a Providers,
    /// Whether an instance has to wait until something is applied: a plan leaves its value open.
    pub(crate) waits: &'a (dyn Fn(&ObjectBlock, &Address) -> bool + Sync),
    /// Whether anything needs the value at all.
    pub(crate) is_needed: bool,
    /// Whether a disabled block counts as if it were not.
    pub(crate) ignores_enabled: bool,
}

impl Opening<'_> {
    /// Opens all instances of a block, in all instances of its module, and sets the block's values. Returns warnings.
    ///
    /// # Errors
    /// What is wrong; the block has no value then.
    pub(crate) async fn block(&self, node: NodeIndex, declaration: &Address) -> Result<Diagnostics, Diagnostics> {
        let Evaluation { configuration, graph, values, open: may_stay_open, .. } = self.evaluation;
        let modules = values.instances(graph.module_of(node)).ok_or_else(Diagnostics::new)?;
        let block = configuration.object(declaration).ok_or_else(Diagnostics::new)?;
        if !self.is_needed {
            values.set_everywhere(node, modules.len(), &Value::unknown(Type::Any).marked(Marks::EPHEMERAL));
            return Ok(Diagnostics::new());
        }
        let mut found = Diagnostics::new();
        let mut column = Vec::with_capacity(modules.len());
        let enabled = block.meta.enabled.as_ref().filter(|_| !self.ignores_enabled);
        let (count, for_each) = (block.meta.count.as_ref(), block.meta.for_each.as_ref());
        let expand = if may_stay_open { Expansion::evaluate_or_open } else { Expansion::evaluate };
        for (module, path) in modules.paths().iter().enumerate() {
            let scope = Arc::new(values.scope(graph, node, module));
            let expansion = match expand(enabled, count, for_each, &scope) {
                Ok(expansion) => expansion,
                Err(problems) => {
                    extend_once(&mut found, problems);
                    continue;
                }
            };
            // One that stands for all is none that could be opened.
            let is_open = expansion.is_open() || modules.is_open(module);
            let mut instances = Vec::with_capacity(expansion.len());
            for key in expansion.keys() {
                let address = declaration.in_module(path).with_key(key);
                let scope = expansion.scope(&scope, address.key.as_ref());
                match self.instance(block, &address, &scope, is_open).await {
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

    async fn instance(
        &self,
        block: &ObjectBlock,
        address: &Address,
        scope: &Arc<Scope>,
        is_open: bool,
    ) -> Result<(Value, Diagnostics), Diagnostics> {
        let engine = self.evaluation.engine;
        let failed = Conditions::before(block, address).judge(scope).problems;
        if failed.has_errors() {
            return Err(failed);
        }
        let limits = Limits::of(&block.meta, scope)?;
        let plain = engine.registry.ephemerals.get(&address.type_name).ok_or_else(|| unknown_kind(address))?;
        let schema = plain.schema();
        let Arguments { config, warnings } = arguments(block, address, schema, |config| plain.validate(config), scope)?;
        let kind = match is_open || (self.waits)(block, address) || !config.is_wholly_known() {
            true => None,
            false => self.kind(block, address, scope).await?,
        };
        let value = match kind {
            None => with_unknown_computed(schema, &config),
            Some(kind) => {
                let opened = open_value(engine, self.open, &kind, address, &config, &limits).await;
                let span_of = |path: &Path| block.body.span_of(path);
                opened.map_err(|problems| located(problems, span_of, &block.span, &address.to_string()))?
            }
        };
        let value = mark_by_schema(schema, with_marks_of(&config, value)).marked(Marks::EPHEMERAL);
        let mut inside = Scope::inside(scope);
        inside.set(&Reference::SelfObject, value.clone());
        let failed = Conditions::after(block, address).judge(&inside).problems;
        if failed.has_errors() { Err(failed) } else { Ok((value, warnings)) }
    }

    /// The kind, bound to the provider configuration of the instance; `None` where that is not known yet.
    async fn kind(
        &self,
        block: &ObjectBlock,
        address: &Address,
        scope: &Scope,
    ) -> Result<Option<Arc<dyn Ephemeral>>, Diagnostics> {
        let Evaluation { engine, configuration, graph, values, .. } = self.evaluation;
        let mut choice = None;
        if is_served(&engine.registry, configuration, configuration.configures_providers(), address, block) {
            let chooser = Chooser { configuration, graph, values };
            choice = chooser.choose(address, block.meta.provider.as_ref(), scope)?;
            if choice.is_none() {
                return Ok(None);
            }
        }
        Ok(match self.providers.ephemeral(address, choice.as_ref()).await? {
            Bound::Ready(kind) => Some(kind),
            Bound::NotYet(_) => None,
        })
    }
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
    let known = lock(&open.open)
        .iter()
        // Another configuration of its provider may give another one.
        .find(|known| {
            known.address == *address && Arc::ptr_eq(&known.kind, kind) && known.config == config.unmark_deep().0
        })
        .map(|known| known.value.clone());
    if let Some(value) = known {
        return Ok(value);
    }
    tell(engine, address, EphemeralOperation::Open, false);
    let call = |cx| async move { kind.open(&cx, config).await.map_err(|problems| redacted(problems, config)) };
    let Opened { value, lease } = within(engine, address, "opened", limits, call).await?;
    tell(engine, address, EphemeralOperation::Open, true);
    let lease = Arc::new(Mutex::new(lease));
    let problems = Arc::default();
    let texts = Arc::new(texts_of(config, &value));
    let (own, told) = (Arc::clone(&lease), (Arc::clone(&problems), Arc::clone(&texts)));
    let renewal = renew(engine.clone(), Arc::clone(kind), address.clone(), own, told);
    if lock(&lease).renew_after.is_some() {
        lock(&open.renewals).spawn(renewal);
    }
    lock(&open.open).push(OpenValue {
        address: address.clone(),
        kind: Arc::clone(kind),
        config: config.unmark_deep().0,
        value: value.clone(),
        texts,
        lease,
        problems,
    });
    Ok(value)
}

/// What must not be told of a value: what of its arguments is not, and all that was opened beside them.
fn texts_of(config: &Value, value: &Value) -> Texts {
    let attributes = value.as_object().into_iter().flatten().map(|(name, value)| {
        let value = match config.set_attribute(name) {
            Some(given) => value.clone().marked(given.marks_deep()),
            None => value.clone().marked(Marks::EPHEMERAL),
        };
        (name.clone(), value)
    });
    Texts::private_in(&Value::object(attributes))
}

/// Renews a value again and again, until it lasts by itself or cannot be renewed.
async fn renew(
    engine: Engine,
    kind: Arc<dyn Ephemeral>,
    address: Address,
    lease: Arc<Mutex<Lease>>,
    (problems, texts): (Arc<Mutex<Diagnostics>>, Arc<Texts>),
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
                lock(&problems).extend(texts.redact(found));
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
        for OpenValue { address, kind, texts, lease, problems, .. } in open.into_iter().rev() {
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
                Err(problems) => found.extend(about(texts.redact(problems), &address)),
            }
        }
        found
    }
}
