//! What self-signed and locally signed certificates have in common: arguments, validity, renewal, and issuing.

use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_provider::{Cx, Effect, Instance, PlanRequest, PlanResponse, ReadOutcome, Reason};

use super::certificate::{Certificate, usage_names};
use super::key::{PrivateKey, key_identifier};
use super::pem;
use crate::draw::fill;
use crate::moment::{Moment, out_of_range};
use crate::planning::{Defaults, plan, replaced};
use crate::random::decimal;
use pipectl_provider::arguments::{filled, flag, integer, is_unknown, text, texts};
use pipectl_provider::rules::{at_least, each_one_of};

const HOUR: i64 = 3600;

/// Arguments and attributes of both kinds.
pub(super) fn schema() -> Schema {
    let flag = |description: &str| Attribute::optional_computed(Type::Bool, description).forces_replacement();
    let computed = |ty: Type, description: &str| Attribute::computed(ty, description);
    Schema::of([
        (
            "validity_period_hours",
            Attribute::required(Type::Number, "How long it is valid, in hours.").forces_replacement(),
        ),
        (
            "allowed_uses",
            Attribute::required(Type::list(Type::String), "Key usages and extended key usages.").forces_replacement(),
        ),
        (
            "early_renewal_hours",
            Attribute::optional_computed(Type::Number, "How long before its end it is replaced, in hours. Default: 0."),
        ),
        ("is_ca_certificate", flag("Whether it may sign others. Default: false.")),
        (
            "max_path_length",
            Attribute::optional_computed(
                Type::Number,
                "How many authorities there may be below it. Default: any number.",
            )
            .forces_replacement(),
        ),
        ("set_subject_key_id", flag("Whether it names its own key; an authority always does. Default: false.")),
        ("cert_pem", computed(Type::String, "The certificate as PEM.")),
        ("ready_for_renewal", computed(Type::Bool, "Whether its end, or the time of early renewal, has come.")),
        ("validity_start_time", computed(Type::String, "From when it is valid.")),
        ("validity_end_time", computed(Type::String, "Until when it is valid.")),
        ("id", computed(Type::String, "Its serial number, in decimal.")),
    ])
}

pub(super) fn defaults() -> Defaults {
    vec![("early_renewal_hours", 0.into()), ("is_ca_certificate", false.into()), ("set_subject_key_id", false.into())]
}

pub(super) fn validate(config: &Value) -> Diagnostics {
    let mut found = each_one_of(config, "allowed_uses", &usage_names());
    for (name, minimum) in [("validity_period_hours", 0), ("early_renewal_hours", 0), ("max_path_length", -1)] {
        found.extend(at_least(config, name, minimum));
    }
    found
}

/// When the time of renewal has come, by the attributes of the state and the `early_renewal_hours` of `config`.
fn due(cx: &Cx, prior: &Value, config: &Value) -> Result<Option<Moment>, Diagnostics> {
    let Some(end) = text(prior, "validity_end_time") else { return Ok(None) };
    let end = Moment::parse_attribute("validity_end_time", end)?;
    let early = integer(config, "early_renewal_hours").unwrap_or(0).saturating_mul(HOUR);
    // Before everything that can be written is long past.
    let Some(due) = end.add_seconds(early.saturating_neg()) else { return Ok(Some(end)) };
    Ok(Some(due).filter(|due| *due <= Moment::now(cx)))
}

fn due_reason(due: Moment) -> String {
    format!("it is due for renewal since {}", due.in_utc().text())
}

pub(super) fn read(cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
    let due = due(cx, &prior.attributes, &prior.attributes)?;
    let Some(due) = due.filter(|_| flag(&prior.attributes, "ready_for_renewal") != Some(true)) else {
        return Ok(ReadOutcome::unchanged(prior));
    };
    let attributes = prior.attributes.with_attribute("ready_for_renewal", true.into());
    let instance = Box::new(Instance { attributes, ..prior.clone() });
    Ok(ReadOutcome::Present { instance, drift: vec![due_reason(due)] })
}

