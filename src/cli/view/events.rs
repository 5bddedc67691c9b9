//! One JSON event per line: Terraform's machine-readable UI, with our stages added.
//!
//! `@level @message @module @timestamp type` are on every line. Where Terraform has an event, ours has its fields; fields of our own
//! (`run` in a summary, `progress`, `position`, `reasons`) come on top, so that a reader made for Terraform still works.

use std::collections::BTreeMap;
use std::time::SystemTime;

use pipectl_core::{Address, Diagnostic, InstanceKey, Severity, SourceMap};
use pipectl_engine::{
    Action, ApplyEnd, Drift, EphemeralOperation, Event, Moved, OutputAction, OutputView, Plan, ResourceChange, Summary,
};
use pipectl_provider::Reason;
use serde_json::{Value as Json, json};

use super::action_reason::action_reason;
use super::document::{TERRAFORM_VERSION, provider_key};
use super::{diagnostic, exact, figures, plan as plan_view};
use crate::clock::{elapsed, rfc3339};

/// Version of the events: Terraform's `ui` version whose events these extend.
pub const UI_VERSION: &str = "1.2";

/// An event before it has a time.
pub struct Line {
    level: &'static str,
    message: String,
    kind: &'static str,
    fields: Json,
}

impl Line {
    /// A line that tells how things go.
    pub fn info(kind: &'static str, message: impl Into<String>, fields: Json) -> Self {
        Self { level: "info", message: message.into(), kind, fields }
    }

    /// What it says in words.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The line with one more field.
    #[must_use]
    pub fn with(mut self, name: &str, value: Json) -> Self {
        self.fields[name] = value;
        self
    }

    /// The line as text, without its end. `pipeline` is given where one command works on several.
    pub fn at(&self, now: SystemTime, pipeline: Option<&str>) -> String {
        let mut json = json!({
            "@level": self.level,
            "@message": self.message,
            "@module": "pipectl.ui",
            "@timestamp": rfc3339(now),
            "type": self.kind,
        });
        if let Some(members) = self.fields.as_object() {
            for (name, value) in members {
                json[name] = value.clone();
            }
        }
        if let Some(pipeline) = pipeline {
            json["pipeline"] = json!(pipeline);
        }
        exact::text(&json)
    }
}

/// The first line.
pub fn version() -> Line {
    let version = env!("CARGO_PKG_VERSION");
    let fields = json!({ "pipectl": version, "terraform": TERRAFORM_VERSION, "ui": UI_VERSION });
    Line::info("version", format!("pipectl {version}"), fields)
}

/// A line that only says something.
pub fn log(message: &str) -> Line {
    Line::info("log", message, json!({}))
}

/// Something was found.
pub fn diagnostic(found: &Diagnostic, sources: &SourceMap) -> Line {
    let (level, word) = match found.severity {
        Severity::Warning => ("warn", "Warning"),
        Severity::Error => ("error", "Error"),
    };
    Line {
        level,
        message: format!("{word}: {}", found.summary),
        kind: "diagnostic",
        fields: json!({ "diagnostic": diagnostic::to_json(found, sources) }),
    }
}

/// Everything a plan says: drift, changes, outputs, and the summary.
pub fn plan(plan: &Plan) -> Vec<Line> {
    let mut lines = drifts(plan);
    lines.extend(planned_changes(plan, |_| true));
    let summary = plan.summary();
    let message = format!("Plan: {}", plan_view::to_do(&summary));
    lines.push(Line::info("change_summary", message, changes(&summary, "plan")));
    let outputs: serde_json::Map<String, Json> = plan
        .outputs
        .iter()
        .map(|output| {
            let action = match output.action {
                OutputAction::NoOp => "noop",
                OutputAction::Create => "create",
                OutputAction::Update => "update",
                OutputAction::Delete => "delete",
            };
            (output.name.clone(), json!({ "sensitive": output.sensitive, "action": action }))
        })
        .collect();
    if !outputs.is_empty() {
        lines.push(Line::info("outputs", format!("Outputs: {}", outputs.len()), json!({ "outputs": outputs })));
    }
    lines
}

/// What a saved plan does with objects. As in Terraform's, nothing is said again of what is only moved or imported.
pub fn saved_plan(plan: &Plan) -> Vec<Line> {
    planned_changes(plan, |change| !change.action.is_no_op())
}

