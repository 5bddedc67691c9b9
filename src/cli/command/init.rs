//! `init`: checks that root modules can be worked on here, and says what was found. All that it makes is the file with the settings of the backend
//! that it is given: folders are made when they are needed.

use pipectl_core::{AddressKind, Diagnostic, Diagnostics};
use pipectl_state::State;

use crate::app::{App, Effort};
use crate::arguments::InitArguments;
use crate::backend::Place;
use crate::backend_settings::{self, BackendSettings, Storing};
use crate::console::Color;
use crate::exit::Exit;
use crate::former_place;
use crate::project::Project;
use crate::reporter::Follower;
use crate::roots::{self, Root, WithoutFiles};
use crate::spelling::for_shell;
use crate::view::figures::count;

/// Runs the command.
pub fn run(app: &App, arguments: &InitArguments) -> Exit {
    let roots = match app.roots(arguments.root.path.as_deref(), WithoutFiles::Empty) {
        Ok(roots) => roots,
        Err(exit) => return exit,
    };
    if roots.len() > 1 && arguments.backend && changes_settings(arguments) {
        let names: Vec<&str> = roots.iter().map(|root| root.shown.as_str()).collect();
        let detail = format!(
            "-backend-config and -reconfigure are for one pipeline at a time, and there are several: {}.",
            names.join(", ")
        );
        let error = Diagnostic::error("Several pipelines", detail);
        return app.fail(error.hint(format!("Name one of them: {}", for_shell(names[0]))));
    }
    roots.into_iter().fold(Exit::Success, |exit, root| exit.and(one(app, root, arguments)))
}

fn changes_settings(arguments: &InitArguments) -> bool {
    arguments.reconfigure || !arguments.backend_config.is_empty()
}

/// A root module with the settings of the backend that are given, and what is to be done with them.
fn load(app: &App, root: Root, arguments: &InitArguments) -> Result<(Project, Diagnostics, Option<Storing>), Exit> {
    if !arguments.backend {
        let (project, mut diagnostics) = Project::load_without_state(root, &app.environment);
        if changes_settings(arguments) {
            let detail = "With -backend=false nothing is done about the backend: -backend-config and -reconfigure change nothing.";
            diagnostics.push(Diagnostic::warning("Settings of the backend not stored", detail));
        }
        return Ok((project, diagnostics, None));
    }
    if !changes_settings(arguments) {
        let (project, diagnostics) = Project::load(root, &app.environment);
        return Ok((project, diagnostics, None));
    }
    let held = if arguments.reconfigure { BackendSettings::Ignored } else { BackendSettings::Stored };
    let (before, _) = Project::load_with(root.clone(), &app.environment, held);
    let text = backend_settings::of_arguments(app, &before, &arguments.backend_config).map_err(|problems| {
        app.complain(&problems, &before.configuration.sources);
        Exit::Failure
    })?;
    let settings = text.clone().map_or(BackendSettings::Ignored, BackendSettings::Given);
    let (project, mut diagnostics) = Project::load_with(root, &app.environment, settings);
    diagnostics.extend(project.incomplete.clone());
    let storing = match text {
        Some(text) if !arguments.reconfigure => {
            // Before anybody looks at those that are there: whoever stores some meanwhile is not overwritten.
            let storing = Storing::of(&project, text);
            if !diagnostics.has_errors() {
                backend_settings::check_unchanged(&before, &project)
                    .map_err(|problem| app.fail_in(problem, &project.configuration.sources))?;
            }
            storing
        }
        text => Storing::Instead(text),
    };
    Ok((project, diagnostics, Some(storing)))
}

/// The state, and what is left where it lay before.
fn state(project: &Project, arguments: &InitArguments) -> Result<(Option<State>, Option<Diagnostic>), Diagnostic> {
    if !arguments.reconfigure {
        return Ok((project.read_state()?, None));
    }
    let state = project.read_state_here()?;
    Ok((state, former_place::left(project)?.map(|former| former_place::warning(project, &former))))
}

fn one(app: &App, root: Root, arguments: &InitArguments) -> Exit {
    let (project, mut diagnostics, storing) = match load(app, root, arguments) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    let engine = app.engine(&project, Effort { parallelism: 1, verify: false }, &Follower::Nobody);
    diagnostics.extend(engine.check_kinds(&project.configuration));
    let state = match diagnostics.has_errors() || !arguments.backend {
        true => None,
        false => match state(&project, arguments) {
            Ok((state, warning)) => {
                diagnostics.extend(warning);
                state
            }
            Err(error) => {
                diagnostics.push(error);
                None
            }
        },
    };
    app.complain(&diagnostics, &project.configuration.sources);
    if diagnostics.has_errors() {
        return Exit::Failure;
    }
    if let Some(storing) = storing
        && let Err(error) = storing.run(&project).and_then(|()| former_place::accept(&project))
    {
        return app.fail(error);
    }
    let configuration = &project.configuration;
    let of_kind = |kind| configuration.objects.keys().filter(move |address| address.kind == kind).count();
    let found = [
        (of_kind(AddressKind::Stage), "stage"),
        (of_kind(AddressKind::Resource), "resource"),
        (of_kind(AddressKind::Data), "data source"),
        (of_kind(AddressKind::Ephemeral), "ephemeral resource"),
        (configuration.models.len(), "model"),
        (configuration.variables.len(), "variable"),
        (configuration.outputs.len(), "output"),
    ];
    let found: Vec<String> =
        found.into_iter().filter(|(number, _)| *number > 0).map(|(number, noun)| count(number, noun)).collect();
    let found = if found.is_empty() { "an empty configuration".to_owned() } else { found.join(", ") };
    let kinds: Vec<&str> = app.registry.stages.keys().map(String::as_str).collect();
    let state = match state {
        _ if !arguments.backend => "not looked at".to_owned(),
        Some(state) => format!("serial {}, {}", state.serial, count(state.objects().count(), "object")),
        None => "none yet".to_owned(),
    };
    let work = match &project.place {
        _ if !arguments.backend => "-backend=false".to_owned(),
        Place::Remote(remote) => match remote.backend() {
            Ok(backend) => backend.shown(&project.workspace),
            Err(error) => return app.fail_in(error, &project.configuration.sources),
        },
        Place::Beside | Place::Folder(_) => {
            project.state_folder().map(|folder| roots::shown(&app.here, &folder)).unwrap_or_default()
        }
    };
    let paint = app.console.paint();
    let gap = if app.console.has_spoken() { "\n" } else { "" };
    app.console.print(&format!(
        "{gap}{}\n\n  configuration  {found}\n  state          {work} ({state})\n  stage kinds    {}\n\n{}",
        paint.on(Color::Bold, &format!("Initialising {}", project.shown)),
        if kinds.is_empty() { "none in this build".to_owned() } else { kinds.join(", ") },
        paint.on(Color::Green, "pipectl is ready: nothing has to be installed. Next: pipectl plan"),
    ));
    Exit::Success
}
