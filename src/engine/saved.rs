//! Plans in files: `plan -out` and `apply PLANFILE`.
//!
//! A saved plan holds the whole configuration and every decision, so that applying it reads nothing that may have changed. The file around it
//! is the business of `plan_file`.
//!
//! Sensitive values are in it, as they are in Terraform's: a plan file deserves the care that a state deserves, only its owner may read it, and
//! it is encrypted where the state is. What comes from `secret` and what is ephemeral is never in it: secrets are looked up again when the plan
//! is applied, and whoever applies it gives ephemeral variables again. Objects with such values are planned again, which must come to the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pipectl_core::{Address, AddressKind, Diagnostic, Diagnostics, Marks, Path, Target, Value};
use pipectl_lang::{Configuration, ModuleFolders, SourceFile, load_with_modules};
use pipectl_provider::Reason;
use pipectl_state::{AttributePath, Change, Encryption, StoredSecret};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::plan_file::{self, unreadable};
use crate::secrets::without;
use crate::variables::{marks, resolve};
use crate::{
    Action, AddressPattern, Cause, CheckResult, Deferral, DeferredChange, Drift, Mode, Moved, Origin, OutputAction,
    OutputChange, Plan, PlanSource, Planned, ResourceChange, Seed, StateIdentity, VariableInput, decode_value,
    encode_value,
};

#[derive(Serialize, Deserialize)]
struct SavedPlan {
    program: String,
    mode: Mode,
    workspace: String,
    sources: Vec<PlanSource>,
    variables: BTreeMap<String, SavedVariable>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    given_ephemerals: BTreeSet<String>,
    base: Option<StateIdentity>,
    seed: Seed,
    #[serde(default)]
    made: i64,
    targets: Vec<Target>,
    excludes: Vec<Target>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    moved: Vec<Moved>,
    observed: Vec<Change>,
    drift: Vec<Drift>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    secrets: BTreeMap<Address, Vec<StoredSecret>>,
    changes: Vec<SavedChange>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    deferred: Vec<SavedDeferral>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    allow_deferred_destroy: bool,
    outputs: Vec<SavedOutput>,
    checks: Vec<CheckResult>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SavedVariable {
    /// What it is.
    Value(Json),
    /// Ephemeral: it may be another each time.
    Ephemeral,
}

#[derive(Serialize, Deserialize)]
struct SavedChange {
    address: Address,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deposed: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<Address>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    importing: Option<String>,
    #[serde(flatten)]
    action: Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<Json>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    requires_replace: Vec<AttributePath>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<Reason>,
    #[serde(default, skip_serializing_if = "Json::is_null")]
    private: Json,
    decided: bool,
    forced: bool,
    token: String,
}

#[derive(Serialize, Deserialize)]
struct SavedDeferral {
    address: AddressPattern,
    why: Deferral,
    #[serde(flatten)]
    action: Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<Json>,
    reasons: Vec<Reason>,
}

#[derive(Serialize, Deserialize)]
struct SavedOutput {
    name: String,
    action: OutputAction,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    before: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    after: Option<Json>,
    sensitive: bool,
}

/// A value that is there: null is one, too.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

impl Plan {
    /// The plan as the bytes of a file, without secrets and what is ephemeral, and encrypted where the state is.
    ///
    /// # Errors
    /// When it cannot be encrypted.
    pub fn save(&self, encryption: &Encryption) -> Result<Vec<u8>, Diagnostics> {
        let saved = SavedPlan {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            mode: self.mode,
            workspace: self.workspace.clone(),
            sources: self.sources.clone(),
            variables: self.variables.iter().map(|(name, value)| (name.clone(), save_variable(value))).collect(),
            given_ephemerals: self.given_ephemerals.clone(),
            base: self.base.clone(),
            seed: self.seed,
            made: self.made,
            targets: self.targets.clone(),
            excludes: self.excludes.clone(),
            moved: self.moved.clone(),
            observed: self.observed.clone(),
            drift: self.drift.clone(),
            secrets: self.secrets.clone(),
            changes: self.changes.iter().map(save_change).collect(),
            deferred: self.deferred.iter().map(save_deferral).collect(),
            allow_deferred_destroy: self.allow_deferred_destroy,
            outputs: self.outputs.iter().map(save_output).collect(),
            checks: self.checks.clone(),
        };
        let plan = serde_json::to_vec(&saved).expect("a plan is plain data");
        let root = self.sources.first().map_or("", |source| source.name.as_str());
        Ok(plan_file::wrap(&plan, root, encryption)?)
    }
}

fn save_variable(value: &Value) -> SavedVariable {
    match is_partly_withheld(value) {
        true => SavedVariable::Ephemeral,
        false => SavedVariable::Value(encode_value(value)),
    }
}

/// Whether there is something in a value that belongs in no file.
fn is_partly_withheld(value: &Value) -> bool {
    is_withheld(value.marks_deep())
}

fn is_withheld(marks: Marks) -> bool {
    marks.contains(Marks::EPHEMERAL) || marks.contains(Marks::SECRET)
}

/// The value with what belongs in no file replaced by something unknown.
fn withheld(value: &Value) -> Value {
    without(value, is_withheld, Value::unknown)
}

fn save_change(change: &ResourceChange) -> SavedChange {
    // Of what stays, the state has everything, unless arguments changed that mean nothing to the object.
    let is_in_state =
        change.action.is_no_op() && change.before == change.after && change.address.kind != AddressKind::Data;
    let save =
        |value: &Option<Value>| value.as_ref().filter(|_| !is_in_state).map(|value| encode_value(&withheld(value)));
    // What was read with a secret is read again: whoever uses its arguments needs them.
    let is_read_again =
        change.address.kind == AddressKind::Data && change.after.as_ref().is_some_and(is_partly_withheld);
    SavedChange {
        address: change.address.clone(),
        deposed: change.deposed.clone(),
        previous: change.previous.clone(),
        importing: change.importing.clone(),
        action: if is_read_again { Action::Read } else { change.action },
        before: save(&change.before),
        after: save(&change.after),
        requires_replace: change.requires_replace.iter().map(AttributePath::from).collect(),
        cause: change.cause.clone(),
        reasons: change.reasons.clone(),
        private: change.private.clone(),
        decided: change.decided && !change.after.as_ref().is_some_and(is_partly_withheld),
        forced: change.forced,
        token: change.token.clone(),
    }
}

fn save_deferral(deferred: &DeferredChange) -> SavedDeferral {
    let save = |value: &Option<Value>| value.as_ref().map(|value| encode_value(&withheld(value)));
    SavedDeferral {
        address: deferred.address.clone(),
        why: deferred.why,
        action: deferred.action,
        before: save(&deferred.before),
        after: save(&deferred.after),
        reasons: deferred.reasons.clone(),
    }
}

fn save_output(output: &OutputChange) -> SavedOutput {
    let save = |value: &Option<Value>| value.as_ref().map(|value| encode_value(&withheld(value)));
    SavedOutput {
        name: output.name.clone(),
        action: output.action,
        before: save(&output.before),
        after: save(&output.after),
        sensitive: output.sensitive,
    }
}

impl Planned {
    /// Reads a plan file. `inputs` gives the values of ephemeral variables, which the file does not hold; others may be given too, from the
    /// command line only with the same values.
    ///
    /// # Errors
    /// When it is no plan file, is damaged, of another format or encrypted otherwise, or when values are missing or not those of the plan.
    pub fn open(bytes: &[u8], inputs: &[VariableInput], encryption: &Encryption) -> Result<Self, Diagnostics> {
        Self::open_with(bytes, Some(inputs), encryption)
    }

