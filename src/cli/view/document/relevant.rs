//! Which attributes of objects what a plan changes depends on: `relevant_attributes`.

use std::collections::BTreeSet;

use pipectl_core::{AddressKind, InstanceKey};
use pipectl_engine::{OutputAction, Plan};
use pipectl_lang::{Configuration, Expression, NestedBlock, Reference, Traversal, TraversalStep};
use serde_json::{Value as Json, json};

/// The attributes that changed objects and outputs refer to, through locals too; each once, in the order in which they are found.
pub(super) fn relevant_attributes(plan: &Plan, configuration: &Configuration) -> Vec<Json> {
    let mut search = Search { configuration, locals: BTreeSet::new(), found: Vec::new() };
    let mut blocks = BTreeSet::new();
    for change in plan.changes.iter().filter(|change| !change.action.is_no_op()) {
        let address = change.address.block();
        let Some(block) = configuration.objects.get(&address) else { continue };
        if !blocks.insert(address) {
            continue;
        }
        for argument in block.body.arguments() {
            search.expression(&argument.value);
        }
        block.body.blocks().for_each(|nested| search.block(nested));
        [&block.meta.count, &block.meta.for_each].into_iter().flatten().for_each(|given| search.expression(given));
    }
    for output in plan.outputs.iter().filter(|output| output.action != OutputAction::NoOp) {
        if let Some(block) = configuration.outputs.get(&output.name) {
            search.expression(&block.value);
        }
    }
    search.found
}

/// Whether the value of an expression comes from objects, through locals too, and through what `for_each` goes through.
pub(super) fn refers_to_objects(
    configuration: &Configuration,
    expression: &Expression,
    mut for_each: Option<&Expression>,
) -> bool {
    let mut open: Vec<&Expression> = vec![expression];
    let mut locals = BTreeSet::new();
    while let Some(expression) = open.pop() {
        for (reference, _) in expression.references() {
            match reference {
                Reference::Variable(_) | Reference::Path(_) | Reference::Terraform(_) | Reference::Count => {}
                Reference::Each => open.extend(for_each.take()),
                Reference::Local(name) => {
                    let local = configuration.locals.get(&name).filter(|_| locals.insert(name));
                    open.extend(local.map(|local| &local.expression));
                }
                _ => return true,
            }
        }
    }
    false
}

struct Search<'a> {
    configuration: &'a Configuration,
    locals: BTreeSet<String>,
    found: Vec<Json>,
}

impl Search<'_> {
    fn block(&mut self, block: &NestedBlock) {
        for argument in block.body.arguments() {
            self.expression(&argument.value);
        }
        block.body.blocks().for_each(|nested| self.block(nested));
    }

    fn expression(&mut self, expression: &Expression) {
        for traversal in expression.traversals() {
            match &traversal.reference {
                Reference::Local(name) => {
                    let local = self.configuration.locals.get(name);
                    if let Some(local) = local.filter(|_| self.locals.insert(name.clone())) {
                        self.expression(&local.expression);
                    }
                }
                Reference::Object(address) if address.kind != AddressKind::Data || !traversal.steps.is_empty() => {
                    self.object(&traversal);
                }
                _ => {}
            }
        }
    }

    fn object(&mut self, traversal: &Traversal) {
        let mut resource = traversal.reference.to_string();
        let mut steps = traversal.steps.as_slice();
        if let Some((TraversalStep::Index(key), rest)) = steps.split_first() {
            resource.push_str(&format!("[{key}]"));
            steps = rest;
        }
        let step = |step: &TraversalStep| match step {
            TraversalStep::Attribute(name) => json!(name),
            TraversalStep::Index(InstanceKey::Index(index)) => json!(index),
            TraversalStep::Index(InstanceKey::Name(name)) => json!(name),
        };
        let entry = json!({ "resource": resource, "attribute": steps.iter().map(step).collect::<Vec<_>>() });
        if !self.found.contains(&entry) {
            self.found.push(entry);
        }
    }
}
