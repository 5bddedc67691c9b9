//! Refresh: what the objects of the state are now, and what became of calls whose result was lost.
//!
//! Objects that provider configurations are made from are looked at first, in the order of what they need, so that the others can be looked at with
//! the configurations that follow. Where a configuration does not follow from what exists, its objects are not looked at: the plan says what that
//! means for each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use petgraph::graph::NodeIndex;
use pipectl_core::{Address, AddressKind, Diagnostic, Diagnostics, Marks, Path, ProviderAddress, Value};
use pipectl_provider::{Found, Instance, ReadOutcome, Resource};
use pipectl_state::{AttributePath, Change, IntentState, ObjectState, Operation, PathStep, State, StoredSecret};
use serde_json::Value as Json;
use tokio::sync::Semaphore;

use super::reading;
use crate::ephemeral::OpenValues;
use crate::evaluation::{about, extend_once};
use crate::graph::Node;
use crate::instance::{Keeping, at_mut, instance_of, object_of, shown_id};
use crate::intents::{self, FOUND_AGAIN, FoundAgain};
use crate::objects::attributes;
use crate::providers::before::Ground;
use crate::providers::{Before, Bound};
use crate::secrets::{Secrets, for_provider, places_to_read, told, with_what_was_read};
use crate::selection::Selection;
use crate::walk::each;
use crate::{Drift, Engine, Event, PlanOptions};

/// An object as it is now.
#[derive(Clone, Debug)]
pub(super) struct Prior {
    pub(super) instance: Instance,
    pub(super) tainted: bool,
    /// The fingerprints of its secrets, which the instance has not.
    pub(super) secrets: Vec<StoredSecret>,
    /// How it differs from the state, in words.
    pub(super) drift: Vec<String>,
}

/// What refresh saw.
#[derive(Default)]
pub(super) struct Observations {
    /// Objects by address, without those that have made room for a replacement.
    pub(super) priors: BTreeMap<Address, Prior>,
    /// Objects that are left out of the plan, with other instances of their blocks in it, as the state has them.
    pub(super) left_out: BTreeMap<Address, Value>,
    /// Objects that have made room, by address and key.
    pub(super) deposed: BTreeMap<(Address, String), Instance>,
    /// Objects that the state has and that are not there any more.
    pub(super) gone: BTreeSet<Address>,
    /// Tokens of calls whose result was lost and that have left nothing, with their arguments: the same call may be made again.
    pub(super) unanswered: BTreeMap<Address, IntentState>,
    /// Objects that an interrupted run may have made, and of which nobody could be asked: why not.
    pub(super) unasked: BTreeMap<Address, Unasked>,
    /// Objects that nobody could look at, with their keys where they have made room: why their provider has no configuration now.
    unbound: BTreeMap<(Address, Option<String>), Diagnostics>,
    /// Configurations that objects were made with, without those that have made room, where that is not the default one.
    pub(super) made_with: BTreeMap<Address, ProviderAddress>,
    /// What the state does not say yet.
    pub(super) changes: Vec<Change>,
    /// The same in words.
    pub(super) drift: Vec<Drift>,
}

impl Observations {
    /// Why nothing can be done with an object: its provider has no configuration now.
    pub(super) fn unbound(&self, address: &Address, deposed: Option<&str>) -> Option<&Diagnostics> {
        // Nearly always there is none.
        if self.unbound.is_empty() {
            return None;
        }
        self.unbound.get(&(address.clone(), deposed.map(str::to_owned)))
    }
}

/// Why nobody can be asked about an announced call.
#[derive(Clone, Debug)]
pub(super) enum Unasked {
    /// The configuration of its provider is not known.
    NotYet(String),
    /// That configuration is no good, or is gone.
    Failed(Diagnostics),
}

/// An object of the state, with its key where it has made room for a replacement.
type Stored<'a> = (&'a Address, Option<&'a str>, &'a ObjectState);

/// One object to look at.
struct Look {
    address: Address,
    deposed: Option<String>,
    kind: Arc<dyn Resource>,
    /// The same kind as something that can look; `None`: nobody can.
    bound: Option<Arc<dyn Resource>>,
    object: ObjectState,
    read: bool,
}

