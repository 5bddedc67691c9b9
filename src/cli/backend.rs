//! Where the state is kept: the `backend` block of a pipeline, or of Terraform's settings.
//!
//! There is one backend so far: `local`. Its `path` takes the place of `.pipectl/<pipeline>` and holds a folder for each workspace. Terraform's
//! `path` names a file; beside it, in `<path without .tfstate>.pipectl`, lies ours.

use std::path::PathBuf;

use pipectl_core::{Attribute, Diagnostic, Diagnostics, Schema, Type, Value};
use pipectl_lang::{Body, Configuration, Scope, decode};
use pipectl_provider::Environment;

/// Where the states of a root module's workspaces lie, seen from its folder; `None` where nobody says.
///
/// # Errors
/// When the block cannot be followed: to go on without it could put a state in the wrong place.
pub fn folder(configuration: &Configuration) -> Result<Option<PathBuf>, Diagnostics> {
    let of_pipeline = configuration.pipeline.as_ref().and_then(|block| block.backend.as_ref());
    match (of_pipeline, &configuration.terraform_backend) {
        (Some((kind, body)), _) => path(kind, body),
        (None, Some((kind, body))) => Ok(path(kind, body)?.map(beside_terraform)),
        (None, None) => Ok(None),
    }
}

/// Whether someone has said where the state is kept.
pub fn is_declared(configuration: &Configuration) -> bool {
    let of_pipeline = configuration.pipeline.as_ref().and_then(|block| block.backend.as_ref());
    of_pipeline.or(configuration.terraform_backend.as_ref()).is_some()
}

/// A warning when a job of continuous integration keeps the state in its own checkout, where it is lost with the job.
pub fn warning(configuration: &Configuration, environment: &dyn Environment) -> Option<Diagnostic> {
    let is_ci = environment.variable("CI").is_some_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
    if !is_ci || is_declared(configuration) {
        return None;
    }
    let detail = "CI is set, and the state lies in the checkout of this job: when the job ends it is lost, and the next job makes everything \
                  again. Say where it is to stay, on a disk that outlives the job.";
    let (span, block) = match &configuration.pipeline {
        Some(block) => (Some(&block.span), format!("pipeline {:?} {{", block.name)),
        None => (None, "terraform {".to_owned()),
    };
    let path = match &configuration.pipeline {
        Some(block) => format!("/srv/states/{}", block.name),
        None => "/srv/states/terraform.tfstate".to_owned(),
    };
    let paste = format!("{block}\n  backend \"local\" {{\n    path = \"{path}\"\n  }}\n}}");
    Some(Diagnostic::warning("State kept in a job's checkout", detail).or_at(span).hint(paste))
}

fn path(kind: &str, body: &Body) -> Result<Option<PathBuf>, Diagnostics> {
    if kind != "local" {
        let detail = format!("The state can be kept on a local disk only; there is no backend \"{kind}\" yet.");
        return Err(Diagnostic::error("Unsupported backend", detail).at(body.span()).into());
    }
    let description = "Where the states of all workspaces lie, relative to the root's folder.";
    let schema = Schema::of([("path", Attribute::optional(Type::String, description))]);
    let (arguments, problems) = decode(body, &schema, &Scope::constant());
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
