//! Kinds whose calls are not made: those of a `mock_provider`, and those of objects that an `override_resource` or `override_data` names.
//!
//! A mocked object is planned by its schema. What only the provider would know comes from the test's own values, or is made up. Arguments are
//! always those of the configuration. As in Terraform nothing about an argument's change replaces a mocked object: that is a provider's knowledge.
//!
//! An object that was never there for real says so in its private data, so that no provider is ever asked to remove it.

use std::sync::Arc;

use async_trait::async_trait;
use pipectl_core::{Address, BlockBody, Diagnostic, Diagnostics, Nesting, Schema, Target, Value};
use pipectl_provider::planning::{plan_by_schema, with_unknown_computed};
use pipectl_provider::{
    ApplyOutcome, Cx, DataSource, Effect, Ephemeral, Found, Instance, Intent, Kinds, Opened, PlanRequest, PlanResponse,
    ReadOutcome, Resource,
};
use serde_json::{Value as Json, json};

use super::made_up::{fitted, made_up};
use super::mock::{Mock, Rules, StandIn};

/// Kinds that are mocked where the rules say so; all of them in a mock. `has_client`: whether they could do for real what they are asked.
pub fn mockable(kinds: &Kinds, rules: &Arc<Rules>, mock: Option<&str>, has_client: bool) -> Kinds {
    let mock: Option<Arc<str>> = mock.map(Arc::from);
    let rules = || Selection { rules: Arc::clone(rules), mock: mock.clone(), has_client };
    let resource = |(name, inner): (&String, &Arc<dyn Resource>)| {
        let kind: Arc<dyn Resource> = Arc::new(MockableResource::new(Arc::clone(inner), rules()));
        (name.clone(), kind)
    };
    let data_source = |(name, inner): (&String, &Arc<dyn DataSource>)| {
        let kind: Arc<dyn DataSource> = Arc::new(MockableData { inner: Arc::clone(inner), selection: rules() });
        (name.clone(), kind)
    };
    let ephemeral = |(name, inner): (&String, &Arc<dyn Ephemeral>)| match mock {
        None => (name.clone(), Arc::clone(inner)),
        Some(_) => (name.clone(), Arc::new(NotOpened(Arc::clone(inner))) as Arc<dyn Ephemeral>),
    };
    Kinds {
        resources: kinds.resources.iter().map(resource).collect(),
        data_sources: kinds.data_sources.iter().map(data_source).collect(),
        ephemerals: kinds.ephemerals.iter().map(ephemeral).collect(),
    }
}

/// The rules as they are for the kinds of one configuration.
struct Selection {
    rules: Arc<Rules>,
    mock: Option<Arc<str>>,
    has_client: bool,
}

impl Selection {
    fn mock(&self) -> Option<&Mock> {
        self.rules.mocks.get(self.mock.as_deref()?)
    }

    /// What stands for an object: what names it alone before what names all instances of its block, and each for the test before that of a mock.
    fn override_of(&self, address: &Address) -> Option<&StandIn> {
        let places = [Some(&self.rules.overrides), self.mock().map(|mock| &mock.overrides)];
        let all = || places.into_iter().flatten().flatten();
        let exact = all().find(|(target, _)| matches!(target, Target::Object(target) if target == address));
        exact.or_else(|| all().find(|(target, _)| target.contains(address))).map(|(_, given)| given)
    }

    /// Whether calls about an object are not made.
    fn is_mocked(&self, address: &Address) -> bool {
        self.mock.is_some() || self.override_of(address).is_some()
    }

    /// The value with everything unknown filled that its schema leaves to the provider.
    fn filled(
        &self,
        address: &Address,
        schema: &Schema,
        value: Value,
        only_at_plan: bool,
    ) -> Result<Value, Diagnostics> {
        let defaults = || self.mock()?.defaults.get(&(address.kind, address.type_name.clone()));
        let given = self.override_of(address).or_else(defaults);
        if only_at_plan && given.is_none_or(|given| !given.at_plan) {
            return Ok(value);
        }
        let mut filled = value.clone();
        let mut problems = Diagnostics::new();
        for (name, attribute) in schema.attributes.iter().filter(|(_, attribute)| attribute.computed) {
            if value.attribute(name).is_some_and(Value::is_wholly_known) {
                continue;
            }
            let known = match given.and_then(|given| Some((given, given.values.attribute(name)?))) {
                None => made_up(&attribute.ty),
                Some((given, value)) => fitted(value, &attribute.ty).unwrap_or_else(|why| {
                    let detail = format!(
                        "The attribute `{name}` of {address} cannot be what the test gives for it here: {why}."
                    );
                    problems.push(Diagnostic::error("Failed to compute attribute", detail).at(given.span.clone()));
                    made_up(&attribute.ty)
                }),
            };
            filled = filled.with_attribute(name, known);
        }
        problems.result(filled).map(|(filled, _)| filled)
    }
}

