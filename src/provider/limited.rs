//! Kinds of which only so many calls run at once.

use std::sync::Arc;

use async_trait::async_trait;
use pipectl_core::{Diagnostics, Schema, Value};
use serde_json::Value as Json;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    ApplyOutcome, Cx, DataSource, Ephemeral, Found, Instance, Intent, Kinds, Lease, Opened, PlanRequest, PlanResponse,
    ReadOutcome, Resource,
};

impl Kinds {
    /// The same kinds, at most `most` of whose calls run at once, all of them together. Planning is no call.
    #[must_use]
    pub fn limited(&self, most: usize) -> Self {
        let permits = Arc::new(Semaphore::new(most.max(1)));
        let resource = |(name, kind): (&String, &Arc<dyn Resource>)| {
            let limited = Limited { kind: Arc::clone(kind), permits: Arc::clone(&permits) };
            (name.clone(), Arc::new(limited) as Arc<dyn Resource>)
        };
        let data_source = |(name, kind): (&String, &Arc<dyn DataSource>)| {
            let limited = Limited { kind: Arc::clone(kind), permits: Arc::clone(&permits) };
            (name.clone(), Arc::new(limited) as Arc<dyn DataSource>)
        };
        let ephemeral = |(name, kind): (&String, &Arc<dyn Ephemeral>)| {
            let limited = Limited { kind: Arc::clone(kind), permits: Arc::clone(&permits) };
            (name.clone(), Arc::new(limited) as Arc<dyn Ephemeral>)
        };
        Self {
            resources: self.resources.iter().map(resource).collect(),
            data_sources: self.data_sources.iter().map(data_source).collect(),
            ephemerals: self.ephemerals.iter().map(ephemeral).collect(),
        }
    }
}

struct Limited<T: ?Sized> {
    kind: Arc<T>,
    permits: Arc<Semaphore>,
}

impl<T: ?Sized> Limited<T> {
    async fn turn(&self) -> SemaphorePermit<'_> {
        self.permits.acquire().await.expect("the semaphore is never closed")
    }
}

#[async_trait]
impl Resource for Limited<dyn Resource> {
    fn schema(&self) -> &Schema {
        self.kind.schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        self.kind.validate(config)
    }

    fn upgrade(&self, from_version: u32, stored: Json) -> Result<Json, Diagnostics> {
        self.kind.upgrade(from_version, stored)
    }

    async fn read(&self, cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
        let _turn = self.turn().await;
        self.kind.read(cx, prior).await
    }

    async fn plan(&self, cx: &Cx, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        self.kind.plan(cx, request).await
    }

    fn has_remote_effect(&self) -> bool {
        self.kind.has_remote_effect()
    }

    async fn create(&self, cx: &Cx, planned: &Instance) -> ApplyOutcome {
        let _turn = self.turn().await;
        self.kind.create(cx, planned).await
    }

    async fn update(&self, cx: &Cx, prior: &Instance, planned: &Instance) -> ApplyOutcome {
        let _turn = self.turn().await;
        self.kind.update(cx, prior, planned).await
    }

    async fn delete(&self, cx: &Cx, prior: &Instance) -> ApplyOutcome {
        let _turn = self.turn().await;
        self.kind.delete(cx, prior).await
    }

    async fn find(&self, cx: &Cx, intent: &Intent) -> Result<Found, Diagnostics> {
        let _turn = self.turn().await;
        self.kind.find(cx, intent).await
    }

    async fn import(&self, cx: &Cx, id: &str) -> Result<Option<Instance>, Diagnostics> {
        let _turn = self.turn().await;
        self.kind.import(cx, id).await
    }
}

#[async_trait]
impl DataSource for Limited<dyn DataSource> {
    fn schema(&self) -> &Schema {
        self.kind.schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        self.kind.validate(config)
    }

    async fn read(&self, cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        let _turn = self.turn().await;
        self.kind.read(cx, config).await
    }
}

#[async_trait]
impl Ephemeral for Limited<dyn Ephemeral> {
    fn schema(&self) -> &Schema {
        self.kind.schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        self.kind.validate(config)
    }

    async fn open(&self, cx: &Cx, config: &Value) -> Result<Opened, Diagnostics> {
        let _turn = self.turn().await;
        self.kind.open(cx, config).await
    }

    async fn renew(&self, cx: &Cx, lease: &Lease) -> Result<Lease, Diagnostics> {
        let _turn = self.turn().await;
        self.kind.renew(cx, lease).await
    }

    async fn close(&self, cx: &Cx, lease: &Lease) -> Result<(), Diagnostics> {
        let _turn = self.turn().await;
        self.kind.close(cx, lease).await
    }
}