pub(super) fn plan_issue(
    cx: &Cx,
    schema: &Schema,
    defaults: &Defaults,
    request: PlanRequest<'_>,
) -> Result<PlanResponse, Diagnostics> {
    let mut response = plan(schema, defaults, request);
    if let Some(prior) = request.prior
        && !is_unknown(&response.planned, "early_renewal_hours")
        && let Some(due) = due(cx, &prior.attributes, &response.planned)?
    {
        let path = Path::of("ready_for_renewal");
        let reason = Reason::on(&path, due_reason(due));
        response = replaced(schema, defaults, request, response, vec![reason], Some(path));
    }
    if response.effect == Effect::NoOp {
        return Ok(response);
    }
    // One that is not valid for longer than the time of early renewal is ready from the start.
    let hours = |name: &str| integer(&response.planned, name);
    let ready = match (hours("validity_period_hours"), hours("early_renewal_hours")) {
        (Some(0), _) => Value::from(true),
        (Some(valid), Some(early)) => Value::from(early >= valid),
        _ => Value::unknown(Type::Bool),
    };
    response.planned = response.planned.with_attribute("ready_for_renewal", ready);
    Ok(response)
}

/// Who signs, and for whom.
pub(super) struct Parties<'a> {
    /// `Name` of the issuer and of the subject.
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    /// `SubjectPublicKeyInfo`
    pub(super) public_key: &'a [u8],
    pub(super) alternative_names: Option<Vec<u8>>,
    /// The issuer's subject key identifier, if it has one.
    pub(super) issuer_key: Option<Vec<u8>>,
    /// Whether the issuer is the subject itself.
    pub(super) is_own: bool,
    pub(super) key: &'a PrivateKey,
}

/// Issues a certificate: the planned attributes with all that was unknown filled in.
pub(super) fn issue(cx: &Cx, planned: &Value, parties: Parties<'_>) -> Result<Value, Diagnostics> {
    const SUMMARY: &str = "Failed to create certificate";
    let failed = |error: super::TlsError| error.about(SUMMARY, "allowed_uses");
    let hours = integer(planned, "validity_period_hours").unwrap_or(0);
    let not_before = Moment::now(cx).in_utc();
    let not_after = hours.checked_mul(HOUR).and_then(|seconds| not_before.add_seconds(seconds));
    let not_after = not_after.ok_or_else(out_of_range)?;
    let is_authority = flag(planned, "is_ca_certificate") == Some(true);
    if is_authority && parties.subject == super::der::sequence(&[]) {
        let detail = "Must contain at least one Distinguished Name when creating Certificate Authority (CA).";
        return Err(Diagnostic::error("Invalid Certificate Subject", detail).into());
    }
    let names_itself = is_authority || flag(planned, "set_subject_key_id") == Some(true);
    let subject_key = if names_itself { Some(key_identifier(parties.public_key).map_err(failed)?) } else { None };
    let authority_key = if parties.is_own {
        // Only where it is asked for.
        let wanted = flag(planned, "set_authority_key_id") == Some(true);
        if wanted && subject_key.is_none() {
            let detail = "Could not determine Authority Key Identifier: set `set_subject_key_id` too.";
            return Err(Diagnostic::error("Invalid Certificate Authority", detail).into());
        }
        subject_key.clone().filter(|_| wanted)
    } else {
        parties.issuer_key.filter(|_| parties.issuer != parties.subject)
    };
    let mut serial = [0; 16];
    fill(&mut serial)?;
    let uses = texts(planned, "allowed_uses");
    let certificate = Certificate {
        serial,
        issuer: parties.issuer,
        subject: parties.subject,
        not_before,
        not_after,
        public_key: parties.public_key,
        uses: &uses,
        is_authority,
        path_length: integer(planned, "max_path_length").filter(|length| *length >= 0),
        subject_key,
        authority_key,
        alternative_names: parties.alternative_names,
    };
    let bytes = certificate.sign(parties.key).map_err(failed)?;
    let path_length = match planned.attribute("max_path_length") {
        Some(known) if known.is_wholly_known() => known.clone(),
        _ => Value::null_of(Type::Number),
    };
    let attributes = [
        ("id", decimal(&serial).into()),
        ("cert_pem", pem::write(pem::CERTIFICATE, &bytes).into()),
        ("validity_start_time", not_before.text().into()),
        ("validity_end_time", not_after.text().into()),
        ("max_path_length", path_length),
    ];
    Ok(filled(planned, attributes))
}
