//! `test`: runs the test files of a root module.

use pipectl_core::{Diagnostic, Diagnostics, SourceMap};
use pipectl_engine::VariableInput;
use pipectl_provider::Stop;

use crate::app::App;
use crate::arguments::TestArguments;
use crate::environment;
use crate::exit::Exit;
use crate::project::Project;
use crate::reporter::Reporter;
use crate::testing::file::TestFile;
use crate::testing::files::read_files;
use crate::testing::session::{Session, Status};
use crate::variables;
use crate::view::plan as plan_view;
use crate::view::test_report::{Tally, TestReport};

/// Runs the command.
pub async fn run(app: &App, arguments: &TestArguments) -> Exit {
    let reporter = Reporter::new(app.console.clone(), app.environment.clone(), arguments.json, false);
    let report = TestReport::new(&app.console, &reporter);
    let root = match app.root(arguments.root.path.as_deref()) {
        Ok(root) => root,
        Err(exit) => return exit,
    };
    let (project, mut diagnostics) = Project::load(root, &app.environment);
    let mut sources = project.configuration.sources.clone();
    let settings = &arguments.variables.settings;
    let collected = variables::collect(&app.here, &project.folder, environment::variables(), settings, &mut sources);
    let inputs = collected.map(|(inputs, _)| inputs).unwrap_or_else(|problems| {
        diagnostics.extend(problems);
        Vec::new()
    });
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
    if diagnostics.has_errors() {
        report.found(None, None, &diagnostics, &sources);
        return Exit::Failure;
    }
    report.begin(&files);
    let mut tally = Tally::default();
    let running = Running { app, project: &project, sources: &sources, report: &report, reporter: &reporter };
    for file in &files {
        running.file(file, inputs.clone(), arguments.verbose, &mut tally).await;
    }
    report.end(tally);
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
    sources: &'a SourceMap,
    report: &'a TestReport<'a>,
    reporter: &'a Reporter,
}

impl Running<'_> {
    async fn file(&self, file: &TestFile, inputs: Vec<VariableInput>, verbose: bool, tally: &mut Tally) {
        self.report.file_begins(file);
        let mut is_good = true;
        let work = tempfile::Builder::new().prefix("pipectl-test-").tempdir();
        let Ok(work) = work else {
            let detail = "Cannot make a folder for working files.";
            let problem = Diagnostics::from(Diagnostic::error("Test not run", detail));
            self.report.found(Some(file), None, &problem, self.sources);
            file.runs.iter().for_each(|_| tally.count(Some(Status::Error)));
            return self.report.file_ends(file, false);
        };
        let mut session = Session::new(self.app, self.project, self.sources, file, inputs, work.path().to_owned());
        let mut goes_on = true;
        for run in &file.runs {
            if !goes_on || self.app.cancel.state() > Stop::No {
                is_good = false;
                tally.count(None);
                self.report.run_ends(file, &run.name, None);
                continue;
            }
            let outcome = session.run(run).await;
            tally.count(Some(outcome.status));
            is_good &= outcome.status == Status::Pass;
            goes_on = outcome.status != Status::Error;
            self.report.run_ends(file, &run.name, Some(outcome.status));
            if let Some(plan) = outcome.plan.filter(|_| verbose) {
                self.reporter
                    .say(&format!("\n{}\n", plan_view::render(&self.app.registry, &plan, self.app.console.paint())));
            }
            self.report.found(Some(file), Some(&run.name), &outcome.diagnostics, self.sources);
        }
        self.report.file_tears_down(file);
        if let Err(problems) = session.tear_down().await {
            is_good = false;
            tally.count(Some(Status::Error));
            self.report.found(Some(file), None, &problems, self.sources);
        }
        self.report.file_ends(file, is_good);
    }
}
