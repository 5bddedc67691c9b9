//! Where the state of a checkout lay when it was last written here. If its `backend` block changes afterwards, the state begins anew in another
//! place, and everything would be made a second time: that is refused until somebody says that it is meant.
//!
//! It is a line in `.pipectl/<pipeline>/<workspace>/place`; there is none where the state lies in that folder itself. Who only reads remembers nothing.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pipectl_core::Diagnostic;
use pipectl_state::{Change, Holder, LocalStore, State, StateError, StateStore, StateWriter};

use crate::backend::Place;
use crate::project::{Project, holds_nothing};
use crate::replace_file::replace_file;

const FILE: &str = "place";

/// The place of a project's state, in one line: that of a folder begins at the root's, so that a copy of the checkout has its own.
///
/// # Errors
/// When a backend cannot be used.
pub fn today(project: &Project) -> Result<String, Diagnostic> {
    match &project.place {
        Place::Beside => Ok(in_root(project, &project.work())),
        Place::Folder(folder) => Ok(in_root(project, &folder.join(&project.workspace))),
        Place::Remote(remote) => Ok(remote.backend()?.place(&project.workspace)),
    }
}

/// A folder, beginning at the root's where it is one below it, and in one spelling.
fn in_root(project: &Project, folder: &Path) -> String {
    let folder: PathBuf = folder.components().collect();
    folder.strip_prefix(&project.folder).unwrap_or(&folder).display().to_string()
}

/// The place that is remembered, or else that beside the root, where a state lies there; `None` where nothing was written yet.
fn former(project: &Project) -> Result<Option<String>, Diagnostic> {
    let file = project.work().join(FILE);
    match std::fs::read_to_string(&file) {
        Ok(line) => return Ok(Some(line.trim_end_matches('\n').to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(source) => return Err(project.state_error(&StateError::Io { doing: "read", path: file, source })),
    }
    if matches!(project.place, Place::Beside) {
        return Ok(None);
    }
    let beside = LocalStore::new(project.work()).encrypted(project.encryption()?).read();
    // What cannot be read may hold anything.
    let is_empty = beside.is_ok_and(|state| state.is_none_or(|state| holds_nothing(&state)));
    Ok((!is_empty).then(|| in_root(project, &project.work())))
}

/// The place where the state lay before, where that is not today's.
///
/// # Errors
/// When it cannot be found out.
pub fn left(project: &Project) -> Result<Option<String>, Diagnostic> {
    let Some(former) = former(project)? else { return Ok(None) };
    Ok((former != today(project)?).then_some(former))
}

/// Refuses that a state begins where it did not lie before.
///
/// # Errors
/// When it lay in another place, or that cannot be found out.
pub fn check(project: &Project) -> Result<(), Diagnostic> {
    left(project)?.map_or(Ok(()), |former| Err(changed(project, &former)))
}

/// The error for a state that lay in another place.
pub fn changed(project: &Project, former: &str) -> Diagnostic {
    let (former, today) = (shown(project, former), today(project));
    let today = today.map_or_else(|_| "another place".to_owned(), |place| shown(project, &place));
    let detail = format!(
        "The state of this checkout lies in `{former}`, and with the settings of today it would lie in `{today}`. What it holds does not come \
         along, so everything would be made a second time. To take it along, pull it with the backend as it was, and push it with that of today."
    );
    let span = project.configuration.backend().map(|(_, body)| body.span());
    let command = |verb: &str, rest: &str| project.folders().command(verb, rest);
    Diagnostic::error("Backend configuration changed", detail)
        .or_at(span.as_ref())
        .hint(command("state pull", "> FILE"))
        .hint(command("init", "-reconfigure"))
        .hint(command("state push", "FILE"))
}

/// A place as people know it: a folder, from where they stand.
fn shown(project: &Project, place: &str) -> String {
    if place.contains("://") || Path::new(place).is_absolute() {
        place.to_owned()
    } else {
        format!("{}{place}", project.prefix())
    }
}

/// A warning for who moves on without what was there.
pub fn warning(project: &Project, former: &str) -> Diagnostic {
    let former = shown(project, former);
    let detail = format!("What the state holds in `{former}` stays there, and is not looked at any more.");
    Diagnostic::warning("State left behind", detail)
}

/// Takes the places of today for those of the states of all workspaces.
///
/// # Errors
/// When that cannot be written, or a backend cannot be used.
pub fn accept(project: &Project) -> Result<(), Diagnostic> {
    for entry in std::fs::read_dir(project.workspaces_folder()).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            let workspace = project.in_workspace(&entry.file_name().to_string_lossy());
            Memory::of(&workspace)?.write().map_err(|error| project.state_error(&error))?;
        }
    }
    Ok(())
}

/// A store of a project's state that remembers where it lies once there is one.
///
/// # Errors
/// When a backend cannot be used.
pub fn remembering(project: &Project, store: Box<dyn StateStore>) -> Result<Box<dyn StateStore>, Diagnostic> {
    Ok(Box::new(Remembering { inner: store, memory: Memory::of(project)? }))
}

/// What is to be remembered.
#[derive(Clone)]
struct Memory {
    file: PathBuf,
    /// `None`: the state lies beside the file, which is not needed.
    place: Option<String>,
}

impl Memory {
    fn of(project: &Project) -> Result<Self, Diagnostic> {
        let is_beside = project.state_folder().is_some_and(|folder| folder == project.work());
        let place = if is_beside { None } else { Some(today(project)?) };
        Ok(Self { file: project.work().join(FILE), place })
    }

    fn write(&self) -> Result<(), StateError> {
        let written = match &self.place {
            None => std::fs::remove_file(&self.file),
            Some(place) => self.write_line(&format!("{place}\n")),
        };
        match written {
            Err(source) if !is_bearable(source.kind()) => {
                Err(StateError::Io { doing: "write", path: self.file.clone(), source })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        if std::fs::read_to_string(&self.file).is_ok_and(|known| known == line) {
            return Ok(());
        }
        self.file.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        replace_file(&self.file, line.as_bytes())
    }
}

/// There was nothing to remove; or nobody may write in this checkout, which is then none that somebody edits.
fn is_bearable(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

struct Remembering<T> {
    inner: T,
    memory: Memory,
}

impl StateStore for Remembering<Box<dyn StateStore>> {
    fn read(&self) -> Result<Option<State>, StateError> {
        self.inner.read()
    }

    fn lock(&self, holder: &Holder, timeout: Duration) -> Result<Box<dyn StateWriter>, StateError> {
        let writer = self.inner.lock(holder, timeout)?;
        if !writer.state().lineage.is_empty() {
            self.memory.write()?;
        }
        Ok(Box::new(Remembering { inner: writer, memory: self.memory.clone() }))
    }

    fn break_lock(&self, id: &str) -> Result<Holder, StateError> {
        self.inner.break_lock(id)
    }
}

impl StateWriter for Remembering<Box<dyn StateWriter>> {
    fn state(&self) -> &State {
        self.inner.state()
    }

    fn begin(&mut self, lineage: &str, root: &str) -> Result<(), StateError> {
        self.inner.begin(lineage, root)?;
        self.memory.write()
    }

    fn commit(&mut self, changes: Vec<Change>) -> Result<(), StateError> {
        self.inner.commit(changes)
    }

    fn remove(&mut self) -> Result<(), StateError> {
        self.inner.remove()
    }
}
