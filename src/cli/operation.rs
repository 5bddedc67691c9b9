//! Planning and applying one root module: what `plan`, `apply` and `destroy` have in common.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use pipectl_core::address::AddressError;
use pipectl_core::{Address, Diagnostic, Diagnostics, SourceMap, Target, json};
use pipectl_engine::{Applied, InputValue, Mode, Origin, PlanOptions, Planned, Seed, VariableInput, missing_variables};
use pipectl_provider::{Environment, Stop};
use pipectl_state::{Holder, OutputState, State, StateError, StateWriter};

use crate::app::App;
use crate::arguments::OperationArguments;
use crate::clock::{elapsed, rfc3339};
use crate::console::Color;
use crate::environment;
use crate::exit::Exit;
use crate::judgement::judge;
use crate::project::Project;
use crate::reporter::{Follower, Reporter};
use crate::roots::{Root, WithoutFiles};
use crate::variables;
use crate::view::outputs::Output;
use crate::{backend, backend_settings, former_place};

/// How long an apply may take to end after the second interrupt before it is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// A plan, and what is needed to show and to apply it.
pub struct Ready {
    /// The root module.
    pub project: Project,
    /// The plan.
    pub planned: Planned,
    /// Files of the configuration, then variable files.
    pub sources: SourceMap,
    /// The state's lock, when it was taken before planning.
    pub writer: Option<Box<dyn StateWriter>>,
}

/// Whether a plan is made to be looked at, or to be applied at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Take no lock.
    Look,
    /// Take the lock first, so that the plan cannot go stale.
    Apply,
}

/// Which command was given: what is told at the end goes by that. Whoever says `apply`, of a plan that removes everything or with `-destroy`,
/// is told of an apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `apply`, and what is one by another name.
    Apply,
    /// `destroy`
    Destroy,
}

/// What planning makes of a folder without configuration files: only when everything is to be destroyed is that no mistake.
pub fn without_files(mode: Mode) -> WithoutFiles {
    match mode {
        Mode::Destroy => WithoutFiles::Empty,
        Mode::Normal | Mode::RefreshOnly => WithoutFiles::Refused,
    }
}

/// Reads a root module and plans it.
///
/// # Errors
/// When there can be no plan; everything has been said.
pub async fn plan(
    app: &App,
    reporter: &Reporter,
    root: Root,
    arguments: &OperationArguments,
    mode: Mode,
    purpose: Purpose,
) -> Result<Ready, Exit> {
    let options = plan_options(arguments, mode).map_err(|problems| {
        reporter.diagnostics(&problems, &SourceMap::default());
        Exit::Failure
    })?;
    let (project, mut diagnostics) = Project::load(root, &app.environment);
    let mut sources = project.configuration.sources.clone();
    let fail = |problems: &Diagnostics, sources: &SourceMap| {
        reporter.diagnostics(problems, sources);
        Exit::Failure
    };
    if diagnostics.has_errors() {
        return Err(fail(&judge(app, &project, diagnostics), &sources));
    }
    diagnostics.extend(backend::warning(&project.configuration, &*app.environment));
    if !(arguments.target.is_empty() && arguments.exclude.is_empty()) {
        diagnostics.push(targeting(&project));
    }
    let settings = &arguments.variables.settings;
    let collected = variables::collect(&app.here, &project.folder, environment::variables(), settings, &mut sources);
    let mut inputs = match collected {
        Ok((inputs, warnings)) => {
            diagnostics.extend(warnings);
            inputs
        }
        Err(problems) => {
            diagnostics.extend(problems);
            return Err(fail(&diagnostics, &sources));
        }
    };
    if arguments.input && !reporter.is_json() && app.can_ask() {
        ask_for_variables(app, &project, &mut inputs).await?;
    }
    let (state, writer) = match purpose {
        Purpose::Look => (project.read_state().map_err(|error| fail(&error.into(), &sources))?, None),
        Purpose::Apply => {
            // A lock leaves a folder behind, or an object: not where no state is to begin.
            let moved =
                former_place::left(&project).and_then(|former| former.map_or(Ok(None), |_| project.read_state()));
            moved.map_err(|error| fail(&error.into(), &sources))?;
            let writer = lock(app, reporter, &project, arguments.lock_timeout, (word(mode), options.seed)).await?;
            let known = writer.state();
            let state = match known.lineage.is_empty() {
                true => project.read_state(),
                false => project.check_owner(known).map(|()| Some(known.clone())),
            };
            (state.map_err(|error| fail(&error.into(), &sources))?, Some(writer))
        }
    };
    diagnostics.extend(project.unimported_state(state.as_ref()));
    let follower = reporter.follow();
    let engine = app.engine(&project, arguments.effort(), &follower);
    let planning = engine.plan(project.configuration.clone(), &inputs, state.as_ref(), &options);
    let planned = tokio::select! {
        planned = ticking(&follower, planning) => planned,
        // A plan changes nothing: there is nothing to end well.
        () = app.cancel.reached(Stop::Gentle) => {
            follower.finish();
            return Err(Exit::Interrupted);
        }
    };
    follower.finish();
    match planned {
        Ok(mut planned) => {
            diagnostics.extend(std::mem::take(&mut planned.diagnostics));
            planned.diagnostics = diagnostics;
            Ok(Ready { project, planned, sources, writer })
        }
        Err(problems) => {
            diagnostics.extend(project.locate(problems));
            Err(fail(&diagnostics, &sources))
        }
    }
}

