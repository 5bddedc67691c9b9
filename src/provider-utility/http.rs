//! The provider `http`: the data source `http`, which sends one request and gives the answer.
//!
//! Attributes and rules: HashiCorp's provider of that name, version 3.4. TLS is rustls with ring; servers are judged by the certificates
//! that the system trusts. Proxies are those of the usual environment variables, seen through the environment of the call.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipectl_core::{Attribute, Block, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_provider::{Cx, DataSource, Environment, Event, PlainProvider, Stop};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client, Identity, Method, NoProxy, Proxy, Response, StatusCode};

use pipectl_provider::arguments::{filled, flag, integer, map_of_text, text, text_map};
use pipectl_provider::rules::{at_least, conflicts, one_of, requires};

/// Waits between attempts where none are given: those of HashiCorp's client.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

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
        .block("retry", Block::single(retry, "Tries again after failures and answers of 5xx (but 501) and 429."))
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
        let request = Request::of(cx, config)?;
        let answer = tokio::select! {
            answer = request.send() => answer?,
            () = cx.cancel.reached(Stop::Gentle) => {
                return Err(Diagnostic::error("Error making request", "The request was interrupted.").into());
            }
        };
        let body = String::from_utf8_lossy(&answer.body);
        if matches!(body, std::borrow::Cow::Owned(_)) {
            let text = "The body of the response is not UTF-8: `response_body` lacks what cannot be shown; use `response_body_base64`.";
            cx.emit(Event::Warning { text: text.to_owned() });
        }
        let headers = answer.headers.into_iter().map(|(name, value)| (name, Value::from(value)));
        let attributes = [
            ("id", text(config, "url").unwrap_or_default().into()),
            ("status_code", i64::from(answer.status).into()),
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

/// A request, with how often it may be sent.
struct Request {
    client: Client,
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Option<String>,
    timeout: Option<Duration>,
    retries: u32,
    shortest_wait: Duration,
    longest_wait: Duration,
}

struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

fn failed(summary: &str, detail: String) -> Diagnostics {
    Diagnostic::error(summary, detail).into()
}

impl Request {
    fn of(cx: &Cx, config: &Value) -> Result<Self, Diagnostics> {
        let milliseconds = |object: &Value, name: &str| {
            integer(object, name).and_then(|count| u64::try_from(count).ok()).map(Duration::from_millis)
        };
        let retry = config.set_attribute("retry").cloned().unwrap_or_else(Value::null);
        let mut headers = HeaderMap::new();
        for (name, value) in text_map(config, "request_headers") {
            let field = HeaderName::try_from(&name).ok().zip(HeaderValue::try_from(&value).ok());
            // Without the value, which may be a secret.
            let (name, value) = field.ok_or_else(|| {
                let detail = format!("The header field {name:?} has a name or a value that HTTP cannot send.");
                Diagnostic::error("Error creating request", detail).on(Path::of("request_headers"))
            })?;
            headers.insert(name, value);
        }
        let timeout = milliseconds(config, "request_timeout_ms");
        Ok(Self {
            client: client(cx, config)?,
            method: match text(config, "method") {
                Some("POST") => Method::POST,
                Some("HEAD") => Method::HEAD,
                _ => Method::GET,
            },
            url: text(config, "url").unwrap_or_default().to_owned(),
            headers,
            body: text(config, "request_body").map(str::to_owned),
            timeout,
            retries: integer(&retry, "attempts").and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
            shortest_wait: milliseconds(&retry, "min_delay_ms").unwrap_or(SHORTEST_WAIT),
            longest_wait: milliseconds(&retry, "max_delay_ms").unwrap_or(LONGEST_WAIT),
        })
    }

    /// Sends it until there is an answer that is no passing failure, or there have been enough attempts.
    async fn send(&self) -> Result<Answer, Diagnostics> {
        let mut attempt = 0;
        loop {
            let last = self.send_once().await;
            let wait = match &last {
                Ok(response) if !is_passing(response.status()) => return read(last, self).await,
                Ok(response) => asked_wait(response),
                Err(error) if error.is_builder() || error.is_redirect() => return read(last, self).await,
                Err(_) => None,
            };
            if attempt >= self.retries {
                return match last {
                    Ok(response) => Err(failed(
                        "Error making request",
                        format!(
                            "{} {} gave up after {} attempt(s): the status of the last answer was {}.",
                            self.method,
                            without_secrets(&self.url),
                            attempt + 1,
                            response.status()
                        ),
                    )),
                    Err(_) => read(last, self).await,
                };
            }
            let doubled = self.shortest_wait.saturating_mul(2_u32.saturating_pow(attempt));
            tokio::time::sleep(wait.unwrap_or(doubled.min(self.longest_wait))).await;
            attempt += 1;
        }
    }

    async fn send_once(&self) -> Result<Response, reqwest::Error> {
        let mut request = self.client.request(self.method.clone(), &self.url).headers(self.headers.clone());
        if let Some(body) = &self.body {
            request = request.body(body.clone());
        }
        if let Some(timeout) = self.timeout {
            request = request.timeout(timeout);
        }
        request.send().await
    }

    fn explain(&self, error: reqwest::Error) -> Diagnostics {
        let timed_out = error.is_timeout();
        // The URL may hold a password.
        let error = error.without_url();
        let mut detail = match self.timeout {
            Some(timeout) if timed_out => format!("request exceeded the specified timeout: {} ms", timeout.as_millis()),
            _ => format!("{} {}: {error}", self.method, without_secrets(&self.url)),
        };
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            detail.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        failed("Error making request", format!("{detail}."))
    }
}

async fn read(answer: Result<Response, reqwest::Error>, request: &Request) -> Result<Answer, Diagnostics> {
    let response = answer.map_err(|error| request.explain(error))?;
    let status = response.status().as_u16();
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in response.headers() {
        let value = String::from_utf8_lossy(value.as_bytes());
        // Several fields of one name are one field with commas (RFC 9110, section 5.2).
        headers
            .entry(canonical(name.as_str()))
            .and_modify(|all| *all = format!("{all}, {value}"))
            .or_insert_with(|| value.into_owned());
    }
    let body = response.bytes().await.map_err(|error| request.explain(error))?.to_vec();
    Ok(Answer { status, headers, body })
}

/// Whether an answer may be another one later.
fn is_passing(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
}

/// The wait that a busy server asks for, in whole seconds.
fn asked_wait(response: &Response) -> Option<Duration> {
    let busy = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
    let asked = response.headers().get(RETRY_AFTER).filter(|_| busy.contains(&response.status()))?;
    asked.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

/// A header field's name as Go writes it: `content-type` is `Content-Type`.
fn canonical(name: &str) -> String {
    let capitalised = |part: &str| {
        let (first, rest) = part.split_at(part.len().min(1));
        first.to_ascii_uppercase() + rest
    };
    name.split('-').map(capitalised).collect::<Vec<_>>().join("-")
}

/// A URL without user, password and query.
fn without_secrets(url: &str) -> String {
    match reqwest::Url::parse(url) {
        Ok(parsed) => format!("{}{}", parsed.origin().ascii_serialization(), parsed.path()),
        Err(_) => "(malformed URL)".to_owned(),
    }
}

fn client(cx: &Cx, config: &Value) -> Result<Client, Diagnostics> {
    let tls = |argument: &str, detail: &str| -> Diagnostics {
        Diagnostic::error("Error configuring TLS client", detail).on(Path::of(argument)).into()
    };
    let mut builder = Client::builder()
        .user_agent(concat!("pipectl/", env!("CARGO_PKG_VERSION")))
        .use_rustls_tls()
        // Proxies that the process's own environment names are taken from the call's environment below.
        .no_proxy();
    for proxy in proxies(cx.environment.as_ref())? {
        builder = builder.proxy(proxy);
    }
    if let Some(pem) = text(config, "ca_cert_pem") {
        let bad = "Can't add the CA certificate to certificate pool. Only PEM encoded certificates are supported.";
        let certificates = Certificate::from_pem_bundle(pem.as_bytes()).map_err(|_| tls("ca_cert_pem", bad))?;
        if certificates.is_empty() {
            return Err(tls("ca_cert_pem", bad));
        }
        builder = certificates.into_iter().fold(builder.tls_built_in_root_certs(false), |builder, certificate| {
            builder.add_root_certificate(certificate)
        });
    }
    if let (Some(certificate), Some(key)) = (text(config, "client_cert_pem"), text(config, "client_key_pem")) {
        let both = format!("{certificate}\n{key}\n");
        let identity = Identity::from_pem(both.as_bytes());
        let bad = "The client certificate and its key could not be read: both must be PEM.";
        builder = builder.identity(identity.map_err(|_| tls("client_cert_pem", bad))?);
    }
    if flag(config, "insecure") == Some(true) {
        builder = builder.danger_accept_invalid_certs(true);
    }
    builder.build().map_err(|error| failed("Error configuring http transport", format!("{error}.")))
}

/// The proxies that the environment names, in capitals or not, as Go reads them.
fn proxies(environment: &dyn Environment) -> Result<Vec<Proxy>, Diagnostics> {
    let variable = |name: &str| {
        let found = environment.variable(name).or_else(|| environment.variable(&name.to_ascii_lowercase()));
        found.filter(|value| !value.is_empty())
    };
    let none = variable("NO_PROXY").and_then(|list| NoProxy::from_string(&list));
    let mut proxies = Vec::new();
    for (name, make) in
        [("HTTP_PROXY", Proxy::http::<String> as fn(String) -> _), ("HTTPS_PROXY", Proxy::https::<String>)]
    {
        let Some(url) = variable(name) else { continue };
        let proxy = make(url).map_err(|_| {
            failed(
                "Error configuring http transport",
                format!("The environment variable {name} holds no URL of a proxy."),
            )
        })?;
        proxies.push(proxy.no_proxy(none.clone()));
    }
    Ok(proxies)
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

    #[test]
    fn secrets_in_urls_do_not_show() {
        assert_eq!(without_secrets("https://anna:hunter2@example.com/a?token=hunter2"), "https://example.com/a");
        assert_eq!(without_secrets("hunter2"), "(malformed URL)");
    }
}
