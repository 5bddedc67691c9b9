//! States on the local disk, found from what the argument `path` of the backend `local` names:
//!
//! | `path` | is read |
//! |---|---|
//! | a file | as Terraform's state; another workspace's lies in `terraform.tfstate.d/<workspace>/` |
//! | a file ending in `.hcl` | the state of that pipeline |
//! | the folder of a root module | the state of that root module |
//! | `.pipectl/<pipeline>`, or a `path` of a backend | the workspace's state below |
//! | the folder of a state | that state |
//!
//! Nothing is locked and nothing changed.

use std::path::{Path as FilePath, PathBuf};

use pipectl_core::{Diagnostic, Path, Value};
use pipectl_provider::{Cx, Environment};
use pipectl_state::{Encryption, LocalStore, Passphrase, State, StateError, StateStore as _, terraform};

/// What the argument `config` may hold.
pub(crate) const ARGUMENTS: [&str; 3] = ["path", "workspace_dir", "passphrase"];

/// Terraform's state, where nobody says otherwise.
const TERRAFORM_FILE: &str = "terraform.tfstate";
/// Where Terraform keeps the states of other workspaces.
const TERRAFORM_WORKSPACES: &str = "terraform.tfstate.d";
/// The workspace that every root module has, and the name of what has no `pipeline` block.
const DEFAULT: &str = "default";
/// Environment variables with passphrases of encrypted states.
const PASSPHRASES: [&str; 2] = ["PIPECTL_PASSPHRASE", "PIPECTL_OLD_PASSPHRASE"];

/// The state of a workspace. `config` is the argument of that name.
///
/// # Errors
/// When there is no state, or it cannot be read.
pub(crate) fn read(cx: &Cx, config: &Value, workspace: &str) -> Result<State, Diagnostic> {
    let text = |name: &str| config.attribute(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let shown = text("path").unwrap_or(TERRAFORM_FILE);
    let path = cx.root.join(shown);
    let encryption = encryption(text("passphrase"), &*cx.environment)?;
    let missing = || missing(shown, workspace);
    if path.is_dir() {
        let folder = state_folder(&path, workspace).ok_or_else(missing)?;
        return open(folder, &encryption, shown)?.ok_or_else(missing);
    }
    if shown.ends_with(".hcl") {
        return of_pipeline(&path, workspace, &encryption, shown)?.ok_or_else(missing);
    }
    let file = match workspace {
        DEFAULT => path,
        workspace => {
            cx.root.join(text("workspace_dir").unwrap_or(TERRAFORM_WORKSPACES)).join(workspace).join(TERRAFORM_FILE)
        }
    };
    of_terraform(&file, shown)?.ok_or_else(missing)
}

/// The folder of a state that a folder means.
fn state_folder(path: &FilePath, workspace: &str) -> Option<PathBuf> {
    let candidates = [path.to_owned(), path.join(workspace), path.join(".pipectl").join(DEFAULT).join(workspace)];
    candidates.into_iter().find(|folder| folder.join("log").is_file())
}

/// The state that remembers a file as its root.
fn of_pipeline(
    file: &FilePath,
    workspace: &str,
    encryption: &Encryption,
    shown: &str,
) -> Result<Option<State>, Diagnostic> {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else { return Ok(None) };
    let pipelines = std::fs::read_dir(folder.join(".pipectl")).into_iter().flatten().flatten();
    let mut unreadable = None;
    for pipeline in pipelines {
        match open(pipeline.path().join(workspace), encryption, shown) {
            Ok(Some(state)) if *state.root == *name => return Ok(Some(state)),
            Ok(_) => {}
            // It may be another pipeline's, with a passphrase of its own.
            Err(problem) => unreadable = Some(problem),
        }
    }
    unreadable.map_or(Ok(None), Err)
}

fn open(folder: PathBuf, encryption: &Encryption, shown: &str) -> Result<Option<State>, Diagnostic> {
    LocalStore::new(folder).encrypted(encryption.clone()).read().map_err(|error| not_opened(&error, shown))
}

/// A state that is there and cannot be read.
pub(crate) fn not_opened(error: &StateError, shown: &str) -> Diagnostic {
    let problem = error.diagnostic();
    match error {
        StateError::Encryption { .. } => {
            let detail = format!("The state of `{shown}` is encrypted. {}", problem.detail);
            Diagnostic::error("Remote state not decrypted", detail)
                .on(Path::of("config"))
                .hint("config = { .., passphrase = secret(\"env:NAME\") }")
                .hint(format!("export {}=..", PASSPHRASES[0]))
        }
        _ => problem.on(Path::of("config")),
    }
}

fn of_terraform(file: &FilePath, shown: &str) -> Result<Option<State>, Diagnostic> {
    let unusable = |detail: String| Diagnostic::error("Error loading state error", detail).on(Path::of("config"));
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(format!("Cannot read `{shown}`: {error}."))),
    };
    match terraform::read(&text) {
        Ok(imported) => Ok(Some(imported.state)),
        Err(error) => Err(unusable(format!("`{shown}` cannot be read: {error}."))),
    }
}

/// Whatever passphrase is known may open it.
pub(crate) fn encryption(argument: Option<&str>, environment: &dyn Environment) -> Result<Encryption, Diagnostic> {
    let mut encryption = Encryption::none();
    if let Some(text) = argument {
        let passphrase = Passphrase::new(text).map_err(|error| {
            Diagnostic::error("Passphrase too short", format!("The argument `passphrase` cannot be used: {error}."))
                .on(Path::of("config").name("passphrase"))
        })?;
        encryption = encryption.also_opening(passphrase);
    }
    let given = PASSPHRASES.iter().filter_map(|name| environment.variable(name));
    // One that is too short opens nothing.
    Ok(given.filter_map(|text| Passphrase::new(text).ok()).fold(encryption, |all, one| all.also_opening(one)))
}

pub(crate) fn missing(shown: &str, workspace: &str) -> Diagnostic {
    let detail = format!(
        "No stored state was found for the workspace \"{workspace}\" at `{shown}`. It has to be applied before its outputs can be read."
    );
    Diagnostic::error("Unable to find remote state", detail).on(Path::of("config"))
}
