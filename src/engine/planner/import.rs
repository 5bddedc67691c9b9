//! `import` blocks: existing objects that are taken over when the block that they name is planned.
//!
//! By then everything that an `import` block refers to has been planned: the graph has it among what the named block needs. So an id may come
//! from anything that is known at plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pipectl_core::{
    Address, Diagnostic, Diagnostics, InstanceKey, Kind, Marks, ModulePath, Span, Type, Value, convert,
};
use pipectl_lang::{Configuration, Expression, ImportBlock, ProviderExpression, Reference, Scope, evaluate};
use pipectl_provider::Registry;
use pipectl_state::Change;

use super::Run;
use super::refresh::Prior;
use crate::Engine;
use crate::expansion::Expansion;
use crate::graph::ModuleId;
use crate::import::{take_over, taken};
use crate::instance::Keeping;
use crate::providers::Bound;
use crate::providers::locate::remembered;

/// An object that was taken over.
#[derive(Clone)]
pub(super) struct Imported {
    pub(super) id: String,
    pub(super) prior: Prior,
    /// What takes it into the state.
    pub(super) change: Change,
}

/// One object that is wanted.
struct Wanted {
    address: Address,
    id: String,
    span: Span,
}

/// Errors for `import` blocks that name what no block declares, and for those that are wrong in themselves.
pub(super) fn check(engine: &Engine, configuration: &Configuration) -> Diagnostics {
    let problem = |block: &ImportBlock| {
        let declaration = &block.to.declaration;
        if configuration.object(declaration).is_none() {
            let detail =
                format!("There is no {declaration} in the configuration. Whatever is imported must be declared.");
            let problem = Diagnostic::error("Configuration for import target does not exist", detail);
            let problem = problem.at(block.to.span.clone());
            let can_be_written = block.for_each.is_none() && block.to.key.is_none() && declaration.module.is_root();
            return Some(match (can_be_written, &configuration.pipeline) {
                (true, None) => {
                    let folder = &engine.folders.in_commands;
                    let within = if folder.is_empty() { String::new() } else { format!("{folder}/") };
                    problem.hint(engine.folders.command("plan", &format!("-generate-config-out={within}generated.tf")))
                }
                // All of a pipeline stands in one file: no second one could join it.
                (true, Some(_)) => problem.hint(beginning(&engine.registry, declaration)),
                (false, _) => problem,
            });
        }
        None
    };
    let mut problems: Diagnostics = configuration.imports.iter().filter_map(problem).collect();
    problems.extend(mistakes(configuration));
    problems
}

/// Errors for `import` blocks that name an instance which their block cannot have, for several that name the same, and for ids that are none or come
/// from what they take over.
pub(crate) fn mistakes(configuration: &Configuration) -> Diagnostics {
    let mut named = BTreeSet::new();
    let problem = |block: &ImportBlock| {
        let declaration = &block.to.declaration;
        configuration.object(declaration)?;
        if let Some(problem) = misfit(configuration, block) {
            return Some(problem);
        }
        if let Some(address) = fixed_target(block)
            && !named.insert(address.clone())
        {
            return Some(duplicate(&address).at(block.span.clone()));
        }
        if block.id.references().is_empty()
            && let Ok(id) = evaluate(&block.id, &Scope::constant())
            && let Err(detail) = id_text(&id)
        {
            return Some(Diagnostic::error("Invalid import id argument", detail).at(block.id.span()));
        }
        let (_, span) = block.references().into_iter().find(|(reference, _)| block.to.is_meant(reference))?;
        let detail = format!("The import ID cannot refer to {declaration} itself, which is what is being imported.");
        Some(Diagnostic::error("Invalid import id argument", detail).at(span))
    };
    configuration.imports.iter().filter_map(problem).collect()
}

/// A block that declares an object, as far as it can be told without looking at it: with what must be given.
fn beginning(registry: &Registry, declaration: &Address) -> String {
    let kind = registry.resource(declaration.kind, &declaration.type_name);
    let required = kind.iter().flat_map(|kind| &kind.schema().attributes).filter(|(_, attribute)| attribute.required);
    let names: Vec<&str> = required.map(|(name, _)| name.as_str()).collect();
    let header = format!("resource \"{}\" \"{}\"", declaration.type_name, declaration.name);
    match names.as_slice() {
        [] => format!("{header} {{}}"),
        [name] => format!("{header} {{ {name} = ... }}"),
        several => format!("{header} {{ ... }}, with values for {}", several.join(", ")),
    }
}

/// Whether both name one provider configuration, and without a key or a condition.
fn is_same_configuration(one: &ProviderExpression, other: &ProviderExpression) -> bool {
    match (one, other) {
        (ProviderExpression::Reference(one), ProviderExpression::Reference(other)) => {
            (&one.name, &one.alias) == (&other.name, &other.alias) && one.key.is_none() && other.key.is_none()
        }
        (ProviderExpression::Reference(_) | ProviderExpression::Conditional { .. }, _) => false,
    }
}

