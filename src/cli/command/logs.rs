//! `logs`: what a stage said in an attempt to run it, also one that failed.
//!
//! Each attempt has a folder, `<work>/runs/<stage>/<attempt>/`, with `rank-N.events.jsonl` (what the worker told the engine),
//! `rank-N.stderr.log` (what it wrote besides), and `outcome.json` once it has ended.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use pipectl_core::{Address, AddressKind, Diagnostic};
use pipectl_provider::Progress;
use pipectl_stage::WorkerEvent;
use pipectl_stage::resource::folder_name;
use serde::Deserialize;

use super::state::address;
use crate::app::App;
use crate::arguments::{LogsArguments, split_root};
use crate::clock::{elapsed, rfc3339};
use crate::console::{Color, Paint};
use crate::exit::Exit;
use crate::view::pace::is_news;
use crate::view::progress::progress_text;

/// Time between two looks at a growing log.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs the command.
pub async fn run(app: &App, arguments: &LogsArguments) -> Exit {
    match find(app, arguments) {
        Ok(attempt) => show(app, &attempt, arguments).await,
        Err(exit) => exit,
    }
}

/// One attempt at running a stage.
struct Attempt {
    address: Address,
    number: u32,
    of: u32,
    folder: PathBuf,
}

/// `outcome.json`, as far as people want to know.
#[derive(Deserialize)]
struct Outcome {
    outcome: String,
    started: f64,
    seconds: f64,
}

fn find(app: &App, arguments: &LogsArguments) -> Result<Attempt, Exit> {
    let (root, rest) = split_root(&app.here, &arguments.words);
    let [text] = rest else {
        let error = Diagnostic::error("Address required", "This command shows the log of one stage.");
        return Err(app.fail(error.hint("pipectl logs [PATH] ADDRESS")));
    };
    let address = address(app, text)?;
    if address.kind != AddressKind::Stage {
        let detail = format!("{address} is no stage: only stages run, and only what runs has logs.");
        return Err(app.fail(Diagnostic::error("Not a stage", detail)));
    }
    let project = app.project(root.as_deref())?;
    let runs = project.work().join("runs").join(folder_name(&address.to_string()));
    let attempts = attempts(&runs);
    let Some(last) = attempts.last().copied() else {
        let error = Diagnostic::error("No logs", format!("{address} was never run here."));
        return Err(app.fail(error.hint("What came from the action cache did not run, and has no log.")));
    };
    let number = arguments.attempt.unwrap_or(last);
    let folder = runs.join(format!("{number:04}"));
    if !folder.is_dir() {
        let detail = format!("{address} has no attempt {number}: the last one is {last}.");
        return Err(app.fail(Diagnostic::error("Attempt not found", detail)));
    }
    if !folder.join(format!("rank-{}.stderr.log", arguments.rank)).exists() && arguments.rank > 0 {
        let detail = format!("Attempt {number} of {address} has no worker of rank {}.", arguments.rank);
        return Err(app.fail(Diagnostic::error("Rank not found", detail)));
    }
    Ok(Attempt { address, number, of: last, folder })
}

fn attempts(runs: &Path) -> Vec<u32> {
    let entries = std::fs::read_dir(runs).into_iter().flatten().flatten();
    let mut attempts: Vec<u32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    attempts.sort_unstable();
    attempts
}

