//! Signs requests as somebody: what it needs for that is asked for once, shared by all calls, and renewed before and after it has ended.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use pipectl_http::header::{AUTHORIZATION, HeaderValue};
use pipectl_http::{Authorize, Denied, Request};
use tokio::sync::Mutex;

use crate::credential::Held;
use crate::{Credential, Identity, signature};

/// A token that is about to end is not begun with.
const MARGIN: Duration = Duration::from_secs(60);

type Clock = dyn Fn() -> SystemTime + Send + Sync;

/// Signs requests as somebody.
pub struct Signer {
    credential: Credential,
    now: Arc<Clock>,
    /// Held while a token is asked for, so that many calls at once ask once.
    held: Mutex<Option<Arc<Held>>>,
}

impl Signer {
    /// Signs with a credential. `now` tells the time, which is part of each signature.
    pub fn new(credential: Credential, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self { credential, now: Arc::new(now), held: Mutex::new(None) }
    }

    /// The credential.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// What services know the signer by now. It holds a token, where it is not an API key.
    ///
    /// # Errors
    /// When no token is given.
    pub async fn check(&self) -> Result<(), Denied> {
        self.current().await.map(drop)
    }

    async fn current(&self) -> Result<Arc<Held>, Denied> {
        let mut held = self.held.lock().await;
        let now = (self.now)();
        let holds = |held: &&Arc<Held>| held.expires.is_none_or(|end| end > now + MARGIN);
        if let Some(held) = held.as_ref().filter(holds) {
            return Ok(Arc::clone(held));
        }
        let new = Arc::new(self.credential.identity(now).await?);
        *held = Some(Arc::clone(&new));
        Ok(new)
    }
}

fn put(request: &mut Request, identity: &Identity, now: SystemTime) -> Result<(), Denied> {
    let value = signature(identity, request, &httpdate::fmt_http_date(now));
    let mut value = HeaderValue::try_from(value)
        .map_err(|_| Denied::new("the signature is nothing that a header field can hold: is the key's id one?"))?;
    value.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, value);
    Ok(())
}

#[async_trait]
impl Authorize for Signer {
    async fn authorize(&self, request: &mut Request) -> Result<(), Denied> {
        let held = self.current().await?;
        put(request, &held.identity, (self.now)())
    }

    async fn renew(&self, refused: &Request) -> bool {
        if !self.credential.can_be_renewed() {
            return false;
        }
        let mut held = self.held.lock().await;
        let used = refused.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_held = |held: &Arc<Held>| used.contains(&format!("keyId=\"{}\"", held.identity.key_id));
        if held.as_ref().is_some_and(is_held) {
            *held = None;
        }
        true
    }
}

/// Signs as somebody for one request.
pub(crate) struct Fixed {
    pub(crate) identity: Identity,
    pub(crate) now: SystemTime,
}

#[async_trait]
impl Authorize for Fixed {
    async fn authorize(&self, request: &mut Request) -> Result<(), Denied> {
        put(request, &self.identity, self.now)
    }
}
