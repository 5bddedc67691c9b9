//! `workspace`: several states of one root module.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use pipectl_core::Diagnostic;
use pipectl_engine::Seed;
use pipectl_state::StateWriter;

use crate::app::App;
use crate::arguments::{WorkspaceCommand, split_root};
use crate::backend::Place;
use crate::exit::Exit;
use crate::former_place;
use crate::operation::holder;
use crate::project::{OVERRIDE, Project, is_folder_name};

/// Runs the command.
pub fn run(app: &App, command: &WorkspaceCommand) -> Exit {
    let result = match command {
        WorkspaceCommand::List(root) => project(app, root.path.as_deref()).and_then(|project| list(app, &project)),
        WorkspaceCommand::Show(root) => project(app, root.path.as_deref()).map(|project| {
            app.console.print(&project.workspace);
            Exit::Success
        }),
        WorkspaceCommand::New(arguments) => {
            named(app, &arguments.words).and_then(|(project, name)| new(app, project, &name))
        }
        WorkspaceCommand::Select(arguments) => {
            named(app, &arguments.words).and_then(|(project, name)| select(app, project, &name, arguments.or_create))
        }
        WorkspaceCommand::Delete(arguments) => {
            named(app, &arguments.words).and_then(|(project, name)| delete(app, &project, &name, arguments.force))
        }
    };
    result.unwrap_or_else(|exit| exit)
}

fn project(app: &App, path: Option<&Path>) -> Result<Project, Exit> {
    app.project(path)
}

/// The project and the name of a workspace that the command is about. Where the environment decides, nothing can be changed.
fn named(app: &App, words: &[String]) -> Result<(Project, String), Exit> {
    let (root, rest) = split_root(&app.here, words);
    let [name] = rest else {
        return Err(app.fail(Diagnostic::error("Workspace name required", "This command is about one workspace.")));
    };
    let project = project(app, root.as_deref())?;
    if app.environment.variable(OVERRIDE).is_some_and(|name| !name.is_empty()) {
        let detail =
            format!("The selected workspace is currently overridden using the {OVERRIDE} environment variable.");
        return Err(app.fail(Diagnostic::error("Workspace overridden", detail).hint(format!("unset {OVERRIDE}"))));
    }
    Ok((project, name.clone()))
}

/// All workspaces of a root.
fn workspaces(app: &App, project: &Project) -> Result<Vec<String>, Exit> {
    project.workspaces().map_err(|error| app.fail_in(error, &project.configuration.sources))
}

fn list(app: &App, project: &Project) -> Result<Exit, Exit> {
    for name in workspaces(app, project)? {
        let sign = if name == project.workspace { '*' } else { ' ' };
        app.console.print(&format!("{sign} {name}"));
    }
    Ok(Exit::Success)
}

fn new(app: &App, mut project: Project, name: &str) -> Result<Exit, Exit> {
    if !is_folder_name(name) {
        let detail = format!(
            "The workspace name \"{name}\" is not allowed. The name must contain only URL safe characters, and no path separators: ASCII \
             letters, digits and any of - _ . ~ + : @ $ & =; and it must not begin with a dot."
        );
        return Err(app.fail(Diagnostic::error("Invalid workspace name", detail)));
    }
    if workspaces(app, &project)?.contains(&name.to_owned()) {
        let error = Diagnostic::error("Workspace exists", format!("Workspace \"{name}\" already exists."));
        return Err(app.fail(error.hint(format!("pipectl workspace select {name}"))));
    }
    if let Place::Remote(_) = &project.place {
        begin(app, &project.in_workspace(name))?;
    }
    switch(app, &mut project, name)?;
    app.console.print(&format!(
        "Created and switched to workspace \"{name}\"!\n\nYou're now on a new, empty workspace. Workspaces isolate their state,\nso if you \
         run \"pipectl plan\" pipectl will not see any existing state\nfor this configuration."
    ));
    Ok(Exit::Success)
}

