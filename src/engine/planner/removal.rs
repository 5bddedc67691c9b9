//! Planning removals: of what is no longer configured, of what a replacement left over, and of everything.

use std::sync::Arc;

use pipectl_core::{Address, Diagnostic, Diagnostics, Value};
use pipectl_provider::Reason;
use serde_json::Value as Json;

use super::refresh::Unasked;
use super::{Planning, Run, constants_and_mistakes};
use crate::intents;
use crate::lifecycle::{prevent_destroy, prevent_destroy_without_module};
use crate::values::Values;
use crate::{Action, Cause, Mode, ResourceChange};

/// Plans the removal of every object that the configuration does not have any more, and of what replacements left over.
pub(super) fn plan_orphans(run: &Arc<Run>) {
    if run.options.mode == Mode::RefreshOnly {
        return;
    }
    plan_deposed(run);
    for (address, why) in &run.observations.unasked {
        let is_to_go = match fate(run, address) {
            Fate::Goes(_) => true,
            // Where it is declared, what becomes of it is decided once somebody can be asked.
            Fate::Stays | Fate::Open => false,
            Fate::NotPlanned => run.values.why_no_module(&run.graph, &address.module).is_some(),
        };
        if is_to_go {
            refuse_unasked(run, address, why);
        }
    }
    for (address, prior) in &run.observations.priors {
        let cause = match fate(run, address) {
            Fate::Goes(cause) => Some(cause),
            Fate::Stays => None,
            // Whether it stays is decided while the plan is applied. With what it lives in, it goes in either case.
            Fate::Open => replaced_below(run, address),
            Fate::NotPlanned => {
                run.values.why_no_module(&run.graph, &address.module).or_else(|| replaced_below_open(run, address))
            }
        };
        let Some(cause) = cause else { continue };
        let what = format!("the plan calls for it to be destroyed ({cause})");
        run.report(protection(run, &run.values, address, &what));
        remove(run, address, None, prior.instance.attributes.clone(), cause);
    }
}

/// What becomes of an object of the state.
enum Fate {
    /// It is declared.
    Stays,
    /// It is not.
    Goes(Cause),
    /// It is not known yet which instances its block has.
    Open,
    /// Its block was not planned: there is no such instance of its module, it is left out, or an error stopped it.
    NotPlanned,
}

fn fate(run: &Run, address: &Address) -> Fate {
    if run.configuration.object(address).is_none() {
        return Fate::Goes(Cause::NotConfigured);
    }
    match run.found().expansions.get(&address.block()) {
        None => Fate::NotPlanned,
        Some(expansion) if expansion.is_open() => Fate::Open,
        Some(expansion) if expansion.contains(address.key.as_ref()) => Fate::Stays,
        Some(expansion) => Fate::Goes(expansion.why_not(address.key.as_ref())),
    }
}

/// Plans the removal of everything that is selected.
pub(super) fn plan_everything(run: &Arc<Run>) {
    plan_deposed(run);
    let (constants, mistakes) = constants_and_mistakes(&run.engine, &run.configuration, &run.variables, &run.graph);
    // With variables that are wrong, what is to go may be something else. What needs objects is asked no more.
    run.report(mistakes);
    for (address, why) in &run.observations.unasked {
        refuse_unasked(run, address, why);
    }
    for (address, prior) in &run.observations.priors {
        run.report(protection(run, &constants, address, "the plan calls for it to be destroyed"));
        remove(run, address, None, prior.instance.attributes.clone(), Cause::Everything);
    }
}

/// An error when the block of an address forbids that its object is removed. What the configuration does not have any more forbids nothing.
fn protection(run: &Run, values: &Values, address: &Address, what: &str) -> Diagnostics {
    let (Some(block), Some(node)) = (run.configuration.object(address), run.graph.find_object(address)) else {
        return Diagnostics::new();
    };
    let module = run.graph.module_of(node);
    let Some(instances) = values.instances(module) else {
        return prevent_destroy(block, &values.empty_scope(module), address, what);
    };
    match instances.find(&address.module) {
        Some(instance) => prevent_destroy(block, &values.scope(&run.graph, node, instance), address, what),
        // The values of a module's instance are gone with it, and what its words say without them still holds.
        None => prevent_destroy_without_module(block, &values.empty_scope(module), address, what),
    }
}

/// That something is replaced which the provider of an object is configured from.
fn replaced_below(run: &Run, address: &Address) -> Option<Cause> {
    run.replaced_below(run.graph.find_object(address)?).map(Cause::ProviderReplaced)
}

/// The same for an object in a module of which it is not known which instances there are.
fn replaced_below_open(run: &Run, address: &Address) -> Option<Cause> {
    let mut path = address.module.clone();
    while let Some((outer, _)) = path.parent() {
        let instances = run.graph.find_module(&path).and_then(|module| run.values.instances(module));
        if instances.is_some_and(|instances| (0..instances.len()).any(|instance| instances.is_open(instance))) {
            return replaced_below(run, address);
        }
        path = outer;
    }
    None
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
    if let Some(problems) = run.observations.unbound(address, deposed.as_deref()).filter(|_| action == Action::Delete) {
        return run.report(problems.clone());
    }
    let change = ResourceChange {
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
    };
    run.found().add(Planning::Change(Box::new(change)));
}

/// Tells that what an interrupted run may have made cannot be removed, because nobody can be asked about it: it would be lost.
fn refuse_unasked(run: &Run, address: &Address, why: &Unasked) {
    if is_forgotten(run, address) {
        return;
    }
    let refused = |why: &str| run.report(intents::not_settled(&run.engine, address, why).into());
    match why {
        Unasked::NotYet(why) => refused(why),
        Unasked::Failed(problems) => {
            run.report(problems.clone());
            refused("the configuration of its provider is no good");
        }
    }
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
