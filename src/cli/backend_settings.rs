//! Settings of the backend that stand in no configuration: what `init -backend-config` was given for this checkout. They lie beside the workspaces,
//! as a `backend` block in our language, and count before those of the configuration. A secret is never among them.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pipectl_core::suggest::did_you_mean;
use pipectl_core::{Diagnostic, Diagnostics, Span, Type, Value, names_user};
use pipectl_engine::{Plan, PlanSource};
use pipectl_lang::{SourceFile, expression_text, is_identifier, parse_variable_value};

use crate::app::App;
use crate::backend;
use crate::former_place;
use crate::project::Project;
use crate::replace_file::{create_file, replace_file};
use crate::roots::shown;

/// Name of the file. No workspace can be called so.
const FILE: &str = ".backend.hcl";

const INVALID: &str = "Invalid -backend-config";

const UNREADABLE: &str = "Settings of the backend not readable";

/// Which settings count.
#[derive(Clone, Debug)]
pub enum BackendSettings {
    /// Those that lie here, if any do.
    Stored,
    /// Others, as the text of a file.
    Given(String),
    /// None: those of the configuration alone.
    Ignored,
}

impl BackendSettings {
    /// Adds them to the configuration of a project. What is wrong is returned.
    pub fn add_to(self, project: &mut Project) -> Diagnostics {
        let text = match self {
            BackendSettings::Ignored => return Diagnostics::new(),
            BackendSettings::Given(text) => text,
            BackendSettings::Stored => match std::fs::read_to_string(path(project)) {
                Ok(_) if project.configuration.backend().is_none() => return nothing_to_complete(project).into(),
                Ok(text) => text,
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return left_under_another_name(project).into_iter().collect();
                }
                Err(error) => {
                    let detail = format!("Cannot read `{}`: {error}.", name(project));
                    return Diagnostic::error(UNREADABLE, detail).hint(way_out(project)).into();
                }
            },
        };
        let file = SourceFile { name: name(project), text };
        let problems = Arc::make_mut(&mut project.configuration).complete_backend(&file);
        problems.into_iter().map(|problem| problem.hint(way_out(project))).collect()
    }
}

fn path(project: &Project) -> PathBuf {
    project.workspaces_folder().join(FILE)
}

/// The file as plans name it: they are applied from other folders, too.
fn name_in_root(project: &Project) -> String {
    format!(".pipectl/{}/{FILE}", project.pipeline)
}

/// The file as messages name it.
fn name(project: &Project) -> String {
    format!("{}{}", project.prefix(), name_in_root(project))
}

/// What replaces the settings, or forgets them.
fn way_out(project: &Project) -> String {
    project.folders().command("init", "-reconfigure")
}

/// Adds to what is wrong in the stored settings, which nobody has written by hand, what replaces them.
pub fn with_way_out(project: &Project, problems: Diagnostics) -> Diagnostics {
    let name = name(project);
    let stored = project.configuration.sources.iter().find(|(_, source)| source.name == name).map(|(id, _)| id);
    let is_stored = |problem: &Diagnostic| problem.span.as_ref().is_some_and(|span| Some(span.source) == stored);
    let each = problems.into_iter().map(|problem| match is_stored(&problem) {
        true => problem.hint(way_out(project)),
        false => problem,
    });
    each.collect()
}

fn nothing_to_complete(project: &Project) -> Diagnostic {
    let detail = format!(
        "`{}` holds what `init -backend-config` was given, and the configuration has no `backend` block any more that it completes. Without the \
         block the state lies elsewhere: put it back, or forget the settings.",
        name(project)
    );
    Diagnostic::error("Settings for a backend that is not there", detail).hint(way_out(project))
}

/// The settings that complete a project's backend, as a plan keeps them.
pub fn of(project: &Project) -> Option<PlanSource> {
    let (shown, name) = (name(project), name_in_root(project));
    let (_, source) = project.configuration.sources.iter().find(|(_, source)| source.name == shown)?;
    Some(PlanSource { folder: name.clone(), name, text: source.text.to_string() })
}