/// Applies a plan to its end, or to where it was stopped, and says what came of it.
pub async fn apply(app: &App, reporter: &Reporter, ready: Ready, arguments: &OperationArguments, verb: Verb) -> Exit {
    let Ready { project, planned, sources, writer } = ready;
    let mode = planned.plan.mode;
    let is_partial = !(planned.plan.targets.is_empty() && planned.plan.excludes.is_empty());
    let writer = match writer {
        Some(writer) => writer,
        None => {
            let operation = (word(mode), planned.plan.seed);
            match lock(app, reporter, &project, arguments.lock_timeout, operation).await {
                Ok(writer) => writer,
                Err(exit) => return exit,
            }
        }
    };
    let follower = reporter.follow();
    let engine = app.engine(&project, arguments.effort(), &follower);
    let given_up = async {
        app.cancel.reached(Stop::Now).await;
        tokio::time::sleep(PATIENCE).await;
    };
    let applied = tokio::select! {
        applied = ticking(&follower, engine.apply(planned, writer)) => Some(applied),
        () = given_up => None,
    };
    follower.finish();
    match applied {
        Some(mut applied) => {
            applied.diagnostics = project.locate(applied.diagnostics);
            if is_partial {
                applied.diagnostics.push(partial(&project));
            }
            conclude(app, reporter, &applied, &sources, verb)
        }
        None => {
            let error = Diagnostic::error(
                "Given up",
                "What ran did not end. The state holds what was done; calls whose end is not known are looked up by the next plan.",
            );
            reporter.diagnostics(&error.into(), &sources);
            Exit::Interrupted
        }
    }
}

fn conclude(app: &App, reporter: &Reporter, applied: &Applied, sources: &SourceMap, verb: Verb) -> Exit {
    let outputs = outputs_of(&applied.state);
    if applied.succeeded() {
        reporter.diagnostics(&applied.diagnostics, sources);
        reporter.applied(&applied.summary, verb);
        match verb {
            Verb::Apply => reporter.outputs(&outputs),
            Verb::Destroy => {}
        }
        return Exit::Success;
    }
    reporter.diagnostics(&applied.diagnostics, sources);
    if applied.stopped || !applied.summary.is_empty() {
        let word = if applied.stopped { "Apply stopped." } else { "Apply incomplete." };
        let text = format!("{word} {}", crate::view::plan::done(&applied.summary));
        reporter.event(crate::view::events::log(&text));
        let text = app.console.paint().on(Color::Yellow, &text);
        reporter.say(&format!("\n{text}\nThe state holds what was done. Apply again to go on from there."));
    }
    if reporter.is_json() {
        reporter.outputs(&outputs);
    }
    if applied.stopped || app.cancel.state() > Stop::No { Exit::Interrupted } else { Exit::Failure }
}