fn planned_changes(plan: &Plan, is_meant: impl Fn(&ResourceChange) -> bool) -> Vec<Line> {
    let mut lines = Vec::new();
    let is_told = |change: &&ResourceChange| {
        is_meant(change) && (!change.action.is_no_op() || change.previous.is_some() || change.importing.is_some())
    };
    for change in plan.changes.iter().filter(is_told) {
        let reasons: Vec<&str> = change.reasons.iter().map(|reason: &Reason| reason.text.as_str()).collect();
        let mut fields = json!({
            "change": { "resource": resource(&change.address), "action": change.action.name(), "reasons": reasons },
        });
        if let Some(reason) = action_reason(change) {
            fields["change"]["reason"] = json!(reason.in_event());
        }
        if let Some(key) = &change.deposed {
            fields["change"]["deposed"] = json!(key);
        }
        if let Some(previous) = &change.previous {
            fields["change"]["previous_resource"] = resource(previous);
        }
        if let Some(id) = &change.importing {
            fields["change"]["importing"] = json!({ "id": id });
        }
        // As Terraform's: what is only moved or imported is told as that, and what is forgotten as removed.
        let word = match (change.action, &change.importing, &change.previous) {
            (Action::NoOp, Some(_), _) => "import",
            (Action::NoOp, None, Some(_)) => "move",
            (Action::Forget, _, _) => "remove",
            (action, _, _) => action.name(),
        };
        fields["change"]["action"] = json!(word);
        let message = format!("{}: Plan to {word}", change.address);
        lines.push(Line::info("planned_change", message, fields));
    }
    for deferred in &plan.deferred {
        let address = deferred.address.to_string();
        let reasons: Vec<&str> = deferred.reasons.iter().map(|reason: &Reason| reason.text.as_str()).collect();
        let mut own = resource(deferred.address.address());
        own["addr"] = json!(address);
        let fields = json!({
            "change": { "resource": own, "action": deferred.action.name(), "reason": deferred.why.name(), "reasons": reasons },
        });
        lines.push(Line::info("deferred_change", format!("{address}: Deferred, to be decided during apply"), fields));
    }
    lines
}

/// What refresh saw; and what has only moved, where nothing else tells of that.
fn drifts(plan: &Plan) -> Vec<Line> {
    let gone = plan.gone();
    let seen = plan.drift.iter().map(|drift| {
        let Drift { address, notes } = drift;
        let action = if gone.contains(address) { "delete" } else { "update" };
        let mut fields = json!({ "change": { "resource": resource(address), "action": action, "notes": notes } });
        if let Some(previous) = plan.previous_address(address) {
            fields["change"]["previous_resource"] = resource(previous);
        }
        Line::info("resource_drift", format!("{address}: {}", notes.join("; ")), fields)
    });
    let moved = plan.only_moved().map(|Moved { from, to }| {
        let change = json!({ "resource": resource(to), "previous_resource": resource(from), "action": "move" });
        Line::info("resource_drift", format!("{to}: Drift detected (move)"), json!({ "change": change }))
    });
    seen.chain(moved).collect()
}

/// The summary after an apply or destroy.
pub fn summary(summary: &Summary, destroy: bool) -> Line {
    let (operation, message) = match destroy {
        true => ("destroy", format!("Destroy complete! Resources: {} destroyed.", summary.destroy)),
        false => ("apply", format!("Apply complete! {}", plan_view::done(summary))),
    };
    Line::info("change_summary", message, changes(summary, operation))
}

fn changes(summary: &Summary, operation: &str) -> Json {
    json!({
        "changes": {
            "add": summary.add,
            "change": summary.change,
            "import": summary.import,
            "remove": summary.destroy,
            "run": summary.run,
            "run_if_changed": summary.run_if_changed,
            "operation": operation,
        },
    })
}

/// The outputs after an apply.
pub fn outputs(outputs: &BTreeMap<String, OutputView>) -> Line {
    Line::info("outputs", format!("Outputs: {}", outputs.len()), json!({ "outputs": outputs }))
}

