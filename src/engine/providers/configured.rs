//! What provider blocks say, and the kinds that are bound to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use petgraph::graph::NodeIndex;
use pipectl_core::{
    Address, AddressKind, Diagnostic, Diagnostics, InstanceKey, Kind, Path, ProviderAddress, SourceId, Span, Type,
    Value, convert,
};
use pipectl_lang::{Body, Expression, ProviderBlock, Scope, decode};
use pipectl_provider::{DataSource, Ephemeral, Kinds, Provider, Resource};
use tokio::sync::OnceCell;

use super::discreet::discreet;
use super::locate::Choice;
use crate::Engine;
use crate::evaluation::{Evaluation, about, located};
use crate::expansion::Expansion;
use crate::graph::{Graph, Node};
use crate::limits::evaluate_public;
use crate::planner::named_context;
use crate::secrets::redacted;

/// What is there to work with.
pub(crate) enum Bound<T> {
    /// This.
    Ready(T),
    /// Nothing yet: why, as a clause.
    NotYet(String),
}

/// Everything that was configured in a run: each configuration once, whoever asks.
#[derive(Default)]
pub(crate) struct Pool(Mutex<Vec<Entry>>);

struct Entry {
    provider: String,
    /// Without marks. Never printed.
    config: Value,
    concurrency: Option<usize>,
    kinds: Arc<OnceCell<Result<Arc<Kinds>, Diagnostics>>>,
}

impl Pool {
    fn cell(
        &self,
        provider: &str,
        config: &Value,
        concurrency: Option<usize>,
    ) -> Arc<OnceCell<Result<Arc<Kinds>, Diagnostics>>> {
        let config = config.unmark_deep().0;
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = entries.iter().find(|entry| {
            (entry.provider.as_str(), entry.concurrency) == (provider, concurrency) && entry.config == config
        });
        if let Some(known) = known {
            return Arc::clone(&known.kinds);
        }
        let kinds = Arc::default();
        entries.push(Entry { provider: provider.to_owned(), config, concurrency, kinds: Arc::clone(&kinds) });
        kinds
    }
}

/// One configuration as evaluated.
#[derive(Clone)]
struct Settings {
    config: Value,
    concurrency: Option<usize>,
}

/// What a block says.
enum Evaluated {
    /// One configuration.
    Single(Settings),
    /// One for each key.
    Each(BTreeMap<String, Settings>),
    /// Its `for_each` is not known.
    Open,
}

/// Configurations of one set of values: those that were planned or applied, or those that the state tells of.
pub(crate) struct Providers {
    engine: Engine,
    pool: Arc<Pool>,
    /// What is said of something that is not known: when it will be.
    unknown: &'static str,
    /// By node of the graph.
    evaluated: Vec<OnceLock<Evaluated>>,
    /// By node of the graph, for problems of configuring: where the arguments stand.
    blocks: Vec<OnceLock<ProviderBlock>>,
}

impl Providers {
    /// Nothing evaluated yet. What is not known will be known after apply.
    pub(crate) fn new(engine: &Engine, graph: &Graph, pool: Arc<Pool>) -> Self {
        Self::said(engine, graph, pool, "is known after apply")
    }

    /// Nothing evaluated yet. What does not follow from the state will not be known.
    pub(crate) fn of_state(engine: &Engine, graph: &Graph, pool: Arc<Pool>) -> Self {
        Self::said(engine, graph, pool, "does not follow from what exists")
    }

    fn said(engine: &Engine, graph: &Graph, pool: Arc<Pool>, unknown: &'static str) -> Self {
        let mut evaluated = Vec::new();
        evaluated.resize_with(graph.len(), OnceLock::new);
        let mut blocks = Vec::new();
        blocks.resize_with(graph.len(), OnceLock::new);
        Self { engine: engine.clone(), pool, unknown, evaluated, blocks }
    }

