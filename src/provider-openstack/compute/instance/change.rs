//! What can be changed of a server. Each change is waited for: Nova does one at a time.

use std::time::{Duration, Instant};

use pipectl_cloud::differs;
use pipectl_cloud::settling::{READING_FAILED, SHOWS_WITHIN, failure, settled};
use pipectl_core::json::to_json;
use pipectl_core::{Diagnostic, Value};
use pipectl_http::Method;
use pipectl_provider::Event;
use pipectl_provider::arguments::{blocks, text as given, text_map, texts};
use pipectl_provider::waiting::{Look, Wait};
use serde_json::{Value as Json, json};

use super::{Instance, request, sizes};
use crate::kind::{Condition, Fault, Kind, Place, act, text};

pub(super) async fn all(at: &Place<'_>, id: &str, prior: &Value, planned: &Value) -> Result<(), Fault> {
    let changes = |name: &str| differs(prior, planned, name);
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
        reaches_rest(at, id, planned).await?;
    }
    // What is not known yet follows from what is.
    let is_other = |name: &str| planned.set_attribute(name).is_some() && changes(name);
    if is_other("image_id") || is_other("image_name") || changes("personality") {
        let mut rebuild = json!({ "imageRef": sizes::image(at, planned).await? });
        let files = request::files(planned);
        if !files.is_empty() {
            rebuild["personality"] = files.into();
        }
        ask(at, id, json!({ "rebuild": rebuild })).await?;
        reaches_rest(at, id, planned).await?;
    }
    if is_other("flavor_id") || is_other("flavor_name") {
        resize(at, id, planned).await?;
    }
    if changes("power_state") {
        power(at, id, planned).await?;
    }
    Ok(())
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
    let wanted = sizes::flavor(at, planned).await?;
    let server = Instance::look(at, id, planned).await?.unwrap_or_default();
    if text(&server, "status").as_deref() == Some(RESIZED) {
        // An earlier run has not come to the end of it.
        confirm(at, id, planned).await?;
    }
    if server.get("flavor").and_then(|flavor| text(flavor, "id")).as_ref() == Some(&wanted) {
        return Ok(());
    }
    ask(at, id, json!({ "resize": { "flavorRef": wanted } })).await?;
    if request::confirms_itself(planned) {
        return reaches(at, id, planned, &CONFIRMED).await;
    }
    reaches(at, id, planned, &Aim { statuses: &[RESIZED], passes: &[], operation: "update" }).await?;
    confirm(at, id, planned).await
}

/// The status of a server that has another flavor, which nobody has confirmed yet. It keeps it while it is being confirmed.
pub(super) const RESIZED: &str = "VERIFY_RESIZE";

const CONFIRMED: Aim<'static> = Aim { statuses: &["ACTIVE", "SHUTOFF"], passes: &[RESIZED], operation: "update" };

async fn confirm(at: &Place<'_>, id: &str, planned: &Value) -> Result<(), Fault> {
    if !request::confirms_itself(planned) {
        ask(at, id, json!({ "confirmResize": null })).await?;
    }
    reaches(at, id, planned, &CONFIRMED).await
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
    reaches(at, id, planned, &Aim { statuses: &[&wanted.to_uppercase()], passes: &[], operation: "update" }).await
}

/// Stops a server before it is removed, as far as it can be stopped: one that cannot be is removed all the same.
pub(super) async fn stop(at: &Place<'_>, id: &str, prior: &Value) -> Result<(), Fault> {
    let server = Instance::look(at, id, prior).await?.unwrap_or_default();
    if text(&server, "status").as_deref() != Some("ACTIVE") {
        return Ok(());
    }
    let stopped = async {
        ask(at, id, json!({ "os-stop": null })).await?;
        reaches(at, id, prior, &Aim { statuses: &["SHUTOFF"], passes: &[], operation: "delete" }).await
    };
    if let Err(fault) = stopped.await {
        let why = fault.told("Stopping failed");
        let why: Vec<&str> = why.iter().map(|problem| problem.detail.as_str()).collect();
        let text = format!("The instance `{id}` is removed without being stopped: {}", why.join(" "));
        at.cx.emit(Event::Message { text });
    }
    Ok(())
}

