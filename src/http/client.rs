//! Sends calls until there is an answer.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Request, StatusCode};
use tracing::{debug, trace};

use crate::answer::request_id;
use crate::authorize::Anonymous;
use crate::error::{Place, may_have_acted};
use crate::pieces::{Movement, Pieces};
use crate::{Answer, Authorize, Call, Error, Failure, Pace, Retry, Settings, SettingsError, redact};

const LOG: &str = "pipectl::http";

type Clock = dyn Fn() -> SystemTime + Send + Sync;

/// Sends calls. Clones share connections and pace.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    authority: Arc<dyn Authorize>,
    retry: Retry,
    pace: Pace,
    timeout: Option<Duration>,
    now: Arc<Clock>,
}

/// What the server answered: status, header fields, body.
type Reply = (StatusCode, HeaderMap, Bytes);

impl Client {
    /// A client that signs nothing. `now` tells the time, to which servers that are busy may refer.
    ///
    /// # Errors
    /// When certificates or proxies of the settings cannot be used.
    pub fn new(
        settings: &Settings,
        now: impl Fn() -> SystemTime + Send + Sync + 'static,
    ) -> Result<Self, SettingsError> {
        Ok(Self {
            http: settings.client()?,
            authority: Arc::new(Anonymous),
            retry: settings.retry,
            pace: settings.pace.clone(),
            timeout: settings.timeout,
            now: Arc::new(now),
        })
    }

    /// The same client, with calls signed. They share connections and pace.
    #[must_use]
    pub fn signing_with(&self, authority: Arc<dyn Authorize>) -> Self {
        Self { authority, ..self.clone() }
    }

    /// Sends a call until it succeeds, or until trying again is of no use or could do harm.
    ///
    /// Dropping the future ends it where it is; the server may have acted then.
    ///
    /// # Errors
    /// Of the last attempt: see [`Failure`]. An answer of anything else than 2xx is an error.
    pub async fn send(&self, call: &Call) -> Result<Answer, Error> {
        self.ask(call).await?.success()
    }

    /// Sends a call about something that may not exist: 404 is `None`.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn look(&self, call: &Call) -> Result<Option<Answer>, Error> {
        let answer = self.ask(call).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            _ => answer.success().map(Some),
        }
    }

    /// Sends a call as [`Client::send`] does, and gives the last answer whatever its status.
    ///
    /// # Errors
    /// Where there was no answer the last time.
    pub async fn ask(&self, call: &Call) -> Result<Answer, Error> {
        let place = Place::of(&call.method, &call.url);
        let mut waits = self.retry.waits();
        let mut attempts = 0;
        let mut has_renewed = false;
        let mut may_have_acted_before = false;
        loop {
            attempts += 1;
            let outcome = self.attempt(call, &mut has_renewed, &place).await;
            let is_worthwhile = match &outcome {
                Ok((status, ..)) => call.repeat.after_status(*status),
                Err(failure) => call.repeat.after(failure),
            };
            if let Some(wait) = waits.next().filter(|_| is_worthwhile) {
                let asked =
                    outcome.as_ref().ok().and_then(|(_, headers, _)| self.retry.asked_wait(headers, (self.now)()));
                let wait = asked.unwrap_or(wait);
                debug!(target: LOG, "{} {} again in {} ms", place.method, call.url.origin().ascii_serialization(), wait.as_millis());
                may_have_acted_before |= match &outcome {
                    Ok((status, ..)) => may_have_acted(*status),
                    Err(failure) => failure.may_have_acted(),
                };
                tokio::time::sleep(wait).await;
                continue;
            }
            let is_private = call.is_private;
            return match outcome {
                Ok((status, headers, body)) => {
                    Ok(Answer { status, headers, body, attempts, place, is_private, may_have_acted_before })
                }
                Err(failure) => Err(Error { place, request_id: None, attempts, may_have_acted_before, failure }),
            };
        }
    }

    /// Sends a call once; a second time where its credentials were refused and there are new ones.
    async fn attempt(&self, call: &Call, has_renewed: &mut bool, place: &Place) -> Result<Reply, Failure> {
        loop {
            // Signing may send requests of its own, which need turns, too.
            let request = self.request(call).await?;
            let sent = request.try_clone().expect("a body of bytes can be sent again");
            let turn = self.pace.turn().await;
            let reply = self.exchange(request, call, place).await?;
            drop(turn);
            if reply.0 != StatusCode::UNAUTHORIZED || *has_renewed || !self.authority.renew(&sent).await {
                return Ok(reply);
            }
            *has_renewed = true;
        }
    }

    async fn request(&self, call: &Call) -> Result<Request, Failure> {
        let mut builder = self.http.request(call.method.clone(), call.url.clone()).headers(call.headers.clone());
        if let Some(limit) = call.timeout.or(self.timeout).filter(|_| call.idle_timeout.is_none()) {
            builder = builder.timeout(limit);
        }
        if let Some(body) = &call.body {
            builder = builder.body(body.clone());
        }
        let mut request = builder.build().map_err(|error| Failure::Malformed(error.without_url()))?;
        self.authority.authorize(&mut request).await.map_err(Failure::Denied)?;
        Ok(request)
    }

    async fn exchange(&self, mut request: Request, call: &Call, place: &Place) -> Result<Reply, Failure> {
        let shown = |body: &[u8]| redact::body_of(body, call.is_private);
        let url = if call.is_private { call.url.origin().ascii_serialization() } else { place.url.clone() };
        let method = &place.method;
        let body = call.body.as_deref().unwrap_or_default();
        trace!(target: LOG, "{method} {url}\n{}\n\n{}", redact::headers(request.headers()), shown(body));
        let began = Instant::now();
        let movement = Movement::new();
        if let (Some(body), Some(_)) = (&call.body, call.idle_timeout) {
            // What was signed are the same bytes.
            *request.body_mut() = Some(reqwest::Body::wrap(Pieces::of(body.clone(), &movement)));
        }
        let reply = async {
            let response = self.http.execute(request).await?;
            let (status, headers) = (response.status(), response.headers().clone());
            Ok((status, headers, response.bytes().await?))
        };
        let reply = match call.idle_timeout {
            Some(longest) => match movement.watch(longest, reply).await {
                Some(reply) => reply.map_err(failure),
                None => Err(Failure::TimedOut),
            },
            None => reply.await.map_err(failure),
        };
        let taken = began.elapsed().as_millis();
        match &reply {
            Ok((status, headers, body)) => {
                let id = request_id(headers).map(|id| format!(", request {id}")).unwrap_or_default();
                debug!(target: LOG, "{method} {url} -> {} in {taken} ms{id}", status.as_u16());
                trace!(target: LOG, "{status}\n{}\n\n{}", redact::headers(headers), shown(body));
            }
            Err(failure) => debug!(target: LOG, "{method} {url}: {failure}, after {taken} ms"),
        }
        reply
    }
}

/// What became of a request that has no answer.
fn failure(error: reqwest::Error) -> Failure {
    // The URL may hold a credential.
    let error = error.without_url();
    if error.is_builder() {
        Failure::Malformed(error)
    } else if error.is_redirect() {
        Failure::Redirected(error)
    } else if error.is_connect() {
        Failure::Unreachable(error)
    } else if error.is_timeout() {
        Failure::TimedOut
    } else {
        Failure::Broken(error)
    }
}
