//! One request, as often as it is sent.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde::Serialize;

use crate::redact;

/// What sending a request twice does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// The same as sending it once: RFC 9110, section 9.2.2, or a request with an idempotency token.
    Safe,
    /// Perhaps something twice. It is sent again only where the server surely has not acted on it: it could not be reached, or said that it
    /// was too busy to begin.
    Unsafe,
}

/// One request.
#[derive(Clone)]
pub struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
    pub(crate) repeat: Repeat,
    pub(crate) timeout: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) is_private: bool,
}

impl Call {
    /// A request without a body. Methods that are idempotent by definition may be repeated, others not.
    pub fn new(method: Method, url: Url) -> Self {
        let repeat = match method {
            Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE => Repeat::Safe,
            _ => Repeat::Unsafe,
        };
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: None,
            repeat,
            timeout: None,
            idle_timeout: None,
            is_private: false,
        }
    }

    /// Asks for something.
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// Makes something.
    pub fn post(url: Url) -> Self {
        Self::new(Method::POST, url)
    }

    /// Removes something.
    pub fn delete(url: Url) -> Self {
        Self::new(Method::DELETE, url)
    }

    /// Its method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Where it goes.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The same with a header field; one of that name before is replaced.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The same with a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// The same with a body of JSON.
    #[must_use]
    pub fn json(self, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("what is sent has text for keys and no failing serializer");
        self.body(body).header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
    }

    /// The same, with this said about sending it twice.
    #[must_use]
    pub fn repeat(mut self, repeat: Repeat) -> Self {
        self.repeat = repeat;
        self
    }

    /// The same with a limit for each attempt, from connecting to the last byte of the answer.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// The same without a limit for an attempt as a whole, so that a slow line is not cut: it ends when for so long nothing of the body was taken, or,
    /// from the end of the body on, there was no whole answer.
    #[must_use]
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = Some(limit);
        self
    }

    /// The same, with a path and bodies (its own and the answer's) that no log shows: credentials, certificates, kubeconfigs.
    #[must_use]
    pub fn private(mut self) -> Self {
        self.is_private = true;
        self
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = if self.is_private { self.url.origin().ascii_serialization() } else { redact::url(&self.url) };
        formatter
            .debug_struct("Call")
            .field("method", &self.method)
            .field("url", &url)
            .field("headers", &redact::headers(&self.headers))
            .field("body", &self.body.as_ref().map(|body| redact::body_of(body, self.is_private)))
            .field("repeat", &self.repeat)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
