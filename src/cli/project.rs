//! A root module that is being worked on: its configuration, its state, its artifacts, and the folders that belong to it.
//!
//! The state lies beside the root, in `.pipectl/<pipeline, or "default">/<workspace>/`, so that the working folder never matters.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use pipectl_artifact::LocalStore as ArtifactFolder;
use pipectl_core::{Address, Diagnostic, Diagnostics, SourceMap};
use pipectl_engine::{Folders, Seed, leave_behind};
use pipectl_lang::{Configuration, Files};
use pipectl_provider::{ArtifactStore, Environment, Registry};
use pipectl_state::{Encryption, LocalStore, State, StateError, StateStore};

use crate::artifact_store::Shared;
use crate::backend::{self, Misplaced, Place};
use crate::backend_settings::{self, BackendSettings};
use crate::environment::started_in;
use crate::files::RootFiles;
use crate::former_place;
use crate::roots::Root;
use crate::spelling::for_shell;
use crate::view::figures::count;
use crate::{encryption, required_version};

/// Name of what has no `pipeline` block, and of the usual workspace.
pub const DEFAULT: &str = "default";

/// File beside the folders of a pipeline's workspaces: the name of the one that is selected. No workspace can be called so.
const SELECTED: &str = ".workspace";

/// Environment variable that selects a workspace, whatever the file says.
pub const OVERRIDE: &str = "TF_WORKSPACE";

/// Name of the artifact store's folder, beside those of the states.
pub const STORE: &str = "store";

/// The outputs that a state has lost because it is not encrypted any more.
#[derive(Debug, Default)]
pub struct LeftBehind(Arc<Mutex<BTreeSet<String>>>);

impl LeftBehind {
    /// A warning where there are any.
    pub fn warning(&self) -> Option<Diagnostic> {
        let outputs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let names: Vec<&str> = outputs.iter().map(String::as_str).collect();
        let detail = format!(
            "This state is not encrypted any more, and these outputs may hold secrets, which are never stored in clear: {}. They are no longer in the \
             state. The next apply sets those that may be in clear.",
            names.join(", ")
        );
        (!names.is_empty()).then(|| Diagnostic::warning("Outputs removed from the state", detail))
    }
}

/// A root module with its configuration.
pub struct Project {
    /// Its folder.
    pub folder: PathBuf,
    /// Its file, or `.`: what its state remembers it by.
    pub entry: String,
    /// What people call it.
    pub shown: String,
    /// Its configuration.
    pub configuration: Arc<Configuration>,
    /// The pipeline's name, or `default`.
    pub pipeline: String,
    /// The workspace: `TF_WORKSPACE`, or the selected one, or `default`.
    pub workspace: String,
    environment: Arc<dyn Environment>,
    /// Where artifacts are shared with other machines.
    shared: Option<Shared>,
    /// Where the states of all workspaces lie.
    pub place: Place,
    /// What leaves it open where the state lies. Then nobody must read or write one.
    unplaced: Diagnostics,
    /// What lacks for it to be known where the state lies.
    pub incomplete: Option<Diagnostic>,
    /// How the state is encrypted: found out when it is first asked for, since that needs the passphrase.
    encryption: OnceLock<Result<Encryption, Diagnostic>>,
}

impl Project {
    /// Reads the configuration of a root module. All that is wrong with it is in the diagnostics; the project is there in any case.
    pub fn load(root: Root, environment: &Arc<dyn Environment>) -> (Self, Diagnostics) {
        let (project, mut diagnostics) = Self::load_with(root, environment, BackendSettings::Stored);
        diagnostics.extend(project.incomplete.clone());
        (project, diagnostics)
    }

    /// The same for who does not look at the state: where it lies may be left to `init -backend-config`.
    pub fn load_without_state(root: Root, environment: &Arc<dyn Environment>) -> (Self, Diagnostics) {
        Self::load_with(root, environment, BackendSettings::Ignored)
    }

