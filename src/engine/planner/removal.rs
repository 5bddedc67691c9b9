//! Planning removals: of what is no longer configured, of what a replacement left over, and of everything.

use std::sync::Arc;

use pipectl_core::{Address, Diagnostic, ModulePath, Value};
use pipectl_lang::Scope;
use pipectl_provider::Reason;
use serde_json::Value as Json;

use super::{Run, evaluate_constants};
use crate::lifecycle::prevent_destroy;
use crate::values::Values;
use crate::{Action, Cause, Mode, ResourceChange};

/// Plans the removal of every object that the configuration does not have any more, and of what replacements left over.
pub(super) fn plan_orphans(run: &Arc<Run>) {
    if run.options.mode == Mode::RefreshOnly {
        return;
    }
    plan_deposed(run);
    for (address, prior) in &run.observations.priors {
        let block = run.configuration.object(address);
        let cause = match (block, run.found().expansions.get(&address.block())) {
            (None, _) => Cause::NotConfigured,
            (Some(_), Some(expansion)) if expansion.contains(address.key.as_ref()) => continue,
            (Some(_), Some(expansion)) => expansion.why_not(address.key.as_ref()),
            (Some(_), None) => match why_no_module(run, &address.module) {
                Some(why) => why,
                // The block was not planned: it is left out, or an error stopped it.
                None => continue,
            },
        };
        if let Some(block) = block
            && let Some(scope) = scope_of(run, &run.values, address)
        {
            run.report(prevent_destroy(
                block,
                &scope,
                address,
                &format!("the plan calls for it to be destroyed ({cause})"),
            ));
        }
        remove(run, address, None, prior.instance.attributes.clone(), cause);
    }
}

/// Plans the removal of everything that is selected.
pub(super) fn plan_everything(run: &Arc<Run>) {
    plan_deposed(run);
    let constants = evaluate_constants(&run.engine, &run.configuration, &run.variables, &run.graph);
    for (address, prior) in &run.observations.priors {
        if let Some(block) = run.configuration.object(address)
            && let Some(scope) = scope_of(run, &constants, address)
        {
            run.report(prevent_destroy(block, &scope, address, "the plan calls for it to be destroyed"));
        }
        remove(run, address, None, prior.instance.attributes.clone(), Cause::Everything);
    }
}

/// The scope of the block at an address; `None` where its module has no such instance any more: that its objects go is what was asked for.
fn scope_of(run: &Run, values: &Values, address: &Address) -> Option<Scope> {
    let node = run.graph.find_object(address)?;
    let module = run.graph.module_of(node);
    match values.instances(module) {
        Some(instances) => Some(values.scope(&run.graph, node, instances.find(&address.module)?)),
        None => Some(values.empty_scope(module)),
    }
}

/// Why there is no such instance of a module; `None` when there is, or when that is not known.
fn why_no_module(run: &Run, path: &ModulePath) -> Option<Cause> {
    let (outer, step) = path.parent()?;
    if let Some(why) = why_no_module(run, &outer) {
        return Some(why);
    }
    let around = run.values.instances(run.graph.find_module(&outer)?)?.find(&outer)?;
    let instances = run.values.instances(run.graph.find_module(path)?)?;
    let is_gone = instances.find(path).is_none();
    let why = || Box::new(instances.expansion(around).why_not(step.key.as_ref()));
    is_gone.then(|| Cause::NoModule { module: path.clone(), why: why() })
}

fn plan_deposed(run: &Arc<Run>) {
    for ((address, key), instance) in &run.observations.deposed {
        remove(run, address, Some(key.clone()), instance.attributes.clone(), Cause::LeftOver);
    }
}

fn remove(run: &Run, address: &Address, deposed: Option<String>, before: Value, cause: Cause) {
    let purpose = format!("remove {address} {}", deposed.as_deref().unwrap_or_default());
    let (action, cause) = match is_forgotten(run, address) {
        true => (Action::Forget, Cause::LeftAlone),
        false => (Action::Delete, cause),
    };
    run.found().add(ResourceChange {
        address: address.clone(),
        deposed,
        previous: run.previous.get(address).cloned(),
        importing: None,
        action,
        before: Some(before),
        after: None,
        requires_replace: Vec::new(),
        reasons: vec![Reason::new(cause.to_string())],
        cause: Some(cause),
        private: Json::Null,
        decided: true,
        forced: false,
        token: run.options.seed.draw(&purpose),
    });
}

/// Whether a `removed` block says that the object is not to be destroyed. What is declared has none: that was judged before.
fn is_forgotten(run: &Run, address: &Address) -> bool {
    run.removed.iter().any(|(from, destroy)| !destroy && from.contains(address))
}

/// Warns of objects that are known no longer.
pub(super) fn tell_forgotten(run: &Run) {
    let mut found = run.found();
    let forgotten = found.changes.iter().filter(|change| change.action == Action::Forget);
    let names: Vec<String> = forgotten.map(|change| change.address.to_string()).collect();
    if !names.is_empty() {
        let detail = format!(
            "Applying this plan forgets these objects and does not destroy them: {}. To manage them again they must be imported.",
            names.join(", ")
        );
        found.diagnostics.push(Diagnostic::warning("Some objects will no longer be managed", detail));
    }
}
