//! `tls_cert_request`: a request for a certificate; and the arguments about a subject that self-signed certificates take too.

use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_provider::Cx;

use super::key::PrivateKey;
use super::{certificate, name, pem};
use crate::digests::sha1_hex;
use crate::kept::Kept;
use pipectl_provider::arguments::{blocks, filled, text, texts};

pub(super) struct CertRequest;

impl Kept for CertRequest {
    const IS_HEAVY: bool = true;

    fn schema() -> Schema {
        let schema = Schema::of([
            ("cert_request_pem", Attribute::computed(Type::String, "The request, as PEM.")),
            ("id", Attribute::computed(Type::String, "SHA-1 of the request, in hexadecimal.")),
        ]);
        with_subject(schema).described("A request for a certificate.")
    }

    fn validate(config: &Value) -> Diagnostics {
        validate_subject(config)
    }

    fn make(_cx: &Cx, planned: &Value) -> Result<Value, Diagnostics> {
        let key = private_key(planned, "private_key_pem")?;
        let (subject, _) = name::of_subject(planned);
        let names = names(planned)?;
        let request = certificate::request(&subject, names.as_deref(), &key);
        let request = request.map_err(|error| error.about("Error creating certificate request", "private_key_pem"))?;
        let attributes = [
            ("key_algorithm", key.algorithm().into()),
            ("cert_request_pem", pem::write(pem::CERTIFICATE_REQUEST, &request).into()),
            ("id", sha1_hex(trimmed(&request)).into()),
        ];
        Ok(filled(planned, attributes))
    }
}

/// A schema with a subject, its names, and its private key.
pub(super) fn with_subject(schema: Schema) -> Schema {
    let list = |description: &str| Attribute::optional(Type::list(Type::String), description).forces_replacement();
    let key = Attribute::required(Type::String, "The subject's private key, as PEM.").forces_replacement();
    schema
        .attribute("private_key_pem", key.sensitive())
        .attribute("dns_names", list("DNS names of the subject."))
        .attribute("ip_addresses", list("IP addresses of the subject."))
        .attribute("uris", list("URIs of the subject."))
        .attribute("key_algorithm", Attribute::computed(Type::String, "Algorithm of the private key."))
        .block("subject", name::subject_block())
}

pub(super) fn validate_subject(config: &Value) -> Diagnostics {
    let mut found = Diagnostics::new();
    if blocks(config, "subject").len() > 1 {
        let detail = "Attribute subject list must contain at least 0 elements and at most 1 elements.";
        found.push(Diagnostic::error("Invalid Attribute Value", detail).on(Path::of("subject").index(1)));
    }
    for name in ["ip_addresses", "uris"] {
        let elements = config.attribute(name).and_then(Value::as_slice).unwrap_or_default();
        for (index, element) in elements.iter().enumerate().filter(|(_, element)| element.as_str() == Some("")) {
            let detail = format!("Attribute {name}[{index}] string length must be at least 1, got: {element}.");
            found.push(Diagnostic::error("Invalid Attribute Value Length", detail).on(Path::of(name).index(index)));
        }
    }
    found
}

/// The private key of an argument.
pub(super) fn private_key(planned: &Value, argument: &str) -> Result<PrivateKey, Diagnostics> {
    PrivateKey::read(text(planned, argument).unwrap_or_default())
        .map_err(|error| error.about("Failed to parse private key PEM", argument))
}

/// `GeneralNames` of the arguments.
pub(super) fn names(planned: &Value) -> Result<Option<Vec<u8>>, Diagnostics> {
    let names = |argument| texts(planned, argument);
    certificate::alternative_names(&names("dns_names"), &names("ip_addresses"), &names("uris"))
        .map_err(|error| error.about("Invalid subject name", "dns_names"))
}

/// Content whose SHA-1 is an id. HashiCorp's provider takes it for text, and so cuts bytes off its end that are white space in ASCII.
pub(super) fn trimmed(content: &[u8]) -> &[u8] {
    let end = content.iter().rposition(|byte| !matches!(byte, b'\t'..=b'\r' | b' '));
    end.map_or(&[], |end| &content[..=end])
}
