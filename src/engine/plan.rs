//! The plan as data: what is to be done, in which order of reasons, and everything apply needs to do exactly that.

use std::collections::{BTreeMap, BTreeSet};

use pipectl_core::{Address, ModulePath, Path, Target, Value};
use pipectl_provider::Reason;
use pipectl_state::{Change, Record, State, StoredSecret};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{AddressPattern, Cause, Mode, Moved, Seed, StateIdentity, Summary};

/// What is to be done, and why.
///
/// A plan made by [`crate::Engine::plan`] holds values in clear; [`Plan::save`] leaves ephemeral ones out.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it is for.
    pub mode: Mode,
    /// The workspace it was made in.
    pub workspace: String,
    /// The configuration, whole, so that applying a saved plan reads no file that may have changed since.
    pub sources: Vec<PlanSource>,
    /// Values of all variables.
    pub variables: BTreeMap<String, Value>,
    /// Ephemeral variables that were given a value: applying the plan needs one again, which may be another. The others keep their defaults.
    pub given_ephemerals: BTreeSet<String>,
    /// The state it was made for; `None`: there was none.
    pub base: Option<StateIdentity>,
    /// Randomness that names and tokens are drawn from.
    pub seed: Seed,
    /// When it was made, in seconds since 1970-01-01T00:00:00Z: what `plantimestamp` gives, at apply too.
    pub made: i64,
    /// Only these and what they need, when there are any.
    pub targets: Vec<Target>,
    /// Not these and not what needs them.
    pub excludes: Vec<Target>,
    /// Objects that are known by another address from now on; apply commits that first. The rest of the plan speaks of their new addresses.
    pub moved: Vec<Moved>,
    /// What refresh saw that the state does not say yet, and what was imported; apply commits it next.
    pub observed: Vec<Change>,
    /// What refresh saw, in words.
    pub drift: Vec<Drift>,
    /// The fingerprints of the secrets that objects are to have: applying the plan with others is refused.
    pub secrets: BTreeMap<Address, Vec<StoredSecret>>,
    /// One for each object of the configuration and the state, in the order of addresses. Also those without a change.
    pub changes: Vec<ResourceChange>,
    /// What can be decided only while the plan is applied.
    pub deferred: Vec<DeferredChange>,
    /// Whether what is decided then may also destroy (`-allow-deferred-destroy`).
    pub allow_deferred_destroy: bool,
    /// One for each output of the configuration and the state. Also those without a change.
    pub outputs: Vec<OutputChange>,
    /// One for each condition that was judged: those of `check` blocks, of objects, of outputs and of variables.
    pub checks: Vec<CheckResult>,
}

/// A file of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanSource {
    /// The name that people know it by.
    pub name: String,
    /// The folder of its module, seen from the root module's; empty for the root module.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub folder: String,
    /// Its text.
    pub text: String,
}

/// An object that is not as the state says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// The object.
    pub address: Address,
    /// What is different, in words.
    pub notes: Vec<String>,
}

/// What is to be done with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "action")]
pub enum Action {
    /// Nothing.
    NoOp,
    /// Make it.
    Create,
    /// Change it in place.
    Update,
    /// Remove it and make another.
    Replace {
        /// Whether the new one is made first.
        create_before_destroy: bool,
    },
    /// Remove it.
    Delete,
    /// Leave it as it is, and know it no longer.
    Forget,
    /// Run a stage.
    Run,
    /// Run a stage if its inputs, known after apply, turn out different.
    RunIfChanged,
    /// Read a data source whose arguments are known after apply.
    Read,
}

impl Action {
    /// The word in JSON and logs.
    pub fn name(self) -> &'static str {
        match self {
            Action::NoOp => "no-op",
            Action::Create => "create",
            Action::Update => "update",
            Action::Replace { .. } => "replace",
            Action::Delete => "delete",
            Action::Forget => "forget",
            Action::Run => "run",
            Action::RunIfChanged => "run-if-changed",
            Action::Read => "read",
        }
    }

    /// Whether nothing is to be done.
    pub fn is_no_op(self) -> bool {
        matches!(self, Action::NoOp)
    }
}

