//! How to reach a cluster as its administrator: a key made here, signed by the authority that Magnum keeps for the cluster.

use pipectl_core::{Diagnostic, Type, Value};
use pipectl_http::Method;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::kind::{Fault, Place, text};

/// A kubeconfig with a new key. Null where the cluster has no authority: it does without TLS, or is not there yet.
pub(super) async fn made(at: &Place<'_>, id: &str, cluster: &Json) -> Result<Value, Fault> {
    let nothing = || Value::null_of(Type::map(Type::String));
    let Some(host) = text(cluster, "api_address").filter(|host| !host.is_empty()) else { return Ok(nothing()) };
    let authority = at.endpoint.look_by(&at.endpoint.call(Method::GET, &["certificates", id], &[]).private()).await?;
    let Some(authority) = authority.and_then(|authority| text(&authority, "pem")) else { return Ok(nothing()) };
    let (key, request) = request().map_err(|error| {
        let detail = format!("No key and no request for a certificate could be made for the cluster `{id}`: {error}.");
        Diagnostic::error("No credentials for a cluster", detail)
    })?;
    let body = json!({ "cluster_uuid": id, "csr": request });
    let call = at.endpoint.call(Method::POST, &["certificates"], &[]).json(&body).private();
    let signed: Json = at.endpoint.send(&call).await?.json()?;
    let certificate = text(&signed, "pem").unwrap_or_default();
    let name = text(cluster, "name").unwrap_or_else(|| id.to_owned());
    let raw = config(&name, &host, [&authority, &certificate, &key]);
    let parts = [
        ("raw_config", raw),
        ("host", host),
        ("cluster_ca_certificate", authority),
        ("client_certificate", certificate),
        ("client_key", key),
    ];
    Ok(Value::map(Type::String, parts.map(|(name, text)| (name, Value::from(text)))))
}

/// A key, and the request for a certificate that makes its holder an administrator, both as PEM.
fn request() -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, "admin");
    parameters.distinguished_name.push(DnType::OrganizationName, "system:masters");
    let request = parameters.serialize_request(&key)?.pem()?;
    Ok((key.serialize_pem(), request))
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Config<'a> {
    #[serde(rename = "apiVersion")]
    version: &'static str,
    kind: &'static str,
    clusters: [Json; 1],
    contexts: [Json; 1],
    current_context: &'a str,
    users: [Json; 1],
}

/// A file for `kubectl`.
fn config(name: &str, host: &str, [authority, certificate, key]: [&str; 3]) -> String {
    let user = format!("{name}-admin");
    let config = Config {
        version: "v1",
        kind: "Config",
        clusters: [json!({
            "name": name,
            "cluster": { "server": host, "certificate-authority-data": base64(authority) },
        })],
        contexts: [json!({ "name": name, "context": { "cluster": name, "user": user } })],
        current_context: name,
        users: [json!({
            "name": user,
            "user": { "client-certificate-data": base64(certificate), "client-key-data": base64(key) },
        })],
    };
    serde_yaml_ng::to_string(&config).expect("texts under texts can be written")
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
