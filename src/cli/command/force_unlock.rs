//! `force-unlock`: ends the lock of a run that is gone, where the state lies in a bucket. On a local disk it says whether the state is locked:
//! that lock is the operating system's and ends with the process that holds it, so it never stays behind and cannot be taken from one that lives.

use std::time::Duration;

use pipectl_core::Diagnostic;
use pipectl_provider::Stop;
use pipectl_state::{StateError, StateStore};

use crate::app::App;
use crate::arguments::{ForceUnlockArguments, split_root};
use crate::backend::Place;
use crate::console::Color;
use crate::exit::Exit;
use crate::operation::holder;
use crate::project::Project;

/// Runs the command.
pub async fn run(app: &App, arguments: &ForceUnlockArguments) -> Exit {
    let (root, rest) = split_root(&app.here, &arguments.words);
    let project = match app.project(root.as_deref()) {
        Ok(project) => project,
        Err(exit) => return exit,
    };
    if project.state_folder().is_some_and(|folder| !folder.is_dir()) {
        app.console.print("The state is not locked: there is none yet.");
        return Exit::Success;
    }
    let store = match project.state_store_to_unlock() {
        Ok(store) => store,
        Err(error) => return app.fail_in(error, &project.configuration.sources),
    };
    match (&project.place, rest) {
        (Place::Remote(_), [id]) => {
            break_lock(app, &project, &*store, id, arguments.force).await.unwrap_or_else(|exit| exit)
        }
        (Place::Remote(_), _) => {
            let detail = "The state lies in a bucket, where a lock has an id: whoever is refused is told which.";
            let hint = project.folders().command("force-unlock", "LOCK_ID");
            app.fail(Diagnostic::error("Lock id required", detail).hint(hint))
        }
        (Place::Beside | Place::Folder(_), _) => look(app, &project, &*store),
    }
}

/// Says whether the state is locked by a process of this machine.
fn look(app: &App, project: &Project, store: &dyn StateStore) -> Exit {
    match store.lock(&holder(&*app.environment, "force-unlock"), Duration::ZERO) {
        // Whoever gets as far as that has the lock.
        Ok(_) | Err(StateError::Encryption { .. } | StateError::Damaged { .. } | StateError::NewerFormat { .. }) => {
            app.console.print("The state is not locked.");
            Exit::Success
        }
        Err(error) => app.fail(project.state_error(&error)),
    }
}

/// Ends the lock with this id, after a person has agreed.
async fn break_lock(app: &App, project: &Project, store: &dyn StateStore, id: &str, force: bool) -> Result<Exit, Exit> {
    if !force {
        if !app.can_ask() {
            let detail = "This needs a person's approval, and nobody can be asked here: standard input or output is not a terminal.";
            return Err(app.fail(Diagnostic::error("Approval required", detail).hint("-force")));
        }
        let paint = app.console.paint();
        let question = format!(
            "{}\n  pipectl will remove the lock on the remote state, and let other commands change\n  it, even though it may still be in \
             use. Whoever holds it can write no more.\n  Only 'yes' will be accepted to confirm.\n\n  {} ",
            paint.on(Color::Bold, "Do you really want to force-unlock?"),
            paint.on(Color::Bold, "Enter a value:")
        );
        let answer = tokio::select! {
            answer = app.console.ask(&question) => answer,
            () = app.cancel.reached(Stop::Gentle) => return Err(Exit::Interrupted),
        };
        if answer.as_deref() != Some("yes") {
            app.console.print("force-unlock cancelled.");
            return Ok(Exit::Failure);
        }
    }
    let held = store.break_lock(id).map_err(|error| app.fail(project.state_error(&error)))?;
    let text = app.console.paint().on(Color::Green, "The state has been unlocked.");
    app.console.print(&format!("{text} It was locked by {held}."));
    Ok(Exit::Success)
}
