//! The provider `random`: values that are drawn once and then kept until `keepers` or an argument change.
//!
//! Attributes and rules: HashiCorp's provider of that name, version 3. Where the randomness comes from: `draw`.

mod bytes;
mod id;
mod integer;
mod pet;
mod shuffle;
mod string;
mod uuid;

use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_provider::{PlainProvider, PlanRequest, PlanResponse};

use crate::drawn::Drawn;
use crate::kept::KeptResource;
use crate::planning::{Defaults, plan_with_map};
use pipectl_provider::arguments::{integer, map_of_text};

#[cfg(feature = "tls")]
pub(crate) use id::decimal;

/// The provider: `random_bytes`, `random_id`, `random_integer`, `random_password`, `random_pet`, `random_shuffle`, `random_string`,
/// `random_uuid`, and the ephemeral `random_password`.
pub fn provider() -> PlainProvider {
    let numeric = vec![("numeric", true.into())];
    PlainProvider::new("random")
        .resource("random_bytes", KeptResource::<bytes::RandomBytes>::new())
        .resource("random_id", KeptResource::<id::RandomId>::new())
        .resource("random_integer", KeptResource::<integer::RandomInteger>::new())
        .resource("random_password", KeptResource::<string::RandomPassword>::new())
        .resource("random_pet", KeptResource::<pet::RandomPet>::new())
        .resource("random_shuffle", KeptResource::<shuffle::RandomShuffle>::new())
        .resource("random_string", KeptResource::<string::RandomString>::new())
        .resource("random_uuid", KeptResource::<uuid::RandomUuid>::new())
        .ephemeral("random_password", Drawn::<string::RandomPassword>::new(&["id", "keepers", "number"], numeric))
}

/// A schema with `keepers`, which all kinds have.
fn with_keepers(schema: Schema) -> Schema {
    let keepers = Attribute::optional(map_of_text(), "Values whose change draws again.").forces_replacement();
    schema.attribute("keepers", keepers)
}

/// The plan of a kind with `keepers`.
fn plan_with_keepers(schema: &Schema, defaults: &Defaults, request: PlanRequest<'_>) -> PlanResponse {
    plan_with_map(schema, defaults, request, "keepers")
}

/// `keepers` of an imported object.
fn no_keepers() -> (&'static str, Value) {
    ("keepers", Value::null_of(Type::map(Type::String)))
}

/// A number of at most `maximum`, so that a slip of the finger does not fill the memory.
fn at_most(config: &Value, name: &str, maximum: i64) -> Diagnostics {
    match integer(config, name) {
        Some(number) if number > maximum => {
            let detail = format!("Attribute {name} value must be at most {maximum}, got: {number}.");
            Diagnostic::error("Invalid Attribute Value", detail).on(Path::of(name)).into()
        }
        _ => Diagnostics::new(),
    }
}

/// An id that cannot be imported.
fn bad_import(what: &str, detail: impl Into<String>) -> Diagnostics {
    Diagnostic::error(format!("Import Random {what} Error"), detail.into()).into()
}
