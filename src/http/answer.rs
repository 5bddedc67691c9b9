//! What a server answered.

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;

use crate::error::{Error, Failure, Place};

/// What a server answered, with its whole body.
#[derive(Clone, Debug)]
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
    /// [`Failure::Status`], when its status is 4xx or 5xx.
    pub fn success(self) -> Result<Self, Error> {
        match self.status.is_client_error() || self.status.is_server_error() {
            true => {
                let (status, body, is_private) = (self.status, self.body.clone(), self.is_private);
                Err(self.error(Failure::Status { status, body, is_private }))
            }
            false => Ok(self),
        }
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
        Self { method: method.clone(), url: crate::redact::url(url) }
    }
}
