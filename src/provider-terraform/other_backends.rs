//! States that are not on the local disk, found by the arguments of the backend that keeps them.
//!
//! Nothing is locked and nothing changed. Where pipectl has no state but Terraform has one, at the place where its backend of the same name would
//! put it, that is read.

use std::path::Path as FilePath;
use std::sync::Arc;

use pipectl_core::convert::convert;
use pipectl_core::{Diagnostic, Diagnostics, Path, Value};
use pipectl_provider::Cx;
use pipectl_state::{BackendKind, Encryption, State, terraform};

use crate::local_state::{encryption, missing, not_opened};

/// What the argument `config` may hold besides the backend's own arguments.
const PASSPHRASE: &str = "passphrase";

/// The arguments of the backend, and what is wrong with them. `None`: not all of them are known.
pub(crate) fn arguments(kind: &dyn BackendKind, config: &Value) -> (Option<Value>, Diagnostics) {
    let path = Path::of("config");
    let invalid = |problem: String, path: Path| {
        let detail = format!("The given configuration is not valid for backend {:?}: {problem}.", kind.name());
        (None, Diagnostic::error("Invalid backend configuration", detail).on(path).into())
    };
    if !config.is_wholly_known() {
        return (None, Diagnostics::new());
    }
    let Some(given) = config.as_object() else { return invalid("an object is required".to_owned(), path) };
    let schema = kind.schema();
    if let Some(name) = given.keys().find(|name| !schema.attributes.contains_key(*name) && *name != PASSPHRASE) {
        return invalid(format!("unexpected attribute {name:?}"), path.name(name));
    }
    let is_given = |name: &str| given.get(name).is_some_and(|value| !value.is_null());
    if let Some((name, _)) = schema.attributes.iter().find(|(name, attribute)| attribute.required && !is_given(name)) {
        return invalid(format!("attribute {name:?} is required"), path);
    }
    match convert(config, &schema.object_type()) {
        Ok(arguments) => {
            let problems = kind.check(&arguments);
            (Some(arguments), inside(problems))
        }
        Err(error) => invalid(error.to_string(), path),
    }
}

/// The state of a workspace.
///
/// # Errors
/// When there is no state, or it cannot be read.
pub(crate) async fn read(
    cx: &Cx,
    kind: &Arc<dyn BackendKind>,
    config: &Value,
    workspace: &str,
) -> Result<State, Diagnostics> {
    let (arguments, problems) = arguments(&**kind, config);
    let Some(arguments) = arguments.filter(|_| !problems.has_errors()) else { return Err(problems) };
    let passphrase = config.attribute(PASSPHRASE).and_then(Value::as_str);
    let encryption = encryption(passphrase, &*cx.environment)?;
    let (kind, workspace) = (Arc::clone(kind), workspace.to_owned());
    // A store's calls block.
    let root = cx.root.clone();
    let reading = tokio::task::spawn_blocking(move || fetch(&*kind, &arguments, &root, &workspace, encryption));
    reading.await.expect("reading a state does not panic")
}

fn fetch(
    kind: &dyn BackendKind,
    arguments: &Value,
    root: &FilePath,
    workspace: &str,
    encryption: Encryption,
) -> Result<State, Diagnostics> {
    let backend = kind.open(arguments, root).map_err(inside)?;
    let shown = backend.shown(workspace);
    let store = backend.store(workspace, encryption);
    if let Some(state) = store.read().map_err(|error| not_opened(&error, &shown))? {
        return Ok(state);
    }
    let of_terraform = backend.terraform(workspace).map_err(|error| error.diagnostic().on(Path::of("config")))?;
    let found = of_terraform.ok_or_else(|| missing(&shown, workspace))?;
    let unusable = |why: &dyn std::fmt::Display| {
        let detail = format!("`{}` cannot be read: {why}.", found.name);
        Diagnostic::error("Error loading state error", detail).on(Path::of("config"))
    };
    let text = str::from_utf8(&found.bytes).map_err(|error| unusable(&error))?;
    Ok(terraform::read(text).map_err(|error| unusable(&error))?.state)
}

/// Problems with arguments as problems with `config`.
fn inside(problems: Diagnostics) -> Diagnostics {
    let inside = |mut problem: Diagnostic| {
        let steps = problem.path.take().map(|path| path.0).unwrap_or_default();
        problem.on(Path([Path::of("config").0, steps].concat()))
    };
    problems.into_iter().map(inside).collect()
}
