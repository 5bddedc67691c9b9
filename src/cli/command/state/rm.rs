//! `state rm`: forgets objects without removing them.

use pipectl_core::{Address, Diagnostic, Target};
use pipectl_state::Change;

use super::edit::{Editing, forget, instances, open_calls, suggestion};
use super::target;
use crate::app::App;
use crate::arguments::{StateRmArguments, split_root};
use crate::exit::Exit;
use crate::view::figures::count;

pub(super) async fn run(app: &App, arguments: &StateRmArguments) -> Result<Exit, Exit> {
    let (root, texts) = split_root(&app.here, &arguments.words);
    if texts.is_empty() {
        let error = Diagnostic::error("Address required", "This command forgets objects of the state.");
        return Err(app.fail(error.hint("pipectl state rm [PATH] ADDRESS...")));
    }
    let wanted: Vec<Target> = texts.iter().map(|text| target(app, text)).collect::<Result<_, _>>()?;
    let project = app.project(root.as_deref())?;
    let mut editing = Editing::begin(app, project, &arguments.lock, "state rm").await?;
    let state = editing.state();
    let objects = |target: &Target| if arguments.interrupted { Vec::new() } else { instances(state, target) };
    let known = |target: &Target| objects(target).into_iter().chain(open_calls(state, target));
    let mut found: Vec<Address> = wanted.iter().flat_map(known).collect();
    found.sort();
    found.dedup();
    if found.is_empty() {
        let suggestion = suggestion(editing.state(), &wanted[0]);
        let names: Vec<&str> = texts.iter().map(String::as_str).collect();
        let nothing = if arguments.interrupted { "no call of an interrupted run" } else { "nothing" };
        let error = Diagnostic::error(
            "Invalid target address",
            format!("The state holds {nothing} at {}.{suggestion}", names.join(", ")),
        );
        return Err(app.fail(error.hint(editing.list_command())));
    }
    let verb = if arguments.dry_run { "Would remove" } else { "Removed" };
    if !arguments.dry_run {
        let state = editing.state();
        let changes = |address: &Address| match arguments.interrupted {
            true => vec![Change::RemoveIntent { address: address.clone() }],
            false => forget(state, address),
        };
        let changes: Vec<Change> = found.iter().flat_map(changes).collect();
        editing.commit(changes)?;
    }
    for address in &found {
        app.console.print(&format!("{verb} {address}"));
    }
    if !arguments.dry_run {
        let noun = if arguments.interrupted { "interrupted call" } else { "resource instance" };
        app.console.print(&format!("Successfully removed {}.", count(found.len(), noun)));
    }
    Ok(Exit::Success)
}
