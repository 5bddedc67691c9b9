//! A stage kind as a resource: plans by comparing keys, looks into the action cache, else runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use pipectl_core::{Attribute, Diagnostic, Diagnostics, Digest, Schema, Type, Value, json};
use pipectl_provider::{
    ApplyOutcome, ArtifactError, Cx, Effect, Event, Instance, Manifest, PlanRequest, PlanResponse, ReadOutcome, Reason,
    Resource, ViewState,
};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::executor::{ExecuteError, Executors, Task};
use crate::job::{Job, PROTOCOL};
use crate::sources::{self, SourceFile};
use crate::{Artifact, KeyParts, OutputKind, Resources, Stage};

/// Arguments of every stage, which change no outputs.
const COMMON: [&str; 2] = ["executor", "resources"];

/// A stage kind behind the resource trait.
pub struct StageResource {
    stage: Arc<dyn Stage>,
    executors: Executors,
    schema: Schema,
}

/// Private data of a stage's instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    /// The key.
    key: Digest,
    /// Its parts.
    parts: KeyParts,
    /// What the run made; absent in a plan.
    manifest: Option<Digest>,
    /// Run even where the action cache has the outputs.
    force: bool,
}

impl StageResource {
    /// The resource of `stage`, run by `executors`.
    ///
    /// # Panics
    /// When an argument and an output of the kind share a name.
    pub fn new(stage: Arc<dyn Stage>, executors: Executors) -> Self {
        let mut schema = stage.schema();
        let executor = Attribute::optional(
            Type::Any,
            "The executor that runs the stage: `executor.kubernetes.cern`. Default: this machine.",
        );
        schema = schema.attribute("executor", executor).block("resources", Resources::block());
        for output in stage.outputs() {
            // Both are attributes of the stage in the language: one would hide the other.
            let is_argument = schema.attributes.contains_key(output.name) || schema.blocks.contains_key(output.name);
            assert!(!is_argument, "stage kind `{}` has an argument and an output `{}`", stage.kind(), output.name);
            schema = schema.attribute(output.name, output.attribute());
        }
        Self { stage, executors, schema }
    }

    /// The arguments and blocks: all of the schema but outputs.
    fn arguments(&self, config: &Value) -> Value {
        let outputs: BTreeSet<&str> = self.stage.outputs().iter().map(|output| output.name).collect();
        let attributes = config.as_object().into_iter().flatten();
        Value::object(
            attributes
                .filter(|(name, _)| !outputs.contains(name.as_str()))
                .map(|(name, value)| (name.clone(), value.clone())),
        )
    }

    /// Key parts of arguments; `None` while something that counts is unknown.
    async fn observe(
        &self,
        cx: &Cx,
        arguments: &Value,
    ) -> Result<(Option<KeyParts>, BTreeMap<String, Vec<SourceFile>>), Diagnostics> {
        let names = self.stage.sources();
        let (context, given) = (cx.clone(), arguments.clone());
        let found = blocking(move || sources::resolve(&context, names, &given)).await.map_err(|problems| {
            problems.into_iter().map(|problem| problem.about(&cx.address)).collect::<Diagnostics>()
        })?;
        let leave_out: BTreeSet<&str> = COMMON.into_iter().chain(self.stage.outside_key().iter().copied()).collect();
        let (kind, revision) = (self.stage.kind(), self.stage.revision());
        let parts = KeyParts::of(kind, revision, &cx.address, arguments, &leave_out, &found, &cx.fingerprints);
        Ok((parts, found))
    }

    /// Has the stage judge its source files. Blocking, like reading them.
    async fn check_sources(
        &self,
        cx: &Cx,
        arguments: &Value,
        found: BTreeMap<String, Vec<SourceFile>>,
    ) -> Result<(), Diagnostics> {
        if found.is_empty() {
            return Ok(());
        }
        let (stage, arguments) = (self.stage.clone(), arguments.clone());
        let judged = blocking(move || stage.check_sources(&arguments, &found)).await;
        judged.map_err(|problems| problems.into_iter().map(|problem| problem.about(&cx.address)).collect())
    }

