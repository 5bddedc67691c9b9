//! Which attributes of objects what a plan changes depends on: `relevant_attributes`.

use std::collections::BTreeSet;

use pipectl_core::{AddressKind, InstanceKey, ModulePath};
use pipectl_engine::{OutputAction, Plan};
use pipectl_lang::{Body, Configuration, Expression, Reference, Traversal, TraversalStep};
use serde_json::{Value as Json, json};

/// The attributes that changed objects and outputs refer to, through everything that has a name; each once, in the order in which they are
/// found.
pub(super) fn relevant_attributes(plan: &Plan, configuration: &Configuration) -> Vec<Json> {
    let mut search = Search { root: configuration, seen: BTreeSet::new(), told: BTreeSet::new(), found: Vec::new() };
    let mut blocks = BTreeSet::new();
    for change in plan.changes.iter().filter(|change| !change.action.is_no_op()) {
        let address = change.address.block();
        let Some(block) = configuration.object(&address) else { continue };
        let module = address.module.clone();
        if !blocks.insert(address) {
            continue;
        }
        search.body(&module, &block.body);
        let given = [&block.meta.count, &block.meta.for_each].into_iter().flatten();
        given.for_each(|given| search.expression(&module, given));
    }
    for output in plan.outputs.iter().filter(|output| output.action != OutputAction::NoOp) {
        if let Some(block) = configuration.outputs.get(&output.name) {
            search.expression(&ModulePath::ROOT, &block.value);
        }
    }
    search.found
}

/// The expression that a name stands for, with its module. `None` for what comes from outside.
fn behind<'a>(
    root: &'a Configuration,
    module: &ModulePath,
    reference: &Reference,
) -> Option<(ModulePath, &'a Expression)> {
    match reference {
        Reference::Local(name) => {
            let local = root.module(module)?.locals.get(name)?;
            Some((module.clone(), &local.expression))
        }
        Reference::Variable(name) => {
            let call = root.module_block(module)?;
            let (outer, _) = module.parent()?;
            Some((outer, &call.inputs.argument(name)?.value))
        }
        _ => None,
    }
}

struct Search<'a> {
    root: &'a Configuration,
    seen: BTreeSet<(ModulePath, Reference)>,
    /// What is found already: objects as they are written here, with the steps to an attribute.
    told: BTreeSet<(String, Vec<TraversalStep>)>,
    found: Vec<Json>,
}

impl Search<'_> {
    fn body(&mut self, module: &ModulePath, body: &Body) {
        for argument in body.arguments() {
            self.expression(module, &argument.value);
        }
        body.blocks().for_each(|nested| self.body(module, &nested.body));
    }

    fn expression(&mut self, module: &ModulePath, expression: &Expression) {
        for traversal in expression.traversals() {
            match &traversal.reference {
                Reference::Object(address) if address.kind != AddressKind::Data || !traversal.steps.is_empty() => {
                    self.object(module, &traversal);
                }
                reference @ (Reference::Local(_) | Reference::Variable(_)) => {
                    if self.seen.insert((module.clone(), reference.clone()))
                        && let Some((module, expression)) = behind(self.root, module, reference)
                    {
                        self.expression(&module, expression);
                    }
                }
                Reference::Module(name) => self.module(module, name, &traversal.steps),
                _ => {}
            }
        }
    }

    /// Follows one output of a module, or all of them where it is not written out which.
    fn module(&mut self, module: &ModulePath, name: &str, steps: &[TraversalStep]) {
        let (key, rest) = match steps {
            [TraversalStep::Index(key), rest @ ..] => (Some(key.clone()), rest),
            steps => (None, steps),
        };
        let (inside, only) = match rest {
            [TraversalStep::Attribute(output), ..] => (module.child(name, key), Some(output)),
            _ => (module.child(name, None), None),
        };
        let outputs = self.root.module(&inside).into_iter().flat_map(|inside| inside.outputs.values());
        for output in outputs.filter(|output| only.is_none_or(|only| *only == output.name)) {
            // In the module itself its output is no reference: nothing else is written down under this.
            let of_instances = false;
            let seen = Reference::ModuleOutput { module: String::new(), output: output.name.clone(), of_instances };
            if self.seen.insert((inside.clone(), seen)) {
                self.expression(&inside, &output.value);
            }
        }
    }

    fn object(&mut self, module: &ModulePath, traversal: &Traversal) {
        let mut resource = match module.is_root() {
            true => traversal.reference.to_string(),
            false => format!("{module}.{}", traversal.reference),
        };
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
        if self.told.insert((resource.clone(), steps.to_vec())) {
            self.found.push(json!({ "resource": resource, "attribute": steps.iter().map(step).collect::<Vec<_>>() }));
        }
    }
}
