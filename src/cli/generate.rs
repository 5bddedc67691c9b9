//! `plan -generate-config-out`: configuration for objects that `import` blocks name and nothing declares.
//!
//! The objects are looked up, their arguments written down in a new file, and that file joins the root module before it is planned. What the
//! text looks like is the business of `view::resource_text`.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use pipectl_core::convert::convert;
use pipectl_core::{Diagnostic, Diagnostics, Kind, Marks, SourceMap, Type};
use pipectl_engine::{Importing, Inspection, Mode, Seed, attributes, objects_of, resolve_variables};
use pipectl_lang::{Configuration, ImportBlock, SourceFile, quote};
use pipectl_state::Change;

use crate::app::{App, Effort};
use crate::arguments::VariableSetting;
use crate::environment;
use crate::project::Project;
use crate::reporter::Follower;
use crate::roots::{Root, is_configuration};
use crate::variables;
use crate::view::resource_text;

/// What the file begins with.
const HEADER: &str =
    "# __generated__ by pipectl\n# Please review these resources and move them into your main configuration files.\n";

/// Writes the configuration that a root module lacks into the new file `out`, and adds it to the root. Whether anything was lacking. What is
/// wrong with the root itself is left for the plan to tell.
///
/// # Errors
/// When the file would not be read as a part of the root, is there already or cannot be written, or an object cannot be looked up; with the
/// files that the errors are about.
pub async fn generate(
    app: &App,
    root: &mut Root,
    settings: &[VariableSetting],
    mode: Mode,
    out: &Path,
) -> Result<bool, (Diagnostics, SourceMap)> {
    let alone = |problem: Diagnostic| (Diagnostics::from(problem), SourceMap::default());
    if mode != Mode::Normal {
        let detail = "Config can only be generated during a normal plan operation, and not during a refresh-only or destroy plan.";
        return Err(alone(Diagnostic::error("Invalid generate-config-out flag", detail)));
    }
    let file = app.here.join(out);
    misplaced(root, &file, out).map_or(Ok(()), |problem| Err(alone(problem)))?;
    if file.exists() {
        return Err(alone(already_there(out)));
    }
    let (project, found) = Project::load(root.clone(), &app.environment);
    let configuration = &*project.configuration;
    if found.has_errors() || lacking(configuration).next().is_none() {
        return Ok(false);
    }
    let text = match text(app, root, &project, settings).await {
        Ok(Some(text)) => text,
        Ok(None) => return Ok(false),
        Err(problems) => return Err((problems, configuration.sources.clone())),
    };
    let written = OpenOptions::new().write(true).create_new(true).open(&file);
    let written = written.and_then(|mut opened| opened.write_all(text.as_bytes()).and_then(|()| opened.sync_all()));
    written.map_err(|error| {
        let detail = format!("Cannot write `{}`: {error}.", out.display());
        alone(Diagnostic::error("Configuration not written", detail).remedied(&error))
    })?;
    root.sources.push(SourceFile { name: crate::roots::shown(&app.here, &file), text });
    Ok(true)
}

/// What keeps the next plan from reading the new file as what it is now: a part of this root.
fn misplaced(root: &Root, file: &Path, out: &Path) -> Option<Diagnostic> {
    let out = out.display();
    let problem = |detail: String| Diagnostic::error("Invalid generate-config-out flag", detail);
    let meant = || match root.shown.as_str() {
        "." => "-generate-config-out=generated.tf".to_owned(),
        shown => format!("-generate-config-out={shown}/generated.tf"),
    };
    if root.entry != "." {
        let detail = format!(
            "`{}` is a pipeline, all of which stands in one file: what stands in `{out}` would not belong to it. Write the block yourself, with \
             as many arguments as you know; the plan shows the difference to the object.",
            root.shown
        );
        return Some(problem(detail).hint("resource \"TYPE\" \"NAME\" {}"));
    }
    let name = file.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let folder = file.parent().and_then(|folder| folder.canonicalize().ok());
    if folder.is_none() || folder != root.folder.canonicalize().ok() {
        let detail =
            format!("`{out}` is not in the folder of the root module, `{}`, and would not be read.", root.shown);
        return Some(problem(detail).hint(meant()));
    }
    (!name.ends_with(".tf") || !is_configuration(&name)).then(|| {
        let detail = format!("`{out}` would not be read: the name of a file of configuration ends in .tf.");
        problem(detail).hint(meant())
    })
}

