//! `artifacts list`, `gc` and `verify`: looks after what stages have made.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use pipectl_artifact::GcOptions;
use pipectl_core::{AddressKind, Diagnostic, Digest};
use pipectl_provider::ArtifactError;
use pipectl_state::{LocalStore, State, StateStore};
use serde_json::json;

use crate::app::App;
use crate::arguments::{ArtifactsArguments, ArtifactsCommand, ArtifactsGcArguments};
use crate::clock::rfc3339;
use crate::exit::Exit;
use crate::project::Project;
use crate::roots;
use crate::view::figures::{bytes, count};

/// Runs the command.
pub fn run(app: &App, command: &ArtifactsCommand) -> Exit {
    let result = match command {
        ArtifactsCommand::List(arguments) => list(app, arguments),
        ArtifactsCommand::Gc(arguments) => gc(app, arguments),
        ArtifactsCommand::Verify(arguments) => verify(app, arguments),
    };
    result.unwrap_or_else(|exit| exit)
}

fn list(app: &App, arguments: &ArtifactsArguments) -> Result<Exit, Exit> {
    let project = app.project(arguments.root.path.as_deref())?;
    let state = project.read_state().map_err(|error| app.fail_in(error, &project.configuration.sources))?;
    let owners = state.as_ref().map(owners).unwrap_or_default();
    let listed = project.artifact_store(false).list().map_err(|error| failed(app, &error))?;
    if arguments.json {
        let entries: Vec<_> = listed
            .iter()
            .map(|one| {
                json!({
                    "digest": one.digest,
                    "stage": owners.get(&one.digest),
                    "bytes": one.bytes(),
                    "published": rfc3339(one.published),
                    "keys": one.keys,
                    "files": one.manifest.files,
                })
            })
            .collect();
        app.console.print(&format!("{:#}", json!(entries)));
        return Ok(Exit::Success);
    }
    if listed.is_empty() {
        app.console.print("The artifact store is empty.");
        return Ok(Exit::Success);
    }
    let rows: Vec<[String; 5]> = listed
        .iter()
        .map(|one| {
            [
                one.digest.short(),
                owners.get(&one.digest).cloned().unwrap_or_else(|| "(not in the state)".to_owned()),
                count(one.manifest.files.len(), "file"),
                bytes(one.bytes()),
                rfc3339(one.published)[..19].replace('T', " "),
            ]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3)];
    for [digest, stage, files, size, time] in &rows {
        app.console.print(&format!(
            "{digest}  {stage:stage_width$}  {files:files_width$}  {size:>size_width$}  {time}",
            stage_width = widths[1],
            files_width = widths[2],
            size_width = widths[3],
        ));
    }
    Ok(Exit::Success)
}

