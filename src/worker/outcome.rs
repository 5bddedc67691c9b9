//! How a run ended: from what its ranks said and how they went to one verdict, for people and for `outcome.json`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, SystemTime};

use pipectl_core::{Diagnostic, Path as ValuePath};
use pipectl_stage::{ExecuteError, Finished};
use serde::Serialize;
use serde_json::Value as Json;

use crate::rank::RankFiles;

/// Lines of a log that are shown with a failure.
const TAIL_LINES: usize = 20;

/// Bytes of a log that are looked at for them.
const TAIL_BYTES: u64 = 64 << 10;

/// The last line of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LastWord {
    Done,
    Stopped,
    Failed(Failure),
}

/// A failure in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) summary: String,
    pub(crate) detail: String,
    /// Where in the stage's arguments the cause stands.
    pub(crate) path: Option<ValuePath>,
    pub(crate) transient: bool,
}

/// One rank after its end.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) last_word: Option<LastWord>,
    /// `None`: it never started, or how it went is not known.
    pub(crate) status: Option<ExitStatus>,
    /// The executor killed it.
    pub(crate) killed: bool,
}

/// Why the executor asked the ranks to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopCause {
    /// Someone asked.
    Asked,
    /// The run took longer than allowed.
    TimeLimit,
}

/// The verdict on a run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Done,
    Stopped,
    /// Which rank it was that failed, if it was one.
    Failed(Option<usize>, Failure),
}

/// Judges a run. When one rank goes, the others lose their connections to it: so the cause is first looked for where it cannot be such an
/// effect, among ranks that went without a word and failures that are not transient.
pub(crate) fn judge(ranks: &[Ended], stop: Option<StopCause>, limit: Option<Duration>) -> Verdict {
    if ranks.iter().all(|rank| rank.last_word == Some(LastWord::Done)) {
        return Verdict::Done;
    }
    let said = |rank: &Ended| match &rank.last_word {
        Some(LastWord::Failed(failure)) => Some(failure.clone()),
        Some(LastWord::Done | LastWord::Stopped) | None => None,
    };
    let find = |wanted: &dyn Fn(&Ended) -> Option<Failure>| {
        ranks.iter().enumerate().find_map(|(rank, ended)| Some((Some(rank), wanted(ended)?)))
    };
    let lasting = find(&|rank| said(rank).filter(|failure| !failure.transient));
    let crashed = find(&|rank| (rank.last_word.is_none() && !rank.killed).then(|| crash(rank.status)));
    let passing = find(&said);
    match (stop, lasting, crashed) {
        (Some(StopCause::Asked), Some((rank, failure)), _) => Verdict::Failed(rank, failure),
        // Ranks that stop one after the other may well fail at each other.
        (Some(StopCause::Asked), None, _) => Verdict::Stopped,
        (Some(StopCause::TimeLimit), ..) => {
            let seconds = limit.unwrap_or_default().as_secs_f64();
            let detail = format!(
                "The run took longer than `resources.time` allows ({seconds} seconds) and was stopped. If the stage writes checkpoints, the \
                 next apply goes on from the last one."
            );
            let path = Some(ValuePath::of("resources").name("time"));
            Verdict::Failed(None, Failure { summary: "Time limit reached".to_owned(), detail, path, transient: false })
        }
        (None, lasting, crashed) => match crashed.or(lasting).or(passing) {
            Some((rank, failure)) => Verdict::Failed(rank, failure),
            // A stage that stops without being asked to.
            None => Verdict::Stopped,
        },
    }
}

/// Why a worker went without a last word.
fn crash(status: Option<ExitStatus>) -> Failure {
    let how = match status {
        None => "in a way that is not known".to_owned(),
        Some(status) => how_it_ended(status),
    };
    let signal = status.and_then(|status| status.signal());
    let why = match signal {
        Some(9) => {
            " The system does so when memory runs out: give the stage less to do at a time, or run fewer stages at once by saying how much \
             they take (`resources.memory`)."
        }
        Some(4 | 6 | 7 | 8 | 11) => {
            " This is a mistake in pipectl or in a library that it uses; please report it together with the log."
        }
        _ => "",
    };
    Failure {
        summary: "Worker ended unexpectedly".to_owned(),
        detail: format!("The worker process ended {how} before it had finished.{why}"),
        path: None,
        transient: signal == Some(9),
    }
}

fn how_it_ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("with exit status {code}"),
        (None, Some(signal)) => match signal_name(signal) {
            Some(name) => format!("by signal {signal} ({name})"),
            None => format!("by signal {signal}"),
        },
        (None, None) => "in a way that is not known".to_owned(),
    }
}

fn signal_name(signal: i32) -> Option<&'static str> {
    // Numbers that POSIX systems agree on.
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => return None,
    })
}

/// The verdict as the answer of an executor.
pub(crate) fn answer(
    verdict: &Verdict,
    values: BTreeMap<String, Json>,
    workers: usize,
    attempt: &Path,
) -> Result<Finished, ExecuteError> {
    match verdict {
        Verdict::Done => Ok(Finished { values }),
        Verdict::Stopped => Err(ExecuteError::Stopped),
        Verdict::Failed(rank, failure) => {
            let mut detail = failure.detail.clone();
            if let Some(rank) = rank {
                if workers > 1 {
                    detail += &format!(" (worker {rank} of 0 to {})", workers - 1);
                }
                let tail = tail(&RankFiles::new(attempt, *rank).log);
                if !tail.is_empty() {
                    detail += &format!("\n\nThe end of its log:\n{tail}");
                }
            }
            let mut diagnostic = Diagnostic::error(failure.summary.clone(), detail);
            diagnostic.path = failure.path.clone();
            Err(ExecuteError::Failed { diagnostics: diagnostic.into(), transient: failure.transient })
        }
    }
}

