//! What comes before the walk: the state must be the one that the plan was made for, and takes in what the plan has seen.

use std::sync::Arc;

use pipectl_core::{Diagnostic, Diagnostics};
use pipectl_state::{Change, State, StateWriter};

use crate::ephemeral::OpenValues;
use crate::graph::Graph;
use crate::providers::before::Ground;
use crate::providers::{Before, Pool};
use crate::secrets::Secrets;
use crate::{Action, Engine, Plan, Planned, ResourceChange, StateIdentity};

/// An error when the plan is not for this state.
pub(super) fn stale(engine: &Engine, plan: &Plan, state: &State) -> Option<Diagnostic> {
    if plan.workspace != engine.workspace {
        let (of, here) = (&plan.workspace, &engine.workspace);
        let detail = format!("The plan was made in workspace \"{of}\", and this is \"{here}\".");
        return Some(Diagnostic::error("Plan of another workspace", detail));
    }
    let is = StateIdentity::of(state);
    if plan.base == is {
        return None;
    }
    let detail = match (&plan.base, &is) {
        (Some(base), Some(is)) if base.lineage == is.lineage => format!(
            "The state has changed since the plan was made: it was at serial {}, and is at {}. Nothing was done.",
            base.serial, is.serial
        ),
        (None, Some(_)) => {
            "The plan was made before anything existed, and now there is a state. Nothing was done.".to_owned()
        }
        (Some(_), None) => "The plan was made for a state that is not there any more. Nothing was done.".to_owned(),
        _ => "The plan was made for another state. Nothing was done.".to_owned(),
    };
    Some(Diagnostic::error("Saved plan is stale", detail).hint(engine.folders.command("plan", "")))
}

/// Begins the state where there is none, and commits what was moved, what refresh saw and what was imported.
pub(super) fn prepare_state(engine: &Engine, plan: &Plan, writer: &mut dyn StateWriter) -> Result<(), Diagnostics> {
    let failed = |error: pipectl_state::StateError| Diagnostics::from(error.diagnostic());
    if writer.state().lineage.is_empty() {
        let lineage = plan.seed.draw("lineage");
        writer.begin(&lineage, &engine.folders.root_name).map_err(failed)?;
    }
    let secrets = Secrets::of(Some(writer.state()), plan.seed);
    let mut changes = plan.preparation(writer.state());
    let keeps = |change: &Change| matches!(change, Change::SetObject { object, .. } if !object.secrets.is_empty());
    if !plan.secrets.is_empty() || changes.iter().any(keeps) {
        changes.extend(secrets.key_for(writer.state()));
    }
    if changes.is_empty() { Ok(()) } else { writer.commit(changes).map_err(failed) }
}

/// The provider configurations that follow from the state, evaluated where something is removed with them.
pub(super) async fn former_providers(
    engine: &Engine,
    planned: &Planned,
    graph: &Graph,
    state: &State,
    (pool, open): (&Arc<Pool>, &OpenValues),
) -> Before {
    let plan = &planned.plan;
    let is_removed = |change: &ResourceChange| matches!(change.action, Action::Delete | Action::Replace { .. });
    let is_needed = plan.changes.iter().any(is_removed) || !plan.deferred.is_empty();
    if !graph.has_providers() || !is_needed {
        return Before::new(engine, graph, pool, state);
    }
    let ground = Ground { configuration: &planned.configuration, graph, variables: &plan.variables };
    Before::of(engine, ground, state, pool, open).await
}
