//! The objects of the world as resources.

use async_trait::async_trait;
use pipectl_core::{Diagnostic, Diagnostics, Marks, Path, Schema, Type, Value};
use pipectl_provider::planning::plan_by_schema;
use pipectl_provider::{
    ApplyOutcome, Cx, Effect, Found, Instance, Intent, PlanRequest, PlanResponse, ReadOutcome, Reason, Resource,
};
use serde_json::json;

use crate::fault::Operation;
use crate::kind::Kind;
use crate::world::{Answer, Inner, Object, World};

/// A kind of the simulated cloud.
pub(crate) struct SimResource {
    world: World,
    kind: Kind,
    /// Where it works; `None`: nobody has said, and it does not work at all.
    place: Option<String>,
    schema: Schema,
}

impl SimResource {
    pub(crate) fn new(world: World, kind: Kind, place: Option<String>) -> Self {
        Self { world, kind, place, schema: kind.schema() }
    }

    /// The place, while it is there.
    fn place(&self, inner: &Inner) -> Result<&str, Diagnostic> {
        let Some(place) = &self.place else {
            let detail =
                "The simulated cloud was asked before it was told where to work. This is a mistake in pipectl.";
            return Err(Diagnostic::error("Provider not configured", detail));
        };
        match inner.has_place(place) {
            true => Ok(place),
            false => Err(Diagnostic::error("Connection refused", format!("The cluster `{place}` does not answer."))),
        }
    }

    /// The object, if it is in this place and can be seen yet.
    fn look(&self, inner: &mut Inner, id: &str) -> Result<Option<Object>, Diagnostic> {
        let place = self.place(inner)?.to_owned();
        Ok(inner.look(id).filter(|object| object.place == place))
    }

    /// Objects of a kind in this place.
    fn select(&self, inner: &Inner, kind: Kind, wanted: impl Fn(&Object) -> bool) -> Result<Vec<Object>, Diagnostic> {
        let place = self.place(inner)?;
        Ok(inner.select(kind, |object| object.place == place && wanted(object)))
    }

    /// The attributes of a new object: what was planned, and what the cloud decides where that is unknown or absent.
    fn decide(&self, planned: &Value, id: &str, number: u64) -> Value {
        let attributes = self.schema.attributes.iter().filter(|(_, attribute)| attribute.computed).fold(
            planned.clone(),
            |attributes, (name, _)| match attributes.set_attribute(name) {
                Some(value) if value.is_known() => attributes,
                _ => attributes.with_attribute(name, self.kind.decide(name, id, number)),
            },
        );
        self.kind.decided(id, attributes)
    }

    /// The instance of an object, with the marks of `like`.
    fn instance(&self, object: &Object, like: &Value) -> Instance {
        let mark = |value: Value, path: &Path| value.mark_at(&path.0, Marks::SENSITIVE);
        let attributes = like.paths_marked(Marks::SENSITIVE).iter().fold(object.attributes.clone(), mark);
        Instance { attributes, private: json!({ "revision": object.revision }), schema_version: self.schema.version }
    }

    /// Refuses a reference to a network that is not there.
    fn check_network(&self, inner: &Inner, attributes: &Value) -> Result<(), Diagnostic> {
        let Some(network) = attributes.set_attribute("network_id").and_then(Value::as_str) else { return Ok(()) };
        match self.select(inner, Kind::Network, |object| object.id == network)?.is_empty() {
            false => Ok(()),
            true => Err(Diagnostic::error("Network not found", format!("There is no network `{network}`."))
                .on(Path::of("network_id"))),
        }
    }
}

