//! Finding again what a call has made whose answer was lost.
//!
//! Where the id was recorded, it is that object. Else it is one that could be made with the same arguments, that nobody knows yet, and that is
//! not older than the call. Times are the cloud's: how far the two clocks are apart is read from its answers.

use std::time::{Duration, SystemTime};

use pipectl_core::{Diagnostics, Value};
use pipectl_provider::{Cx, Found, Instance, Intent};
use serde_json::Value as Json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::private::Private;
use super::{Call, KindResource};
use crate::settling::READING_FAILED;
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
        let mut found = Vec::new();
        for look in 0..looks {
            if look > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            found = match K::recorded(&at, &intent.recorded).await.map_err(told)? {
                Some(id) => K::look(&at, &id, &known)
                    .await
                    .map_err(told)?
                    .into_iter()
                    .map(|object| (id.clone(), object))
                    .collect(),
                None => self.candidates(&at, intent, &known).await.map_err(told)?,
            };
            let is_recent = intent.began.is_some_and(|began| cx.environment.now() < began + Duration::from_secs(60));
            if !found.is_empty() || !is_recent {
                break;
            }
        }
        match found.as_slice() {
            [] => Ok(Found::None),
            [(id, object)] => {
                let unanswered = match self.calls().remove(&cx.token) {
                    Some(Call::Unanswered(planned)) => Some(planned),
                    Some(Call::GivenUp(_)) | None => None,
                };
                let lost = K::lost(&intent.arguments);
                let instance = match unanswered.filter(|_| lost.is_none()) {
                    // The run that made it is still there, and others wait for it.
                    Some(planned) => self.complete(&at, id, &planned, Some(object.clone())).await?,
                    None => self.found(&at, (id.as_str(), object), &known, lost).await?,
                };
                Ok(Found::One(Box::new(instance)))
            }
            several => Ok(Found::Ambiguous(several.iter().map(|(id, _)| id.clone()).collect())),
        }
    }

    /// What an intent says of the arguments, as an object of all attributes.
    fn arguments(&self, arguments: &Json) -> Value {
        let names = self.fields.schema.attributes.iter();
        let attributes = names.map(|(name, attribute)| {
            let given = arguments.get(name).and_then(|json| pipectl_core::json::from_json_as(json, &attribute.ty).ok());
            (name.clone(), given.unwrap_or_else(|| self.fields.nothing(name)))
        });
        let blocks = self.fields.schema.blocks.keys().map(|name| {
            let given = arguments.get(name).filter(|json| !json.is_null()).map(pipectl_core::json::from_json);
            (name.clone(), given.unwrap_or_else(|| self.fields.nothing(name)))
        });
        Value::object(attributes.chain(blocks).collect::<Vec<_>>())
    }

    async fn candidates(
        &self,
        at: &Place<'_, K::Cloud>,
        intent: &Intent,
        known: &Value,
    ) -> Result<Vec<(String, Json)>, Fault<K::Cloud>> {
        let before = intent.recorded.get("before").cloned().unwrap_or_default();
        let listed = K::candidates(at, &intent.arguments, &before).await?;
        let began = intent.began.map(|began| at.cloud.clocks().there(began) - GRAIN);
        let mut found = Vec::new();
        for object in listed {
            let Some(id) = K::id(&object).filter(|id| !intent.known.contains(id)) else { continue };
            // Lists may leave out what tells one from another.
            let whole = K::look(at, &id, known).await?;
            let Some(whole) = whole else { continue };
            let is_new = match (began, created(K::Cloud::CREATED, &whole)) {
                (Some(began), Some(created)) => created >= began,
                _ => true,
            };
            if is_new && self.fields.fits(&intent.arguments, &self.fields.observed(&whole)?) {
                found.push((id, whole));
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

/// When an object was made: in UTC, with or without saying so.
fn created(members: &[&str], object: &Json) -> Option<SystemTime> {
    let text = members.iter().find_map(|name| object.get(*name)?.as_str())?;
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
    }
}
