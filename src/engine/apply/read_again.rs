//! What the state keeps only as fingerprints and providers can read again: read before the walk begins, so that whoever refers to it, changes its
//! object or configures a provider with it has it.
//!
//! An apply right after its plan takes what the refresh has seen; only a saved plan, or one that did not look, makes calls. Nothing here is
//! committed: the state with these values lives in memory alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use petgraph::graph::NodeIndex;
use pipectl_core::json::to_json;
use pipectl_core::{Address, Diagnostic, Diagnostics, Path, Value};
use pipectl_provider::context::Recorder;
use pipectl_provider::{Instance, ReadOutcome, Resource};
use pipectl_state::{ObjectState, State};
use serde_json::Value as Json;
use tokio::sync::Semaphore;

use crate::ephemeral::OpenValues;
use crate::evaluation::extend_once;
use crate::instance::{at, at_mut, instance_of};
use crate::planner::{as_warnings, context};
use crate::providers::before::Ground;
use crate::providers::{Before, Bound, Pool};
use crate::secrets::{for_provider, places_to_read, told};
use crate::selection::Selection;
use crate::walk::each;
use crate::{Action, Engine, Plan, ResourceChange};

/// The state, with everything in its objects that it only has fingerprints of and that can be read again.
///
/// What no provider can be asked for yet stays away: it is read with what is deferred. So does what is left out of the plan, unless a provider that
/// the plan works with is configured from it.
///
/// # Errors
/// When an object that has such a value, and is to stay, cannot be read, or is gone. Where it is to go, that is a warning; where it is left out, it
/// is nobody's concern. Whoever needs its value all the same says that it is not known.
pub(super) async fn read_again(
    engine: &Engine,
    ground: Ground<'_>,
    (plan, selection): (&Plan, &Selection),
    mut state: State,
    (pool, open): (&Arc<Pool>, &OpenValues),
) -> Result<(State, Diagnostics), Diagnostics> {
    let mut warnings = Diagnostics::new();
    let mut missing = missing(engine, &state);
    if missing.iter().any(|address| !selection.has(address)) {
        let configures = Before::new(engine, ground.graph, pool, &state).configures(ground, &state, selection);
        let is_needed = |node: NodeIndex| configures[node.index()];
        missing.retain(|address| selection.has(address) || ground.graph.find_object(address).is_some_and(is_needed));
    }
    if missing.is_empty() {
        return Ok((state, warnings));
    }
    let changes = plan.changes.iter().filter(|change| change.deposed.is_none());
    let seen: BTreeMap<&Address, &Value> =
        changes.filter_map(|change| Some((&change.address, change.before.as_ref()?))).collect();
    missing.retain(|address| !take_from_plan(engine, seen.get(address).copied(), &mut state, address));
    // What is removed, or is replaced because it is tainted, may be out of reach, or gone.
    let goes_on = |change: &&ResourceChange| {
        change.deposed.is_none() && !matches!(change.action, Action::Delete | Action::Forget | Action::Replace { .. })
    };
    let planned: BTreeSet<&Address> = plan.changes.iter().filter(goes_on).map(|change| &change.address).collect();
    let mut judge = |address: &Address, problems: Diagnostics| {
        if planned.contains(address) {
            return Err(problems);
        }
        if selection.has(address) {
            extend_once(&mut warnings, as_warnings(problems));
        }
        Ok(())
    };
    let permits = Arc::new(Semaphore::new(engine.parallelism.max(1)));
    // What one object gives may configure the provider of another.
    while !missing.is_empty() {
        let before = Before::of(engine, ground, &state, pool, open).await;
        let mut calls = Vec::new();
        let mut later = Vec::new();
        for address in missing {
            let Some((kind, stored, object)) = stored(engine, &state, &address)? else { continue };
            match before.resource(ground, &address, object.provider.as_ref()).await {
                Ok(Bound::Ready(bound)) => calls.push((address, kind, bound, stored)),
                Ok(Bound::NotYet(_)) => later.push(address),
                Err(problems) => judge(&address, problems)?,
            }
        }
        if calls.is_empty() {
            break;
        }
        let read = |(address, kind, bound, stored): (Address, Arc<dyn Resource>, Arc<dyn Resource>, Instance)| {
            let engine = engine.clone();
            async move { (read(&engine, &address, &*bound, &stored).await, address, kind) }
        };
        for (seen, address, kind) in each(calls, &permits, read).await {
            match seen {
                Ok(seen) => fill(&mut state, &address, kind.as_ref(), &seen),
                Err(problems) => judge(&address, problems)?,
            }
        }
        missing = later;
    }
    Ok((state, warnings))
}