    /// Attributes of an instance: arguments, and outputs from a manifest or unknown.
    fn attributes(&self, cx: &Cx, arguments: &Value, manifest: Option<&Manifest>) -> Result<Value, Diagnostics> {
        let mut attributes = arguments.clone();
        for output in self.stage.outputs() {
            let value = match manifest {
                // Where it will be is known, and so of which kind it is: whoever takes another is told when that is planned.
                None => match output.artifact {
                    Some(artifact) => Value::object([
                        ("digest", Value::unknown(Type::String)),
                        ("path", self.place(cx, artifact.file())),
                    ]),
                    None => Value::unknown(output.ty()),
                },
                Some(manifest) => match &output.kind {
                    OutputKind::Value(ty) => {
                        let json = manifest.values.get(output.name).unwrap_or(&Json::Null);
                        json::from_json_as(json, ty).map_err(|error| {
                            Diagnostic::error(
                                "Invalid stage output",
                                format!("The stage set output `{}` to a value of another type: {error}.", output.name),
                            )
                            .about(&cx.address)
                        })?
                    }
                    OutputKind::Files(path) => match manifest.output_digest(path) {
                        Some(digest) => {
                            let digest = Value::from(digest.to_string());
                            Value::object([("digest", digest), ("path", self.place(cx, path))])
                        }
                        None => Value::null_of(output.ty()),
                    },
                },
            };
            attributes = attributes.with_attribute(output.name, value);
        }
        Ok(attributes)
    }

    /// The path of an output, relative to the root folder.
    fn place(&self, cx: &Cx, path: &str) -> Value {
        Value::from(self.view(cx).join(path).to_string_lossy().into_owned())
    }

    /// The readable view of this stage's outputs, relative to the root folder.
    fn view(&self, cx: &Cx) -> PathBuf {
        cx.view.join(folder_name(&cx.address))
    }

    async fn run(&self, cx: &Cx, prior: Option<&Instance>, planned: &Instance) -> ApplyOutcome {
        match self.try_run(cx, prior, planned).await {
            Ok(instance) => ApplyOutcome::done(instance),
            Err(diagnostics) => ApplyOutcome::failed(prior.cloned(), diagnostics),
        }
    }

    async fn try_run(&self, cx: &Cx, prior: Option<&Instance>, planned: &Instance) -> Result<Instance, Diagnostics> {
        let arguments = self.arguments(&planned.attributes);
        let (parts, found) = self.observe(cx, &arguments).await?;
        let parts = parts.ok_or_else(|| {
            Diagnostic::error(
                "Argument not known",
                "An argument of the stage is still unknown at apply. This is a mistake in pipectl.",
            )
            .about(&cx.address)
        })?;
        let key = parts.key();
        let decided: Option<Record> = serde_json::from_value(planned.private.clone()).ok();
        if let Some(decided) = &decided
            && decided.key != key
        {
            let what = parts
                .changes_since(&decided.parts)
                .into_iter()
                .map(|reason| reason.text)
                .collect::<Vec<_>>()
                .join("; ");
            return Err(Diagnostic::error(
                "Input changed since the plan",
                format!("The plan was made for other inputs: {what}."),
            )
            .about(&cx.address)
            .hint("pipectl plan")
            .into());
        }
        let (manifest, is_laid_out) = if is_forced(&planned.private) {
            (self.execute(cx, key, &arguments, &found).await?, false)
        } else if let Some(manifest) = self.unchanged(cx, prior, key).await? {
            (manifest, true)
        } else if let Some(manifest) = self.cached(cx, key).await? {
            cx.emit(Event::Restored { key: key.to_string() });
            (manifest, false)
        } else {
            (self.execute(cx, key, &arguments, &found).await?, false)
        };
        let (store, view, whole) = (cx.artifacts.clone(), cx.root.join(self.view(cx)), manifest.clone());
        if !is_laid_out {
            blocking(move || store.materialise(&whole, &view)).await.map_err(|error| store_failed(cx, &error))?;
        }
        let record = Record { key, parts, manifest: Some(manifest.digest()), force: false };
        Ok(Instance {
            attributes: self.attributes(cx, &arguments, Some(&manifest))?,
            private: serde_json::to_value(record).expect("a record is plain data"),
            schema_version: self.schema.version,
        })
    }

