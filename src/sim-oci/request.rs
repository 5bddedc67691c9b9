//! A request as it came, and as a handler sees it.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::contract::Operation;

/// What came over the wire.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query, exactly as sent: what is signed.
    pub(crate) target: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// A header field, by its name in lower case.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, text)| text.as_str())
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The query, decoded, in order.
    pub(crate) fn query(&self) -> Vec<(String, String)> {
        let Some((_, query)) = self.target.split_once('?') else { return Vec::new() };
        let decoded = |text: &str| decode(&text.replace('+', " "));
        query
            .split('&')
            .filter(|part| !part.is_empty())
            .map(|part| part.split_once('=').unwrap_or((part, "")))
            .map(|(name, text)| (decoded(name), decoded(text)))
            .collect()
    }
}

/// A request that passed the judge.
pub(crate) struct Call<'a> {
    pub(crate) operation: &'a Operation,
    /// Of `{vcnId}` and the like.
    pub(crate) path: BTreeMap<String, String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) request: &'a Request,
    /// The body of an operation that takes JSON, without nulls.
    pub(crate) body: Map<String, Json>,
    /// Who signed.
    pub(crate) user: String,
    /// Which replica of the service answers.
    pub(crate) replica: u64,
}

impl Call<'_> {
    /// A part of the path that the contract names.
    pub(crate) fn part(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// The first part of the path: the id of most operations.
    pub(crate) fn id(&self) -> &str {
        let name = self.operation.parameters.first().map_or("", String::as_str);
        self.part(name)
    }

    pub(crate) fn asked(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, text)| text.as_str())
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.request.field(name)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name).and_then(Json::as_str)
    }
}

/// Percent-decoding; what is no escape stays as it is.
pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                decoded.push(byte);
                at += 3;
            }
            _ => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
