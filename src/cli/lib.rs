//! The command line: the composition root.
//!
//! Owns what meets the person: arguments, the files of a root module, views, progress, exit statuses. Brings together what the other
//! rooms offer, and is the only place that sees the process: its arguments, environment, clock, streams and signals.
//! It decides nothing about plans or stages: `engine` and `stage` do.

mod app;
mod arguments;
mod artifact_store;
mod backend;
mod backend_settings;
mod clock;
mod command;
mod console;
mod encryption;
mod environment;
mod exit;
mod files;
mod foreign;
mod former_place;
mod generate;
mod interrupt;
mod judgement;
mod log;
mod models;
mod operation;
mod project;
mod registry;
mod replace_file;
mod reporter;
mod required_version;
mod roots;
mod saved_plan;
mod spelling;
mod stages;
mod testing;
mod variables;
mod view;

pub use stages::stages;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use pipectl_core::Diagnostic;

use crate::app::App;
use crate::arguments::{Command, CommandLine};
use crate::console::Console;
use crate::environment::ProcessEnvironment;
use crate::exit::Exit;

/// Runs the program.
pub fn main() -> ExitCode {
    let definition = CommandLine::command();
    let words: Vec<OsString> = environment::arguments().collect();
    let asks_for_events = spelling::ask_for_events(&words);
    let refused =
        |problem| App::new(Console::of_process(false), std::path::PathBuf::new(), asks_for_events).fail(problem).into();
    let words = match spelling::with_arguments_of_environment(&definition, words, &ProcessEnvironment) {
        Ok(words) => spelling::with_two_dashes(&definition, words),
        Err(name) => {
            let detail = format!("The environment variable {name} has a quote that is not closed.");
            return refused(Diagnostic::error("Invalid arguments in the environment", detail));
        }
    };
    let line =
        CommandLine::command().try_get_matches_from(words).and_then(|matches| CommandLine::from_arg_matches(&matches));
    let line = match line {
        Ok(line) => line,
        Err(mut error) => {
            // The advice to write `-- --name` would make a path of a mistyped flag.
            error.remove(clap::error::ContextKind::Suggested);
            if asks_for_events && error.use_stderr() {
                let text = error.to_string();
                let detail = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
                return refused(Diagnostic::error("Failed to parse command-line flags", detail));
            }
            // Help and version are what was asked for; anything else is a mistake, with the status of all mistakes.
            let _ = error.print();
            let exit = if error.use_stderr() { Exit::Failure } else { Exit::Success };
            return exit.into();
        }
    };
    // Without the handler such a write ends the process as it always did.
    let _ = interrupt::report_large_files();
    if let Command::Worker(arguments) = &line.command {
        return command::worker::run(arguments);
    }
    if let Err(problem) = log::begin(&ProcessEnvironment) {
        return refused(problem);
    }
    let console = Console::of_process(line.no_color);
    let exit = command_in_folder(line, &console);
    match console.take_loss() {
        None => exit.into(),
        Some(error) => exit.and(output_lost(&console, &error)).into(),
    }
}

fn command_in_folder(line: CommandLine, console: &Console) -> Exit {
    let writes_events = line.command.writes_events();
    match environment::standing_folder(line.chdir.as_deref()) {
        Ok(here) => run(App::new(console.clone(), here, writes_events), line.command),
        Err(error) => {
            let folder = line.chdir.unwrap_or_default();
            let detail = format!("Cannot work in the folder `{}`: {error}.", folder.display());
            let here = std::path::PathBuf::new();
            App::new(console.clone(), here, writes_events).fail(Diagnostic::error("Folder not found", detail))
        }
    }
}

/// Whoever reads the output must not take half of it for the whole.
fn output_lost(console: &Console, error: &std::io::Error) -> Exit {
    let detail = format!("Not everything could be written to standard output or standard error: {error}.");
    let problem = Diagnostic::error("Output incomplete", detail).remedied(error);
    let sources = pipectl_core::SourceMap::default();
    console.complain(&view::diagnostic::render_all(&problem.into(), &sources, console.error_paint(), false));
    Exit::Failure
}

fn run(app: App, command: Command) -> Exit {
    // Threads would cost more than evaluating an expression.
    if let Command::Console(arguments) = &command {
        return command::console::run(&app, arguments);
    }
    // One thread more than the command takes, so that signals are heard whatever it does.
    let threads = std::thread::available_parallelism().map_or(2, |processors| processors.get().max(2));
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let detail = format!("Cannot start threads: {error}.");
            return app.fail(Diagnostic::error("Program not started", detail));
        }
    };
    if command.works() {
        let console = app.console.clone();
        let _inside = runtime.enter();
        // Where signals cannot be watched they end the program, which loses nothing: the state is a log.
        let _ = interrupt::watch(app.cancel.clone(), move |text| console.complain(text));
    }
    // The command is a task like those that it starts: they stay on its thread, and threads need not wake each other for each object.
    let exit = match runtime.block_on(runtime.spawn(async move { dispatch(&app, command).await })) {
        Ok(exit) => exit,
        Err(ended) => std::panic::resume_unwind(ended.into_panic()),
    };
    // What still runs in the background (a question nobody answered, a file being hashed) is not waited for.
    runtime.shutdown_background();
    exit
}

async fn dispatch(app: &App, command: Command) -> Exit {
    match command {
        Command::Init(arguments) => command::init::run(app, &arguments),
        Command::Validate(arguments) => command::validate::run(app, &arguments),
        Command::Fmt(arguments) => command::fmt::run(app, &arguments),
        Command::Plan(arguments) => command::plan::run(app, arguments).await,
        Command::Apply(arguments) => command::apply::run(app, arguments).await,
        Command::Destroy(arguments) => command::destroy::run(app, arguments).await,
        Command::Refresh(arguments) => command::refresh::run(app, arguments).await,
        Command::Show(arguments) => command::show::run(app, &arguments),
        Command::Output(arguments) => command::output::run(app, &arguments),
        Command::State(arguments) => command::state::run(app, &arguments).await,
        Command::Taint(arguments) => command::state::taint(app, &arguments, true).await,
        Command::Untaint(arguments) => command::state::taint(app, &arguments, false).await,
        Command::Import(arguments) => command::import::run(app, &arguments).await,
        Command::ForceUnlock(arguments) => command::force_unlock::run(app, &arguments).await,
        Command::Workspace(arguments) => command::workspace::run(app, &arguments),
        Command::Graph(arguments) => command::graph::run(app, &arguments),
        Command::Logs(arguments) => command::logs::run(app, &arguments).await,
        Command::Artifacts(arguments) => command::artifacts::run(app, &arguments),
        Command::Test(arguments) => command::test::run(app, &arguments).await,
        Command::Version(arguments) => command::version::run(app, &arguments),
        // These have no runtime: they are started before.
        Command::Console(_) | Command::Worker(_) => Exit::Failure,
    }
}

/// A stage kind's section of the reference, in Markdown.
pub fn stage_reference(stage: &dyn pipectl_stage::Stage) -> String {
    pipectl_stage::reference::markdown(stage)
}
