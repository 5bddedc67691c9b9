//! What a server answered.

use std::fmt;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode, Url};
use serde::de::DeserializeOwned;

use crate::error::{Error, Failure, Place};
use crate::redact;

/// What a server answered, with its whole body.
#[derive(Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// How often the request was sent for it: 1, or more.
    pub attempts: u32,
    pub(crate) place: Place,
    pub(crate) is_private: bool,
    pub(crate) may_have_acted_before: bool,
}

impl Answer {
    /// A header field that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The id that the server gave to the request, to ask its operators about.
    pub fn request_id(&self) -> Option<&str> {
        request_id(&self.headers)
    }

    /// The answer, if it is a success.
    ///
    /// # Errors
    /// [`Failure::Status`] when its status is 4xx or 5xx, [`Failure::Elsewhere`] when it is anything else than 2xx.
    pub fn success(self) -> Result<Self, Error> {
        let status = self.status;
        if status.is_success() {
            return Ok(self);
        }
        let failure = match status.is_client_error() || status.is_server_error() {
            true => Failure::Status { status, body: self.body.clone(), is_private: self.is_private },
            false => Failure::Elsewhere { status, to: self.location() },
        };
        Err(self.error(failure))
    }

    /// Where the server says that what was asked for is, without what may be secret in a URL.
    fn location(&self) -> Option<String> {
        let here = Url::parse(&self.place.url).ok()?;
        let there = here.join(self.header("location")?).ok()?;
        Some(redact::url(&there))
    }

    /// The body read as JSON.
    ///
    /// # Errors
    /// [`Failure::Unreadable`], when it is no JSON of that shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| {
            // What serde says may quote a value; where it stands tells enough.
            let wrong = format!("{} at line {}, column {}", kind(&error), error.line(), error.column());
            self.error(Failure::Unreadable { wrong })
        })
    }

    fn error(&self, failure: Failure) -> Error {
        let request_id = self.request_id().map(str::to_owned);
        let may_have_acted_before = self.may_have_acted_before;
        Error { place: self.place.clone(), request_id, attempts: self.attempts, may_have_acted_before, failure }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Answer")
            .field("place", &self.place)
            .field("status", &self.status)
            .field("headers", &redact::headers(&self.headers))
            .field("body", &redact::body_of(&self.body, self.is_private))
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

fn kind(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Data => "JSON of another shape than expected",
        serde_json::error::Category::Eof => "JSON that ends too early",
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => "no JSON",
    }
}

/// Names under which services tell the id of a request: OpenStack, Oracle, Amazon and Ceph, and what many others use.
const REQUEST_IDS: [&str; 5] =
    ["x-openstack-request-id", "x-compute-request-id", "opc-request-id", "x-amz-request-id", "x-request-id"];

pub(crate) fn request_id(headers: &HeaderMap) -> Option<&str> {
    REQUEST_IDS.iter().find_map(|name| headers.get(*name)?.to_str().ok())
}

impl Place {
    pub(crate) fn of(method: &Method, url: &reqwest::Url) -> Self {
        Self { method: method.clone(), url: redact::url(url) }
    }
}
