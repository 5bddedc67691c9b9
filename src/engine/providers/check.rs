//! What is wrong with the providers of a configuration whatever the values: references to what is not declared, providers that there are not, modules
//! that ask for what nobody passes. The rules and most of the words are Terraform's.

use pipectl_core::suggest::did_you_mean;
use pipectl_core::{Address, AddressKind, Diagnostic, Diagnostics, ModulePath, ProviderSource, Span, implied_name};
use pipectl_lang::{Configuration, ModuleBlock, ProviderReference};

use super::locate::{key_required, not_keyed, passed, sites};
use crate::Engine;

/// Checks all modules.
pub(crate) fn check(engine: &Engine, configuration: &Configuration) -> Diagnostics {
    let mut found = Diagnostics::new();
    for module in configuration.distinct_modules() {
        found.extend(unknown_providers(engine, module));
    }
    let says_nothing =
        |module: &&Configuration| module.required_providers.is_empty() && module.provider_meta.is_empty();
    if !configuration.configures_providers() && configuration.distinct_modules().iter().all(says_nothing) {
        return found;
    }
    let mut calls = Diagnostics::new();
    configuration.visit_modules(&mut |path, module| {
        calls.extend(module.modules.values().flat_map(|block| call(path, module, block)));
    });
    // What a module is not passed is told once, not with all that uses it.
    let through_modules = !calls.has_errors();
    found.extend(calls);
    configuration.visit_modules(&mut |path, module| {
        for (address, block) in &module.objects {
            found.extend(object(engine, configuration, (path, module), (address, &block.span), through_modules));
        }
    });
    let mut told = std::collections::BTreeSet::new();
    let is_new = |problem: &Diagnostic| {
        let place = problem.span.as_ref().map(|span| (span.source, span.range.start));
        told.insert((problem.summary.clone(), problem.detail.clone(), place))
    };
    found.into_iter().filter(is_new).collect()
}

/// `provider` blocks of providers that this program does not have.
fn unknown_providers(engine: &Engine, module: &Configuration) -> Diagnostics {
    let unknown =
        |block: &&pipectl_lang::ProviderBlock| engine.registry.provider(&module.provider_source(&block.name)).is_none();
    let problem = |block: &pipectl_lang::ProviderBlock| {
        let source = module.provider_source(&block.name);
        let names: Vec<&str> = engine.registry.providers().map(|provider| provider.name()).collect();
        let hint = did_you_mean(&block.name, names.iter().copied());
        let detail = format!(
            "There is no provider {source}: providers are part of pipectl, and nothing is downloaded.{hint} Known are: {}.",
            names.join(", ")
        );
        Diagnostic::error("Invalid provider", detail).at(block.span.clone())
    };
    module.providers.values().filter(unknown).map(problem).collect()
}

fn shown(path: &ModulePath) -> String {
    if path.is_root() { "the root module".to_owned() } else { path.to_string() }
}

fn full(name: &str, alias: Option<&str>) -> String {
    alias.map_or_else(|| name.to_owned(), |alias| format!("{name}.{alias}"))
}

