//! Removing one object.

use std::sync::Arc;

use pipectl_core::{Diagnostic, Diagnostics};
use pipectl_provider::planning::without_write_only;
use pipectl_provider::{Instance, Resource};
use pipectl_state::{Change, ObjectState};

use super::call::{self, Called};
use super::object::{deposed_key, key_for, not_recorded, record};
use super::{Run, not_configured};
use crate::instance::{Keeping, instance_of, object_of};
use crate::planner::with_marks_of;
use crate::providers::Bound;
use crate::secrets::for_provider;
use crate::{Action, ApplyEnd, ResourceChange};

/// Applies the removing part of a change. Whether it worked.
pub(super) async fn remove(run: &Arc<Run>, index: usize) -> bool {
    let change = &run.plan().changes[index];
    if change.action == Action::Forget {
        return forget(run, change);
    }
    let watch = run.begin(&change.address, Action::Delete, object(run, change).map(|(object, _)| object));
    let problems = try_remove(run, change).await;
    let worked = !problems.has_errors();
    let end = if worked { ApplyEnd::Done } else { ApplyEnd::Failed };
    run.end(&change.address, Action::Delete, end, Some(watch), None);
    run.report(problems);
    worked
}

/// Takes an object out of the state and does nothing with it.
fn forget(run: &Run, change: &ResourceChange) -> bool {
    let address = change.address.clone();
    let watch = run.begin(&address, Action::Forget, object(run, change).map(|(object, _)| object));
    run.committer.commit_soon(vec![match change.deposed.clone() {
        None => Change::RemoveObject { address: address.clone() },
        Some(key) => Change::RemoveDeposed { address: address.clone(), key },
    }]);
    run.end(&address, Action::Forget, ApplyEnd::Done, Some(watch), None);
    true
}

/// The object to remove, and what it is called when it has made room for its replacement.
fn object<'a>(run: &'a Run, change: &ResourceChange) -> Option<(&'a ObjectState, Option<String>)> {
    let resource = run.before.resources.get(&change.address)?;
    match (&change.deposed, change.action) {
        (Some(key), _) => Some((resource.deposed.get(key)?, Some(key.clone()))),
        (None, Action::Replace { create_before_destroy: true }) => {
            Some((resource.current.as_ref()?, Some(deposed_key(change))))
        }
        (None, _) => Some((resource.current.as_ref()?, None)),
    }
}

async fn try_remove(run: &Arc<Run>, change: &ResourceChange) -> Diagnostics {
    let address = &change.address;
    let Some((object, deposed)) = object(run, change) else {
        return Diagnostic::error(
            "Object not in the state",
            format!("The plan removes {address}, and the state does not have it."),
        )
        .about(address)
        .into();
    };
    // It is removed with the configuration that it was made with: what that is made from is still there.
    let kind = match run.providers_before.resource(run.ground(), address, object.provider.as_ref()).await {
        Ok(Bound::Ready(kind)) => kind,
        Ok(Bound::NotYet(why)) => return not_configured(run, address, &why),
        Err(problems) => return problems,
    };
    remove_object(run, change, (object, deposed), &kind).await
}

/// Removes an object of the state by its kind.
pub(super) async fn remove_object(
    run: &Arc<Run>,
    change: &ResourceChange,
    (object, deposed): (&ObjectState, Option<String>),
    kind: &Arc<dyn Resource>,
) -> Diagnostics {
    let address = &change.address;
    let prior = match instance_of(address, object, kind.as_ref()) {
        Ok(prior) => for_provider(&prior),
        Err(problems) => return problems,
    };
    let limits = run.limits(address);
    let Called { outcome, is_settled, had_intent } = call::remove(run, change, &limits, kind, &prior).await;
    let mut problems = outcome.diagnostics;
    let address = address.clone();
    let mut changes = Vec::new();
    if !problems.has_errors() {
        changes.push(match deposed {
            None => Change::RemoveObject { address: address.clone() },
            Some(key) => Change::RemoveDeposed { address: address.clone(), key },
        });
    } else if let Some(instance) = outcome.instance {
        // A removal that failed half way may have changed the object.
        let left = without_write_only(kind.schema(), instance.attributes);
        let left = run.engine.mark(kind.schema(), with_marks_of(&prior.attributes, left));
        let instance = Instance { attributes: left, ..instance };
        let keeping = Keeping {
            dependencies: object.dependencies.clone(),
            tainted: object.tainted,
            create_before_destroy: object.create_before_destroy,
            provider: object.provider.clone(),
            secrets: run.secrets.of_observed(&address, &object.secrets, &instance.attributes),
        };
        let now = object_of(kind.schema(), &instance, keeping).filter(|now| now != object);
        changes.extend(now.as_ref().and_then(|now| key_for(run, &now.secrets)));
        changes.extend(now.map(|object| match deposed {
            None => Change::SetObject { address: address.clone(), object },
            Some(key) => Change::SetDeposed { address: address.clone(), key, object },
        }));
    }
    let call = (had_intent && is_settled).then_some(change.token.as_str());
    if !record(run, &address, call, changes, !kind.has_remote_effect()).await {
        problems.push(not_recorded(&address));
    }
    problems
}
