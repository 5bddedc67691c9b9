//! Where a service answers, as kinds use it: objects know the version that was seen, and errors are faults.

use std::time::Duration;

use pipectl_http::{Answer, Call, Method};
use pipectl_oci_client::{Failed, Refusal, retry_token};
use pipectl_provider::Cx;
use serde_json::Value as Json;

use crate::kind::Fault;

/// The member that an object's entity tag is kept in.
pub(crate) const ETAG: &str = "etag";

/// How often, and after which pauses, something is asked for again that another operation is in the way of.
const TRIES: u32 = 8;
const PAUSE: Duration = Duration::from_secs(2);

/// Where a service answers.
pub(crate) struct Endpoint(pub(crate) pipectl_oci_client::Endpoint);

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
        for _ in 1..TRIES {
            match self.0.send(call).await {
                Err(Failed::Call(error)) if Refusal::is(&error, "IncorrectState") => tokio::time::sleep(PAUSE).await,
                done => return done.map_err(fault),
            }
        }
        self.0.send(call).await.map_err(fault)
    }

    /// Makes something at most once, however often the call of `cx` is made.
    pub(crate) async fn make(&self, cx: &Cx, path: &[&str], body: &Json) -> Result<Answer, Fault> {
        let token = retry_token(&format!("{} {}", cx.token, path.join("/")), body.to_string().as_bytes());
        self.send(&self.0.once(self.call(Method::POST, path, &[]).json(body), &token)).await
    }

    /// Changes the version of an object that was seen.
    pub(crate) async fn change(
        &self,
        method: Method,
        path: &[&str],
        body: &Json,
        etag: Option<&str>,
    ) -> Result<Answer, Fault> {
        self.send(&self.0.only_if(self.call(method, path, &[]).json(body), etag)).await
    }

    /// Asks for a removal: what the service answers. Already gone is success.
    pub(crate) async fn remove(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Option<Answer>, Fault> {
        match self.0.send(&self.call(Method::DELETE, path, query)).await {
            Ok(answer) => Ok(Some(answer)),
            Err(failed) => {
                let fault = fault(failed);
                match fault.status() {
                    Some(pipectl_http::StatusCode::NOT_FOUND) => Ok(None),
                    _ => Err(fault),
                }
            }
        }
    }
}
