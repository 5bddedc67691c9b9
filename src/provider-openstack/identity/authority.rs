//! The token of a configuration: asked for once, shared by all calls, renewed before and after it has expired.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use pipectl_http::header::{HeaderName, HeaderValue};
use pipectl_http::{Authorize, Denied, Request};
use tokio::sync::Mutex;

use super::{Keystone, Token};

/// A token that is about to expire is not begun with.
const MARGIN: Duration = Duration::from_secs(60);

pub(crate) const TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

type Clock = dyn Fn() -> SystemTime + Send + Sync;

/// Puts a token on each call.
pub(crate) struct Authority {
    keystone: Keystone,
    now: Arc<Clock>,
    /// Held while a token is asked for, so that many calls at once ask once.
    token: Mutex<Option<Arc<Token>>>,
}

impl Authority {
    pub(crate) fn new(keystone: Keystone, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self { keystone, now: Arc::new(now), token: Mutex::new(None) }
    }

    /// The token, which may be a new one.
    ///
    /// # Errors
    /// When Keystone gives none.
    pub(crate) async fn token(&self) -> Result<Arc<Token>, Denied> {
        let mut held = self.token.lock().await;
        if let Some(token) = held.as_ref().filter(|token| token.expires > (self.now)() + MARGIN) {
            return Ok(Arc::clone(token));
        }
        let token = Arc::new(self.keystone.token().await?);
        *held = Some(Arc::clone(&token));
        Ok(token)
    }
}

#[async_trait]
impl Authorize for Authority {
    async fn authorize(&self, request: &mut Request) -> Result<(), Denied> {
        let token = self.token().await?;
        let mut value = HeaderValue::try_from(token.secret.reveal())
            .map_err(|_| Denied::new("the token of Keystone is nothing that a header field can hold"))?;
        value.set_sensitive(true);
        request.headers_mut().insert(TOKEN, value);
        Ok(())
    }

    async fn renew(&self, refused: &Request) -> bool {
        let mut held = self.token.lock().await;
        let used = refused.headers().get(TOKEN);
        let is_held =
            held.as_ref().is_some_and(|token| used == HeaderValue::try_from(token.secret.reveal()).ok().as_ref());
        if is_held {
            *held = None;
        }
        true
    }
}