    /// What the last run made, if it had the same key and everything is still in place: inputs that were unknown turned out the same.
    async fn unchanged(&self, cx: &Cx, prior: Option<&Instance>, key: Digest) -> Result<Option<Manifest>, Diagnostics> {
        let Some(digest) = prior
            .and_then(|prior| serde_json::from_value::<Record>(prior.private.clone()).ok())
            .filter(|record| record.key == key)
            .and_then(|record| record.manifest)
        else {
            return Ok(None);
        };
        let (store, view) = (cx.artifacts.clone(), cx.root.join(self.view(cx)));
        let found = blocking(move || match store.manifest(&digest) {
            Ok(Some(manifest)) if store.view_state(&manifest, &view)? == ViewState::Intact => Ok(Some(manifest)),
            // What is damaged is made again.
            Ok(_) | Err(ArtifactError::Damaged { .. }) => Ok(None),
            Err(error) => Err(error),
        });
        found.await.map_err(|error| store_failed(cx, &error).into())
    }

    async fn cached(&self, cx: &Cx, key: Digest) -> Result<Option<Manifest>, Diagnostics> {
        let store = cx.artifacts.clone();
        blocking(move || store.action(&key)).await.map_err(|error| store_failed(cx, &error).into())
    }

    async fn execute(
        &self,
        cx: &Cx,
        key: Digest,
        arguments: &Value,
        found: &BTreeMap<String, Vec<SourceFile>>,
    ) -> Result<Manifest, Diagnostics> {
        let null = Value::null();
        let chosen = arguments.attribute("executor").unwrap_or(&null);
        let executor = self.executors.of(chosen).ok_or_else(|| {
            Diagnostic::error(
                "Unsupported executor",
                "The `executor` argument takes a reference to an `executor` block of a kind that this pipectl knows.",
            )
            .on(pipectl_core::Path::of("executor"))
            .about(&cx.address)
        })?;
        let resources =
            Resources::from_value(arguments.attribute("resources")).map_err(|problem| problem.about(&cx.address))?;
        let folders = Folders::make(cx, key).map_err(|(path, error)| {
            Diagnostic::error("Working folder not writable", format!("Cannot make `{}`: {error}.", path.display()))
                .remedied(&error)
                .about(&cx.address)
        })?;
        let store = cx.artifacts.clone();
        let output = blocking(move || store.scratch()).await.map_err(|error| store_failed(cx, &error))?;
        let stage_arguments = Value::object(
            arguments
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(name, _)| !COMMON.contains(&name.as_str()))
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        let job = Job {
            protocol: PROTOCOL,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            address: cx.address.clone(),
            kind: self.stage.kind().to_owned(),
            arguments: json::to_json(&stage_arguments).unwrap_or(Json::Null),
            sources: found
                .iter()
                .map(|(name, files)| (name.clone(), files.iter().map(|file| file.path.clone()).collect()))
                .collect(),
            key: key.to_string(),
            rank: 0,
            workers: self.stage.workers(arguments).max(1),
            root: cx.root.clone(),
            output: output.clone(),
            scratch: folders.attempt.join("scratch"),
            checkpoint: folders.checkpoint.clone(),
            threads: (resources.cpus.ceil() as usize).max(1),
        };
        let task = Task { job, resources, executor: chosen.clone(), attempt: folders.attempt.clone() };
        let finished = executor.execute(cx, task).await.map_err(|error| -> Diagnostics {
            match error {
                ExecuteError::Stopped => Diagnostic::error(
                    "Stopped",
                    "The stage stopped at a checkpoint. The next apply goes on from there.",
                )
                .about(&cx.address)
                .into(),
                ExecuteError::Failed { diagnostics, .. } => {
                    let logs = folders.attempt.strip_prefix(&cx.root).unwrap_or(&folders.attempt).display().to_string();
                    diagnostics
                        .into_iter()
                        .map(|problem| {
                            problem.about(&cx.address).hint(format!("pipectl logs {} (kept in {logs})", cx.address))
                        })
                        .collect()
                }
            }
        })?;
        let store = cx.artifacts.clone();
        let manifest = blocking(move || {
            let files = store.ingest(&output)?;
            let manifest = Manifest::new(files, serde_json::to_value(&finished.values).expect("values are JSON"));
            let digest = store.publish(&manifest)?;
            store.record_action(&key, &digest)?;
            Ok(manifest)
        })
        .await
        .map_err(|error| store_failed(cx, &error))?;
        // What the checkpoint was for is done; a failure to remove it costs space only.
        let _ = std::fs::remove_dir_all(&folders.checkpoint);
        Ok(manifest)
    }
}

