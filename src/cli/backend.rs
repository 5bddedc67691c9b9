//! Where the state is kept: the `backend` block of a pipeline, or of Terraform's settings.
//!
//! The backend `local` is a folder: its `path` takes the place of `.pipectl/<pipeline>` and holds a folder for each workspace. Terraform's `path`
//! names a file; beside it, in `<path without .tfstate>.pipectl`, lies ours. All other backends are crates of their own; [`kinds`] lists them.

use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, OnceLock};

use pipectl_core::{Attribute, Diagnostic, Diagnostics, Schema, Severity, Type, Value};
use pipectl_lang::{Body, Configuration, Scope, decode};
use pipectl_provider::Environment;
use pipectl_state::{Backend, BackendKind};

const LOCAL: &str = "local";

/// The backends of this build, besides `local`.
pub fn kinds() -> Vec<Arc<dyn BackendKind>> {
    vec![
        #[cfg(feature = "s3")]
        Arc::new(pipectl_backend_s3::S3),
    ]
}

/// What a backend takes, if there is one of this name.
pub fn schema(name: &str) -> Option<Schema> {
    match name {
        LOCAL => Some(schema_of_local()),
        _ => kinds().iter().find(|kind| kind.name() == name).map(|kind| kind.schema()),
    }
}

/// Where the states of a root module's workspaces lie.
#[derive(Clone, Debug)]
pub enum Place {
    /// Beside the root, where nobody says otherwise.
    Beside,
    /// In a folder of this disk.
    Folder(PathBuf),
    /// Somewhere else.
    Remote(Arc<Remote>),
}

/// A place that is not on this disk. It is gone to only when it is needed.
pub struct Remote {
    kind: Arc<dyn BackendKind>,
    arguments: Value,
    body: Body,
    root: PathBuf,
    opened: OnceLock<Result<Arc<dyn Backend>, Diagnostic>>,
}

impl fmt::Debug for Remote {
    /// Without arguments: there may be keys among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Remote {
    /// The backend.
    ///
    /// # Errors
    /// When what the block or the environment says cannot be used.
    pub fn backend(&self) -> Result<Arc<dyn Backend>, Diagnostic> {
        let open = || {
            let opened = self.kind.open(&self.arguments, &self.root).map_err(|problems| placed(problems, &self.body));
            opened.map(Arc::from).map_err(|problems| {
                problems
                    .into_iter()
                    .find(|problem| problem.severity == Severity::Error)
                    .expect("a backend that is refused is refused for a reason")
            })
        };
        self.opened.get_or_init(open).clone()
    }
}

/// Where the states of a root module's workspaces lie, and what is to be said about that. `folder` is the root's.
///
/// # Errors
/// When the block cannot be followed: to go on without it could put a state in the wrong place.
pub fn place(configuration: &Configuration, folder: &FilePath) -> Result<(Place, Diagnostics), Misplaced> {
    let Some((kind, body)) = configuration.backend() else { return Ok((Place::Beside, Diagnostics::new())) };
    if kind == LOCAL {
        let path = path(body)?.map(|path| match &configuration.pipeline {
            Some(pipeline) if pipeline.backend.is_some() => path,
            _ => beside_terraform(path),
        });
        return Ok((path.map_or(Place::Beside, |path| Place::Folder(folder.join(path))), Diagnostics::new()));
    }
    let kinds = kinds();
    let Some(kind) = kinds.iter().find(|known| known.name() == kind) else {
        let names: Vec<String> = std::iter::once(LOCAL)
            .chain(kinds.iter().map(|kind| kind.name()))
            .map(|name| format!("\"{name}\""))
            .collect();
        let detail = format!("There is no backend \"{kind}\". Backends are {}.", names.join(", "));
        return Err(Misplaced::Wrong(Diagnostic::error("Unsupported backend", detail).at(body.span()).into()));
    };
    let mut schema = kind.schema();
    let required = required(&mut schema);
    let (arguments, mut problems) = decode(body, &schema, &Scope::constant());
    if problems.has_errors() {
        return Err(problems.into());
    }
    let is_missing = |name: &String| arguments.attribute(name).is_none_or(Value::is_null);
    let missing: Vec<String> = required.into_iter().filter(is_missing).collect();
    if !missing.is_empty() {
        return Err(incomplete(kind.name(), &missing, body));
    }
    problems.extend(placed(kind.check(&arguments), body));
    if problems.has_errors() {
        return Err(problems.into());
    }
    let (kind, body, root) = (Arc::clone(kind), body.clone(), folder.to_owned());
    let remote = Remote { kind, arguments, body, root, opened: OnceLock::new() };
    Ok((Place::Remote(Arc::new(remote)), problems))
}

