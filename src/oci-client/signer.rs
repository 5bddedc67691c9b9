//! Signs requests as somebody: what it needs for that is asked for once, shared by all calls, and renewed before and after it has ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use pipectl_http::header::{AUTHORIZATION, HeaderValue};
use pipectl_http::{Authorize, Denied, Request};

use crate::credential::Held;
use crate::{Credential, Identity, signature};

/// How long nobody asks for a new token again after that failed, while the old one holds.
const PAUSE: Duration = Duration::from_secs(10);

/// How long a call waits for a new token while the old one holds.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) type Clock = dyn Fn() -> SystemTime + Send + Sync;

/// Signs requests as somebody.
pub struct Signer {
    credential: Credential,
    now: Arc<Clock>,
    held: Mutex<Option<Held>>,
    /// Held while a token is asked for, so that many calls at once ask once.
    renewal: tokio::sync::Mutex<()>,
}

impl Signer {
    /// Signs with a credential. `now` tells the time, which is part of each signature.
    pub fn new(credential: Credential, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self { credential, now: Arc::new(now), held: Mutex::new(None), renewal: tokio::sync::Mutex::new(()) }
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

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is held, and whether it is to be renewed; nothing when it has ended.
    fn good(&self) -> Option<(Arc<Identity>, bool)> {
        let now = (self.now)();
        let held = self.held();
        let good = held.as_ref().filter(|held| held.life.is_none_or(|life| now < life.end))?;
        Some((Arc::clone(&good.identity), good.life.is_some_and(|life| life.renewal <= now)))
    }

    async fn current(&self) -> Result<Arc<Identity>, Denied> {
        let old = match self.good() {
            Some((identity, false)) => return Ok(identity),
            Some((identity, true)) => Some(identity),
            None => None,
        };
        let turn = match (&old, self.renewal.try_lock()) {
            (_, Ok(turn)) => turn,
            // Somebody else asks for a new one, and the old one holds.
            (Some(old), Err(_)) => return Ok(Arc::clone(old)),
            (None, Err(_)) => self.renewal.lock().await,
        };
        // Somebody else may have asked meanwhile.
        if let Some((identity, false)) = self.good() {
            return Ok(identity);
        }
        let asked = self.credential.identity(&self.now);
        let new = match old {
            None => asked.await?,
            Some(old) => match tokio::time::timeout(PATIENCE, asked).await {
                Ok(Ok(new)) => new,
                Ok(Err(_)) | Err(_) => {
                    // It holds: why there is no new one is told when it has ended.
                    let later = (self.now)() + PAUSE;
                    if let Some(life) = self.held().as_mut().and_then(|held| held.life.as_mut()) {
                        life.renewal = later;
                    }
                    return Ok(old);
                }
            },
        };
        let identity = Arc::clone(&new.identity);
        *self.held() = Some(new);
        drop(turn);
        Ok(identity)
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
        let identity = self.current().await?;
        put(request, &identity, (self.now)())
    }

    async fn renew(&self, refused: &Request) -> bool {
        if !self.credential.can_be_renewed() {
            return false;
        }
        let mut held = self.held();
        let used = refused.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_held = |held: &Held| used.contains(&format!("keyId=\"{}\"", held.identity.key_id));
        if held.as_ref().is_some_and(is_held) {
            *held = None;
        }
        true
    }
}

/// Signs as somebody for one call, each attempt with the time that it is then.
pub(crate) struct Fixed {
    pub(crate) identity: Identity,
    pub(crate) now: Arc<Clock>,
}

#[async_trait]
impl Authorize for Fixed {
    async fn authorize(&self, request: &mut Request) -> Result<(), Denied> {
        put(request, &self.identity, (self.now)())
    }
}
