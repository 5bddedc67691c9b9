//! What every command is given: the console, the world, where the user stands, and the switch that stops things.

use std::path::PathBuf;
use std::sync::Arc;

use pipectl_core::{Diagnostic, Diagnostics, SourceMap};
use pipectl_engine::Engine;
use pipectl_provider::{Cancel, Environment, Registry};

use crate::console::Console;
use crate::environment::ProcessEnvironment;
use crate::exit::Exit;
use crate::project::Project;
use crate::registry::registry;
use crate::reporter::{Follower, Reporter};
use crate::roots::{self, Root, WithoutFiles};
use crate::view::diagnostic;

/// How an engine works.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// How many calls may run at once.
    pub parallelism: u32,
    /// Whether source files and outputs are read again, whatever their size and time say.
    pub verify: bool,
}

/// A run of the program.
pub struct App {
    /// Where to write, whom to ask.
    pub console: Console,
    /// The world.
    pub environment: Arc<dyn Environment>,
    /// Where the user stands: `-chdir` is applied.
    pub here: PathBuf,
    /// Turned by Ctrl-C.
    pub cancel: Cancel,
    /// All kinds of this build.
    pub registry: Arc<Registry>,
    /// Whether all that is said is a stream of events as JSON.
    pub writes_events: bool,
}

impl App {
    /// A run on a console, in a folder.
    pub fn new(console: Console, here: PathBuf, writes_events: bool) -> Self {
        let registry = Arc::new(registry(&ProcessEnvironment));
        Self {
            console,
            environment: Arc::new(ProcessEnvironment),
            here,
            cancel: Cancel::new(),
            registry,
            writes_events,
        }
    }

    /// The root modules that a command line means.
    ///
    /// # Errors
    /// When there is none; it has been said.
    pub fn roots(&self, path: Option<&std::path::Path>, without: WithoutFiles) -> Result<Vec<Root>, Exit> {
        roots::discover(&self.here, path, without).map_err(|error| self.fail(error))
    }

    /// The one root module that a command line means. A folder without files is one that declares nothing.
    ///
    /// # Errors
    /// When there is none, or several; it has been said.
    pub fn root(&self, path: Option<&std::path::Path>) -> Result<Root, Exit> {
        let mut roots = self.roots(path, WithoutFiles::Empty)?;
        if roots.len() > 1 {
            let names: Vec<&str> = roots.iter().map(|root| root.shown.as_str()).collect();
            let error = Diagnostic::error(
                "Several pipelines",
                format!("This command works on one pipeline, and there are several: {}.", names.join(", ")),
            );
            return Err(self.fail(error.hint(format!("Name one of them: {}", names[0]))));
        }
        Ok(roots.swap_remove(0))
    }

    /// The one root module that a command line means, for looking at its state.
    ///
    /// # Errors
    /// When there is none, or several, or its name cannot be read from it; it has been said.
    pub fn project(&self, path: Option<&std::path::Path>) -> Result<Project, Exit> {
        let root = self.root(path)?;
        // What is wrong elsewhere does not matter for looking at the state, as long as it is known which state.
        let (project, _) = Project::load(root, &self.environment);
        match project.placed() {
            Ok(()) => Ok(project),
            Err(problems) => {
                self.complain(problems, &project.configuration.sources);
                Err(Exit::Failure)
            }
        }
    }

    /// Whether questions may find an answer: from a person, or from what is piped in. In CI standard input is not ours to read: it may be
    /// the rest of the job's script.
    pub fn can_ask(&self) -> bool {
        let in_ci =
            || self.environment.variable("CI").is_some_and(|value| !["", "0", "false"].contains(&value.as_str()));
        self.console.is_interactive() || self.console.is_piped() && !in_ci()
    }

    /// The engine for a project.
    pub fn engine(&self, project: &Project, effort: Effort, follower: &Follower) -> Engine {
        Engine {
            registry: self.registry.clone(),
            environment: self.environment.clone(),
            artifacts: project.artifacts(effort.verify),
            files: project.files(),
            folders: project.folders(),
            // Whoever has no passphrase finds out when the state is read.
            is_encrypted: project.encryption().is_ok_and(|encryption| encryption.is_on()),
            workspace: project.workspace.clone(),
            parallelism: effort.parallelism as usize,
            events: Arc::new(follower.clone()),
            cancel: self.cancel.clone(),
        }
    }

    /// Says what was found.
    pub fn complain(&self, diagnostics: &Diagnostics, sources: &SourceMap) {
        if diagnostics.is_empty() {
            return;
        }
        if self.writes_events {
            Reporter::new(self.console.clone(), Arc::clone(&self.environment), true, false)
                .diagnostics(diagnostics, sources);
        } else {
            self.console.complain(&diagnostic::render_all(diagnostics, sources, self.console.error_paint(), false));
        }
    }

    /// Says an error that is about no file.
    pub fn fail(&self, error: Diagnostic) -> Exit {
        self.fail_in(error, &SourceMap::default())
    }

    /// Says an error.
    pub fn fail_in(&self, error: Diagnostic, sources: &SourceMap) -> Exit {
        self.complain(&error.into(), sources);
        Exit::Failure
    }
}
