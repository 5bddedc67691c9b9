//! Where a service answers, as kinds use it: objects know the version that was seen, and errors are faults.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pipectl_cloud::settling::SHOWS_WITHIN;
use pipectl_http::{Answer, Call, Method, Repeat, StatusCode};
use pipectl_oci_client::{Failed, Refusal, retry_token};
use pipectl_provider::Cx;
use serde_json::Value as Json;

use crate::kind::{Fault, text};
use crate::recent::Recent;

/// The member that an object's entity tag is kept in.
pub(crate) const ETAG: &str = "etag";

/// What the services say when another operation is in the way.
const IN_THE_WAY: [&str; 3] = ["IncorrectState", "Conflict", "ExternalServerIncorrectState"];

/// What they say of something that is not there, and perhaps only not to be seen yet where they look.
const NOT_SEEN: [&str; 2] = ["NotAuthorizedOrNotFound", "BucketNotFound"];

/// For how long, and after which pauses, something is asked for again that another operation is in the way of.
const IN_THE_WAY_FOR: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_secs(2);

/// How often something is made anew that is gone, while OCI remembers that it was made: a day.
pub(crate) const TIMES: u32 = 20;

fn says(fault: &Fault, codes: &[&str]) -> bool {
    fault.error().is_some_and(|error| codes.iter().any(|code| Refusal::is(error, code)))
}

/// Whether a token stands for something that is gone.
pub(crate) fn is_used_up(fault: &Fault) -> bool {
    says(fault, &["InvalidatedRetryToken"])
}

/// What became of a change of the version of an object that was seen.
pub(crate) enum Change {
    /// The service has answered.
    Answered(Answer),
    /// The object is of another version by now. It may be the one that an earlier try has made, whose answer was lost.
    Perhaps(Fault),
}

/// Where a service answers, and what was made a short time ago.
pub(crate) struct Endpoint(pub(crate) pipectl_oci_client::Endpoint, pub(crate) Arc<Recent>);

/// Why a call has no answer that is of use, as kinds tell it.
pub(crate) fn fault(failed: Failed) -> Fault {
    match failed {
        Failed::Call(error) => (*error).into(),
        Failed::Clock(skew) => skew.diagnostic().into(),
    }
}

impl Endpoint {
    pub(crate) fn call(&self, method: Method, path: &[&str], query: &[(&str, &str)]) -> Call {
        self.0.call(method, path, query)
    }