/// Asks whether to go on. `Ok(true)` without asking when that was said before, or there is nothing to do.
///
/// # Errors
/// When nobody can be asked; it has been said.
pub async fn approved(
    app: &App,
    reporter: &Reporter,
    mode: Mode,
    auto_approve: bool,
    input: bool,
) -> Result<bool, Exit> {
    if auto_approve {
        return Ok(true);
    }
    let nobody = || {
        let error = Diagnostic::error(
            "Approval required",
            "This needs a person's approval, and nobody can be asked here: standard input or output is not a terminal, or asking was \
             turned off.",
        )
        .hint("-auto-approve")
        .hint("pipectl plan -out=FILE, and then pipectl apply FILE");
        reporter.diagnostics(&error.into(), &SourceMap::default());
        Exit::Failure
    };
    if reporter.is_json() || !input || !app.can_ask() {
        return Err(nobody());
    }
    let (question, detail) = match mode {
        Mode::Destroy => (
            "Do you really want to destroy everything?",
            "pipectl will destroy all that is shown above. There is no undo.",
        ),
        Mode::Normal => ("Do you want to perform these actions?", "pipectl will perform the actions described above."),
        Mode::RefreshOnly => (
            "Do you want to take these changes into the state?",
            "pipectl will write what was found to the state and change nothing else.",
        ),
    };
    let paint = app.console.paint();
    let text = format!(
        "\n{}\n  {detail}\n  Only 'yes' will be accepted to approve.\n\n  {} ",
        paint.on(Color::Bold, question),
        paint.on(Color::Bold, "Enter a value:")
    );
    let answer = tokio::select! {
        answer = app.console.ask(&text) => answer,
        () = app.cancel.reached(Stop::Gentle) => return Err(Exit::Interrupted),
    };
    app.console.print("");
    answer.map(|answer| answer == "yes").ok_or_else(nobody)
}

/// What `-lock=false` comes to: whoever writes holds the lock.
pub fn lock_is_held() -> Diagnostic {
    Diagnostic::warning(
        "The lock is held all the same",
        "-lock=false changes nothing. Without the lock two runs could write one state. It ends with the process that holds it, so it never \
         stays behind and never has to be broken.",
    )
    .hint("-lock-timeout=10m waits for another run to end")
}

/// Outputs of a state as values.
pub fn outputs_of(state: &State) -> BTreeMap<String, Output> {
    let value = |output: &OutputState| {
        let ty = json::type_from_json(&output.ty);
        let typed = ty.and_then(|ty| json::from_json_as(&output.value, &ty).ok());
        Output { value: typed.unwrap_or_else(|| json::from_json(&output.value)), sensitive: output.sensitive }
    };
    state.outputs.iter().map(|(name, output)| (name.clone(), value(output))).collect()
}

/// The root of a saved plan: its files are named as they were known where the plan was made.
///
/// # Errors
/// When the folder is not there, or the state does not lie where the plan was made for; and the files that this is in.
pub fn root_of_plan(
    here: &Path,
    planned: &Planned,
    environment: &Arc<dyn Environment>,
) -> Result<Project, (Diagnostics, SourceMap)> {
    let shown = planned.plan.sources.first().map_or(".", |source| source.name.as_str());
    let file = here.join(shown);
    let folder = file.parent().filter(|folder| folder.is_dir()).ok_or_else(|| {
        let detail = format!("The plan is for `{shown}`, and from here there is no such folder.");
        let problem = Diagnostic::error("Folder of the plan not found", detail)
            .hint("Apply a plan in the folder in which it was made, or say so: -chdir=DIR");
        (problem.into(), SourceMap::default())
    })?;
    let is_pipeline = planned.configuration.pipeline.is_some();
    let (entry, shown) = match file.file_name().filter(|_| is_pipeline) {
        Some(name) => (name.to_string_lossy().into_owned(), shown.to_owned()),
        None => (".".to_owned(), folder_of(shown)),
    };
    let configuration = planned.configuration.clone();
    let mut project = Project::of(folder.to_owned(), entry, shown, configuration, environment)?;
    project.workspace.clone_from(&planned.plan.workspace);
    match backend_settings::differ_from_plan(&project, &planned.plan) {
        Some(problem) => Err((problem.into(), SourceMap::default())),
        None => Ok(project),
    }
}

