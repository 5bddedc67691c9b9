//! A plan for people, in Terraform's look: what will be done with each object, and why.

use pipectl_core::AddressKind;
use pipectl_engine::{Action, Cause, DeferredChange, Mode, Moved, OutputAction, Plan, ResourceChange, Summary};
use pipectl_provider::Registry;

use super::difference::{self, Difference};
use crate::console::{Color, Paint};

/// The whole plan: drift, actions with their reasons, outputs, and the line that sums it up.
pub fn render(registry: &Registry, plan: &Plan, paint: Paint) -> String {
    let mut sections = Vec::new();
    sections.extend(drift(plan, paint));
    sections.extend(only_moved(plan, paint));
    // Asked once: it looks at every change.
    let has_changes = plan.has_changes();
    // What checks read is no reason to apply a plan.
    let is_left_out = |change: &ResourceChange| !has_changes && matches!(change.cause, Some(Cause::InCheck(_)));
    let is_told = |change: &&ResourceChange| {
        !change.action.is_no_op() && !is_left_out(change) || change.previous.is_some() || change.importing.is_some()
    };
    let changes: Vec<&ResourceChange> = plan.changes.iter().filter(is_told).collect();
    if !changes.is_empty() {
        sections.extend(legend(&changes, paint));
        sections.push("pipectl will perform the following actions:".to_owned());
        sections.extend(changes.into_iter().map(|change| change_text(registry, change, paint)));
    }
    sections.extend(deferred(registry, plan, paint));
    let outputs = outputs(plan, paint);
    if has_changes {
        let only_outputs = plan.summary().is_empty() && plan.moved.is_empty();
        if !only_outputs {
            sections.push(summary_line(plan, paint));
        }
        sections.extend(outputs);
        if only_outputs {
            sections.push("Applying this plan stores these output values and changes no objects.".to_owned());
        }
    } else {
        sections.push(no_changes(plan, paint));
    }
    sections.join("\n\n")
}

/// What is said when there is nothing to do.
fn no_changes(plan: &Plan, paint: Paint) -> String {
    let (headline, detail) = match plan.mode {
        Mode::Destroy => ("No changes.", "No objects need to be destroyed: the state holds none."),
        Mode::RefreshOnly if !(plan.observed.is_empty() && plan.moved.is_empty()) => {
            ("This plan only looks.", "Applying it takes what is said above into the state, and changes no object.")
        }
        Mode::RefreshOnly if !plan.drift.is_empty() => (
            "No changes.",
            "The state has nothing to take in. A plan without -refresh-only says what is to be done about what changed outside.",
        ),
        Mode::RefreshOnly => ("No changes.", "Everything is still as the state says."),
        Mode::Normal if !plan.drift.is_empty() => (
            "No changes.",
            "What changed outside of pipectl asks for nothing to be done. Apply takes it into the state.",
        ),
        Mode::Normal => (
            "No changes. Everything is as the configuration says.",
            "pipectl compared the configuration, its input files and what was made from them, and found nothing to do.",
        ),
    };
    format!("{}\n\n{detail}", paint.on(Color::Bold, headline))
}

fn drift(plan: &Plan, paint: Paint) -> Option<String> {
    if plan.drift.is_empty() {
        return None;
    }
    let mut text = format!("{} Objects have changed outside of pipectl:\n", paint.on(Color::Bold, "Note:"));
    for drift in &plan.drift {
        for note in &drift.notes {
            text.push_str(&format!("\n  {} {}: {note}", paint.on(Color::Yellow, "#"), drift.address));
        }
    }
    Some(text)
}

/// What a refresh alone finds under another address.
fn only_moved(plan: &Plan, paint: Paint) -> Option<String> {
    let line = |moved: &Moved| format!("\n  {} {} has moved to {}", paint.on(Color::Yellow, "#"), moved.from, moved.to);
    let lines: String = plan.only_moved().map(line).collect();
    (!lines.is_empty()).then(|| format!("{} Objects have moved:\n{lines}", paint.on(Color::Bold, "Note:")))
}

fn legend(changes: &[&ResourceChange], paint: Paint) -> Option<String> {
    let kinds = [
        Action::Create,
        Action::Update,
        Action::Delete,
        Action::Forget,
        Action::Replace { create_before_destroy: false },
        Action::Replace { create_before_destroy: true },
        Action::Read,
        Action::Run,
        Action::RunIfChanged,
    ];
    let used = kinds.into_iter().filter(|kind| changes.iter().any(|change| change.action == *kind));
    let lines: String = used.map(|kind| format!("\n{} {}", sign(kind, paint), meaning(kind))).collect();
    (!lines.is_empty()).then(|| format!("Actions are indicated with the following symbols:{lines}"))
}

