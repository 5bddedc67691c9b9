//! What a caller holds: the engine with everything it works with, a plan ready to apply, and what came of applying.

use std::path::PathBuf;
use std::sync::Arc;

use pipectl_core::Diagnostics;
use pipectl_lang::{Configuration, Files};
use pipectl_provider::{ArtifactStore, Cancel, Environment, Registry};
use pipectl_state::{State, StateWriter};
use serde::{Deserialize, Serialize};

use crate::{Observer, Plan, PlanOptions, Summary, VariableInput};

/// Everything the engine works with. Clones share it.
#[derive(Clone)]
pub struct Engine {
    /// The kinds of resources, stages, models and executors that there are.
    pub registry: Arc<Registry>,
    /// The world outside, for providers.
    pub environment: Arc<dyn Environment>,
    /// The artifact store, for stages.
    pub artifacts: Arc<dyn ArtifactStore>,
    /// Files that functions of the language read.
    pub files: Arc<dyn Files>,
    /// Where things are.
    pub folders: Folders,
    /// Whether the state is encrypted: some things are kept only then.
    pub is_encrypted: bool,
    /// The workspace: the value of `terraform.workspace`.
    pub workspace: String,
    /// How many calls to providers may run at once; at least 1.
    pub parallelism: usize,
    /// Takes events while an operation runs.
    pub events: Arc<dyn Observer>,
    /// Asks a running operation to stop.
    pub cancel: Cancel,
}

/// Where the pipeline and its working files are.
#[derive(Clone, Debug)]
pub struct Folders {
    /// The folder of the root module: relative paths of the configuration start here.
    pub root: PathBuf,
    /// The name of the root as people know it: `hep.hcl`, or `.` for a folder. A new state keeps it.
    pub root_name: String,
    /// Working files of this pipeline and workspace.
    pub work: PathBuf,
    /// The folder in which the program was started: `path.cwd`. Nothing else depends on it.
    pub started_in: PathBuf,
    /// The readable view of this pipeline's artifacts, relative to `root`.
    pub view: PathBuf,
    /// The root as a command line names it, quoted where a shell needs that; empty where commands need not name it.
    pub in_commands: String,
}

impl Folders {
    /// A command about this root, for hints: `pipectl plan pipelines/hep.hcl`.
    pub fn command(&self, verb: &str, rest: &str) -> String {
        let words = ["pipectl", verb, &self.in_commands, rest];
        words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

/// Which version of a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateIdentity {
    /// The state's own name, drawn when it was made.
    pub lineage: String,
    /// Its last record.
    pub serial: u64,
}

impl StateIdentity {
    /// The version of `state`; `None` while nothing was ever committed to it.
    pub fn of(state: &State) -> Option<Self> {
        (state.serial > 0).then(|| Self { lineage: state.lineage.clone(), serial: state.serial })
    }
}

/// A plan ready to be applied, with the configuration it was made from.
#[derive(Clone)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// The configuration.
    pub configuration: Arc<Configuration>,
    /// Warnings. Errors never get this far.
    pub diagnostics: Diagnostics,
}

/// What came of applying a plan.
#[derive(Debug)]
pub struct Applied {
    /// The state as it was committed last.
    pub state: State,
    /// What was done.
    pub summary: Summary,
    /// Errors and warnings, in the order in which they happened. Each was also told as [`crate::Event::Diagnostic`].
    pub diagnostics: Diagnostics,
    /// Whether the run was asked to stop and left something undone.
    pub stopped: bool,
}

impl Applied {
    /// Whether all of the plan was done.
    pub fn succeeded(&self) -> bool {
        !self.stopped && !self.diagnostics.has_errors()
    }
}

impl Engine {
    /// Judges a configuration without state and without variable values: names, types, references, cycles, and every argument that does not
    /// depend on what is not known yet. All independent errors come in one run.
    pub fn validate(&self, configuration: &Configuration) -> Diagnostics {
        match self.with_claimed_arguments(configuration) {
            Some(configuration) => crate::validate::validate(self, &configuration),
            None => crate::validate::validate(self, configuration),
        }
    }

    /// Names the kinds of resources, data sources and stages that a configuration needs and this build does not have.
    pub fn check_kinds(&self, configuration: &Configuration) -> Diagnostics {
        crate::validate::check_kinds(self, configuration)
    }

    /// Reads the objects of the state (unless told not to), and decides what is to be done. Changes nothing, takes no lock.
    ///
    /// `state` is `None` where none was ever written.
    ///
    /// # Errors
    /// Everything that is wrong; warnings of a successful plan are in [`Planned::diagnostics`].
    pub async fn plan(
        &self,
        configuration: Arc<Configuration>,
        inputs: &[VariableInput],
        state: Option<&State>,
        options: &PlanOptions,
    ) -> Result<Planned, Diagnostics> {
        let configuration = self.with_claimed_arguments(&configuration).map_or(configuration, Arc::new);
        crate::planner::plan(self, configuration, inputs, state, options).await
    }

    /// Carries out a plan. After each object the state is committed; a failure stops only what depends on it.
    ///
    /// A plan that was made for another state, or another version of it, is refused before anything is done.
    /// Dropping the future ends the run at once: what was announced in the state is found again by the next plan.
    pub async fn apply(&self, planned: Planned, writer: Box<dyn StateWriter>) -> Applied {
        let configuration =
            self.with_claimed_arguments(&planned.configuration).map_or_else(|| planned.configuration.clone(), Arc::new);
        crate::apply::apply(self, Planned { configuration, ..planned }, writer).await
    }

    /// The configuration where arguments that look like meta-arguments are those of their kinds; `None` where there are none such.
    fn with_claimed_arguments(&self, configuration: &Configuration) -> Option<Configuration> {
        configuration.with_claimed_arguments(&|address, name| {
            let schema = self.registry.schema(address.kind, &address.type_name);
            schema.is_some_and(|schema| schema.attributes.contains_key(name) || schema.blocks.contains_key(name))
        })
    }
}