/// Makes no change of an argument replace the object.
fn replaced_by_nothing(schema: &mut Schema) {
    schema.attributes.values_mut().for_each(|attribute| attribute.forces_replacement = false);
    for block in schema.blocks.values_mut() {
        match &mut block.body {
            BlockBody::Uniform(schema) => replaced_by_nothing(schema),
            BlockBody::ByLabel(schemas) => schemas.values_mut().for_each(replaced_by_nothing),
        }
    }
}

/// The private data of an object that is only made up.
fn not_there() -> Json {
    json!({ "made_up": true })
}

/// An instance as a provider may see it that has not made it up.
fn as_seen(instance: &Instance) -> Instance {
    let private = if instance.private == not_there() { Json::Null } else { instance.private.clone() };
    Instance { private, ..instance.clone() }
}

struct MockableResource {
    inner: Arc<dyn Resource>,
    selection: Selection,
    /// The schema of mocked objects: nothing replaces them.
    schema: Schema,
}

impl MockableResource {
    fn new(inner: Arc<dyn Resource>, selection: Selection) -> Self {
        let mut schema = inner.schema().clone();
        replaced_by_nothing(&mut schema);
        Self { inner, selection, schema }
    }

    /// The address of a call, where that is mocked.
    fn mocked(&self, cx: &Cx) -> Option<Address> {
        cx.address.parse().ok().filter(|address| self.selection.is_mocked(address))
    }

    /// Looks at an object that an earlier run has made up, for a run that does not. What would be elsewhere is not there. What is nowhere but in
    /// the state is as it is there, like in Terraform. What is found all the same is somebody else's: it stays marked, so that it is not removed.
    async fn read_made_up(&self, cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
        if self.inner.has_remote_effect() {
            return Ok(ReadOutcome::Gone);
        }
        let mut outcome = self.inner.read(cx, &as_seen(prior)).await?;
        if let ReadOutcome::Present { instance, .. } = &mut outcome {
            instance.private = not_there();
        }
        Ok(outcome)
    }

    fn made(&self, address: &Address, planned: &Instance) -> ApplyOutcome {
        match self.selection.filled(address, &self.schema, planned.attributes.clone(), false) {
            Ok(attributes) => ApplyOutcome::done(Instance { attributes, ..planned.clone() }),
            Err(problems) => ApplyOutcome::failed(None, problems),
        }
    }
}

#[async_trait]
impl Resource for MockableResource {
    fn schema(&self) -> &Schema {
        self.inner.schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        self.inner.validate(config)
    }

    fn upgrade(&self, from_version: u32, stored: Json) -> Result<Json, Diagnostics> {
        self.inner.upgrade(from_version, stored)
    }

    async fn read(&self, cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
        match self.mocked(cx) {
            Some(_) => Ok(ReadOutcome::unchanged(prior)),
            None if prior.private == not_there() => self.read_made_up(cx, prior).await,
            None => self.inner.read(cx, prior).await,
        }
    }

    async fn plan(&self, cx: &Cx, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        if !self.selection.is_mocked(request.address) {
            let prior = request.prior.map(as_seen);
            let mut response = self.inner.plan(cx, PlanRequest { prior: prior.as_ref(), ..request }).await?;
            // Nothing is made of what is only made up.
            if response.effect == Effect::NoOp && request.prior.is_some_and(|prior| prior.private == not_there()) {
                response.private = not_there();
            }
            return Ok(response);
        }
        let mut response = plan_by_schema(&self.schema, &request);
        if matches!(response.effect, Effect::Create | Effect::Replace) {
            response.planned = self.selection.filled(request.address, &self.schema, response.planned, true)?;
            response.private = not_there();
        }
        Ok(response)
    }

    fn has_remote_effect(&self) -> bool {
        self.inner.has_remote_effect()
    }

    async fn create(&self, cx: &Cx, planned: &Instance) -> ApplyOutcome {
        match self.mocked(cx) {
            Some(address) => self.made(&address, planned),
            None => self.inner.create(cx, planned).await,
        }
    }

    async fn update(&self, cx: &Cx, prior: &Instance, planned: &Instance) -> ApplyOutcome {
        match self.mocked(cx) {
            Some(address) => self.made(&address, planned),
            None => self.inner.update(cx, &as_seen(prior), &as_seen(planned)).await,
        }
    }

    async fn delete(&self, cx: &Cx, prior: &Instance) -> ApplyOutcome {
        if prior.private == not_there() {
            return ApplyOutcome::gone();
        }
        // What is there for real goes for real, even where a later run overrides it.
        if self.selection.has_client {
            return self.inner.delete(cx, prior).await;
        }
        let detail = format!(
            "{} was made for real, and its provider is mocked now, so that nobody can be asked to remove it. Let the last run that has it use \
             the provider configuration that made it.",
            cx.address
        );
        ApplyOutcome::failed(Some(prior.clone()), Diagnostic::error("Provider mocked", detail))
    }