#[async_trait]
impl Resource for SimResource {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let size = config.set_attribute("size").and_then(Value::as_number);
        let wrong = size.filter(|size| size.to_u64().is_none_or(|size| size == 0));
        wrong
            .map(|size| {
                let detail = format!("`size` must be a whole number, 1 or more; it is {size}.");
                Diagnostic::error("Invalid argument", detail).on(Path::of("size"))
            })
            .into_iter()
            .collect()
    }

    async fn read(&self, cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
        let id = text(&prior.attributes, "id");
        let name = text(&prior.attributes, "name");
        let answer =
            self.world.call(&cx.cancel, Operation::Read, self.kind, &name, |inner| self.look(inner, &id)).await;
        let Some(object) = answered(cx, answer)? else { return Ok(ReadOutcome::Gone) };
        let instance = self.instance(&object, &prior.attributes);
        let null = Value::null();
        let before = |name: &str| prior.attributes.attribute(name).unwrap_or(&null);
        let attributes = instance.attributes.as_object().into_iter().flatten();
        let drift = attributes
            .filter(|(name, now)| !now.equal_content(before(name)))
            .map(|(name, now)| format!("attribute `{name}` changed: {} -> {now}", before(name)))
            .collect();
        Ok(ReadOutcome::Present { instance: Box::new(instance), drift })
    }

    async fn plan(&self, _cx: &Cx, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        let mut response = plan_by_schema(&self.schema, &request);
        let moves = |reason: &Reason| reason.path.as_deref() == Some("release");
        if self.kind == Kind::Cluster && response.effect == Effect::Update && response.reasons.iter().any(moves) {
            response.planned = response.planned.with_attribute("endpoint", Value::unknown(Type::String));
        }
        Ok(response)
    }

    async fn create(&self, cx: &Cx, planned: &Instance) -> ApplyOutcome {
        let (arguments, _) = planned.attributes.unmark_deep();
        let name = text(&arguments, "name");
        let settings = self.world.settings();
        let act = |inner: &mut Inner| {
            if settings.tokens
                && let Some(repeated) = self.select(inner, self.kind, |object| object.token == cx.token)?.pop()
            {
                return Ok(repeated);
            }
            self.check_network(inner, &arguments)?;
            let attributes = |id: &str, number: u64| self.decide(&arguments, id, number);
            let place = self.place(inner)?.to_owned();
            Ok(inner.insert(settings, (self.kind, &place), &name, &cx.token, attributes))
        };
        match self.world.call(&cx.cancel, Operation::Create, self.kind, &name, act).await {
            Answer::Done(object) => {
                if settings.wait_until_visible {
                    self.world.await_visible(&object.id).await;
                }
                ApplyOutcome::done(self.instance(&object, &planned.attributes))
            }
            Answer::DoneAndFailed(object, failure) => {
                ApplyOutcome::failed(Some(self.instance(&object, &planned.attributes)), failure.about(&cx.address))
            }
            Answer::Lost(failure) | Answer::Refused(failure) => ApplyOutcome::failed(None, failure.about(&cx.address)),
        }
    }

    async fn update(&self, cx: &Cx, prior: &Instance, planned: &Instance) -> ApplyOutcome {
        let (arguments, _) = planned.attributes.unmark_deep();
        let (id, name) = (text(&prior.attributes, "id"), text(&arguments, "name"));
        let act = |inner: &mut Inner| {
            self.check_network(inner, &arguments)?;
            let place = self.place(inner)?.to_owned();
            let gone = || Diagnostic::error("Object not found", format!("There is no object `{id}` any more."));
            if inner.inside(&place).iter().all(|object| object.id != id) {
                return Err(gone());
            }
            let known = arguments.as_object().into_iter().flatten().filter(|(_, value)| value.is_known());
            let change = |object: &mut Object| {
                object.attributes = known.fold(object.attributes.clone(), |attributes, (name, value)| {
                    attributes.with_attribute(name, value.clone())
                });
                object.attributes = self.kind.decided(&object.id, object.attributes.clone());
            };
            inner.change(&id, change).ok_or_else(gone)
        };
        match self.world.call(&cx.cancel, Operation::Update, self.kind, &name, act).await {
            Answer::Done(object) => ApplyOutcome::done(self.instance(&object, &planned.attributes)),
            Answer::DoneAndFailed(object, failure) => {
                ApplyOutcome::failed(Some(self.instance(&object, &planned.attributes)), failure.about(&cx.address))
            }
            Answer::Lost(failure) | Answer::Refused(failure) => {
                ApplyOutcome::failed(Some(prior.clone()), failure.about(&cx.address))
            }
        }
    }

    async fn delete(&self, cx: &Cx, prior: &Instance) -> ApplyOutcome {
        let (id, name) = (text(&prior.attributes, "id"), text(&prior.attributes, "name"));
        let act = |inner: &mut Inner| {
            let place = self.place(inner)?.to_owned();
            if inner.inside(&place).iter().all(|object| object.id != id) {
                return Ok(());
            }
            if let Some(inside) = inner.inside(&id).first() {
                let detail = format!("The cluster `{id}` cannot go while `{}` lives in it.", inside.id);
                return Err(Diagnostic::error("Cluster in use", detail));
            }
            let inside = |object: &Object| text(&object.attributes, "network_id") == id;
            if self.kind == Kind::Network
                && let Some(user) = inner.select(Kind::Instance, inside).first()
            {
                let detail = format!("The network `{id}` cannot go while the instance `{}` is in it.", user.id);
                return Err(Diagnostic::error("Network in use", detail));
            }
            inner.take(&id);
            Ok(())
        };
        match self.world.call(&cx.cancel, Operation::Delete, self.kind, &name, act).await {
            Answer::Done(()) => ApplyOutcome::gone(),
            Answer::DoneAndFailed((), failure) => ApplyOutcome::failed(None, failure.about(&cx.address)),
            Answer::Lost(failure) | Answer::Refused(failure) => {
                ApplyOutcome::failed(Some(prior.clone()), failure.about(&cx.address))
            }
        }
    }

    async fn find(&self, cx: &Cx, intent: &Intent) -> Result<Found, Diagnostics> {
        let name = intent.arguments.get("name").and_then(serde_json::Value::as_str).unwrap_or_default();
        let by_token = self.world.settings().tokens;
        let wanted = |object: &Object| match by_token {
            true => object.token == intent.token,
            false => object.name == name && !intent.known.contains(&object.id),
        };
        let act = |inner: &mut Inner| self.select(inner, self.kind, wanted);
        let found = answered(cx, self.world.call(&cx.cancel, Operation::Find, self.kind, name, act).await)?;
        for object in &found {
            // What the index knows may not be readable yet: who finds it wants to read it next.
            self.world.await_visible(&object.id).await;
        }
        Ok(match found.as_slice() {
            [] => Found::None,
            [object] => Found::One(Box::new(self.instance(object, &Value::null()))),
            several => Found::Ambiguous(several.iter().map(|object| object.id.clone()).collect()),
        })
    }

    async fn import(&self, cx: &Cx, id: &str) -> Result<Option<Instance>, Diagnostics> {
        let kind = self.kind.type_name();
        let act = |inner: &mut Inner| Ok(self.look(inner, id)?.filter(|object| object.kind == kind));
        let found = answered(cx, self.world.call(&cx.cancel, Operation::Import, self.kind, id, act).await)?;
        Ok(found.map(|object| self.instance(&object, &Value::null())))
    }
}

/// What a call without effect saw: whatever went wrong, the caller knows nothing.
fn answered<T>(cx: &Cx, answer: Answer<T>) -> Result<T, Diagnostics> {
    match answer {
        Answer::Done(seen) => Ok(seen),
        Answer::DoneAndFailed(_, failure) | Answer::Lost(failure) | Answer::Refused(failure) => {
            Err(failure.about(&cx.address).into())
        }
    }
}

fn text(attributes: &Value, name: &str) -> String {
    attributes.attribute(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
