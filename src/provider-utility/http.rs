//! The provider `http`: the data source `http`, which sends one request and gives the answer.
//!
//! Attributes and rules: HashiCorp's provider of that name, version 3.4. TLS is rustls with ring; servers are judged by the certificates
//! that the system trusts. Proxies are those of the usual environment variables, seen through the environment of the call.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipectl_core::{Attribute, Block, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_http::header::{HeaderName, HeaderValue};
use pipectl_http::{
    Answer, Call, Client, Failure, Method, Pace, Repeat, Retry, Settings, SettingsError, StatusCode, Trust, Url, redact,
};
use pipectl_provider::{Cx, DataSource, Event, PlainProvider, Stop};

use pipectl_provider::arguments::{filled, flag, integer, map_of_text, text, text_map};
use pipectl_provider::rules::{at_least, conflicts, one_of, requires};

/// Waits between attempts where none are given: those of HashiCorp's client.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long connecting may take and how many redirections are followed: as Go's client has it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
const REDIRECTS: usize = 10;

/// The provider: the data source `http`.
pub fn provider() -> PlainProvider {
    PlainProvider::new("http").data_source("http", Http::new())
}

struct Http {
    schema: Schema,
}

impl Http {
    fn new() -> Self {
        let retry = Schema::of([
            ("attempts", Attribute::optional(Type::Number, "How often to try again. Default: 0.")),
            ("min_delay_ms", Attribute::optional(Type::Number, "The first wait, in milliseconds. Default: 1000.")),
            ("max_delay_ms", Attribute::optional(Type::Number, "The longest wait, in milliseconds. Default: 30000.")),
        ]);
        let schema = Schema::of([
            ("url", Attribute::required(Type::String, "The URL: `http` or `https`.")),
            ("method", Attribute::optional(Type::String, "`GET`, `HEAD` or `POST`. Default: `GET`.")),
            ("request_headers", Attribute::optional(map_of_text(), "Header fields to send.")),
            ("request_body", Attribute::optional(Type::String, "A body to send.")),
            (
                "request_timeout_ms",
                Attribute::optional(Type::Number, "How long each attempt may take, in milliseconds."),
            ),
            (
                "ca_cert_pem",
                Attribute::optional(Type::String, "Certificates to trust instead of the system's, as PEM."),
            ),
            ("client_cert_pem", Attribute::optional(Type::String, "A certificate to show to the server, as PEM.")),
            ("client_key_pem", Attribute::optional(Type::String, "The private key of that certificate, as PEM.")),
            ("insecure", Attribute::optional(Type::Bool, "Whether any server is trusted. Default: false.")),
            (
                "response_body",
                Attribute::computed(Type::String, "The body of the answer; what is not UTF-8 is replaced by U+FFFD."),
            ),
            ("body", Attribute::computed(Type::String, "The old name of `response_body`.")),
            ("response_body_base64", Attribute::computed(Type::String, "The body of the answer in base64.")),
            ("response_headers", Attribute::computed(map_of_text(), "Header fields of the answer.")),
            ("status_code", Attribute::computed(Type::Number, "The status of the answer.")),
            ("id", Attribute::computed(Type::String, "The URL.")),
        ])
        .block("retry", Block::single(retry, "Tries again after failures and answers of 408, 429 and 5xx (but 501)."))
        .described("The answer to an HTTP request.");
        Self { schema }
    }
}

#[async_trait]
impl DataSource for Http {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let mut found = one_of(config, "method", &["GET", "POST", "HEAD"]);
        found.extend(at_least(config, "request_timeout_ms", 1));
        found.extend(conflicts(config, "ca_cert_pem", &["insecure"]));
        found.extend(requires(config, "client_cert_pem", "client_key_pem"));
        found.extend(requires(config, "client_key_pem", "client_cert_pem"));
        if let Some(retry) = config.set_attribute("retry") {
            for name in ["attempts", "min_delay_ms", "max_delay_ms"] {
                found.extend(at_least(retry, name, 0).into_iter().map(|problem| in_block(problem, name)));
            }
            if let (Some(least), Some(most)) = (integer(retry, "min_delay_ms"), integer(retry, "max_delay_ms"))
                && most < least
            {
                let detail =
                    format!("Attribute retry.max_delay_ms value must be at least sum of min_delay_ms, got: {most}.");
                found.push(in_block(Diagnostic::error("Invalid Attribute Value", detail), "max_delay_ms"));
            }
        }
        if let Some(url) = text(config, "url")
            && !["http://", "https://"].iter().any(|scheme| url.to_ascii_lowercase().starts_with(scheme))
        {
            let detail = "The URL must begin with `http://` or `https://`.";
            found.push(Diagnostic::error("Error creating request", detail).on(Path::of("url")));
        }
        found
    }

    async fn read(&self, cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        let (client, call) = (client(cx, config)?, call(config)?);
        let answer = tokio::select! {
            answer = client.ask(&call) => answer.map_err(|error| explain(&error, config))?,
            () = cx.cancel.reached(Stop::Gentle) => {
                return Err(Diagnostic::error("Error making request", "The request was interrupted.").into());
            }
        };
        if is_passing(answer.status) {
            let detail = format!(
                "{} {} gave up after {} attempt(s): the status of the last answer was {}.",
                call.method(),
                redact::url(call.url()),
                answer.attempts,
                answer.status
            );
            return Err(Diagnostic::error("Error making request", detail).into());
        }
        let body = String::from_utf8_lossy(&answer.body);
        if matches!(body, std::borrow::Cow::Owned(_)) {
            let text = "The body of the response is not UTF-8: `response_body` lacks what cannot be shown; use `response_body_base64`.";
            cx.emit(Event::Warning { text: text.to_owned() });
        }
        let headers = fields(&answer).into_iter().map(|(name, value)| (name, Value::from(value)));
        let attributes = [
            ("id", text(config, "url").unwrap_or_default().into()),
            ("status_code", i64::from(answer.status.as_u16()).into()),
            ("response_headers", Value::map(Type::String, headers)),
            ("response_body", body.as_ref().into()),
            ("body", body.as_ref().into()),
            ("response_body_base64", STANDARD.encode(&answer.body).into()),
        ];
        Ok(filled(config, attributes))
    }
}

