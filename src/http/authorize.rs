//! Who asks: tokens and signatures.

use async_trait::async_trait;
use reqwest::Request;

/// Signs requests: puts a token or a signature into them.
#[async_trait]
pub trait Authorize: Send + Sync {
    /// Signs one attempt. A signature with a date in it is made anew for each.
    ///
    /// # Errors
    /// When there are no credentials, or none that the service takes.
    async fn authorize(&self, request: &mut Request) -> Result<(), Denied>;

    /// The service has answered 401 to a request that was signed: gives up what was used, so that the next attempt signs with something new.
    /// Returns whether there can be something new; if not, 401 is the answer.
    async fn renew(&self, refused: &Request) -> bool {
        let _ = refused;
        false
    }
}

/// Why a request could not be signed. Holds nothing secret.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Denied {
    /// A clause: what is missing or was refused.
    pub reason: String,
    /// What to do.
    pub hints: Vec<String>,
}

impl Denied {
    /// A reason without hints.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), hints: Vec::new() }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// No signature.
pub(crate) struct Anonymous;

#[async_trait]
impl Authorize for Anonymous {
    async fn authorize(&self, _request: &mut Request) -> Result<(), Denied> {
        Ok(())
    }
}
