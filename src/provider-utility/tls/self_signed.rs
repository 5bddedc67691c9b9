//! `tls_self_signed_cert`: a certificate that its own key signs.

use pipectl_core::{Attribute, Diagnostics, Schema, Type, Value};
use pipectl_provider::{Cx, Instance, PlanRequest, PlanResponse, ReadOutcome};

use super::issue::{self, Parties, issue};
use super::name;
use super::request::{names, private_key, validate_subject, with_subject};
use crate::kept::Kept;
use crate::planning::Defaults;

pub(super) struct SelfSignedCert;

impl Kept for SelfSignedCert {
    const IS_HEAVY: bool = true;

    fn schema() -> Schema {
        let authority = "Whether it names the key that signed it, which is its own. Default: false.";
        with_subject(issue::schema())
            .attribute("set_authority_key_id", Attribute::optional_computed(Type::Bool, authority).forces_replacement())
            .described("A certificate signed by its own key.")
    }

    fn defaults() -> Defaults {
        let mut defaults = issue::defaults();
        defaults.push(("set_authority_key_id", false.into()));
        defaults
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut found = issue::validate(config);
        found.extend(validate_subject(config));
        found
    }

    fn read(cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
        issue::read(cx, prior)
    }

    fn plan(cx: &Cx, schema: &Schema, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        issue::plan_issue(cx, schema, &Self::defaults(), request)
    }

    fn make(cx: &Cx, planned: &Value) -> Result<Value, Diagnostics> {
        let key = private_key(planned, "private_key_pem")?;
        let (subject, _) = name::of_subject(planned);
        let parties = Parties {
            issuer: &subject,
            subject: &subject,
            public_key: &key.public_der(),
            alternative_names: names(planned)?,
            issuer_key: None,
            is_own: true,
            key: &key,
        };
        let made = issue(cx, planned, parties)?;
        Ok(made.with_attribute("key_algorithm", key.algorithm().into()))
    }
}