/// What is to be done with one object.
#[derive(Clone, Debug)]
pub struct ResourceChange {
    /// The object.
    pub address: Address,
    /// Set for an object left over from an interrupted replacement: the key of that object.
    pub deposed: Option<String>,
    /// The address that the state knew it by, when that is another.
    pub previous: Option<Address>,
    /// The id by which an existing object is taken over.
    pub importing: Option<String>,
    /// What to do.
    pub action: Action,
    /// The object as it is: all attributes, those that must not be shown marked sensitive. `None`: there is none.
    pub before: Option<Value>,
    /// The object as it will be, unknown where known after apply. `None`: there will be none.
    pub after: Option<Value>,
    /// Arguments whose change forces a replacement.
    pub requires_replace: Vec<Path>,
    /// Why, where the engine itself has decided that. Its words are the first of the reasons, unless the provider has better ones.
    pub cause: Option<Cause>,
    /// Why, in words. Empty exactly when there is nothing to do.
    pub reasons: Vec<Reason>,
    /// What the provider wants back at apply.
    pub private: Json,
    /// Whether all arguments were known, so that apply does exactly this without planning again.
    pub decided: bool,
    /// Whether it is to be made anew whatever its arguments: by `-replace`, by `replace_triggered_by`, or because it is marked as tainted.
    pub forced: bool,
    /// Unique for the call that is to be made.
    pub token: String,
}

/// Something that can be decided only while the plan is applied, when more is known.
///
/// Apply then decides: it creates, updates, runs and reads. To destroy or to replace, or to touch an address that does not fit, it was not allowed:
/// there it stops, and the next plan shows what is to be done.
#[derive(Clone, Debug)]
pub struct DeferredChange {
    /// The object; or all objects, where it is not known which there will be.
    pub address: AddressPattern,
    /// Why it cannot be decided yet.
    pub why: Deferral,
    /// What will probably be done with one.
    pub action: Action,
    /// The object as it is, where there is one and it is known which.
    pub before: Option<Value>,
    /// The object as it will be, as far as its arguments tell.
    pub after: Option<Value>,
    /// The same in words.
    pub reasons: Vec<Reason>,
}

/// Why something cannot be decided yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deferral {
    /// The configuration of its provider is known after apply.
    ProviderConfigUnknown,
    /// `count` or `for_each`, its own or that of a module around, is known after apply.
    InstanceCountUnknown,
    /// It depends on something deferred, and whether it is to be replaced depends on what comes of that.
    DeferredPrereq,
}

impl Deferral {
    /// The word in Terraform's plan documents.
    pub fn name(self) -> &'static str {
        match self {
            Deferral::ProviderConfigUnknown => "provider_config_unknown",
            Deferral::InstanceCountUnknown => "instance_count_unknown",
            Deferral::DeferredPrereq => "deferred_prereq",
        }
    }
}

/// What becomes of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputAction {
    /// It stays.
    NoOp,
    /// It is new.
    Create,
    /// It changes, or may.
    Update,
    /// It goes.
    Delete,
}

/// What becomes of one output.
#[derive(Clone, Debug)]
pub struct OutputChange {
    /// Its name.
    pub name: String,
    /// What becomes of it.
    pub action: OutputAction,
    /// Its value as stored.
    pub before: Option<Value>,
    /// Its value after apply; unknown where known after apply.
    pub after: Option<Value>,
    /// Whether it must not be shown.
    pub sensitive: bool,
}

/// What has conditions, as its module calls it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Checked {
    /// A `check` block.
    Check(String),
    /// An object.
    Object(Address),
    /// An output.
    Output(String),
    /// A variable.
    Variable(String),
}

