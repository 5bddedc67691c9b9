//! A [`Kind`] as a resource: plans, calls, waiting, and finding again what an interrupted run has made.

mod finding;
mod private;

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use pipectl_core::{Diagnostic, Diagnostics, Schema, Value};
use pipectl_http::StatusCode;
use pipectl_provider::arguments::{optional_text, text};
use pipectl_provider::planning::plan_by_schema;
use pipectl_provider::waiting::{Look, Wait};
use pipectl_provider::{
    ApplyOutcome, Cx, Effect, Found, Instance, Intent, PlanRequest, PlanResponse, ReadOutcome, Reason, Resource,
};
use serde_json::{Value as Json, json};

pub use self::finding::time_of;
use self::private::Private;
use crate::settling::{READING_FAILED, failure, settled, vanished};
use crate::{Cloud, Condition, Fault, Fields, Kind, Observed, Place};

const CREATION_FAILED: &str = "Creation failed";
const CHANGE_FAILED: &str = "Change failed";
const REMOVAL_FAILED: &str = "Removal failed";

/// A call of this run that did not come to an end.
enum Call {
    /// It was waited for no longer: the id of what it makes. The same call goes on with that.
    GivenUp(String),
    /// Its answer was lost: what it was to make, and what is known of the call where that was asked for.
    Unanswered { planned: Value, intent: Option<Box<Intent>> },
    /// The service has refused it and has not acted.
    Refused,
}

/// A kind as a resource: of a cloud, or of none while nothing is configured.
pub struct KindResource<K: Kind> {
    fields: Fields,
    cloud: Option<Arc<K::Cloud>>,
    /// What became of calls of this run that did not come to an end, by their tokens.
    calls: Mutex<BTreeMap<String, Call>>,
    kind: PhantomData<fn() -> K>,
}

impl<K: Kind> KindResource<K> {
    /// A kind of a cloud.
    pub fn new(cloud: Option<Arc<K::Cloud>>) -> Self {
        Self { fields: K::fields(), cloud, calls: Mutex::default(), kind: PhantomData }
    }

    /// Where an object is.
    async fn place<'a>(&'a self, cx: &'a Cx, attributes: &Value) -> Result<Place<'a, K::Cloud>, Diagnostics> {
        let cloud = self.cloud.as_deref().ok_or_else(not_configured::<K::Cloud>)?;
        Place::of(cloud, K::SERVICE, &self.fields, cx, text(attributes, "region")).await
    }

    fn instance(&self, attributes: Value, private: &Private) -> Instance {
        Instance { attributes, private: private.json(), schema_version: self.fields.schema.version }
    }

    /// The attributes that an object tells, with its id and its region.
    async fn observed(
        &self,
        at: &Place<'_, K::Cloud>,
        id: &str,
        object: &Json,
        known: &Value,
    ) -> Result<Observed, Diagnostics> {
        let more = K::more(at, object, known).await.map_err(|fault| fault.told(READING_FAILED))?;
        let mut observed = self.plainly_observed(at, id, object)?;
        observed.extend(more);
        Ok(observed)
    }

    fn plainly_observed(&self, at: &Place<'_, K::Cloud>, id: &str, object: &Json) -> Result<Observed, Diagnostics> {
        let mut observed = self.fields.observed(object)?;
        observed.insert("id".to_owned(), id.into());
        if self.fields.has_region() {
            observed.insert("region".to_owned(), optional_text(at.region.as_deref()));
        }
        Ok(observed)
    }

    /// Does what is left to be done for a new object: `object` is what is known of it.
    async fn complete(
        &self,
        at: &Place<'_, K::Cloud>,
        id: &str,
        planned: &Value,
        object: Option<Json>,
    ) -> Result<Instance, Diagnostics> {
        let limit = self.fields.limit("create", planned);
        // First it is waited for, because services take nothing more until an object is there.
        let mut object = match object.filter(|object| K::condition(object) == Condition::Ready) {
            Some(object) => object,
            None => settled::<K>(at, id, planned, limit, None).await?,
        };
        if K::leaves(planned) {
            K::finish(at, id, planned).await.map_err(|fault| fault.told(CREATION_FAILED))?;
            object = settled::<K>(at, id, planned, limit, None).await?;
        }
        let mut observed = self.observed(at, id, &object, planned).await?;
        observed.extend(K::issue(at, id, &object).await.map_err(|fault| fault.told(CREATION_FAILED))?);
        Ok(self.instance(self.fields.made(planned, &observed), &Private::default()))
    }