/// What the engine tells while it works; `None` for what a plan or a result tells again as a whole.
pub fn of_engine(event: &Event) -> Option<Line> {
    Some(match event {
        Event::ResourceDrift { .. }
        | Event::PlannedChange { .. }
        | Event::DeferredChange { .. }
        | Event::ChangeSummary(_)
        | Event::Diagnostic(_)
        | Event::Outputs { .. } => return None,
        Event::RefreshStart { address, id } => Line::info(
            "refresh_start",
            format!("{address}: Refreshing state..."),
            hook(json!({}), address, id.as_deref()),
        ),
        Event::RefreshComplete { address, id } => Line::info(
            "refresh_complete",
            format!("{address}: Refresh complete"),
            hook(json!({}), address, id.as_deref()),
        ),
        Event::ApplyStart { address, action, position, total, id } => {
            let fields = json!({ "action": action.name(), "position": position, "total": total });
            let message = format!("{address}: {}... [{position}/{total}]", doing(*action));
            Line::info("apply_start", message, hook(fields, address, id.as_deref()))
        }
        Event::ApplyProgress { address, progress } => {
            let message = match progress {
                pipectl_provider::Event::Progress(progress) => {
                    format!("{} {}", progress.phase, figures::metrics(&progress.metrics)).trim_end().to_owned()
                }
                pipectl_provider::Event::Message { text } | pipectl_provider::Event::Warning { text } => text.clone(),
                pipectl_provider::Event::Restored { .. } => "outputs restored from the action cache".to_owned(),
            };
            let fields = json!({ "hook": { "resource": resource(address), "progress": progress } });
            Line::info("apply_progress", format!("{address}: {message}"), fields)
        }
        Event::Ephemeral { address, operation, done } => {
            let (action, doing, end) = ephemeral_words(*operation);
            let hook = json!({ "hook": { "resource": resource(address), "action": action } });
            match done {
                false => Line::info("ephemeral_op_start", format!("{address}: {doing}..."), hook),
                true => Line::info("ephemeral_op_complete", format!("{address}: {end}"), hook),
            }
        }
        Event::ApplyRetry { address, attempt, attempts, wait_seconds } => Line {
            level: "warn",
            message: format!(
                "{address}: Attempt {attempt} of {attempts} failed, the next begins in {wait_seconds:.0} s"
            ),
            kind: "apply_retry",
            fields: json!({ "hook": {
                "resource": resource(address), "attempt": attempt, "attempts": attempts, "wait_seconds": wait_seconds,
            } }),
        },
        Event::ApplyComplete { address, action, end, done, total, seconds, id } => {
            let fields = json!({
                "action": action.name(), "elapsed_seconds": seconds, "done": done, "total": total, "end": end,
            });
            let fields = hook(fields, address, id.as_deref());
            let after = elapsed(std::time::Duration::from_secs_f64(seconds.max(0.0)));
            let (level, kind, message) = match end {
                ApplyEnd::Done => ("info", "apply_complete", format!("{} complete after {after}", noun(*action))),
                ApplyEnd::Unchanged => ("info", "apply_complete", "Nothing to do: its inputs are the same".to_owned()),
                ApplyEnd::Failed => ("error", "apply_errored", format!("{} errored after {after}", noun(*action))),
                ApplyEnd::Blocked => ("error", "apply_errored", "Not begun: something it needs failed".to_owned()),
                ApplyEnd::NotStarted => ("warn", "apply_errored", "Not begun: the run was stopped".to_owned()),
            };
            Line { level, message: format!("{address}: {message}"), kind, fields }
        }
    })
}

/// What an event about an object says, with the object and the id that people know it by.
fn hook(mut fields: Json, address: &Address, id: Option<&str>) -> Json {
    fields["resource"] = resource(address);
    if let Some(id) = id {
        fields["id_key"] = json!("id");
        fields["id_value"] = json!(id);
    }
    json!({ "hook": fields })
}

/// What is done with an ephemeral value: as Terraform's JSON says it, while it goes on, and when it is over.
pub fn ephemeral_words(operation: EphemeralOperation) -> (&'static str, &'static str, &'static str) {
    match operation {
        EphemeralOperation::Open => ("open", "Opening", "Opening complete"),
        EphemeralOperation::Renew => ("renew", "Renewing", "Renewal complete"),
        EphemeralOperation::Close => ("close", "Closing", "Closing complete"),
    }
}

/// "Creating", as in "Creating...".
pub fn doing(action: Action) -> &'static str {
    match action {
        Action::NoOp => "Checking",
        Action::Create => "Creating",
        Action::Update => "Modifying",
        Action::Replace { .. } => "Replacing",
        Action::Delete => "Destroying",
        Action::Forget => "Forgetting",
        Action::Run | Action::RunIfChanged => "Running",
        Action::Read => "Reading",
    }
}

/// "Creation", as in "Creation complete".
pub fn noun(action: Action) -> &'static str {
    match action {
        Action::NoOp => "Check",
        Action::Create => "Creation",
        Action::Update => "Modifications",
        Action::Replace { .. } => "Replacement",
        Action::Delete => "Destruction",
        Action::Forget => "Forgetting",
        Action::Run | Action::RunIfChanged => "Run",
        Action::Read => "Read",
    }
}

/// An object as Terraform's events name it.
pub fn resource(address: &Address) -> Json {
    let key = match &address.key {
        None => Json::Null,
        Some(InstanceKey::Index(index)) => json!(index),
        Some(InstanceKey::Name(name)) => json!(name),
    };
    json!({
        "addr": address.to_string(),
        "module": address.module.to_string(),
        "resource": address.inside_module().to_string(),
        "implied_provider": provider_key(address),
        "resource_type": address.type_name,
        "resource_name": address.name,
        "resource_key": key,
    })
}
