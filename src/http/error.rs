//! What can go wrong with a call.

use std::fmt;

use bytes::Bytes;
use pipectl_core::Diagnostic;
use reqwest::{Method, StatusCode};

use crate::{Denied, redact};

/// What was asked, without what may be secret in a URL.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) method: Method,
    pub(crate) url: String,
}

/// A call without a successful answer.
#[derive(Debug)]
pub struct Error {
    pub(crate) place: Place,
    pub(crate) request_id: Option<String>,
    pub(crate) attempts: u32,
    /// Whether an attempt before the last one may have acted.
    pub(crate) may_have_acted_before: bool,
    pub(crate) failure: Failure,
}

/// Why there is none. What the last attempt came to, where there were several.
#[derive(thiserror::Error)]
pub enum Failure {
    /// The server could not be reached: no such name, no route, refused, no trust in its certificate. It has not acted.
    #[error("the server could not be reached")]
    Unreachable(#[source] reqwest::Error),
    /// The connection broke or what came was no HTTP. The server may have acted.
    #[error("the connection broke before there was an answer")]
    Broken(#[source] reqwest::Error),
    /// There was no answer in time. The server may have acted.
    #[error("there was no answer in time")]
    TimedOut,
    /// The server answered with an error.
    #[error("the server answered {status}")]
    Status {
        /// Its status: 4xx or 5xx.
        status: StatusCode,
        /// What it said.
        body: Bytes,
        /// Whether the call was private, and so may be what was said.
        is_private: bool,
    },
    /// The server answered that what was asked for is somewhere else, and redirections are not followed.
    #[error("the server answered {status}{}", elsewhere(.to.as_deref()))]
    Elsewhere {
        /// Its status: 3xx, or 1xx.
        status: StatusCode,
        /// Where it is: an origin and a path.
        to: Option<String>,
    },
    /// The answer cannot be understood.
    #[error("the answer is {wrong}")]
    Unreadable {
        /// What it is instead, without its text.
        wrong: String,
    },
    /// The call could not be signed.
    #[error(transparent)]
    Denied(Denied),
    /// The server sent the request from place to place, for longer than is followed.
    #[error("the server has sent the request on too often")]
    Redirected(#[source] reqwest::Error),
    /// The request cannot be sent: a header field that HTTP does not have, a URL of another scheme.
    #[error("the request cannot be sent")]
    Malformed(#[source] reqwest::Error),
}

impl Failure {
    pub(crate) fn may_have_acted(&self) -> bool {
        match self {
            Failure::Broken(_) | Failure::TimedOut | Failure::Redirected(_) | Failure::Unreadable { .. } => true,
            Failure::Status { status, .. } | Failure::Elsewhere { status, .. } => may_have_acted(*status),
            Failure::Unreachable(_) | Failure::Denied(_) | Failure::Malformed(_) => false,
        }
    }
}

/// An error of the server itself says nothing of how far it came; 501 and 505 say that it did not begin. 302 and 303 may tell where what was made
/// can be seen.
pub(crate) fn may_have_acted(status: StatusCode) -> bool {
    match status.as_u16() {
        302 | 303 => true,
        501 | 505 => false,
        _ => status.is_server_error(),
    }
}

fn elsewhere(to: Option<&str>) -> String {
    to.map(|to| format!(": redirected to {to}")).unwrap_or_default()
}

impl Error {
    /// Why.
    pub fn failure(&self) -> &Failure {
        &self.failure
    }

    /// The status, where the server answered.
    pub fn status(&self) -> Option<StatusCode> {
        match &self.failure {
            Failure::Status { status, .. } | Failure::Elsewhere { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// What the server said.
    pub fn body(&self) -> &[u8] {
        match &self.failure {
            Failure::Status { body, .. } => body,
            _ => &[],
        }
    }

    /// Whether what the server said may quote something secret that it was told.
    pub fn is_private(&self) -> bool {
        matches!(self.failure, Failure::Status { is_private: true, .. })
    }

    /// The id that the server gave to the request, to ask its operators about.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// How often the request was sent.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Whether the server may have acted, at any attempt, although nobody heard so.
    pub fn may_have_acted(&self) -> bool {
        self.may_have_acted_before || self.failure.may_have_acted()
    }

    /// A diagnostic. `said` is what the cloud's crate has read out of [`Error::body`]; without it some of the body is shown.
    pub fn diagnostic(&self, summary: impl Into<String>, said: Option<String>) -> Diagnostic {
        let mut detail = format!("{self}.");
        if let Some(said) = said.or_else(|| self.excerpt()) {
            detail.push_str(&format!(" It said: {}", said.trim_end()));
            if !detail.ends_with(['.', '!', '?']) {
                detail.push('.');
            }
        }
        if self.attempts > 1 {
            detail.push_str(&format!(" It was tried {} times.", self.attempts));
        }
        if let Some(id) = &self.request_id {
            detail.push_str(&format!(" The id of the request is {id}."));
        }
        let diagnostic = Diagnostic::error(summary, detail);
        match &self.failure {
            Failure::Unreachable(_) => diagnostic.hint(
                "Check the address and the network. Proxies are taken from HTTPS_PROXY, HTTP_PROXY and NO_PROXY.",
            ),
            Failure::Elsewhere { .. } => diagnostic.hint(
                "Redirections are not followed. Check the address: does it begin with `https://` where it should, and is it the whole path?",
            ),
            Failure::Denied(denied) => denied.hints.iter().fold(diagnostic, |diagnostic, hint| diagnostic.hint(hint)),
            _ => diagnostic,
        }
    }

    fn excerpt(&self) -> Option<String> {
        const LONGEST: usize = 300;
        let Failure::Status { body, is_private: false, .. } = &self.failure else { return None };
        let shown = redact::body(body);
        let shown = shown.trim();
        (!shown.is_empty()).then(|| match shown.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}...", &shown[..end]),
            None => shown.to_owned(),
        })
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = |name: &str, inside: &dyn fmt::Debug| formatter.debug_tuple(name).field(inside).finish();
        match self {
            Failure::Unreachable(error) => tuple("Unreachable", error),
            Failure::Broken(error) => tuple("Broken", error),
            Failure::TimedOut => formatter.write_str("TimedOut"),
            Failure::Status { status, body, is_private } => formatter
                .debug_struct("Status")
                .field("status", status)
                .field("body", &redact::body_of(body, *is_private))
                .finish(),
            Failure::Elsewhere { status, to } => {
                formatter.debug_struct("Elsewhere").field("status", status).field("to", to).finish()
            }
            Failure::Unreadable { wrong } => formatter.debug_struct("Unreadable").field("wrong", wrong).finish(),
            Failure::Denied(denied) => tuple("Denied", denied),
            Failure::Redirected(error) => tuple("Redirected", error),
            Failure::Malformed(error) => tuple("Malformed", error),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}: {}", self.place.method, self.place.url, self.failure)?;
        let mut source = std::error::Error::source(&self.failure);
        // What is said twice on the way down is said once.
        let mut told = String::new();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !told.contains(&text) {
                write!(formatter, ": {text}")?;
                told = text;
            }
            source = cause.source();
        }
        Ok(())
    }
}

// Without `source`: its text is part of this one's, because the middle links of the chain say nothing alone.
impl std::error::Error for Error {}
