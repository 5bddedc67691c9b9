//! The log for whoever looks for a fault: `TF_LOG` says how much, `TF_LOG_PATH` where to, as Terraform has them.
//!
//! What libraries log is not shown: it is about their insides, and may have header fields in it. What this program logs has no secrets, at any
//! level.

use std::fs::OpenOptions;
use std::sync::Mutex;

use pipectl_core::Diagnostic;
use pipectl_provider::Environment;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

const LEVEL: &str = "TF_LOG";
const FILE: &str = "TF_LOG_PATH";

/// Begins the log that the environment asks for; without `TF_LOG` there is none.
///
/// # Errors
/// When the file cannot be written.
pub fn begin(environment: &dyn Environment) -> Result<(), Diagnostic> {
    let Some(asked) = environment.variable(LEVEL).filter(|level| !level.is_empty()) else { return Ok(()) };
    let (level, is_json) = match asked.to_ascii_uppercase().as_str() {
        "TRACE" => (LevelFilter::TRACE, false),
        "DEBUG" => (LevelFilter::DEBUG, false),
        "INFO" => (LevelFilter::INFO, false),
        "WARN" => (LevelFilter::WARN, false),
        "ERROR" => (LevelFilter::ERROR, false),
        "OFF" => (LevelFilter::OFF, false),
        "JSON" => (LevelFilter::TRACE, true),
        // As Terraform has it: whoever writes `TF_LOG=1` wants to see everything.
        _ => (LevelFilter::TRACE, false),
    };
    match environment.variable(FILE).filter(|path| !path.is_empty()) {
        None => write(std::io::stderr, level, is_json),
        Some(path) => {
            let file = OpenOptions::new().append(true).create(true).open(&path).map_err(|error| {
                let detail = format!("The log cannot be written to `{path}`, which {FILE} names: {error}.");
                Diagnostic::error("Log not written", detail).remedied(&error)
            })?;
            write(Mutex::new(file), level, is_json);
        }
    }
    Ok(())
}

fn write(writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static, level: LevelFilter, is_json: bool) {
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(writer);
    let ours = tracing_subscriber::registry().with(Targets::new().with_target("pipectl", level));
    // It fails where there is one already: then whoever runs this in a process of theirs sees to the log.
    let _ = match is_json {
        true => ours.with(lines.json()).try_init(),
        false => ours.with(lines).try_init(),
    };
}
