//! Settings of the backend that stand in no configuration: what `init -backend-config` was given for this checkout. They lie beside the workspaces,
//! as arguments in our language, and count before those of the `backend` block. A secret is never among them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pipectl_core::suggest::did_you_mean;
use pipectl_core::{Diagnostic, Diagnostics, Span, Type, Value};
use pipectl_engine::{Plan, PlanSource};
use pipectl_lang::{Configuration, SourceFile, expression_text, is_identifier, parse_variable_value};

use crate::app::App;
use crate::backend;
use crate::project::Project;
use crate::replace_file::replace_file;
use crate::roots::shown;

/// Name of the file. No workspace can be called so.
const FILE: &str = ".backend.hcl";

const INVALID: &str = "Invalid -backend-config";

/// Which settings count.
#[derive(Clone, Debug)]
pub enum BackendSettings {
    /// Those that lie here, if any do.
    Stored,
    /// Others, as the text of a file.
    Given(String),
}

impl BackendSettings {
    /// Adds them to a configuration. `folder` is that of the pipeline's workspaces. What is wrong is returned.
    pub fn add_to(self, configuration: &mut Arc<Configuration>, folder: &Path) -> Diagnostics {
        let path = folder.join(FILE);
        let text = match self {
            BackendSettings::Given(text) => text,
            BackendSettings::Stored if configuration.backend().is_none() => return Diagnostics::new(),
            BackendSettings::Stored => match std::fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Diagnostics::new(),
                Err(error) => {
                    let detail = format!("Cannot read `{}`: {error}.", path.display());
                    return Diagnostic::error("Settings of the backend not readable", detail).into();
                }
            },
        };
        let file = SourceFile { name: name_in(folder), text };
        Arc::make_mut(configuration).complete_backend(&file)
    }
}

/// The file as messages and plans name it.
fn name_in(folder: &Path) -> String {
    Path::new(".pipectl").join(folder.file_name().unwrap_or_default()).join(FILE).display().to_string()
}

/// The settings that complete a project's backend, as a plan keeps them.
pub fn of(project: &Project) -> Option<PlanSource> {
    let name = name_in(&project.workspaces_folder());
    let (_, source) = project.configuration.sources.iter().find(|(_, source)| source.name == name)?;
    Some(PlanSource { folder: name.clone(), name, text: source.text.to_string() })
}

/// An error where a plan was made with other settings than those of a project: the state may lie elsewhere.
pub fn differ_from_plan(project: &Project, plan: &Plan) -> Option<Diagnostic> {
    let name = name_in(&project.workspaces_folder());
    let planned = plan.sources.iter().find(|source| source.folder == name);
    if of(project).as_ref() == planned {
        return None;
    }
    let detail = "The plan was made with other settings from `init -backend-config` than there are here, so its state may lie elsewhere. A plan \
                  is applied only with the settings that it was made with.";
    Some(
        Diagnostic::error("Backend of the plan differs", detail)
            .hint(project.folders().command("init", "-reconfigure -backend-config=..., as before the plan was made"))
            .hint(project.folders().command("plan", "-out=FILE")),
    )
}

/// Refuses to leave the state behind that stored settings lead to.
///
/// # Errors
/// When there are settings here, and `text` is another.
pub fn check_unchanged(project: &Project, text: &str) -> Result<(), Diagnostic> {
    match of(project) {
        Some(stored) if stored.text != text => {
            let detail = "The settings given are not those that are stored for this checkout. With them the state lies elsewhere, and what it \
                          holds now does not come along. To take it along, pull it before and push it after.";
            let command = |verb: &str, rest: &str| project.folders().command(verb, rest);
            Err(Diagnostic::error("Backend configuration changed", detail)
                .hint(command("state pull", "> FILE"))
                .hint(command("init", "-reconfigure -backend-config=..."))
                .hint(command("state push", "FILE")))
        }
        Some(_) | None => Ok(()),
    }
}

/// An error where a root's settings lie under another name, and none under this one: its pipeline was renamed.
pub fn left_under_another_name(project: &Project) -> Option<Diagnostic> {
    let block = project.configuration.pipeline.as_ref()?;
    let own = project.workspaces_folder();
    if project.configuration.backend().is_none() || own.join(FILE).exists() {
        return None;
    }
    let begins = header(&project.entry);
    let siblings = std::fs::read_dir(own.parent()?).into_iter().flatten().flatten();
    let mut of_root = siblings
        .filter(|entry| std::fs::read_to_string(entry.path().join(FILE)).is_ok_and(|text| text.starts_with(&begins)));
    let name = of_root.next()?.file_name().to_string_lossy().into_owned();
    let (root, pipeline) = (&project.entry, &project.pipeline);
    let detail = format!(
        "`{root}` has settings from `init -backend-config` under the name \"{name}\", and now its pipeline is called \"{pipeline}\". Without \
         them its state may lie elsewhere. They go along, or are no longer wanted."
    );
    let states = format!("{}.pipectl", project.prefix());
    let problem = Diagnostic::error("Pipeline renamed", detail).at(block.span.clone());
    let stored = format!("{states}/{name}/{FILE}");
    Some(
        problem
            .hint(format!("mkdir -p {states}/{pipeline} && mv {stored} {states}/{pipeline}/"))
            .hint(format!("rm {stored}")),
    )
}

