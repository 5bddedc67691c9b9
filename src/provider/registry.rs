//! Which providers and kinds there are: filled by the composition root, read by the engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use pipectl_core::{AddressKind, Diagnostics, ProviderSource, Schema, Value};

use crate::{DataSource, Ephemeral, Provider, Resource};

/// A block that is a value: a model, an executor.
#[derive(Clone)]
pub struct ValueBlock {
    /// Its arguments.
    pub schema: Schema,
    /// Judges the evaluated block and may add attributes (a model's `parameters`). Diagnostics carry paths into the value.
    pub finish: FinishBlock,
}

/// Judges an evaluated block: the value to use from then on, and what was found.
pub type FinishBlock = Arc<dyn Fn(Value) -> (Value, Diagnostics) + Send + Sync>;

/// Everything that this program knows.
#[derive(Clone, Default)]
pub struct Registry {
    /// Providers by name.
    providers: BTreeMap<String, Arc<dyn Provider>>,
    /// Their names by where they come from.
    sources: BTreeMap<ProviderSource, String>,
    /// `resource` types of all providers, without a configuration.
    pub resources: BTreeMap<String, Arc<dyn Resource>>,
    /// `data` types of all providers, without a configuration.
    pub data_sources: BTreeMap<String, Arc<dyn DataSource>>,
    /// `ephemeral` types of all providers, without a configuration.
    pub ephemerals: BTreeMap<String, Arc<dyn Ephemeral>>,
    /// `stage` kinds.
    pub stages: BTreeMap<String, Arc<dyn Resource>>,
    /// `executor` kinds.
    pub executors: BTreeMap<String, ValueBlock>,
    /// The `model` block, where the program has models.
    pub model: Option<ValueBlock>,
}

impl Registry {
    /// Adds a provider with all its kinds.
    pub fn add(&mut self, provider: impl Provider + 'static) {
        self.put(Arc::new(provider));
    }

    /// The same with another provider in the place of each that `replacement` has one for: of the same name and source, with the same kinds.
    #[must_use]
    pub fn replaced(&self, replacement: impl Fn(&Arc<dyn Provider>) -> Option<Arc<dyn Provider>>) -> Self {
        let mut changed = self.clone();
        self.providers().filter_map(replacement).for_each(|provider| changed.put(provider));
        changed
    }

    fn put(&mut self, provider: Arc<dyn Provider>) {
        let kinds = provider.kinds();
        self.resources.extend(kinds.resources.clone());
        self.data_sources.extend(kinds.data_sources.clone());
        self.ephemerals.extend(kinds.ephemerals.clone());
        self.sources.insert(provider.source(), provider.name().to_owned());
        self.providers.insert(provider.name().to_owned(), provider);
    }

    /// All providers, by name.
    pub fn providers(&self) -> impl Iterator<Item = &Arc<dyn Provider>> {
        self.providers.values()
    }

    /// The provider from a source. One that is only implied, because nobody named it, is also found by its name alone.
    pub fn provider(&self, source: &ProviderSource) -> Option<&Arc<dyn Provider>> {
        match self.sources.get(source) {
            Some(name) => self.providers.get(name),
            None => self.providers.get(&source.name).filter(|_| source.is_implied()),
        }
    }

    /// Whether any provider has something to configure.
    pub fn is_configurable(&self) -> bool {
        self.providers.values().any(|provider| provider.is_configurable())
    }

    /// The resource or stage kind of an address, without a configuration.
    pub fn resource(&self, kind: AddressKind, type_name: &str) -> Option<&Arc<dyn Resource>> {
        match kind {
            AddressKind::Resource => self.resources.get(type_name),
            AddressKind::Stage => self.stages.get(type_name),
            AddressKind::Data | AddressKind::Ephemeral => None,
        }
    }

    /// The schema of what an address names.
    pub fn schema(&self, kind: AddressKind, type_name: &str) -> Option<&Schema> {
        match kind {
            AddressKind::Resource | AddressKind::Stage => self.resource(kind, type_name).map(|kind| kind.schema()),
            AddressKind::Data => self.data_sources.get(type_name).map(|kind| kind.schema()),
            AddressKind::Ephemeral => self.ephemerals.get(type_name).map(|kind| kind.schema()),
        }
    }
}