/// An error for an `import` block that does not fit the block which it names.
fn misfit(configuration: &Configuration, block: &ImportBlock) -> Option<Diagnostic> {
    let declaration = &block.to.declaration;
    let meta = &configuration.object(declaration)?.meta;
    let detail = match (&block.to.key, &meta.count, &meta.for_each) {
        (None, Some(_), _) => format!("{declaration} has count, so the address needs the number of an instance."),
        (None, None, Some(_)) => format!("{declaration} has for_each, so the address needs the key of an instance."),
        (Some(_), None, None) => format!("{declaration} has neither count nor for_each, so the address has no key."),
        _ => {
            let detail = format!(
                "The provider argument is for what is still to be written with -generate-config-out, and {declaration} is declared. Its own block \
                 says which provider configuration it has."
            );
            let problem = Diagnostic::error("Invalid import provider argument", detail);
            let given = block.provider.as_ref()?;
            let is_same = meta.provider.as_ref().is_some_and(|own| is_same_configuration(own, given));
            return (!is_same).then(|| problem.at(given.span()));
        }
    };
    Some(Diagnostic::error("Invalid import 'to' expression", detail).at(block.to.span.clone()))
}

/// The one address that a block names, where it is written out.
fn fixed_target(block: &ImportBlock) -> Option<Address> {
    if block.for_each.is_some() {
        return None;
    }
    target(block, &Scope::constant()).ok()
}

fn duplicate(address: &Address) -> Diagnostic {
    Diagnostic::error("Duplicate import configuration", format!("More than one import block names {address}."))
}

/// The `import` blocks by the block that they name, as places in [`Configuration::imports`].
pub(super) fn by_block(configuration: &Configuration) -> BTreeMap<Address, Vec<usize>> {
    let mut found: BTreeMap<Address, Vec<usize>> = BTreeMap::new();
    for (index, block) in configuration.imports.iter().enumerate() {
        found.entry(block.to.declaration.clone()).or_default().push(index);
    }
    found
}

/// Takes over what `import` blocks want for a block and the state does not have. `instances` are those that the block has, with the
/// scopes of their expressions.
///
/// # Errors
/// When an `import` block is no good, or there is no such object.
pub(super) async fn take(
    run: &Run,
    declaration: &Address,
    instances: &BTreeMap<&Address, &Arc<Scope>>,
) -> Result<BTreeMap<Address, Imported>, Diagnostics> {
    let blocks = run.imports.get(declaration).into_iter().flatten().map(|index| &run.configuration.imports[*index]);
    let mut imported = BTreeMap::new();
    let mut problems = Diagnostics::new();
    let mut seen = BTreeSet::new();
    for block in blocks {
        let wanted = match wanted(run, block) {
            Ok(wanted) => wanted,
            Err(found) => {
                problems.extend(found);
                continue;
            }
        };
        for Wanted { address, id, span } in wanted {
            if !seen.insert(address.clone()) {
                problems.push(duplicate(&address).at(span));
                continue;
            }
            let is_known = run.observations.priors.contains_key(&address) || run.observations.gone.contains(&address);
            if is_known || !run.selection.has(&address) {
                continue;
            }
            let Some(scope) = instances.get(&address) else {
                let detail = format!("There is no object {address} in the configuration to import into.");
                let problem = Diagnostic::error("Configuration for import target does not exist", detail);
                problems.push(problem.at(span).about(&address));
                continue;
            };
            match import(run, &address, scope, id).await {
                Ok(taken) => drop(imported.insert(address, taken)),
                Err(found) => problems.extend(found.into_iter().map(|problem| problem.or_at(Some(&span)))),
            }
        }
    }
    if problems.has_errors() { Err(problems) } else { Ok(imported) }
}

async fn import(run: &Run, address: &Address, scope: &Scope, id: String) -> Result<Imported, Diagnostics> {
    let block = run.configuration.object(address).expect("an import block that names no block was refused");
    let unknown = |why: String| {
        let detail =
            format!("{address} cannot be imported: {why}. Apply what it is configured from first, with -target.");
        Diagnostics::from(Diagnostic::error("Provider configuration not known", detail).about(address))
    };
    let choice = match run.choice(address, block, scope)? {
        Bound::Ready(choice) => choice,
        Bound::NotYet(why) => return Err(unknown(why)),
    };
    let kind = match run.providers.resource(address, choice.as_ref()).await? {
        Bound::Ready(kind) => kind,
        Bound::NotYet(why) => return Err(unknown(why)),
    };
    let instance = take_over(&run.engine, &kind, address, &id).await?;
    let provider = choice.and_then(|choice| remembered(&choice, address));
    let keeping = Keeping::of(&run.configuration, &run.graph, &run.needed, address, provider);
    let object = taken(kind.as_ref(), address, &instance, &run.secrets, keeping)?;
    let secrets = object.secrets.clone();
    let change = Change::SetObject { address: address.clone(), object };
    Ok(Imported { id, prior: Prior { instance, tainted: false, secrets, drift: Vec::new() }, change })
}