    /// What is left of an object that came half way.
    async fn remains(
        &self,
        at: &Place<'_, K::Cloud>,
        id: &str,
        answer: &Json,
        planned: &Value,
        private: &Private,
    ) -> Option<Instance> {
        let seen = match K::look(at, id, planned).await {
            Ok(seen) => Some(seen?),
            Err(_) => None,
        };
        let object = seen.as_ref().unwrap_or(answer);
        let mut observed = self.plainly_observed(at, id, object).ok()?;
        if let Ok(more) = K::more(at, object, planned).await {
            observed.extend(more);
        }
        Some(self.instance(self.fields.made(planned, &observed), private))
    }

    fn calls(&self) -> MutexGuard<'_, BTreeMap<String, Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn make(&self, at: &Place<'_, K::Cloud>, planned: &Value) -> ApplyOutcome {
        let earlier = self.calls().remove(&at.cx.token);
        let (id, answer) = match earlier {
            Some(Call::GivenUp(id)) => (id, Json::Null),
            Some(Call::Unanswered { planned, intent }) if !K::REPEATS => {
                return self.find_late(at, planned, intent).await;
            }
            Some(Call::Refused | Call::Unanswered { .. }) | None => {
                let answer = match self.begin(at, planned).await {
                    Ok(answer) => answer,
                    Err(problems) => return ApplyOutcome::failed(None, problems),
                };
                let Some(id) = K::id(&answer) else {
                    let detail = format!("The service has made the {} and did not tell its id.", K::NOUN);
                    return ApplyOutcome::failed(None, Diagnostic::error("Unexpected answer", detail));
                };
                if K::leaves(planned) || K::condition(&answer) != Condition::Ready {
                    at.cx.record(json!({ "id": id }));
                }
                (id, answer)
            }
        };
        let object = Some(answer.clone()).filter(|answer| !answer.is_null());
        match self.complete(at, &id, planned, object).await {
            Ok(instance) => ApplyOutcome::done(instance),
            Err(problems) if is_given_up(&problems) => {
                self.calls().insert(at.cx.token.clone(), Call::GivenUp(id));
                ApplyOutcome::failed(None, problems)
            }
            Err(problems) => {
                let remains = self.remains(at, &id, &answer, planned, &Private::default()).await;
                ApplyOutcome::failed(remains, problems)
            }
        }
    }

    /// Makes the call that makes an object. An answer that was lost is looked for.
    async fn begin(&self, at: &Place<'_, K::Cloud>, planned: &Value) -> Result<Json, Diagnostics> {
        if let Some(before) = K::before(at, planned).await.map_err(|fault| fault.told(CREATION_FAILED))? {
            at.cx.record(json!({ "before": before }));
        }
        K::create(at, planned).await.map_err(|fault| {
            let call = match fault.may_have_acted() {
                true => Call::Unanswered { planned: planned.clone(), intent: None },
                false => Call::Refused,
            };
            self.calls().insert(at.cx.token.clone(), call);
            fault.told(CREATION_FAILED)
        })
    }

    async fn change(
        &self,
        at: &Place<'_, K::Cloud>,
        id: &str,
        prior: &Instance,
        planned: &Value,
    ) -> Result<Instance, Diagnostics> {
        let limit = self.fields.limit("update", planned);
        let told = |fault: Fault<K::Cloud>| fault.told(CHANGE_FAILED);
        let mut planned = planned.clone();
        if Private::of(prior).is_unfinished {
            // What was open is known now.
            planned = self.complete(at, id, &planned, None).await?.attributes;
        }
        let planned = &planned;
        let mut before = match K::IS_SLOW {
            true => K::look(at, id, planned).await.map_err(told)?,
            false => None,
        };
        // What an interrupted run has asked for may go on.
        if before.as_ref().is_some_and(|object| matches!(K::condition(object), Condition::Busy(_))) {
            before = Some(settled::<K>(at, id, planned, limit, None).await?);
        }
        let object = match K::update(at, id, &prior.attributes, planned).await.map_err(told)? {
            true => settled::<K>(at, id, planned, limit, before.as_ref()).await?,
            // What nobody has asked for is not waited for: the object may have failed long ago.
            false => K::look(at, id, planned).await.map_err(told)?.ok_or_else(|| vanished::<K>(id))?,
        };
        let observed = self.observed(at, id, &object, planned).await?;
        Ok(self.instance(self.fields.made(planned, &observed), &Private::default()))
    }

    async fn remove(&self, at: &Place<'_, K::Cloud>, id: &str, prior: &Value) -> Result<(), Diagnostics> {
        let told = |fault: Fault<K::Cloud>| fault.told(REMOVAL_FAILED);
        let is_asked = AtomicBool::new(false);
        let waits = self.fields.has_limit("delete");
        let what = format!("the removal of the {} `{id}`", K::NOUN);
        let is_in_use =
            |fault: &Fault<K::Cloud>| fault.status() == Some(StatusCode::CONFLICT) && !K::Cloud::stays_in_use(fault);
        let look = || {
            let is_asked = &is_asked;
            async move {
                if !is_asked.load(Ordering::Relaxed) {
                    match K::delete(at, id, prior).await {
                        Ok(()) if K::IS_SLOW => is_asked.store(true, Ordering::Relaxed),
                        Ok(()) => return Ok(Look::Done(())),
                        // What uses it may be on its way out.
                        Err(fault) if waits && is_in_use(&fault) => {
                            let problems = fault.told(REMOVAL_FAILED);
                            let words = problems.iter().map(|problem| problem.detail.clone()).collect::<Vec<_>>();
                            return Ok(Look::Pending(format!("still in use: {}", words.join(" "))));
                        }
                        Err(fault) => return Err(told(fault)),
                    }
                }
                match K::look(at, id, prior).await {
                    Ok(None) => Ok(Look::Done(())),
                    Err(fault) if K::Cloud::is_nearly_gone(&fault) => Ok(Look::Pending("nearly gone".to_owned())),
                    Err(fault) => Err(fault.told(READING_FAILED)),
                    Ok(Some(object)) => match (K::stays(&object), K::condition(&object)) {
                        (Some(reason), _) => Err(failure::<K>(id, &reason).into()),
                        (None, Condition::Busy(status)) => Ok(Look::Pending(status)),
                        (None, _) => Ok(Look::Pending("still there".to_owned())),
                    },
                }
            }
        };
        Wait::at_most(self.fields.limit("delete", prior)).until(at.cx, &what, look).await
    }
}