/// One object seen.
struct Seen {
    look: Look,
    result: Result<Option<(Instance, Vec<String>)>, Diagnostics>,
}

/// What looking works with.
pub(super) struct Refresh<'a> {
    pub(super) engine: &'a Engine,
    pub(super) ground: Ground<'a>,
    pub(super) state: &'a State,
    pub(super) selection: &'a Selection,
    pub(super) options: &'a PlanOptions,
    pub(super) secrets: &'a Secrets,
    pub(super) permits: &'a Arc<Semaphore>,
    /// Ephemeral values that provider configurations are made from.
    pub(super) open: &'a OpenValues,
}

impl Refresh<'_> {
    /// Looks at all selected objects of the state, and evaluates the provider configurations that follow from them.
    pub(super) async fn observe(&self, before: &mut Before) -> (Observations, Diagnostics) {
        let mut observations = Observations::default();
        let mut diagnostics = Diagnostics::new();
        let mut waiting: BTreeMap<Address, Vec<Stored<'_>>> = BTreeMap::new();
        let needed = Before::needed(self.ground.graph);
        let first: BTreeSet<&Address> = needed
            .iter()
            .filter_map(|node| match self.ground.graph.node(*node) {
                Node::Object(declaration) => Some(declaration),
                _ => None,
            })
            .collect();
        let mut others = Vec::new();
        for (address, deposed, object) in self.state.objects() {
            match first.is_empty() || !first.contains(&address.declaration()) {
                true => others.push((address, deposed, object)),
                false => waiting.entry(address.declaration()).or_default().push((address, deposed, object)),
            }
        }
        let mut values = BTreeMap::new();
        for node in needed {
            if let Node::Object(declaration) = self.ground.graph.node(node)
                && let Some(objects) = waiting.remove(declaration)
            {
                values.extend(self.left_out(before, node, &objects).await);
                let addresses: Vec<Address> = objects.iter().map(|(address, ..)| (*address).clone()).collect();
                self.look(before, objects, &mut observations, &mut diagnostics).await;
                let seen = addresses.into_iter().filter_map(|address| {
                    let prior = observations.priors.get(&address)?;
                    Some((address, prior.instance.attributes.clone()))
                });
                values.extend(seen);
            }
            before.visit(self.ground, node, &values, self.open).await;
        }
        before.recall_disabled(self.ground, self.state, self.open).await;
        self.look(before, others, &mut observations, &mut diagnostics).await;
        self.settle_intents(before, &mut observations, &mut diagnostics).await;
        (observations, diagnostics)
    }

    /// An object as the state has it.
    fn as_stored(&self, address: &Address, object: &ObjectState) -> Value {
        let stored = attributes(&self.engine.registry, address, object);
        match self.engine.registry.resource(address.kind, &address.type_name) {
            Some(kind) => self.engine.mark(kind.schema(), stored),
            None => stored,
        }
    }

    /// Whether there is something of an object that only reading it tells.
    fn misses_something(&self, address: &Address, object: &ObjectState) -> bool {
        let Some(kind) = self.engine.registry.resource(address.kind, &address.type_name) else { return false };
        let mut places = places_to_read(kind.schema(), &object.secrets).peekable();
        if places.peek().is_none() {
            return false;
        }
        let stored = self.as_stored(address, object);
        places.any(|path: Path| stored.at(&path).is_some_and(|value| !value.is_known()))
    }

    /// Those objects of a block that are left out of the plan, for the providers that are configured from them: as the state has them. What that
    /// has only fingerprints of is read where the plan needs one of those providers, and can be; nobody is told where it cannot.
    async fn left_out(&self, before: &Before, node: NodeIndex, objects: &[Stored<'_>]) -> BTreeMap<Address, Value> {
        let (mut values, mut missing) = (BTreeMap::new(), Vec::new());
        for &(address, deposed, object) in objects {
            if deposed.is_none() && !self.selection.has(address) {
                values.insert(address.clone(), self.as_stored(address, object));
                if self.misses_something(address, object) {
                    missing.push((address, object));
                }
            }
        }
        if !self.options.refresh
            || missing.is_empty()
            || !before.configures(self.ground, self.state, self.selection)[node.index()]
        {
            return values;
        }
        let mut looks = Vec::new();
        for (address, object) in missing {
            let Some(kind) = self.engine.registry.resource(address.kind, &address.type_name) else { continue };
            let bound = before.resource(self.ground, address, object.provider.as_ref()).await;
            if let (Ok(Bound::Ready(bound)), Ok(prior)) = (bound, instance_of(address, object, kind.as_ref())) {
                looks.push((address.clone(), bound, prior));
            }
        }
        let read = each(looks, self.permits, |(address, bound, prior)| {
            let engine = self.engine.clone();
            async move {
                let read = bound.read(&reading(&engine, &address, String::new()), &for_provider(&prior)).await;
                (address, prior, read)
            }
        });
        for (address, prior, read) in read.await {
            let current = self.state.resources.get(&address).and_then(|resource| resource.current.as_ref());
            let kind = self.engine.registry.resource(address.kind, &address.type_name);
            let (Ok(ReadOutcome::Present { instance, .. }), Some(object), Some(kind), Some(value)) =
                (read, current, kind, values.get_mut(&address))
            else {
                continue;
            };
            let read = self.engine.mark(kind.schema(), keep_marks(&prior, *instance).attributes);
            *value = with_what_was_read(value.clone(), &object.secrets, &read);
        }
        values
    }

    /// Whether others may see an object that is left out: an instance of a block of which others are planned.
    fn is_seen(&self, address: &Address) -> bool {
        self.ground.graph.find_object(address).is_some_and(|node| self.selection.has_node(node))
    }

    /// Looks at objects of which the configurations are evaluated.
    async fn look(
        &self,
        before: &Before,
        objects: Vec<Stored<'_>>,
        observations: &mut Observations,
        diagnostics: &mut Diagnostics,
    ) {
        let mut looks = Vec::with_capacity(objects.len());
        for (address, deposed, object) in objects {
            if !self.selection.has(address) {
                if deposed.is_none() && self.is_seen(address) {
                    let stored = self.as_stored(address, object);
                    observations.left_out.insert(address.clone(), stored);
                }
                continue;
            }
            let Some(kind) = self.engine.registry.resource(address.kind, &address.type_name) else {
                diagnostics.push(unknown_kind(address));
                continue;
            };
            // After a call whose result was lost, what the state says is not to be trusted. What is to be removed anyway need not be seen.
            let read = deposed.is_none() && (self.options.refresh || self.state.intents.contains_key(address));
            if let Some(recorded) = object.provider.as_ref().filter(|_| deposed.is_none()) {
                observations.made_with.insert(address.clone(), recorded.clone());
            }
            let bound = match before.resource(self.ground, address, object.provider.as_ref()).await {
                Ok(Bound::Ready(bound)) => Ok(bound),
                Ok(Bound::NotYet(why)) => Err(no_configuration(self.engine, address, &why, self.options.refresh)),
                Err(problems) => Err(problems),
            };
            let bound = bound.map_err(|problems| {
                observations.unbound.insert((address.clone(), deposed.map(str::to_owned)), problems);
            });
            looks.push(Look {
                address: address.clone(),
                deposed: deposed.map(str::to_owned),
                kind: Arc::clone(kind),
                bound: bound.ok(),
                object: object.clone(),
                read,
            });
        }
        for seen in each(looks, self.permits, |look| look_at(self.engine.clone(), look)).await {
            match seen.result {
                Ok(now) => take(observations, seen.look, now, self.secrets),
                Err(problems) => extend_once(diagnostics, problems),
            }
        }
    }

    /// Asks what became of announced calls.
    async fn settle_intents(&self, before: &Before, observations: &mut Observations, diagnostics: &mut Diagnostics) {
        let mut questions = Vec::new();
        for (address, intent) in self.state.intents.iter().filter(|(address, _)| self.selection.has(address)) {
            if self.engine.registry.resource(address.kind, &address.type_name).is_none() {
                if !self.state.resources.contains_key(address) {
                    diagnostics.push(unknown_kind(address));
                }
                continue;
            }
            let bound = match before.resource(self.ground, address, intent.provider.as_ref()).await {
                Ok(Bound::Ready(bound)) => Ok(bound),
                Ok(Bound::NotYet(why)) => Err(Unasked::NotYet(why)),
                Err(problems) => Err(Unasked::Failed(problems)),
            };
            match (intent.operation, bound) {
                (_, Ok(bound)) => {
                    let known = intents::known_ids(self.state, address);
                    questions.push(Question { address: address.clone(), intent: intent.clone(), known, kind: bound });
                }
                // Nobody can be asked now: the question stays open.
                (Operation::Create, Err(why)) => drop(observations.unasked.insert(address.clone(), why)),
                // So does what reading the object would tell.
                (Operation::Update | Operation::Delete, Err(_)) => {}
            }
        }
        let answers = each(questions, self.permits, |question| ask(self.engine.clone(), question)).await;
        let mut taken: BTreeMap<(AddressKind, String), BTreeSet<String>> = BTreeMap::new();
        // What has told its id is not to be found as the work of another call.
        let (sure, others): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|(question, _)| !question.intent.recorded.is_null());
        for (mut question, mut answer) in sure.into_iter().chain(others) {
            let taken = taken.entry((question.address.kind, question.address.type_name.clone())).or_default();
            // Two calls may be answered with the same object, which only one of them has made.
            while let Some(id) =
                claimed(observations, &question.address, &answer).filter(|id| !taken.insert(id.clone()))
            {
                question.known.insert(id);
                (question, answer) = ask(self.engine.clone(), question).await;
            }
            let Question { address, intent, .. } = question;
            match answer {
                Ok(found) => {
                    let answered = (address, intent, found);
                    settle(self.engine, self.state, self.secrets, observations, diagnostics, answered);
                }
                Err(problems) => diagnostics.extend(problems),
            }
        }
    }
}

