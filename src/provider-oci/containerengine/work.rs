//! Long operations of OKE.

use std::time::Duration;

use pipectl_cloud::settling::{READING_FAILED, SHOWS_WITHIN};
use pipectl_core::json::to_json;
use pipectl_core::{Diagnostic, Diagnostics, Value};
use pipectl_http::{Answer, Method};
use pipectl_oci_client::work_request::{Progress, WorkRequest};
use pipectl_provider::arguments::{optional_text, text as given};
use pipectl_provider::waiting::{Look, Wait};
use serde_json::{Map, Value as Json, json};

use crate::endpoint::{Change, ETAG, TIMES, fault, holds, is_used_up};
use crate::kind::{Fault, Kind, Place, SETTLES, text};

/// What a recorded long operation is called in the state.
const RECORDED: &str = "work_request";

/// Begins to make an object of a type (`cluster`, `nodepool`), and waits until its id is known. The rest is waited for by the object's own state.
pub(super) async fn made<K: Kind<Cloud = crate::cloud::Cloud>>(
    at: &Place<'_>,
    entity: &str,
    body: Map<String, Json>,
    limit: Duration,
) -> Result<Json, Fault> {
    let body = Json::Object(body);
    let mut time = 0;
    loop {
        let answer = match at.endpoint.make_time(at.cx, &[K::COLLECTION], &body, time).await {
            Err(fault) if is_used_up(&fault) && time < TIMES => {
                time += 1;
                continue;
            }
            answer => answer?,
        };
        let request = begun::<K>(&answer)?;
        // OCI may tell of an operation that an earlier call has begun, and of which nothing is left.
        if time < TIMES && is_over::<K>(at, entity, &request).await? {
            time += 1;
            continue;
        }
        at.cx.record(json!({ RECORDED: request }));
        let what = format!("the new {}", K::NOUN);
        let (request, began) = (&request, tokio::time::Instant::now());
        let look = || async move {
            let Some(work) = looked(at, request).await? else { return Ok(Look::Pending("accepted".to_owned())) };
            match (work.progress(), work.resource(entity)) {
                (Progress::Failed, None) => Ok(Look::Done(Err(failed::<K>(at, &work).await))),
                // One that has failed may still have made something, whose own state tells so.
                (_, Some(id)) => Ok(Look::Done(Ok(id))),
                (Progress::Succeeded, None) if began.elapsed() > SHOWS_WITHIN => Err(nothing_made::<K>(&work).into()),
                (_, None) => Ok(Look::Pending(work.status)),
            }
        };
        let id = Wait::at_most(limit).until(at.cx, &what, look).await.map_err(Fault::open)??;
        at.endpoint.made(&id);
        return Ok(json!({ "id": id, "lifecycleState": "CREATING" }));
    }
}

/// Whether an operation has come to its end, and nothing is left of what it has made.
async fn is_over<K: Kind<Cloud = crate::cloud::Cloud>>(
    at: &Place<'_>,
    entity: &str,
    request: &str,
) -> Result<bool, Fault> {
    let Some(work) = looked(at, request).await? else { return Ok(false) };
    match (work.progress(), work.resource(entity)) {
        (Progress::Running, _) | (Progress::Succeeded, None) => Ok(false),
        (Progress::Succeeded | Progress::Failed, Some(id)) => Ok(K::look(at, &id, &Value::null()).await?.is_none()),
        (Progress::Failed, None) => Ok(is_old(at, request).await?),
    }
}

/// Whether an operation was accepted before now: what fails at once is this call's own.
async fn is_old(at: &Place<'_>, request: &str) -> Result<bool, Fault> {
    const AT_ONCE: Duration = Duration::from_secs(30);
    let object = at.endpoint.look(&["workRequests", request], &[]).await?.unwrap_or_default();
    let now = at.cloud.clocks.there(at.cx.environment.now());
    let accepted = text(&object, "timeAccepted").and_then(|time| pipectl_cloud::time_of(&time));
    Ok(accepted.is_some_and(|accepted| accepted + AT_ONCE < now))
}

fn nothing_made<K: Kind>(work: &WorkRequest) -> Diagnostic {
    let detail =
        format!("The work request `{}` has succeeded, and does not tell which {} it has made.", work.id, K::NOUN);
    Diagnostic::error("Unexpected answer", detail)
}

/// Removes an object, and waits for the operation, which tells why it stays.
pub(super) async fn removed<K: Kind<Cloud = crate::cloud::Cloud>>(
    at: &Place<'_>,
    id: &str,
    prior: &Value,
) -> Result<(), Fault> {
    let answer = crate::cloud::removed::<K>(at, id, prior, &[K::COLLECTION, id], &[]).await?;
    let Some(request) = answer.as_ref().and_then(WorkRequest::begun) else { return Ok(()) };
    let what = format!("the removal of the {} `{id}`", K::NOUN);
    finished::<K>(at, &request, &what, at.fields.limit("delete", prior)).await
}

/// The object that was recorded, or that a recorded operation makes. One that goes on and does not tell yet is waited for.
pub(super) async fn resource(at: &Place<'_>, entity: &str, recorded: &Json) -> Result<Option<String>, Fault> {
    let Some(request) = &text(recorded, RECORDED) else { return Ok(text(recorded, "id")) };
    let look = || async move {
        let Some(work) = looked(at, request).await? else { return Ok(Look::Done(None)) };
        match (work.progress(), work.resource(entity)) {
            (Progress::Running, None) => Ok(Look::Pending(work.status)),
            (_, id) => Ok(Look::Done(id)),
        }
    };
    Ok(Wait::at_most(SETTLES).until(at.cx, &format!("the work request `{request}`"), look).await?)
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
