//! Values of variables from where people put them, weakest first: `TF_VAR_name`, `terraform.tfvars`, `terraform.tfvars.json`,
//! `*.auto.tfvars` and `*.auto.tfvars.json` in order of their names, then `-var` and `-var-file` in the order of the command line.

use std::path::Path;

use pipectl_core::{Diagnostic, Diagnostics, SourceMap, Span, Value};
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
    let mut diagnostics = Diagnostics::new();
    let automatic = automatic_files(folder);
    for file in automatic {
        read_file(here, &file, sources, &mut inputs, &mut diagnostics);
    }
    for setting in settings {
        match setting {
            VariableSetting::File(file) => read_file(here, &here.join(file), sources, &mut inputs, &mut diagnostics),
            VariableSetting::Assignment(text) => match text.split_once('=') {
                Some((name, value)) if !name.trim().is_empty() => inputs.push(VariableInput {
                    name: name.trim().to_owned(),
                    value: InputValue::Text(value.to_owned()),
                    origin: Origin::CommandLine,
                }),
                _ => diagnostics.push(
                    Diagnostic::error(
                        "Invalid variable setting",
                        "An argument of -var is the name of a variable, an equals sign, and its value.",
                    )
                    .hint("-var 'workers=4'"),
                ),
            },
        }
    }
    diagnostics.result(inputs)
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
    usual.into_iter().filter(|path| path.is_file()).chain(automatic).collect()
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
            diagnostics.push(Diagnostic::error("Variable file not readable", detail));
            return;
        }
    };
    if name.ends_with(".json") {
        match read_json(&text) {
            Ok(values) => inputs.extend(values.into_iter().map(|(variable, value)| VariableInput {
                name: variable,
                value: InputValue::Value(value, None),
                origin: Origin::File(name.clone()),
            })),
            Err(why) => {
                let detail = format!("The variable file `{name}` is no JSON object: {why}.");
                diagnostics.push(Diagnostic::error("Invalid variable file", detail));
            }
        }
        return;
    }
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

/// The values of a variable file in JSON. Its strings are no templates; the key `//` is a comment.
fn read_json(text: &str) -> Result<Vec<(String, Value)>, String> {
    let members: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|error| error.to_string())?;
    let values = members.into_iter().filter(|(name, _)| name != "//");
    Ok(values.map(|(name, json)| (name, pipectl_core::json::from_json(&json))).collect())
}