fn already_there(out: &Path) -> Diagnostic {
    let detail = format!(
        "Generated configuration goes into a new file only, and `{}` is there. Choose another file, or move what is in it elsewhere and delete it.",
        out.display()
    );
    Diagnostic::error("Target generated file already exists", detail)
}

/// The `import` blocks whose objects nothing declares. For objects in modules, and for several of a block, there is no text that could be
/// written: the plan says that their configuration is missing.
fn lacking(configuration: &Configuration) -> impl Iterator<Item = &ImportBlock> {
    let is_single = |block: &&ImportBlock| {
        block.for_each.is_none() && block.to.key.is_none() && block.to.declaration.module.is_root()
    };
    configuration.imports.iter().filter(|block| configuration.object(&block.to.declaration).is_none()).filter(is_single)
}

/// The blocks for all that is lacking; `None` where the plan has an error to tell before anything can be looked up.
async fn text(
    app: &App,
    root: &Root,
    project: &Project,
    settings: &[VariableSetting],
) -> Result<Option<String>, Diagnostics> {
    let configuration = &*project.configuration;
    let mut sources = configuration.sources.clone();
    let Ok((inputs, _)) =
        variables::collect(&app.here, &project.folder, environment::variables(), settings, &mut sources)
    else {
        return Ok(None);
    };
    let (values, found) = resolve_variables(configuration, &inputs);
    let Ok(state) = project.read_state() else { return Ok(None) };
    if found.has_errors() {
        return Ok(None);
    }
    let state = state.unwrap_or_default();
    // Whatever is imported has a block: here it is empty.
    let mut with_blocks = root.clone();
    let header = |block: &ImportBlock| {
        let address = &block.to.declaration;
        format!("resource {} {} {{}}\n", quote(&address.type_name), quote(&address.name))
    };
    let blocks = lacking(configuration).map(header).collect();
    with_blocks.sources.push(SourceFile { name: "generated.tf".to_owned(), text: blocks });
    let (with_blocks, _) = Project::load(with_blocks, &app.environment);
    let engine = app.engine(project, Effort { parallelism: 1, verify: false }, &Follower::Nobody);
    let objects = objects_of(&app.registry, &state);
    let inspection = engine.inspect(configuration, values, objects, (None, false));
    let importing = engine.importing(&with_blocks.configuration, &inputs, &state, Seed::random()).await?;
    let text = texts(app, &importing, &inspection, configuration).await;
    let left_open = importing.close().await;
    if left_open.has_errors() { text.and(Err(left_open)) } else { text }
}

/// The same, from what is there to look objects up with.
async fn texts(
    app: &App,
    importing: &Importing<'_>,
    inspection: &Inspection<'_>,
    configuration: &Configuration,
) -> Result<Option<String>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let mut text = HEADER.to_owned();
    for block in lacking(configuration) {
        let address = &block.to.declaration;
        let Some(kind) = app.registry.resource(address.kind, &address.type_name) else { return Ok(None) };
        let id = match inspection.evaluate(&block.id) {
            Ok(id) if id.marks_deep().is_private() => {
                let is_sensitive = id.marks_deep().contains(Marks::SENSITIVE);
                let mark = if is_sensitive { "sensitive" } else { "ephemeral" };
                let detail = format!("The import ID is {mark}, and would be written into the configuration.");
                problems.push(Diagnostic::error("Invalid import id argument", detail).at(block.id.span()));
                continue;
            }
            Ok(id) => convert(&id, &Type::String).ok(),
            Err(found) => {
                problems.extend(found);
                continue;
            }
        };
        let Some(Kind::String(id)) = id.as_ref().map(|id| id.kind()) else { return Ok(None) };
        let changes = importing.import(address, id).await;
        match changes.map(|mut changes| changes.pop()) {
            Ok(Some(Change::SetObject { object, .. })) => {
                let attributes = attributes(&app.registry, address, &object);
                text.push_str(&resource_text::block(address, id, kind.schema(), &attributes));
            }
            Ok(_) => return Ok(None),
            Err(found) => {
                let at_import = |problem| Diagnostic { span: Some(block.span.clone()), ..problem };
                problems.extend(found.into_iter().map(at_import));
            }
        }
    }
    if problems.has_errors() { Err(problems) } else { Ok(Some(text)) }
}
