//! `output`: shows output values.

use pipectl_core::Diagnostic;
use pipectl_core::suggest::did_you_mean;

use crate::app::App;
use crate::arguments::{OutputArguments, split_root};
use crate::exit::Exit;
use crate::operation::outputs_of;
use crate::view::exact::{self, NoJson};
use crate::view::literal::literal;
use crate::view::outputs::{self, Output};
use crate::view::value::Detail;

/// Runs the command.
pub fn run(app: &App, arguments: &OutputArguments) -> Exit {
    let (root, names) = split_root(&app.here, &arguments.words);
    let name = match names {
        [] => None,
        [name] => Some(name),
        [first, ..] => {
            let detail = format!("`{first}` is neither a folder nor a file ending in .hcl or .tf.");
            return app.fail(Diagnostic::error("Not a root module", detail).hint("pipectl output [PATH] [NAME]"));
        }
    };
    if arguments.raw && name.is_none() {
        return app.fail(
            Diagnostic::error("Output name required", "-raw writes the text of one output.")
                .hint("pipectl output -raw NAME"),
        );
    }
    let project = match app.project(root.as_deref()) {
        Ok(project) => project,
        Err(exit) => return exit,
    };
    let outputs = match project.read_state() {
        Ok(state) => state.as_ref().map(outputs_of).unwrap_or_default(),
        Err(error) => return app.fail_in(error, &project.configuration.sources),
    };
    // As Terraform does: before the first apply nothing is wrong yet with asking for an output, not even for one of them.
    if outputs.is_empty() && !arguments.json {
        let detail =
            "The state holds no output values. Outputs are declared by `output` blocks and stored by an apply.";
        let warning = Diagnostic::warning("No outputs found", detail);
        app.complain(&warning.into(), &project.configuration.sources);
        return Exit::Success;
    }
    let Some(name) = name else {
        if arguments.json {
            return write(app, outputs::document(&outputs));
        }
        app.console.print_raw(&outputs::block(&outputs));
        return Exit::Success;
    };
    match outputs.get(name) {
        Some(output) => one(app, name, output, arguments),
        None => {
            let suggestion = did_you_mean(name, outputs.keys().map(String::as_str));
            let detail = format!("The state holds no output named \"{name}\".{suggestion}");
            app.fail(Diagnostic::error("Output not found", detail).hint("A new output is stored by an apply."))
        }
    }
}

/// One output, by name: also a sensitive one, because it was asked for.
fn one(app: &App, name: &str, output: &Output, arguments: &OutputArguments) -> Exit {
    let (plain, _) = output.value.unmark_deep();
    if arguments.json {
        return write(app, exact::line(&plain));
    }
    if !arguments.raw {
        app.console.print(&literal(&plain, Detail::Full));
        return Exit::Success;
    }
    match outputs::raw(&plain) {
        Some(text) => {
            app.console.print_raw(&text);
            Exit::Success
        }
        None => {
            let what = plain.ty().friendly_name();
            let detail = format!("-raw writes a string, a number or a bool, and \"{name}\" is of type {what}.");
            app.fail(Diagnostic::error("Unsupported value for raw output", detail).hint("-json"))
        }
    }
}

fn write(app: &App, json: Result<String, NoJson>) -> Exit {
    match json {
        Ok(json) => {
            app.console.print(&json);
            Exit::Success
        }
        Err(why) => {
            let detail = format!("An output cannot be written as JSON: {why}.");
            app.fail(Diagnostic::error("Unsupported value for JSON output", detail))
        }
    }
}