/// What a `module` block passes, and what the module asks for.
fn call(path: &ModulePath, outer: &Configuration, block: &ModuleBlock) -> Diagnostics {
    let mut found = Diagnostics::new();
    let Some(inside) = &block.configuration else { return found };
    let module = path.child(&block.name, None);
    if let Some(span) = repeated(block).filter(|_| has_own(inside)) {
        let detail = format!(
            "The module at {module} contains its own provider configurations, and so calls to it may not use the count, for_each, or depends_on \
             arguments: an object of an instance that is no more would have no provider to remove it with. Let the module expect configurations \
             from its caller instead, by configuration_aliases, and pass them in the providers argument."
        );
        let problem = Diagnostic::error("Module is incompatible with count, for_each, and depends_on", detail);
        found.push(problem.at(span));
    }
    for (name, given) in &block.providers {
        let (local, alias) = (full(&name.name, name.alias.as_deref()), name.alias.as_deref());
        let source = inside.provider_source(&name.name);
        let required = inside.required_providers.get(&name.name);
        let is_declared = match alias {
            None => true,
            Some(alias) => required.is_some_and(|required| required.expects(Some(alias))),
        };
        if inside.provider_block(&source, alias).is_some() {
            let detail = format!(
                "The configuration of {module} has its own local configuration for {local}, and so it cannot accept an overridden configuration \
                 provided by {}.",
                shown(path)
            );
            found.push(Diagnostic::error("Cannot override provider configuration", detail).at(name.span.clone()));
        } else if !is_declared {
            let detail = format!(
                "The child module does not declare any provider requirement with the local name {local:?}. If you also control the child module, add \
                 {local} to the configuration_aliases of {:?} in its required_providers.",
                name.name
            );
            found.push(Diagnostic::error("Reference to undefined provider", detail).at(name.span.clone()));
        }
        for choice in given.choices() {
            let passed = outer.provider_source(&choice.name);
            if passed != source {
                let detail = format!(
                    "The local name {:?} in {} represents provider {passed:?}, but {local:?} in {module} represents {source:?}. Each provider has its \
                     own arguments and types, so {local:?} can be assigned only a configuration for {source}.",
                    full(&choice.name, choice.alias.as_deref()),
                    shown(path),
                    passed = passed.to_string(),
                    source = source.to_string(),
                );
                found.push(Diagnostic::error("Provider type mismatch", detail).at(choice.span.clone()));
            }
            found.extend(undeclared(outer, choice));
        }
    }
    for (name, required) in &inside.required_providers {
        for (alias, _) in &required.configuration_aliases {
            let alias = alias.as_deref();
            if passed(block, inside, &required.source, alias).is_none()
                && inside.provider_block(&required.source, alias).is_none()
            {
                let asked = full(name, alias);
                let detail = format!(
                    "The child module requires an additional configuration for provider {}, with the local name {asked:?}. Add an entry for \
                     it to the providers argument of the module block to choose which provider configuration the module should use for that purpose.",
                    required.source
                );
                let problem = Diagnostic::error("Missing required provider configuration", detail);
                let problem = problem.at(block.span.clone());
                found.push(problem.hint(format!("providers = {{ {asked} = {name} }}")));
            }
        }
    }
    found
}

/// Whether a module, or one inside, has configurations of its own.
fn has_own(module: &Configuration) -> bool {
    module.distinct_modules().iter().any(|module| module.providers.values().any(|block| !block.only_declares()))
}

/// Where a block says that there are several of the module, or that it waits.
fn repeated(block: &ModuleBlock) -> Option<Span> {
    let several = block.count.as_ref().or(block.for_each.as_ref()).map(pipectl_lang::Expression::span);
    several.or_else(|| block.depends_on.first().map(|dependency| dependency.span.clone()))
}

/// A configuration with an alias that the module neither declares nor expects, or that has instances where none are meant.
fn undeclared(module: &Configuration, choice: &ProviderReference) -> Option<Diagnostic> {
    let alias = choice.alias.as_deref()?;
    let source = module.provider_source(&choice.name);
    let expected = module.required_providers.get(&choice.name);
    let is_expected = expected.is_some_and(|required| required.expects(Some(alias)));
    match (module.provider_block(&source, Some(alias)), &choice.key) {
        (Some((name, block)), None) if block.for_each.is_some() => {
            return Some(key_required(name, choice.span.clone()));
        }
        (Some((_, block)), Some(_)) if block.for_each.is_none() => return Some(not_keyed(choice)),
        (None, Some(_)) if is_expected => return Some(not_keyed(choice)),
        (Some(_), _) => return None,
        (None, _) if is_expected || module.may_configure(&choice.name) => return None,
        (None, _) => {}
    }
    let name = full(&choice.name, Some(alias));
    let expected = module.required_providers.iter().flat_map(|(name, required)| {
        required.configuration_aliases.iter().map(move |(alias, _)| full(name, alias.as_deref()))
    });
    let known: Vec<String> = module.providers.keys().cloned().chain(expected).collect();
    let meant = did_you_mean(&name, known.iter().map(String::as_str));
    let detail = format!("There is no provider configuration {name} in this module.{meant}");
    let problem = Diagnostic::error("Reference to undefined provider", detail).at(choice.span.clone());
    Some(problem.hint(format!("provider \"{}\" {{ alias = \"{alias}\" }}", choice.name)))
}

