//! `import`: takes an object that exists already into the state.

use pipectl_core::{Address, Diagnostic, DiagnosticKind, Diagnostics, SourceMap};
use pipectl_engine::{Seed, VariableInput, resolve_variables};
use pipectl_state::StateError;

use super::state::address;
use super::state::edit::mention_lock;
use crate::app::App;
use crate::arguments::{ImportArguments, split_root};
use crate::environment;
use crate::exit::Exit;
use crate::operation::lock;
use crate::project::Project;
use crate::reporter::{Follower, Reporter};
use crate::variables;

/// Runs the command.
pub async fn run(app: &App, arguments: &ImportArguments) -> Exit {
    try_run(app, arguments).await.unwrap_or_else(|exit| exit)
}

async fn try_run(app: &App, arguments: &ImportArguments) -> Result<Exit, Exit> {
    let (root, rest) = split_root(&app.here, &arguments.words);
    let [text, id] = rest else {
        let detail = match &root {
            None if rest.len() == 3 => format!(
                "This command takes one object into the state. If {:?} is a folder, it is written with a slash.",
                rest[0]
            ),
            _ => "This command takes one object into the state.".to_owned(),
        };
        let error = Diagnostic::error("Address and id required", detail);
        return Err(app.fail(error.hint("pipectl import [PATH] ADDRESS ID")));
    };
    if let (Some(config), Some(root)) = (&arguments.config, &root) {
        let (config, root) = (config.display(), root.display());
        let detail =
            format!("Both -config=`{config}` and the path `{root}` say which root module is meant. Give one of them.");
        return Err(app.fail(Diagnostic::error("Several root modules", detail)));
    }
    let address = address(app, text)?;
    mention_lock(app, &arguments.lock);
    let root = arguments.config.clone().or(root);
    let (project, mut diagnostics) = Project::load(app.root(root.as_deref())?, &app.environment);
    let mut sources = project.configuration.sources.clone();
    let (inputs, found) = inputs(app, &project, arguments, &mut sources);
    diagnostics.extend(found);
    let sources = &sources;
    app.complain(&diagnostics, sources);
    if diagnostics.has_errors() {
        return Err(Exit::Failure);
    }
    let reporter = Reporter::new(app.console.clone(), app.environment.clone(), false, false);
    let seed = Seed::random();
    let mut writer = lock(app, &reporter, &project, arguments.lock.lock_timeout, ("import", seed)).await?;
    project.check_owner(writer.state()).map_err(|error| app.fail_in(error, sources))?;
    app.console.print(&format!("{address}: Importing from ID \"{id}\"..."));
    let engine = app.engine(&project, crate::app::Effort { parallelism: 1, verify: false }, &Follower::Nobody);
    let changes = engine.import(&project.configuration, &inputs, writer.state(), &address, id, seed).await;
    let changes = changes.map_err(|problems| {
        app.complain(&problems, sources);
        Exit::Failure
    })?;
    let state_error = |error: StateError| app.fail_in(project.state_error(&error), &SourceMap::default());
    if writer.state().lineage.is_empty() {
        let lineage = seed.draw("lineage");
        writer.begin(&lineage, &project.entry).map_err(state_error)?;
    }
    writer.commit(changes).map_err(state_error)?;
    say_done(app, &address, id);
    Ok(Exit::Success)
}

/// The values of variables, and what is wrong with them. One that has none may be needed by nothing here.
fn inputs(
    app: &App,
    project: &Project,
    arguments: &ImportArguments,
    sources: &mut SourceMap,
) -> (Vec<VariableInput>, Diagnostics) {
    let settings = &arguments.variables.settings;
    match variables::collect(&app.here, &project.folder, environment::variables(), settings, sources) {
        Ok((inputs, mut warnings)) => {
            let (_, found) = resolve_variables(&project.configuration, &inputs);
            warnings.extend(found.into_iter().filter(|problem| problem.kind != Some(DiagnosticKind::MissingValue)));
            (inputs, warnings)
        }
        Err(problems) => (Vec::new(), problems),
    }
}

fn say_done(app: &App, address: &Address, id: &str) {
    app.console.print(&format!(
        "{address}: Import prepared!\n  Prepared {} for import\n{address}: Refreshing state... [id={id}]\n\nImport successful!\n\nThe \
         resources that were imported are shown above. These resources are now in\nyour state and will henceforth be managed by pipectl.",
        address.type_name
    ));
}
