//! Plans, events and states as text for golden files.

use std::fmt::Write;

use pipectl_core::{Diagnostics, Severity, Value};
use pipectl_engine::{Action, ApplyEnd, CheckStatus, Event, OutputAction, Plan};
use pipectl_sim::World;
use pipectl_state::State;

fn sign(action: Action) -> &'static str {
    match action {
        Action::NoOp => "  ",
        Action::Create => "+ ",
        Action::Update => "~ ",
        Action::Replace { create_before_destroy: false } => "-+",
        Action::Replace { create_before_destroy: true } => "+-",
        Action::Delete => "- ",
        Action::Forget => ". ",
        Action::Run => "> ",
        Action::RunIfChanged => ">?",
        Action::Read => "<=",
    }
}

/// One line for each change, with reasons and changed attributes.
pub(crate) fn plan(plan: &Plan) -> String {
    let mut text = String::new();
    for drift in &plan.drift {
        writeln!(text, "drift {}: {}", drift.address, drift.notes.join("; ")).unwrap();
    }
    for change in &plan.changes {
        let deposed = change.deposed.as_deref().map(|key| format!(" (deposed {key})")).unwrap_or_default();
        let previous = change.previous.as_ref().map(|from| format!(" (moved from {from})")).unwrap_or_default();
        let imported = change.importing.as_ref().map(|id| format!(" (imported from {id:?})")).unwrap_or_default();
        let deposed = format!("{deposed}{previous}{imported}");
        let reasons: Vec<&str> = change.reasons.iter().map(|reason| reason.text.as_str()).collect();
        writeln!(text, "{} {}{deposed}  # {}", sign(change.action), change.address, reasons.join("; ")).unwrap();
        for name in changed(change.before.as_ref(), change.after.as_ref()) {
            let side = |value: Option<&Value>| {
                value.and_then(|value| value.attribute(&name)).map_or("-".to_owned(), ToString::to_string)
            };
            writeln!(text, "     {name}: {} => {}", side(change.before.as_ref()), side(change.after.as_ref())).unwrap();
        }
    }
    for deferred in &plan.deferred {
        let reasons: Vec<&str> = deferred.reasons.iter().map(|reason| reason.text.as_str()).collect();
        let (address, why) = (&deferred.address, deferred.why.name());
        writeln!(text, "?{} {address} ({why})  # {}", sign(deferred.action).trim(), reasons.join("; ")).unwrap();
        for name in changed(deferred.before.as_ref(), deferred.after.as_ref()) {
            let side = |value: Option<&Value>| {
                value.and_then(|value| value.attribute(&name)).map_or("-".to_owned(), ToString::to_string)
            };
            writeln!(text, "     {name}: {} => {}", side(deferred.before.as_ref()), side(deferred.after.as_ref()))
                .unwrap();
        }
    }
    for output in &plan.outputs {
        let side = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), ToString::to_string);
        if output.action != OutputAction::NoOp {
            writeln!(text, "output {}: {} => {}", output.name, side(&output.before), side(&output.after)).unwrap();
        }
    }
    for check in plan.checks.iter().filter(|check| check.status != CheckStatus::Pass) {
        let message = check.message.as_deref().unwrap_or_default();
        writeln!(text, "{}: {:?} {message}", check.subject.in_module(&check.module), check.status).unwrap();
    }
    let summary = plan.summary();
    let counts = [("add", summary.add), ("change", summary.change), ("destroy", summary.destroy), ("run", summary.run)];
    let rare = [("import", summary.import), ("forget", summary.forget), ("decide later", summary.deferred)]
        .into_iter()
        .filter(|(_, count)| *count > 0);
    let counts: Vec<String> =
        counts.into_iter().chain(rare).map(|(name, count)| format!("{count} to {name}")).collect();
    writeln!(text, "plan: {}{}", counts.join(", "), if plan.has_changes() { "" } else { " (no changes)" }).unwrap();
    text
}

fn changed(before: Option<&Value>, after: Option<&Value>) -> Vec<String> {
    let null = Value::null();
    let get =
        |value: Option<&Value>, name: &str| value.and_then(|value| value.attribute(name)).unwrap_or(&null).clone();
    let names = [before, after]
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .flat_map(|attributes| attributes.keys().cloned());
    let names: std::collections::BTreeSet<String> = names.collect();
    let differs = |name: &String| {
        let (a, b) = (get(before, name), get(after, name));
        !(a.is_null() && b.is_null()) && a != b
    };
    names.into_iter().filter(differs).collect()
}

/// What was done, sorted: tasks that run at the same time may end in any order.
pub(crate) fn events(events: &[Event]) -> String {
    let mut lines: Vec<String> = events
        .iter()
        .filter_map(|event| match event {
            Event::ApplyComplete { address, action, end, .. } => {
                let end = match end {
                    ApplyEnd::Done => "done",
                    ApplyEnd::Unchanged => "unchanged",
                    ApplyEnd::Failed => "failed",
                    ApplyEnd::Blocked => "blocked",
                    ApplyEnd::NotStarted => "not started",
                };
                Some(format!("{} {address}: {end}\n", action.name()))
            }
            Event::ApplyRetry { address, attempt, attempts, .. } => {
                Some(format!("retry {address}: {attempt} of {attempts}\n"))
            }
            _ => None,
        })
        .collect();
    lines.sort();
    lines.concat()
}

/// Objects, outputs and intents of a state.
pub(crate) fn state(state: &State) -> String {
    let mut text = String::new();
    for (address, deposed, object) in state.objects() {
        let deposed = deposed.map(|key| format!(" (deposed {key})")).unwrap_or_default();
        let tainted = if object.tainted { " tainted" } else { "" };
        let needs: Vec<String> = object.dependencies.iter().map(ToString::to_string).collect();
        let needs = if needs.is_empty() { String::new() } else { format!(" needs {}", needs.join(", ")) };
        let provider = object.provider.as_ref().map(|provider| format!(" by {provider}")).unwrap_or_default();
        writeln!(text, "{address}{deposed}{tainted}{needs}{provider}").unwrap();
    }
    for (name, output) in &state.outputs {
        let value = if output.sensitive { "(sensitive value)".to_owned() } else { output.value.to_string() };
        writeln!(text, "output {name} = {value}").unwrap();
    }
    for (address, intent) in &state.intents {
        writeln!(text, "intent {:?} {address}", intent.operation).unwrap();
    }
    text
}

/// What exists in the simulated cloud.
pub(crate) fn world(world: &World) -> String {
    let place = |place: &str| if place == "home" { String::new() } else { format!(" in {place}") };
    world.objects().iter().map(|object| format!("{}{}\n", object.id, place(&object.place))).collect()
}

pub(crate) fn diagnostics(diagnostics: &Diagnostics) -> String {
    let mut lines: Vec<String> = diagnostics
        .iter()
        .map(|found| {
            let severity = if found.severity == Severity::Error { "error" } else { "warning" };
            let address = found.address.as_deref().map(|address| format!(" [{address}]")).unwrap_or_default();
            format!("{severity}{address} {}: {}\n", found.summary, found.detail)
        })
        .collect();
    lines.sort();
    lines.concat()
}
