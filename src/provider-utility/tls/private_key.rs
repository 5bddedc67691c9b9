//! `tls_private_key`: a private key, drawn from the operating system.

use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_provider::Cx;
use serde_json::Value as Json;

use super::curve::Curve;
use super::key::{PrivateKey, RSA_BITS};
use super::request::trimmed;
use super::{pem, ssh};
use crate::digests::sha1_hex;
use crate::kept::Kept;
use crate::planning::Defaults;
use pipectl_provider::arguments::{filled, integer, text};
use pipectl_provider::rules::{one_of, whole};

const ALGORITHMS: [&str; 3] = ["RSA", "ECDSA", "ED25519"];

pub(super) struct PrivateKeyResource;

impl Kept for PrivateKeyResource {
    const IS_HEAVY: bool = true;

    fn schema() -> Schema {
        let secret = |form: &str| {
            Attribute::computed(Type::String, &format!("The private key, as {form}."))
                .sensitive()
                .kept_as_terraform_does()
        };
        let mut schema = public_schema()
            .attribute(
                "algorithm",
                Attribute::required(Type::String, "`RSA`, `ECDSA` or `ED25519`.").forces_replacement(),
            )
            .attribute(
                "rsa_bits",
                Attribute::optional_computed(Type::Number, "Bits of an RSA key. Default: 2048.").forces_replacement(),
            )
            .attribute(
                "ecdsa_curve",
                Attribute::optional_computed(
                    Type::String,
                    "Curve of an ECDSA key: `P224`, `P256`, `P384` or `P521`. Default: `P224`.",
                )
                .forces_replacement(),
            )
            .attribute("private_key_pem", secret("PEM: PKCS#1, SEC 1, or PKCS#8 for ED25519"))
            .attribute("private_key_pem_pkcs8", secret("PEM of PKCS#8"))
            .attribute("private_key_openssh", secret("OpenSSH writes it; empty for P224"))
            .described("A private key, which stands in the state.");
        schema.version = 1;
        schema
    }

    fn defaults() -> Defaults {
        vec![("rsa_bits", 2048.into()), ("ecdsa_curve", Curve::P224.name().into())]
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut found = one_of(config, "algorithm", &ALGORITHMS);
        found.extend(one_of(config, "ecdsa_curve", &Curve::ALL.map(Curve::name)));
        found.extend(whole(config, "rsa_bits"));
        if let Some(bits) = integer(config, "rsa_bits").filter(|bits| !RSA_BITS.contains(bits))
            && text(config, "algorithm") == Some("RSA")
        {
            let detail = format!(
                "Attribute rsa_bits value must be between {} and {}, got: {bits}.",
                RSA_BITS.start(),
                RSA_BITS.end()
            );
            found.push(Diagnostic::error("Invalid Attribute Value", detail).on(Path::of("rsa_bits")));
        }
        found
    }

    fn make(_cx: &Cx, planned: &Value) -> Result<Value, Diagnostics> {
        let key = match text(planned, "algorithm") {
            Some("RSA") => {
                let bits = integer(planned, "rsa_bits").and_then(|bits| usize::try_from(bits).ok());
                PrivateKey::draw_rsa(bits.unwrap_or(2048))?
            }
            Some("ECDSA") => {
                let name = text(planned, "ecdsa_curve");
                let curve = Curve::ALL.into_iter().find(|curve| Some(curve.name()) == name);
                PrivateKey::draw_ec(curve.unwrap_or(Curve::P224))?
            }
            Some("ED25519") => PrivateKey::draw_ed25519()?,
            other => {
                let detail = format!("Key Algorithm {:?} is not supported.", other.unwrap_or_default());
                return Err(Diagnostic::error("Invalid Key Algorithm", detail).into());
            }
        };
        let secrets = [
            ("private_key_pem", key.traditional_pem().into()),
            ("private_key_pem_pkcs8", key.pkcs8_pem().into()),
            ("private_key_openssh", ssh::private_pem(&key)?.into()),
        ];
        Ok(filled(planned, secrets.into_iter().chain(public_attributes(&key))))
    }

    /// Version 0, of before 2022, lacks forms of the key: they are made from the one that it has.
    fn upgrade(from_version: u32, stored: &Json) -> Option<Result<Json, Diagnostics>> {
        if from_version != 0 {
            return None;
        }
        let upgraded = || {
            let mut upgraded = stored.clone();
            let key = PrivateKey::read(stored["private_key_pem"].as_str().unwrap_or_default())
                .map_err(|error| error.about("Unable to parse key from PEM", "private_key_pem"))?;
            let mut forms = vec![("private_key_pem_pkcs8", Value::from(key.pkcs8_pem()))];
            if stored["private_key_openssh"].as_str().unwrap_or_default().is_empty() {
                forms.push(("private_key_openssh", ssh::private_pem(&key)?.into()));
            }
            forms.extend(public_attributes(&key));
            for (name, value) in forms {
                upgraded[name] = value.as_str().unwrap_or_default().into();
            }
            Ok(upgraded)
        };
        Some(upgraded())
    }
}

/// Attributes of a public key, which the data source has too.
pub(super) fn public_schema() -> Schema {
    Schema::of([
        ("public_key_pem", Attribute::computed(Type::String, "The public key, as PEM.")),
        (
            "public_key_openssh",
            Attribute::computed(Type::String, "The public key as a line of `authorized_keys`; empty for P224."),
        ),
        ("public_key_fingerprint_md5", Attribute::computed(Type::String, "MD5 fingerprint of OpenSSH: `aa:bb:...`.")),
        (
            "public_key_fingerprint_sha256",
            Attribute::computed(Type::String, "SHA-256 fingerprint of OpenSSH: `SHA256:...`."),
        ),
        ("id", Attribute::computed(Type::String, "SHA-1 of the public key, in hexadecimal.")),
    ])
}

/// Values of [`public_schema`].
pub(super) fn public_attributes(key: &PrivateKey) -> [(&'static str, Value); 5] {
    let der = key.public_der();
    let ssh = ssh::PublicKey::of(key);
    [
        ("public_key_pem", pem::write(pem::PUBLIC_KEY, &der).into()),
        ("public_key_openssh", ssh.line.into()),
        ("public_key_fingerprint_md5", ssh.md5.into()),
        ("public_key_fingerprint_sha256", ssh.sha256.into()),
        ("id", sha1_hex(trimmed(&der)).into()),
    ]
}
