//! `openstack_identity_application_credential_v3`

use async_trait::async_trait;
use pipectl_cloud::{Fields, Group};
use pipectl_core::{Attribute, Type, Value};
use pipectl_http::{Call, Method};
use pipectl_provider::arguments::texts;
use serde_json::{Map, Value as Json, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cloud::{Cloud, Service};
use crate::kind::{Fault, Kind, More, Place, text, unwrap, wrap};

pub(crate) struct ApplicationCredential;

#[async_trait]
impl Kind for ApplicationCredential {
    type Cloud = Cloud;

    const TYPE: &'static str = "openstack_identity_application_credential_v3";
    const NOUN: &'static str = "application credential";
    const SERVICE: Service = Service::Identity;
    const COLLECTION: &'static str = "application_credentials";
    const ENVELOPE: Option<&'static str> = Some("application_credential");

    fn fields() -> Fields {
        let given = |ty, description| Attribute::optional(ty, description).forces_replacement();
        let needed = |description| Attribute::required(Type::String, description).forces_replacement();
        let rule = Group::unordered("access_rules", "What alone may be asked for with it.")
            .with("id", "id", Attribute::computed(Type::String, "Its id."))
            .with("path", "path", needed("The path that may be asked for."))
            .with("method", "method", needed("The method that it may be asked with."))
            .with("service", "service", needed("The type of the service."));
        Fields::new("A credential for programs, with some of the rights of the user who makes it.")
            .in_region()
            .with("name", needed("Its name."))
            .with("description", given(Type::String, "What it is for."))
            .with(
                "unrestricted",
                given(Type::Bool, "Whether it may make other credentials and trusts. Clusters need that."),
            )
            .default("unrestricted", false)
            .with(
                "secret",
                Attribute::optional_computed(Type::String, "Its secret. Default: a new one.")
                    .forces_replacement()
                    .sensitive(),
            )
            .with("project_id", Attribute::computed(Type::String, "Its project.").forces_replacement())
            .apart(
                "roles",
                Attribute::optional_computed(
                    Type::set(Type::String),
                    "The names of its roles. Default: all of the user's.",
                )
                .forces_replacement(),
            )
            .with("expires_at", given(Type::String, "When it ends: `2027-01-01T00:00:00Z`."))
            .group("access_rules", rule)
            .equivalent("expires_at", is_same_time)
    }

    fn body(fields: &Fields, planned: &Value) -> Map<String, Json> {
        let mut body = fields.body(planned);
        let roles: Vec<Json> = texts(planned, "roles").into_iter().map(|name| json!({ "name": name })).collect();
        if !roles.is_empty() {
            body.insert("roles".to_owned(), roles.into());
        }
        body
    }

    async fn create(at: &Place<'_>, planned: &Value) -> Result<Json, Fault> {
        let body = wrap::<Self>(Self::body(at.fields, planned));
        let call = call(at, Method::POST, None).await?.json(&body).private();
        Ok(unwrap::<Self>(at.endpoint.send(&call).await?.json()?))
    }

    async fn look(at: &Place<'_>, id: &str, _known: &Value) -> Result<Option<Json>, Fault> {
        Ok(at.endpoint.look_by(&call(at, Method::GET, Some(id)).await?).await?.map(unwrap::<Self>))
    }

    async fn delete(at: &Place<'_>, id: &str, _prior: &Value) -> Result<(), Fault> {
        Ok(at.endpoint.remove_by(&call(at, Method::DELETE, Some(id)).await?).await?)
    }

    async fn more(_at: &Place<'_>, object: &Json, _known: &Value) -> Result<More, Fault> {
        let roles =
            object.get("roles").and_then(Json::as_array).into_iter().flatten().filter_map(|role| text(role, "name"));
        let roles = Value::set(Type::String, roles.map(Value::from));
        Ok([("roles".to_owned(), roles)].into())
    }

    /// It does not tell when it was made.
    async fn before(at: &Place<'_>, _planned: &Value) -> Result<Option<Json>, Fault> {
        let ids: Vec<String> = listed(at).await?.iter().filter_map(Self::id).collect();
        Ok(Some(ids.into()))
    }

    async fn candidates(at: &Place<'_>, arguments: &Json, before: &Json) -> Result<Vec<Json>, Fault> {
        let was_there = |object: &Json| {
            let before = before.as_array().into_iter().flatten();
            object.get("id").is_some_and(|id| before.into_iter().any(|before| before == id))
        };
        let is_meant = |object: &Json| object.get("name") == arguments.get("name") && !was_there(object);
        Ok(listed(at).await?.into_iter().filter(is_meant).collect())
    }

    fn lost(arguments: &Json) -> Option<String> {
        // A secret that was given is in no intent, and neither is one that was not.
        let _ = arguments;
        Some("its secret is lost".to_owned())
    }
}

async fn listed(at: &Place<'_>) -> Result<Vec<Json>, Fault> {
    let list: Json = at.endpoint.send(&call(at, Method::GET, None).await?).await?.json()?;
    Ok(list.get(ApplicationCredential::COLLECTION).and_then(Json::as_array).cloned().unwrap_or_default())
}

/// A call about application credentials of the user.
async fn call(at: &Place<'_>, method: Method, id: Option<&str>) -> Result<Call, Fault> {
    let token = at.cloud.token().await?;
    let path: Vec<&str> = ["users", &token.user_id, ApplicationCredential::COLLECTION].into_iter().chain(id).collect();
    Ok(at.endpoint.call(method, &path, &[]))
}

/// Keystone writes times with fractions of a second and without `Z`.
fn is_same_time(one: &Value, other: &Value) -> bool {
    let time = |value: &Value| {
        let text = value.as_str()?;
        OffsetDateTime::parse(text, &Rfc3339).or_else(|_| OffsetDateTime::parse(&format!("{text}Z"), &Rfc3339)).ok()
    };
    time(one).is_some_and(|one| time(other) == Some(one))
}
