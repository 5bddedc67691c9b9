//! `version`: which program this is.

use serde_json::json;

use crate::app::App;
use crate::arguments::VersionArguments;
use crate::exit::Exit;
use crate::stages::stages;

/// Runs the command.
pub fn run(app: &App, arguments: &VersionArguments) -> Exit {
    let version = env!("CARGO_PKG_VERSION");
    let platform = format!("{}_{}", std::env::consts::OS, std::env::consts::ARCH);
    let kinds: Vec<&str> = stages().iter().map(|stage| stage.kind()).collect();
    if arguments.json {
        let document = json!({ "pipectl_version": version, "platform": platform, "stage_kinds": kinds });
        app.console.print(&format!("{document:#}"));
        return Exit::Success;
    }
    let kinds = if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") };
    app.console.print(&format!("pipectl v{version}\non {platform}\nstage kinds: {kinds}"));
    Exit::Success
}
