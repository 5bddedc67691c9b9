//! From a block to the configuration that serves it: by Terraform's rules, through modules, as far as the files alone tell, and then for one instance.
//!
//! * A type's provider is what its name begins with, up to the first underscore, unless the block has a `provider` argument.
//! * In a module, a name means what the `providers` argument of the `module` block passes for it; else the module's own block; else, for a default
//!   configuration, what it means in the module around. In the root module a default configuration that nobody declares is empty.

use petgraph::graph::NodeIndex;
use pipectl_core::{
    Address, AddressKind, Diagnostic, Diagnostics, InstanceKey, Kind, Marks, ModulePath, ProviderAddress,
    ProviderSource, Span, Type, Value, convert, implied_name,
};
use pipectl_lang::{
    Configuration, Expression, ModuleBlock, ObjectBlock, ProviderExpression, ProviderReference, Scope, evaluate,
};
use pipectl_provider::Registry;

use crate::graph::{Graph, ModuleId, Node};
use crate::values::Values;

/// What a name of a module means, as far as the files tell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Site {
    /// A `provider` block: of the module at a path, by its key in [`Configuration::providers`].
    Block(ModulePath, String),
    /// The default configuration of a provider, which nobody declares.
    Implicit(ProviderSource),
}

/// The provider of an object: what the block says, or what its type implies.
pub(crate) fn source_of(
    own: &Configuration,
    address: &Address,
    written: Option<&ProviderExpression>,
) -> ProviderSource {
    let name = written.and_then(|written| written.choices().first().map(|choice| choice.name.as_str()));
    own.provider_source(name.unwrap_or_else(|| implied_name(&address.type_name)))
}

/// Whether it matters which provider configuration serves a block: whether there is a choice, or anything to configure. `configures`: whether
/// anything in the files says something of providers.
pub(crate) fn is_served(
    registry: &Registry,
    root: &Configuration,
    configures: bool,
    address: &Address,
    block: &ObjectBlock,
) -> bool {
    if address.kind == AddressKind::Stage {
        return false;
    }
    // In a module, another configuration may have been passed, and the state remembers that.
    if block.meta.provider.is_some() || configures && !address.module.is_root() {
        return true;
    }
    if !registry.is_configurable() {
        return false;
    }
    let is_configurable =
        |source: ProviderSource| registry.provider(&source).is_some_and(|found| found.is_configurable());
    root.module(&address.module).is_some_and(|own| is_configurable(source_of(own, address, None)))
}

/// What the state remembers of a choice: nothing of the default configuration of the provider that the type implies.
pub(crate) fn remembered(choice: &Choice, address: &Address) -> Option<ProviderAddress> {
    (!choice.address.is_implied_by(&address.type_name)).then(|| choice.address.clone())
}

/// The configuration that the state remembers for an object; where it remembers none, the default one of the provider that the type implies.
pub(crate) fn made_with(
    root: &Configuration,
    address: &Address,
    recorded: Option<&ProviderAddress>,
) -> ProviderAddress {
    recorded.cloned().unwrap_or_else(|| {
        let name = implied_name(&address.type_name);
        let own = root.module(&address.module);
        let source = own.map_or_else(|| ProviderSource::implied(name), |own| own.provider_source(name));
        ProviderAddress::default_of(source)
    })
}

/// What the `providers` argument of a `module` block passes for a configuration that the module inside knows by `source` and `alias`.
pub(crate) fn passed<'a>(
    call: &'a ModuleBlock,
    inside: &Configuration,
    source: &ProviderSource,
    alias: Option<&str>,
) -> Option<&'a ProviderExpression> {
    let is_meant =
        |name: &ProviderReference| name.alias.as_deref() == alias && inside.provider_source(&name.name) == *source;
    call.providers.iter().find(|(name, _)| is_meant(name)).map(|(_, passed)| passed)
}

/// Everything that a name of the module at `path` may mean; names that mean nothing are handed to `missing` with the module they are missing in.
pub(crate) fn sites(
    root: &Configuration,
    path: &ModulePath,
    source: &ProviderSource,
    alias: Option<&str>,
    found: &mut Vec<Site>,
    missing: &mut dyn FnMut(&ModulePath, &ProviderSource, &str),
) {
    let Some(own) = root.module(path) else { return };
    let outer = path.parent().map(|(outer, _)| outer);
    if let (Some(outer), Some(call)) = (&outer, root.module_block(path))
        && let Some(passed) = passed(call, own, source, alias)
        && let Some(around) = root.module(outer)
    {
        for choice in passed.choices() {
            let source = around.provider_source(&choice.name);
            sites(root, outer, &source, choice.alias.as_deref(), found, missing);
        }
        return;
    }
    let site = match (own.provider_block(source, alias), outer, alias) {
        (Some((key, _)), _, _) => Site::Block(path.clone(), key.to_owned()),
        (None, Some(outer), None) => return sites(root, &outer, source, None, found, missing),
        (None, None, None) => Site::Implicit(source.clone()),
        (None, _, Some(alias)) => return missing(path, source, alias),
    };
    if !found.contains(&site) {
        found.push(site);
    }
}