    /// The same with other settings of the backend than those that are stored.
    pub fn load_with(root: Root, environment: &Arc<dyn Environment>, settings: BackendSettings) -> (Self, Diagnostics) {
        let folders = root.module_folders();
        let (configuration, mut diagnostics) = pipectl_lang::load_with_modules(root.sources, &folders);
        diagnostics.extend(folders.passed_over());
        diagnostics.extend(required_version::check(&configuration));
        let unplaced = diagnostics.has_errors() && configuration.pipeline.is_none() && root.entry != ".";
        let configuration = Arc::new(configuration);
        let (mut project, misplaced) =
            Self::made_of(root.folder, root.entry, root.shown, configuration, environment, settings);
        // What is wrong elsewhere in a file may hide its `pipeline` block, and with it the name of the state.
        project.unplaced = if unplaced { diagnostics.clone() } else { Diagnostics::new() };
        project.unplaced.extend(misplaced.clone());
        project.unplaced.extend(project.incomplete.clone());
        diagnostics.extend(misplaced);
        match Shared::of(&project.configuration, &project.folder) {
            Ok((shared, warnings)) => {
                project.shared = shared;
                diagnostics.extend(warnings);
            }
            Err(problems) => diagnostics.extend(problems),
        }
        if let Some(body) = project.configuration.pipeline.as_ref().and_then(|block| block.encryption.as_ref()) {
            diagnostics.extend(encryption::check(body, project.files()));
        }
        (project, diagnostics)
    }

    /// Whether it is known where the state lies.
    ///
    /// # Errors
    /// What leaves that open.
    pub fn placed(&self) -> Result<(), &Diagnostics> {
        if self.unplaced.has_errors() { Err(&self.unplaced) } else { Ok(()) }
    }

