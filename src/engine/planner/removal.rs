//! Planning removals: of what is no longer configured, of what a replacement left over, and of everything.

use std::sync::Arc;

use pipectl_core::{Address, Value};
use pipectl_lang::Scope;
use pipectl_provider::Reason;
use serde_json::Value as Json;

use super::object::has_key;
use super::{Run, evaluate_constants};
use crate::graph::Node;
use crate::lifecycle::prevent_destroy;
use crate::{Action, Mode, ResourceChange};

/// Plans the removal of every object that the configuration does not have any more, and of what replacements left over.
pub(super) fn plan_orphans(run: &Arc<Run>) {
    if run.options.mode == Mode::RefreshOnly {
        return;
    }
    plan_deposed(run);
    for (address, prior) in &run.observations.priors {
        let block = run.configuration.objects.get(&address.block());
        let reason = match (block, run.found().expansions.get(&address.block())) {
            (None, _) => "it is no longer in the configuration".to_owned(),
            (Some(_), Some(expansion)) if has_key(expansion, address.key.as_ref()) => continue,
            (Some(_), Some(expansion)) => expansion.why_not(address.key.as_ref()),
            // The block was not planned: it is left out, or an error stopped it.
            (Some(_), None) => continue,
        };
        if let Some(block) = block {
            let node = run.graph.find(&Node::Object(block.address.clone()));
            let scope = node.map_or_else(Scope::constant, |node| run.values.scope(&run.graph, node));
            run.report(prevent_destroy(
                block,
                &scope,
                address,
                &format!("the plan calls for it to be destroyed ({reason})"),
            ));
        }
        remove(run, address, None, prior.instance.attributes.clone(), reason);
    }
}

/// Plans the removal of everything that is selected.
pub(super) fn plan_everything(run: &Arc<Run>) {
    plan_deposed(run);
    let constants = evaluate_constants(&run.engine, &run.configuration, &run.variables, &run.graph);
    for (address, prior) in &run.observations.priors {
        if let Some(block) = run.configuration.objects.get(&address.block()) {
            let node = run.graph.find(&Node::Object(block.address.clone()));
            let scope = node.map_or_else(Scope::constant, |node| constants.scope(&run.graph, node));
            run.report(prevent_destroy(block, &scope, address, "the plan calls for it to be destroyed"));
        }
        remove(run, address, None, prior.instance.attributes.clone(), "everything is to be destroyed".to_owned());
    }
}

fn plan_deposed(run: &Arc<Run>) {
    for ((address, key), instance) in &run.observations.deposed {
        let reason = "it was left over when its replacement was interrupted".to_owned();
        remove(run, address, Some(key.clone()), instance.attributes.clone(), reason);
    }
}

fn remove(run: &Run, address: &Address, deposed: Option<String>, before: Value, reason: String) {
    let purpose = format!("remove {address} {}", deposed.as_deref().unwrap_or_default());
    run.found().add(ResourceChange {
        address: address.clone(),
        deposed,
        action: Action::Delete,
        before: Some(before),
        after: None,
        requires_replace: Vec::new(),
        reasons: vec![Reason::new(reason)],
        private: Json::Null,
        decided: true,
        forced: false,
        token: run.options.seed.draw(&purpose),
    });
}