    /// What was configured in this run.
    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Evaluates a provider block and has the provider judge it. Gives warnings.
    pub(crate) fn evaluate(&self, evaluation: &Evaluation<'_>, node: NodeIndex) -> Result<Diagnostics, Diagnostics> {
        let Evaluation { configuration, graph, values, .. } = evaluation;
        let Node::Provider(name) = graph.node(node) else { return Ok(Diagnostics::new()) };
        let module = graph.module_of(node);
        let own = configuration.module(&graph.module(module).path);
        let (Some(own), Some(block)) = (own, own.and_then(|own| own.providers.get(name))) else {
            return Ok(Diagnostics::new());
        };
        let Some(provider) = self.engine.registry.provider(&own.provider_source(&block.name)) else {
            return Ok(Diagnostics::new());
        };
        // A module with configurations has one instance, or none where it is disabled.
        if values.instances(module).is_none_or(|instances| instances.len() == 0) {
            return Ok(Diagnostics::new());
        }
        let scope = Arc::new(values.scope(graph, node, 0));
        let mut warnings = Diagnostics::new();
        let mut settings = |scope: &Scope| settings(provider.as_ref(), block, name, scope, &mut warnings);
        let evaluated = match &block.for_each {
            None => Evaluated::Single(settings(&scope)?),
            Some(for_each) => match Expansion::evaluate_or_open(None, None, Some(for_each), &scope)? {
                expansion if expansion.is_open() => {
                    settings(&expansion.scope(&scope, None))?;
                    Evaluated::Open
                }
                expansion => {
                    let mut each = BTreeMap::new();
                    for key in expansion.keys() {
                        let own = settings(&expansion.scope(&scope, key.as_ref()))?;
                        if let Some(InstanceKey::Name(key)) = key {
                            each.insert(key, own);
                        }
                    }
                    Evaluated::Each(each)
                }
            },
        };
        let _ = self.blocks[node.index()].set(block.clone());
        let _ = self.evaluated[node.index()].set(evaluated);
        Ok(warnings)
    }

    /// The resource or stage kind of an object, bound to its configuration.
    ///
    /// # Errors
    /// When the provider cannot be configured.
    pub(crate) async fn resource(
        &self,
        address: &Address,
        choice: Option<&Choice>,
    ) -> Result<Bound<Arc<dyn Resource>>, Diagnostics> {
        let plain = self.engine.registry.resource(address.kind, &address.type_name);
        let choice = choice.filter(|_| address.kind == AddressKind::Resource);
        self.bound(address, plain, choice, |kinds| kinds.resources.get(&address.type_name)).await
    }

    /// The data source of an object, bound to its configuration.
    ///
    /// # Errors
    /// When the provider cannot be configured.
    pub(crate) async fn data_source(
        &self,
        address: &Address,
        choice: Option<&Choice>,
    ) -> Result<Bound<Arc<dyn DataSource>>, Diagnostics> {
        let plain = self.engine.registry.data_sources.get(&address.type_name);
        self.bound(address, plain, choice, |kinds| kinds.data_sources.get(&address.type_name)).await
    }

    /// The ephemeral kind of a block, bound to its configuration.
    ///
    /// # Errors
    /// When the provider cannot be configured.
    pub(crate) async fn ephemeral(
        &self,
        address: &Address,
        choice: Option<&Choice>,
    ) -> Result<Bound<Arc<dyn Ephemeral>>, Diagnostics> {
        let plain = self.engine.registry.ephemerals.get(&address.type_name);
        self.bound(address, plain, choice, |kinds| kinds.ephemerals.get(&address.type_name)).await
    }

    /// A kind, bound to a configuration; `plain` where there is nothing to configure.
    async fn bound<T: ?Sized>(
        &self,
        address: &Address,
        plain: Option<&Arc<T>>,
        choice: Option<&Choice>,
        of: impl Fn(&Kinds) -> Option<&Arc<T>>,
    ) -> Result<Bound<Arc<T>>, Diagnostics> {
        let plain = plain.ok_or_else(|| unknown_kind(address))?;
        let Some(choice) = choice else { return Ok(Bound::Ready(Arc::clone(plain))) };
        match self.kinds(choice).await? {
            None => Ok(Bound::Ready(Arc::clone(plain))),
            Some(Bound::NotYet(why)) => Ok(Bound::NotYet(why)),
            Some(Bound::Ready(kinds)) => {
                let bound = of(&kinds).ok_or_else(|| unknown_kind(address))?;
                Ok(Bound::Ready(Arc::clone(bound)))
            }
        }
    }

