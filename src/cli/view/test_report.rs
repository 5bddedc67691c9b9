//! How tests go: Terraform's lines for people, Terraform's events for programs.

use std::collections::BTreeMap;

use pipectl_core::{Diagnostics, SourceMap};
use serde_json::json;

use super::events::Line;
use super::{diagnostic, events, figures};
use crate::console::{Color, Console, Paint};
use crate::reporter::Reporter;
use crate::testing::file::TestFile;
use crate::testing::session::Status;

/// How many runs ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// As they should.
    pub passed: usize,
    /// With an assertion that does not hold.
    pub failed: usize,
    /// Otherwise.
    pub errored: usize,
    /// Not at all.
    pub skipped: usize,
}

impl Tally {
    /// Counts a run; `None`: it was skipped.
    pub fn count(&mut self, status: Option<Status>) {
        *match status {
            Some(Status::Pass) => &mut self.passed,
            Some(Status::Fail) => &mut self.failed,
            Some(Status::Error) => &mut self.errored,
            None => &mut self.skipped,
        } += 1;
    }

    /// Whether nothing went wrong.
    pub fn is_success(self) -> bool {
        self.failed + self.errored + self.skipped == 0
    }
}

/// How people call it, and programs.
fn words(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::Pass => ("pass", "pass"),
        Status::Fail => ("fail", "fail"),
        Status::Error => ("fail", "error"),
    }
}

/// Says how tests go.
pub struct TestReport<'a> {
    console: &'a Console,
    reporter: &'a Reporter,
}

impl<'a> TestReport<'a> {
    /// On a console, or as events of a reporter that writes them.
    pub fn new(console: &'a Console, reporter: &'a Reporter) -> Self {
        Self { console, reporter }
    }

    /// What there is to do.
    pub fn begin(&self, files: &[TestFile]) {
        let runs: usize = files.iter().map(|file| file.runs.len()).sum();
        let message =
            format!("Found {} and {}", figures::count(files.len(), "file"), figures::count(runs, "run block"));
        let names: BTreeMap<&str, Vec<&str>> = files
            .iter()
            .map(|file| (file.name.as_str(), file.runs.iter().map(|run| run.name.as_str()).collect()))
            .collect();
        self.reporter.event(Line::info("test_abstract", message, json!({ "test_abstract": names })));
    }

    /// A file begins.
    pub fn file_begins(&self, file: &TestFile) {
        self.say(&format!("{}... {}", file.name, self.paint().on(Color::Dim, "in progress")));
        self.file_event(file, "in progress", json!({ "path": file.name, "progress": "starting" }));
    }

    /// What a file's runs have made goes.
    pub fn file_tears_down(&self, file: &TestFile) {
        self.say(&format!("{}... {}", file.name, self.paint().on(Color::Dim, "tearing down")));
        self.file_event(file, "tearing down", json!({ "path": file.name, "progress": "teardown" }));
    }

    /// A file has ended.
    pub fn file_ends(&self, file: &TestFile, status: Status) {
        let (word, in_event) = words(status);
        self.say(&format!("{}... {}", file.name, self.word(word)));
        self.file_event(file, word, json!({ "path": file.name, "progress": "complete", "status": in_event }));
    }

    /// A run begins.
    pub fn run_begins(&self, file: &TestFile, run: &str) {
        self.run_event(file, run, "in progress", "starting");
    }

    /// What a run, and those before it, have made goes.
    pub fn run_tears_down(&self, file: &TestFile, run: &str) {
        self.run_event(file, run, "tearing down", "teardown");
    }

    fn run_event(&self, file: &TestFile, run: &str, word: &str, progress: &str) {
        let fields = json!({
            "@testfile": file.name,
            "@testrun": run,
            "test_run": { "path": file.name, "run": run, "progress": progress, "elapsed": 0 },
        });
        self.reporter.event(Line::info("test_run", format!("  \"{run}\"... {word}"), fields));
    }

    /// A run has ended; `None`: it was skipped.
    pub fn run_ends(&self, file: &TestFile, run: &str, status: Option<Status>) {
        let (word, in_event) = status.map_or(("skip", "skip"), words);
        self.say(&format!("  run \"{run}\"... {}", self.word(word)));
        let fields = json!({
            "@testfile": file.name,
            "@testrun": run,
            "test_run": { "path": file.name, "run": run, "progress": "complete", "status": in_event },
        });
        self.reporter.event(Line::info("test_run", format!("  \"{run}\"... {word}"), fields));
    }

    /// What was found. Unlike all else it goes to standard error.
    pub fn found(&self, file: Option<&TestFile>, run: Option<&str>, found: &Diagnostics, sources: &SourceMap) {
        if found.is_empty() {
            return;
        }
        if !self.reporter.is_json() {
            let text = diagnostic::render_all(found, sources, self.console.error_paint(), false);
            self.console.complain(&format!("\n{text}"));
            return;
        }
        for one in diagnostic::in_order(found) {
            let mut line = events::diagnostic(one, sources);
            if let Some(file) = file {
                line = line.with("@testfile", json!(file.name));
            }
            if let Some(run) = run {
                line = line.with("@testrun", json!(run));
            }
            self.reporter.event(line);
        }
    }

    /// Everything has ended.
    pub fn end(&self, tally: Tally) {
        let skipped = if tally.skipped > 0 { format!(", {} skipped", tally.skipped) } else { String::new() };
        let failed = tally.failed + tally.errored;
        let (word, color) = if tally.is_success() { ("Success!", Color::Green) } else { ("Failure!", Color::Red) };
        let counts = format!("{} passed, {failed} failed{skipped}.", tally.passed);
        self.say(&format!("\n{} {counts}", self.paint().on(color, word)));
        let status = match (tally.errored, tally.is_success()) {
            (_, true) => "pass",
            (0, false) => "fail",
            (_, false) => "error",
        };
        let summary = json!({
            "status": status,
            "passed": tally.passed,
            "failed": tally.failed,
            "errored": tally.errored,
            "skipped": tally.skipped,
        });
        self.reporter.event(Line::info("test_summary", format!("{word} {counts}"), json!({ "test_summary": summary })));
    }

    fn file_event(&self, file: &TestFile, word: &str, fields: serde_json::Value) {
        let fields = json!({ "@testfile": file.name, "test_file": fields });
        self.reporter.event(Line::info("test_file", format!("{}... {word}", file.name), fields));
    }

    fn say(&self, text: &str) {
        self.reporter.say(text);
    }

    fn paint(&self) -> Paint {
        self.console.paint()
    }

    fn word(&self, word: &str) -> String {
        let color = match word {
            "pass" => Color::Green,
            "fail" => Color::Red,
            _ => Color::Dim,
        };
        self.paint().on(color, word)
    }
}