/// Makes the state of a workspace, so that it is there for others, too.
fn begin(app: &App, project: &Project) -> Result<(), Exit> {
    former_place::check(project).map_err(|error| app.fail_in(error, &project.configuration.sources))?;
    let mut writer = writer(app, project, "workspace new")?;
    if writer.state().lineage.is_empty() {
        let begun = writer.begin(&Seed::random().draw("lineage"), &project.entry);
        begun.map_err(|error| app.fail(project.state_error(&error)))?;
    }
    Ok(())
}

/// Takes the lock of a workspace's state.
fn writer(app: &App, project: &Project, operation: &str) -> Result<Box<dyn StateWriter>, Exit> {
    let store = project.state_store_to_write(&app.registry, Seed::random());
    let (store, _) = store.map_err(|error| app.fail_in(error, &project.configuration.sources))?;
    let locked = store.lock(&holder(&*app.environment, operation), Duration::ZERO);
    locked.map_err(|error| app.fail(project.state_error(&error)))
}

fn select(app: &App, mut project: Project, name: &str, or_create: bool) -> Result<Exit, Exit> {
    if project.workspace == name {
        return Ok(Exit::Success);
    }
    if !workspaces(app, &project)?.contains(&name.to_owned()) {
        return if or_create { new(app, project, name) } else { Err(absent(app, name)) };
    }
    switch(app, &mut project, name)?;
    app.console.print(&format!("Switched to workspace \"{name}\"."));
    Ok(Exit::Success)
}

fn delete(app: &App, project: &Project, name: &str, force: bool) -> Result<Exit, Exit> {
    if name == "default" {
        let detail = "The workspace \"default\" is always there.";
        return Err(app.fail(Diagnostic::error("Workspace not deletable", detail)));
    }
    if !workspaces(app, project)?.contains(&name.to_owned()) {
        return Err(absent(app, name));
    }
    if project.workspace == name {
        let detail = format!("Workspace \"{name}\" is your active workspace. Switch to another workspace first.");
        return Err(app.fail(Diagnostic::error("Workspace in use", detail).hint("pipectl workspace select default")));
    }
    let doomed = project.in_workspace(name);
    // Nobody works in it from here on; the lock's file goes with the folder.
    let mut writer = writer(app, &doomed, "workspace delete")?;
    // What was begun and is not known to have ended may be there as well.
    let state = writer.state();
    let known: BTreeSet<String> =
        state.resources.keys().chain(state.intents.keys()).map(|address| format!("  - {address}\n")).collect();
    let left: Vec<String> = known.into_iter().collect();
    if !left.is_empty() && !force {
        let detail = format!(
            "Workspace \"{name}\" is currently tracking the following objects:\n{}\nDeleting it would lose track of them.",
            left.concat()
        );
        return Err(app.fail(
            Diagnostic::error("Workspace is not empty", detail)
                .hint("Destroy them first.")
                .hint("-force deletes the workspace anyway."),
        ));
    }
    writer.remove().map_err(|error| app.fail(doomed.state_error(&error)))?;
    for folder in doomed.state_folder().into_iter().chain([doomed.work()]).collect::<BTreeSet<_>>() {
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let detail = format!("Cannot remove `{}`: {error}.", folder.display());
                return Err(app.fail(Diagnostic::error("Workspace not deleted", detail).remedied(&error)));
            }
            Ok(()) | Err(_) => {}
        }
    }
    drop(writer);
    app.console.print(&format!("Deleted workspace \"{name}\"!"));
    Ok(Exit::Success)
}

fn switch(app: &App, project: &mut Project, name: &str) -> Result<(), Exit> {
    project.select_workspace(name).map_err(|error| app.fail(error))
}

fn absent(app: &App, name: &str) -> Exit {
    let error = Diagnostic::error("Workspace not found", format!("Workspace \"{name}\" doesn't exist."));
    app.fail(error.hint(format!("pipectl workspace new {name}")).hint("-or-create"))
}
