//! `openstack_identity_ec2_credential_v3`: keys for S3. Its id is its access key.

use async_trait::async_trait;
use pipectl_cloud::Fields;
use pipectl_core::{Attribute, Type, Value};
use pipectl_http::{Call, Method};
use pipectl_provider::arguments::text as given;
use serde_json::{Value as Json, json};

use crate::cloud::{Cloud, Service};
use crate::kind::{Fault, Kind, Place, text, unwrap};

pub(crate) struct Ec2Credential;

#[async_trait]
impl Kind for Ec2Credential {
    type Cloud = Cloud;

    const TYPE: &'static str = "openstack_identity_ec2_credential_v3";
    const NOUN: &'static str = "EC2 credential";
    const SERVICE: Service = Service::Identity;
    const COLLECTION: &'static str = "credentials";
    const ENVELOPE: Option<&'static str> = Some("credential");

    fn fields() -> Fields {
        let told = |description| Attribute::computed(Type::String, description).forces_replacement();
        let either = |description| Attribute::optional_computed(Type::String, description).forces_replacement();
        Fields::new("Keys for S3.")
            .in_region()
            .with("access", told("The access key."))
            .with("secret", told("The secret key.").sensitive().readable_again())
            .named("project_id", "tenant_id", either("The project whose objects it is for. Default: the provider's."))
            .with("user_id", either("The user whose it is, for administrators."))
            .with("trust_id", told("The trust that it was made under."))
    }

    fn id(object: &Json) -> Option<String> {
        text(object, "access")
    }

    async fn create(at: &Place<'_>, planned: &Value) -> Result<Json, Fault> {
        let project = match given(planned, "project_id") {
            Some(project) => Some(project.to_owned()),
            None => at.cloud.token().await?.project_id.clone(),
        };
        let body = json!({ "tenant_id": project });
        let call = call(at, Method::POST, given(planned, "user_id"), None).await?.json(&body).private();
        Ok(unwrap::<Self>(at.endpoint.send(&call).await?.json()?))
    }

    async fn look(at: &Place<'_>, id: &str, known: &Value) -> Result<Option<Json>, Fault> {
        let call = call(at, Method::GET, given(known, "user_id"), Some(id)).await?.private();
        Ok(at.endpoint.look_by(&call).await?.map(unwrap::<Self>))
    }

    async fn delete(at: &Place<'_>, id: &str, prior: &Value) -> Result<(), Fault> {
        Ok(at.endpoint.remove_by(&call(at, Method::DELETE, given(prior, "user_id"), Some(id)).await?).await?)
    }

    /// Nothing tells one from another but that it was not there before.
    async fn before(at: &Place<'_>, planned: &Value) -> Result<Option<Json>, Fault> {
        let ids: Vec<String> = listed(at, given(planned, "user_id")).await?.iter().filter_map(Self::id).collect();
        Ok(Some(ids.into()))
    }

    async fn candidates(at: &Place<'_>, arguments: &Json, before: &Json) -> Result<Vec<Json>, Fault> {
        let Some(before) = before.as_array() else { return Ok(Vec::new()) };
        let listed = listed(at, arguments.get("user_id").and_then(Json::as_str)).await?;
        Ok(listed
            .into_iter()
            .filter(|object| object.get("access").is_none_or(|access| !before.contains(access)))
            .collect())
    }
}

async fn listed(at: &Place<'_>, user: Option<&str>) -> Result<Vec<Json>, Fault> {
    let list: Json = at.endpoint.send(&call(at, Method::GET, user, None).await?.private()).await?.json()?;
    Ok(list.get("credentials").and_then(Json::as_array).cloned().unwrap_or_default())
}

/// A call about EC2 credentials of a user: of the own one, if none is named.
async fn call(at: &Place<'_>, method: Method, user: Option<&str>, id: Option<&str>) -> Result<Call, Fault> {
    let token = at.cloud.token().await?;
    let user = user.filter(|user| !user.is_empty()).unwrap_or(&token.user_id);
    let path: Vec<&str> = ["users", user, "credentials", "OS-EC2"].into_iter().chain(id).collect();
    Ok(at.endpoint.call(method, &path, &[]))
}
