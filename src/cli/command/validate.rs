//! `validate`: judges the configuration without looking at the world.

use std::collections::HashSet;

use pipectl_core::{Diagnostic, Diagnostics, Severity};
use serde_json::{Value as Json, json};

use crate::app::{App, Effort};
use crate::arguments::ValidateArguments;
use crate::console::Color;
use crate::exit::Exit;
use crate::project::Project;
use crate::reporter::Follower;
use crate::roots::{self, Root, WithoutFiles};
use crate::view::diagnostic;

/// Runs the command.
pub fn run(app: &App, arguments: &ValidateArguments) -> Exit {
    let roots = match roots::discover(&app.here, arguments.root.path.as_deref(), WithoutFiles::Empty) {
        Ok(roots) => roots,
        Err(error) if arguments.json => {
            let diagnostics = vec![diagnostic::to_json(&error, &pipectl_core::SourceMap::default())];
            app.console.print(&format!("{:#}", document(diagnostics, 1, 0)));
            return Exit::Failure;
        }
        Err(error) => return app.fail(error),
    };
    let judged: Vec<(Project, Diagnostics)> = roots.into_iter().map(|root| judge(app, root)).collect();
    let failed = judged.iter().any(|(_, diagnostics)| diagnostics.has_errors());
    if arguments.json {
        let found = judged.iter().flat_map(|(project, diagnostics)| {
            let found = diagnostic::in_order(diagnostics).into_iter();
            found.map(|one| diagnostic::to_json(one, &project.configuration.sources))
        });
        let errors = judged.iter().map(|(_, diagnostics)| diagnostics.error_count()).sum();
        let warning = |diagnostics: &Diagnostics| {
            diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Warning).count()
        };
        let warnings = judged.iter().map(|(_, diagnostics)| warning(diagnostics)).sum();
        app.console.print(&format!("{:#}", document(found.collect(), errors, warnings)));
    } else {
        for (project, diagnostics) in &judged {
            app.complain(diagnostics, &project.configuration.sources);
            if !diagnostics.has_errors() {
                let success = app.console.paint().on(Color::Green, "Success!");
                let but = if diagnostics.is_empty() {
                    ""
                } else {
                    ", but there were some validation warnings as shown above"
                };
                app.console.print(&format!("{success} The configuration of {} is valid{but}.", project.shown));
            }
        }
    }
    if failed { Exit::Failure } else { Exit::Success }
}

/// Reads and judges one root module.
pub fn judge(app: &App, root: Root) -> (Project, Diagnostics) {
    let passed_over = roots::passed_over(&root);
    let (project, mut diagnostics) = Project::load(root, &app.environment);
    diagnostics.extend(passed_over);
    let engine = app.engine(&project, Effort { parallelism: 1, verify: false }, &Follower::Nobody);
    let judged = engine.validate(&project.configuration);
    (project, once(diagnostics, judged))
}

/// Each finding once. What loading has found, evaluation may find again, in its own words.
fn once(loaded: Diagnostics, judged: Diagnostics) -> Diagnostics {
    let place = |found: &Diagnostic| (found.summary.clone(), found.span.clone());
    let known: HashSet<_> = loaded.iter().filter(|found| found.span.is_some()).map(place).collect();
    let judged = judged.into_iter().filter(|found| !known.contains(&place(found)));
    let mut seen = HashSet::new();
    let all = loaded.into_iter().chain(judged);
    all.filter(|found| seen.insert((place(found), found.detail.clone()))).collect()
}

/// The document of `terraform validate -json`.
fn document(diagnostics: Vec<Json>, errors: usize, warnings: usize) -> Json {
    json!({
        "format_version": "1.0",
        "valid": errors == 0,
        "error_count": errors,
        "warning_count": warnings,
        "diagnostics": diagnostics,
    })
}
