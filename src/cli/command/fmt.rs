//! `fmt`: rewrites configuration files in the canonical style.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use pipectl_core::{Diagnostic, Diagnostics, SourceMap};
use similar::TextDiff;

use crate::app::App;
use crate::arguments::FmtArguments;
use crate::console::{Color, Paint};
use crate::exit::Exit;
use crate::replace_file::replace_file;
use crate::roots::shown;

/// Runs the command.
pub fn run(app: &App, arguments: &FmtArguments) -> Exit {
    let here = [PathBuf::from(".")];
    let paths = if arguments.paths.is_empty() { &here[..] } else { &arguments.paths[..] };
    let mut exit = Exit::Success;
    for path in paths {
        if path.as_os_str() == "-" {
            exit = exit.and(standard_input(app, arguments));
            continue;
        }
        match files(&app.here, path, arguments.recursive) {
            Ok(files) => {
                for file in files {
                    exit = exit.and(one(app, &file, arguments));
                }
            }
            Err(error) => exit = exit.and(fail(app, error)),
        }
    }
    exit
}

fn standard_input(app: &App, arguments: &FmtArguments) -> Exit {
    let mut text = String::new();
    if let Err(error) = std::io::stdin().read_to_string(&mut text) {
        return fail(app, Diagnostic::error("Standard input not readable", format!("Cannot read it: {error}.")));
    }
    match pipectl_lang::format(&text) {
        Ok(formatted) if arguments.check && formatted != text => Exit::Unformatted,
        Ok(_) if arguments.check => Exit::Success,
        Ok(formatted) if arguments.diff => {
            if formatted != text {
                app.console.print_raw(&difference("<stdin>", &text, &formatted, app.console.paint()));
            }
            Exit::Success
        }
        Ok(mut formatted) => {
            // What is printed ends with a line break, as Terraform's does; a file is left without one if it has none.
            if !formatted.ends_with('\n') {
                formatted.push('\n');
            }
            app.console.print_raw(&formatted);
            Exit::Success
        }
        Err(problems) => complain(app, problems, "standard input", &text),
    }
}

fn one(app: &App, file: &Path, arguments: &FmtArguments) -> Exit {
    let name = shown(&app.here, file);
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            let detail = format!("Cannot read `{name}`: {error}.");
            return fail(app, Diagnostic::error("Configuration not readable", detail));
        }
    };
    let formatted = match pipectl_lang::format(&text) {
        Ok(formatted) => formatted,
        Err(problems) => return complain(app, problems, &name, &text),
    };
    // Whoever wants neither the name, nor the difference, nor the file written, wants to see the text.
    if !(arguments.list || arguments.write || arguments.diff || arguments.check) {
        app.console.print_raw(&formatted);
    }
    if formatted == text {
        return Exit::Success;
    }
    if arguments.list {
        app.console.print(&name);
    }
    if arguments.diff {
        app.console.print_raw(&difference(&name, &text, &formatted, app.console.paint()));
    }
    if arguments.write
        && !arguments.check
        && let Err(error) = replace_file(file, formatted.as_bytes())
    {
        let detail = format!("Cannot write `{name}`: {error}. It is as it was.");
        return fail(app, Diagnostic::error("Configuration not writable", detail).remedied(&error));
    }
    if arguments.check { Exit::Unformatted } else { Exit::Success }
}

/// A text that does not parse; its diagnostics have no source map of their own.
fn complain(app: &App, problems: Diagnostics, name: &str, text: &str) -> Exit {
    let mut sources = SourceMap::default();
    sources.add(name, text);
    app.complain(&problems, &sources);
    Exit::Unformattable
}

fn fail(app: &App, error: Diagnostic) -> Exit {
    app.fail(error);
    Exit::Unformattable
}

fn difference(name: &str, before: &str, after: &str, paint: Paint) -> String {
    let diff = TextDiff::from_lines(before, after);
    let text = diff.unified_diff().context_radius(3).header(&format!("old/{name}"), &format!("new/{name}")).to_string();
    let line = |line: &str| match line.chars().next() {
        Some('+') => paint.on(Color::Green, line),
        Some('-') => paint.on(Color::Red, line),
        Some('@') => paint.on(Color::Cyan, line),
        _ => line.to_owned(),
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

/// The files that a path means, sorted: itself, or the configuration and variable files of a folder.
fn files(here: &Path, path: &Path, recursive: bool) -> Result<Vec<PathBuf>, Diagnostic> {
    let full = if path == Path::new(".") { here.to_owned() } else { here.join(path) };
    if full.is_file() {
        return Ok(vec![full]);
    }
    if !full.is_dir() {
        let detail = format!("There is no file or folder `{}`.", path.display());
        return Err(Diagnostic::error("Configuration not found", detail));
    }
    let mut found = Vec::new();
    walk(&full, recursive, &mut found).map_err(|error| {
        let detail = format!("Cannot list `{}`: {error}.", path.display());
        Diagnostic::error("Configuration not readable", detail)
    })?;
    found.sort();
    Ok(found)
}

fn walk(folder: &Path, recursive: bool, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if name.starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            if recursive {
                walk(&path, recursive, found)?;
            }
        } else if [".hcl", ".tf", ".tfvars"].iter().any(|extension| name.ends_with(extension)) {
            found.push(path);
        }
    }
    Ok(())
}
