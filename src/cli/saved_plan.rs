//! Saved plans as commands meet them: a file, told from other files by its first bytes, and opened with the passphrase of the root module that it
//! was made for.

use std::path::{Path, PathBuf};

use pipectl_core::{Diagnostic, Diagnostics, SourceMap};
use pipectl_engine::{Planned, VariableInput, is_plan_file, root_of_plan_file};
use pipectl_state::Encryption;

use crate::app::App;
use crate::encryption;
use crate::project::Project;
use crate::roots::{self, WithoutFiles};

/// The bytes of a saved plan; `None` when the path is something else.
pub fn read(path: &Path) -> Option<Vec<u8>> {
    let bytes = path.is_file().then(|| std::fs::read(path).ok())??;
    is_plan_file(&bytes).then_some(bytes)
}

/// The folder of the root module that a plan is for: where files with values of its variables lie.
pub fn folder(app: &App, bytes: &[u8]) -> PathBuf {
    let root = app.here.join(root_of_plan_file(bytes).unwrap_or_default());
    match root.parent() {
        Some(folder) if !root.is_dir() => folder.to_owned(),
        _ => root,
    }
}

/// Opens a saved plan. `inputs` are values for what it does not hold.
///
/// # Errors
/// When it cannot be opened, and the files that the findings are in.
pub fn open(app: &App, bytes: &[u8], inputs: &[VariableInput]) -> Result<Planned, (Diagnostics, SourceMap)> {
    let encryption = encryption_for(app, bytes).map_err(|(problem, sources)| (problem.into(), sources))?;
    Planned::open(bytes, inputs, &encryption).map_err(|problems| (problems, SourceMap::default()))
}

/// Opens a saved plan to look at it: what it does not hold stays unknown.
///
/// # Errors
/// When it cannot be opened, and the files that the findings are in.
pub fn look(app: &App, bytes: &[u8]) -> Result<Planned, (Diagnostics, SourceMap)> {
    let encryption = encryption_for(app, bytes).map_err(|(problem, sources)| (problem.into(), sources))?;
    Planned::look(bytes, &encryption).map_err(|problems| (problems, SourceMap::default()))
}

/// How the root module of a plan is encrypted today. Where its file is not there any more, the environment decides alone.
fn encryption_for(app: &App, bytes: &[u8]) -> Result<Encryption, (Diagnostic, SourceMap)> {
    let root = root_of_plan_file(bytes)
        .and_then(|root| roots::discover(&app.here, Some(Path::new(&root)), WithoutFiles::Refused).ok());
    match root.and_then(|roots| roots.into_iter().next()) {
        Some(root) => {
            let (project, _) = Project::load(root, &app.environment);
            project.encryption().map_err(|problem| (problem, project.configuration.sources.clone()))
        }
        None => encryption::of_environment(&*app.environment).map_err(|problem| (problem, SourceMap::default())),
    }
}
