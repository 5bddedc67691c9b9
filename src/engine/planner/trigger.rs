//! `replace_triggered_by`: whether what a block names changes.

use pipectl_core::{Address, Diagnostic, Diagnostics, Path, Value};
use pipectl_lang::{ObjectBlock, Scope, Trigger};

use super::{Found, Run, import};
use crate::{Action, ResourceChange};

/// What it is called when a reference names no instance.
const MISTAKE: &str = "Invalid replace_triggered_by expression";

/// The first of a block's triggers that changes, as the object at `address` means it.
///
/// # Errors
/// When one names an instance that there is not.
pub(super) fn pulled(
    run: &Run,
    block: &ObjectBlock,
    address: &Address,
    scope: &Scope,
) -> Result<Option<String>, Diagnostics> {
    for trigger in &block.meta.lifecycle.replace_triggered_by {
        let key = import::key(trigger.key.as_ref(), scope, MISTAKE)?;
        let all = trigger.block.in_module(&address.module);
        let meant = all.with_key(key);
        let found = run.found();
        let is_whole_block = trigger.key.is_none() && trigger.path.0.is_empty();
        // A block that was left out of the plan has no instances here, and changes nothing.
        if let Some(expansion) = found.expansions.get(&all)
            && !is_whole_block
            && !expansion.is_open()
            && !expansion.contains(meant.key.as_ref())
        {
            let detail = format!("There is no instance {meant} whose changes could replace {address}.");
            return Err(Diagnostic::error(MISTAKE, detail).at(trigger.span.clone()).about(address).into());
        }
        if is_changing(&found, trigger, &meant, is_whole_block) {
            let dot = if trigger.path.0.is_empty() { "" } else { "." };
            return Ok(Some(format!("{}{dot}{}", meant.inside_module(), trigger.path)));
        }
    }
    Ok(None)
}

/// Whether an object that was planned before, or what a trigger names of it, is changed or replaced.
fn is_changing(found: &Found, trigger: &Trigger, meant: &Address, is_whole_block: bool) -> bool {
    if is_whole_block {
        return found.pending.get(&meant.block()) == Some(&true);
    }
    // Whether something deferred changes is not known yet: it triggers nothing.
    let change = found.pending_changes.get(meant).map(|position| &found.changes[*position]);
    change.is_some_and(|change| pulls(change) && is_different(change, &trigger.path))
}

/// Whether a change pulls triggers: that of an object that exists and becomes another. A new one triggers nothing.
pub(super) fn pulls(change: &ResourceChange) -> bool {
    let becomes_another =
        matches!(change.action, Action::Update | Action::Replace { .. } | Action::Run | Action::RunIfChanged);
    becomes_another && change.before.is_some()
}

fn is_different(change: &ResourceChange, path: &Path) -> bool {
    // Arguments that are equal do not make an update none: a provider may have other reasons.
    if path.0.is_empty() {
        return true;
    }
    let at = |value: &Option<Value>| value.as_ref().and_then(|value| value.at(path)).map(|value| value.unmark_deep().0);
    at(&change.before) != at(&change.after)
}
