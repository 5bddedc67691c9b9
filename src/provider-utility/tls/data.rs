//! The data sources `tls_public_key` and `tls_certificate`.

use async_trait::async_trait;
use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_provider::{Cx, DataSource};

use super::key::PrivateKey;
use super::parse::Parsed;
use super::private_key::{public_attributes, public_schema};
use super::{name, parse, pem, ssh};
use crate::digests::sha1_hex;
use crate::random::decimal;
use pipectl_provider::arguments::{filled, text};
use pipectl_provider::rules::{conflicts, exactly_one_of};

pub(super) struct PublicKeyData {
    schema: Schema,
}

impl PublicKeyData {
    pub(super) fn new() -> Self {
        let key = |form: &str| Attribute::optional(Type::String, &format!("The private key, as {form}.")).sensitive();
        let schema = public_schema()
            .attribute("private_key_pem", key("PEM"))
            .attribute("private_key_openssh", key("OpenSSH writes it"))
            .attribute("algorithm", Attribute::computed(Type::String, "`RSA`, `ECDSA` or `ED25519`."))
            .described("The public key of a private key.");
        Self { schema }
    }
}

#[async_trait]
impl DataSource for PublicKeyData {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        exactly_one_of(config, &["private_key_pem", "private_key_openssh"])
    }

    async fn read(&self, _cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        let (argument, key) = match text(config, "private_key_pem") {
            Some(pem) => ("private_key_pem", PrivateKey::read(pem)),
            None => {
                let key = ssh::read_private(text(config, "private_key_openssh").unwrap_or_default());
                ("private_key_openssh", key)
            }
        };
        let key = key.map_err(|error| error.about("Unable to parse private key", argument))?;
        let read = filled(config, public_attributes(&key));
        Ok(read.with_attribute("algorithm", key.algorithm().into()))
    }
}

pub(super) struct CertificateData {
    schema: Schema,
}

impl CertificateData {
    pub(super) fn new() -> Self {
        let schema = Schema::of([
            ("url", Attribute::optional(Type::String, "Not supported: pipectl reads no certificates from servers.")),
            ("content", Attribute::optional(Type::String, "The certificate, as PEM.")),
            ("verify_chain", Attribute::optional(Type::Bool, "Goes with `url`.")),
            ("certificates", Attribute::computed(Type::list(certificate_type()), "The certificate, in a list.")),
            ("id", Attribute::computed(Type::String, "SHA-1 of the certificate's PEM, in hexadecimal.")),
        ])
        .described("What a certificate says.");
        Self { schema }
    }
}

fn certificate_type() -> Type {
    let texts = [
        "signature_algorithm",
        "public_key_algorithm",
        "serial_number",
        "issuer",
        "subject",
        "not_before",
        "not_after",
        "sha1_fingerprint",
        "cert_pem",
    ];
    let others = [("is_ca", Type::Bool), ("max_path_length", Type::Number), ("version", Type::Number)];
    Type::object(texts.into_iter().map(|name| (name, Type::String)).chain(others))
}

#[async_trait]
impl DataSource for CertificateData {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let mut found = exactly_one_of(config, &["content", "url"]);
        found.extend(conflicts(config, "verify_chain", &["content"]));
        if config.set_attribute("url").is_some() {
            let detail = "pipectl reads no certificates from servers. Give the certificate as `content`, for example from a file or \
                          from a data source of its own.";
            found.push(Diagnostic::error("URL not supported", detail).on(Path::of("url")));
        }
        found
    }

    async fn read(&self, _cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        let content = pem::read_as(pem::CERTIFICATE, text(config, "content").unwrap_or_default());
        let content = content.map_err(|error| error.about("Failed to decode PEM", "content"))?;
        let shown = parse::certificate(&content).and_then(|parsed| shown(&parsed, &content));
        let shown = shown.map_err(|error| error.about("Unable to parse certificate", "content"))?;
        let attributes = [
            ("certificates", Value::list(certificate_type(), [shown])),
            ("id", sha1_hex(pem::write(pem::CERTIFICATE, &content).trim().as_bytes()).into()),
        ];
        Ok(filled(config, attributes))
    }
}

fn shown(parsed: &Parsed, content: &[u8]) -> Result<Value, super::TlsError> {
    // Without the extension Go's zero value stands there; with it and without a length, -1.
    let (is_ca, length) = parsed.constraints.map_or((false, 0), |(is_ca, length)| (is_ca, length.unwrap_or(-1)));
    Ok(Value::object([
        ("signature_algorithm", Value::from(signature_name(&parsed.signature_algorithm))),
        ("public_key_algorithm", key_name(&parsed.key_algorithm).into()),
        ("serial_number", decimal(&parsed.serial).into()),
        ("is_ca", is_ca.into()),
        ("max_path_length", length.into()),
        ("version", parsed.version.into()),
        ("issuer", name::to_text(&parsed.issuer)?.into()),
        ("subject", name::to_text(&parsed.subject)?.into()),
        ("not_before", parsed.not_before.text().into()),
        ("not_after", parsed.not_after.text().into()),
        ("sha1_fingerprint", sha1_hex(content).into()),
        ("cert_pem", pem::write(pem::CERTIFICATE, content).into()),
    ]))
}

/// Names of Go's `x509.SignatureAlgorithm`; 0 for one that it does not know.
fn signature_name(identifier: &str) -> &'static str {
    match identifier {
        "1.2.840.113549.1.1.4" => "MD5-RSA",
        "1.2.840.113549.1.1.5" => "SHA1-RSA",
        "1.2.840.113549.1.1.11" => "SHA256-RSA",
        "1.2.840.113549.1.1.12" => "SHA384-RSA",
        "1.2.840.113549.1.1.13" => "SHA512-RSA",
        "1.2.840.10045.4.1" => "ECDSA-SHA1",
        "1.2.840.10045.4.3.2" => "ECDSA-SHA256",
        "1.2.840.10045.4.3.3" => "ECDSA-SHA384",
        "1.2.840.10045.4.3.4" => "ECDSA-SHA512",
        "1.3.101.112" => "Ed25519",
        _ => "0",
    }
}

/// Names of Go's `x509.PublicKeyAlgorithm`; 0 for one that it does not know.
fn key_name(identifier: &str) -> &'static str {
    match identifier {
        "1.2.840.113549.1.1.1" => "RSA",
        "1.2.840.10040.4.1" => "DSA",
        "1.2.840.10045.2.1" => "ECDSA",
        "1.3.101.112" => "Ed25519",
        _ => "0",
    }
}
