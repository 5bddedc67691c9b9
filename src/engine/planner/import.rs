//! `import` blocks: existing objects that are taken over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pipectl_core::{
    Address, AddressKind, Diagnostic, Diagnostics, InstanceKey, Kind, ModulePath, Span, Type, Value, convert,
};
use pipectl_lang::{Configuration, Expression, ImportBlock, Scope, evaluate};
use pipectl_provider::{Instance, ReadOutcome, Resource};
use pipectl_state::{Change, State};

use super::refresh::{Observations, Prior};
use super::{evaluate_constants, reading};
use crate::Engine;
use crate::expansion::Expansion;
use crate::graph::{Graph, ModuleId};
use crate::instance::{Keeping, mark_by_schema, object_of};
use crate::selection::Selection;
use crate::values::Values;

/// What importing works with.
pub(super) struct Imports<'a> {
    pub(super) engine: &'a Engine,
    pub(super) configuration: &'a Configuration,
    pub(super) graph: &'a Graph,
    pub(super) selection: &'a Selection,
}

/// One object that is wanted.
struct Wanted {
    address: Address,
    id: String,
    span: Span,
}

impl Imports<'_> {
    /// Takes over what `import` blocks name and the state does not have: writes it down as observed. Gives the ids by address.
    ///
    /// # Errors
    /// When a block is no good, or there is no such object.
    pub(super) async fn take(
        &self,
        variables: &BTreeMap<String, Value>,
        state: &State,
        observations: &mut Observations,
    ) -> Result<BTreeMap<Address, String>, Diagnostics> {
        if self.configuration.imports.is_empty() {
            return Ok(BTreeMap::new());
        }
        let values = evaluate_constants(self.engine, self.configuration, variables, self.graph);
        let mut problems = Diagnostics::new();
        let mut wanted: Vec<Wanted> = Vec::new();
        let mut seen = BTreeSet::new();
        for block in &self.configuration.imports {
            match self.wanted(block, &values) {
                Ok(found) => wanted.extend(found),
                Err(found) => problems.extend(found),
            }
        }
        for Wanted { address, span, .. } in &wanted {
            if !seen.insert(address.clone()) {
                let detail = format!("More than one import block names {address}.");
                problems.push(Diagnostic::error("Duplicate import configuration", detail).at(span.clone()));
            }
        }
        if problems.has_errors() {
            return Err(problems);
        }
        let needed = self.graph.objects_needed();
        let mut importing = BTreeMap::new();
        for Wanted { address, id, span } in wanted {
            let is_known = state.object(&address).is_some() || observations.priors.contains_key(&address);
            if is_known || !self.selection.has(&address) {
                continue;
            }
            match self.import(&address, &id).await {
                Ok((kind, instance)) => {
                    let keeping = self.keeping(&address, &needed);
                    let object = object_of(kind.schema(), &instance, keeping)
                        .ok_or_else(|| not_there(&address, &id).at(span.clone()))?;
                    observations.changes.push(Change::SetObject { address: address.clone(), object });
                    let prior = Prior { instance, tainted: false, drift: Vec::new() };
                    observations.priors.insert(address.clone(), prior);
                    importing.insert(address, id);
                }
                Err(found) => problems.extend(found.into_iter().map(|problem| problem.or_at(Some(&span)))),
            }
        }
        if problems.has_errors() { Err(problems) } else { Ok(importing) }
    }

    /// The objects that a block names.
    fn wanted(&self, block: &ImportBlock, values: &Values) -> Result<Vec<Wanted>, Diagnostics> {
        if self.configuration.object(&block.to.declaration).is_none() {
            let detail = format!(
                "There is no {} in the configuration. Whatever is imported must be declared.",
                block.to.declaration
            );
            let problem = Diagnostic::error("Configuration for import target does not exist", detail);
            return Err(problem.at(block.to.span.clone()).into());
        }
        let scope = Arc::new(self.scope(block, values)?);
        let expansion = Expansion::evaluate(None, None, block.for_each.as_ref(), &scope)?;
        let each = |key: Option<InstanceKey>| {
            let scope = expansion.scope(&scope, key.as_ref());
            Ok(Wanted { address: target(block, &scope)?, id: id(block, &scope)?, span: block.span.clone() })
        };
        expansion.keys().into_iter().map(each).collect()
    }

    /// A scope with everything that a block refers to: what is known without any object.
    fn scope(&self, block: &ImportBlock, values: &Values) -> Result<Scope, Diagnostics> {
        let keys = block.to.module_keys.iter().chain([&block.to.key]).flatten();
        let expressions: Vec<&Expression> = block.for_each.iter().chain([&block.id]).chain(keys).collect();
        let mut scope = values.empty_scope(ModuleId::ROOT);
        for (reference, span) in expressions.into_iter().flat_map(Expression::references) {
            let Some(node) = self.graph.resolve(ModuleId::ROOT, &reference) else { continue };
            match values.get(node, 0) {
                Some(value) => scope.set(&reference, value.clone()),
                None => {
                    let detail = format!(
                        "Import blocks are evaluated before any object is planned, and {reference} depends on objects. Make it depend on variables \
                         and locals only."
                    );
                    return Err(Diagnostic::error("Invalid import argument", detail).at(span).into());
                }
            }
        }
        Ok(scope)
    }

    /// What the state keeps beside the attributes: an imported object must outlive what its block refers to, like one that was made.
    fn keeping(&self, address: &Address, needed: &[Arc<BTreeSet<Address>>]) -> Keeping {
        let declaration = address.declaration();
        let own = self.graph.find_object(address).map(|node| Arc::clone(&needed[node.index()])).unwrap_or_default();
        let is_kept = |other: &&Address| **other != declaration && other.kind != AddressKind::Data;
        let block = self.configuration.object(address);
        Keeping {
            dependencies: own.iter().filter(is_kept).cloned().collect(),
            tainted: false,
            create_before_destroy: block.is_some_and(|block| block.meta.lifecycle.create_before_destroy),
        }
    }

    /// Asks the kind of an object for it, and reads it.
    async fn import(&self, address: &Address, id: &str) -> Result<(Arc<dyn Resource>, Instance), Diagnostics> {
        let kind = self.engine.registry.resource(address.kind, &address.type_name);
        // Kinds were judged before.
        let kind = Arc::clone(kind.ok_or_else(Diagnostics::new)?);
        let cx = reading(self.engine, address, String::new());
        let about = |problems: Diagnostics| -> Diagnostics {
            problems
                .into_iter()
                .map(|problem| if problem.address.is_none() { problem.about(address) } else { problem })
                .collect()
        };
        let imported = kind.import(&cx, id).await.map_err(about)?.ok_or_else(|| not_there(address, id))?;
        match kind.read(&cx, &imported).await.map_err(about)? {
            ReadOutcome::Gone => Err(not_there(address, id).into()),
            ReadOutcome::Present { instance, .. } => {
                let attributes = mark_by_schema(kind.schema(), instance.attributes.clone());
                Ok((kind, Instance { attributes, ..*instance }))
            }
        }
    }
}