/// The objects that a block names.
fn wanted(run: &Run, block: &ImportBlock) -> Result<Vec<Wanted>, Diagnostics> {
    let scope = Arc::new(scope(run, block));
    let one =
        |scope: &Scope| Ok(Wanted { address: target(block, scope)?, id: id(block, scope)?, span: block.span.clone() });
    if let Some(for_each) = &block.for_each
        && let Some(elements) = elements_of(&evaluate(for_each, &scope)?)
    {
        let each = |(index, element): (usize, Value)| {
            let key = Value::from(i64::try_from(index).unwrap_or(i64::MAX));
            let mut inside = Scope::inside(&scope);
            inside.set(&Reference::Each, Value::object([("key", key), ("value", element)]));
            one(&inside)
        };
        return elements.into_iter().enumerate().map(each).collect();
    }
    let expansion = Expansion::evaluate(None, None, block.for_each.as_ref(), &scope)?;
    expansion.keys().into_iter().map(|key| one(&expansion.scope(&scope, key.as_ref()))).collect()
}

/// What the `for_each` of an `import` block may be besides that of any other block: a list, and null, which wants nothing.
fn elements_of(value: &Value) -> Option<Vec<Value>> {
    if value.marks() != Marks::NONE {
        return None;
    }
    match value.kind() {
        Kind::List(..) | Kind::Tuple(_) => value.as_slice().map(<[Value]>::to_vec),
        Kind::Null(_) => Some(Vec::new()),
        _ => None,
    }
}

/// A scope with everything that a block refers to. What was left out of the plan is not known.
fn scope(run: &Run, block: &ImportBlock) -> Scope {
    let mut scope = run.values.empty_scope(ModuleId::ROOT);
    for (reference, _) in block.references() {
        run.values.bind(&run.graph, ModuleId::ROOT, 0, &reference, &mut scope);
    }
    scope
}

/// What the address of an import is called that names no instance.
const MISTAKE: &str = "Invalid import address";

/// The address of a block, with its keys evaluated.
fn target(block: &ImportBlock, scope: &Scope) -> Result<Address, Diagnostics> {
    let declared = &block.to.declaration;
    let mut module = ModulePath::ROOT;
    for (step, written) in declared.module.steps().iter().zip(&block.to.module_keys) {
        module = module.child(&step.name, key(written.as_ref(), scope, MISTAKE)?);
    }
    Ok(declared.in_module(&module).with_key(key(block.to.key.as_ref(), scope, MISTAKE)?))
}

/// The key of an instance that an expression gives. `mistake` is what it is called when it gives none.
pub(super) fn key(
    written: Option<&Expression>,
    scope: &Scope,
    mistake: &str,
) -> Result<Option<InstanceKey>, Diagnostics> {
    let Some(written) = written else { return Ok(None) };
    let value = evaluate(written, scope)?;
    let key = match value.kind() {
        Kind::String(name) => Some(InstanceKey::Name(name.to_string())),
        Kind::Number(number) => number.to_u64().map(InstanceKey::Index),
        _ => None,
    };
    let detail = "The key of an instance is a string, or a whole number from 0.";
    let invalid = || Diagnostics::from(Diagnostic::error(mistake, detail).at(written.span()));
    key.map(Some).ok_or_else(invalid)
}

fn id(block: &ImportBlock, scope: &Scope) -> Result<String, Diagnostics> {
    let value = evaluate(&block.id, scope)?;
    let invalid =
        |detail: &str| Diagnostics::from(Diagnostic::error("Invalid import id argument", detail).at(block.id.span()));
    if value.is_sensitive() {
        return Err(invalid("The import ID is sensitive, and plans show it."));
    }
    if value.marks().contains(Marks::EPHEMERAL) {
        return Err(invalid("The import ID is ephemeral, and plans keep it."));
    }
    id_text(&value).map_err(|detail| invalid(&detail))
}

/// The id that a value is, or what is wrong with it.
fn id_text(value: &Value) -> Result<String, String> {
    let value =
        convert::convert(value, &Type::String).map_err(|error| format!("The import ID is no string: {error}."))?;
    match value.kind() {
        Kind::String(text) if text.is_empty() => {
            Err("The import ID value evaluates to an empty string, please provide a non-empty value.".to_owned())
        }
        Kind::String(text) => Ok(text.to_string()),
        Kind::Null(_) => Err("The import ID cannot be null.".to_owned()),
        _ => Err("The import ID is known only after apply.".to_owned()),
    }
}