    /// The kinds of a configuration; `None` for a provider that has nothing to configure.
    async fn kinds(&self, choice: &Choice) -> Result<Option<Bound<Arc<Kinds>>>, Diagnostics> {
        let provider = self.engine.registry.provider(&choice.address.source);
        let Some(provider) = provider.filter(|provider| provider.is_configurable()) else { return Ok(None) };
        let settings = match choice.node {
            None => implicit(provider.as_ref(), &choice.address)?,
            Some(node) => match self.settings(node, choice)? {
                Bound::Ready(settings) => settings,
                Bound::NotYet(why) => return Ok(Some(Bound::NotYet(why))),
            },
        };
        if let Some(name) = unknown_argument(&settings.config) {
            let why = format!(
                "the configuration of its provider {} {} (argument `{name}`)",
                shown(&choice.address),
                self.unknown
            );
            return Ok(Some(Bound::NotYet(why)));
        }
        let cell = self.pool.cell(provider.name(), &settings.config, settings.concurrency);
        let configure = async {
            let cx = named_context(&self.engine, choice.address.to_string());
            let kinds = provider.configure(&cx, &settings.config).await;
            let kinds = kinds.map_err(|problems| redacted(problems, &settings.config));
            let block = choice.node.and_then(|node| self.blocks[node.index()].get());
            let kinds = kinds.map_err(|problems| match block {
                Some(block) => {
                    let span_of = |path: &Path| block.body.span_of(path);
                    located(problems, span_of, &block.span, &choice.address.to_string())
                }
                None => about(problems, &choice.address),
            })?;
            let kinds = match settings.concurrency {
                None => kinds,
                Some(most) => Arc::new(kinds.limited(most)),
            };
            Ok(discreet(kinds, &settings.config))
        };
        cell.get_or_init(|| configure).await.clone().map(|kinds| Some(Bound::Ready(kinds)))
    }

    fn settings(&self, node: NodeIndex, choice: &Choice) -> Result<Bound<Settings>, Diagnostics> {
        let name = shown(&choice.address);
        match (self.evaluated[node.index()].get(), &choice.address.key) {
            // That its arguments are no good was reported where it stands.
            (None, _) => Ok(Bound::NotYet(format!("the configuration of its provider {name} is not known"))),
            (Some(Evaluated::Open), _) => {
                Ok(Bound::NotYet(format!("`for_each` of its provider {name} {}", self.unknown)))
            }
            (Some(Evaluated::Single(settings)), _) => Ok(Bound::Ready(settings.clone())),
            (Some(Evaluated::Each(each)), Some(InstanceKey::Name(key))) => match each.get(key) {
                Some(settings) => Ok(Bound::Ready(settings.clone())),
                None => {
                    let keys: Vec<&str> = each.keys().map(String::as_str).collect();
                    let keys = if keys.is_empty() { "none".to_owned() } else { keys.join(", ") };
                    let detail = format!(
                        "The provider configuration {name} is not among those of its for_each. Its keys: {keys}."
                    );
                    Err(Diagnostic::error("Provider configuration not present", detail).into())
                }
            },
            (Some(Evaluated::Each(_)), _) => {
                let detail =
                    format!("The provider configuration {name} has for_each, and no key tells which one is meant.");
                Err(Diagnostic::error("Provider configuration key required", detail).into())
            }
        }
    }