/// An error where a plan was made with other settings than those of a project: the state may lie elsewhere.
pub fn differ_from_plan(project: &Project, plan: &Plan) -> Option<Diagnostic> {
    let name = name_in_root(project);
    let planned = plan.sources.iter().find(|source| source.folder == name);
    let here = of(project);
    if here.as_ref().map(|source| lines(&source.text)) == planned.map(|source| lines(&source.text)) {
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

/// What a text of settings says, whatever else stands in it.
fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// Refuses to leave the state behind that lies where this checkout has it until now.
///
/// # Errors
/// When stored settings lead to another place than those of `after`, or cannot be followed; when a state was written to another.
pub fn check_unchanged(before: &Project, after: &Project) -> Result<(), Diagnostic> {
    if !path(before).exists() {
        return former_place::check(after);
    }
    let place = before.placed().is_ok().then(|| former_place::today(before).ok()).flatten();
    match place {
        Some(place) if place == former_place::today(after)? => Ok(()),
        Some(place) => Err(former_place::changed(after, &place)),
        None => {
            let detail = format!(
                "It is not known where the state of this checkout lies: `{}` cannot be followed. With other settings it may lie elsewhere.",
                name(before)
            );
            Err(Diagnostic::error(UNREADABLE, detail).hint(way_out(before)))
        }
    }
}

/// An error where a root's settings lie under another name, and none under this one: its pipeline was renamed.
fn left_under_another_name(project: &Project) -> Option<Diagnostic> {
    let block = project.configuration.pipeline.as_ref().filter(|_| project.configuration.backend().is_some())?;
    let own = project.workspaces_folder();
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
    format!("# What `init -backend-config` was given for `{root}`.\n")
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
            problems.push(secret(project, name, &attribute.description));
        }
    }
    for (name, _) in values.iter().filter(|(_, value)| holds_user(value)) {
        problems.push(secret(project, name, "A URL holds no user and no password."));
    }
    if problems.has_errors() {
        return Err(problems);
    }
    let lines: String = values.iter().map(|(name, value)| format!("  {name} = {}\n", expression_text(value))).collect();
    Ok(Some(format!("{}backend {kind:?} {{\n{lines}}}\n", header(&project.entry))))
}

fn secret(project: &Project, argument: &str, rest: &str) -> Diagnostic {
    let detail = format!(
        "`{argument}` would lie in clear in `{}`. What is secret comes from the environment of each run. {rest}",
        name(project)
    );
    Diagnostic::error("Secret in -backend-config", detail)
}

/// Whether a URL somewhere in a value names a user.
fn holds_user(value: &Value) -> bool {
    let of_text = value.as_str().is_some_and(names_user);
    let of_items = value.as_slice().is_some_and(|items| items.iter().any(holds_user));
    of_text || of_items || value.as_object().is_some_and(|members| members.values().any(holds_user))
}

/// The arguments of a file. Of what is wrong in it, the place is told and no line is shown: it may hold a secret.
fn read_file(app: &App, path: &Path) -> Result<BTreeMap<String, (Value, Span)>, Diagnostics> {
    let name = shown(&app.here, path);
    let text = std::fs::read_to_string(path).map_err(|error| {
        // What follows a name may be a secret: `secret_key:..`.
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || "_-./\\~".contains(c);
        let name = name.split_once(|c| !is_of_name(c)).map_or(name.clone(), |(first, _)| format!("{first}.."));
        let detail = format!("`{name}` is neither a file that can be read ({error}) nor of the form name=value.");
        let problem = Diagnostic::error(INVALID, detail);
        problem.hint("-backend-config='bucket=my-states'").hint("-backend-config=prod.tfbackend")
    })?;
    let (values, sources, problems) = pipectl_lang::parse_variable_file(SourceFile { name: name.clone(), text });
    if !problems.has_errors() {
        return Ok(values);
    }
    let told = problems.iter().map(|problem| {
        let place = problem.span.as_ref().and_then(|span| sources.line_column(span));
        let place = place.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
        let detail = format!(
            "`{name}{place}` is not the assignment of a value to an argument: {}. The line is not shown, since it may hold a secret.",
            problem.summary
        );
        Diagnostic::error(INVALID, detail)
    });
    Err(told.collect())
}

/// What `init` does with the settings of a checkout.
#[derive(Debug)]
pub enum Storing {
    /// There were none until now, and there must be none still.
    First(String),
    /// These take the place of those that are there. `None`: there are none any more.
    Instead(Option<String>),
}

impl Storing {
    /// What is to be done with settings that do not lead away from those of a project.
    pub fn of(project: &Project, text: String) -> Self {
        if path(project).exists() { Storing::Instead(Some(text)) } else { Storing::First(text) }
    }

    /// Does it.
    ///
    /// # Errors
    /// When the file cannot be written or removed, and when somebody else has made it meanwhile.
    pub fn run(&self, project: &Project) -> Result<(), Diagnostic> {
        let path = path(project);
        let made = || std::fs::create_dir_all(project.workspaces_folder());
        let stored = match self {
            Storing::First(text) => made().and_then(|()| create_file(&path, text.as_bytes())),
            Storing::Instead(Some(text)) => made().and_then(|()| replace_file(&path, text.as_bytes())),
            Storing::Instead(None) => std::fs::remove_file(&path),
        };
        match (self, stored) {
            (_, Ok(())) => Ok(()),
            (Storing::Instead(None), Err(error)) if error.kind() == ErrorKind::NotFound => Ok(()),
            (Storing::First(text), Err(error)) if error.kind() == ErrorKind::AlreadyExists => {
                if std::fs::read_to_string(&path).is_ok_and(|other| lines(&other) == lines(text)) {
                    return Ok(());
                }
                let detail = format!("Somebody else has stored other settings in `{}` meanwhile.", name(project));
                Err(Diagnostic::error("Backend configuration changed", detail).hint(way_out(project)))
            }
            (_, Err(error)) => {
                let detail = format!("Cannot write `{}`: {error}.", name(project));
                Err(Diagnostic::error("Settings of the backend not stored", detail).remedied(&error))
            }
        }
    }
}