    /// Names that this program cannot follow: to go on with them would put a state in the wrong place.
    fn misplacing_names(&self) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        if !is_folder_name(&self.workspace) {
            let detail = format!("`{}` cannot be the name of a workspace: it is a folder's name.", self.workspace);
            diagnostics.push(Diagnostic::error("Invalid workspace", detail).hint(format!("Change {OVERRIDE}.")));
        }
        if let Some(block) = self.configuration.pipeline.as_ref().filter(|block| block.name == STORE) {
            let detail =
                format!("A pipeline cannot be called \"{STORE}\": the folder of that name holds the artifacts.");
            diagnostics.push(Diagnostic::error("Reserved name", detail).at(block.span.clone()));
        }
        diagnostics
    }

    /// A project whose configuration is known already.
    ///
    /// # Errors
    /// What leaves it open where its state lies, and the files that it is in.
    pub fn of(
        folder: PathBuf,
        entry: String,
        shown: String,
        configuration: Arc<Configuration>,
        environment: &Arc<dyn Environment>,
    ) -> Result<Self, (Diagnostics, SourceMap)> {
        let (project, mut problems) =
            Self::made_of(folder, entry, shown, configuration, environment, BackendSettings::Stored);
        problems.extend(project.incomplete.clone());
        if problems.has_errors() { Err((problems, project.configuration.sources.clone())) } else { Ok(project) }
    }

    /// The same, and what is to be said of where its state lies.
    fn made_of(
        folder: PathBuf,
        entry: String,
        shown: String,
        configuration: Arc<Configuration>,
        environment: &Arc<dyn Environment>,
        settings: BackendSettings,
    ) -> (Self, Diagnostics) {
        let pipeline = configuration.pipeline.as_ref().map_or_else(|| DEFAULT.to_owned(), |block| block.name.clone());
        let given = environment.variable(OVERRIDE).filter(|name| !name.is_empty());
        let mut project = Self {
            folder,
            entry,
            shown,
            configuration,
            pipeline,
            workspace: DEFAULT.to_owned(),
            environment: Arc::clone(environment),
            shared: None,
            place: Place::Beside,
            unplaced: Diagnostics::new(),
            incomplete: None,
            encryption: OnceLock::new(),
        };
        let mut problems = settings.add_to(&mut project);
        match backend::place(&project.configuration, &project.folder) {
            Ok((place, warnings)) => {
                project.place = place;
                problems.extend(warnings);
            }
            Err(Misplaced::Wrong(wrong)) => problems.extend(backend_settings::with_way_out(&project, wrong)),
            Err(Misplaced::Incomplete { problem, given }) => {
                project.incomplete = Some(problem.hint(project.folders().command("init", &given)));
            }
        }
        if let Some(workspace) = given.or_else(|| project.selected_workspace()) {
            project.workspace = workspace;
        }
        problems.extend(project.misplacing_names());
        (project, problems)
    }

    /// The folder of a pipeline's workspaces.
    pub fn workspaces_folder(&self) -> PathBuf {
        self.folder.join(".pipectl").join(&self.pipeline)
    }

    fn selected_workspace(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.workspaces_folder().join(SELECTED)).ok()?;
        let name = text.trim();
        is_folder_name(name).then(|| name.to_owned())
    }

    /// Makes a workspace the one that commands work in from now on, and its folder where there is none.
    ///
    /// # Errors
    /// When files cannot be written.
    pub fn select_workspace(&mut self, name: &str) -> Result<(), Diagnostic> {
        let folder = self.workspaces_folder();
        let selected = folder.join(SELECTED);
        std::fs::create_dir_all(folder.join(name))
            .and_then(|()| crate::replace_file::replace_file(&selected, format!("{name}\n").as_bytes()))
            .map_err(|error| {
                let detail = format!("Cannot write `{}`: {error}.", selected.display());
                Diagnostic::error("Workspace not selected", detail).remedied(&error)
            })?;
        name.clone_into(&mut self.workspace);
        Ok(())
    }

    /// All workspaces: `default`, which is always there, then the others, sorted.
    ///
    /// # Errors
    /// When they lie in a place that cannot be read.
    pub fn workspaces(&self) -> Result<Vec<String>, Diagnostic> {
        let in_folders = |folders: &[PathBuf]| -> Vec<String> {
            let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
            let folders = entries.filter(|entry| entry.path().is_dir());
            folders.filter_map(|entry| entry.file_name().into_string().ok()).collect()
        };
        let mut names = match &self.place {
            Place::Beside => in_folders(&[self.workspaces_folder()]),
            Place::Folder(folder) => in_folders(&[self.workspaces_folder(), folder.clone()]),
            // What was worked on here may have been deleted elsewhere.
            Place::Remote(remote) => remote.backend()?.workspaces().map_err(|error| self.state_error(&error))?,
        };
        names.push(self.workspace.clone());
        names.retain(|name| is_folder_name(name) && name != DEFAULT);
        names.sort();
        names.dedup();
        names.insert(0, DEFAULT.to_owned());
        Ok(names)
    }

    /// The same root in another workspace.
    #[must_use]
    pub fn in_workspace(&self, name: &str) -> Self {
        Self {
            folder: self.folder.clone(),
            entry: self.entry.clone(),
            shown: self.shown.clone(),
            configuration: Arc::clone(&self.configuration),
            pipeline: self.pipeline.clone(),
            workspace: name.to_owned(),
            environment: Arc::clone(&self.environment),
            shared: self.shared.clone(),
            place: self.place.clone(),
            unplaced: self.unplaced.clone(),
            incomplete: self.incomplete.clone(),
            encryption: self.encryption.clone(),
        }
    }

    /// Where things are.
    pub fn folders(&self) -> Folders {
        let artifacts = self.configuration.pipeline.as_ref().and_then(|block| block.artifacts.as_deref());
        let view = match self.workspace.as_str() {
            DEFAULT => self.pipeline.clone(),
            workspace => format!("{}@{workspace}", self.pipeline),
        };
        Folders {
            started_in: started_in(),
            root: self.folder.clone(),
            root_name: self.entry.clone(),
            work: self.work(),
            view: Path::new(artifacts.unwrap_or("artifacts")).join(view),
            in_commands: self.in_commands(),
        }
    }

    /// The root as a command line names it; empty for the root of the current folder.
    pub fn in_commands(&self) -> String {
        if self.shown == "." { String::new() } else { for_shell(&self.shown).into_owned() }
    }

    /// The folder of working files, and of the state where no `backend` block names another.
    pub fn work(&self) -> PathBuf {
        self.workspaces_folder().join(&self.workspace)
    }

    /// The store of the state.
    ///
    /// # Errors
    /// When the state is encrypted, and there is no passphrase that can be used; when a backend cannot be.
    pub fn state_store(&self) -> Result<Box<dyn StateStore>, Diagnostic> {
        self.state_store_with(self.encryption()?)
    }

    /// The same for whoever writes: a state that was encrypted until now leaves behind what must not be in clear, once it is locked. `seed` is that
    /// of the plan that is to be applied, if there is one.
    ///
    /// # Errors
    /// As above.
    pub fn state_store_to_write(
        &self,
        registry: &Arc<Registry>,
        seed: Seed,
    ) -> Result<(Box<dyn StateStore>, LeftBehind), Diagnostic> {
        let (registry, left) = (Arc::clone(registry), LeftBehind::default());
        let outputs = Arc::clone(&left.0);
        let leaving = move |state: &mut State| {
            let gone = leave_behind(&registry, seed, state)?;
            outputs.lock().unwrap_or_else(PoisonError::into_inner).extend(gone);
            Ok(())
        };
        let store = self.state_store_with(self.encryption()?.leaving_behind(leaving))?;
        Ok((former_place::remembering(self, store)?, left))
    }

    /// The store of the state for whoever looks at its lock only: nothing in it can be read.
    ///
    /// # Errors
    /// When a backend cannot be used.
    pub fn state_store_to_unlock(&self) -> Result<Box<dyn StateStore>, Diagnostic> {
        self.state_store_with(Encryption::none())
    }

    fn state_store_with(&self, encryption: Encryption) -> Result<Box<dyn StateStore>, Diagnostic> {
        Ok(match &self.place {
            Place::Remote(remote) => remote.backend()?.store(&self.workspace, encryption),
            Place::Beside => Box::new(LocalStore::new(self.work()).encrypted(encryption)),
            Place::Folder(folder) => Box::new(LocalStore::new(folder.join(&self.workspace)).encrypted(encryption)),
        })
    }

    /// The folder of the state, where it lies on this disk.
    pub fn state_folder(&self) -> Option<PathBuf> {
        match &self.place {
            Place::Beside => Some(self.work()),
            Place::Folder(folder) => Some(folder.join(&self.workspace)),
            Place::Remote(_) => None,
        }
    }

    /// How the state and saved plans are encrypted.
    ///
    /// # Errors
    /// When there is no passphrase that can be used.
    pub fn encryption(&self) -> Result<Encryption, Diagnostic> {
        let settle = || {
            let body = self.configuration.pipeline.as_ref().and_then(|block| block.encryption.as_ref());
            encryption::settle(body, self.files(), &*self.environment)
        };
        self.encryption.get_or_init(settle).clone()
    }

    /// Files and secrets as functions of the configuration see them.
    pub fn files(&self) -> Arc<dyn Files> {
        Arc::new(RootFiles::new(self.folder.clone(), Arc::clone(&self.environment)))
    }

    /// The artifact store: that of this machine, before what others share with it.
    pub fn artifacts(&self, verify: bool) -> Arc<dyn ArtifactStore> {
        let local = self.artifact_store(verify);
        match &self.shared {
            Some(shared) => shared.behind(local),
            None => Arc::new(local),
        }
    }

    /// The artifact store of this machine, which all pipelines of a folder share.
    ///
    /// `verify`: read every file again instead of trusting its size and time.
    pub fn artifact_store(&self, verify: bool) -> ArtifactFolder {
        let options = pipectl_artifact::Options { verify, ..pipectl_artifact::Options::default() };
        ArtifactFolder::new(self.folder.join(".pipectl").join(STORE), options)
    }

    /// The state as last committed; `None` where there is none yet.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, belongs to another root, or was left behind under another name or in another place.
    pub fn read_state(&self) -> Result<Option<State>, Diagnostic> {
        let state = self.read_state_here()?;
        if state.is_none() {
            former_place::check(self)?;
        }
        Ok(state)
    }

    /// The same for who knows that the state lay in another place before.
    ///
    /// # Errors
    /// As above, but for the other place.
    pub fn read_state_here(&self) -> Result<Option<State>, Diagnostic> {
        let state = self.state_store()?.read().map_err(|error| self.state_error(&error))?;
        match &state {
            Some(state) => self.check_owner(state)?,
            None => self.check_renamed()?,
        }
        Ok(state)
    }

    /// A warning for a root whose state holds nothing, beside which Terraform keeps one: what that holds would be made again.
    pub fn unimported_state(&self, ours: Option<&State>) -> Option<Diagnostic> {
        if self.entry != "." || ours.is_some_and(|state| !holds_nothing(state)) {
            return None;
        }
        let (name, bytes) = match self.state_of_terraform() {
            Ok(found) => found?,
            Err(problem) => {
                let detail = format!("It is not known whether Terraform has a state here. {}", problem.detail);
                return Some(Diagnostic::warning("State of Terraform not looked for", detail));
            }
        };
        let state: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
        // What was imported once, and was destroyed since.
        if ours.is_some_and(|ours| state["lineage"] == *ours.lineage) {
            return None;
        }
        let managed = |resource: &&serde_json::Value| resource["mode"] == "managed";
        let number = state["resources"].as_array()?.iter().filter(managed).count();
        let detail = format!(
            "Terraform has a state in `{name}`, with {} in it, and pipectl has none here. Without that state, what it knows \
             would be made a second time.",
            count(number, "resource")
        );
        let warning = Diagnostic::warning("State of Terraform not imported", detail);
        let import = |file: &str| self.folders().command("state import-terraform", &for_shell(file));
        (number > 0).then(|| match &self.place {
            Place::Remote(_) => {
                let file = "terraform.tfstate";
                warning.hint(format!("terraform state pull > {file}")).hint(import(file))
            }
            Place::Beside | Place::Folder(_) => warning.hint(import(&name)),
        })
    }

    /// What Terraform has for a state where this root has its own: its name, and what it holds.
    fn state_of_terraform(&self) -> Result<Option<(String, Vec<u8>)>, Diagnostic> {
        let file = match (self.workspace.as_str(), &self.place) {
            (workspace, Place::Remote(remote)) => {
                let found = remote.backend()?.terraform(workspace).map_err(|error| self.state_error(&error))?;
                return Ok(found.map(|found| (found.name, found.bytes)));
            }
            (DEFAULT, Place::Beside) => self.folder.join("terraform.tfstate"),
            // Ours lies beside the file that the block names.
            (DEFAULT, Place::Folder(folder)) => folder.with_extension("tfstate"),
            (workspace, _) => self.folder.join("terraform.tfstate.d").join(workspace).join("terraform.tfstate"),
        };
        let name = file.strip_prefix(&self.folder).unwrap_or(&file);
        let name = format!("{}{}", self.prefix(), name.display());
        Ok(std::fs::read(&file).ok().map(|bytes| (name, bytes)))
    }

    /// A state's error with paths as people know them.
    pub fn state_error(&self, error: &StateError) -> Diagnostic {
        let mut diagnostic = error.diagnostic();
        // Paths below the root's folder are known by what comes after it.
        let prefix = format!("{}/", self.folder.display());
        diagnostic.detail = diagnostic.detail.replace(&prefix, &self.prefix());
        match error {
            StateError::Locked { lease: Some(lease), .. } => {
                diagnostic.hint(self.folders().command("force-unlock", &for_shell(&lease.id)))
            }
            _ => diagnostic,
        }
    }

    /// Refuses a state that another root has made. A root whose file is gone was renamed: its state goes on.
    ///
    /// # Errors
    /// When both roots are there.
    pub fn check_owner(&self, state: &State) -> Result<(), Diagnostic> {
        let is_renamed = state.root != "." && !self.folder.join(&state.root).exists();
        if state.root.is_empty() || state.root == self.entry || is_renamed {
            return Ok(());
        }
        let detail = format!(
            "The state of pipeline \"{}\" belongs to `{}`, and this is `{}`. Two roots of a folder cannot have the same name.",
            self.pipeline, state.root, self.entry
        );
        let span = self.configuration.pipeline.as_ref().map(|block| &block.span);
        Err(Diagnostic::error("State of another root", detail)
            .or_at(span)
            .hint("Give one of the two pipelines another name."))
    }

    /// Refuses to begin anew when this root has a state under another name.
    fn check_renamed(&self) -> Result<(), Diagnostic> {
        // A folder's root is always called the same, and a backend's folder does not hang on a name.
        let is_beside = matches!(self.place, Place::Beside);
        let Some(block) = self.configuration.pipeline.as_ref().filter(|_| is_beside) else { return Ok(()) };
        let states = self.folder.join(".pipectl");
        for entry in std::fs::read_dir(&states).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let store = LocalStore::new(entry.path().join(&self.workspace)).encrypted(self.encryption()?);
            let Ok(Some(state)) = store.read() else { continue };
            if name != self.pipeline
                && state.root == self.entry
                && !(state.resources.is_empty() && state.outputs.is_empty())
            {
                let detail = format!(
                    "`{}` has a state under the name \"{name}\", and now its pipeline is called \"{}\". Without that state, everything \
                     would be made again.",
                    self.entry, self.pipeline
                );
                let at = self.prefix();
                return Err(Diagnostic::error("Pipeline renamed", detail)
                    .at(block.span.clone())
                    .hint(format!("mv {at}.pipectl/{name} {at}.pipectl/{}", self.pipeline)));
            }
        }
        Ok(())
    }

    /// Says where in the configuration an object stands that a diagnostic is about, where nobody has said so: what a running stage finds
    /// wrong knows its address only.
    #[must_use]
    pub fn locate(&self, mut diagnostics: Diagnostics) -> Diagnostics {
        for diagnostic in diagnostics.iter_mut().filter(|diagnostic| diagnostic.span.is_none()) {
            let address = diagnostic.address.as_deref().and_then(|text| text.parse::<Address>().ok());
            if let Some(block) = address.and_then(|address| self.configuration.object(&address)) {
                let inside = diagnostic.path.as_ref().and_then(|path| block.body.span_of(path));
                diagnostic.span = Some(inside.unwrap_or_else(|| block.span.clone()));
            }
        }
        diagnostics
    }

    /// What stands before a path below the root's folder when people read it: `pipelines/`, or nothing.
    pub fn prefix(&self) -> String {
        let folder =
            if self.entry == "." { self.shown.as_str() } else { self.shown.strip_suffix(&self.entry).unwrap_or("") };
        match folder.trim_end_matches('/') {
            "" | "." => String::new(),
            folder => format!("{folder}/"),
        }
    }
}

/// Whether a state was only begun, or all that it had is gone.
pub fn holds_nothing(state: &State) -> bool {
    state.resources.is_empty() && state.outputs.is_empty() && state.intents.is_empty()
}

/// Whether a workspace can be called so: what stands in a URL as it is, as with Terraform, and can be the name of a folder.
pub fn is_folder_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~+:@$&=".contains(c))
}
