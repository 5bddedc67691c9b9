//! Calls that failed, in words: what could not be done, what the server said, what to do about it.

use pipectl_core::{Diagnostic, Diagnostics};
use pipectl_s3_client::Fault as Refusal;

use crate::kind::Fault;

/// A call that failed: `what` could not be done.
pub(crate) fn failed(what: &str, refusal: Refusal) -> Fault {
    let diagnostic = told(what, &refusal);
    match refusal.is_uncertain {
        true => Fault::open(diagnostic.into()),
        false => diagnostic.into(),
    }
}

/// The same for people.
pub(crate) fn told(what: &str, refusal: &Refusal) -> Diagnostic {
    let summary = match (refusal.is_uncertain, is_unknown_there(refusal)) {
        (true, _) => "S3 does not answer",
        (false, true) => "Not supported by the server",
        (false, false) => "S3 has refused",
    };
    let diagnostic = Diagnostic::error(summary, format!("{what}: {}.", refusal.text.trim_end_matches('.')));
    match hint(refusal) {
        Some(hint) => diagnostic.hint(hint),
        None => diagnostic,
    }
}

/// Whether a server does not know what it is asked for.
pub(crate) fn is_unknown_there(refusal: &Refusal) -> bool {
    matches!(refusal.status, Some(405 | 501)) || refusal.code.as_deref() == Some("NotImplemented")
}

fn hint(refusal: &Refusal) -> Option<&'static str> {
    let hint = match (refusal.code.as_deref(), refusal.status) {
        (Some("BucketAlreadyExists"), _) => {
            "Names of buckets are taken for all users of a server together: choose another one."
        }
        (Some("InvalidAccessKeyId" | "SignatureDoesNotMatch"), _) => {
            "Look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or at the profile. At CERN: openstack ec2 credentials create"
        }
        (Some("AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException"), _)
        | (None, Some(301)) => "The bucket is in another region: give it as `region`.",
        (Some("InvalidLocationConstraint"), _) => {
            "The server knows no such region. For one other than Amazon's: endpoints { s3 = \"https://..\" }"
        }
        (_, Some(403)) => "The keys are not allowed to do that, or the bucket is somebody else's.",
        (Some("NotImplemented"), _) | (_, Some(405 | 501)) => {
            "Servers other than Amazon's do not know all of S3: leave out what this one does not know."
        }
        _ => return None,
    };
    Some(hint)
}

/// What the SDK does not take.
pub(crate) fn odd(error: &dyn std::fmt::Display) -> Fault {
    Diagnostics::from(Diagnostic::error("Invalid request", format!("The client does not take this: {error}."))).into()
}
