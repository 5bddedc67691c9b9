//! What can be changed of a server. Each change is waited for: Nova does one at a time.

use std::time::Instant;

use pipectl_cloud::settling::{READING_FAILED, SHOWS_WITHIN, failure, settled};
use pipectl_core::json::to_json;
use pipectl_core::{Diagnostic, Value};
use pipectl_http::Method;
use pipectl_provider::arguments::{blocks, text as given, text_map, texts};
use pipectl_provider::waiting::{Look, Wait};
use serde_json::{Value as Json, json};

use super::{Instance, request, sizes};
use crate::kind::{Condition, Fault, Kind, Place, act, text};

pub(super) async fn all(at: &Place<'_>, id: &str, prior: &Value, planned: &Value) -> Result<(), Fault> {
    let changes = |name: &str| prior.attribute(name) != planned.attribute(name);
    if changes("name") {
        let body = json!({ "server": { "name": given(planned, "name") } });
        act(at, Method::PUT, &[Instance::COLLECTION, id], &body).await?;
    }
    metadata(at, id, prior, planned).await?;
    groups(at, id, prior, planned).await?;
    if changes("tags") {
        let (before, now) = (texts(prior, "tags"), texts(planned, "tags"));
        let others = texts(prior, "all_tags").into_iter().filter(|tag| !before.contains(tag) && !now.contains(tag));
        let tags: Vec<&str> = others.chain(now.iter().copied()).collect();
        act(at, Method::PUT, &[Instance::COLLECTION, id, "tags"], &json!({ "tags": tags })).await?;
    }
    if changes("admin_pass")
        && let Some(password) = given(planned, "admin_pass")
    {
        ask(at, id, json!({ "changePassword": { "adminPass": password } })).await?;
        reaches(at, id, planned, &[]).await?;
    }
    let is_other = |one: &str, other: &str| known_change(prior, planned, one) || known_change(prior, planned, other);
    if is_other("image_id", "image_name") || files_change(prior, planned) {
        let mut rebuild = json!({ "imageRef": sizes::image(at, planned).await? });
        let files = request::files(planned);
        if !files.is_empty() {
            rebuild["personality"] = files.into();
        }
        ask(at, id, json!({ "rebuild": rebuild })).await?;
        reaches(at, id, planned, &[]).await?;
    }
    if is_other("flavor_id", "flavor_name") {
        resize(at, id, planned).await?;
    }
    if changes("power_state") {
        power(at, id, planned).await?;
    }
    Ok(())
}

/// What is not known yet follows from what is.
fn known_change(prior: &Value, planned: &Value, name: &str) -> bool {
    planned.set_attribute(name).is_some_and(|now| now.is_known() && prior.attribute(name) != Some(now))
}

fn files_change(prior: &Value, planned: &Value) -> bool {
    blocks(prior, "personality") != blocks(planned, "personality")
}

/// Asks for an action.
pub(super) async fn ask(at: &Place<'_>, id: &str, action: Json) -> Result<(), Fault> {
    let call = at.endpoint.call(Method::POST, &[Instance::COLLECTION, id, "action"], &[]).json(&action).private();
    at.endpoint.send(&call).await?;
    Ok(())
}

async fn metadata(at: &Place<'_>, id: &str, prior: &Value, planned: &Value) -> Result<(), Fault> {
    let (before, now) = (text_map(prior, "metadata"), text_map(planned, "metadata"));
    if before == now {
        return Ok(());
    }
    for name in before.keys().filter(|name| !now.contains_key(*name)) {
        at.endpoint.delete(&[Instance::COLLECTION, id, "metadata", name]).await?;
    }
    let given = planned.set_attribute("metadata").and_then(to_json).unwrap_or_else(|| json!({}));
    act(at, Method::POST, &[Instance::COLLECTION, id, "metadata"], &json!({ "metadata": given })).await
}

async fn groups(at: &Place<'_>, id: &str, prior: &Value, planned: &Value) -> Result<(), Fault> {
    let (before, now) = (texts(prior, "security_groups"), texts(planned, "security_groups"));
    for name in before.iter().filter(|name| !now.contains(name)) {
        ask(at, id, json!({ "removeSecurityGroup": { "name": name } })).await?;
    }
    for name in now.iter().filter(|name| !before.contains(name)) {
        ask(at, id, json!({ "addSecurityGroup": { "name": name } })).await?;
    }
    Ok(())
}

