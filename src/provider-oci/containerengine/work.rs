//! Long operations of OKE.

use std::time::Duration;

use pipectl_cloud::settling::READING_FAILED;
use pipectl_core::json::to_json;
use pipectl_core::{Diagnostic, Diagnostics, Value};
use pipectl_http::{Answer, Method};
use pipectl_oci_client::work_request::{Progress, WorkRequest};
use pipectl_provider::arguments::{optional_text, text as given};
use pipectl_provider::waiting::{Look, Wait};
use serde_json::{Map, Value as Json, json};

use crate::endpoint::{Change, ETAG, fault, holds};
use crate::kind::{Fault, Kind, Place, text};

/// What a recorded long operation is called in the state.
const RECORDED: &str = "work_request";

/// Begins to make an object of a type (`cluster`, `nodepool`), and waits until its id is known. The rest is waited for by the object's own state.
pub(super) async fn made<K: Kind<Cloud = crate::cloud::Cloud>>(
    at: &Place<'_>,
    entity: &str,
    body: Map<String, Json>,
    limit: Duration,
) -> Result<Json, Fault> {
    let answer = at.endpoint.make(at.cx, &[K::COLLECTION], &Json::Object(body)).await?;
    let request = begun::<K>(&answer)?;
    at.cx.record(json!({ RECORDED: request }));
    let what = format!("the new {}", K::NOUN);
    let look = || async {
        let Some(work) = looked(at, &request).await? else { return Ok(Look::Pending("accepted".to_owned())) };
        match (work.progress(), work.resource(entity)) {
            (Progress::Failed, None) => Err(failed::<K>(at, &work).await),
            // One that has failed may still have made something, whose own state tells so.
            (_, Some(id)) => Ok(Look::Done(id)),
            (_, None) => Ok(Look::Pending(work.status)),
        }
    };
    let id = Wait::at_most(limit).until(at.cx, &what, look).await?;
    Ok(json!({ "id": id, "lifecycleState": "CREATING" }))
}

/// The object that was recorded, or that a recorded operation makes.
pub(super) async fn resource(at: &Place<'_>, entity: &str, recorded: &Json) -> Result<Option<String>, Fault> {
    let Some(request) = text(recorded, RECORDED) else { return Ok(text(recorded, "id")) };
    Ok(WorkRequest::look(&at.endpoint.0, &request).await.map_err(fault)?.and_then(|work| work.resource(entity)))
}

/// Changes the version of an object that is there now, and waits for the operation. `shown` is how the object tells that it is done.
pub(super) async fn changed<K: Kind<Cloud = crate::cloud::Cloud>>(
    at: &Place<'_>,
    id: &str,
    path: &[&str],
    body: &Json,
    shown: &Json,
    limit: Duration,
) -> Result<(), Fault> {
    let object = K::look(at, id, &Value::null()).await?.unwrap_or_default();
    let what = format!("the change of the {} `{id}`", K::NOUN);
    let method = if path.len() > 2 { Method::POST } else { Method::PUT };
    match at.endpoint.try_change(method, path, body, text(&object, ETAG).as_deref()).await? {
        Change::Answered(answer) => finished::<K>(at, &begun::<K>(&answer)?, &what, limit).await,
        Change::Perhaps(refused) => {
            if let Some(request) = running(at, id, &object).await? {
                finished::<K>(at, &request, &what, limit).await?;
            }
            match K::look(at, id, &Value::null()).await? {
                Some(object) if holds(&object, shown) => Ok(()),
                Some(_) | None => Err(refused),
            }
        }
    }
}

/// The operation on an object that goes on: there is one at a time.
async fn running(at: &Place<'_>, id: &str, object: &Json) -> Result<Option<String>, Fault> {
    let listed = of_object(at, &text(object, "clusterId").unwrap_or_else(|| id.to_owned()), id, object, &[]).await?;
    let is_running =
        |work: &&Json| matches!(text(work, "status").as_deref(), Some("ACCEPTED" | "IN_PROGRESS" | "CANCELING"));
    Ok(listed.iter().rfind(is_running).and_then(|work| text(work, "id")))
}

/// The operations on an object, the last one last.
async fn of_object(
    at: &Place<'_>,
    cluster: &str,
    id: &str,
    object: &Json,
    more: &[(&str, &str)],
) -> Result<Vec<Json>, Fault> {
    let compartment = text(object, "compartmentId").unwrap_or_default();
    let mut query = vec![("compartmentId", compartment.as_str()), ("clusterId", cluster), ("resourceId", id)];
    query.extend(more);
    let mut listed = at.endpoint.list(&["workRequests"], &query).await?;
    listed.sort_by_key(|work| text(work, "timeAccepted"));
    Ok(listed)
}

