//! Whether a request is signed as OCI asks: which fields, over exactly what was sent, and when.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::answer::Refusal;
use crate::request::Request;

/// By how much the clocks of client and service may differ.
const SKEW: Duration = Duration::from_secs(300);

/// A signature, taken apart.
pub(crate) struct Signed {
    pub(crate) key_id: String,
    /// The text that was signed, put together anew.
    pub(crate) text: String,
    pub(crate) signature: Vec<u8>,
}

/// What a signature has to cover.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Covers {
    /// Everything.
    All,
    /// All but the body: objects and their parts.
    NoBody,
    /// All but the host: what the authentication service is asked.
    NoHost,
}

/// Reads the signature of a request, and checks all but the key.
pub(crate) fn read(request: &Request, covers: Covers, now: SystemTime) -> Result<Signed, Refusal> {
    let wrong = |why: &str| Err(Refusal::unauthenticated(why));
    let Some(parameters) = request.field("authorization").and_then(|text| text.strip_prefix("Signature ")) else {
        return wrong("there is no Signature");
    };
    let parameters = parts(parameters);
    let parameter = |name: &str| parameters.iter().find(|(key, _)| key == name).map_or("", |(_, text)| text.as_str());
    if parameter("version") != "1" || parameter("algorithm") != "rsa-sha256" {
        return wrong("the version is not 1, or the algorithm not rsa-sha256");
    }
    let signed: Vec<&str> = parameter("headers").split(' ').collect();
    let mut needed = vec!["(request-target)"];
    if covers != Covers::NoHost {
        needed.push("host");
    }
    if matches!(request.method.as_str(), "POST" | "PUT" | "PATCH") && covers != Covers::NoBody {
        needed.extend(["content-length", "content-type", "x-content-sha256"]);
    }
    if let Some(field) = needed.iter().find(|field| !signed.contains(field)) {
        return wrong(&format!("{field} is not signed"));
    }
    let Some(date) = ["x-date", "date"].into_iter().find(|field| signed.contains(field)) else {
        return wrong("date is not signed");
    };
    let mut lines = Vec::new();
    for name in &signed {
        let line = match (*name, request.field(name)) {
            ("(request-target)", _) => {
                format!("(request-target): {} {}", request.method.to_ascii_lowercase(), request.target)
            }
            (name, Some(text)) => format!("{name}: {text}"),
            (name, None) => return wrong(&format!("{name} is signed, but was not sent")),
        };
        lines.push(line);
    }
    if signed.contains(&"x-content-sha256")
        && request.field("x-content-sha256") != Some(&STANDARD.encode(Sha256::digest(&request.body)))
    {
        return wrong("x-content-sha256 is not the digest of the body");
    }
    let Some(sent) = request.field(date).and_then(|text| httpdate::parse_http_date(text).ok()) else {
        return wrong("the date cannot be read");
    };
    let skew = now.duration_since(sent).unwrap_or_else(|early| early.duration());
    if skew > SKEW {
        return wrong("the date is not within the allowed clock skew of 5 minutes");
    }
    let Ok(signature) = STANDARD.decode(parameter("signature")) else {
        return wrong("the signature is no base64");
    };
    Ok(Signed { key_id: parameter("keyId").to_owned(), text: lines.join("\n"), signature })
}

/// `name="text",...`
fn parts(text: &str) -> Vec<(String, String)> {
    let mut rest = text;
    let mut parts = Vec::new();
    while let Some((name, after)) = rest.split_once("=\"") {
        let Some((value, after)) = after.split_once('"') else { break };
        parts.push((name.trim_matches([',', ' ']).to_owned(), value.to_owned()));
        rest = after;
    }
    parts
}