async fn resize(at: &Place<'_>, id: &str, planned: &Value) -> Result<(), Fault> {
    ask(at, id, json!({ "resize": { "flavorRef": sizes::flavor(at, planned).await? } })).await?;
    if request::confirms_itself(planned) {
        return reaches(at, id, planned, &["ACTIVE", "SHUTOFF"]).await;
    }
    reaches(at, id, planned, &["VERIFY_RESIZE"]).await?;
    ask(at, id, json!({ "confirmResize": null })).await?;
    reaches(at, id, planned, &["ACTIVE", "SHUTOFF"]).await
}

/// Brings a server into the state that it is to be in.
pub(super) async fn power(at: &Place<'_>, id: &str, planned: &Value) -> Result<(), Fault> {
    let wanted = given(planned, "power_state").unwrap_or("active");
    let server = Instance::look(at, id, planned).await?.unwrap_or_default();
    let now = text(&server, "status").unwrap_or_default().to_lowercase();
    let action = match (now.as_str(), wanted) {
        (now, wanted) if now == wanted => return Ok(()),
        ("paused", "active") => json!({ "unpause": null }),
        ("shelved_offloaded" | "shelved", "active") => json!({ "unshelve": null }),
        (_, "active") => json!({ "os-start": null }),
        (_, "shutoff") => json!({ "os-stop": null }),
        (_, "paused") => json!({ "pause": null }),
        (_, _) => json!({ "shelve": null }),
    };
    ask(at, id, action).await?;
    reaches(at, id, planned, &[&wanted.to_uppercase()]).await
}

/// Stops a server, as far as it can be stopped.
pub(super) async fn stop(at: &Place<'_>, id: &str, prior: &Value) -> Result<(), Fault> {
    let server = Instance::look(at, id, prior).await?.unwrap_or_default();
    if text(&server, "status").as_deref() != Some("ACTIVE") {
        return Ok(());
    }
    ask(at, id, json!({ "os-stop": null })).await?;
    reaches(at, id, prior, &["SHUTOFF"]).await
}

/// Waits until a server has one of some statuses; without any, until nothing is being done with it.
async fn reaches(at: &Place<'_>, id: &str, known: &Value, statuses: &[&str]) -> Result<(), Fault> {
    let limit = at.fields.limit("update", known);
    if statuses.is_empty() {
        settled::<Instance>(at, id, known, limit, None).await?;
        return Ok(());
    }
    let began = Instant::now();
    let look = || async move {
        let found = Instance::look(at, id, known).await.map_err(|fault| fault.told(READING_FAILED))?;
        let server = found.unwrap_or_default();
        let status = text(&server, "status").unwrap_or_default();
        match Instance::condition(&server) {
            Condition::Failed(reason) => Err(failure::<Instance>(id, &reason).into()),
            Condition::Ready if statuses.contains(&status.as_str()) => Ok(Look::Done(())),
            Condition::Ready if began.elapsed() < SHOWS_WITHIN => Ok(Look::Pending(status)),
            Condition::Ready => Err(given_up(at, id, &status, statuses).await.into()),
            Condition::Busy(status) => Ok(Look::Pending(status)),
        }
    };
    Ok(Wait::at_most(limit).until(at.cx, &format!("the instance `{id}`"), look).await?)
}

/// The error for a server with which nothing is being done, and which is not as it was asked to be: Nova tells of what it gave up elsewhere.
async fn given_up(at: &Place<'_>, id: &str, status: &str, wanted: &[&str]) -> Diagnostic {
    let told = at.endpoint.look(&[Instance::COLLECTION, id, "os-instance-actions"]).await.ok().flatten();
    let last = told.as_ref().and_then(|told| told.get("instanceActions")?.get(0));
    let action = last.and_then(|last| text(last, "action")).unwrap_or_else(|| "change".to_owned());
    let why = last.and_then(|last| text(last, "message")).map(|message| format!(" ({message})")).unwrap_or_default();
    let detail = format!(
        "Nova has ended the {action} of the instance `{id}`{why}, and it is {status} and not {}.",
        wanted.join(" or ")
    );
    Diagnostic::error("Change failed", detail).hint(format!("openstack server event list {id}"))
}