    /// Whether two choices come to the same configuration. What is not known is the same as nothing.
    pub(crate) fn is_same(&self, one: &Choice, other: &Choice) -> bool {
        let config = |choice: &Choice| match choice.node {
            None => Some(None),
            Some(node) => match self.settings(node, choice) {
                Ok(Bound::Ready(settings)) => Some(Some(settings.config.unmark_deep().0)),
                _ => None,
            },
        };
        one.address.source == other.address.source
            && (one == other || config(one).is_some_and(|one| Some(one) == config(other)))
    }
}

/// The first argument that is not known yet.
fn unknown_argument(config: &Value) -> Option<&str> {
    let mut arguments = config.as_object().into_iter().flatten();
    arguments.find(|(_, value)| !value.is_wholly_known()).map(|(name, _)| name.as_str())
}

/// How people know a configuration: `sim.west["a"]`.
pub(crate) fn shown(address: &ProviderAddress) -> String {
    let mut text = address.source.name.clone();
    if let Some(alias) = &address.alias {
        text.push_str(&format!(".{alias}"));
    }
    if let Some(key) = &address.key {
        text.push_str(&format!("[{key}]"));
    }
    text
}

pub(crate) fn unknown_kind(address: &Address) -> Diagnostics {
    Diagnostic::error("Unknown kind", format!("This pipectl knows no kind `{}`.", address.type_name))
        .about(address)
        .into()
}

/// The configuration of a provider that nobody declares: all of it absent.
fn implicit(provider: &dyn Provider, address: &ProviderAddress) -> Result<Settings, Diagnostics> {
    let body = Body::of_values([], &Span { source: SourceId(0), range: 0..0 });
    let (config, problems) = decode(&body, provider.schema(), &Scope::constant());
    if problems.has_errors() {
        let needed = provider.schema().attributes.iter().filter(|(_, attribute)| attribute.required);
        let names: Vec<String> = needed.map(|(name, _)| format!("`{name}`")).collect();
        let detail = format!(
            "The provider {} needs a configuration ({}), and there is no provider block for it.",
            provider.name(),
            names.join(", ")
        );
        let problem = Diagnostic::error("Missing provider configuration", detail).about(address);
        return Err(problem.hint(format!("provider \"{}\" {{ ... }}", provider.name())).into());
    }
    Ok(Settings { config, concurrency: None })
}

fn settings(
    provider: &dyn Provider,
    block: &ProviderBlock,
    name: &str,
    scope: &Scope,
    warnings: &mut Diagnostics,
) -> Result<Settings, Diagnostics> {
    let shown = format!("provider.{name}");
    let (config, found) = decode(&block.body, provider.schema(), scope);
    let config = crate::instance::mark_by_schema(provider.schema(), config);
    let span_of = |path: &Path| block.body.span_of(path);
    let mut found = located(found, span_of, &block.span, &shown);
    if !found.has_errors() {
        let judged = redacted(provider.validate(&config), &config);
        found.extend(located(judged, span_of, &block.span, &shown));
    }
    if found.has_errors() {
        return Err(found);
    }
    warnings.extend(found);
    let concurrency = block.concurrency.as_ref().map(|written| concurrency(written, scope)).transpose()?.flatten();
    Ok(Settings { config, concurrency })
}

/// What it is called when a limit is no good.
const MISTAKE: &str = "Invalid concurrency argument";

/// How many calls may run at once; not known: no limit.
fn concurrency(written: &Expression, scope: &Scope) -> Result<Option<usize>, Diagnostics> {
    let span: Span = written.span();
    let invalid = || {
        let detail =
            "The concurrency of a provider is how many of its calls may run at once: a whole number, 1 or more.";
        Diagnostics::from(Diagnostic::error(MISTAKE, detail).at(span))
    };
    let value = evaluate_public(written, scope, MISTAKE)?;
    let Ok(value) = convert::convert(&value, &Type::Number) else { return Err(invalid()) };
    match value.kind() {
        Kind::Null(_) | Kind::Unknown(_) => Ok(None),
        Kind::Number(number) => match number.to_usize().filter(|most| *most >= 1) {
            Some(most) => Ok(Some(most)),
            None => Err(invalid()),
        },
        _ => Err(invalid()),
    }
}
