//! `force-unlock`: says whether the state is locked. The lock is the operating system's and ends with the process that holds it, so it
//! never stays behind and cannot be taken from a process that lives.

use std::time::Duration;

use pipectl_state::StateStore as _;

use crate::app::App;
use crate::arguments::{ForceUnlockArguments, split_root};
use crate::exit::Exit;
use crate::operation::holder;

/// Runs the command.
pub fn run(app: &App, arguments: &ForceUnlockArguments) -> Exit {
    let (root, _) = split_root(&app.here, &arguments.words);
    let project = match app.project(root.as_deref()) {
        Ok(project) => project,
        Err(exit) => return exit,
    };
    if !project.state_folder().is_dir() {
        app.console.print("The state is not locked: there is none yet.");
        return Exit::Success;
    }
    let store = match project.state_store() {
        Ok(store) => store,
        Err(error) => return app.fail_in(error, &project.configuration.sources),
    };
    match store.lock(&holder(&*app.environment, "force-unlock"), Duration::ZERO) {
        Ok(_) => {
            app.console.print("The state is not locked.");
            Exit::Success
        }
        Err(error) => app.fail(project.state_error(&error)),
    }
}
