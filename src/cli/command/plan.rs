//! `plan`: shows what would be done, and why.

use pipectl_core::{Diagnostic, Diagnostics, SourceMap};
use pipectl_engine::Mode;

use crate::app::App;
use crate::arguments::PlanArguments;
use crate::backend_settings;
use crate::exit::Exit;
use crate::generate::generate;
use crate::operation::{self, Purpose, Ready};
use crate::reporter::Reporter;
use crate::roots::Root;
use crate::spelling::for_shell;

/// Runs the command.
pub async fn run(app: &App, arguments: PlanArguments) -> Exit {
    let operation = &arguments.operation;
    let mut reporter =
        Reporter::new(app.console.clone(), app.environment.clone(), operation.json, operation.compact_warnings);
    let without = operation::without_files(arguments.mode.mode());
    let roots = match app.roots(arguments.root.path.as_deref(), without) {
        Ok(roots) => roots,
        Err(exit) => return exit,
    };
    let several = roots.len() > 1;
    let file = (arguments.out.as_ref().map(|_| "A saved plan"))
        .or(arguments.generate_config_out.as_ref().map(|_| "A generated configuration"));
    if let Some(file) = file.filter(|_| several) {
        let error = Diagnostic::error("Several pipelines", format!("{file} is of one pipeline. Name it."));
        reporter.diagnostics(&error.into(), &SourceMap::default());
        return Exit::Failure;
    }
    let mut exit = Exit::Success;
    for root in roots {
        if several {
            reporter.begin_pipeline(&root.shown);
        }
        exit = exit.and(one(app, &reporter, root, &arguments).await);
        if exit == Exit::Interrupted {
            break;
        }
    }
    exit
}

async fn one(app: &App, reporter: &Reporter, mut root: Root, arguments: &PlanArguments) -> Exit {
    let mode = arguments.mode.mode();
    let mut generated = None;
    if let Some(out) = &arguments.generate_config_out {
        match generate(app, &mut root, &arguments.operation.variables.settings, mode, out).await {
            Ok(is_written) => generated = is_written.then_some(out),
            Err((problems, sources)) => {
                reporter.diagnostics(&problems, &sources);
                return Exit::Failure;
            }
        }
    }
    let planned = operation::plan(app, reporter, root, &arguments.operation, mode, Purpose::Look).await;
    let Ready { project, mut planned, sources, .. } = match planned {
        Ok(ready) => ready,
        Err(exit) => return exit,
    };
    reporter.plan(&app.registry, &planned.plan);
    reporter.diagnostics(&planned.diagnostics, &sources);
    if let Some(out) = arguments.out.as_deref().filter(|out| !out.as_os_str().is_empty()) {
        // A plan is applied where it was made for, and nowhere else.
        planned.plan.sources.extend(backend_settings::of(&project));
        let saved =
            project.encryption().map_err(Diagnostics::from).and_then(|encryption| planned.plan.save(&encryption));
        let saved = saved.and_then(|bytes| {
            // Who may read it is who may read the state: only the owner.
            crate::replace_file::replace_private_file(&app.here.join(out), &bytes).map_err(|error| {
                let detail = format!("Cannot write `{}`: {error}.", out.display());
                Diagnostic::error("Plan not saved", detail).remedied(&error).into()
            })
        });
        if let Err(problems) = saved {
            reporter.diagnostics(&problems, &sources);
            return Exit::Failure;
        }
        let out = out.display();
        reporter.say(&format!(
            "\nThe plan is saved in {out}. To do exactly this:\n    pipectl apply {}",
            for_shell(&out.to_string())
        ));
    }
    if let Some(file) = generated {
        reporter.say(&format!(
            "\npipectl has generated configuration and written it to {}. Please review the configuration\nand edit it as necessary before \
             adding it to version control.",
            file.display()
        ));
    }
    let plan = &planned.plan;
    let takes_in = mode == Mode::RefreshOnly && !plan.observed.is_empty();
    if arguments.detailed_exitcode && (plan.has_changes() || takes_in) { Exit::Changes } else { Exit::Success }
}
