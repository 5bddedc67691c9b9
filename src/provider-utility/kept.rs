//! Resources that are made once and then only kept: their results stand in the state, and hardly anything stands elsewhere.
//!
//! A kind implements [`Kept`] as plain functions; [`KeptResource`] makes a `Resource` of them. What waits, or talks to anything, implements
//! `Resource` itself.

use std::marker::PhantomData;

use async_trait::async_trait;
use pipectl_core::{Diagnostic, Diagnostics, Schema, Value};
use pipectl_provider::{ApplyOutcome, Cx, Instance, PlanRequest, PlanResponse, ReadOutcome, Resource};
use serde_json::Value as Json;

use crate::planning::{Defaults, plan};

/// A kind that is made and then kept.
pub(crate) trait Kept: Send + Sync + 'static {
    /// Whether making one takes so long that it must not hold up others: it then runs on a thread of its own.
    const IS_HEAVY: bool = false;

    /// Arguments and attributes.
    fn schema() -> Schema;

    /// Values of absent arguments.
    fn defaults() -> Defaults {
        Vec::new()
    }

    /// Judges the arguments.
    fn validate(config: &Value) -> Diagnostics {
        let _ = config;
        Diagnostics::new()
    }

    /// Looks at what was made.
    fn read(cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
        let _ = cx;
        Ok(ReadOutcome::unchanged(prior))
    }

    /// Decides what to do.
    fn plan(cx: &Cx, schema: &Schema, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        let _ = cx;
        Ok(plan(schema, &Self::defaults(), request))
    }

    /// Makes one: the planned attributes with all that was unknown filled in.
    fn make(cx: &Cx, planned: &Value) -> Result<Value, Diagnostics>;

    /// Changes one. Most only take the arguments over.
    fn change(cx: &Cx, prior: &Value, planned: &Value) -> Result<Value, Diagnostics> {
        let _ = (cx, prior);
        Ok(planned.clone())
    }

    /// Removes what was made. Already gone is success.
    fn remove(cx: &Cx, prior: &Value) -> Result<(), Diagnostics> {
        let _ = (cx, prior);
        Ok(())
    }

    /// The attributes of an existing one, by its id.
    fn import(cx: &Cx, id: &str) -> Result<Value, Diagnostics> {
        let _ = (cx, id);
        Err(Diagnostic::error("Import not supported", "This kind of resource cannot be imported.").into())
    }

    /// Brings the stored attributes of an older version up to date, where this kind knows that version.
    fn upgrade(from_version: u32, stored: &Json) -> Option<Result<Json, Diagnostics>> {
        let _ = (from_version, stored);
        None
    }
}

/// Makes one, on a thread of its own where that takes long.
pub(crate) async fn make<K: Kept>(cx: &Cx, planned: &Value) -> Result<Value, Diagnostics> {
    if !K::IS_HEAVY {
        return K::make(cx, planned);
    }
    let (cx, planned) = (cx.clone(), planned.clone());
    tokio::task::spawn_blocking(move || K::make(&cx, &planned)).await.unwrap_or_else(|_| {
        let detail = "The calculation stopped unexpectedly. This is a mistake in pipectl.";
        Err(Diagnostic::error("Calculation stopped", detail).into())
    })
}

/// A [`Kept`] kind as a resource.
pub(crate) struct KeptResource<K> {
    schema: Schema,
    kind: PhantomData<K>,
}

impl<K: Kept> KeptResource<K> {
    pub(crate) fn new() -> Self {
        Self { schema: K::schema(), kind: PhantomData }
    }
}

#[async_trait]
impl<K: Kept> Resource for KeptResource<K> {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        K::validate(config)
    }

    fn upgrade(&self, from_version: u32, stored: Json) -> Result<Json, Diagnostics> {
        if from_version == self.schema.version {
            return Ok(stored);
        }
        K::upgrade(from_version, &stored).unwrap_or_else(|| {
            let detail = format!(
                "The state holds an instance of schema version {from_version}, and this pipectl knows version {}.",
                self.schema.version
            );
            Err(Diagnostic::error("Unsupported instance version", detail).into())
        })
    }

    fn has_remote_effect(&self) -> bool {
        // Making one again gives the same, or something that nobody has seen yet.
        false
    }

    async fn read(&self, cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
        K::read(cx, prior)
    }

    async fn plan(&self, cx: &Cx, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        K::plan(cx, &self.schema, request)
    }

    async fn create(&self, cx: &Cx, planned: &Instance) -> ApplyOutcome {
        match make::<K>(cx, &planned.attributes).await {
            Ok(attributes) => ApplyOutcome::done(Instance { attributes, ..planned.clone() }),
            Err(problems) => ApplyOutcome::failed(None, problems),
        }
    }

    async fn update(&self, cx: &Cx, prior: &Instance, planned: &Instance) -> ApplyOutcome {
        match K::change(cx, &prior.attributes, &planned.attributes) {
            Ok(attributes) => ApplyOutcome::done(Instance { attributes, ..planned.clone() }),
            Err(problems) => ApplyOutcome::failed(Some(prior.clone()), problems),
        }
    }

    async fn delete(&self, cx: &Cx, prior: &Instance) -> ApplyOutcome {
        match K::remove(cx, &prior.attributes) {
            Ok(()) => ApplyOutcome::gone(),
            Err(problems) => ApplyOutcome::failed(Some(prior.clone()), problems),
        }
    }

    async fn import(&self, cx: &Cx, id: &str) -> Result<Option<Instance>, Diagnostics> {
        let attributes = K::import(cx, id)?;
        Ok(Some(Instance { attributes, private: Json::Null, schema_version: self.schema.version }))
    }
}
