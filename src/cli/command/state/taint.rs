//! `taint` and `untaint`: whether an object is made anew by the next apply.

use pipectl_core::suggest::did_you_mean;
use pipectl_core::{AddressKind, Diagnostic, SourceMap};
use pipectl_state::{Change, ObjectState};

use super::address;
use super::edit::Editing;
use crate::app::App;
use crate::arguments::{TaintArguments, split_root};
use crate::exit::Exit;

pub(super) async fn run(app: &App, arguments: &TaintArguments, tainted: bool) -> Result<Exit, Exit> {
    let word = if tainted { "taint" } else { "untaint" };
    let (root, rest) = split_root(&app.here, &arguments.words);
    let [text] = rest else {
        let error = Diagnostic::error("Address required", "This command marks one object of the state.");
        return Err(app.fail(error.hint(format!("pipectl {word} [PATH] ADDRESS"))));
    };
    let address = address(app, text)?;
    if address.kind == AddressKind::Data {
        let detail = format!("{address} is read, never made, and so it cannot be made anew.");
        return Err(app.fail(Diagnostic::error("Not a resource", detail)));
    }
    let project = app.project(root.as_deref())?;
    let mut editing = Editing::begin(app, project, &arguments.lock, word).await?;
    let Some(object) = editing.state().object(&address).cloned() else {
        let known: Vec<String> = editing.state().objects().map(|(address, _, _)| address.to_string()).collect();
        let suggestion = did_you_mean(text, known.iter().map(String::as_str));
        let detail = format!("The state holds no object {address}.{suggestion}");
        if arguments.allow_missing {
            app.complain(&Diagnostic::warning("Object not found", detail).into(), &SourceMap::default());
            return Ok(Exit::Success);
        }
        return Err(app.fail(Diagnostic::error("Object not found", detail).hint(editing.list_command())));
    };
    if !tainted && !object.tainted {
        let detail = format!("{address} is not marked as tainted.");
        return Err(app.fail(Diagnostic::error("Object is not tainted", detail)));
    }
    if tainted != object.tainted {
        let object = ObjectState { tainted, ..object };
        editing.commit(vec![Change::SetObject { address: address.clone(), object }])?;
    }
    let done = if tainted { "has been marked as tainted" } else { "is no longer marked as tainted" };
    app.console.print(&format!("{address} {done}."));
    Ok(Exit::Success)
}
