//! `apply`: plans, asks, and does it; or does what a saved plan says.

use std::path::Path;

use pipectl_core::{Diagnostic, DiagnosticKind, Diagnostics, SourceMap};
use pipectl_engine::Mode;

use crate::app::App;
use crate::arguments::{ApplyArguments, OperationArguments};
use crate::exit::Exit;
use crate::operation::{self, Purpose, Ready, Verb};
use crate::reporter::Reporter;
use crate::roots::Root;
use crate::{environment, saved_plan, variables};

/// Runs the command.
pub async fn run(app: &App, arguments: ApplyArguments) -> Exit {
    let ApplyArguments { path, operation, auto_approve, mode } = arguments;
    if let Some(path) = &path
        && let Some(bytes) = saved_plan::read(&app.here.join(path))
    {
        return run_saved(app, path, &bytes, &operation, mode.mode()).await;
    }
    run_roots(app, path.as_deref(), &operation, (mode.mode(), Verb::Apply), auto_approve).await
}

/// Plans and applies the roots that a path means, one after the other.
pub async fn run_roots(
    app: &App,
    path: Option<&Path>,
    operation: &OperationArguments,
    (mode, verb): (Mode, Verb),
    auto_approve: bool,
) -> Exit {
    let mut reporter =
        Reporter::new(app.console.clone(), app.environment.clone(), operation.json, operation.compact_warnings);
    mention_lock(&reporter, operation);
    let roots = match app.roots(path, operation::without_files(mode)) {
        Ok(roots) => roots,
        Err(exit) => return exit,
    };
    let several = roots.len() > 1;
    let mut exit = Exit::Success;
    for root in roots {
        if several {
            reporter.begin_pipeline(&root.shown);
        }
        exit = exit.and(one(app, &reporter, root, operation, (mode, verb), auto_approve).await);
        if exit == Exit::Interrupted {
            break;
        }
    }
    exit
}

async fn one(
    app: &App,
    reporter: &Reporter,
    root: Root,
    operation: &OperationArguments,
    (mode, verb): (Mode, Verb),
    auto_approve: bool,
) -> Exit {
    let ready = match operation::plan(app, reporter, root, operation, mode, Purpose::Apply).await {
        Ok(ready) => ready,
        Err(exit) => return exit,
    };
    reporter.plan(&app.registry, &ready.planned.plan);
    let mut told = ready.planned.diagnostics.clone();
    if auto_approve {
        // Nobody decides by what the plan does not know yet, and the apply is about to tell.
        told = told.without(DiagnosticKind::UnknownCheck);
    }
    reporter.diagnostics(&told, &ready.sources);
    // Taking what was found into the state is all that a refresh does.
    let takes_in = mode == Mode::RefreshOnly && !ready.planned.plan.observed.is_empty();
    if ready.planned.plan.has_changes() || takes_in {
        match operation::approved(app, reporter, mode, auto_approve, operation.input).await {
            Ok(true) => reporter.say(""),
            Ok(false) => {
                reporter.say(if mode == Mode::Destroy { "Destroy cancelled." } else { "Apply cancelled." });
                return Exit::Failure;
            }
            Err(exit) => return exit,
        }
    }
    operation::apply(app, reporter, ready, operation, verb).await
}

async fn run_saved(app: &App, path: &Path, bytes: &[u8], operation: &OperationArguments, mode: Mode) -> Exit {
    let reporter =
        Reporter::new(app.console.clone(), app.environment.clone(), operation.json, operation.compact_warnings);
    let fail = |problems: &Diagnostics, sources: &SourceMap| {
        reporter.diagnostics(problems, sources);
        Exit::Failure
    };
    mention_lock(&reporter, operation);
    let chooses = !(operation.target.is_empty() && operation.exclude.is_empty() && operation.replace.is_empty());
    if mode != Mode::Normal || chooses {
        let error = Diagnostic::error(
            "Flags of another plan",
            format!(
                "`{}` is a saved plan: what it does was decided when it was made. -destroy, -refresh-only, -target, \
                 -exclude and -replace are for making plans.",
                path.display()
            ),
        );
        return fail(&error.into(), &SourceMap::default());
    }
    // Ephemeral values are not in the plan: their variables are given again.
    let mut sources = SourceMap::default();
    let (folder, settings) = (saved_plan::folder(app, bytes), &operation.variables.settings);
    let collected = variables::collect(&app.here, &folder, environment::variables(), settings, &mut sources);
    let inputs = match collected {
        Ok((inputs, _)) => inputs,
        Err(problems) => return fail(&problems, &sources),
    };
    let planned = match saved_plan::open(app, bytes, &inputs) {
        Ok(mut planned) => {
            planned.plan.allow_deferred_destroy |= operation.allow_deferred_destroy;
            planned
        }
        Err((problems, sources)) => return fail(&problems, &sources),
    };
    let sources = operation::sources_of(&planned);
    let project = match operation::root_of_plan(&app.here, &planned, &app.environment) {
        Ok(project) => project,
        Err((problems, sources)) => return fail(&problems, &sources),
    };
    reporter.saved_plan(&planned.plan);
    reporter.diagnostics(&planned.diagnostics, &sources);
    let ready = Ready { project, planned, sources, writer: None };
    operation::apply(app, &reporter, ready, operation, Verb::Apply).await
}

/// Warns whoever asks for no lock.
fn mention_lock(reporter: &Reporter, operation: &OperationArguments) {
    if !operation.lock {
        reporter.diagnostics(&operation::lock_is_held().into(), &SourceMap::default());
    }
}