    /// Reads a plan file that is only looked at: the values of ephemeral variables stay unknown.
    ///
    /// # Errors
    /// When it is no plan file, is damaged, of another format or encrypted otherwise.
    pub fn look(bytes: &[u8], encryption: &Encryption) -> Result<Self, Diagnostics> {
        Self::open_with(bytes, None, encryption)
    }

    fn open_with(bytes: &[u8], inputs: Option<&[VariableInput]>, encryption: &Encryption) -> Result<Self, Diagnostics> {
        let plan = plan_file::unwrap(bytes, encryption)?;
        let saved: SavedPlan = serde_json::from_slice(&plan).map_err(|error| unreadable(&error.to_string()))?;
        let folders = SavedFolders(&saved.sources);
        let (configuration, diagnostics) = load_with_modules(folders.of(""), &folders);
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        let variables = restore_variables(&saved, &configuration, inputs)?;
        let damaged = || Diagnostics::from(unreadable("a value in it is not readable"));
        let plan = Plan {
            mode: saved.mode,
            workspace: saved.workspace,
            sources: saved.sources,
            variables,
            given_ephemerals: saved.given_ephemerals,
            base: saved.base,
            seed: saved.seed,
            made: saved.made,
            targets: saved.targets,
            excludes: saved.excludes,
            moved: saved.moved,
            observed: saved.observed,
            drift: saved.drift,
            secrets: saved.secrets,
            changes: saved.changes.into_iter().map(restore_change).collect::<Option<_>>().ok_or_else(damaged)?,
            deferred: saved.deferred.into_iter().map(restore_deferral).collect::<Option<_>>().ok_or_else(damaged)?,
            allow_deferred_destroy: saved.allow_deferred_destroy,
            outputs: saved.outputs.into_iter().map(restore_output).collect::<Option<_>>().ok_or_else(damaged)?,
            checks: saved.checks,
        };
        Ok(Planned { plan, configuration: Arc::new(configuration), diagnostics })
    }
}

/// The files of a saved plan by the folders of their modules.
struct SavedFolders<'a>(&'a [PlanSource]);

