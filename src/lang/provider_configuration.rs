//! What a module says of providers: configurations, requirements, and which configuration a block means.

use indexmap::IndexMap;
use pipectl_core::{ProviderSource, Span};

use crate::body::Body;
use crate::configuration::Configuration;
use crate::expression::Expression;
use crate::reference::Reference;

/// `provider "name" { ... }`
#[derive(Clone, Debug)]
pub struct ProviderBlock {
    /// The provider's local name.
    pub name: String,
    /// Tells configurations of one provider apart.
    pub alias: Option<String>,
    /// Several configurations at once, by key. Only one with an alias has it.
    pub for_each: Option<Expression>,
    /// How many calls may run at once.
    pub concurrency: Option<Expression>,
    /// Its arguments, without meta-arguments.
    pub body: Body,
    /// Where its header stands.
    pub span: Span,
}

/// An entry of `required_providers`.
#[derive(Clone, Debug)]
pub struct RequiredProvider {
    /// Where the provider comes from.
    pub source: ProviderSource,
    /// Configurations that whoever uses the module must pass, by their aliases; without one, the default configuration.
    pub configuration_aliases: Vec<(Option<String>, Span)>,
    /// Where its name stands.
    pub span: Span,
}

impl RequiredProvider {
    /// Whether whoever uses the module must pass the configuration of an alias.
    pub fn expects(&self, alias: Option<&str>) -> bool {
        self.configuration_aliases.iter().any(|(known, _)| known.as_deref() == alias)
    }
}

/// Requirements by local name.
pub type RequiredProviders = IndexMap<String, RequiredProvider>;

/// `name`, `name.alias` or `name.alias[key]`.
#[derive(Clone, Debug)]
pub struct ProviderReference {
    /// The provider's local name.
    pub name: String,
    /// Which of its configurations; the default one when not given.
    pub alias: Option<String>,
    /// Which instance of a configuration with `for_each`.
    pub key: Option<Expression>,
    /// Where it stands.
    pub span: Span,
}

/// Which configuration is meant: the value of a `provider` argument.
#[derive(Clone, Debug)]
pub enum ProviderExpression {
    /// This one.
    Reference(ProviderReference),
    /// `condition ? this : that`
    Conditional {
        /// Which.
        condition: Expression,
        /// When it is true.
        accepted: Box<ProviderExpression>,
        /// When it is false.
        rejected: Box<ProviderExpression>,
    },
}

impl ProviderBlock {
    /// Whether it says nothing: in a module below, an empty default block is how older modules declare that they use the provider.
    pub fn only_declares(&self) -> bool {
        self.alias.is_none() && self.body.arguments().next().is_none() && self.body.blocks().next().is_none()
    }

    /// References of the arguments and of what decides the instances.
    pub fn references(&self) -> Vec<(Reference, Span)> {
        let meta = [&self.for_each, &self.concurrency].into_iter().flatten().flat_map(Expression::references);
        self.body.references().into_iter().chain(meta).collect()
    }
}

impl ProviderExpression {
    /// All configurations that may be meant.
    pub fn choices(&self) -> Vec<&ProviderReference> {
        match self {
            ProviderExpression::Reference(reference) => vec![reference],
            ProviderExpression::Conditional { accepted, rejected, .. } => {
                accepted.choices().into_iter().chain(rejected.choices()).collect()
            }
        }
    }

    /// The expressions that decide which: conditions and keys.
    pub fn expressions(&self) -> Vec<&Expression> {
        match self {
            ProviderExpression::Reference(reference) => reference.key.iter().collect(),
            ProviderExpression::Conditional { condition, accepted, rejected } => {
                [condition].into_iter().chain(accepted.expressions()).chain(rejected.expressions()).collect()
            }
        }
    }

    /// References of what decides.
    pub fn references(&self) -> Vec<(Reference, Span)> {
        self.expressions().into_iter().flat_map(Expression::references).collect()
    }

    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            ProviderExpression::Reference(reference) => reference.span.clone(),
            ProviderExpression::Conditional { condition, .. } => condition.span(),
        }
    }
}

impl Configuration {
    /// The provider that this module calls by a local name.
    pub fn provider_source(&self, local_name: &str) -> ProviderSource {
        self.required_providers
            .get(local_name)
            .map_or_else(|| ProviderSource::implied(local_name), |required| required.source.clone())
    }

    /// The `provider` block of this module that configures a provider, by its alias; with the key that [`Configuration::providers`] has it by.
    pub fn provider_block(&self, source: &ProviderSource, alias: Option<&str>) -> Option<(&str, &ProviderBlock)> {
        self.providers
            .iter()
            .filter(|(_, block)| self.folder.is_empty() || !block.only_declares())
            .find(|(_, block)| block.alias.as_deref() == alias && self.provider_source(&block.name) == *source)
            .map(|(key, block)| (key.as_str(), block))
    }

    /// Whether anything here, or in a module below, says something of providers beyond requiring them.
    pub fn configures_providers(&self) -> bool {
        self.distinct_modules().iter().any(|module| {
            !module.providers.is_empty()
                || module.modules.values().any(|block| !block.providers.is_empty())
                || module.objects.values().any(|block| block.meta.provider.is_some())
        })
    }
}
