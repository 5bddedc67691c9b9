//! What an answer that is none means: whether the call may have been carried out, and what people are told.

use std::error::Error as _;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ConnectorError, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::{RequestId, RequestIdExt};

/// A failed call.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What people are told.
    pub text: String,
    /// Whether there was no answer, or one that says to try again: the call may have been carried out, or be carried out later.
    pub is_uncertain: bool,
    /// The answer's status, where there was one.
    pub status: Option<u16>,
    /// The server's own word: `NoSuchKey`.
    pub code: Option<String>,
    /// Whether the answer is one of a server that speaks S3, as far as can be told, and not of somebody between it and us.
    is_of_s3: bool,
}

impl Fault {
    /// Whether there is no such object, in a bucket that is there.
    pub fn is_missing(&self) -> bool {
        let is_said = matches!(self.code.as_deref(), Some("NoSuchKey" | "NotFound"));
        // To HEAD a server answers without a body, and so without a code.
        self.status == Some(404) && (is_said || self.code.is_none() && self.is_of_s3)
    }

    /// A failure of this machine's: nothing was asked for.
    pub fn here(text: String) -> Self {
        Self { text, is_uncertain: false, status: None, code: None, is_of_s3: false }
    }

    /// A failure of this machine's, of which nobody knows how far it came.
    pub fn on_the_way(text: String) -> Self {
        Self { is_uncertain: true, ..Self::here(text) }
    }

    /// Whether the condition of a write does not hold.
    pub fn is_refused_condition(&self) -> bool {
        self.status == Some(412)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<E> From<SdkError<E, HttpResponse>> for Fault
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.as_service_error().and_then(|error| error.code()).map(str::to_owned);
        let is_of_s3 = error.raw_response().is_some_and(|response| {
            let is_signed = response.headers().get("x-amz-request-id").is_some();
            is_signed || response.body().bytes().is_some_and(<[u8]>::is_empty)
        });
        let text = told(&error, status);
        let (text, is_uncertain) = match &error {
            SdkError::ConstructionFailure(_) => (text, false),
            SdkError::DispatchFailure(failure) if failure.is_user() => (text, false),
            SdkError::DispatchFailure(failure) if is_unsigned(failure.as_connector_error()) => {
                (format!("there are no credentials to sign with: {text}"), false)
            }
            SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => (text, true),
            SdkError::ServiceError(_) => (text, is_worth_repeating(status, code.as_deref())),
            // The SDK may learn of more ways to fail: whoever cannot tell must not say that nothing was done.
            _ => (text, true),
        };
        Self { text, is_uncertain, status, code, is_of_s3 }
    }
}

/// An answer that is another one soon. 409: another conditional write of the same key was on its way.
fn is_worth_repeating(status: Option<u16>, code: Option<&str>) -> bool {
    let is_code = matches!(
        code,
        Some("SlowDown" | "RequestTimeout" | "Throttling" | "ConditionalRequestConflict" | "OperationAborted")
    );
    is_code || status.is_some_and(|status| status >= 500 && status != 501 || matches!(status, 408 | 409 | 429))
}

/// Nobody says who signs: nothing was sent.
fn is_unsigned(failure: Option<&ConnectorError>) -> bool {
    let mut cause = failure.map(|error| error as &(dyn std::error::Error + 'static));
    while let Some(error) = cause {
        if error.is::<CredentialsError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The error for people: what the server said, or what lies at the bottom of it, and the ids by which its operators find the request.
fn told<E>(error: &SdkError<E, HttpResponse>, status: Option<u16>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    // An answer that says that all went well, and cannot be read, is told by what is wrong with it.
    let mut text = match (error.as_service_error(), status) {
        (Some(service), Some(status)) if status >= 300 => {
            let code = service.code().map(|code| format!(" {code}")).unwrap_or_default();
            let message = service.message().filter(|message| !message.is_empty());
            let message = message.map(|message| format!(": {}", message.trim_end_matches('.'))).unwrap_or_default();
            format!("the server answered {status}{code}{message}")
        }
        _ => {
            let mut text = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                let cause_text = cause.to_string();
                if !text.ends_with(&cause_text) {
                    text = format!("{text}: {cause_text}");
                }
                source = cause.source();
            }
            text
        }
    };
    let ids = [("request id", error.request_id()), ("extended request id", error.extended_request_id())];
    let ids: Vec<String> = ids.into_iter().filter_map(|(name, id)| Some(format!("{name} {}", id?))).collect();
    if !ids.is_empty() {
        text.push_str(&format!(" ({})", ids.join(", ")));
    }
    text
}