/// Takes the ports that were given off a server, so that they outlive it.
pub(super) async fn detach(at: &Place<'_>, id: &str, prior: &Value) -> Result<(), Fault> {
    let ports: Vec<&str> = blocks(prior, "network").iter().filter_map(|network| given(network, "port")).collect();
    for port in &ports {
        at.endpoint.delete(&[Instance::COLLECTION, id, "os-interface", port]).await?;
    }
    let ports = &ports;
    let look = || async move {
        let told = |fault: pipectl_http::Error| Fault::from(fault).told(READING_FAILED);
        let list = at.endpoint.look(&[Instance::COLLECTION, id, "os-interface"]).await.map_err(told)?;
        let cards = list.as_ref().and_then(|list| list.get("interfaceAttachments")?.as_array());
        let is_meant = |card: &Json| text(card, "port_id").is_some_and(|port| ports.contains(&port.as_str()));
        match cards.into_iter().flatten().any(is_meant) {
            true => Ok(Look::Pending("its ports are taken off".to_owned())),
            false => Ok(Look::Done(())),
        }
    };
    if ports.is_empty() {
        return Ok(());
    }
    Ok(Wait::at_most(at.fields.limit("delete", prior)).until(at.cx, &format!("the instance `{id}`"), look).await?)
}

/// Waits until nothing is being done with a server.
async fn reaches_rest(at: &Place<'_>, id: &str, known: &Value) -> Result<(), Fault> {
    settled::<Instance>(at, id, known, at.fields.limit("update", known), None).await?;
    Ok(())
}

/// What a server is to come to.
struct Aim<'a> {
    /// The statuses, of which one is enough.
    statuses: &'a [&'a str],
    /// Statuses on the way there, however long they last.
    passes: &'a [&'a str],
    /// The operation whose limit holds.
    operation: &'static str,
}

/// How far a server has come.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    There,
    Pending(String),
    Failed(String),
    /// Nothing is being done with it any more.
    GivenUp(String),
}

impl Aim<'_> {
    fn progress(&self, server: &Json, since: Duration) -> Progress {
        let status = text(server, "status").unwrap_or_default();
        match Instance::condition(server) {
            Condition::Failed(reason) => Progress::Failed(reason),
            Condition::Busy(status) => Progress::Pending(status),
            Condition::Ready if self.statuses.contains(&status.as_str()) => Progress::There,
            Condition::Ready if since < SHOWS_WITHIN || self.passes.contains(&status.as_str()) => {
                Progress::Pending(status)
            }
            Condition::Ready => Progress::GivenUp(status),
        }
    }
}

/// Waits until a server has one of some statuses.
async fn reaches(at: &Place<'_>, id: &str, known: &Value, aim: &Aim<'_>) -> Result<(), Fault> {
    let limit = at.fields.limit(aim.operation, known);
    let began = Instant::now();
    let look = || async move {
        let found = Instance::look(at, id, known).await.map_err(|fault| fault.told(READING_FAILED))?;
        let server = found.unwrap_or_default();
        match aim.progress(&server, began.elapsed()) {
            Progress::There => Ok(Look::Done(())),
            Progress::Pending(status) => Ok(Look::Pending(status)),
            Progress::Failed(reason) => Err(failure::<Instance>(id, &reason).into()),
            Progress::GivenUp(status) => Err(given_up(at, id, &status, aim.statuses).await.into()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confirmation_takes_as_long_as_it_takes() {
        let server = |status: &str, task: Option<&str>| json!({ "status": status, "OS-EXT-STS:task_state": task });
        let late = SHOWS_WITHIN + Duration::from_secs(1);
        let resized = server(RESIZED, None);
        assert_eq!(CONFIRMED.progress(&resized, late), Progress::Pending(RESIZED.to_owned()));
        assert_eq!(CONFIRMED.progress(&server("ACTIVE", None), late), Progress::There);
        let stopped = Aim { statuses: &["SHUTOFF"], passes: &[], operation: "delete" };
        let running = server("ACTIVE", None);
        assert_eq!(stopped.progress(&running, Duration::ZERO), Progress::Pending("ACTIVE".to_owned()));
        assert_eq!(stopped.progress(&running, late), Progress::GivenUp("ACTIVE".to_owned()));
        let stopping = server("ACTIVE", Some("powering-off"));
        assert_eq!(stopped.progress(&stopping, late), Progress::Pending("ACTIVE (powering-off)".to_owned()));
        assert!(matches!(stopped.progress(&server("ERROR", None), late), Progress::Failed(_)));
    }
}
