//! `validate`: judges the configuration without looking at the world.

use pipectl_core::{Diagnostics, Severity, SourceMap};
use serde_json::{Value as Json, json};

use crate::app::App;
use crate::arguments::ValidateArguments;
use crate::console::Color;
use crate::exit::Exit;
use crate::judgement::judge;
use crate::project::Project;
use crate::roots::{self, WithoutFiles};
use crate::testing::files::read_files;
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
    let mut judged: Vec<Judged> = Vec::new();
    for root in roots {
        let (project, loaded) = Project::load_without_state(root, &app.environment);
        let diagnostics = judge(app, &project, loaded);
        let mut one = Judged { sources: project.configuration.sources.clone(), project, diagnostics };
        // The tests of a folder are those of all its root modules.
        if !arguments.no_tests && !judged.iter().any(|before| before.project.folder == one.project.folder) {
            one.add_tests(arguments);
        }
        judged.push(one);
    }
    let failed = judged.iter().any(|one| one.diagnostics.has_errors());
    if arguments.json {
        let found = judged.iter().flat_map(|Judged { diagnostics, sources, .. }| {
            let found = diagnostic::in_order(diagnostics).into_iter();
            found.map(|one| diagnostic::to_json(one, sources))
        });
        let errors = judged.iter().map(|one| one.diagnostics.error_count()).sum();
        let warning = |diagnostics: &Diagnostics| {
            diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Warning).count()
        };
        let warnings = judged.iter().map(|one| warning(&one.diagnostics)).sum();
        app.console.print(&format!("{:#}", document(found.collect(), errors, warnings)));
    } else {
        for Judged { project, diagnostics, sources } in &judged {
            app.complain(diagnostics, sources);
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

/// A root module with what was found.
struct Judged {
    project: Project,
    diagnostics: Diagnostics,
    /// Its files, and those of its tests.
    sources: SourceMap,
}

impl Judged {
    /// Judges the shape of test files, too.
    fn add_tests(&mut self, arguments: &ValidateArguments) {
        let found = match read_files(&self.project.folder, &arguments.test_directory, &[], &mut self.sources) {
            Ok((_, found)) => found,
            Err(problem) => problem.into(),
        };
        self.diagnostics.extend(found);
    }
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
