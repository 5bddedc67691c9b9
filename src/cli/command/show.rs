//! `show`: the state, or a saved plan.

use pipectl_core::SourceMap;
use pipectl_engine::Planned;

use super::apply::saved_plan;
use crate::app::App;
use crate::arguments::ShowArguments;
use crate::environment;
use crate::exit::Exit;
use crate::operation::{self, outputs_of};
use crate::variables;
use crate::view::{document, outputs, plan as plan_view, state as state_view};

/// Runs the command.
pub fn run(app: &App, arguments: &ShowArguments) -> Exit {
    if let Some(path) = &arguments.path
        && let Some(bytes) = saved_plan(&app.here.join(path))
    {
        return plan(app, &bytes, arguments.json);
    }
    let project = match app.project(arguments.path.as_deref()) {
        Ok(project) => project,
        Err(exit) => return exit,
    };
    let state = match project.read_state() {
        Ok(state) => state.unwrap_or_default(),
        Err(error) => return app.fail_in(error, &project.configuration.sources),
    };
    if arguments.json {
        app.console.print(&document::state(&app.registry, &state).to_string());
        return Exit::Success;
    }
    if state.resources.is_empty() && state.outputs.is_empty() {
        app.console.print("The state is empty.");
        return Exit::Success;
    }
    let paint = app.console.paint();
    let objects = state
        .objects()
        .map(|(address, deposed, object)| state_view::object(&app.registry, address, deposed, object, paint));
    let mut sections: Vec<String> = objects.collect();
    let values = outputs_of(&state);
    if !values.is_empty() {
        sections.push(format!("Outputs:\n\n{}", outputs::block(&values)));
    }
    app.console.print_raw(&sections.join("\n"));
    Exit::Success
}

fn plan(app: &App, bytes: &[u8], json: bool) -> Exit {
    // Secrets are not in the plan: those that the environment gives are known, for the others their variables' defaults count.
    let inputs =
        match variables::collect(&app.here, &app.here, environment::variables(), &[], &mut SourceMap::default()) {
            Ok((inputs, _)) => inputs,
            Err(_) => Vec::new(),
        };
    let planned = match Planned::open(bytes, &inputs) {
        Ok(planned) => planned,
        Err(problems) => {
            app.complain(&problems, &SourceMap::default());
            return Exit::Failure;
        }
    };
    if json {
        app.console.print(&document::plan(&planned.plan).to_string());
    } else {
        app.console.print(&plan_view::render(&app.registry, &planned.plan, app.console.paint()));
        app.complain(&planned.diagnostics, &operation::sources_of(&planned));
    }
    Exit::Success
}
