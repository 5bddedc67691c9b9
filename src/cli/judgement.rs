//! What is wrong with a configuration: what reading it has found, and what judging it finds, each once.

use std::collections::HashSet;

use pipectl_core::{Diagnostic, Diagnostics};

use crate::app::{App, Effort};
use crate::project::Project;
use crate::reporter::Follower;

/// Everything that can be said of a project without state and world. `loaded` is what reading it has found.
pub fn judge(app: &App, project: &Project, loaded: Diagnostics) -> Diagnostics {
    let engine = app.engine(project, Effort { parallelism: 1, verify: false }, &Follower::Nobody);
    once(loaded, engine.validate(&project.configuration))
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