    /// An object, with its entity tag as a member, or nothing.
    pub(crate) async fn look(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Option<Json>, Fault> {
        let Some(seen) = self.0.look(&self.call(Method::GET, path, query)).await.map_err(fault)? else {
            return Ok(None);
        };
        let mut object = seen.object;
        if let (Some(etag), Json::Object(members)) = (seen.etag, &mut object) {
            members.insert(ETAG.to_owned(), etag.into());
        }
        Ok(Some(object))
    }

    pub(crate) async fn list(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Vec<Json>, Fault> {
        self.0.list(path, query).await.map_err(fault)
    }

    /// Sends a call. What another operation is in the way of is asked for again for a while.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, Fault> {
        self.insist(call, |fault, waited| says(fault, &IN_THE_WAY) && waited < IN_THE_WAY_FOR).await
    }

    /// The same for a call that makes something of what may have been made a moment ago, and is not to be seen everywhere yet. `words` are those of the
    /// call: of what nobody has made a moment ago it is heard at once that it is not there.
    pub(crate) async fn send_new(&self, call: &Call, words: &str) -> Result<Answer, Fault> {
        let is_recent = self.1.is_named_in(words);
        let passes = |fault: &Fault, waited| match says(fault, &NOT_SEEN) {
            true => is_recent && waited < SHOWS_WITHIN,
            false => says(fault, &IN_THE_WAY) && waited < IN_THE_WAY_FOR,
        };
        self.insist(call, passes).await
    }

    /// Sends a call until it is not refused any longer for what passes.
    async fn insist(&self, call: &Call, passes: impl Fn(&Fault, Duration) -> bool) -> Result<Answer, Fault> {
        let began = Instant::now();
        loop {
            match self.0.send(call).await.map_err(fault) {
                Err(fault) if passes(&fault, began.elapsed()) => tokio::time::sleep(PAUSE).await,
                done => return done,
            }
        }
    }

    /// Makes something at most once, however often the call of `cx` is made.
    pub(crate) async fn make(&self, cx: &Cx, path: &[&str], body: &Json) -> Result<Answer, Fault> {
        let mut time = 0;
        loop {
            match self.make_time(cx, path, body, time).await {
                // What an earlier call has made is gone: nothing is left that this could make twice.
                Err(fault) if is_used_up(&fault) && time < TIMES => time += 1,
                made => {
                    let id =
                        made.as_ref().ok().and_then(|answer| text(&serde_json::from_slice(&answer.body).ok()?, "id"));
                    if let Some(id) = id {
                        self.made(&id);
                    }
                    return made;
                }
            }
        }
    }

    /// Takes notice of what was made: for a short time a service may say that it is not there.
    pub(crate) fn made(&self, name: &str) {
        self.1.note(name);
    }

    /// The same as [`Endpoint::make`], for the so manyth time: what was made before is gone.
    pub(crate) async fn make_time(&self, cx: &Cx, path: &[&str], body: &Json, time: u32) -> Result<Answer, Fault> {
        let time = if time == 0 { String::new() } else { format!(" {time}") };
        let (place, words) = (path.join("/"), body.to_string());
        let token = retry_token(&format!("{} {place}{time}", cx.token), words.as_bytes());
        let call = self.0.once(self.call(Method::POST, path, &[]).json(body), &token);
        self.send_new(&call, &format!("{place} {words}")).await
    }

    /// Changes the version of an object that was seen. Where an earlier try may have done it, the object tells.
    pub(crate) async fn change(
        &self,
        method: Method,
        path: &[&str],
        body: &Json,
        etag: Option<&str>,
    ) -> Result<(), Fault> {
        self.change_to(method, path, body, etag, |object| holds(object, body)).await
    }

    /// The same, where `is_done` knows what the object tells then.
    pub(crate) async fn change_to(
        &self,
        method: Method,
        path: &[&str],
        body: &Json,
        etag: Option<&str>,
        is_done: impl Fn(&Json) -> bool,
    ) -> Result<(), Fault> {
        let Change::Perhaps(refused) = self.try_change(method, path, body, etag).await? else { return Ok(()) };
        match self.look(changed(path), &[]).await? {
            Some(object) if is_done(&object) => Ok(()),
            Some(_) | None => Err(refused),
        }
    }

    /// The same, where the object alone does not tell.
    pub(crate) async fn try_change(
        &self,
        method: Method,
        path: &[&str],
        body: &Json,
        etag: Option<&str>,
    ) -> Result<Change, Fault> {
        let began = Instant::now();
        let mut etag = etag.map(str::to_owned);
        let mut may_have_acted = false;
        loop {
            let call = self.0.only_if(self.call(method.clone(), path, &[]).json(body), etag.as_deref());
            // The version that was seen is changed only once, however often this is sent.
            let call = if etag.is_some() { call.repeat(Repeat::Safe) } else { call };
            let refused = match self.0.send(&call).await.map_err(fault) {
                Ok(answer) => return Ok(Change::Answered(answer)),
                Err(refused) => refused,
            };
            may_have_acted |= refused.may_have_acted();
            if says(&refused, &IN_THE_WAY) && began.elapsed() < IN_THE_WAY_FOR {
                tokio::time::sleep(PAUSE).await;
                // What was in the way leaves another version behind.
                if etag.is_some() && !may_have_acted {
                    etag = self.look(changed(path), &[]).await?.and_then(|object| text(&object, ETAG)).or(etag);
                }
                continue;
            }
            return match may_have_acted && refused.status() == Some(StatusCode::PRECONDITION_FAILED) {
                true => Ok(Change::Perhaps(refused)),
                false => Err(refused),
            };
        }
    }

    /// Asks for a removal.
    pub(crate) async fn remove(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Answer, Fault> {
        self.0.send(&self.call(Method::DELETE, path, query)).await.map_err(fault)
    }
}

/// The path of the object that a call changes.
fn changed<'a>(path: &'a [&'a str]) -> &'a [&'a str] {
    match path {
        [object @ .., "actions", _] => object,
        object => object,
    }
}

/// Whether an object is as it was asked to be: it may have more members. Nothing is told in several ways.
pub(crate) fn holds(object: &Json, asked: &Json) -> bool {
    let is_nothing = |json: &Json| match json {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(elements) => elements.is_empty(),
        Json::Object(members) => members.is_empty(),
        Json::Bool(_) | Json::Number(_) => false,
    };
    match (object, asked) {
        (_, asked) if is_nothing(asked) => is_nothing(object),
        (Json::Object(has), Json::Object(asked)) => {
            asked.iter().all(|(name, asked)| holds(has.get(name).unwrap_or(&Json::Null), asked))
        }
        (Json::Array(has), Json::Array(asked)) => {
            let mut left: Vec<&Json> = has.iter().collect();
            let is_there = |asked: &Json| {
                let place = left.iter().position(|has| holds(has, asked));
                place.map(|place| left.swap_remove(place)).is_some()
            };
            has.len() == asked.len() && asked.iter().all(is_there)
        }
        (Json::Number(has), Json::Number(asked)) => has.as_f64() == asked.as_f64(),
        (has, asked) => has == asked,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_that_is_as_it_was_asked_to_be_may_have_more() {
        let object = json!({ "name": "a", "size": 2.0, "tags": { "a": "b" }, "rules": [{ "to": "y", "id": 2 }, { "to": "x", "id": 1 }] });
        for asked in [
            json!({ "name": "a", "size": 2 }),
            json!({ "rules": [{ "to": "x" }, { "to": "y" }], "note": "" }),
            json!({ "tags": { "a": "b" }, "other": null }),
        ] {
            assert!(holds(&object, &asked), "{asked}");
        }
        for asked in [
            json!({ "name": "b" }),
            json!({ "size": 3 }),
            json!({ "rules": [{ "to": "x" }, { "to": "x" }] }),
            json!({ "rules": [{ "to": "x" }] }),
            json!({ "tags": {} }),
            json!({ "rules": null }),
        ] {
            assert!(!holds(&object, &asked), "{asked}");
        }
    }
}
