//! The provider `tls`: private keys, certificate requests and certificates.
//!
//! Attributes and rules: HashiCorp's provider of that name, version 4. Keys are drawn from the operating system and stand in the state, as
//! they do there: keep it encrypted, or use this for development only. Certificates are laid out as Go's `crypto/x509` lays them out.
//! The data source `tls_certificate` reads PEM and does not fetch from servers.

mod certificate;
mod curve;
mod data;
mod der;
mod issue;
mod key;
mod locally_signed;
mod name;
mod parse;
mod pem;
mod private_key;
mod request;
mod self_signed;
mod ssh;

use pipectl_core::{Attribute, Block, Diagnostic, Diagnostics, Path, Schema, Type};
use pipectl_provider::PlainProvider;

use crate::drawn::Drawn;
use crate::kept::KeptResource;

/// The provider: `tls_private_key`, `tls_cert_request`, `tls_self_signed_cert`, `tls_locally_signed_cert`, the data sources
/// `tls_public_key` and `tls_certificate`, and the ephemeral `tls_private_key`.
///
/// Nothing is fetched from servers, so the proxy of a provider block is read and not used.
pub fn provider() -> PlainProvider {
    let proxy = Schema::of([
        ("url", Attribute::optional(Type::String, "Where the proxy is.")),
        ("username", Attribute::optional(Type::String, "Who asks it.")),
        ("password", Attribute::optional(Type::String, "What it asks for.").sensitive()),
        ("from_env", Attribute::optional(Type::Bool, "Whether it comes from environment variables.")),
    ]);
    PlainProvider::new("tls")
        .ignoring(Schema::default().block("proxy", Block::single(proxy, "The proxy to fetch certificates through.")))
        .resource("tls_private_key", KeptResource::<private_key::PrivateKeyResource>::new())
        .resource("tls_cert_request", KeptResource::<request::CertRequest>::new())
        .resource("tls_self_signed_cert", KeptResource::<self_signed::SelfSignedCert>::new())
        .resource("tls_locally_signed_cert", KeptResource::<locally_signed::LocallySignedCert>::new())
        .data_source("tls_public_key", data::PublicKeyData::new())
        .data_source("tls_certificate", data::CertificateData::new())
        .ephemeral("tls_private_key", Drawn::<private_key::PrivateKeyResource>::new(&["id"], Vec::new()))
}

/// Why a key, a request or a certificate cannot be read or made. Never holds any of a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TlsError(String);

impl TlsError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// The diagnostic about an argument.
    pub(crate) fn about(self, summary: &str, argument: &str) -> Diagnostics {
        Diagnostic::error(summary, format!("{}.", self.0)).on(Path::of(argument)).into()
    }
}