/// The folder that a file is named in.
fn folder_of(file: &str) -> String {
    match file.rsplit_once('/') {
        Some((folder, _)) => folder.to_owned(),
        None => ".".to_owned(),
    }
}

fn plan_options(arguments: &OperationArguments, mode: Mode) -> Result<PlanOptions, Diagnostics> {
    let mut problems = Diagnostics::new();
    let targets: Vec<Target> = parse_addresses("target", &arguments.target, &mut problems);
    let excludes: Vec<Target> = parse_addresses("exclude", &arguments.exclude, &mut problems);
    let replace: Vec<Address> = parse_addresses("replace", &arguments.replace, &mut problems);
    let mut refuse = |flags: &str, detail: &str| {
        problems.push(Diagnostic::error("Incompatible plan options", format!("{flags} do not go together: {detail}")));
    };
    match mode {
        Mode::Destroy if !replace.is_empty() => refuse("-destroy and -replace", "what is destroyed is not made again."),
        Mode::RefreshOnly if !replace.is_empty() => {
            refuse("-refresh-only and -replace", "a refresh changes nothing but the state.");
        }
        Mode::RefreshOnly if !arguments.refresh => {
            refuse("-refresh-only and -refresh=false", "nothing would be left to do.");
        }
        Mode::Normal | Mode::Destroy | Mode::RefreshOnly => {}
    }
    if problems.has_errors() {
        return Err(problems);
    }
    Ok(PlanOptions {
        refresh: arguments.refresh,
        targets,
        excludes,
        replace,
        allow_deferred_destroy: arguments.allow_deferred_destroy,
        ..PlanOptions::new(mode, Seed::random())
    })
}

fn parse_addresses<T: FromStr<Err = AddressError>>(flag: &str, texts: &[String], problems: &mut Diagnostics) -> Vec<T> {
    let mut addresses = Vec::new();
    for text in texts {
        match text.parse() {
            Ok(address) => addresses.push(address),
            Err(error) => problems.push(
                Diagnostic::error("Invalid address", format!("-{flag}: {error}.")).hint(
                    "An address is like terraform_data.a, stage.train.inclusive, stage.train.scan[\"x\"] or module.a.terraform_data.b.",
                ),
            ),
        }
    }
    addresses
}

fn targeting(project: &Project) -> Diagnostic {
    Diagnostic::warning(
        "Resource targeting is in effect",
        "With -target and -exclude the result may not be all that the configuration asks for. They are for getting out of trouble, not for \
         everyday use.",
    )
    .hint(project.folders().command("plan", ""))
}

/// What is said at the end where only a part was planned.
fn partial(project: &Project) -> Diagnostic {
    Diagnostic::warning(
        "Applied changes may be incomplete",
        "The plan was made with -target or -exclude: changes that the configuration asks for may have been left out, and outputs may not be as it \
         says. Plan again to see whether anything is left.",
    )
    .hint(project.folders().command("plan", ""))
}