fn gc(app: &App, arguments: &ArtifactsGcArguments) -> Result<Exit, Exit> {
    let project = app.project(arguments.root.path.as_deref())?;
    // All pipelines and workspaces of a folder share the store: what any of them refers to stays.
    let mut live = BTreeSet::new();
    for state in all_states(app, &project).map_err(|error| app.fail(error))? {
        live.extend(owners(&state).into_keys());
    }
    let options = GcOptions { now: app.environment.now(), keep: arguments.keep, dry_run: arguments.dry_run };
    let collected = project.artifact_store(false).gc(&live, &options).map_err(|error| failed(app, &error))?;
    let word = if arguments.dry_run { "Would remove" } else { "Removed" };
    let parts = [
        (collected.actions, "cached run"),
        (collected.manifests, "manifest"),
        (collected.blobs, "blob"),
        (collected.damaged, "damaged file"),
        (collected.working, "left-over working folder"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(number, _)| *number > 0).map(|(number, noun)| count(*number as usize, noun)).collect();
    let what = if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") };
    let live = count(live.len(), "manifest");
    app.console.print(&format!("{word} {what}: {} freed. {live} of the states kept.", bytes(collected.bytes)));
    Ok(Exit::Success)
}

fn verify(app: &App, arguments: &ArtifactsArguments) -> Result<Exit, Exit> {
    let project = app.project(arguments.root.path.as_deref())?;
    let bar = app.console.is_terminal().then(|| indicatif::ProgressBar::new(0));
    let verified = project.artifact_store(false).verify(|done, total| {
        if let Some(bar) = &bar {
            bar.set_length(total);
            bar.set_position(done);
        }
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let verified = verified.map_err(|error| failed(app, &error))?;
    let shown = |path: &Path| crate::roots::shown(&app.here, path);
    if arguments.json {
        let findings: Vec<_> = verified
            .findings
            .iter()
            .map(|finding| json!({ "path": shown(&finding.path), "message": finding.message }))
            .collect();
        let document = json!({
            "blobs": verified.blobs, "bytes": verified.bytes, "manifests": verified.manifests, "findings": findings,
        });
        app.console.print(&format!("{document:#}"));
    } else {
        for finding in &verified.findings {
            app.console.print(&format!("{}: {}", shown(&finding.path), finding.message));
        }
        app.console.print(&format!(
            "Read {} ({}) and {}: {}.",
            count(verified.blobs as usize, "blob"),
            bytes(verified.bytes),
            count(verified.manifests as usize, "manifest"),
            match verified.findings.len() {
                0 => "all is as it should be".to_owned(),
                number => format!(
                    "{} damaged or missing. The stages concerned run again with the next apply",
                    count(number, "file")
                ),
            }
        ));
    }
    Ok(if verified.findings.is_empty() { Exit::Success } else { Exit::Failure })
}

/// Which stage of a state made a manifest.
fn owners(state: &State) -> BTreeMap<Digest, String> {
    let of_stage = |(address, _, object): (&pipectl_core::Address, Option<&str>, &pipectl_state::ObjectState)| {
        let digest = object.private.get("manifest")?.as_str()?.parse().ok()?;
        (address.kind == AddressKind::Stage).then(|| (digest, address.to_string()))
    };
    state.objects().filter_map(of_stage).collect()
}

/// The states of all root modules of a folder, and of those that were there once, in all their workspaces. A state that cannot be read may refer
/// to anything: then nothing is removed.
fn all_states(app: &App, project: &Project) -> Result<Vec<State>, Diagnostic> {
    let mut stores: BTreeMap<PathBuf, Box<dyn StateStore>> = BTreeMap::new();
    let mut elsewhere = Vec::new();
    for pipeline in folders_of(&project.folder.join(".pipectl"))? {
        for workspace in folders_of(&pipeline)? {
            let store = LocalStore::new(&workspace).encrypted(project.encryption()?);
            stores.insert(workspace, Box::new(store));
        }
    }
    // Each may have a backend and a passphrase of its own.
    for root in roots::all_of_folder(&app.here, &project.folder)? {
        let (other, _) = Project::load(root, &app.environment);
        if other.placed().is_err() {
            let detail = format!(
                "`{}` has errors that leave it open where its state lies. That state may refer to anything, so nothing is removed.",
                other.shown
            );
            let hint = format!("pipectl validate {}", other.shown);
            return Err(Diagnostic::error("States not found", detail).hint(hint));
        }
        // `workspaces` leaves out what cannot be listed.
        other.state_folder().as_deref().and_then(Path::parent).map_or(Ok(Vec::new()), folders_of)?;
        for workspace in other.workspaces()? {
            let other = other.in_workspace(&workspace);
            let store = other.state_store()?;
            match other.state_folder() {
                Some(folder) => _ = stores.insert(folder, store),
                None => elsewhere.push(store),
            }
        }
    }
    let read = |store: Box<dyn StateStore>| store.read().map_err(|error| project.state_error(&error)).transpose();
    stores.into_values().chain(elsewhere).filter_map(read).collect()
}

/// The folders in a folder; none where there is no such folder.
fn folders_of(path: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    let failed = |error: std::io::Error| {
        let detail = format!(
            "Cannot list `{}`: {error}. A state in it may refer to anything, so nothing is removed.",
            path.display()
        );
        Diagnostic::error("States not found", detail).remedied(&error)
    };
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let paths: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(failed)?;
    Ok(paths.into_iter().filter(|path| path.is_dir()).collect())
}

fn failed(app: &App, error: &ArtifactError) -> Exit {
    let why = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    app.fail(Diagnostic::error("Artifact store failed", format!("The artifact store {error}{why}.")).remedied(error))
}
