//! The trait of a stage kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use pipectl_core::{Diagnostics, Schema, Value};

use crate::sources::SourceFile;
use crate::{Artifact, Job, Output, StageError, StageIo};

/// A kind of stage: `convert`, `train`, ...
///
/// The same code serves the engine (schema, outputs, judgement of arguments) and the worker process (`run`).
pub trait Stage: Send + Sync + 'static {
    /// The kind's name in `stage "<kind>" "<name>"`.
    fn kind(&self) -> &'static str;

    /// Part of every key. Bump it when the same inputs give other output bytes; a golden-output test per kind fails otherwise.
    fn revision(&self) -> u32;

    /// The arguments and nested blocks of this kind. `executor` and `resources` are added for every kind.
    ///
    /// An argument that takes an artifact of another stage has type `any` and gets the object described at [`Output`].
    fn schema(&self) -> Schema;

    /// What a run makes.
    fn outputs(&self) -> Vec<Output>;

    /// What the reference says of this kind besides its arguments and outputs: sections of Markdown from the third level on, or nothing.
    fn notes(&self) -> String {
        String::new()
    }

    /// Names of arguments that hold paths or patterns of source files (a string or a list of strings, relative to the root folder).
    /// The content of the files they match is part of the key; the patterns are not.
    fn sources(&self) -> &'static [&'static str] {
        &[]
    }

    /// Names of arguments that take artifacts of other stages, each with the kind that it takes.
    fn takes(&self) -> &'static [(&'static str, Artifact)] {
        &[]
    }

    /// Names of arguments that do not change the outputs: number of threads, intervals of logging.
    fn outside_key(&self) -> &'static [&'static str] {
        &[]
    }

    /// Judges the arguments beyond the schema; some may be unknown. Diagnostics carry paths into the arguments.
    fn validate(&self, arguments: &Value) -> Diagnostics {
        let _ = arguments;
        Diagnostics::new()
    }

    /// Judges the arguments against the source files before a run: by what headers and footers say, never by rows, because plans wait for
    /// it. Asked only for a stage that is to run. Some arguments may be unknown; `sources` has the files, one or more, of each source
    /// argument that is known.
    ///
    /// # Errors
    /// Diagnostics with paths into the arguments. What this method lets pass, `run` still judges.
    fn check_sources(&self, arguments: &Value, sources: &BTreeMap<String, Vec<SourceFile>>) -> Result<(), Diagnostics> {
        let _ = (arguments, sources);
        Ok(())
    }

    /// How many worker processes a run takes.
    fn workers(&self, arguments: &Value) -> u32 {
        let _ = arguments;
        1
    }

    /// Does the work: in a worker process, once per rank. Files go to [`StageIo::output`]; values to [`StageIo::set_value`] (rank 0).
    ///
    /// # Errors
    /// When it fails: what is wrong and what to do, for people.
    fn run(&self, job: &Job, io: &mut StageIo) -> Result<(), StageError>;
}

/// All stage kinds of this program by name.
#[derive(Clone, Default)]
pub struct Stages(BTreeMap<&'static str, Arc<dyn Stage>>);

impl Stages {
    /// Takes in a kind.
    pub fn add(&mut self, stage: impl Stage) {
        self.0.insert(stage.kind(), Arc::new(stage));
    }

    /// The kind of a name.
    pub fn get(&self, kind: &str) -> Option<&Arc<dyn Stage>> {
        self.0.get(kind)
    }

    /// All kinds in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Stage>> {
        self.0.values()
    }
}
