//! `test`: runs the test files of a root module.

use std::path::Path;
use std::time::{Duration, Instant};

use pipectl_core::{Diagnostic, Diagnostics, SourceMap};
use pipectl_engine::VariableInput;
use pipectl_provider::Stop;

use crate::app::App;
use crate::arguments::TestArguments;
use crate::exit::Exit;
use crate::project::Project;
use crate::replace_file::replace_file;
use crate::reporter::Reporter;
use crate::testing::file::TestFile;
use crate::testing::files::read_files;
use crate::testing::modules::Modules;
use crate::testing::session::{Outcome, Session, Status};
use crate::view::test_report::{Tally, TestReport};
use crate::view::{junit, plan as plan_view};
use crate::{environment, variables};

/// Runs the command.
pub async fn run(app: &App, arguments: &TestArguments) -> Exit {
    let reporter = Reporter::new(app.console.clone(), app.environment.clone(), arguments.json, false);
    let report = TestReport::new(&app.console, &reporter);
    let root = match app.root(arguments.root.path.as_deref()) {
        Ok(root) => root,
        Err(exit) => return exit,
    };
    let folders = root.module_folders();
    let (project, mut diagnostics) = Project::load_without_state(root, &app.environment);
    let mut sources = project.configuration.sources.clone();
    let settings = &arguments.variables.settings;
    let collected = variables::collect(&app.here, &project.folder, environment::variables(), settings, &mut sources);
    let inputs = collected.map(|(inputs, _)| inputs).unwrap_or_else(|problems| {
        diagnostics.extend(problems);
        Vec::new()
    });
    // The folder of tests may have values of its own, for the tests in it: they come after all others.
    let of_tests = match arguments.test_directory.as_path() == Path::new(".") {
        true => Vec::new(),
        false => {
            let folder = project.folder.join(&arguments.test_directory);
            let (inputs, problems) = variables::collect_automatic(&app.here, &folder, &mut sources);
            diagnostics.extend(problems);
            inputs
        }
    };
    let files = match read_files(&project.folder, &arguments.test_directory, &arguments.filter, &mut sources) {
        Ok((files, problems)) => {
            diagnostics.extend(problems);
            files
        }
        Err(problem) => {
            diagnostics.push(problem);
            Vec::new()
        }
    };
    let (modules, problems) = Modules::load(&files, &folders, &mut sources);
    diagnostics.extend(problems);
    if diagnostics.has_errors() {
        report.found(None, None, &diagnostics, &sources);
        return Exit::Failure;
    }
    report.begin(&files);
    let mut tally = Tally::default();
    let (project, modules, sources) = (&project, &modules, &sources);
    let running = Running { app, project, modules, sources, report: &report, reporter: &reporter };
    let mut suites = Vec::with_capacity(files.len());
    for file in &files {
        let mut inputs = inputs.clone();
        if Path::new(&file.name).parent().is_some_and(|folder| folder == arguments.test_directory) {
            inputs.extend(of_tests.iter().cloned());
        }
        let cases = running.file(file, inputs, arguments.verbose, &mut tally).await;
        suites.push(junit::Suite { name: file.name.clone(), cases });
    }
    report.end(tally);
    if let Some(out) = &arguments.junit_xml
        && let Err(error) = replace_file(&app.here.join(out), junit::document(&suites).as_bytes())
    {
        let detail = format!("Cannot write `{}`: {error}.", out.display());
        return app.fail(Diagnostic::error("Report not written", detail).remedied(&error));
    }
    match (app.cancel.state() > Stop::No, tally.is_success()) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Success,
        (false, false) => Exit::Failure,
    }
}

/// What running a file takes.
struct Running<'a> {
    app: &'a App,
    project: &'a Project,
    modules: &'a Modules,
    sources: &'a SourceMap,
    report: &'a TestReport<'a>,
    reporter: &'a Reporter,
}

impl Running<'_> {
    async fn file(
        &self,
        file: &TestFile,
        inputs: Vec<VariableInput>,
        verbose: bool,
        tally: &mut Tally,
    ) -> Vec<junit::Case> {
        self.report.file_begins(file);
        let mut cases = Vec::with_capacity(file.runs.len());
        let mut status = Status::Pass;
        let work = tempfile::Builder::new().prefix("pipectl-test-").tempdir();
        let Ok(work) = work else {
            let detail = "Cannot make a folder for working files.";
            let problem = Diagnostics::from(Diagnostic::error("Test not run", detail));
            self.report.found(Some(file), None, &problem, self.sources);
            let outcome = Outcome { status: Status::Error, diagnostics: problem, plan: None };
            let time = (self.app.environment.now(), Duration::ZERO);
            for run in &file.runs {
                tally.count(Some(Status::Error));
                cases.push(junit::Case::ran(run, time, &outcome, self.sources));
            }
            self.report.file_ends(file, Status::Error);
            return cases;
        };
        let (app, sources) = (self.app, self.sources);
        let mut session = Session::new(app, self.project, self.modules, file, inputs, work.path().to_owned());
        let mut errored = None;
        for run in &file.runs {
            let is_stopped = app.cancel.state() > Stop::No;
            if is_stopped || errored.is_some() {
                status = status.max(Status::Fail);
                tally.count(None);
                self.report.run_ends(file, &run.name, None);
                cases.push(match errored {
                    Some(errored) if !is_stopped => junit::Case::skipped_after(run, errored),
                    _ => junit::Case::interrupted(run),
                });
                continue;
            }
            self.report.run_begins(file, &run.name);
            let (start, watch) = (app.environment.now(), Instant::now());
            let outcome = session.run(run).await;
            cases.push(junit::Case::ran(run, (start, watch.elapsed()), &outcome, sources));
            tally.count(Some(outcome.status));
            status = status.max(outcome.status);
            errored = Some(run.name.as_str()).filter(|_| outcome.status == Status::Error);
            self.report.run_ends(file, &run.name, Some(outcome.status));
            if let Some(plan) = outcome.plan.filter(|_| verbose) {
                self.reporter.say(&format!("\n{}\n", plan_view::render(&app.registry, &plan, app.console.paint())));
            }
            self.report.found(Some(file), Some(&run.name), &outcome.diagnostics, sources);
        }
        self.report.file_tears_down(file);
        if let Err(problems) = session.tear_down(|run| self.report.run_tears_down(file, run)).await {
            status = Status::Error;
            tally.count(Some(Status::Error));
            cases.push(junit::Case::not_torn_down(&problems, sources));
            self.report.found(Some(file), None, &problems, sources);
        }
        self.report.file_ends(file, status);
        self.report.found(Some(file), None, &session.warnings(), sources);
        cases
    }
}
