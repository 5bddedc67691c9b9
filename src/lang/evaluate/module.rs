//! What `module.*` stands for: single outputs where the scope has them one by one, else the module as a whole.

use pipectl_core::{Diagnostic, Value};

use crate::evaluate::access;
use crate::expression::{Step, Traversal};
use crate::reference::Reference;
use crate::scope::Scope;

/// The value at the start of a traversal whose root is `module`, and how many steps belong to it. Nothing when the scope has no such module.
///
/// A scope holds an output by itself ([`Reference::ModuleOutput`]), so that what refers to one output of many instances does not pay for all of
/// them; or it holds the whole module ([`Reference::Module`]), which is null where the module is not enabled.
pub(super) fn value(scope: &Scope, root: &str, traversal: &Traversal) -> Option<Result<(Value, usize), Diagnostic>> {
    let [Step::Attribute { name: module, .. }, ..] = traversal.steps.as_slice() else { return None };
    if root != "module" {
        return None;
    }
    let output = |output: &str, of_instances: bool| {
        scope.get(&Reference::ModuleOutput { module: module.clone(), output: output.to_owned(), of_instances })
    };
    if let Some((_, name, key, span)) = traversal.output_of_instance()
        && let Some(instances) = output(name, true)
    {
        return Some(access::index(instances, key).map(|value| (value, 3)).map_err(|diagnostic| diagnostic.at(span)));
    }
    if let [_, Step::Attribute { name, .. }, ..] = traversal.steps.as_slice()
        && let Some(value) = output(name, false)
    {
        return Some(Ok((value.clone(), 2)));
    }
    scope.get(&Reference::Module(module.clone())).map(|value| Ok((value.clone(), 1)))
}
