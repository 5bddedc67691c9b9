//! `show`: the state, or a saved plan.

use pipectl_engine::{Planned, StateIdentity};
use serde_json::Value as Json;

use crate::app::App;
use crate::arguments::ShowArguments;
use crate::exit::Exit;
use crate::operation::{self, outputs_of};
use crate::saved_plan;
use crate::view::document::{self, PlanView};
use crate::view::{exact, outputs, plan as plan_view, state as state_view};

/// Runs the command.
pub fn run(app: &App, arguments: &ShowArguments) -> Exit {
    if let Some(path) = &arguments.path
        && let Some(bytes) = saved_plan::read(&app.here.join(path))
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
        app.console.print(&exact::text(&document::state(&app.registry, &state)));
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
    let planned = match saved_plan::look(app, bytes) {
        Ok(planned) => planned,
        Err((problems, sources)) => {
            app.complain(&problems, &sources);
            return Exit::Failure;
        }
    };
    if json {
        app.console.print(&exact::text(&plan_document(app, &planned)));
    } else {
        app.console.print(&plan_view::render(&app.registry, &planned.plan, app.console.paint()));
        app.complain(&planned.diagnostics, &operation::sources_of(&planned));
    }
    Exit::Success
}

fn plan_document(app: &App, planned: &Planned) -> Json {
    let configuration = &*planned.configuration;
    // The state that the plan was made for, if it is still there and has not changed.
    let project = operation::root_of_plan(&app.here, planned, &app.environment).ok();
    let state = project.as_ref().and_then(|project| project.read_state().ok().flatten());
    let state = state.filter(|state| StateIdentity::of(state) == planned.plan.base);
    let view = PlanView { registry: &app.registry, plan: &planned.plan, configuration, state: state.as_ref() };
    document::plan(&view)
}
