//! What the services say when they refuse.

use std::time::{Duration, SystemTime};

use pipectl_core::Diagnostic;
use pipectl_http::{Answer, Denied, Error, StatusCode};
use serde_json::Value as Json;

/// What a service says when it refuses: `{"code": "...", "message": "..."}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A word for it: `IncorrectState`.
    pub code: String,
    /// The same in words.
    pub message: String,
}

impl Refusal {
    /// Out of the body of an answer.
    pub fn of(body: &[u8]) -> Option<Self> {
        let json: Json = serde_json::from_slice(body).ok()?;
        let text = |name: &str| json.get(name)?.as_str().map(|text| text.trim().to_owned());
        Some(Self { code: text("code")?, message: text("message").unwrap_or_default() })
    }

    /// Whether an error of a call has this code.
    pub fn is(error: &Error, code: &str) -> bool {
        Self::of(error.body()).is_some_and(|refusal| refusal.code == code)
    }
}

/// The words of an error's body.
pub fn said(body: &[u8]) -> Option<String> {
    let Refusal { code, message } = Refusal::of(body)?;
    Some(if message.is_empty() { code } else { format!("{message} ({code})") })
}

/// An error of a call for people.
pub fn failed(summary: &str, error: &Error) -> Diagnostic {
    let diagnostic = error.diagnostic(summary, said(error.body()));
    let code = Refusal::of(error.body()).map(|refusal| refusal.code);
    match (error.status(), code.as_deref()) {
        (Some(StatusCode::UNAUTHORIZED), _) => diagnostic.hint(
            "Check the tenancy, the user, the fingerprint and the key: oci iam user get --user-id USER. The fingerprint of a key: openssl rsa -pubout \
             -outform DER -in KEY.pem | openssl md5 -c",
        ),
        (Some(StatusCode::NOT_FOUND), Some("NotAuthorizedOrNotFound")) => diagnostic.hint(
            "OCI does not tell what is missing from what may not be seen: check the ids, the region, and the policies of the compartment.",
        ),
        (Some(StatusCode::PRECONDITION_FAILED), Some("IfNoneMatchFailed")) => match error.may_have_acted() {
            true => diagnostic.hint("An earlier try, whose answer was lost, may have made it: look at what is there."),
            false => diagnostic.hint("There is one of this name already."),
        },
        (Some(StatusCode::PRECONDITION_FAILED), _) => match error.may_have_acted() {
            true => diagnostic.hint("An earlier try, whose answer was lost, or somebody else has changed it meanwhile: run the same command again."),
            false => diagnostic.hint("Somebody else has changed it meanwhile: run the same command again."),
        },
        (_, Some("BucketNotEmpty")) => diagnostic.hint(
            "Empty it, with all versions of its objects and all uploads that were not finished: oci os object bulk-delete-versions --bucket-name NAME",
        ),
        (_, Some("LimitExceeded" | "QuotaExceeded")) => {
            diagnostic.hint("See the limits of the tenancy: oci limits resource-availability get")
        }
        (_, Some("OutOfHostCapacity" | "OutOfCapacity")) => {
            diagnostic.hint("Try another availability domain, another fault domain, or another shape.")
        }
        _ => diagnostic,
    }
}

/// The clocks here and there are further apart than signatures may be old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockSkew {
    /// How far apart they are.
    pub apart: Duration,
    /// Whether the clock here is the one that is ahead.
    pub is_ahead: bool,
    /// The time here.
    pub here: SystemTime,
    /// The time there.
    pub there: SystemTime,
}

impl ClockSkew {
    /// How old a signature may be.
    const ALLOWED: Duration = Duration::from_secs(300);

    /// Of an answer that refuses a signature, which tells the time there.
    pub fn of(answer: &Answer, now: SystemTime) -> Option<Self> {
        if answer.status != StatusCode::UNAUTHORIZED {
            return None;
        }
        let there = httpdate::parse_http_date(answer.header("date")?).ok()?;
        let (apart, is_ahead) = match now.duration_since(there) {
            Ok(ahead) => (ahead, true),
            Err(behind) => (behind.duration(), false),
        };
        (apart > Self::ALLOWED).then_some(Self { apart, is_ahead, here: now, there })
    }

    /// The same for people.
    pub fn diagnostic(&self) -> Diagnostic {
        Diagnostic::error("Clock is wrong", format!("{}.", self.reason())).hint(Self::HINT)
    }

    /// The same where it is a token that was asked for.
    pub(crate) fn denied(&self) -> Denied {
        Denied::new(format!("the clock is wrong: {}", self.reason())).hint(Self::HINT)
    }

    const HINT: &str = "Set the clock: timedatectl set-ntp true";

    fn reason(&self) -> String {
        let side = if self.is_ahead { "ahead of" } else { "behind" };
        let (apart, allowed) = (self.apart.as_secs() / 60, Self::ALLOWED.as_secs() / 60);
        let [here, there] = [self.here, self.there].map(httpdate::fmt_http_date);
        format!(
            "OCI refuses signatures that are more than {allowed} minutes old or early, and the clock of this machine is {apart} minutes {side} \
             OCI's ({here} here, {there} there)"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_read() {
        let body = br#"{"code": "IncorrectState", "message": "VCN is UPDATING."}"#;
        assert_eq!(said(body).as_deref(), Some("VCN is UPDATING. (IncorrectState)"));
        assert_eq!(said(br#"{"code": "InternalError"}"#).as_deref(), Some("InternalError"));
        assert_eq!(said(b"<html>"), None);
        assert_eq!(said(br#"{"message": "no code"}"#), None);
    }
}