/// The first line of the file: by it a root whose pipeline has another name now knows its own.
fn header(root: &str) -> String {
    format!("# What `init -backend-config` was given for {root}.\n")
}

/// What `-backend-config` was given, as the text of the file; `None` where nothing was.
///
/// # Errors
/// Words that are neither a file nor an assignment, files that cannot be read, arguments that the backend has not, and secrets.
pub fn of_arguments(app: &App, project: &Project, words: &[String]) -> Result<Option<String>, Diagnostics> {
    if words.is_empty() {
        return Ok(None);
    }
    let Some((kind, _)) = project.configuration.backend() else {
        let detail = "-backend-config was used without a \"backend\" block in the configuration: it completes one.";
        let problem = Diagnostic::error("Missing backend configuration", detail);
        return Err(problem.hint("terraform {\n  backend \"s3\" {}\n}").into());
    };
    let schema = backend::schema(kind);
    let (mut values, mut problems) = (BTreeMap::new(), Diagnostics::new());
    for word in words {
        match word.split_once('=') {
            Some((name, text)) if is_identifier(name.trim()) => {
                let name = name.trim();
                let declared = schema.as_ref().and_then(|schema| schema.attributes.get(name)).map(|found| &found.ty);
                let value = match declared {
                    // Like everything that the backend takes, it is converted when it is read.
                    None | Some(Type::String | Type::Number | Type::Bool) => Ok(Value::from(text)),
                    Some(declared) => parse_variable_value(text, Some(declared), name),
                };
                match value {
                    Ok(value) => drop(values.insert(name.to_owned(), value)),
                    Err(_) => {
                        let detail = format!(
                            "The value of `{name}` is an expression of our language, and this is none that fits."
                        );
                        problems.push(Diagnostic::error(INVALID, detail));
                    }
                }
            }
            _ => match read_file(app, &app.here.join(word)) {
                Ok(found) => values.extend(found.into_iter().map(|(name, (value, _))| (name, value))),
                Err(found) => problems.extend(found),
            },
        }
    }
    // Before anybody shows the line: a mistyped name may stand before a secret.
    if let Some(schema) = &schema {
        let known = || schema.attributes.keys().map(String::as_str);
        for name in values.keys().filter(|name| !schema.attributes.contains_key(*name)) {
            let meant = did_you_mean(name, known());
            let detail = format!("The backend \"{kind}\" takes no argument `{name}`.{meant}");
            problems.push(Diagnostic::error(INVALID, detail));
        }
    }
    for (name, attribute) in schema.iter().flat_map(|schema| &schema.attributes) {
        if attribute.sensitive && values.get(name).is_some_and(|value| !value.is_null()) {
            let detail = format!(
                "`{name}` would lie in clear in `{}`. What is secret comes from the environment of each run. {}",
                shown(&app.here, &path(project)),
                attribute.description
            );
            problems.push(Diagnostic::error("Secret in -backend-config", detail));
        }
    }
    if problems.has_errors() {
        return Err(problems);
    }
    let lines = values.iter().map(|(name, value)| format!("{name} = {}\n", expression_text(value)));
    Ok(Some(header(&project.entry) + &lines.collect::<String>()))
}

fn read_file(app: &App, path: &Path) -> Result<BTreeMap<String, (Value, Span)>, Diagnostics> {
    let name = shown(&app.here, path);
    let text = std::fs::read_to_string(path).map_err(|error| {
        // What stands after it may be a secret.
        let name = name.split_inclusive('=').next().unwrap_or_default();
        let detail = format!("`{name}` is neither a file that can be read ({error}) nor of the form name=value.");
        Diagnostic::error(INVALID, detail).hint("-backend-config='bucket=my-states'")
    })?;
    let (values, sources, problems) = pipectl_lang::parse_variable_file(SourceFile { name, text });
    if problems.has_errors() {
        app.complain(&problems, &sources);
        let detail = format!("`{}` is no file of arguments.", shown(&app.here, path));
        return Err(Diagnostic::error(INVALID, detail).into());
    }
    Ok(values)
}

fn path(project: &Project) -> PathBuf {
    project.workspaces_folder().join(FILE)
}

/// Stores settings for the commands that come. An empty text: there are none any more.
///
/// # Errors
/// When the file cannot be written or removed.
pub fn store(project: &Project, text: &str) -> Result<(), Diagnostic> {
    let path = path(project);
    let stored = if text.is_empty() {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    } else {
        std::fs::create_dir_all(project.workspaces_folder()).and_then(|()| replace_file(&path, text.as_bytes()))
    };
    stored.map_err(|error| {
        let detail = format!("Cannot write `{}`: {error}.", path.display());
        Diagnostic::error("Settings of the backend not stored", detail).remedied(&error)
    })
}