#[async_trait]
impl<K: Kind> Resource for KindResource<K> {
    fn schema(&self) -> &Schema {
        &self.fields.schema
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let mut found = self.fields.validate_times(config);
        found.extend(self.fields.judge(config));
        found.extend(K::validate(config));
        found
    }

    async fn read(&self, cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
        let at = self.place(cx, &prior.attributes).await?;
        let id = id_of(prior);
        let found = K::look(&at, id, &prior.attributes).await.map_err(|fault| fault.told(READING_FAILED))?;
        let Some(object) = found else { return Ok(ReadOutcome::Gone) };
        let observed = self.observed(&at, id, &object, &prior.attributes).await?;
        let private = Private::of(prior).seen(&K::condition(&object));
        let instance = self.instance(self.fields.seen(&prior.attributes, &observed), &private);
        Ok(ReadOutcome::Present { instance: Box::new(instance), drift: Vec::new() })
    }

    async fn plan(&self, cx: &Cx, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        let config = &self.fields.with_defaults(request.config);
        let mut reasons = Vec::new();
        let aligned = match request.prior {
            Some(prior) => {
                let before = self.fields.before(&prior.attributes, config);
                let (attributes, reason) = K::compared(cx, before, config).await;
                reasons.extend(reason);
                Some(Instance { attributes, ..prior.clone() })
            }
            None => None,
        };
        let request = PlanRequest { config, prior: aligned.as_ref(), ..request };
        let mut response = plan_by_schema(&self.fields.schema, &request);
        let prior = request.prior.map(|prior| &prior.attributes);
        if response.effect == Effect::Update
            && let Some(prior) = prior
        {
            reasons.extend(K::replaces(prior, &response.planned));
        }
        let private = request.prior.map(Private::of).unwrap_or_default();
        if private.is_unfinished && matches!(response.effect, Effect::NoOp | Effect::Update) {
            match private.failure {
                Some(ref failure) => reasons.push(Reason::new(format!("its creation came to nothing: {failure}"))),
                None => {
                    response.effect = Effect::Update;
                    response.reasons.push(Reason::new("its creation was interrupted, and is brought to an end"));
                }
            }
        }
        if !reasons.is_empty() {
            response = plan_by_schema(&self.fields.schema, &PlanRequest { replace: true, ..request });
            // Why it was asked for is known here.
            response.reasons.splice(..1, reasons);
        }
        let region = self.cloud.as_ref().and_then(|cloud| cloud.region());
        match response.effect {
            Effect::Create | Effect::Replace => {
                if self.fields.has_region() && config.set_attribute("region").is_none() && self.cloud.is_some() {
                    response.planned = response.planned.with_attribute("region", optional_text(region));
                }
                response.private = Json::Null;
            }
            Effect::Update => {
                let before = prior.cloned().unwrap_or_else(Value::null);
                response.planned = self.fields.with_moving_unknown(response.planned, config, &before);
                if private.is_unfinished {
                    response.planned = self.fields.with_nulls_unknown(response.planned, config);
                }
            }
            Effect::NoOp | Effect::Run | Effect::RunIfChanged => {}
        }
        if let (Effect::Replace, Some(prior)) = (response.effect, prior) {
            let wrong = K::judge_replacement(prior, &response.planned);
            if wrong.has_errors() {
                return Err(wrong);
            }
        }
        let before = prior.filter(|_| response.effect == Effect::Update);
        if response.effect != Effect::NoOp {
            response.planned = K::refine(response.planned, config, before);
        }
        Ok(response)
    }

