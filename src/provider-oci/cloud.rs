//! OCI as one of its users sees it, and the habits of its services.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use pipectl_cloud::settling::settled;
use pipectl_cloud::{Clocks, Condition, Turns};
use pipectl_core::{Diagnostic, Diagnostics, Value};
use pipectl_http::{Answer, Client, Error, Method, StatusCode};
use pipectl_oci_client::{Refusal, Region, Service, Signer};
use serde_json::{Map, Value as Json, json};
use tokio::sync::Semaphore;

use crate::endpoint::{ETAG, Endpoint};
use crate::kind::{Fault, Kind, Place, SETTLES, condition, is_there, text};
use crate::recent::Recent;
use crate::tags;

/// OCI as one of its users sees it.
pub(crate) struct Cloud {
    pub(crate) client: Client,
    pub(crate) signer: Arc<Signer>,
    pub(crate) region: Region,
    /// Addresses of services, in the place of those of the region.
    pub(crate) overrides: BTreeMap<String, String>,
    pub(crate) now: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    pub(crate) clocks: Arc<Clocks>,
    pub(crate) turns: Turns,
    /// What was made a short time ago.
    pub(crate) recent: Arc<Recent>,
    /// How many MiB of files may be in memory to be uploaded.
    pub(crate) room: Arc<Semaphore>,
}

#[async_trait]
impl pipectl_cloud::Cloud for Cloud {
    const NAME: &'static str = "OCI";
    const CREATED: &'static [&'static str] = &["timeCreated", "metadata.timeCreated"];
    const IS_SLOW: bool = true;
    const REPEATS: bool = true;

    type Service = Service;
    type Endpoint = Endpoint;

    fn region(&self) -> Option<&str> {
        Some(&self.region.name)
    }

    async fn endpoint(&self, service: Service, _region: Option<&str>) -> Result<Endpoint, Diagnostics> {
        let overridden = self.overrides.get(service.name()).cloned();
        let address = overridden.unwrap_or_else(|| service.address(&self.region));
        let clocks = Arc::clone(&self.clocks);
        let note = Arc::new(move |answer: &pipectl_http::Answer| clocks.note(answer));
        let now = Arc::clone(&self.now);
        let endpoint = pipectl_oci_client::Endpoint::new(self.client.clone(), service, &address, now, note)?;
        Ok(Endpoint(endpoint, Arc::clone(&self.recent)))
    }

    fn clocks(&self) -> &Clocks {
        &self.clocks
    }

    fn turns(&self) -> &Turns {
        &self.turns
    }

    fn failed(summary: &str, error: &Error) -> Diagnostic {
        pipectl_oci_client::failed(summary, error)
    }

    fn condition(object: &Json) -> Condition {
        condition(object)
    }

    fn is_changed(before: &Json, now: &Json) -> bool {
        let tag = |object: &Json| text(object, ETAG);
        tag(before).is_none() || tag(before) != tag(now)
    }

    async fn create<K: Kind<Cloud = Self>>(at: &Place<'_>, body: Map<String, Json>) -> Result<Json, Fault> {
        Ok(at.endpoint.make(at.cx, &[K::COLLECTION], &Json::Object(body)).await?.json()?)
    }

    async fn look<K: Kind<Cloud = Self>>(at: &Place<'_>, id: &str, _known: &Value) -> Result<Option<Json>, Fault> {
        Ok(at.endpoint.look(&[K::COLLECTION, id], &[]).await?.filter(is_there))
    }

    async fn update<K: Kind<Cloud = Self>>(
        at: &Place<'_>,
        id: &str,
        prior: &Value,
        planned: &Value,
    ) -> Result<bool, Fault> {
        let mut changes = K::changes(at.fields, prior, planned);
        if let Some(compartment) = changes.remove("compartmentId") {
            moved::<K>(at, id, planned, &compartment).await?;
        }
        if changes.is_empty() {
            return Ok(false);
        }
        let object = K::look(at, id, planned).await?.unwrap_or_default();
        tags::keep_others(&mut changes, prior, &object);
        let etag = text(&object, ETAG);
        let path = [K::COLLECTION, id];
        at.endpoint.change(Method::PUT, &path, &Json::Object(changes), etag.as_deref()).await?;
        Ok(true)
    }

    async fn delete<K: Kind<Cloud = Self>>(at: &Place<'_>, id: &str, prior: &Value) -> Result<(), Fault> {
        removed::<K>(at, id, prior, &[K::COLLECTION, id], &[]).await?;
        Ok(())
    }

    fn stays_in_use(fault: &Fault) -> bool {
        fault.error().is_some_and(|error| Refusal::is(error, "BucketNotEmpty"))
    }

    async fn candidates<K: Kind<Cloud = Self>>(at: &Place<'_>, arguments: &Json) -> Result<Vec<Json>, Fault> {
        let argument = |name: &str| arguments.get(name).and_then(Json::as_str);
        let Some(compartment) = argument("compartment_id") else { return Ok(Vec::new()) };
        let mut query = vec![("compartmentId", compartment)];
        query.extend(argument("display_name").map(|name| ("displayName", name)));
        query.extend(argument("vcn_id").filter(|_| K::SERVICE == Service::Core).map(|vcn| ("vcnId", vcn)));
        let listed = at.endpoint.list(&[K::COLLECTION], &query).await?;
        Ok(listed.into_iter().filter(is_there).collect())
    }
}