/// The error for something in the state that only another program knows.
fn unknown_kind(address: &Address) -> Diagnostic {
    let detail = format!(
        "The state holds {address}, and this pipectl knows no kind `{}`. Use the pipectl that made it.",
        address.type_name
    );
    Diagnostic::error("Unknown kind of object in the state", detail).about(address)
}

/// Why nothing can be done with an object of the state.
fn no_configuration(engine: &Engine, address: &Address, why: &str, refreshed: bool) -> Diagnostics {
    if !refreshed {
        // What it follows from may only not have been read.
        let detail = format!("Nothing can be done with {address} without a refresh: {why}.");
        let problem = Diagnostic::error("Provider configuration not known", detail).about(address);
        return problem.hint("the same command without -refresh=false").into();
    }
    let detail = format!(
        "Nothing can be done with {address}: {why}. If the object is gone with what that was made from, remove it from the state."
    );
    let problem = Diagnostic::error("Provider configuration not known", detail).about(address);
    problem.hint(engine.folders.command("state rm", &format!("'{address}'"))).into()
}

async fn look_at(engine: Engine, look: Look) -> Seen {
    let result = async {
        let stored = instance_of(&look.address, &look.object, look.kind.as_ref())?;
        let Some(bound) = look.bound.as_ref().filter(|_| look.read) else { return Ok(Some((stored, Vec::new()))) };
        engine.events.observe(Event::RefreshStart { address: look.address.clone(), id: shown_id(&look.object) });
        let outcome = bound.read(&reading(&engine, &look.address, String::new()), &for_provider(&stored)).await;
        engine.events.observe(Event::RefreshComplete { address: look.address.clone(), id: shown_id(&look.object) });
        Ok(match outcome.map_err(|problems| told(problems, &stored.attributes, &look.address))? {
            // An object that came half way may only not be seen yet. It is replaced anyway, and removing what is gone does no harm.
            ReadOutcome::Gone if look.object.tainted => Some((stored, Vec::new())),
            ReadOutcome::Gone => None,
            ReadOutcome::Present { instance, drift } => Some((keep_marks(&stored, *instance), drift)),
        })
    };
    let mark = |(instance, drift): (Instance, _)| {
        let attributes = engine.mark(look.kind.schema(), instance.attributes);
        (Instance { attributes, ..instance }, drift)
    };
    let result = result.await.map(|seen| seen.map(mark));
    Seen { look, result }
}