async fn show(app: &App, attempt: &Attempt, arguments: &LogsArguments) -> Exit {
    let paint = app.console.paint();
    let file = |suffix: &str| attempt.folder.join(format!("rank-{}.{suffix}", arguments.rank));
    let (mut events, mut log) = (Tail::new(file("events.jsonl")), Tail::new(file("stderr.log")));
    let mut story = Story::default();
    let headline =
        format!("# {}, attempt {} of {}, rank {}", attempt.address, attempt.number, attempt.of, arguments.rank);
    app.console.print(&paint.on(Color::Dim, &headline));
    let mut ended = false;
    loop {
        // Looked at first: what was written before it is then read once more.
        let outcome = outcome(&attempt.folder);
        for line in events.lines() {
            if let Some(text) = story.tell(&line, paint) {
                app.console.print(&text);
            }
        }
        for line in log.lines() {
            app.console.print(&line);
        }
        if ended || (outcome.is_none() && !arguments.follow) {
            story.last().into_iter().for_each(|text| app.console.print(&text));
            let end = match &outcome {
                Some(outcome) => {
                    let started = Duration::try_from_secs_f64(outcome.started).unwrap_or_default();
                    let took = Duration::try_from_secs_f64(outcome.seconds).unwrap_or_default();
                    let began = rfc3339(UNIX_EPOCH.checked_add(started).unwrap_or(UNIX_EPOCH))[..19].replace('T', " ");
                    format!("# {} after {}, begun {began} UTC", outcome.outcome, elapsed(took))
                }
                None => "# no outcome: it still runs, or was ended from outside".to_owned(),
            };
            app.console.print(&paint.on(Color::Dim, &end));
            return Exit::Success;
        }
        ended = outcome.is_some();
        if !ended {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn outcome(folder: &Path) -> Option<Outcome> {
    serde_json::from_slice(&std::fs::read(folder.join("outcome.json")).ok()?).ok()
}

/// A file that grows: whole lines as they come.
struct Tail {
    path: PathBuf,
    read: u64,
    rest: Vec<u8>,
}

impl Tail {
    fn new(path: PathBuf) -> Self {
        Self { path, read: 0, rest: Vec::new() }
    }

    /// Lines since the last look. A last line without an end waits for it.
    fn lines(&mut self) -> Vec<String> {
        let more = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.read))?;
            let mut more = Vec::new();
            file.read_to_end(&mut more)?;
            Ok(more)
        });
        let more = more.unwrap_or_default();
        self.read += more.len() as u64;
        self.rest.extend_from_slice(&more);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
        let whole: Vec<u8> = self.rest.drain(..=end).collect();
        String::from_utf8_lossy(&whole).lines().map(str::to_owned).collect()
    }
}

/// Turns a worker's events into lines: of progress, only what is new.
#[derive(Default)]
struct Story {
    progress: Option<Progress>,
    told: bool,
}

impl Story {
    fn tell(&mut self, line: &str, paint: Paint) -> Option<String> {
        match serde_json::from_str(line).ok()? {
            WorkerEvent::Hello { .. } | WorkerEvent::Listening { .. } | WorkerEvent::Done => None,
            WorkerEvent::Progress(progress) => {
                let new = self.progress.as_ref().is_none_or(|before| is_news(before, &progress));
                let text = new.then(|| progress_text(&progress));
                self.progress = Some(progress);
                self.told = new;
                text
            }
            WorkerEvent::Message { text } => Some(text),
            WorkerEvent::Warning { text } => Some(format!("{} {text}", paint.on(Color::Yellow, "warning:"))),
            WorkerEvent::Value { name, value } => Some(format!("{name} = {value}")),
            WorkerEvent::Stopped => Some("stopped at a checkpoint, as asked".to_owned()),
            WorkerEvent::Failed { summary, detail, path, .. } => {
                let place = path.map(|path| format!(" (at `{path}`)")).unwrap_or_default();
                Some(format!("{} {summary}{place}\n{detail}", paint.on(Color::Red, "error:")))
            }
        }
    }

    /// How far it was in the end, if that was not told.
    fn last(&self) -> Option<String> {
        self.progress.as_ref().filter(|_| !self.told).map(progress_text)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_tail_gives_whole_lines_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut tail = Tail::new(path.clone());
        assert!(tail.lines().is_empty());
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntw").unwrap();
        assert_eq!(tail.lines(), ["one"]);
        assert!(tail.lines().is_empty());
        file.write_all(b"o\n").unwrap();
        assert_eq!(tail.lines(), ["two"]);
    }

    #[test]
    fn a_story_leaves_out_what_was_told() {
        let mut story = Story::default();
        let progress = |phase: &str, done| {
            let progress = Progress { phase: phase.to_owned(), done, total: Some(4), ..Progress::default() };
            serde_json::to_string(&WorkerEvent::Progress(Progress { unit: "rows".to_owned(), ..progress })).unwrap()
        };
        let mut tell = |line: &str| story.tell(line, Paint::PLAIN);
        assert_eq!(tell(&progress("reading", 1)).unwrap(), "reading 1/4 rows (25%)");
        assert_eq!(tell(&progress("reading", 2)), None);
        assert_eq!(tell("no event"), None);
        assert_eq!(tell(r#"{"event":"message","text":"hello"}"#).unwrap(), "hello");
        let failed = WorkerEvent::Failed {
            summary: "Bad step".to_owned(),
            detail: "It cannot be.".to_owned(),
            path: Some("step[4].by".to_owned()),
            transient: false,
        };
        let failed = serde_json::to_string(&failed).unwrap();
        assert_eq!(tell(&failed).unwrap(), "error: Bad step (at `step[4].by`)\nIt cannot be.");
        assert_eq!(story.last().unwrap(), "reading 2/4 rows (50%)");
    }
}
