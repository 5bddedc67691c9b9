//! `graph`: the dependency graph in the DOT language.

use pipectl_engine::Drawing;

use crate::app::App;
use crate::arguments::GraphArguments;
use crate::exit::Exit;
use crate::project::Project;

/// Runs the command.
pub fn run(app: &App, arguments: &GraphArguments) -> Exit {
    let root = match app.root(arguments.root.path.as_deref()) {
        Ok(root) => root,
        Err(exit) => return exit,
    };
    let (project, diagnostics) = Project::load(root, &app.environment);
    app.complain(&diagnostics, &project.configuration.sources);
    if diagnostics.has_errors() {
        return Exit::Failure;
    }
    // Ours is one graph for every operation.
    let what = if arguments.all || arguments.kind.is_some() { Drawing::Everything } else { Drawing::Objects };
    match pipectl_engine::drawing(&project.configuration, what) {
        Ok(text) => {
            app.console.print_raw(&text);
            Exit::Success
        }
        Err(problems) => {
            app.complain(&problems, &project.configuration.sources);
            Exit::Failure
        }
    }
}
