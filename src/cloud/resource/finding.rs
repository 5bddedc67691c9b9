//! Finding again what a call has made whose answer was lost.
//!
//! Where the id was recorded, it is that object. Else it is one that could be made with the same arguments, that nobody knows yet, and that is
//! not older than the call. Times are the cloud's: how far the two clocks are apart is read from its answers.

use std::time::{Duration, SystemTime};

use pipectl_core::{Diagnostic, Diagnostics, Value};
use pipectl_provider::waiting::{Look, Wait};
use pipectl_provider::{ApplyOutcome, Cx, Found, Instance, Intent};
use serde_json::{Value as Json, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::private::Private;
use super::{Call, KindResource, is_given_up};
use crate::settling::{READING_FAILED, SHOWS_WITHIN};
use crate::{Cloud, Condition, Fault, Kind, Place};

/// Services tell times to the second, and so does the intent.
const GRAIN: Duration = Duration::from_secs(2);

/// How often, and after which pauses, an object is looked for that a service may not show yet.
const LOOKS: u32 = 4;
const PAUSE: Duration = Duration::from_secs(1);

impl<K: Kind> KindResource<K> {
    pub(super) async fn find_again(&self, cx: &Cx, intent: &Intent) -> Result<Found, Diagnostics> {
        let told = |fault: Fault<K::Cloud>| fault.told(READING_FAILED);
        let known = self.arguments(&intent.arguments);
        let at = self.place(cx, &known).await?;
        // Only what is made at leisure comes to light at leisure.
        let looks = if K::IS_SLOW { LOOKS } else { 1 };
        let mut found = Candidates::default();
        for look in 0..looks {
            if look > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            found = self.search(&at, intent, &known).await.map_err(told)?;
            let is_recent = intent.began.is_some_and(|began| cx.environment.now() < began + Duration::from_secs(60));
            if !found.all.is_empty() || !is_recent {
                break;
            }
        }
        let unanswered = self.unanswered(cx, intent);
        match found.all.as_slice() {
            [] => Ok(Found::None),
            [(id, object)] if found.is_certain => {
                let lost = K::lost(&intent.arguments);
                let instance = match (unanswered, lost) {
                    // What needs it in this run would go on without it.
                    (Some(_), Some(lost)) => return Err(unusable::<K>(id, &lost)),
                    // The run that made it is still there, and others wait for it.
                    (Some(planned), None) => {
                        // From here on it is known which one it is: nobody has to wait until it is done.
                        at.cx.record(json!({ "id": id }));
                        let instance = self.complete(&at, id, &planned, Some(object.clone())).await?;
                        self.calls().remove(&cx.token);
                        instance
                    }
                    (None, lost) => self.found(&at, (id.as_str(), object), &known, lost).await?,
                };
                Ok(Found::One(Box::new(instance)))
            }
            several => Ok(Found::Ambiguous(several.iter().map(|(id, _)| id.clone()).collect())),
        }
    }

    /// What a call of this run was to make whose answer was lost. It keeps what is asked about it.
    fn unanswered(&self, cx: &Cx, intent: &Intent) -> Option<Value> {
        match self.calls().get_mut(&cx.token) {
            Some(Call::Unanswered { planned, intent: kept }) => {
                *kept = Some(Box::new(intent.clone()));
                Some(planned.clone())
            }
            Some(Call::GivenUp(_) | Call::Refused) | None => None,
        }
    }

    /// A call is to be repeated whose answer was lost: looks for what it has made until that must have come to light, and never makes a second one.
    pub(super) async fn find_late(
        &self,
        at: &Place<'_, K::Cloud>,
        planned: Value,
        intent: Option<Box<Intent>>,
    ) -> ApplyOutcome {
        let found = match &intent {
            Some(intent) => self.search_long(at, intent).await,
            None => Err(unseen::<K>()),
        };
        let lost = intent.as_ref().and_then(|intent| K::lost(&intent.arguments));
        let whole = match (found, lost) {
            (Ok((id, _)), Some(lost)) => Err(unusable::<K>(&id, &lost)),
            (Ok((id, object)), None) => self.complete(at, &id, &planned, Some(object)).await,
            (Err(problems), _) => Err(problems),
        };
        whole.map_or_else(
            |problems| {
                self.calls().insert(at.cx.token.clone(), Call::Unanswered { planned, intent });
                ApplyOutcome::failed(None, problems)
            },
            ApplyOutcome::done,
        )
    }

    async fn search_long(&self, at: &Place<'_, K::Cloud>, intent: &Intent) -> Result<(String, Json), Diagnostics> {
        let known = &self.arguments(&intent.arguments);
        let look = || async move {
            let mut found = self.search(at, intent, known).await.map_err(|fault| fault.told(READING_FAILED))?;
            match (found.all.pop(), found.all.is_empty() && found.is_certain) {
                (Some(only), true) => Ok(Look::Done(only)),
                (Some(_), false) => Err(unseen::<K>()),
                (None, _) => Ok(Look::Pending("not to be seen yet".to_owned())),
            }
        };
        let what = format!("the {} of a call whose answer was lost", K::NOUN);
        let wait = Wait { longest: Duration::from_secs(2), ..Wait::at_most(SHOWS_WITHIN) };
        let given_up = |problems: Diagnostics| if is_given_up(&problems) { unseen::<K>() } else { problems };
        wait.until(at.cx, &what, look).await.map_err(given_up)
    }

    /// What the call of an intent may have made: by the id that was recorded, or by all that is known.
    async fn search(
        &self,
        at: &Place<'_, K::Cloud>,
        intent: &Intent,
        known: &Value,
    ) -> Result<Candidates, Fault<K::Cloud>> {
        match K::recorded(at, &intent.recorded).await? {
            Some(id) => {
                let found = K::look(at, &id, known).await?;
                Ok(Candidates { all: found.into_iter().map(|object| (id.clone(), object)).collect(), is_certain: true })
            }
            None => self.candidates(at, intent, known).await,
        }
    }

    /// What an intent says of the arguments, as an object of all attributes.
    fn arguments(&self, arguments: &Json) -> Value {
        let names = self.fields.schema.attributes.keys().chain(self.fields.schema.blocks.keys());
        let one = |name: &String| {
            let given = arguments.get(name);
            (name.clone(), given.map_or_else(|| self.fields.nothing(name), |json| self.fields.written(name, json)))
        };
        Value::object(names.map(one).collect::<Vec<_>>())
    }

    async fn candidates(
        &self,
        at: &Place<'_, K::Cloud>,
        intent: &Intent,
        known: &Value,
    ) -> Result<Candidates, Fault<K::Cloud>> {
        let before = intent.recorded.get("before").cloned().unwrap_or_default();
        let listed = K::candidates(at, &intent.arguments, &before).await?;
        let began = intent.began.map(|began| at.cloud.clocks().there(began) - GRAIN);
        let is_named = K::is_named(&intent.arguments);
        let mut found = Candidates { all: Vec::new(), is_certain: true };
        for object in listed {
            let Some(id) = K::id(&object).filter(|id| !intent.known.contains(id)) else { continue };
            // Lists may leave out what tells one from another.
            let whole = K::look(at, &id, known).await?;
            let Some(whole) = whole else { continue };
            let created = created(K::Cloud::CREATED, &whole);
            let is_new = match (began, created) {
                (Some(began), Some(created)) => is_named || created >= began,
                _ => true,
            };
            if is_new && self.fields.fits(&intent.arguments, &self.fields.observed(&whole)?) {
                // Where neither its age nor what was there before tells, it may be somebody else's.
                found.is_certain &= is_named || !before.is_null() || created.is_some() && began.is_some();
                found.all.push((id, whole));
            }
        }
        Ok(found)
    }

    async fn found(
        &self,
        at: &Place<'_, K::Cloud>,
        (id, object): (&str, &Json),
        known: &Value,
        lost: Option<String>,
    ) -> Result<Instance, Diagnostics> {
        let observed = self.observed(at, id, object, known).await?;
        let condition = K::condition(object);
        let is_whole = !K::ISSUES && !K::leaves(known) && lost.is_none() && condition == Condition::Ready;
        let private = if is_whole { Private::default() } else { Private::unfinished(&condition, lost) };
        Ok(self.instance(self.fields.seen(known, &observed), &private))
    }
}

/// What an announced call may have made, by id.
#[derive(Default)]
struct Candidates {
    all: Vec<(String, Json)>,
    /// Whether nothing else can be one of them than what the call has made.
    is_certain: bool,
}

fn unusable<K: Kind>(id: &str, lost: &str) -> Diagnostics {
    let detail =
        format!("The {} `{id}` was made, but the answer was lost, and {lost}. The next run makes it anew.", K::NOUN);
    Diagnostic::error("Answer lost", detail).into()
}

fn unseen<K: Kind>() -> Diagnostics {
    let detail = format!(
        "The answer to an earlier call of this run was lost, and nothing tells whether it has made a {}. It is not made a second time.",
        K::NOUN
    );
    let hint = "Run the same command again: it looks for what was made, and makes it if there is none.";
    Diagnostic::error("Answer lost", detail).hint(hint).into()
}

/// When an object was made: in UTC, with or without saying so.
fn created(members: &[&str], object: &Json) -> Option<SystemTime> {
    let text =
        members.iter().find_map(|path| path.split('.').try_fold(object, |object, name| object.get(name))?.as_str())?;
    time_of(text)
}

/// A time as services write it.
pub fn time_of(text: &str) -> Option<SystemTime> {
    if let Ok(time) = OffsetDateTime::parse(text, &Rfc3339) {
        return Some(time.into());
    }
    let utc = format!("{}Z", text.replacen(' ', "T", 1));
    OffsetDateTime::parse(&utc, &Rfc3339).ok().map(SystemTime::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn created(object: &Json) -> Option<SystemTime> {
        super::created(&["created_at", "created"], object)
    }

    #[test]
    fn times_are_told_in_several_ways() {
        let expected = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_453_112);
        for text in ["2026-11-23T17:00:00+01:00", "2026-11-23T16:58:32Z"] {
            assert!(created(&json!({ "created_at": text })).is_some(), "{text}");
        }
        for text in ["2026-11-23T16:58:32Z", "2026-11-23T16:58:32", "2026-11-23 16:58:32", "2026-11-23T16:58:32+00:00"]
        {
            assert_eq!(created(&json!({ "created_at": text })), Some(expected), "{text}");
        }
        assert_eq!(created(&json!({ "created": "2026-11-23T16:58:32Z" })), Some(expected));
        assert_eq!(created(&json!({ "created_at": null })), None);
        let inside =
            super::created(&["made", "metadata.made"], &json!({ "metadata": { "made": "2026-11-23T16:58:32Z" } }));
        assert_eq!(inside, Some(expected));
    }
}