/// Asks for the removal of an object: what the service answers. Already gone is success. OCI tells of what may not be removed that it is not there,
/// too: that can still be seen.
pub(crate) async fn removed<K: Kind<Cloud = Cloud>>(
    at: &Place<'_>,
    id: &str,
    prior: &Value,
    path: &[&str],
    query: &[(&str, &str)],
) -> Result<Option<Answer>, Fault> {
    match at.endpoint.remove(path, query).await {
        Err(fault) if is_missing(&fault) => match K::look(at, id, prior).await?.map(|object| K::condition(&object)) {
            None | Some(Condition::Busy(_)) => Ok(None),
            Some(Condition::Ready | Condition::Failed(_)) => Err(fault),
        },
        removed => removed.map(Some),
    }
}

/// Moves an object into another compartment, and waits until it is there.
async fn moved<K: Kind<Cloud = Cloud>>(at: &Place<'_>, id: &str, planned: &Value, to: &Json) -> Result<(), Fault> {
    const LIMIT: Duration = SETTLES;
    let path = [K::COLLECTION, id, "actions", "changeCompartment"];
    let seen = K::look(at, id, planned).await?;
    let etag = seen.as_ref().and_then(|object| text(object, ETAG));
    at.endpoint.change(Method::POST, &path, &json!({ "compartmentId": to }), etag.as_deref()).await?;
    settled::<K>(at, id, planned, LIMIT, seen.as_ref()).await?;
    Ok(())
}

impl Cloud {
    /// Who asks, once: who cannot be told apart learns it here, and not from every object.
    pub(crate) async fn check(&self) -> Result<(), Diagnostics> {
        self.signer.check().await.map_err(|denied| refused(&denied).into())
    }
}

/// Why nobody can ask.
pub(crate) fn refused(denied: &pipectl_http::Denied) -> Diagnostic {
    let diagnostic = Diagnostic::error("Authentication failed", format!("{}.", denied.reason));
    denied.hints.iter().fold(diagnostic, |diagnostic, hint| diagnostic.hint(hint))
}

/// Whether it is OCI's own word that there is no such thing, and not that of something on the way.
pub(crate) fn is_missing(fault: &Fault) -> bool {
    let is_said = |error: &Error| Refusal::of(error.body()).is_some();
    fault.status() == Some(StatusCode::NOT_FOUND) && fault.error().is_some_and(is_said)
}