/// What was marked stays marked where the same place is still there: a provider may give back plain values.
fn keep_marks(before: &Instance, mut now: Instance) -> Instance {
    if now.attributes != before.attributes {
        for mark in [Marks::SENSITIVE, Marks::SECRET] {
            for path in before.attributes.paths_marked(mark) {
                now.attributes = now.attributes.mark_at(&path.0, mark);
            }
        }
    }
    now
}

/// Writes down what was seen of one object.
fn take(observations: &mut Observations, look: Look, now: Option<(Instance, Vec<String>)>, secrets: &Secrets) {
    let Look { address, deposed, kind, object, .. } = look;
    let Some((instance, mut drift)) = now else {
        observations.changes.push(Change::RemoveObject { address: address.clone() });
        observations.gone.insert(address.clone());
        observations.drift.push(Drift { address, notes: vec!["it is gone".to_owned()] });
        return;
    };
    drop_words_on_secrets(&mut drift, &object.secrets);
    let freed = secrets.freed_and_changed(&address, &object.secrets, &instance.attributes);
    let secrets = secrets.of_observed(&address, &object.secrets, &instance.attributes);
    let keeping = Keeping {
        dependencies: object.dependencies.clone(),
        tainted: object.tainted,
        create_before_destroy: object.create_before_destroy,
        provider: object.provider.clone(),
        secrets: secrets.clone(),
    };
    let changed = object_of(kind.schema(), &instance, keeping).filter(|now| *now != object);
    match deposed {
        Some(key) => {
            observations.deposed.insert((address, key), instance);
        }
        None => {
            if let Some(now) = changed {
                if drift.is_empty() && now.schema_version == object.schema_version {
                    drift = differences(&object, &now, &freed);
                }
                observations.changes.push(Change::SetObject { address: address.clone(), object: now });
            }
            if !drift.is_empty() {
                observations.drift.push(Drift { address: address.clone(), notes: drift.clone() });
            }
            let prior = Prior { instance, tainted: object.tainted, secrets, drift };
            observations.priors.insert(address, prior);
        }
    }
}

