//! What the server says: answers, and refusals with OCI's codes.

use serde_json::{Value as Json, json};

/// What handlers give back.
pub(crate) type Outcome = Result<Answer, Refusal>;

/// A good answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Body,
}

/// The body of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Empty,
    Json(Json),
    Bytes(Vec<u8>),
    /// To a HEAD: as long as told, and not sent.
    Absent(u64),
}

impl Answer {
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, fields: Vec::new(), body: Body::Empty }
    }

    pub(crate) fn json(body: Json) -> Self {
        Self { status: 200, fields: Vec::new(), body: Body::Json(body) }
    }

    pub(crate) fn bytes(status: u16, body: Vec<u8>) -> Self {
        Self { status, fields: Vec::new(), body: Body::Bytes(body) }
    }

    pub(crate) fn field(mut self, name: &str, text: impl Into<String>) -> Self {
        self.fields.push((name.to_owned(), text.into()));
        self
    }
}

/// An error answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) retry_after: Option<u64>,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), retry_after: None }
    }

    /// The real services do not tell what is missing from what may not be seen.
    pub(crate) fn not_found() -> Self {
        Self::new(404, "NotAuthorizedOrNotFound", "Authorization failed or requested resource not found.")
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidParameter", message)
    }

    pub(crate) fn missing(name: &str) -> Self {
        Self::new(400, "MissingParameter", format!("{name} may not be null"))
    }

    pub(crate) fn unreadable(message: impl Into<String>) -> Self {
        Self::new(400, "CannotParseRequest", message)
    }

    pub(crate) fn state(message: impl Into<String>) -> Self {
        Self::new(409, "IncorrectState", message)
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, "Conflict", message)
    }

    pub(crate) fn unauthenticated(why: &str) -> Self {
        let message =
            format!("The required information to complete authentication was not provided or was incorrect. ({why})");
        Self::new(401, "NotAuthenticated", message)
    }

    pub(crate) fn etag() -> Self {
        Self::new(412, "NoEtagMatch", "The etag provided does not match the current one of the resource.")
    }

    pub(crate) fn throttled(retry_after: u64) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(429, "TooManyRequests", "Tenant has been throttled. Too Many Requests")
        }
    }

    pub(crate) fn into_answer(self) -> Answer {
        let mut answer = Answer::json(json!({"code": self.code, "message": self.message}));
        answer.status = self.status;
        if let Some(seconds) = self.retry_after {
            answer = answer.field("retry-after", seconds.to_string());
        }
        answer
    }
}
