//! Terraform's state files, version 4, as the commands take them in: read from a path or from standard input, and what could not be taken over.

use std::io::Read as _;
use std::path::PathBuf;

use pipectl_core::{Diagnostic, SourceMap};
use pipectl_state::terraform::{self, Imported};

use crate::app::App;
use crate::arguments::split_root;
use crate::exit::Exit;

/// The root module and the file that the words of a command line mean. A file of a state may lie anywhere: only a configuration in front of it
/// is a root module.
///
/// # Errors
/// When they mean no file, or several; it has been said.
pub(super) fn split<'a>(app: &App, words: &'a [String], usage: &str) -> Result<(Option<PathBuf>, &'a str), Exit> {
    let (root, rest) = if words.len() > 1 { split_root(&app.here, words) } else { (None, words) };
    match rest {
        [file] => Ok((root, file)),
        _ => {
            let detail = "This command reads one file, or standard input as `-`.";
            Err(app.fail(Diagnostic::error("File required", detail).hint(usage)))
        }
    }
}

/// Reads a file; `-` is standard input.
///
/// # Errors
/// When it cannot be read, or is no state of Terraform; it has been said.
pub(super) fn read(app: &App, file: &str) -> Result<Imported, Exit> {
    let text = match file {
        "-" => {
            let mut text = String::new();
            std::io::stdin().lock().read_to_string(&mut text).map(|_| text)
        }
        file => std::fs::read_to_string(app.here.join(file)),
    };
    let text = text.map_err(|error| {
        app.fail(Diagnostic::error("State file not readable", format!("Cannot read `{file}`: {error}.")))
    })?;
    terraform::read(&text).map_err(|error| {
        app.fail(Diagnostic::error("Invalid state file", format!("`{file}` cannot be taken over: {error}.")))
    })
}

/// Says what stays in the file's own form.
pub(super) fn say_left_out(app: &App, imported: &Imported) {
    let found = imported.left_out.iter().map(|left_out| {
        let detail =
            format!("{}: {}. It stays as it is, and `state pull` writes it again.", left_out.what, left_out.why);
        Diagnostic::warning("Not taken over", detail)
    });
    app.complain(&found.collect(), &SourceMap::default());
}
