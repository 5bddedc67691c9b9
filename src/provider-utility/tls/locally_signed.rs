//! `tls_locally_signed_cert`: a certificate for a request, signed by a local authority.

use pipectl_core::{Attribute, Diagnostics, Schema, Type, Value};
use pipectl_provider::{Cx, Event, Instance, PlanRequest, PlanResponse, ReadOutcome};

use super::issue::{self, Parties, issue};
use super::request::private_key;
use super::{TlsError, parse, pem};
use crate::kept::Kept;
use crate::planning::Defaults;
use pipectl_provider::arguments::text;

pub(super) struct LocallySignedCert;

impl Kept for LocallySignedCert {
    const IS_HEAVY: bool = true;

    fn schema() -> Schema {
        let pem = |description: &str| Attribute::required(Type::String, description).forces_replacement();
        issue::schema()
            .attribute("ca_cert_pem", pem("The authority's certificate, as PEM."))
            .attribute("ca_private_key_pem", pem("The authority's private key, as PEM.").sensitive())
            .attribute("cert_request_pem", pem("The request, as PEM."))
            .attribute("ca_key_algorithm", Attribute::computed(Type::String, "Algorithm of the authority's key."))
            .described("A certificate for a request, signed by a local authority.")
    }

    fn defaults() -> Defaults {
        issue::defaults()
    }

    fn validate(config: &Value) -> Diagnostics {
        issue::validate(config)
    }

    fn read(cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
        issue::read(cx, prior)
    }

    fn plan(cx: &Cx, schema: &Schema, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        issue::plan_issue(cx, schema, &Self::defaults(), request)
    }

    fn make(cx: &Cx, planned: &Value) -> Result<Value, Diagnostics> {
        let read = |label, name| pem::read_as(label, text(planned, name).unwrap_or_default());
        let bad = |summary: &'static str, name: &'static str| move |error: TlsError| error.about(summary, name);
        let request = read(pem::CERTIFICATE_REQUEST, "cert_request_pem").and_then(|content| parse::request(&content));
        let request = request.map_err(bad("Failed to parse certificate request PEM", "cert_request_pem"))?;
        let key = private_key(planned, "ca_private_key_pem")?;
        let authority = read(pem::CERTIFICATE, "ca_cert_pem").and_then(|content| parse::certificate(&content));
        let authority = authority.map_err(bad("Failed to parse CA certificate PEM", "ca_cert_pem"))?;
        if !matches!(authority.constraints, Some((true, _))) {
            let text = "The certificate given as `ca_cert_pem` does not appear to be a Certificate Authority; what it signs might \
                        fail validation.";
            cx.emit(Event::Warning { text: text.to_owned() });
        }
        let parties = Parties {
            issuer: &authority.subject,
            subject: &request.subject,
            public_key: &request.public_key,
            alternative_names: request.alternative_names.clone(),
            issuer_key: authority.subject_key.clone(),
            is_own: false,
            key: &key,
        };
        let made = issue(cx, planned, parties)?;
        Ok(made.with_attribute("ca_key_algorithm", key.algorithm().into()))
    }
}
