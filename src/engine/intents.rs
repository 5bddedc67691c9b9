//! Announced calls whose result was lost: what is asked about them, what comes of the answer, and when a call is the same once more.
//!
//! Who asks, and when, is the business of the planner, and of an apply where the planner could not.

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use pipectl_core::{Address, Diagnostic, Diagnostics, Value};
use pipectl_provider::{Instance, Intent, Resource};
use pipectl_state::{Change, IntentState, ObjectState, State, StoredSecret};
use serde_json::Value as Json;

use crate::instance::{Keeping, object_of};
use crate::planner::provider_mistake;
use crate::secrets::{Secrets, marked};
use crate::{Engine, Seed};

/// How an object that was found again differs from what the state said.
pub(crate) const FOUND_AGAIN: &str = "it was made by an interrupted run, and has been found again";

/// What a kind is asked about an announced call. `known` are the ids of the objects of its type.
pub(crate) fn question(intent: &IntentState, known: BTreeSet<String>) -> Intent {
    Intent {
        token: intent.token.clone(),
        arguments: intent.arguments.clone(),
        recorded: intent.recorded.clone(),
        began: intent.began.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds)),
        known,
    }
}

/// The ids of all objects of a type that a state has, and of those that calls for other addresses have told of while they were made.
pub(crate) fn known_ids(state: &State, address: &Address) -> BTreeSet<String> {
    let is_meant = |other: &Address| other.kind == address.kind && other.type_name == address.type_name;
    let objects = state.objects().filter(|(other, ..)| is_meant(other)).map(|(_, _, object)| &object.attributes);
    let others = state.intents.iter().filter(|(other, _)| *other != address && is_meant(other));
    let ids = objects.chain(others.map(|(_, intent)| &intent.recorded));
    ids.filter_map(|attributes| Some(attributes.get("id")?.as_str()?.to_owned())).collect()
}

/// The id of an object.
pub(crate) fn id(attributes: &Value) -> Option<&str> {
    attributes.attribute("id").and_then(Value::as_str)
}

/// Whether two instances are of one object: they have the same `id`.
pub(crate) fn is_same(one: &Instance, other: &Instance) -> bool {
    id(&one.attributes).is_some_and(|one| id(&other.attributes) == Some(one))
}

/// An object that an announced call has made.
pub(crate) struct FoundAgain {
    pub(crate) instance: Instance,
    pub(crate) object: ObjectState,
    /// What the object before it, which it was to replace, is called from now on.
    pub(crate) aside: Option<String>,
}

impl FoundAgain {
    /// What the state keeps of an object that a kind has found. `replaced`: the state has another object at the address.
    ///
    /// # Errors
    /// When there is something unknown in the object: a mistake of its provider.
    pub(crate) fn of(
        (engine, secrets): (&Engine, &Secrets),
        kind: &dyn Resource,
        address: &Address,
        intent: &IntentState,
        instance: Instance,
        replaced: bool,
    ) -> Result<Self, Diagnostics> {
        let attributes = engine.mark(kind.schema(), marked(instance.attributes, &intent.secrets));
        let instance = Instance { attributes, ..instance };
        let keeping = Keeping {
            dependencies: intent.dependencies.clone(),
            tainted: false,
            create_before_destroy: intent.create_before_destroy,
            provider: intent.provider.clone(),
            secrets: secrets.of_observed(address, &intent.secrets, &instance.attributes),
        };
        let object = object_of(kind.schema(), &instance, keeping)
            .ok_or_else(|| provider_mistake(address, "found an object with unknown attributes"))?;
        let aside = replaced.then(|| intent.token.chars().take(8).collect());
        Ok(Self { instance, object, aside })
    }

    /// The fingerprints of its secrets.
    pub(crate) fn secrets(&self) -> Vec<StoredSecret> {
        self.object.secrets.clone()
    }

    /// What takes it into the state, beside that its call is settled.
    pub(crate) fn changes(&self, address: &Address) -> Vec<Change> {
        let aside = self.aside.iter().map(|key| Change::Depose { address: address.clone(), key: key.clone() });
        let taken = Change::SetObject { address: address.clone(), object: self.object.clone() };
        aside.chain([taken]).collect()
    }
}

/// The error for an announced call that may have made any of several objects.
pub(crate) fn ambiguous(address: &Address, candidates: &[String]) -> Diagnostic {
    let list = candidates.join(", ");
    let detail = format!(
        "An interrupted run may have made {address}, and more than one object could be it: {list}. Remove the ones that should not exist, then plan \
         again."
    );
    Diagnostic::error("Several candidates for an interrupted call", detail).about(address)
}

/// The error for an announced call that nobody can be asked about, and that has to be settled first.
pub(crate) fn not_settled(engine: &Engine, address: &Address, why: &str) -> Diagnostic {
    let detail = format!(
        "An interrupted run may have made {address}, which is not to stay, and nobody can be asked about that: {why}. Give its provider the \
         configuration back that it had then, and plan again: what was made is found and removed. If there is no such object, or once you have \
         removed it by hand, take the call out of the state."
    );
    let problem = Diagnostic::error("Interrupted call not settled", detail).about(address);
    problem.hint(engine.folders.command("state rm -interrupted", &format!("'{address}'")))
}

/// The token of the call for an object: that of an announced call that has left nothing, when this is the same call. What that one was to make
/// may yet come to light.
pub(crate) fn token(seed: Seed, address: &Address, unanswered: Option<&IntentState>, config: &Value) -> String {
    match unanswered {
        Some(intent) if is_same_call(&intent.arguments, &Intent::known_arguments(config)) => intent.token.clone(),
        _ => seed.draw(&address.to_string()),
    }
}

/// Whether the arguments that an intent kept are those of `config`; the intent also kept what the provider had planned.
fn is_same_call(kept: &Json, config: &Json) -> bool {
    match (kept.as_object(), config.as_object()) {
        (Some(kept), Some(config)) => config.iter().all(|(name, value)| kept.get(name) == Some(value)),
        _ => false,
    }
}