/// The sign of an action, three columns wide.
pub fn sign(action: Action, paint: Paint) -> String {
    match action {
        Action::NoOp => "   ".to_owned(),
        Action::Create => format!("  {}", paint.on(Color::Green, "+")),
        Action::Update => format!("  {}", paint.on(Color::Yellow, "~")),
        Action::Delete => format!("  {}", paint.on(Color::Red, "-")),
        Action::Forget => format!("  {}", paint.on(Color::Red, ".")),
        Action::Replace { create_before_destroy: false } => {
            format!("{}/{}", paint.on(Color::Red, "-"), paint.on(Color::Green, "+"))
        }
        Action::Replace { create_before_destroy: true } => {
            format!("{}/{}", paint.on(Color::Green, "+"), paint.on(Color::Red, "-"))
        }
        Action::Read => format!(" {}", paint.on(Color::Cyan, "<=")),
        Action::Run => format!("  {}", paint.on(Color::Cyan, ">")),
        Action::RunIfChanged => format!(" {}", paint.on(Color::Cyan, ">?")),
    }
}

fn meaning(action: Action) -> &'static str {
    match action {
        Action::NoOp => "nothing",
        Action::Create => "create",
        Action::Update => "update in-place",
        Action::Delete => "destroy",
        Action::Forget => "forget",
        Action::Replace { create_before_destroy: false } => "destroy and then create replacement",
        Action::Replace { create_before_destroy: true } => "create replacement and then destroy",
        Action::Read => "read (data sources)",
        Action::Run => "run a stage",
        Action::RunIfChanged => "run a stage if its inputs change",
    }
}

fn change_text(registry: &Registry, change: &ResourceChange, paint: Paint) -> String {
    let what = match change.action {
        Action::NoOp if change.importing.is_some() => "will be imported",
        Action::NoOp => "stays as it is",
        Action::Create => "will be created",
        Action::Update => "will be updated in-place",
        Action::Delete => "will be destroyed",
        Action::Forget => "will no longer be managed, and will not be destroyed",
        Action::Replace { .. } => "must be replaced",
        Action::Read => "will be read during apply",
        Action::Run => "will run",
        Action::RunIfChanged => "will run if its inputs change",
    };
    let deposed = change.deposed.as_ref().map(|key| format!(" (deposed object {key})")).unwrap_or_default();
    let (headline, moved) = match &change.previous {
        Some(previous) if change.action.is_no_op() => (format!("# {previous} has moved to {}", change.address), None),
        previous => (format!("# {}{deposed} {what}", change.address), previous.as_ref()),
    };
    let mut text = format!("  {}", paint.on(Color::Bold, &headline));
    if let Some(previous) = moved {
        text.push_str(&format!("\n  # (moved from {previous})"));
    }
    if let Some(id) = &change.importing {
        text.push_str(&format!("\n  # (imported from \"{id}\")"));
    }
    for reason in &change.reasons {
        text.push_str(&format!("\n  # because {}", reason.text));
    }
    let word = change.address.kind.block_type();
    let header = format!("{word} \"{}\" \"{}\"", change.address.type_name, change.address.name);
    let (before, after) = match change.action {
        // What it will be depends on inputs that nobody knows yet: its attributes would only repeat that.
        Action::RunIfChanged => return format!("{text}\n{} {header}", sign(change.action, paint)),
        Action::Create | Action::Read => (None, change.after.as_ref()),
        Action::Delete | Action::Forget => (change.before.as_ref(), None),
        Action::NoOp | Action::Update | Action::Replace { .. } | Action::Run => {
            (change.before.as_ref(), change.after.as_ref())
        }
    };
    let kind = registry.resource(change.address.kind, &change.address.type_name);
    let difference = Difference {
        before,
        after,
        schema: kind.map(|kind| kind.schema()),
        replaced_by: &change.requires_replace,
        // The outputs of a stage say nothing before it has run.
        sums_up_unknown: change.address.kind == AddressKind::Stage,
    };
    let body = difference.body(paint, 6);
    format!("{text}\n{} {header} {{\n{body}    }}", sign(change.action, paint))
}