/// Objects with something that is not stored because it can be read again.
fn missing(engine: &Engine, state: &State) -> Vec<Address> {
    let is_missing = |address: &Address, object: &ObjectState| {
        let Some(kind) = engine.registry.resource(address.kind, &address.type_name) else { return false };
        places_to_read(kind.schema(), &object.secrets)
            .any(|path| at(&object.attributes, &path).is_none_or(Json::is_null))
    };
    let current = state.objects().filter(|(_, deposed, object)| deposed.is_none() && !object.secrets.is_empty());
    current.filter(|(address, _, object)| is_missing(address, object)).map(|(address, ..)| address.clone()).collect()
}

/// Takes what the refresh of the plan has seen of an object; whether that is everything.
fn take_from_plan(engine: &Engine, seen: Option<&Value>, state: &mut State, address: &Address) -> bool {
    let Some(kind) = engine.registry.resource(address.kind, &address.type_name) else { return true };
    let (Some(seen), Some(object)) = (seen, state.object(address)) else { return false };
    let is_known = |path: Path| seen.at(&path).is_some_and(Value::is_wholly_known);
    if !places_to_read(kind.schema(), &object.secrets).all(is_known) {
        return false;
    }
    fill(state, address, kind.as_ref(), seen);
    true
}

type Stored<'a> = (Arc<dyn Resource>, Instance, &'a ObjectState);

fn stored<'a>(engine: &Engine, state: &'a State, address: &Address) -> Result<Option<Stored<'a>>, Diagnostics> {
    let kind = engine.registry.resource(address.kind, &address.type_name);
    let (Some(kind), Some(object)) = (kind, state.object(address)) else { return Ok(None) };
    Ok(Some((Arc::clone(kind), instance_of(address, object, kind.as_ref())?, object)))
}

async fn read(
    engine: &Engine,
    address: &Address,
    kind: &dyn Resource,
    stored: &Instance,
) -> Result<Value, Diagnostics> {
    let cx = context(engine, address, String::new(), engine.cancel.clone(), Recorder::none());
    let read = kind.read(&cx, &for_provider(stored)).await;
    match read.map_err(|problems| told(problems, &stored.attributes, address))? {
        ReadOutcome::Present { instance, .. } => Ok(instance.attributes),
        ReadOutcome::Gone => {
            let detail = format!("{address} was there when the plan was made, and is gone. Nothing was done.");
            Err(Diagnostic::error("Object gone since the plan", detail)
                .about(address)
                .hint(engine.folders.command("plan", ""))
                .into())
        }
    }
}

/// Puts what was read where the state has nothing.
fn fill(state: &mut State, address: &Address, kind: &dyn Resource, read: &Value) {
    let resource = state.resources.get_mut(address);
    let Some(object) = resource.and_then(|resource| resource.current.as_mut()) else { return };
    for path in places_to_read(kind.schema(), &object.secrets).collect::<Vec<_>>() {
        let value = read.at(&path).and_then(|value| to_json(&value.unmark_deep().0));
        if let (Some(value), Some(place)) = (value, at_mut(&mut object.attributes, &path)) {
            *place = value;
        }
    }
}
