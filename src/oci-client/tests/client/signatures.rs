//! Signatures are those of the SDK, byte for byte.

use pipectl_http::header::{CONTENT_TYPE, HeaderValue};
use pipectl_http::{Method, Request, Url};
use pipectl_oci_client::{Identity, signature};
use serde_json::Value as Json;

use super::keys::key;

#[test]
fn signatures_are_those_of_the_sdk() {
    let golden: Json = serde_json::from_str(include_str!("../data/signatures.json")).unwrap();
    let date = golden["date"].as_str().unwrap();
    assert_eq!(key().public(), golden["public"].as_str().unwrap());
    let vectors = golden["vectors"].as_array().unwrap();
    for vector in vectors {
        let text = |name: &str| vector[name].as_str();
        let identity = Identity {
            key_id: text("key_id").unwrap().to_owned(),
            key: key(),
            signs_host: vector["signs_host"].as_bool().unwrap(),
        };
        let method = Method::from_bytes(text("method").unwrap().as_bytes()).unwrap();
        let mut request = Request::new(method, Url::parse(text("url").unwrap()).unwrap());
        if let Some(body) = text("body") {
            *request.body_mut() = Some(body.to_owned().into());
        }
        if let Some(kind) = text("content_type") {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_str(kind).unwrap());
        }
        assert_eq!(signature(&identity, &mut request, date), text("authorization").unwrap(), "{}", vector["name"]);
        assert_eq!(request.headers()["date"], date);
    }
    assert_eq!(vectors.len(), 21);
}