/// Becomes the only writer of the state, for the operation of this name and of the seed that its plan has, if there is one already. Says so when
/// that takes waiting.
///
/// # Errors
/// When someone else keeps the lock, or the state cannot be read; it has been said.
pub async fn lock(
    app: &App,
    reporter: &Reporter,
    project: &Project,
    timeout: Duration,
    (operation, seed): (&str, Seed),
) -> Result<Box<dyn StateWriter>, Exit> {
    let holder = holder(&*app.environment, operation);
    let fail = |error: Diagnostic| {
        reporter.diagnostics(&error.into(), &project.configuration.sources);
        Exit::Failure
    };
    let (store, left) = project.state_store_to_write(&app.registry, seed).map_err(fail)?;
    let fail = |error: &StateError| fail(project.state_error(error));
    let locked = |writer| {
        let warning = left.warning();
        warning.into_iter().for_each(|warning| reporter.diagnostics(&warning.into(), &project.configuration.sources));
        writer
    };
    let held = match store.lock(&holder, Duration::ZERO) {
        Ok(writer) => return Ok(locked(writer)),
        Err(StateError::Locked { holder, .. }) if !timeout.is_zero() => holder,
        Err(error) => return Err(fail(&error)),
    };
    let by = held.map(|holder| format!(" by {holder}")).unwrap_or_default();
    let text = format!("The state is locked{by}. Waiting for it, up to {}.", elapsed(timeout));
    reporter.say(&text);
    reporter.event(crate::view::events::log(&text));
    let waiting = tokio::task::spawn_blocking(move || store.lock(&holder, timeout));
    tokio::select! {
        waited = waiting => waited.expect("locking does not panic").map(locked).map_err(|error| fail(&error)),
        () = app.cancel.reached(Stop::Gentle) => Err(Exit::Interrupted),
    }
}

/// What an operation is called while it holds the lock.
fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Normal => "apply",
        Mode::Destroy => "destroy",
        Mode::RefreshOnly => "refresh",
    }
}

/// This process as the holder of a lock.
pub fn holder(environment: &dyn Environment, operation: &str) -> Holder {
    let user = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| environment.variable(name));
    let host = environment.variable("HOSTNAME").or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok());
    let (user, host) =
        (user.unwrap_or_else(|| "someone".to_owned()), host.unwrap_or_else(|| "this machine".to_owned()));
    Holder {
        pid: std::process::id(),
        who: format!("{user}@{}", host.trim()),
        operation: operation.to_owned(),
        since: format!("{} UTC", rfc3339(environment.now())[..19].replace('T', " ")),
    }
}

async fn ask_for_variables(app: &App, project: &Project, inputs: &mut Vec<VariableInput>) -> Result<(), Exit> {
    let missing = missing_variables(&project.configuration, inputs);
    let missing: Vec<String> = missing.into_iter().map(str::to_owned).collect();
    for name in missing {
        let block = project.configuration.variables.get(&name);
        let description = block.and_then(|block| block.description.as_deref());
        let description = description.map(|text| format!("  {text}\n")).unwrap_or_default();
        let question = format!(
            "{}\n{description}\n  Enter a value: ",
            app.console.paint().on(Color::Bold, &format!("var.{name}"))
        );
        let asking = async {
            let is_secret = block.is_some_and(|block| block.sensitive || block.ephemeral);
            if is_secret { app.console.ask_for_secret(&question).await } else { app.console.ask(&question).await }
        };
        let answer = tokio::select! {
            answer = asking => answer,
            () = app.cancel.reached(Stop::Gentle) => return Err(Exit::Interrupted),
        };
        app.console.print("");
        if let Some(text) = answer {
            inputs.push(VariableInput { name, value: InputValue::Text(text), origin: Origin::CommandLine });
        }
    }
    Ok(())
}

/// Waits for an operation, and lets its follower speak about every second.
async fn ticking<T>(follower: &Follower, operation: impl Future<Output = T>) -> T {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    tokio::pin!(operation);
    loop {
        tokio::select! {
            done = &mut operation => return done,
            _ = ticks.tick() => follower.tick(),
        }
    }
}

/// The configuration that a saved plan carries may have been made elsewhere: its files by name.
pub fn sources_of(planned: &Planned) -> SourceMap {
    Arc::clone(&planned.configuration).sources.clone()
}
