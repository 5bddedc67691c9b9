//! Taking over an object that exists already: for `import ADDRESS ID`, for `import` blocks, and once more when a saved plan is applied.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pipectl_core::{Address, Diagnostic, Diagnostics, Span, Value};
use pipectl_lang::{Configuration, ObjectBlock};
use pipectl_provider::context::Recorder;
use pipectl_provider::{Instance, ReadOutcome, Resource};
use pipectl_state::{Change, ObjectState, State};

use crate::ephemeral::OpenValues;
use crate::evaluation::about;
use crate::graph::Graph;
use crate::instance::{Keeping, object_of};
use crate::planner::{context, provider_mistake};
use crate::providers::before::Ground;
use crate::providers::{Before, Bound};
use crate::secrets::{Secrets, told};
use crate::sensitive_in_clear::refuse_imported;
use crate::{Engine, Seed, VariableInput, resolve_variables};

/// Looks up objects that exist already, for the blocks of one configuration: everything that they have in common is made once.
pub struct Importing<'a> {
    engine: &'a Engine,
    configuration: &'a Configuration,
    state: &'a State,
    graph: Graph,
    needed: Vec<Arc<BTreeSet<Address>>>,
    variables: BTreeMap<String, Value>,
    providers: Before,
    open: OpenValues,
    secrets: Secrets,
}

impl Engine {
    /// Looks up one object: see [`Importing::import`].
    ///
    /// # Errors
    /// The same.
    pub async fn import(
        &self,
        configuration: &Configuration,
        inputs: &[VariableInput],
        state: &State,
        address: &Address,
        id: &str,
        seed: Seed,
    ) -> Result<Vec<Change>, Diagnostics> {
        self.import_target(configuration, state, address)?;
        let importing = self.importing(configuration, inputs, state, seed).await?;
        let found = importing.import(address, id).await;
        let left_open = importing.close().await;
        let changes = found?;
        if left_open.has_errors() { Err(left_open) } else { Ok(changes) }
    }

    /// Prepares to look up objects. `seed` gives the state its key, if it needs one and has none. What was opened for that is closed by [`Importing::close`].
    ///
    /// # Errors
    /// When what the configuration says of providers is no good.
    pub async fn importing<'a>(
        &'a self,
        configuration: &'a Configuration,
        inputs: &[VariableInput],
        state: &'a State,
        seed: Seed,
    ) -> Result<Importing<'a>, Diagnostics> {
        let problems = crate::providers::check::check(self, configuration);
        if problems.has_errors() {
            return Err(problems);
        }
        // Variables that nobody gave a value may not matter for the provider.
        let (variables, _) = resolve_variables(configuration, inputs);
        let graph = Graph::new(configuration);
        let ground = Ground { configuration, graph: &graph, variables: &variables };
        let open = OpenValues::default();
        let providers = Before::of(self, ground, state, &Arc::default(), &open).await;
        let (needed, secrets) = (graph.objects_needed(), Secrets::of(Some(state), seed));
        Ok(Importing { engine: self, configuration, state, graph, needed, variables, providers, open, secrets })
    }

    /// The block that an object is to be imported for.
    fn import_target<'a>(
        &self,
        configuration: &'a Configuration,
        state: &State,
        address: &Address,
    ) -> Result<&'a ObjectBlock, Diagnostics> {
        let problem = |summary: &str, detail: String| Diagnostic::error(summary, detail).about(address);
        let Some(block) = configuration.object(address) else {
            let detail = format!(
                "The configuration has no block for {address}. Write one first; its arguments can follow after the import."
            );
            let header = format!("resource \"{}\" \"{}\" {{}}", address.type_name, address.name);
            return Err(problem("Import target not configured", detail).hint(header).into());
        };
        if address.key.is_some() != (block.meta.count.is_some() || block.meta.for_each.is_some()) {
            let detail = format!(
                "The block of {address} has no such instance: whether an address has a key follows from `count` and `for_each`."
            );
            return Err(problem("Import target not configured", detail).at(block.span.clone()).into());
        }
        if state.object(address).is_some() {
            let detail = format!(
                "The state already holds an object at {address}. To import another one, remove it from the state first."
            );
            let way_out = self.folders.command("state rm", &format!("'{address}'"));
            return Err(problem("Resource already managed", detail).hint(way_out).into());
        }
        if state.intents.contains_key(address) {
            let detail = format!(
                "An interrupted run may have made {address}, and nobody has looked yet. The next plan looks, and takes what it finds."
            );
            let way_out = self.folders.command("plan", "");
            return Err(problem("Interrupted call not settled", detail).hint(way_out).into());
        }
        if self.registry.resource(address.kind, &address.type_name).is_none() {
            let detail = format!("There is no kind `{}` that objects can be imported for.", address.type_name);
            return Err(problem("Unknown kind", detail).at(block.span.clone()).into());
        }
        Ok(block)
    }
}

