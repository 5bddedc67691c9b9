//! Kinds that do not quote what their provider was configured with.
//!
//! What a call itself was given is taken out of its findings where it is made. A token of the provider is known to all its kinds, and to nobody who
//! calls one of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use pipectl_core::{Diagnostics, Schema, Value};
use pipectl_provider::{
    ApplyOutcome, Cx, DataSource, Ephemeral, Found, Instance, Intent, Kinds, Lease, Opened, PlanRequest, PlanResponse,
    ReadOutcome, Resource,
};
use serde_json::Value as Json;

use crate::secrets::Texts;

/// The same kinds, whose findings hold nothing of what is sensitive or ephemeral in a configuration.
pub(crate) fn discreet(kinds: Arc<Kinds>, config: &Value) -> Arc<Kinds> {
    let texts = Texts::private_in(config);
    if texts.is_empty() {
        return kinds;
    }
    let texts = Arc::new(texts);
    Arc::new(Kinds {
        resources: each(&kinds.resources, &texts, |kind| Arc::new(kind) as Arc<dyn Resource>),
        data_sources: each(&kinds.data_sources, &texts, |kind| Arc::new(kind) as Arc<dyn DataSource>),
        ephemerals: each(&kinds.ephemerals, &texts, |kind| Arc::new(kind) as Arc<dyn Ephemeral>),
    })
}

fn each<T: ?Sized>(
    kinds: &BTreeMap<String, Arc<T>>,
    texts: &Arc<Texts>,
    wrap: impl Fn(Discreet<T>) -> Arc<T>,
) -> BTreeMap<String, Arc<T>> {
    let wrapped = |kind: &Arc<T>| wrap(Discreet { kind: Arc::clone(kind), texts: Arc::clone(texts) });
    kinds.iter().map(|(name, kind)| (name.clone(), wrapped(kind))).collect()
}

struct Discreet<T: ?Sized> {
    kind: Arc<T>,
    texts: Arc<Texts>,
}

impl<T: ?Sized> Discreet<T> {
    fn told<A>(&self, answer: Result<A, Diagnostics>) -> Result<A, Diagnostics> {
        answer.map_err(|problems| self.texts.redact(problems))
    }

    fn outcome(&self, outcome: ApplyOutcome) -> ApplyOutcome {
        ApplyOutcome { diagnostics: self.texts.redact(outcome.diagnostics), ..outcome }
    }
}

#[async_trait]
impl Resource for Discreet<dyn Resource> {
    fn schema(&self) -> &Schema {
        self.kind.schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        self.texts.redact(self.kind.validate(config))
    }

    fn upgrade(&self, from_version: u32, stored: Json) -> Result<Json, Diagnostics> {
        self.told(self.kind.upgrade(from_version, stored))
    }

    async fn read(&self, cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
        self.told(self.kind.read(cx, prior).await)
    }

    async fn plan(&self, cx: &Cx, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        self.told(self.kind.plan(cx, request).await)
    }

    fn has_remote_effect(&self) -> bool {
        self.kind.has_remote_effect()
    }

    async fn create(&self, cx: &Cx, planned: &Instance) -> ApplyOutcome {
        self.outcome(self.kind.create(cx, planned).await)
    }

    async fn update(&self, cx: &Cx, prior: &Instance, planned: &Instance) -> ApplyOutcome {
        self.outcome(self.kind.update(cx, prior, planned).await)
    }

    async fn delete(&self, cx: &Cx, prior: &Instance) -> ApplyOutcome {
        self.outcome(self.kind.delete(cx, prior).await)
    }

    async fn find(&self, cx: &Cx, intent: &Intent) -> Result<Found, Diagnostics> {
        self.told(self.kind.find(cx, intent).await)
    }

    async fn import(&self, cx: &Cx, id: &str) -> Result<Option<Instance>, Diagnostics> {
        self.told(self.kind.import(cx, id).await)
    }
}

#[async_trait]
impl DataSource for Discreet<dyn DataSource> {
    fn schema(&self) -> &Schema {
        self.kind.schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        self.texts.redact(self.kind.validate(config))
    }

    async fn read(&self, cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        self.told(self.kind.read(cx, config).await)
    }
}

#[async_trait]
impl Ephemeral for Discreet<dyn Ephemeral> {
    fn schema(&self) -> &Schema {
        self.kind.schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        self.texts.redact(self.kind.validate(config))
    }

    async fn open(&self, cx: &Cx, config: &Value) -> Result<Opened, Diagnostics> {
        self.told(self.kind.open(cx, config).await)
    }

    async fn renew(&self, cx: &Cx, lease: &Lease) -> Result<Lease, Diagnostics> {
        self.told(self.kind.renew(cx, lease).await)
    }

    async fn close(&self, cx: &Cx, lease: &Lease) -> Result<(), Diagnostics> {
        self.told(self.kind.close(cx, lease).await)
    }
}