/// Waits until an operation has done what it was asked for.
async fn finished<K: Kind<Cloud = crate::cloud::Cloud>>(
    at: &Place<'_>,
    request: &str,
    what: &str,
    limit: Duration,
) -> Result<(), Fault> {
    let look = || async {
        let Some(work) = looked(at, request).await? else { return Ok(Look::Pending("accepted".to_owned())) };
        match work.progress() {
            Progress::Succeeded => Ok(Look::Done(())),
            Progress::Failed => Err(failed::<K>(at, &work).await),
            Progress::Running => Ok(Look::Pending(work.status)),
        }
    };
    Ok(Wait::at_most(limit).until(at.cx, what, look).await?)
}

async fn looked(at: &Place<'_>, request: &str) -> Result<Option<WorkRequest>, Diagnostics> {
    WorkRequest::look(&at.endpoint.0, request).await.map_err(|failed| fault(failed).told(READING_FAILED))
}

fn begun<K: Kind<Cloud = crate::cloud::Cloud>>(answer: &Answer) -> Result<String, Fault> {
    WorkRequest::begun(answer).ok_or_else(|| {
        let detail = format!("OKE was asked for a {} and did not say which work request it is.", K::NOUN);
        Diagnostic::error("Unexpected answer", detail).into()
    })
}

/// The error for an operation that came to nothing, with the reasons that it gives.
async fn failed<K: Kind<Cloud = crate::cloud::Cloud>>(at: &Place<'_>, work: &WorkRequest) -> Diagnostics {
    let reasons = match work.reasons(&at.endpoint.0).await {
        Ok(reasons) if !reasons.is_empty() => reasons.join("; "),
        _ => "it says no reason".to_owned(),
    };
    let detail = format!(
        "The work request `{}` for the {} is {}: {}.",
        work.id,
        K::NOUN,
        work.status,
        reasons.trim_end_matches('.')
    );
    Diagnostic::error(pipectl_cloud::settling::FAILED, detail)
        .hint(format!("oci ce work-request-log-entry list --work-request-id {}", work.id))
        .into()
}

/// Why an object of OKE came to nothing: the errors of the last operation on it that failed.
pub(super) async fn reasons(at: &Place<'_>, cluster: &str, id: &str, object: &Json) -> Result<Option<String>, Fault> {
    let listed = of_object(at, cluster, id, object, &[("status", "FAILED")]).await?;
    let Some(request) = listed.last().and_then(|work| text(work, "id")) else { return Ok(None) };
    let Some(work) = WorkRequest::look(&at.endpoint.0, &request).await.map_err(fault)? else { return Ok(None) };
    let reasons = work.reasons(&at.endpoint.0).await.map_err(fault)?;
    Ok((!reasons.is_empty()).then(|| reasons.join("; ")))
}

/// What could have been made: of a compartment, by its name.
pub(super) async fn candidates<K: Kind<Cloud = crate::cloud::Cloud>>(
    at: &Place<'_>,
    arguments: &Json,
    more: &[(&str, &str)],
) -> Result<Vec<Json>, Fault> {
    let argument = |name: &str| arguments.get(name).and_then(Json::as_str);
    let mut query = more.to_vec();
    query.extend(argument("compartment_id").map(|id| ("compartmentId", id)));
    query.extend(argument("name").map(|name| ("name", name)));
    Ok(at.endpoint.list(&[K::COLLECTION], &query).await?.into_iter().filter(crate::kind::is_there).collect())
}

/// The ids of what could have been made and is there already, for kinds that do not tell when they were made.
pub(super) async fn before<K: Kind<Cloud = crate::cloud::Cloud>>(
    at: &Place<'_>,
    planned: &Value,
    more: &[(&str, &str)],
) -> Result<Json, Fault> {
    let argument = |name: &str| (name.to_owned(), optional_text(given(planned, name)));
    let arguments = Value::object([argument("compartment_id"), argument("name")]);
    let there = candidates::<K>(at, &to_json(&arguments).unwrap_or_default(), more).await?;
    Ok(there.iter().filter_map(K::id).collect())
}

/// What is there now and was not before.
pub(super) fn without(listed: Vec<Json>, before: &Json) -> Vec<Json> {
    let is_new = |object: &Json| {
        let mut before = before.as_array().into_iter().flatten();
        !before.any(|id| object.get("id") == Some(id))
    };
    listed.into_iter().filter(is_new).collect()
}