    async fn find(&self, cx: &Cx, intent: &Intent) -> Result<Found, Diagnostics> {
        match self.mocked(cx) {
            Some(_) => Ok(Found::None),
            None => self.inner.find(cx, intent).await,
        }
    }

    async fn import(&self, cx: &Cx, id: &str) -> Result<Option<Instance>, Diagnostics> {
        let Some(address) = self.mocked(cx) else { return self.inner.import(cx, id).await };
        if self.selection.override_of(&address).is_none() {
            let detail = "Cannot import resources from mock providers. Use an `override_resource` block targeting the specific resource being \
                          imported instead.";
            return Err(Diagnostic::error("Invalid import request", detail).into());
        }
        // The plan that follows brings in the arguments.
        let nulls =
            self.schema.attributes.iter().map(|(name, found)| (name, Value::null_of(found.ty.without_optional())));
        let blocks = self.schema.blocks.iter().map(|(name, block)| match block.nesting {
            Nesting::Single { .. } => (name, Value::null()),
            Nesting::List { .. } => (name, Value::tuple([])),
        });
        let open = with_unknown_computed(&self.schema, &Value::object(nulls.chain(blocks)));
        let attributes = self.selection.filled(&address, &self.schema, open, false)?;
        Ok(Some(Instance { attributes, private: not_there(), schema_version: self.schema.version }))
    }
}

struct MockableData {
    inner: Arc<dyn DataSource>,
    selection: Selection,
}

#[async_trait]
impl DataSource for MockableData {
    fn schema(&self) -> &Schema {
        self.inner.schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        self.inner.validate(config)
    }

    async fn read(&self, cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        let address: Option<Address> = cx.address.parse().ok();
        match address.filter(|address| self.selection.is_mocked(address)) {
            Some(address) => {
                let schema = self.inner.schema();
                self.selection.filled(&address, schema, with_unknown_computed(schema, config), false)
            }
            None => self.inner.read(cx, config).await,
        }
    }
}

/// An ephemeral kind of a mocked provider. As in Terraform there is nothing that could stand for it.
struct NotOpened(Arc<dyn Ephemeral>);

#[async_trait]
impl Ephemeral for NotOpened {
    fn schema(&self) -> &Schema {
        self.0.schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        self.0.validate(config)
    }

    async fn open(&self, _cx: &Cx, _config: &Value) -> Result<Opened, Diagnostics> {
        let detail = "The provider mocking mechanism does not yet support ephemeral resource types.";
        Err(Diagnostic::error("No ephemeral resource types in mock providers", detail).into())
    }
}

#[cfg(test)]
mod tests {
    use pipectl_core::{Attribute, Type};
    use pipectl_sim::context;

    use super::*;

    /// A kind of objects that are there whenever somebody looks.
    struct Found {
        schema: Schema,
        is_remote: bool,
    }

    #[async_trait]
    impl Resource for Found {
        fn schema(&self) -> &Schema {
            &self.schema
        }

        fn has_remote_effect(&self) -> bool {
            self.is_remote
        }

        async fn read(&self, _cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
            assert_eq!(prior.private, Json::Null, "no provider sees the mark");
            Ok(ReadOutcome::unchanged(prior))
        }

        async fn create(&self, _cx: &Cx, planned: &Instance) -> ApplyOutcome {
            ApplyOutcome::done(planned.clone())
        }

        async fn update(&self, _cx: &Cx, _prior: &Instance, planned: &Instance) -> ApplyOutcome {
            ApplyOutcome::done(planned.clone())
        }

        async fn delete(&self, _cx: &Cx, _prior: &Instance) -> ApplyOutcome {
            panic!("nobody has made it")
        }

        async fn find(&self, _cx: &Cx, _intent: &Intent) -> Result<pipectl_provider::Found, Diagnostics> {
            Ok(pipectl_provider::Found::None)
        }

        async fn import(&self, _cx: &Cx, _id: &str) -> Result<Option<Instance>, Diagnostics> {
            Ok(None)
        }
    }

    fn unmocked(is_remote: bool) -> MockableResource {
        let schema = Schema::of([("id", Attribute::computed(Type::String, ""))]);
        let rules = Arc::new(Rules::default());
        MockableResource::new(Arc::new(Found { schema, is_remote }), Selection { rules, mock: None, has_client: true })
    }

    #[tokio::test]
    async fn what_was_made_up_is_taken_for_nobodys() {
        let cx = context("found.x", "token");
        let attributes = Value::object([("id", Value::from("made up"))]);
        let made_up = Instance { attributes, private: not_there(), schema_version: 0 };
        let elsewhere = unmocked(true).read(&cx, &made_up).await.unwrap();
        assert!(matches!(elsewhere, ReadOutcome::Gone), "{elsewhere:?}");
        let kind = unmocked(false);
        let ReadOutcome::Present { instance, .. } = kind.read(&cx, &made_up).await.unwrap() else {
            panic!("it is nowhere but in the state")
        };
        assert_eq!(instance.private, not_there());
        assert!(kind.delete(&cx, &instance).await.instance.is_none());
    }
}
