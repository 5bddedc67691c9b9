//! `version`: which program this is.

use serde_json::json;

use crate::app::App;
use crate::arguments::VersionArguments;
use crate::exit::Exit;
use crate::stages::stages;
use crate::view::document::TERRAFORM_VERSION;

/// Runs the command.
pub fn run(app: &App, arguments: &VersionArguments) -> Exit {
    let version = env!("CARGO_PKG_VERSION");
    let platform = format!("{}_{}", operating_system(), architecture());
    let kinds: Vec<&str> = stages().iter().map(|stage| stage.kind()).collect();
    if arguments.json {
        // Readers made for Terraform look for its members: the version is that of the language and the formats.
        let document = json!({
            "pipectl_version": version,
            "platform": platform,
            "stage_kinds": kinds,
            "terraform_version": TERRAFORM_VERSION,
            "provider_selections": {},
            "terraform_outdated": false,
        });
        app.console.print(&format!("{document:#}"));
        return Exit::Success;
    }
    let kinds = if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") };
    app.console.print(&format!("pipectl v{version}\non {platform}\nstage kinds: {kinds}"));
    Exit::Success
}

/// Names as Terraform has them, which are Go's.
fn operating_system() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    }
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
