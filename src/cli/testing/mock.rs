//! Providers that may be mocked: what a test says in their place, and where it counts.
//!
//! A mock is a provider configuration like any other: the block of a `mock_provider` takes the place of a `provider` block, so that which
//! objects it serves follows from the rules for those. What its kinds then do is the business of `mocked_kinds`.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use pipectl_core::{
    AddressKind, Attribute, Diagnostic, Diagnostics, Kind, Nesting, ProviderSource, Schema, Span, Target, Type, Value,
};
use pipectl_provider::{Cx, Kinds, Provider, Registry};

use super::mocked_kinds::mockable;

/// The argument of a provider's block that says which mock it is. Nobody can write such a name.
pub const MOCK: &str = "(mock)";

/// Values for what a provider would have known.
#[derive(Clone, Debug)]
pub struct StandIn {
    /// An object of attributes. What the schema does not leave to the provider is passed over.
    pub values: Value,
    /// Whether they are known when the plan is made, and not only after apply.
    pub at_plan: bool,
    /// Where they stand.
    pub span: Span,
}

/// What is mocked in a run, and with which values.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// By the key of the provider configuration in the module that is run.
    pub mocks: BTreeMap<String, Mock>,
    /// Values for single objects; the first that fits best wins.
    pub overrides: Vec<(Target, StandIn)>,
}

/// A mocked provider configuration.
#[derive(Clone, Debug)]
pub struct Mock {
    /// The name that the registry has the provider by.
    pub provider: String,
    /// Values for all objects of a kind.
    pub defaults: BTreeMap<(AddressKind, String), StandIn>,
    /// Values for single objects of this provider.
    pub overrides: Vec<(Target, StandIn)>,
}

/// The kinds of a registry, with what the rules name mocked.
pub fn registry(base: &Registry, rules: Rules) -> Registry {
    let rules = Arc::new(rules);
    base.replaced(|provider| Some(Arc::new(Mockable::new(Arc::clone(provider), &rules))))
}

/// A provider that may be mocked, in some of its configurations or all.
struct Mockable {
    inner: Arc<dyn Provider>,
    rules: Arc<Rules>,
    is_mocked: bool,
    schema: Schema,
    kinds: Kinds,
}

impl Mockable {
    fn new(inner: Arc<dyn Provider>, rules: &Arc<Rules>) -> Self {
        let is_mocked = rules.mocks.values().any(|mock| mock.provider == inner.name());
        let schema = if is_mocked { or_mock(inner.schema()) } else { inner.schema().clone() };
        let kinds = mockable(inner.kinds(), rules, None, true);
        Self { inner, rules: Arc::clone(rules), is_mocked, schema, kinds }
    }
}

#[async_trait]
impl Provider for Mockable {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn source(&self) -> ProviderSource {
        self.inner.source()
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn is_configurable(&self) -> bool {
        self.is_mocked || self.inner.is_configurable()
    }

    fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        if mock_of(config).is_some() {
            return Diagnostics::new();
        }
        let absent = missing(self.inner.schema(), config);
        if absent.has_errors() { absent } else { self.inner.validate(&without_mock(config)) }
    }

    async fn configure(&self, cx: &Cx, config: &Value) -> Result<Arc<Kinds>, Diagnostics> {
        if let Some(mock) = mock_of(config) {
            return Ok(Arc::new(mockable(self.inner.kinds(), &self.rules, Some(mock), !self.inner.is_configurable())));
        }
        let absent = missing(self.inner.schema(), config);
        if absent.has_errors() {
            return Err(absent);
        }
        let kinds = self.inner.configure(cx, &without_mock(config)).await?;
        Ok(Arc::new(mockable(&kinds, &self.rules, None, true)))
    }
}