/// Of an attribute with a secret the provider has seen null: what it says of a difference there means nothing.
pub(crate) fn drop_words_on_secrets(drift: &mut Vec<String>, secrets: &[StoredSecret]) {
    drift.retain(|note| !arguments_of(secrets).any(|name| note.contains(&format!("`{name}`"))));
}

/// The attributes in which there are secrets.
fn arguments_of(secrets: &[StoredSecret]) -> impl Iterator<Item = &String> {
    secrets.iter().filter_map(|secret| match secret.path.0.first() {
        Some(PathStep::Name(name)) => Some(name),
        Some(PathStep::Index(_)) | None => None,
    })
}

/// Which attributes changed outside, in words and without values: those of sensitive ones would show. `freed`: what was told by its fingerprint
/// until now, and is another value.
fn differences(before: &ObjectState, now: &ObjectState, freed: &[Path]) -> Vec<String> {
    let has = |object: &ObjectState, path: &AttributePath| object.secrets.iter().any(|secret| secret.path == *path);
    // What was kept until now, and is only told by its fingerprint from now on, has not changed.
    let told_before = |secret: &&StoredSecret| !before.secrets.contains(secret) && has(before, &secret.path);
    let secrets = now.secrets.iter().filter(told_before).map(|secret| Path::from(&secret.path));
    let secrets = secrets.chain(freed.iter().cloned()).map(|path| format!("attribute `{path}` changed"));
    // Fingerprints tell of what was, or is, kept as one only.
    let plain = |object: &ObjectState, other: &ObjectState| {
        let mut attributes = object.attributes.clone();
        for secret in object.secrets.iter().chain(&other.secrets) {
            if let Some(place) = at_mut(&mut attributes, &Path::from(&secret.path)) {
                *place = Json::Null;
            }
        }
        match attributes {
            Json::Object(members) => members,
            _ => serde_json::Map::new(),
        }
    };
    let (before, now) = (plain(before, now), plain(now, before));
    let names = before.keys().chain(now.keys().filter(|name| !before.contains_key(*name)));
    let names = names.filter(|name| before.get(*name) != now.get(*name));
    names.map(|name| format!("attribute `{name}` changed")).chain(secrets).collect()
}

