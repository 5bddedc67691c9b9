//! What the ways of editing a state share: the lock, and addresses that must be in the state.

use std::collections::BTreeSet;
use std::time::Duration;

use pipectl_core::suggest::did_you_mean;
use pipectl_core::{Address, Diagnostic, ModulePath, SourceMap, Target};
use pipectl_engine::Seed;
use pipectl_state::{Change, State, StateWriter, changes_between};

use crate::app::App;
use crate::arguments::LockArguments;
use crate::exit::Exit;
use crate::operation;
use crate::project::{Project, holds_nothing};
use crate::reporter::Reporter;

/// A state that nobody else writes meanwhile.
pub(super) struct Editing<'a> {
    app: &'a App,
    project: Project,
    writer: Box<dyn StateWriter>,
}

impl<'a> Editing<'a> {
    /// Takes the lock.
    ///
    /// # Errors
    /// When it cannot be had, or the state is another root's; it has been said.
    pub(super) async fn begin(app: &'a App, project: Project, lock: &LockArguments, word: &str) -> Result<Self, Exit> {
        mention_lock(app, lock);
        let reporter = Reporter::new(app.console.clone(), app.environment.clone(), false, false);
        let writer = operation::lock(app, &reporter, &project, lock.lock_timeout, (word, Seed::random())).await?;
        project.check_owner(writer.state()).map_err(|error| app.fail_in(error, &project.configuration.sources))?;
        Ok(Self { app, project, writer })
    }

    /// The state.
    pub(super) fn state(&self) -> &State {
        self.writer.state()
    }

    /// The command that shows what the state holds, for hints.
    pub(super) fn list_command(&self) -> String {
        self.project.folders().command("state list", "")
    }

    /// Commits changes as one record.
    ///
    /// # Errors
    /// When they cannot be written; it has been said.
    pub(super) fn commit(&mut self, changes: Vec<Change>) -> Result<(), Exit> {
        self.writer.commit(changes).map_err(|error| self.app.fail(self.project.state_error(&error)))
    }

    /// Commits what comes from elsewhere. Where the state holds nothing, it gets the lineage of what it comes from.
    ///
    /// # Errors
    /// When it cannot be written; it has been said.
    pub(super) async fn adopt(mut self, file: &State) -> Result<(), Exit> {
        let (here, lineage) = (self.writer.state(), file.lineage.as_str());
        if !(here.lineage.is_empty() || lineage.is_empty() || here.lineage == lineage) && holds_nothing(here) {
            self = self.without_state().await?;
        }
        let changes = changes_between(self.writer.state(), file);
        if self.writer.state().lineage.is_empty() {
            let drawn = Seed::random().draw("lineage");
            let lineage = if lineage.is_empty() { drawn.as_str() } else { lineage };
            let begun = self.writer.begin(lineage, &self.project.entry);
            begun.map_err(|error| self.app.fail(self.project.state_error(&error)))?;
        }
        if changes.is_empty() { Ok(()) } else { self.commit(changes) }
    }

    /// Removes the state, which holds nothing, so that another can be begun: whoever has removed one writes nothing more.
    async fn without_state(self) -> Result<Self, Exit> {
        let Self { app, project, mut writer } = self;
        writer.remove().map_err(|error| app.fail(project.state_error(&error)))?;
        drop(writer);
        let reporter = Reporter::new(app.console.clone(), app.environment.clone(), false, false);
        let operation = ("state push", Seed::random());
        let writer = operation::lock(app, &reporter, &project, Duration::ZERO, operation).await?;
        if !writer.state().lineage.is_empty() {
            let detail = "Somebody else has begun this state meanwhile.";
            return Err(app.fail(
                Diagnostic::error("State not pushed", detail).hint(project.folders().command("state list", "")),
            ));
        }
        Ok(Self { app, project, writer })
    }
}

/// Warns whoever asks for no lock.
pub(crate) fn mention_lock(app: &App, lock: &LockArguments) {
    if !lock.lock {
        app.complain(&operation::lock_is_held().into(), &SourceMap::default());
    }
}

/// The objects that are meant: one, all instances of a block, or everything in a module, of which a path without a key means all instances.
pub(super) fn instances(state: &State, target: &Target) -> Vec<Address> {
    state.resources.keys().filter(|known| is_meant(target, known)).cloned().collect()
}

/// What interrupted runs may have made of them, and nobody knows whether they have.
pub(super) fn open_calls(state: &State, target: &Target) -> Vec<Address> {
    state.intents.keys().filter(|known| is_meant(target, known)).cloned().collect()
}

fn is_meant(target: &Target, known: &Address) -> bool {
    match target {
        Target::Module(path) => path.contains(&known.module),
        Target::Object(address) => known == address || known.block() == *address,
    }
}

/// " Did you mean ..", where the state has something of a similar address.
pub(super) fn suggestion(state: &State, target: &Target) -> String {
    let mut known: BTreeSet<String> = BTreeSet::new();
    for address in state.resources.keys() {
        known.extend([address.to_string(), address.block().to_string()]);
        let steps = address.module.steps();
        known.extend((1..=steps.len()).map(|depth| ModulePath::of(&steps[..depth]).to_string()));
    }
    did_you_mean(&target.to_string(), known.iter().map(String::as_str))
}

/// Forgets everything at an address.
pub(super) fn forget(state: &State, address: &Address) -> Vec<Change> {
    let current = state.object(address).map(|_| Change::RemoveObject { address: address.clone() });
    let mut changes: Vec<Change> = current.into_iter().collect();
    let deposed = state.resources.get(address).into_iter().flat_map(|resource| resource.deposed.keys());
    changes.extend(deposed.map(|key| Change::RemoveDeposed { address: address.clone(), key: key.clone() }));
    if state.intents.contains_key(address) {
        changes.push(Change::RemoveIntent { address: address.clone() });
    }
    changes
}