    async fn create(&self, cx: &Cx, planned: &Instance) -> ApplyOutcome {
        match self.place(cx, &planned.attributes).await {
            Ok(at) => {
                let _turn = at.turn(K::alone(&planned.attributes, None)).await;
                self.make(&at, &planned.attributes).await
            }
            Err(problems) => ApplyOutcome::failed(None, problems),
        }
    }

    async fn update(&self, cx: &Cx, prior: &Instance, planned: &Instance) -> ApplyOutcome {
        let changed = async {
            let at = self.place(cx, &prior.attributes).await?;
            let _turn = at.turn(K::alone(&prior.attributes, Some(id_of(prior)))).await;
            match self.change(&at, id_of(prior), prior, &planned.attributes).await {
                Ok(instance) => Ok(ApplyOutcome::done(instance)),
                Err(problems) => {
                    // Some of it may have been changed: what is there now is what counts.
                    let now = self.read(cx, prior).await;
                    let instance = match now {
                        Ok(ReadOutcome::Present { instance, .. }) => *instance,
                        Ok(ReadOutcome::Gone) | Err(_) => prior.clone(),
                    };
                    Ok(ApplyOutcome::failed(Some(instance), problems))
                }
            }
        };
        changed.await.unwrap_or_else(|problems: Diagnostics| ApplyOutcome::failed(Some(prior.clone()), problems))
    }

    async fn delete(&self, cx: &Cx, prior: &Instance) -> ApplyOutcome {
        let removed = async {
            let at = self.place(cx, &prior.attributes).await?;
            let _turn = at.turn(K::alone(&prior.attributes, Some(id_of(prior)))).await;
            self.remove(&at, id_of(prior), &prior.attributes).await
        };
        match removed.await {
            Ok(()) => ApplyOutcome::gone(),
            Err(problems) => ApplyOutcome::failed(Some(prior.clone()), problems),
        }
    }

    async fn find(&self, cx: &Cx, intent: &Intent) -> Result<Found, Diagnostics> {
        if matches!(self.calls().get(&cx.token), Some(Call::GivenUp(_))) {
            // It is known what became of the call, and that it is not over.
            let detail = "The call was given up while it went on. The next run finds out what became of it.";
            return Err(Diagnostic::error("Call not over", detail).into());
        }
        if matches!(self.calls().get(&cx.token), Some(Call::Refused)) {
            // What is there and looks like it is somebody else's.
            return Ok(Found::None);
        }
        self.find_again(cx, intent).await
    }

    async fn import(&self, cx: &Cx, id: &str) -> Result<Option<Instance>, Diagnostics> {
        let (id, known) = K::imported(id)?;
        let names = self.fields.schema.attributes.keys().chain(self.fields.schema.blocks.keys());
        let nothing = Value::object(names.map(|name| (name.clone(), self.fields.nothing(name))).collect::<Vec<_>>());
        let known = known.into_iter().fold(nothing, |known, (name, value)| known.with_attribute(name, value));
        let at = self.place(cx, &known).await?;
        let found = K::look(&at, &id, &known).await.map_err(|fault| fault.told(READING_FAILED))?;
        let Some(object) = found else { return Ok(None) };
        let mut observed = self.observed(&at, &id, &object, &known).await?;
        observed.extend(K::issue(&at, &id, &object).await.map_err(|fault| fault.told(READING_FAILED))?);
        Ok(Some(self.instance(self.fields.seen(&known, &observed), &Private::default())))
    }
}

fn id_of(instance: &Instance) -> &str {
    text(&instance.attributes, "id").unwrap_or_default()
}

pub(crate) fn not_configured<C: Cloud>() -> Diagnostics {
    let name = C::NAME;
    let detail = format!(
        "A kind of {name} was asked for an object before it was told of which cloud. This is a mistake in pipectl."
    );
    Diagnostic::error("Provider not configured", detail).into()
}

/// Whether a call ended because it was not waited for any longer, and not because something is wrong.
fn is_given_up(problems: &Diagnostics) -> bool {
    problems.iter().any(pipectl_provider::waiting::is_given_up)
}