fn in_block(problem: Diagnostic, name: &str) -> Diagnostic {
    problem.on(Path::of("retry").name(name))
}

fn milliseconds(object: &Value, name: &str) -> Option<Duration> {
    integer(object, name).and_then(|count| u64::try_from(count).ok()).map(Duration::from_millis)
}

fn call(config: &Value) -> Result<Call, Diagnostics> {
    let bad = |path: &str, detail: String| Diagnostic::error("Error creating request", detail).on(Path::of(path));
    let method = match text(config, "method") {
        Some("POST") => Method::POST,
        Some("HEAD") => Method::HEAD,
        _ => Method::GET,
    };
    let url = Url::parse(text(config, "url").unwrap_or_default())
        .map_err(|error| bad("url", format!("The URL cannot be read: {error}.")))?;
    // Whoever asks for attempts wants them, of whatever method.
    let mut call = Call::new(method, url).repeat(Repeat::Safe);
    if config.marks_deep().is_private() {
        call = call.private();
    }
    if let Some(body) = text(config, "request_body") {
        call = call.body(body.to_owned());
    }
    for (name, value) in text_map(config, "request_headers") {
        let field = HeaderName::try_from(&name).ok().zip(HeaderValue::try_from(&value).ok());
        // Without the value, which may be a secret.
        let wrong = format!("The header field {name:?} has a name or a value that HTTP cannot send.");
        let (name, value) = field.ok_or_else(|| bad("request_headers", wrong))?;
        call = call.header(name, value);
    }
    Ok(call)
}

fn explain(error: &pipectl_http::Error, config: &Value) -> Diagnostics {
    let detail = match (error.failure(), milliseconds(config, "request_timeout_ms")) {
        (Failure::TimedOut, Some(limit)) => {
            format!("request exceeded the specified timeout: {} ms", limit.as_millis())
        }
        _ => error.to_string(),
    };
    Diagnostic::error("Error making request", format!("{detail}.")).into()
}

/// The header fields of an answer, several of one name with commas between them (RFC 9110, section 5.2).
fn fields(answer: &Answer) -> BTreeMap<String, String> {
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in &answer.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        fields
            .entry(canonical(name.as_str()))
            .and_modify(|all| *all = format!("{all}, {value}"))
            .or_insert_with(|| value.into_owned());
    }
    fields
}

/// Whether an answer may be another one later.
fn is_passing(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
}

/// A header field's name as Go writes it: `content-type` is `Content-Type`.
fn canonical(name: &str) -> String {
    name.split('-').map(capitalised).collect::<Vec<_>>().join("-")
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    first.to_ascii_uppercase() + rest
}

fn client(cx: &Cx, config: &Value) -> Result<Client, Diagnostics> {
    let retry = config.set_attribute("retry").cloned().unwrap_or_else(Value::null);
    let trust = match text(config, "ca_cert_pem") {
        Some(pem) => Trust::Only(pem.as_bytes().to_vec()),
        None if flag(config, "insecure") == Some(true) => Trust::Anybody,
        None => Trust::System,
    };
    let identity = text(config, "client_cert_pem")
        .zip(text(config, "client_key_pem"))
        .map(|(certificate, key)| format!("{certificate}\n{key}\n").into_bytes());
    let settings = |proxies| Settings {
        proxies,
        trust,
        identity,
        connect_timeout: CONNECT_TIMEOUT,
        timeout: milliseconds(config, "request_timeout_ms"),
        redirects: REDIRECTS,
        retry: Retry {
            times: integer(&retry, "attempts").and_then(|count| usize::try_from(count).ok()).unwrap_or(0),
            first_wait: milliseconds(&retry, "min_delay_ms").unwrap_or(SHORTEST_WAIT),
            longest_wait: milliseconds(&retry, "max_delay_ms").unwrap_or(LONGEST_WAIT),
        },
        pace: Pace::unlimited(),
    };
    let environment = Arc::clone(&cx.environment);
    pipectl_http::proxies(&|name| environment.variable(name))
        .and_then(|proxies| Client::new(&settings(proxies), move || environment.now()))
        .map_err(|error| refused(&error).into())
}

fn refused(error: &SettingsError) -> Diagnostic {
    let tls =
        |argument: &str, detail: &str| Diagnostic::error("Error configuring TLS client", detail).on(Path::of(argument));
    match error {
        SettingsError::Authority => tls(
            "ca_cert_pem",
            "Can't add the CA certificate to certificate pool. Only PEM encoded certificates are supported.",
        ),
        SettingsError::Identity => {
            tls("client_cert_pem", "The client certificate and its key could not be read: both must be PEM.")
        }
        SettingsError::Proxy { .. } | SettingsError::Tls(_) => {
            Diagnostic::error("Error configuring http transport", format!("{}.", capitalised(&error.to_string())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_names_are_written_as_go_writes_them() {
        assert_eq!(canonical("content-type"), "Content-Type");
        assert_eq!(canonical("x-a--b"), "X-A--B");
        assert_eq!(canonical("etag"), "Etag");
    }
}