/// Why it is open where the state lies.
#[derive(Debug)]
pub enum Misplaced {
    /// The block is wrong.
    Wrong(Diagnostics),
    /// It lacks arguments, which `init -backend-config` would give. Who does not look at the state does without.
    Incomplete {
        /// The error.
        problem: Diagnostic,
        /// What `init` is to be given.
        given: String,
    },
}

impl From<Diagnostics> for Misplaced {
    fn from(problems: Diagnostics) -> Self {
        Misplaced::Wrong(problems)
    }
}

/// The required attributes of a schema, which requires none from then on.
fn required(schema: &mut Schema) -> Vec<String> {
    let attributes = schema.attributes.iter_mut().filter(|(_, attribute)| attribute.required);
    let each = attributes.map(|(name, attribute)| {
        (attribute.required, attribute.optional) = (false, true);
        name.clone()
    });
    each.collect()
}

fn incomplete(kind: &str, missing: &[String], body: &Body) -> Misplaced {
    let detail = format!(
        "The backend \"{kind}\" needs {}. They stand in the block, or are given to `init` for this checkout.",
        missing.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
    );
    let given: Vec<String> = missing.iter().map(|name| format!("-backend-config='{name}=...'")).collect();
    let problem = Diagnostic::error("Incomplete backend", detail).at(body.span());
    Misplaced::Incomplete { problem, given: given.join(" ") }
}

/// What is wrong with arguments of a block, where they stand.
pub fn placed(problems: Diagnostics, body: &Body) -> Diagnostics {
    let at = |problem: Diagnostic| {
        let span = problem.path.as_ref().and_then(|path| body.span_of(path)).unwrap_or_else(|| body.span());
        problem.or_at(Some(&span))
    };
    problems.into_iter().map(at).collect()
}

/// A warning when a job of continuous integration keeps the state in its own checkout, where it is lost with the job.
pub fn warning(configuration: &Configuration, environment: &dyn Environment) -> Option<Diagnostic> {
    let is_ci = environment.variable("CI").is_some_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
    if !is_ci || configuration.backend().is_some() {
        return None;
    }
    let detail = "CI is set, and the state lies in the checkout of this job: when the job ends it is lost, and the next job makes everything \
                  again. Say where it is to stay: in a bucket, or on a disk that outlives the job.";
    let (span, block, name) = match &configuration.pipeline {
        Some(block) => (Some(&block.span), format!("pipeline {:?} {{", block.name), block.name.clone()),
        None => (None, "terraform {".to_owned(), "terraform.tfstate".to_owned()),
    };
    let warning = Diagnostic::warning("State kept in a job's checkout", detail).or_at(span);
    let paste = |backend: &str| format!("{block}\n  backend {backend}\n  }}\n}}");
    let in_bucket =
        cfg!(feature = "s3").then(|| paste(&format!("\"s3\" {{\n    bucket = \"my-states\"\n    key    = \"{name}\"")));
    let warning = in_bucket.into_iter().fold(warning, Diagnostic::hint);
    Some(warning.hint(paste(&format!("\"local\" {{\n    path = \"/srv/states/{name}\""))))
}

fn schema_of_local() -> Schema {
    let description = "Where the states of all workspaces lie, relative to the root's folder.";
    Schema::of([("path", Attribute::optional(Type::String, description))])
}

fn path(body: &Body) -> Result<Option<PathBuf>, Diagnostics> {
    let (arguments, problems) = decode(body, &schema_of_local(), &Scope::constant());
    if problems.has_errors() {
        return Err(problems);
    }
    let text = arguments.attribute("path").and_then(Value::as_str).filter(|path| !path.is_empty());
    Ok(text.map(PathBuf::from))
}

/// Where we keep the states of a folder that Terraform keeps in a file.
fn beside_terraform(file: PathBuf) -> PathBuf {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = name.strip_suffix(".tfstate").unwrap_or(&name);
    file.with_file_name(format!("{stem}.pipectl"))
}