/// The provider that a block names, or that its type implies.
fn object(
    engine: &Engine,
    root: &Configuration,
    (path, module): (&ModulePath, &Configuration),
    (address, span): (&Address, &Span),
    through_modules: bool,
) -> Diagnostics {
    let mut found = Diagnostics::new();
    if address.kind == AddressKind::Stage {
        return found;
    }
    let written = module.objects.get(address).and_then(|block| block.meta.provider.as_ref());
    let implied = ProviderReference {
        name: implied_name(&address.type_name).to_owned(),
        alias: None,
        key: None,
        span: span.clone(),
    };
    let choices = written.map_or_else(|| vec![&implied], |written| written.choices());
    for choice in choices {
        found.extend(undeclared(module, choice));
        let source = module.provider_source(&choice.name);
        found.extend(cannot_serve(engine, &source, choice, address));
        found.extend(metadata(module, &source, address));
        if through_modules && !found.has_errors() {
            let mut missing = |place: &ModulePath, source: &ProviderSource, alias: &str| {
                if root.module(place).is_some_and(|module| module.may_configure(&choice.name)) {
                    return;
                }
                let detail = format!(
                    "{address} of {} uses a configuration of {source} with the alias {alias:?}, and {} has none.",
                    shown(path),
                    shown(place)
                );
                found.push(Diagnostic::error("Provider configuration not present", detail).at(choice.span.clone()));
            };
            sites(root, path, &source, choice.alias.as_deref(), &mut Vec::new(), &mut missing);
        }
    }
    found
}

/// What a module tells a provider that asks for nothing. None of them does.
fn metadata(module: &Configuration, source: &ProviderSource, address: &Address) -> Option<Diagnostic> {
    let is_for_it = |(name, _): &(&String, &Span)| module.provider_source(name) == *source;
    let (_, span) = module.provider_meta.iter().find(is_for_it)?;
    let detail = format!("{address} belongs to the provider {source}, which takes no metadata of modules.");
    Some(Diagnostic::error("provider_meta not supported", detail).at(span.clone()))
}

/// A provider that has no such type.
fn cannot_serve(
    engine: &Engine,
    source: &ProviderSource,
    choice: &ProviderReference,
    address: &Address,
) -> Option<Diagnostic> {
    let type_name = &address.type_name;
    let registry = &engine.registry;
    let (what, is_known) = match address.kind {
        AddressKind::Data => ("data source", registry.data_sources.contains_key(type_name)),
        AddressKind::Ephemeral => ("ephemeral resource", registry.ephemerals.contains_key(type_name)),
        AddressKind::Resource | AddressKind::Stage => ("resource type", registry.resources.contains_key(type_name)),
    };
    let provider = match registry.provider(source) {
        Some(provider) => provider,
        // A type without a provider is told by itself.
        None if choice.alias.is_none() && choice.name == implied_name(type_name) && source.is_implied() => return None,
        None => {
            let detail = format!(
                "There is no provider {source}, which {address} is to use: providers are part of pipectl, and nothing is downloaded."
            );
            return Some(Diagnostic::error("Invalid provider", detail).at(choice.span.clone()));
        }
    };
    let kinds = provider.kinds();
    let serves = match address.kind {
        AddressKind::Data => kinds.data_sources.contains_key(type_name),
        AddressKind::Ephemeral => kinds.ephemerals.contains_key(type_name),
        AddressKind::Resource | AddressKind::Stage => kinds.resources.contains_key(type_name),
    };
    (is_known && !serves).then(|| {
        let detail = format!("The provider {source} does not support {what} {type_name:?}.");
        Diagnostic::error(format!("Invalid {what}"), detail).at(choice.span.clone())
    })
}