/// The last lines of a file, indented.
fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    // No log, no tail.
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..]
        .iter()
        .map(|line| format!("  {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// `outcome.json`.
#[derive(Serialize)]
struct Outcome<'a> {
    version: u32,
    outcome: &'static str,
    summary: Option<&'a str>,
    detail: Option<&'a str>,
    /// Seconds since 1970.
    started: f64,
    seconds: f64,
    ranks: Vec<RankOutcome>,
}

#[derive(Serialize)]
struct RankOutcome {
    last_word: Option<&'static str>,
    code: Option<i32>,
    signal: Option<i32>,
    killed: bool,
}

/// Writes how a run ended to its folder. What cannot be written is lost: the run itself does not depend on it.
pub(crate) fn write(attempt: &Path, verdict: &Verdict, ranks: &[Ended], started: SystemTime, took: Duration) {
    let failure = match verdict {
        Verdict::Failed(_, failure) => Some(failure),
        Verdict::Done | Verdict::Stopped => None,
    };
    let each = |rank: &Ended| RankOutcome {
        last_word: rank.last_word.as_ref().map(|word| match word {
            LastWord::Done => "done",
            LastWord::Stopped => "stopped",
            LastWord::Failed(_) => "failed",
        }),
        code: rank.status.and_then(|status| status.code()),
        signal: rank.status.and_then(|status| status.signal()),
        killed: rank.killed,
    };
    let outcome = Outcome {
        version: 1,
        outcome: match verdict {
            Verdict::Done => "done",
            Verdict::Stopped => "stopped",
            Verdict::Failed(..) => "failed",
        },
        summary: failure.map(|failure| failure.summary.as_str()),
        detail: failure.map(|failure| failure.detail.as_str()),
        started: started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
        seconds: took.as_secs_f64(),
        ranks: ranks.iter().map(each).collect(),
    };
    let json = serde_json::to_vec_pretty(&outcome).expect("an outcome is plain data");
    let beside = attempt.join("outcome.json.new");
    if fs::write(&beside, json).and_then(|()| fs::rename(&beside, attempt.join("outcome.json"))).is_err() {
        let _ = fs::remove_file(&beside);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(word: LastWord) -> Ended {
        Ended { last_word: Some(word), status: Some(ExitStatus::from_raw(0)), killed: false }
    }

    fn failed(summary: &str, transient: bool) -> Ended {
        let (summary, detail) = (summary.to_owned(), String::new());
        said(LastWord::Failed(Failure { summary, detail, path: None, transient }))
    }

    fn gone(raw: i32, killed: bool) -> Ended {
        Ended { last_word: None, status: Some(ExitStatus::from_raw(raw)), killed }
    }

    fn blamed(ranks: &[Ended], stop: Option<StopCause>) -> Option<(Option<usize>, String)> {
        match judge(ranks, stop, None) {
            Verdict::Failed(rank, failure) => Some((rank, failure.summary)),
            Verdict::Done | Verdict::Stopped => None,
        }
    }

    #[test]
    fn the_cause_is_blamed_and_not_its_effects() {
        let lost = || failed("Connection lost", true);
        let unexpected = |rank| Some((Some(rank), "Worker ended unexpectedly".to_owned()));
        assert_eq!(blamed(&[lost(), gone(9, false)], None), unexpected(1));
        assert_eq!(
            blamed(&[lost(), failed("Missing column", false), gone(9, true)], None),
            Some((Some(1), "Missing column".to_owned()))
        );
        assert_eq!(blamed(&[said(LastWord::Done), lost()], None), Some((Some(1), "Connection lost".to_owned())));
        assert_eq!(blamed(&[said(LastWord::Done), gone(0, false)], None), unexpected(1));
        // Asked to stop: losing each other is no failure, a mistake is.
        assert_eq!(blamed(&[said(LastWord::Stopped), lost(), gone(9, true)], Some(StopCause::Asked)), None);
        assert_eq!(
            blamed(&[said(LastWord::Stopped), failed("Disk full", false)], Some(StopCause::Asked)),
            Some((Some(1), "Disk full".to_owned()))
        );
        assert_eq!(
            blamed(&[said(LastWord::Stopped)], Some(StopCause::TimeLimit)),
            Some((None, "Time limit reached".to_owned()))
        );
    }

    #[test]
    fn who_is_done_is_done() {
        let done = || [said(LastWord::Done), said(LastWord::Done)];
        for stop in [None, Some(StopCause::Asked), Some(StopCause::TimeLimit)] {
            assert_eq!(judge(&done(), stop, None), Verdict::Done);
        }
        assert_eq!(judge(&[said(LastWord::Stopped)], None, None), Verdict::Stopped);
    }

    #[test]
    fn memory_is_named_where_the_system_killed() {
        assert!(crash(Some(ExitStatus::from_raw(9))).detail.contains("memory"));
        assert!(crash(Some(ExitStatus::from_raw(9))).transient);
        assert_eq!(
            crash(Some(ExitStatus::from_raw(7 << 8))).detail,
            "The worker process ended with exit status 7 before it had finished."
        );
        assert!(crash(Some(ExitStatus::from_raw(11))).detail.contains("by signal 11 (SIGSEGV)"));
    }

    #[test]
    fn the_tail_is_short_even_of_a_long_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        assert_eq!(tail(&path), "");
        fs::write(&path, (0..100_000).map(|line| format!("line {line}\n")).collect::<String>()).unwrap();
        let tail = tail(&path);
        assert_eq!(tail.lines().count(), 20);
        assert!(tail.starts_with("  line 99980\n") && tail.ends_with("  line 99999"));
    }
}
