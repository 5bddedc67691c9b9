//! `state`: looks into the state, and edits it. Each way of editing has a file.

pub mod edit;
mod import_terraform;
mod mv;
mod pull;
mod push;
mod replace_provider;
mod rm;
mod taint;
mod terraform_file;

use std::str::FromStr;

use pipectl_core::address::AddressError;
use pipectl_core::suggest::did_you_mean;
use pipectl_core::{Address, Diagnostic, Target};
use pipectl_state::ObjectState;
use serde_json::Value as Json;

use crate::app::App;
use crate::arguments::{StateCommand, StateListArguments, StateShowArguments, TaintArguments, split_root};
use crate::exit::Exit;
use crate::view::state as state_view;

/// Runs the command.
pub async fn run(app: &App, command: &StateCommand) -> Exit {
    let result = match command {
        StateCommand::List(arguments) => list(app, arguments),
        StateCommand::Show(arguments) => show(app, arguments),
        StateCommand::Mv(arguments) => mv::run(app, arguments).await,
        StateCommand::Pull(arguments) => pull::run(app, arguments),
        StateCommand::Push(arguments) => push::run(app, arguments).await,
        StateCommand::ImportTerraform(arguments) => import_terraform::run(app, arguments).await,
        StateCommand::Rm(arguments) => rm::run(app, arguments).await,
        StateCommand::ReplaceProvider(arguments) => replace_provider::run(app, arguments).await,
    };
    result.unwrap_or_else(|exit| exit)
}

/// Runs `taint`, or `untaint`.
pub async fn taint(app: &App, arguments: &TaintArguments, tainted: bool) -> Exit {
    taint::run(app, arguments, tainted).await.unwrap_or_else(|exit| exit)
}

fn list(app: &App, arguments: &StateListArguments) -> Result<Exit, Exit> {
    let (root, addresses) = split_root(&app.here, &arguments.words);
    let wanted: Vec<Target> = addresses.iter().map(|text| target(app, text)).collect::<Result<_, _>>()?;
    let project = app.project(root.as_deref())?;
    let state = project.read_state().map_err(|error| app.fail_in(error, &project.configuration.sources))?;
    let Some(state) = state else {
        let detail = "There is no state yet: nothing was applied here, and nothing imported.";
        let error = Diagnostic::error("No state was found", detail);
        let command = |verb: &str, rest: &str| project.folders().command(verb, rest);
        return Err(app.fail(error.hint(command("apply", "")).hint(command("state import-terraform", "FILE"))));
    };
    let objects = || state.objects();
    let mut exit = Exit::Success;
    let missing = |wanted: &&Target| !objects().any(|(address, ..)| wanted.contains(address));
    let missing: Vec<&Target> = wanted.iter().filter(missing).collect();
    if !missing.is_empty() {
        let known: Vec<String> = objects().map(|(address, ..)| address.to_string()).collect();
        for wanted in missing {
            let suggestion = did_you_mean(&wanted.to_string(), known.iter().map(String::as_str));
            let detail = format!("The state holds nothing at {wanted}.{suggestion}");
            exit = app
                .fail(Diagnostic::error("Object not found", detail).hint(project.folders().command("state list", "")));
        }
    }
    if exit != Exit::Success {
        return Err(exit);
    }
    let has_id = |object: &ObjectState| {
        let id = object.attributes.get("id").and_then(Json::as_str);
        arguments.id.is_none() || id == arguments.id.as_deref()
    };
    for (address, deposed, object) in objects() {
        let is_wanted = wanted.is_empty() || wanted.iter().any(|wanted| wanted.contains(address));
        if is_wanted && has_id(object) {
            let deposed = deposed.map(|key| format!(" (deposed {key})")).unwrap_or_default();
            app.console.print(&format!("{address}{deposed}"));
        }
    }
    Ok(Exit::Success)
}

fn show(app: &App, arguments: &StateShowArguments) -> Result<Exit, Exit> {
    let (root, rest) = split_root(&app.here, &arguments.words);
    let [text] = rest else {
        let error = Diagnostic::error("Address required", "This command shows one object of the state.");
        return Err(app.fail(error.hint("pipectl state show [PATH] ADDRESS")));
    };
    let address = address(app, text)?;
    let project = app.project(root.as_deref())?;
    let state = project.read_state().map_err(|error| app.fail_in(error, &project.configuration.sources))?;
    let state = state.unwrap_or_default();
    let Some(object) = state.object(&address) else {
        let known: Vec<String> = state.objects().map(|(address, _, _)| address.to_string()).collect();
        let suggestion = did_you_mean(text, known.iter().map(String::as_str));
        let error = Diagnostic::error("Object not found", format!("The state holds no object {address}.{suggestion}"));
        return Err(app.fail(error.hint(project.folders().command("state list", ""))));
    };
    app.console.print_raw(&state_view::object(&app.registry, &address, None, object, app.console.paint()));
    Ok(Exit::Success)
}

/// Reads an address, or says what is wrong with it.
pub fn address(app: &App, text: &str) -> Result<Address, Exit> {
    parsed(app, text)
}

/// Reads what names an object, a block or a module, or says what is wrong with it.
fn target(app: &App, text: &str) -> Result<Target, Exit> {
    parsed(app, text)
}

fn parsed<T: FromStr<Err = AddressError>>(app: &App, text: &str) -> Result<T, Exit> {
    text.parse().map_err(|error: AddressError| {
        app.fail(Diagnostic::error("Invalid address", format!("{error}.")).hint(
            "An address is like terraform_data.a, stage.train.inclusive, stage.train.scan[\"x\"] or module.a.terraform_data.b.",
        ))
    })
}