/// A provider's schema where nothing must be given, since a mock gives nothing.
fn or_mock(schema: &Schema) -> Schema {
    let mut schema = schema.clone();
    schema.attributes.values_mut().filter(|attribute| attribute.required).for_each(|attribute| {
        (attribute.required, attribute.optional) = (false, true);
    });
    for block in schema.blocks.values_mut() {
        block.nesting = match block.nesting {
            Nesting::Single { .. } => Nesting::Single { required: false },
            Nesting::List { .. } => Nesting::List { minimum: 0 },
        };
    }
    schema.attributes.insert(MOCK.to_owned(), Attribute::optional(Type::String, "Which mock stands for the provider."));
    schema
}

fn mock_of(config: &Value) -> Option<&str> {
    config.attribute(MOCK)?.as_str()
}

fn without_mock(config: &Value) -> Value {
    let attributes = config.as_object().into_iter().flatten().filter(|(name, _)| *name != MOCK);
    Value::object(attributes.map(|(name, value)| (name.clone(), value.clone()))).marked(config.marks())
}

/// What a configuration that is no mock lacks.
fn missing(schema: &Schema, config: &Value) -> Diagnostics {
    let is_absent = |name: &String| config.attribute(name).is_none_or(Value::is_null);
    let is_empty = |name: &String| match config.attribute(name).map(Value::kind) {
        Some(Kind::Tuple(blocks)) => blocks.is_empty(),
        found => !matches!(found, Some(Kind::Object(_) | Kind::Unknown(_))),
    };
    let arguments = schema.attributes.iter().filter(|(name, found)| found.required && is_absent(name));
    let arguments = arguments.map(|(name, _)| ("argument", name));
    let is_required = |nesting: Nesting| match nesting {
        Nesting::Single { required } => required,
        Nesting::List { minimum } => minimum > 0,
    };
    let blocks = schema.blocks.iter().filter(|(name, block)| is_required(block.nesting) && is_empty(name));
    let blocks = blocks.map(|(name, _)| ("block", name));
    let told = |(what, name): (&str, &String)| {
        let detail = format!("The {what} \"{name}\" is required, but no definition was found.");
        Diagnostic::error(format!("Missing required {what}"), detail)
    };
    arguments.chain(blocks).map(told).collect()
}

#[cfg(test)]
mod tests {
    use pipectl_core::Block;
    use pipectl_provider::PlainProvider;

    use super::*;

    /// What a provider with a required argument and a required block says of a configuration, mocked elsewhere.
    fn judged(config: Value) -> Vec<String> {
        let inside = Schema::of([("url", Attribute::required(Type::String, ""))]);
        let schema = Schema::of([("region", Attribute::required(Type::String, ""))]);
        let block = Block { nesting: Nesting::Single { required: true }, ..Block::single(inside, "") };
        let mut registry = Registry::default();
        registry.add(PlainProvider::new("cloud").ignoring(schema.block("proxy", block)));
        let mock = Mock { provider: "cloud".to_owned(), defaults: BTreeMap::new(), overrides: Vec::new() };
        let rules = Rules { mocks: [("cloud.fake".to_owned(), mock)].into(), overrides: Vec::new() };
        let registry = super::registry(&registry, rules);
        let provider = registry.provider(&ProviderSource::implied("cloud")).unwrap();
        assert!(provider.is_configurable());
        assert!(provider.schema().attributes.values().all(|attribute| !attribute.required));
        provider.validate(&config).iter().map(|found| found.detail.clone()).collect()
    }

    #[test]
    fn only_a_mock_may_lack_arguments() {
        let null = Value::null;
        let mock = Value::object([("region", null()), ("proxy", null()), (MOCK, Value::from("cloud.fake"))]);
        assert_eq!(judged(mock), Vec::<String>::new());
        assert_eq!(
            judged(Value::object([("region", null()), ("proxy", null()), (MOCK, null())])),
            [
                "The argument \"region\" is required, but no definition was found.",
                "The block \"proxy\" is required, but no definition was found."
            ]
        );
        let proxy = Value::object([("url", Value::from("u"))]);
        let real = Value::object([("region", Value::from("eu")), ("proxy", proxy), (MOCK, null())]);
        assert_eq!(judged(real), Vec::<String>::new());
    }
}