/// Folders of one attempt.
struct Folders {
    attempt: PathBuf,
    checkpoint: PathBuf,
}

impl Folders {
    fn make(cx: &Cx, key: Digest) -> Result<Self, (PathBuf, std::io::Error)> {
        let make = |path: PathBuf| std::fs::create_dir_all(&path).map_err(|error| (path.clone(), error)).map(|()| path);
        let runs = make(cx.work.join("runs").join(folder_name(&cx.address)))?;
        let attempt = make(runs.join(format!("{:04}", last_attempt(&runs) + 1)))?;
        make(attempt.join("scratch"))?;
        let checkpoint = make(checkpoint_folder(cx, key))?;
        Ok(Self { attempt, checkpoint })
    }
}

fn last_attempt(runs: &FilePath) -> u32 {
    let entries = std::fs::read_dir(runs).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).max().unwrap_or(0)
}

fn checkpoint_folder(cx: &Cx, key: Digest) -> PathBuf {
    cx.work.join("checkpoints").join(&key.hex()[..16])
}

/// The folder of a stage's address: `stage.train.a["x/y"]` is kept in `train.a[x_y]`.
pub fn folder_name(address: &str) -> String {
    let name = address.strip_prefix("stage.").unwrap_or(address);
    name.chars()
        .filter(|c| *c != '"')
        .map(|c| if c.is_alphanumeric() || "._-[]".contains(c) { c } else { '_' })
        .collect()
}

async fn blocking<T: Send + 'static, E: Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn store_failed(cx: &Cx, error: &ArtifactError) -> Diagnostic {
    let why = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    Diagnostic::error("Artifact store failed", format!("The artifact store {error}{why}."))
        .remedied(error)
        .about(&cx.address)
}

