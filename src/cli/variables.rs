//! Values of variables from where people put them, weakest first: `TF_VAR_name`, `terraform.tfvars`, `terraform.tfvars.json`,
//! `*.auto.tfvars` and `*.auto.tfvars.json` in order of their names, then `-var` and `-var-file` in the order of the command line.

use std::path::Path;

use pipectl_core::{Diagnostic, Diagnostics, SourceMap, Span};
use pipectl_engine::{InputValue, Origin, VariableInput};
use pipectl_lang::{SourceFile, parse_variable_file};

use crate::arguments::VariableSetting;
use crate::roots::shown;

/// Collects the values for a root module in `folder`. Files that are read join `sources`, so that spans in them can be shown.
///
/// # Errors
/// Files that cannot be read or parsed, and settings that are no assignments: all of them. Warnings come with the values.
pub fn collect(
    here: &Path,
    folder: &Path,
    environment: impl Iterator<Item = (String, String)>,
    settings: &[VariableSetting],
    sources: &mut SourceMap,
) -> Result<(Vec<VariableInput>, Diagnostics), Diagnostics> {
    let mut inputs: Vec<VariableInput> = environment
        .filter_map(|(name, value)| {
            let name = name.strip_prefix("TF_VAR_")?.to_owned();
            Some(VariableInput { name, value: InputValue::Text(value), origin: Origin::Environment })
        })
        .collect();
    inputs.sort_by(|a, b| a.name.cmp(&b.name));
    let (automatic, mut diagnostics) = collect_automatic(here, folder, sources);
    inputs.extend(automatic);
    for setting in settings {
        match setting {
            VariableSetting::File(file) => read_file(here, &here.join(file), sources, &mut inputs, &mut diagnostics),
            VariableSetting::Assignment(text) => match assignment(text) {
                Ok((name, value)) => inputs.push(VariableInput {
                    name: name.to_owned(),
                    value: InputValue::Text(value.to_owned()),
                    origin: Origin::CommandLine,
                }),
                Err(problem) => diagnostics.push(problem),
            },
        }
    }
    diagnostics.result(inputs)
}

/// The values in the files of a folder that are read without being named. What is wrong comes along.
pub fn collect_automatic(here: &Path, folder: &Path, sources: &mut SourceMap) -> (Vec<VariableInput>, Diagnostics) {
    let (mut inputs, mut diagnostics) = (Vec::new(), Diagnostics::new());
    for file in automatic_files(folder) {
        read_file(here, &file, sources, &mut inputs, &mut diagnostics);
    }
    (inputs, diagnostics)
}

/// The name and the value of `name=value`.
fn assignment(text: &str) -> Result<(&str, &str), Diagnostic> {
    const SUMMARY: &str = "Invalid -var option";
    let Some((name, value)) = text.split_once('=') else {
        let detail = format!(
            "The given -var option {text:?} is not correctly specified. It must be a variable name and value separated by an equals sign."
        );
        return Err(Diagnostic::error(SUMMARY, detail).hint("-var 'workers=4'"));
    };
    if name.ends_with(char::is_whitespace) {
        let detail = format!("The variable name {name:?} is invalid due to trailing space.");
        return Err(Diagnostic::error(SUMMARY, detail).hint(format!("-var '{}=...'", name.trim())));
    }
    Ok((name, value))
}

fn automatic_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let is_automatic = |path: &std::path::PathBuf| {
        let name = path.to_string_lossy();
        name.ends_with(".auto.tfvars") || name.ends_with(".auto.tfvars.json")
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut automatic: Vec<_> = entries.map(|entry| entry.path()).filter(is_automatic).collect();
    automatic.sort();
    let usual = ["terraform.tfvars", "terraform.tfvars.json"].map(|name| folder.join(name));
    // A link that leads nowhere and a folder are read, so that they are reported.
    usual.into_iter().filter(|path| path.symlink_metadata().is_ok()).chain(automatic).collect()
}

fn read_file(
    here: &Path,
    path: &Path,
    sources: &mut SourceMap,
    inputs: &mut Vec<VariableInput>,
    diagnostics: &mut Diagnostics,
) {
    let name = shown(here, path);
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let detail = format!("Cannot read the variable file `{name}`: {error}.");
            diagnostics.push(Diagnostic::error("Failed to read variables file", detail));
            return;
        }
    };
    let (values, own_sources, problems) = parse_variable_file(SourceFile { name: name.clone(), text });
    // The file was parsed on its own: its spans are moved to where it stands among all files.
    let mut places = Vec::new();
    for (_, source) in own_sources.iter() {
        places.push(sources.add(source.name.clone(), source.text.clone()));
    }
    let moved =
        |span: Span| Span { source: places.get(span.source.0 as usize).copied().unwrap_or(span.source), ..span };
    for mut problem in problems {
        problem.span = problem.span.map(moved);
        diagnostics.push(problem);
    }
    for (variable, (value, span)) in values {
        inputs.push(VariableInput {
            name: variable,
            value: InputValue::Value(value, Some(moved(span))),
            origin: Origin::File(name.clone()),
        });
    }
}