fn not_there(address: &Address, id: &str) -> Diagnostic {
    let detail = format!("There is no object with the id {id:?} that {address} could be.");
    Diagnostic::error("Cannot import non-existent remote object", detail).about(address)
}

/// The address of a block, with its keys evaluated.
fn target(block: &ImportBlock, scope: &Scope) -> Result<Address, Diagnostics> {
    let declared = &block.to.declaration;
    let mut module = ModulePath::ROOT;
    for (step, written) in declared.module.steps().iter().zip(&block.to.module_keys) {
        module = module.child(&step.name, key(written.as_ref(), scope)?);
    }
    Ok(declared.in_module(&module).with_key(key(block.to.key.as_ref(), scope)?))
}

fn key(written: Option<&Expression>, scope: &Scope) -> Result<Option<InstanceKey>, Diagnostics> {
    let Some(written) = written else { return Ok(None) };
    let value = evaluate(written, scope)?;
    let key = match value.kind() {
        Kind::String(name) => Some(InstanceKey::Name(name.to_string())),
        Kind::Number(number) => number.to_u64().map(InstanceKey::Index),
        _ => None,
    };
    let detail = "The key of an instance is a string, or a whole number from 0.";
    let invalid = || Diagnostics::from(Diagnostic::error("Invalid import address", detail).at(written.span()));
    key.map(Some).ok_or_else(invalid)
}

fn id(block: &ImportBlock, scope: &Scope) -> Result<String, Diagnostics> {
    let value = evaluate(&block.id, scope)?;
    let invalid =
        |detail: &str| Diagnostics::from(Diagnostic::error("Invalid import id argument", detail).at(block.id.span()));
    if value.is_sensitive() {
        return Err(invalid("The import ID is sensitive, and plans show it."));
    }
    let value = convert::convert(&value, &Type::String)
        .map_err(|error| invalid(&format!("The import ID is no string: {error}.")))?;
    match value.kind() {
        Kind::String(text) if text.is_empty() => {
            Err(invalid("The import ID value evaluates to an empty string, please provide a non-empty value."))
        }
        Kind::String(text) => Ok(text.to_string()),
        Kind::Null(_) => Err(invalid("The import ID cannot be null.")),
        _ => Err(invalid("The import ID is known only after apply.")),
    }
}