#[async_trait]
impl Resource for StageResource {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let arguments = self.arguments(config);
        let misfit = |(name, kind): &(&str, Artifact)| kind.misfit(name, arguments.attribute(name)?);
        let mut diagnostics: Diagnostics = self.stage.takes().iter().filter_map(misfit).collect();
        diagnostics.extend(self.stage.validate(&arguments));
        diagnostics.extend(Resources::from_value(arguments.attribute("resources")).err());
        diagnostics
    }

    fn has_remote_effect(&self) -> bool {
        false
    }

    async fn read(&self, cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
        let lost =
            |text: &str| ReadOutcome::Present { instance: Box::new(prior.clone()), drift: vec![text.to_owned()] };
        let Ok(record) = serde_json::from_value::<Record>(prior.private.clone()) else {
            return Ok(lost("the record of its last run is not readable"));
        };
        let Some(digest) = record.manifest else { return Ok(lost("its last run left no manifest")) };
        let (store, view) = (cx.artifacts.clone(), cx.root.join(self.view(cx)));
        let drift = blocking(move || match store.manifest(&digest) {
            Ok(None) => Ok(vec!["the manifest of its outputs is missing from the artifact store".to_owned()]),
            Ok(Some(manifest)) => Ok(match store.view_state(&manifest, &view)? {
                ViewState::Intact => Vec::new(),
                ViewState::Drifted(texts) => texts,
            }),
            // What is damaged can be made again: that is drift, not the end.
            Err(ArtifactError::Damaged { message, .. }) => {
                Ok(vec![format!("the manifest of its outputs is damaged: {message}")])
            }
            Err(error) => Err(error),
        })
        .await
        .map_err(|error| store_failed(cx, &error))?;
        Ok(ReadOutcome::Present { instance: Box::new(prior.clone()), drift })
    }

    async fn plan(&self, cx: &Cx, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        let arguments = self.arguments(request.config);
        let (parts, found) = self.observe(cx, &arguments).await?;
        let before: Option<Record> = request.prior.and_then(|prior| serde_json::from_value(prior.private.clone()).ok());
        let respond = |effect, planned, private, reasons| PlanResponse {
            effect,
            planned,
            private,
            reasons,
            requires_replace: Vec::new(),
        };
        let to_private = |record: Record| serde_json::to_value(record).expect("a record is plain data");
        let mut reasons: Vec<Reason> = request.drift.iter().map(Reason::new).collect();
        if request.replace {
            reasons.push(Reason::asked_for());
        }
        if request.prior.is_none() {
            reasons.push(Reason::new("it has not run yet"));
        }
        let Some(parts) = parts else {
            self.check_sources(cx, &arguments, found).await?;
            let certain = !reasons.is_empty();
            reasons.extend(unknown_inputs(&arguments));
            let effect = if certain { Effect::Run } else { Effect::RunIfChanged };
            // There is no key yet, so the wish to run must be kept without one.
            let private = if request.replace { serde_json::json!({ "force": true }) } else { Json::Null };
            return Ok(respond(effect, self.attributes(cx, &arguments, None)?, private, reasons));
        };
        let key = parts.key();
        if let Some(before) = &before {
            reasons.extend(parts.changes_since(&before.parts));
        } else if request.prior.is_some() && reasons.is_empty() {
            reasons.push(Reason::new("the record of its last run is not readable"));
        }
        if let (true, Some(prior), Some(before)) = (reasons.is_empty(), request.prior, before) {
            // Arguments outside the key may differ: the outputs are the same.
            let planned = self.stage.outputs().iter().fold(arguments, |planned, output| {
                let value = prior.attributes.attribute(output.name).cloned().unwrap_or_else(Value::null);
                planned.with_attribute(output.name, value)
            });
            return Ok(respond(Effect::NoOp, planned, to_private(before), reasons));
        }
        let cached = if request.replace { None } else { self.cached(cx, key).await? };
        if cached.is_some() {
            reasons.push(Reason::new("its outputs are in the action cache: they are restored, nothing runs"));
        } else {
            self.check_sources(cx, &arguments, found).await?;
        }
        let record = Record { key, parts, manifest: None, force: request.replace };
        Ok(respond(Effect::Run, self.attributes(cx, &arguments, cached.as_ref())?, to_private(record), reasons))
    }

    async fn create(&self, cx: &Cx, planned: &Instance) -> ApplyOutcome {
        self.run(cx, None, planned).await
    }

    async fn update(&self, cx: &Cx, prior: &Instance, planned: &Instance) -> ApplyOutcome {
        self.run(cx, Some(prior), planned).await
    }

    async fn delete(&self, cx: &Cx, prior: &Instance) -> ApplyOutcome {
        let (store, view, runs) =
            (cx.artifacts.clone(), cx.root.join(self.view(cx)), cx.work.join("runs").join(folder_name(&cx.address)));
        let checkpoint = serde_json::from_value::<Record>(prior.private.clone())
            .ok()
            .map(|record| checkpoint_folder(cx, record.key));
        let removed = blocking(move || {
            store.remove_view(&view)?;
            for folder in checkpoint.into_iter().chain([runs]) {
                match std::fs::remove_dir_all(&folder) {
                    Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                        return Err(ArtifactError::Io { doing: "remove", path: folder, source });
                    }
                    _ => {}
                }
            }
            Ok(())
        })
        .await;
        match removed {
            Ok(()) => ApplyOutcome::gone(),
            Err(error) => ApplyOutcome::failed(Some(prior.clone()), store_failed(cx, &error)),
        }
    }
}

/// Whether a plan asks for a run even where the outputs are at hand.
fn is_forced(private: &Json) -> bool {
    private.get("force").and_then(Json::as_bool).unwrap_or(false)
}

/// Which arguments are not known yet, in words.
fn unknown_inputs(arguments: &Value) -> Vec<Reason> {
    let unknown = arguments.as_object().into_iter().flatten().filter(|(_, value)| !value.is_wholly_known());
    unknown
        .map(|(name, _)| Reason::on(&pipectl_core::Path::of(name), format!("input `{name}` is known after apply")))
        .collect()
}