/// Every configuration that may serve a block of the module at `path`.
pub(crate) fn sites_of(
    root: &Configuration,
    path: &ModulePath,
    address: &Address,
    written: Option<&ProviderExpression>,
) -> Vec<Site> {
    let mut found = Vec::new();
    let Some(own) = root.module(path).filter(|_| address.kind != AddressKind::Stage) else { return found };
    match written {
        None => sites(root, path, &source_of(own, address, None), None, &mut found, &mut |_, _, _| {}),
        Some(written) => {
            for choice in written.choices() {
                let source = own.provider_source(&choice.name);
                sites(root, path, &source, choice.alias.as_deref(), &mut found, &mut |_, _, _| {});
            }
        }
    }
    found
}

/// The configuration that serves one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Its block's node; `None` where nobody declares it.
    pub(crate) node: Option<NodeIndex>,
    /// Its address: what the state remembers.
    pub(crate) address: ProviderAddress,
}

/// Finds the configuration of one object, where keys and conditions have values.
#[derive(Clone, Copy)]
pub(crate) struct Chooser<'a> {
    pub(crate) configuration: &'a Configuration,
    pub(crate) graph: &'a Graph,
    pub(crate) values: &'a Values,
}

/// Which of the configurations of a name.
struct Named<'a> {
    reference: &'a ProviderReference,
    key: Option<InstanceKey>,
}

impl Chooser<'_> {
    /// The configuration that serves an object, whose expressions are evaluated in `scope`; `None` while that is not known.
    ///
    /// # Errors
    /// When a key or a condition is no good. Names were checked before.
    pub(crate) fn choose(
        &self,
        address: &Address,
        written: Option<&ProviderExpression>,
        scope: &Scope,
    ) -> Result<Option<Choice>, Diagnostics> {
        let module = self.graph.find_module(&address.module).ok_or_else(Diagnostics::new)?;
        let Some(instance) = self.values.instances(module).and_then(|found| found.find(&address.module)) else {
            return Ok(None);
        };
        let own = self.configuration.module(&address.module).ok_or_else(Diagnostics::new)?;
        match written {
            None => self.locate(module, instance, &source_of(own, address, None), None, None),
            Some(written) => {
                let Some(named) = settle(written, scope)? else { return Ok(None) };
                let source = own.provider_source(&named.reference.name);
                self.locate(module, instance, &source, Some(named.reference), named.key)
            }
        }
    }

    /// What a name means in an instance of a module.
    fn locate(
        &self,
        module: ModuleId,
        instance: usize,
        source: &ProviderSource,
        reference: Option<&ProviderReference>,
        key: Option<InstanceKey>,
    ) -> Result<Option<Choice>, Diagnostics> {
        let alias = reference.and_then(|reference| reference.alias.as_deref());
        let inside = self.graph.module(module);
        let own = self.configuration.module(&inside.path).ok_or_else(Diagnostics::new)?;
        let Some(instances) = self.values.instances(module) else { return Ok(None) };
        if let Some((around, name)) = &inside.parent {
            let outer = self.configuration.module(&self.graph.module(*around).path).ok_or_else(Diagnostics::new)?;
            let call = outer.modules.get(name).ok_or_else(Diagnostics::new)?;
            let position = instances.outer(instance);
            if let Some(passed) = passed(call, own, source, alias) {
                if let (Some(_), Some(reference)) = (key, reference) {
                    return Err(not_keyed(reference).into());
                }
                let node = self.graph.find(*around, &Node::Call(name.clone())).ok_or_else(Diagnostics::new)?;
                let scope = std::sync::Arc::new(self.values.scope(self.graph, node, position));
                let scope = instances.input_scope(instance, &scope);
                let Some(named) = settle(passed, &scope)? else { return Ok(None) };
                let source = outer.provider_source(&named.reference.name);
                return self.locate(*around, position, &source, Some(named.reference), named.key);
            }
            if own.provider_block(source, alias).is_none() && alias.is_none() {
                return self.locate(*around, position, source, None, key);
            }
        }
        let Some((name, block)) = own.provider_block(source, alias) else {
            let address = ProviderAddress::default_of(source.clone());
            return Ok(Some(Choice { node: None, address }));
        };
        match (&key, &block.for_each, reference) {
            (None, Some(for_each), reference) => {
                let span = reference.map_or_else(|| for_each.span(), |reference| reference.span.clone());
                return Err(key_required(name, span).into());
            }
            (Some(_), None, Some(reference)) => return Err(not_keyed(reference).into()),
            _ => {}
        }
        let address = ProviderAddress {
            module: instances.path(instance).clone(),
            source: source.clone(),
            alias: block.alias.clone(),
            key,
        };
        Ok(Some(Choice { node: self.graph.find(module, &Node::Provider(name.to_owned())), address }))
    }

    /// The configuration at an address that the state remembers; `None` where the files have it no longer.
    pub(crate) fn recorded(&self, address: &ProviderAddress) -> Option<Choice> {
        let module = self.graph.find_module(&address.module)?;
        let own = self.configuration.module(&address.module)?;
        let node = match own.provider_block(&address.source, address.alias.as_deref()) {
            Some((_, block)) if block.for_each.is_some() != address.key.is_some() => return None,
            Some((name, _)) => self.graph.find(module, &Node::Provider(name.to_owned())),
            None if address.is_default() => None,
            None => return None,
        };
        Some(Choice { node, address: address.clone() })
    }
}