impl Importing<'_> {
    /// Looks up the object that its provider knows as `id`, for a block of the configuration. Returns the changes that take it into the
    /// state, where that keeps it; changes nothing itself.
    ///
    /// # Errors
    /// When the configuration has no such block or instance, the state already has an object there, or there is no such object.
    pub async fn import(&self, address: &Address, id: &str) -> Result<Vec<Change>, Diagnostics> {
        let Self { engine, configuration, graph, .. } = self;
        let block = engine.import_target(configuration, self.state, address)?;
        let ground = Ground { configuration, graph, variables: &self.variables };
        let (kind, provider) = match self.providers.to_import(ground, address).await? {
            Bound::Ready(found) => found,
            Bound::NotYet(why) => {
                let detail = format!("{address} cannot be imported: {why}.");
                return Err(Diagnostic::error("Provider configuration not known", detail).about(address).into());
            }
        };
        let instance = take_over(engine, &kind, address, id).await;
        let instance = instance.map_err(|problems| located(problems, &block.span))?;
        if !engine.is_encrypted
            && let Some(refused) = refuse_imported(kind.schema(), address, &instance.attributes)
        {
            return Err(refused.at(block.span.clone()).into());
        }
        let keeping = Keeping::of(configuration, graph, &self.needed, address, provider);
        let object = taken(kind.as_ref(), address, &instance, &self.secrets, keeping)?;
        let key = self.secrets.key_for(self.state).filter(|_| !object.secrets.is_empty());
        Ok(key.into_iter().chain([Change::SetObject { address: address.clone(), object }]).collect())
    }

    /// Closes what was opened to look objects up.
    pub async fn close(self) -> Diagnostics {
        self.open.close(self.engine).await
    }
}

/// What the state keeps of an object that was taken over.
pub(crate) fn taken(
    kind: &dyn Resource,
    address: &Address,
    instance: &Instance,
    secrets: &Secrets,
    keeping: Keeping,
) -> Result<ObjectState, Diagnostics> {
    let keeping = Keeping { secrets: secrets.of_object(address, &instance.attributes), ..keeping };
    let object = object_of(kind.schema(), instance, keeping);
    object.ok_or_else(|| provider_mistake(address, "imported an object with unknown attributes"))
}

fn located(problems: Diagnostics, span: &Span) -> Diagnostics {
    problems.into_iter().map(|problem| problem.or_at(Some(span))).collect()
}

/// Asks the kind of an object, bound to its configuration, for what its provider knows as `id`, and reads it.
///
/// # Errors
/// When there is no such object, or it cannot be seen.
pub(crate) async fn take_over(
    engine: &Engine,
    kind: &Arc<dyn Resource>,
    address: &Address,
    id: &str,
) -> Result<Instance, Diagnostics> {
    let absent = || {
        let detail = format!("There is no object with the id {id:?} that {address} could be.");
        Diagnostic::error("Cannot import non-existent remote object", detail).about(address)
    };
    let cx = context(engine, address, String::new(), engine.cancel.clone(), Recorder::none());
    let imported = kind.import(&cx, id).await.map_err(|problems| about(problems, address))?.ok_or_else(absent)?;
    let read = kind.read(&cx, &imported).await;
    let shown = engine.mark(kind.schema(), imported.attributes.clone());
    match read.map_err(|problems| told(problems, &shown, address))? {
        ReadOutcome::Gone => Err(absent().into()),
        ReadOutcome::Present { instance, .. } => {
            let attributes = engine.mark(kind.schema(), instance.attributes.clone());
            Ok(Instance { attributes, ..*instance })
        }
    }
}