/// What became of an announced call?
struct Question {
    address: Address,
    intent: IntentState,
    /// Ids of the objects of its type that others have made.
    known: BTreeSet<String>,
    kind: Arc<dyn Resource>,
}

async fn ask(engine: Engine, question: Question) -> (Question, Result<Found, Diagnostics>) {
    let Question { address, intent, known, kind } = &question;
    let answer = match intent.operation {
        // Reading the object has told what became of a change or a removal.
        Operation::Update | Operation::Delete => Ok(Found::None),
        Operation::Create => {
            let cx = reading(&engine, address, intent.token.clone());
            kind.find(&cx, &intents::question(intent, known.clone())).await.map_err(|problems| about(problems, address))
        }
    };
    (question, answer)
}

/// The id of the object that a call has made, if this is the answer.
fn claimed(observations: &Observations, address: &Address, answer: &Result<Found, Diagnostics>) -> Option<String> {
    match answer {
        Ok(Found::One(instance)) if !was_there(observations, address, instance) => {
            intents::id(&instance.attributes).map(str::to_owned)
        }
        Ok(Found::One(_) | Found::None | Found::Ambiguous(_)) | Err(_) => None,
    }
}

/// Whether an object that was found was at the address before the call.
fn was_there(observations: &Observations, address: &Address, found: &Instance) -> bool {
    observations.priors.get(address).is_some_and(|prior| intents::is_same(&prior.instance, found))
}

fn settle(
    engine: &Engine,
    state: &State,
    secrets: &Secrets,
    observations: &mut Observations,
    diagnostics: &mut Diagnostics,
    (address, intent, found): (Address, IntentState, Found),
) {
    match found {
        Found::None => {
            observations.changes.push(Change::RemoveIntent { address: address.clone() });
            if intent.operation == Operation::Create {
                observations.unanswered.insert(address, intent);
            }
        }
        // Nothing was made: a kind that looks for names has found what was there before.
        Found::One(instance) if was_there(observations, &address, &instance) => {
            observations.changes.push(Change::RemoveIntent { address });
        }
        Found::One(instance) => {
            let Some(kind) = engine.registry.resource(address.kind, &address.type_name) else { return };
            // A replacement may have been made, and the old object not yet out of the way.
            let replaced = state.object(&address).is_some() && observations.priors.contains_key(&address);
            let found = FoundAgain::of((engine, secrets), kind.as_ref(), &address, &intent, *instance, replaced);
            let found = match found {
                Ok(found) => found,
                Err(problems) => return diagnostics.extend(problems),
            };
            // What was known of the object at the address is known of the one that has made room.
            let unbound = observations.unbound.remove(&(address.clone(), None));
            if let (Some(key), Some(prior)) = (&found.aside, observations.priors.remove(&address)) {
                observations.deposed.insert((address.clone(), key.clone()), prior.instance);
                observations.unbound.extend(unbound.map(|problems| ((address.clone(), Some(key.clone())), problems)));
            }
            match &intent.provider {
                Some(provider) => drop(observations.made_with.insert(address.clone(), provider.clone())),
                None => drop(observations.made_with.remove(&address)),
            }
            observations.changes.extend(found.changes(&address));
            observations.changes.push(Change::RemoveIntent { address: address.clone() });
            let notes = vec![FOUND_AGAIN.to_owned()];
            observations.drift.push(Drift { address: address.clone(), notes: notes.clone() });
            let secrets = found.secrets();
            let prior = Prior { instance: found.instance, tainted: false, secrets, drift: notes };
            observations.priors.insert(address, prior);
        }
        Found::Ambiguous(candidates) => diagnostics.push(intents::ambiguous(&address, &candidates)),
    }
}

/// The prior attributes of an object, if it exists.
pub(super) fn prior_value<'a>(observations: &'a Observations, address: &Address) -> Option<&'a Value> {
    let seen = observations.priors.get(address).map(|prior| &prior.instance.attributes);
    seen.or_else(|| observations.left_out.get(address))
}
