//! What may be shown of requests and answers.

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName};
use serde_json::Value as Json;

/// What stands in the place of a secret.
const HIDDEN: &str = "(sensitive value)";

/// A URL without user, password and query: any of them may be a credential.
pub fn url(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// Header fields that tell nothing secret. All others are shown by name alone.
const PLAIN_FIELDS: [&str; 22] = [
    "accept",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "etag",
    "host",
    "if-match",
    "if-none-match",
    "last-modified",
    "opc-client-info",
    "opc-next-page",
    "opc-work-request-id",
    "openstack-api-version",
    "retry-after",
    "server",
    "transfer-encoding",
    "user-agent",
    "vary",
];

/// One line for each header field.
pub fn headers(headers: &HeaderMap) -> String {
    let line = |(name, value): (&HeaderName, &reqwest::header::HeaderValue)| {
        let is_plain = PLAIN_FIELDS.contains(&name.as_str()) || name.as_str().ends_with("request-id");
        let shown = match value.to_str() {
            Ok(text) if is_plain => text,
            _ => HIDDEN,
        };
        format!("{name}: {shown}")
    };
    headers.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Parts of the names of fields whose values are never shown, small and without anything but letters and digits.
const SECRET_NAMES: [&str; 21] = [
    "accesskey",
    "adminpass",
    "apikey",
    "authorization",
    "certificate",
    "cookie",
    "credential",
    "csr",
    "jwt",
    "kubeconfig",
    "pass",
    "pem",
    "privatekey",
    "psk",
    "pwd",
    "secret",
    "signature",
    "tlskey",
    "token",
    "url",
    "userdata",
];

fn is_secret(name: &str) -> bool {
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

/// What stands below a secret name and is none: what a credential is called, and when it ends. The id of a token is the token.
fn is_telling(name: &str, above: &str) -> bool {
    ["expiresat", "id", "issuedat", "methods", "name", "type"].contains(&name)
        && !(name == "id" && above.contains("token"))
}

/// A body as a log may show it: JSON with what its names tell to be secret taken out, and of anything else the length alone.
pub fn body(body: &[u8]) -> String {
    match serde_json::from_slice::<Json>(body) {
        Ok(mut json) => {
            // A text alone has no name that tells what it is.
            let is_alone = json.is_string();
            hide(&mut json, "", is_alone);
            json.to_string()
        }
        Err(_) if body.is_empty() => String::new(),
        Err(_) => format!("({} bytes that are no JSON)", body.len()),
    }
}

/// A body as a log may show it, of a call that is private or not.
pub(crate) fn body_of(bytes: &[u8], is_private: bool) -> String {
    if is_private { "(private)".to_owned() } else { body(bytes) }
}

/// Hides the texts and numbers of a value that stands below a secret name, and those of its own secret names. `above` is the name of the value.
fn hide(json: &mut Json, above: &str, is_below: bool) {
    match json {
        Json::Null | Json::Bool(_) => {}
        Json::String(text) if text.is_empty() => {}
        Json::String(text) if !is_below && !text.contains("-----BEGIN ") => {}
        Json::Number(_) if !is_below => {}
        Json::String(_) | Json::Number(_) => *json = HIDDEN.into(),
        Json::Array(items) => items.iter_mut().for_each(|item| hide(item, above, is_below)),
        Json::Object(fields) => {
            for (name, value) in fields {
                let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
                let is_plain = is_telling(&name, above) && !value.is_object();
                hide(value, &name, (is_below || is_secret(&name)) && !is_plain);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;
    use serde_json::json;

    use super::*;

    #[test]
    fn urls_keep_neither_user_nor_query() {
        let secret = Url::parse("https://anna:hunter2@example.com:444/v3/a?sig=hunter2#hunter2").unwrap();
        assert_eq!(url(&secret), "https://example.com:444/v3/a");
    }

    #[test]
    fn fields_are_secret_until_they_are_known_not_to_be() {
        let fields =
            [("x-auth-token", "hunter2"), ("authorization", "hunter2"), ("x-new", "hunter2"), ("etag", "\"1\"")];
        let fields = fields.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let shown = headers(&HeaderMap::from_iter(fields));
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("etag: \"1\"") && shown.contains("x-auth-token: (sensitive value)"), "{shown}");
    }

    #[test]
    fn bodies_keep_what_tells_nothing() {
        let shown = body(
            json!({
                "auth": { "identity": {
                    "methods": ["password", "token"],
                    "password": { "user": { "name": "anna", "password": "hunter2" } },
                    "application_credential": { "id": "5f", "secret": "hunter2" },
                } },
                "server": { "adminPass": "hunter2", "user_data": "hunter2", "name": "node-1", "image_id": "7c" },
                "token": { "id": "hunter2", "project": { "id": "8d" } },
                "tokens": [{ "id": "hunter2" }],
                "vault": { "secret_id": "hunter2", "password": 12345678, "secret": { "format": { "text": "hunter2" } } },
                "tls.key": "hunter2",
                "note": "-----BEGIN PRIVATE KEY-----hunter2",
                "keys": [{ "private_key": "hunter2", "tokens": ["hunter2"], "secret": { "value": ["hunter2"] } }],
            })
            .to_string()
            .as_bytes(),
        );
        assert!(!shown.contains("hunter2") && !shown.contains("12345678"), "{shown}");
        for kept in ["anna", "node-1", "5f", "7c", "8d", "methods"] {
            assert!(shown.contains(kept), "{shown}");
        }
        assert_eq!(body(b"\"hunter2\""), "\"(sensitive value)\"");
        assert_eq!(body(b"apiVersion: v1\ntoken: hunter2"), "(29 bytes that are no JSON)");
    }
}
