//! Signatures of requests.
//!
//! Format: https://docs.oracle.com/en-us/iaas/Content/API/Concepts/signingrequests.htm. Whether a body is signed is a matter of the operation:
//! uploads to Object Storage are not.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipectl_http::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, HeaderValue};
use pipectl_http::{Method, Request, Url};
use sha2::{Digest, Sha256};

use crate::PrivateKey;

/// Who signs.
#[derive(Clone)]
pub struct Identity {
    /// What services know the key by: `TENANCY/USER/FINGERPRINT`, `ST$TOKEN`.
    pub key_id: String,
    /// The key.
    pub key: PrivateKey,
    /// Whether the name of the server is signed. Whoever asks for a token with a certificate leaves it out, as the SDKs do.
    pub signs_host: bool,
}

impl fmt::Debug for Identity {
    /// Without the token that stands behind `ST$`, and without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key_id = if self.key_id.starts_with("ST$") { "ST$.." } else { &self.key_id };
        f.debug_struct("Identity").field("key_id", &key_id).finish_non_exhaustive()
    }
}

const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-content-sha256");

/// Signs a request: puts what is missing into its header fields, and gives the value of `authorization`. `now` is a date as HTTP writes it.
///
/// # Panics
/// When a header field to be signed holds no text. Those that are signed are made here or by this program.
pub fn signature(identity: &Identity, request: &mut Request, now: &str) -> String {
    let (method, url) = (request.method().clone(), request.url().clone());
    let is_body_signed = matches!(method, Method::POST | Method::PUT | Method::PATCH) && !is_upload(&method, &url);
    let body = request.body().and_then(|body| body.as_bytes()).filter(|_| is_body_signed).unwrap_or_default().to_vec();
    let headers = request.headers_mut();
    let text = |text: &str| HeaderValue::try_from(text).expect("dates, numbers and base64 are what header fields hold");
    headers.entry(DATE).or_insert_with(|| text(now));
    let mut signed = vec!["date", "(request-target)"];
    if identity.signs_host {
        signed.push("host");
    }
    if is_body_signed {
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_LENGTH, text(&body.len().to_string()));
        headers.insert(CONTENT_SHA256, text(&STANDARD.encode(Sha256::digest(&body))));
        signed.extend(["content-length", "content-type", "x-content-sha256"]);
    }
    let line = |name: &&str| match *name {
        "(request-target)" => format!("{name}: {} {}", method.as_str().to_lowercase(), target(&url)),
        "host" => format!("{name}: {}", host(&url)),
        name => {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            format!("{name}: {}", value.expect("what is signed was put there as text"))
        }
    };
    let lines: Vec<String> = signed.iter().map(line).collect();
    let signature = identity.key.sign(lines.join("\n").as_bytes());
    let (names, key_id) = (signed.join(" "), &identity.key_id);
    format!(
        "Signature algorithm=\"rsa-sha256\",headers=\"{names}\",keyId=\"{key_id}\",signature=\"{signature}\",version=\"1\""
    )
}

/// Whether a request uploads an object, or a part of one, to Object Storage: `PUT /n/NAMESPACE/b/BUCKET/o/NAME`.
fn is_upload(method: &Method, url: &Url) -> bool {
    let parts: Vec<&str> = url.path().trim_start_matches('/').splitn(6, '/').collect();
    *method == Method::PUT && matches!(parts.as_slice(), ["n", _, "b", _, "o" | "u", _])
}

fn target(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

/// The server as `host` names it: with its port, where that is not the usual one.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}
