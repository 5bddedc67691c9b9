//! The trait of a provider: what it is called, how it is configured, and which kinds it has.

use std::sync::Arc;

use async_trait::async_trait;
use pipectl_core::{Diagnostics, ProviderSource, Schema, Value};

use crate::{Cx, DataSource, Ephemeral, Kinds, Resource};

/// What serves kinds of objects: one cloud, one cluster, or this machine.
///
/// A provider is there in two forms. Unconfigured, [`Provider::kinds`] tell schemas, judge arguments and bring stored objects up to date; they
/// are never asked to look at the world. [`Provider::configure`] gives the same kinds bound to one configuration, to a client with its address and
/// its credentials: those read, plan, create, update, delete, find, import and open. The engine configures once for each configuration in a run,
/// and only when something needs it.
#[async_trait]
pub trait Provider: Send + Sync {
    /// What modules call it that say nothing else, and what the names of its types begin with: `sim` has `sim_network`.
    fn name(&self) -> &str;

    /// Where it comes from, as `required_providers` says it.
    fn source(&self) -> ProviderSource {
        ProviderSource::implied(self.name())
    }

    /// The arguments of a `provider` block.
    fn schema(&self) -> &Schema;

    /// Whether its kinds differ between configurations; if not, nothing is ever configured.
    fn is_configurable(&self) -> bool {
        true
    }

    /// The kinds without a configuration.
    fn kinds(&self) -> &Kinds;

    /// Judges a configuration, some of which may be unknown.
    fn validate(&self, config: &Value) -> Diagnostics {
        let _ = config;
        Diagnostics::new()
    }

    /// The kinds bound to a configuration: an object of every attribute and block of the schema, wholly known. Arguments may be secret: nothing of
    /// `config` belongs in a state, a plan, a log or a diagnostic.
    ///
    /// # Errors
    /// When nothing can be done with it: credentials that are refused, an address where nobody answers.
    async fn configure(&self, cx: &Cx, config: &Value) -> Result<Arc<Kinds>, Diagnostics>;
}

/// A provider that has nothing to configure: its kinds are always the same.
///
/// ```text
/// registry.add(PlainProvider::new("null").resource("null_resource", NullResource::new()));
/// ```
pub struct PlainProvider {
    name: &'static str,
    schema: Schema,
    kinds: Arc<Kinds>,
}

impl PlainProvider {
    /// A provider without any kind yet.
    pub fn new(name: &'static str) -> Self {
        Self { name, schema: Schema::default(), kinds: Arc::default() }
    }

    /// The same with a `resource` type.
    #[must_use]
    pub fn resource(mut self, type_name: &str, kind: impl Resource + 'static) -> Self {
        Arc::make_mut(&mut self.kinds).resources.insert(type_name.to_owned(), Arc::new(kind));
        self
    }

    /// The same with a `data` type.
    #[must_use]
    pub fn data_source(mut self, type_name: &str, kind: impl DataSource + 'static) -> Self {
        Arc::make_mut(&mut self.kinds).data_sources.insert(type_name.to_owned(), Arc::new(kind));
        self
    }

    /// The same with an `ephemeral` type.
    #[must_use]
    pub fn ephemeral(mut self, type_name: &str, kind: impl Ephemeral + 'static) -> Self {
        Arc::make_mut(&mut self.kinds).ephemerals.insert(type_name.to_owned(), Arc::new(kind));
        self
    }

    /// The same with arguments of its block that are read, and change nothing.
    #[must_use]
    pub fn ignoring(mut self, schema: Schema) -> Self {
        self.schema = schema;
        self
    }
}

#[async_trait]
impl Provider for PlainProvider {
    fn name(&self) -> &str {
        self.name
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn is_configurable(&self) -> bool {
        false
    }

    fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    async fn configure(&self, _cx: &Cx, _config: &Value) -> Result<Arc<Kinds>, Diagnostics> {
        Ok(Arc::clone(&self.kinds))
    }
}
