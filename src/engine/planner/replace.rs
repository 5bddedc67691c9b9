//! `-replace`: requests that name a block where they had to name an instance of it.

use pipectl_core::{Address, Diagnostic};

use super::Run;
use crate::Action;

/// How many addresses a warning gives at most.
const SHOWN: usize = 10;

/// Warns of requests without an instance key for blocks whose instances have keys: as in Terraform, they replace nothing.
pub(super) fn tell_incomplete(run: &Run) {
    for request in run.options.replace.iter().filter(|request| request.key.is_none()) {
        let mut found = run.found();
        let there = found
            .changes
            .iter()
            .filter(|change| change.deposed.is_none() && !matches!(change.action, Action::Delete | Action::Forget));
        let instances: Vec<&Address> =
            there.map(|change| &change.address).filter(|address| address.block() == *request).collect();
        if instances.is_empty() || instances.contains(&request) {
            continue;
        }
        let more = match instances.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" There are {more} more than those below."),
        };
        let detail = format!(
            "-replace={request} names a block whose instances have keys, and no instance of it, so nothing is replaced. Name the instances \
             that are to be replaced.{more}"
        );
        let warning = Diagnostic::warning("Incompletely-matched force-replace resource instance", detail);
        let hint = |warning: Diagnostic, address: &&Address| warning.hint(format!("-replace='{address}'"));
        let warning = instances.iter().take(SHOWN).fold(warning, hint);
        found.diagnostics.push(warning);
    }
}
