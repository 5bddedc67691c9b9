//! A linter for plans: what must hold of every plan, whatever the configuration. Tests run it after each plan.

use std::collections::BTreeSet;

use pipectl_core::Value;
use pipectl_state::State;

use crate::graph::Graph;
use crate::moves::moved_state;
use crate::planner::pruned_graph;
use crate::secrets::withheld;
use crate::{Action, Engine, Mode, OutputAction, Planned, ResourceChange, order};

/// Everything that is wrong with a plan, in words. An empty list is the only good answer; anything else is a mistake in the engine.
///
/// `state` is the state that the plan was made for.
pub fn lint(engine: &Engine, planned: &Planned, state: Option<&State>) -> Vec<String> {
    let plan = &planned.plan;
    let mut problems: Vec<String> = plan.changes.iter().flat_map(lint_change).collect();
    let mut seen = BTreeSet::new();
    let mut tokens = BTreeSet::new();
    for change in &plan.changes {
        if !seen.insert((&change.address, &change.deposed)) {
            problems.push(format!("{}: it is planned twice", change.address));
        }
        if !change.token.is_empty() && !tokens.insert(&change.token) {
            problems.push(format!("{}: its token is used twice", change.address));
        }
        let allowed = match plan.mode {
            Mode::Normal => true,
            Mode::Destroy => matches!(change.action, Action::Delete | Action::Forget),
            Mode::RefreshOnly => change.action.is_no_op(),
        };
        if !allowed {
            problems.push(format!("{}: {} does not belong in such a plan", change.address, change.action.name()));
        }
    }
    for deferred in &plan.deferred {
        let is_kept = |change: &&ResourceChange| change.deposed.is_none() && change.action != Action::Delete;
        if plan.changes.iter().filter(is_kept).any(|change| deferred.address.fits(&change.address)) {
            problems.push(format!("{}: it is planned, and deferred", deferred.address));
        }
        if deferred.reasons.iter().all(|reason| reason.text.trim().is_empty()) {
            problems.push(format!("{}: it is deferred without a reason", deferred.address));
        }
        if !matches!(deferred.action, Action::Create | Action::Update | Action::Read | Action::Run) {
            problems.push(format!("{}: {} cannot be deferred", deferred.address, deferred.action.name()));
        }
        if plan.mode != Mode::Normal {
            problems.push(format!("{}: nothing is deferred in such a plan", deferred.address));
        }
    }
    for output in &plan.outputs {
        // What is null is not stored: to the state it is the same as nothing.
        let stored = |value: &Option<Value>| value.clone().filter(|value| !value.is_null());
        let is_same = stored(&output.before) == stored(&output.after);
        match output.action {
            OutputAction::NoOp if !is_same => problems.push(format!("output {}: no-op, but it changes", output.name)),
            OutputAction::Delete if output.after.is_some() => {
                problems.push(format!("output {}: deleted, but it has a value", output.name))
            }
            OutputAction::Create if output.before.is_some() => {
                problems.push(format!("output {}: created, but it was there", output.name))
            }
            _ => {}
        }
    }
    let graph = pruned_graph(engine, &planned.configuration, &plan.variables);
    let empty = State::default();
    let state = moved_state(state.unwrap_or(&empty), &plan.moved);
    if let Err(found) = order::steps(plan, (&planned.configuration, &graph), |_| true, &state) {
        problems.extend(found.iter().map(|problem| problem.detail.clone()));
    }
    problems.extend(lint_graph(&graph));
    problems
}

fn lint_graph(graph: &Graph) -> Option<String> {
    (graph.order().len() != graph.len()).then(|| "the graph has a circle".to_owned())
}

fn lint_change(change: &ResourceChange) -> Vec<String> {
    let mut problems = Vec::new();
    let mut require = |holds: bool, what: &str| {
        if !holds {
            let deposed = change.deposed.as_deref().map(|key| format!(" (deposed {key})")).unwrap_or_default();
            problems.push(format!("{}{deposed}, {}: {what}", change.address, change.action.name()));
        }
    };
    let (before, after) = (change.before.as_ref(), change.after.as_ref());
    // What is not stored is unknown until it is read again.
    let is_known = |value: &pipectl_core::Value| withheld(value).is_wholly_known();
    require(before.is_none_or(is_known), "something that exists is unknown");
    require(change.reasons.iter().all(|reason| !reason.text.trim().is_empty()), "a reason is empty");
    require(
        change.deposed.is_none() || matches!(change.action, Action::Delete | Action::Forget),
        "an object left over can only be removed",
    );
    match change.action {
        Action::NoOp => {
            require(change.reasons.is_empty(), "there is nothing to do, and a reason to do it");
            require(after.is_some_and(is_known), "nothing is to be done, and something is unknown");
        }
        Action::Create | Action::Read => {
            require(before.is_none(), "it exists already");
            require(after.is_some(), "there is nothing to make");
        }
        Action::Update | Action::Replace { .. } => {
            require(before.is_some(), "there is nothing to change");
            require(after.is_some(), "nothing will be there");
        }
        Action::Run | Action::RunIfChanged => require(after.is_some(), "nothing will be there"),
        Action::Delete | Action::Forget => {
            require(before.is_some(), "there is nothing to remove");
            require(after.is_none(), "something will be there");
        }
    }
    if !change.action.is_no_op() {
        require(!change.reasons.is_empty(), "it has no reason");
    }
    if change.action == Action::RunIfChanged || change.action == Action::Read {
        require(!change.decided, "it waits for nothing");
    }
    problems
}