/// The error for a reference without a key to a configuration that has several instances.
pub(crate) fn key_required(name: &str, span: Span) -> Diagnostic {
    let detail = format!(
        "The provider configuration {name} has for_each, so that there are several of it: a reference to it tells which by a key."
    );
    let problem = Diagnostic::error("Provider configuration key required", detail).at(span);
    problem.hint(format!("provider = {name}[each.key]"))
}

/// The error for a reference with a key to a configuration that is a single one.
pub(crate) fn not_keyed(reference: &ProviderReference) -> Diagnostic {
    let name = match &reference.alias {
        Some(alias) => format!("{}.{alias}", reference.name),
        None => reference.name.clone(),
    };
    let detail = format!("The provider configuration {name} is a single one, without for_each: it has no instances.");
    Diagnostic::error("Invalid provider configuration reference", detail).at(reference.span.clone())
}

/// Evaluates conditions and keys; `None` while they are not known.
fn settle<'a>(written: &'a ProviderExpression, scope: &Scope) -> Result<Option<Named<'a>>, Diagnostics> {
    match written {
        ProviderExpression::Reference(reference) => {
            let key = match &reference.key {
                None => None,
                Some(expression) => match key_of(expression, scope)? {
                    Some(key) => Some(key),
                    None => return Ok(None),
                },
            };
            Ok(Some(Named { reference, key }))
        }
        ProviderExpression::Conditional { condition, accepted, rejected } => {
            let invalid = |detail: String| {
                Diagnostics::from(Diagnostic::error("Incorrect condition type", detail).at(condition.span()))
            };
            let value = convert::convert(&evaluate(condition, scope)?, &Type::Bool)
                .map_err(|error| invalid(format!("The condition must be true or false: {error}.")))?;
            match value.kind() {
                Kind::Bool(true) => settle(accepted, scope),
                Kind::Bool(false) => settle(rejected, scope),
                Kind::Unknown(_) => Ok(None),
                _ => Err(invalid("The condition is null. It must be true or false.".to_owned())),
            }
        }
    }
}

fn key_of(expression: &Expression, scope: &Scope) -> Result<Option<InstanceKey>, Diagnostics> {
    let value = evaluate(expression, scope)?;
    let invalid = |detail: &str| {
        Diagnostics::from(Diagnostic::error("Invalid provider instance key", detail).at(expression.span()))
    };
    if value.is_sensitive() {
        return Err(invalid("The key of a provider configuration is sensitive, and the state shows it."));
    }
    if value.marks().contains(Marks::EPHEMERAL) {
        return Err(invalid("The key of a provider configuration is ephemeral, and the state keeps it."));
    }
    match value.kind() {
        Kind::String(name) => Ok(Some(InstanceKey::Name(name.to_string()))),
        Kind::Number(_) => {
            text(&value).map(|name| Some(InstanceKey::Name(name))).ok_or_else(|| invalid("The key is no text."))
        }
        Kind::Unknown(_) => Ok(None),
        _ => Err(invalid("The key of a provider configuration is a string: one of the keys of its for_each.")),
    }
}

fn text(value: &Value) -> Option<String> {
    convert::convert(value, &Type::String).ok()?.as_str().map(str::to_owned)
}