/// What is decided only while the plan is applied.
fn deferred(registry: &Registry, plan: &Plan, paint: Paint) -> Vec<String> {
    if plan.deferred.is_empty() {
        return Vec::new();
    }
    let allowed = match plan.allow_deferred_destroy {
        true => "Apply may create, update, run and read them, and replace and destroy, too:",
        false => {
            "Apply may create, update, run and read them. What would have to be replaced or destroyed is left for the next plan:"
        }
    };
    let headline = format!("These will be decided during apply, when more is known. {allowed}");
    let each = plan.deferred.iter().map(|deferred| deferred_text(registry, deferred, paint));
    std::iter::once(headline).chain(each).collect()
}

fn deferred_text(registry: &Registry, deferred: &DeferredChange, paint: Paint) -> String {
    let address = deferred.address.address();
    let what = match deferred.action {
        Action::Create => "will be created",
        Action::Read => "will be read",
        Action::Run => "will run",
        _ => "will be kept or updated",
    };
    let headline = format!("# {} is deferred, and probably {what}", deferred.address);
    let mut text = format!("  {}", paint.on(Color::Bold, &headline));
    for reason in &deferred.reasons {
        text.push_str(&format!("\n  # because {}", reason.text));
    }
    let word = address.kind.block_type();
    let header = format!("{word} \"{}\" \"{}\"", address.type_name, address.name);
    let difference = Difference {
        before: deferred.before.as_ref(),
        after: deferred.after.as_ref(),
        schema: registry.schema(address.kind, &address.type_name),
        replaced_by: &[],
        sums_up_unknown: address.kind == AddressKind::Stage,
    };
    let body = difference.body(paint, 6);
    format!("{text}\n  {} {header} {{\n{body}    }}", paint.on(Color::Cyan, "?"))
}

fn outputs(plan: &Plan, paint: Paint) -> Option<String> {
    let changed: Vec<_> = plan.outputs.iter().filter(|output| output.action != OutputAction::NoOp).collect();
    if changed.is_empty() {
        return None;
    }
    let width = changed.iter().map(|output| output.name.chars().count()).max().unwrap_or(0);
    let mut text = "Changes to Outputs:\n".to_owned();
    for output in changed {
        let masked = |value: &pipectl_core::Value| match output.sensitive {
            true => value.clone().marked(pipectl_core::Marks::SENSITIVE),
            false => value.clone(),
        };
        let (before, after) = (output.before.as_ref().map(masked), output.after.as_ref().map(masked));
        let before = before.filter(|_| output.action != OutputAction::Create);
        let after = after.filter(|_| output.action != OutputAction::Delete);
        text.push_str(&difference::entry(paint, &output.name, width, before.as_ref(), after.as_ref(), 2));
    }
    Some(text.trim_end().to_owned())
}

/// `Plan: 1 to add, 0 to change, 0 to destroy, 5 to run.`
pub fn summary_line(plan: &Plan, paint: Paint) -> String {
    let summary = plan.summary();
    format!("{} {}", paint.on(Color::Bold, "Plan:"), to_do(&summary))
}

/// `1 to add, 0 to change, 0 to destroy, 5 to run.`; running is left out where there is no stage.
pub fn to_do(summary: &Summary) -> String {
    let run = match (summary.run, summary.run_if_changed) {
        (0, _) => String::new(),
        (run, 0) => format!(", {run} to run"),
        (run, maybe) if run == maybe => format!(", {run} to run if their inputs change"),
        (run, maybe) => format!(", {run} to run ({maybe} of them if their inputs change)"),
    };
    let import = if summary.import > 0 { format!("{} to import, ", summary.import) } else { String::new() };
    let forget = if summary.forget > 0 { format!(", {} to forget", summary.forget) } else { String::new() };
    let deferred = if summary.deferred > 0 { format!(", {} deferred", summary.deferred) } else { String::new() };
    let Summary { add, change, destroy, .. } = summary;
    format!("{import}{add} to add, {change} to change, {destroy} to destroy{forget}{run}{deferred}.")
}

/// `Resources: 1 added, 0 changed, 0 destroyed; 5 run.`; running is left out where there is no stage.
pub fn done(summary: &Summary) -> String {
    let run = if summary.run > 0 { format!("; {} run", summary.run) } else { String::new() };
    let import = if summary.import > 0 { format!("{} imported, ", summary.import) } else { String::new() };
    let forget = if summary.forget > 0 { format!(", {} forgotten", summary.forget) } else { String::new() };
    let Summary { add, change, destroy, .. } = summary;
    format!("Resources: {import}{add} added, {change} changed, {destroy} destroyed{forget}{run}.")
}
