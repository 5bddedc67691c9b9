//! `openstack_compute_keypair_v2`: a public key, which a server gets; made here or brought along. Its id is its name.

use async_trait::async_trait;
use pipectl_cloud::Fields;
use pipectl_core::json::to_json;
use pipectl_core::{Attribute, Type, Value};
use pipectl_http::{Call, Method};
use pipectl_provider::arguments::{map_of_text, text as given};
use serde_json::{Map, Value as Json};

use crate::cloud::{Cloud, Service};
use crate::kind::{Fault, Kind, Place, text, unwrap, wrap};

pub(crate) struct KeyPair;

#[async_trait]
impl Kind for KeyPair {
    type Cloud = Cloud;

    const TYPE: &'static str = "openstack_compute_keypair_v2";
    const NOUN: &'static str = "key pair";
    const SERVICE: Service = Service::Compute;
    const COLLECTION: &'static str = "os-keypairs";
    const ENVELOPE: Option<&'static str> = Some("keypair");

    fn fields() -> Fields {
        let either = |description| Attribute::optional_computed(Type::String, description).forces_replacement();
        Fields::new("A key to log in to servers with.")
            .in_region()
            .with("name", Attribute::required(Type::String, "Its name.").forces_replacement())
            .with("public_key", either("The public key, as OpenSSH writes it. Default: a new one."))
            .with("user_id", either("The user whose it is, for administrators."))
            .with("fingerprint", Attribute::computed(Type::String, "Its fingerprint, MD5."))
            .with(
                "private_key",
                Attribute::computed(Type::String, "The private key, where it is a new one, as PEM.")
                    .sensitive()
                    .unless_given("public_key"),
            )
            .apart(
                "value_specs",
                Attribute::optional(map_of_text(), "More members of the request that makes it.").forces_replacement(),
            )
            .equivalent("public_key", is_same_key)
    }

    fn id(object: &Json) -> Option<String> {
        text(object, "name")
    }

    fn body(fields: &Fields, planned: &Value) -> Map<String, Json> {
        let mut body = fields.body(planned);
        if let Some(Json::Object(specs)) = planned.set_attribute("value_specs").and_then(to_json) {
            body.extend(specs);
        }
        body
    }

    async fn create(at: &Place<'_>, planned: &Value) -> Result<Json, Fault> {
        let body = wrap::<Self>(Self::body(at.fields, planned));
        let call = at.endpoint.call(Method::POST, &[Self::COLLECTION], &[]).json(&body).private();
        Ok(unwrap::<Self>(at.endpoint.send(&call).await?.json()?))
    }

    async fn look(at: &Place<'_>, id: &str, known: &Value) -> Result<Option<Json>, Fault> {
        Ok(at.endpoint.look_by(&call(at, Method::GET, id, known).await?).await?.map(unwrap::<Self>))
    }

    async fn delete(at: &Place<'_>, id: &str, prior: &Value) -> Result<(), Fault> {
        let call = call(at, Method::DELETE, id, prior).await?;
        Ok(at.endpoint.remove_by(&call).await?)
    }

    async fn candidates(at: &Place<'_>, arguments: &Json, _before: &Json) -> Result<Vec<Json>, Fault> {
        let Some(name) = arguments.get("name").and_then(Json::as_str) else { return Ok(Vec::new()) };
        let user = arguments.get("user_id").and_then(Json::as_str).unwrap_or_default();
        let known = Value::object([("user_id", Value::from(user))]);
        Ok(Self::look(at, name, &known).await?.into_iter().collect())
    }

    fn lost(arguments: &Json) -> Option<String> {
        let is_new = arguments.get("public_key").is_none_or(Json::is_null);
        is_new.then(|| "the private key that was made with it is lost".to_owned())
    }
}

/// A call about a key pair, which may be another user's.
async fn call(at: &Place<'_>, method: Method, id: &str, known: &Value) -> Result<Call, Fault> {
    let own = at.cloud.token().await?;
    let user = given(known, "user_id").filter(|user| !user.is_empty() && *user != own.user_id);
    let query: Vec<_> = user.map(|user| ("user_id", user)).into_iter().collect();
    Ok(at.endpoint.call(method, &[KeyPair::COLLECTION, id], &query))
}

/// Blanks around a key do not count.
fn is_same_key(one: &Value, other: &Value) -> bool {
    one.as_str().zip(other.as_str()).is_some_and(|(one, other)| one.trim() == other.trim())
}