impl SavedFolders<'_> {
    fn of(&self, folder: &str) -> Vec<SourceFile> {
        let files = self.0.iter().filter(|source| source.folder == folder);
        files.map(|source| SourceFile { name: source.name.clone(), text: source.text.clone() }).collect()
    }
}

impl ModuleFolders for SavedFolders<'_> {
    fn files(&self, folder: &str) -> Result<Vec<SourceFile>, String> {
        Ok(self.of(folder))
    }
}

fn restore_variables(
    saved: &SavedPlan,
    configuration: &Configuration,
    inputs: Option<&[VariableInput]>,
) -> Result<BTreeMap<String, Value>, Diagnostics> {
    let mut diagnostics = Diagnostics::new();
    let mut values = BTreeMap::new();
    for (name, variable) in &saved.variables {
        let Some(block) = configuration.variables.get(name) else { continue };
        if matches!((variable, inputs), (SavedVariable::Ephemeral, None)) {
            values.insert(name.clone(), Value::unknown(block.ty.clone()).marked(marks(block)));
            continue;
        }
        let inputs = inputs.unwrap_or_default();
        let input = inputs.iter().rev().find(|input| input.name == *name);
        if matches!(variable, SavedVariable::Ephemeral)
            && let Some(problem) = ephemeral_mismatch(name, saved.given_ephemerals.contains(name), input)
        {
            diagnostics.push(problem.at(block.span.clone()));
            continue;
        }
        let given = match (variable, input) {
            // Other origins may have changed since: the plan keeps what they said then.
            (SavedVariable::Value(_), input) if input.is_none_or(|input| input.origin != Origin::CommandLine) => None,
            _ => Some(resolve(name, block, input).map(|value| value.marked(marks(block)))),
        };
        let value = match (variable, given) {
            (_, Some(Err(problems))) => {
                diagnostics.extend(problems);
                continue;
            }
            (SavedVariable::Value(json), given) => match (decode_value(json), given) {
                (None, _) => {
                    diagnostics.push(unreadable("a value in it is not readable"));
                    continue;
                }
                (Some(planned), Some(Ok(given))) if given != planned => {
                    diagnostics.push(differs(name));
                    continue;
                }
                (Some(planned), _) => planned,
            },
            (SavedVariable::Ephemeral, Some(Ok(given))) => given,
            (SavedVariable::Ephemeral, None) => continue,
        };
        values.insert(name.clone(), value);
    }
    if diagnostics.has_errors() { Err(diagnostics) } else { Ok(values) }
}

/// An error when an ephemeral variable was given a value for the plan and is not given one now, or the other way round.
fn ephemeral_mismatch(name: &str, was_given: bool, input: Option<&VariableInput>) -> Option<Diagnostic> {
    match (was_given, input) {
        (true, None) => {
            let detail = format!(
                "The ephemeral variable \"{name}\" was set when the plan was made. Its value is not stored, so it must be set again now."
            );
            Some(Diagnostic::error("No value for required variable", detail).hint(format!("-var '{name}=...'")))
        }
        (false, Some(_)) => {
            let detail = format!(
                "The ephemeral variable \"{name}\" was not set when the plan was made, and so must not be set now."
            );
            Some(Diagnostic::error("Ephemeral variable was not set during planning", detail))
        }
        _ => None,
    }
}

fn differs(name: &str) -> Diagnostic {
    Diagnostic::error(
        "Variable differs from the plan",
        format!("The plan was made with another value of var.{name}. Give the same value, or plan again."),
    )
    .hint("pipectl plan -out=FILE")
}

fn restore(value: Option<Json>) -> Option<Option<Value>> {
    value.map_or(Some(None), |json| decode_value(&json).map(Some))
}

fn restore_change(saved: SavedChange) -> Option<ResourceChange> {
    Some(ResourceChange {
        address: saved.address,
        deposed: saved.deposed,
        previous: saved.previous,
        importing: saved.importing,
        action: saved.action,
        before: restore(saved.before)?,
        after: restore(saved.after)?,
        requires_replace: saved.requires_replace.iter().map(Path::from).collect(),
        cause: saved.cause,
        reasons: saved.reasons,
        private: saved.private,
        decided: saved.decided,
        forced: saved.forced,
        token: saved.token,
    })
}

fn restore_deferral(saved: SavedDeferral) -> Option<DeferredChange> {
    Some(DeferredChange {
        address: saved.address,
        why: saved.why,
        action: saved.action,
        before: restore(saved.before)?,
        after: restore(saved.after)?,
        reasons: saved.reasons,
    })
}

fn restore_output(saved: SavedOutput) -> Option<OutputChange> {
    Some(OutputChange {
        name: saved.name,
        action: saved.action,
        before: restore(saved.before)?,
        after: restore(saved.after)?,
        sensitive: saved.sensitive,
    })
}