impl Checked {
    /// Its name as the root module would write it: `module.a["x"].output.id`.
    pub fn in_module(&self, module: &ModulePath) -> String {
        let name = match self {
            Checked::Object(address) => return address.in_module(module).to_string(),
            Checked::Check(name) => format!("check.{name}"),
            Checked::Output(name) => format!("output.{name}"),
            Checked::Variable(name) => format!("var.{name}"),
        };
        crate::evaluation::qualified(module, &name)
    }
}

/// One condition: an assertion, a precondition, a postcondition, a validation rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The instance of a module that has the block.
    #[serde(default, skip_serializing_if = "ModulePath::is_root")]
    pub module: ModulePath,
    /// Whose condition it is.
    #[serde(flatten)]
    pub subject: Checked,
    /// Which of its conditions, from 0. Preconditions come before postconditions.
    #[serde(rename = "assertion")]
    pub condition: usize,
    /// How it stands.
    pub status: CheckStatus,
    /// The error message, when it failed.
    pub message: Option<String>,
    /// What the condition refers to, when it failed, with what can be said of each; nothing that is sensitive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<(String, String)>,
}

/// How a condition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// It holds.
    Pass,
    /// It does not. Only assertions may fail in a plan that can be applied.
    Fail,
    /// It is known after apply.
    Unknown,
    /// It could not be evaluated.
    Error,
}

impl Plan {
    /// How much is to be done.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for change in &self.changes {
            summary.count(change.action);
        }
        summary.import = self.imported();
        summary.deferred = self.deferred.len();
        summary
    }

    /// How many existing objects it takes over.
    pub(crate) fn imported(&self) -> usize {
        self.changes.iter().filter(|change| change.importing.is_some()).count()
    }

    /// Whether applying it would change an object or an output, or take over, forget or move one. What refresh alone saw does not count, and
    /// neither do moves where a refresh is all that was asked for.
    pub fn has_changes(&self) -> bool {
        !(self.moved.is_empty() || self.mode == Mode::RefreshOnly)
            || self.imported() > 0
            || self.deferred.iter().any(|deferred| deferred.action != Action::Read)
            || self.changes.iter().any(|change| !change.action.is_no_op() && change.action != Action::Read)
            || self.outputs.iter().any(|output| output.action != OutputAction::NoOp)
    }

    /// What apply commits before it does anything: what is moved, then what refresh saw and what is taken over.
    pub(crate) fn preparation(&self, state: &State) -> Vec<Change> {
        let mut changes = crate::moves::moving_changes(state, &self.moved);
        changes.extend(self.observed.iter().cloned());
        changes
    }

    /// The state that the plan's changes begin from: `state`, which it was made for, with objects where they have moved to and as refresh
    /// saw them.
    pub fn prior_state(&self, state: &State) -> State {
        let mut prior = state.clone();
        prior.take(Record { serial: state.serial, changes: self.preparation(state) });
        prior
    }

    /// The address that the state knew an object by, which has another now.
    pub fn previous_address(&self, address: &Address) -> Option<&Address> {
        self.moved.iter().find(|moved| moved.to == *address).map(|moved| &moved.from)
    }

    /// What was moved and is otherwise as the state says, where only a refresh was asked for: no change of an object tells of it.
    pub fn only_moved(&self) -> impl Iterator<Item = &Moved> {
        let moved = if self.mode == Mode::RefreshOnly { self.moved.as_slice() } else { &[] };
        let told: BTreeSet<&Address> = self.drift.iter().map(|drift| &drift.address).collect();
        moved.iter().filter(move |moved| !told.contains(&moved.to))
    }

    /// The objects that refresh saw are gone.
    pub fn gone(&self) -> BTreeSet<&Address> {
        let mut gone = BTreeSet::new();
        for change in &self.observed {
            match change {
                Change::RemoveObject { address } => gone.insert(address),
                Change::SetObject { address, .. } => gone.remove(address),
                _ => false,
            };
        }
        gone
    }

    /// The change of an object that is not left over from an interrupted replacement.
    pub fn change(&self, address: &Address) -> Option<&ResourceChange> {
        let current = |change: &&ResourceChange| change.deposed.is_none() && change.address == *address;
        self.changes.iter().find(current)
    }
}
