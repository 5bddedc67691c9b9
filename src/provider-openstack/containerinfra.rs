//! Clusters: Magnum.
//!
//! API: https://docs.openstack.org/api-ref/container-infrastructure-management/. Changes are JSON Patch (RFC 6902). Magnum answers before it
//! acts: a new object may not be seen for a moment, and one that is removed is still seen as it was.

mod cluster;
mod kubeconfig;
mod nodegroup;
mod template;

use pipectl_core::json::{from_json_as, to_json};
use pipectl_core::{Type, Value};
use pipectl_http::Method;
use pipectl_provider::arguments::{flag, map_of_text};
use serde_json::{Map, Value as Json, json};

pub(crate) use cluster::Cluster;
pub(crate) use nodegroup::NodeGroup;
pub(crate) use template::{ClusterTemplate, ClusterTemplateData};

use crate::kind::{Condition, Fault, Place, act, text, with_reason};

/// By a status as Heat and Magnum tell it: `CREATE_IN_PROGRESS`, `UPDATE_FAILED`.
fn of_operation(status: &str, reason: Option<&str>) -> Condition {
    if status.ends_with("_IN_PROGRESS") {
        return Condition::Busy(status.to_owned());
    }
    match status.ends_with("_FAILED") {
        true => Condition::Failed(with_reason(status, reason)),
        false => Condition::Ready,
    }
}

/// By the status of a cluster or a node group. One that tells none has not been begun with.
fn condition(object: &Json) -> Condition {
    match text(object, "status") {
        Some(status) => of_operation(&status, object.get("status_reason").and_then(Json::as_str)),
        None => Condition::Busy("accepted".to_owned()),
    }
}

/// Why something could not be removed.
fn stays(object: &Json) -> Option<String> {
    text(object, "status").filter(|status| status == "DELETE_FAILED")?;
    match condition(object) {
        Condition::Failed(reason) => Some(reason),
        Condition::Ready | Condition::Busy(_) => None,
    }
}

/// Whether an object was written since.
fn is_written(before: &Json, now: &Json) -> bool {
    before.get("updated_at") != now.get("updated_at")
}

/// Asks for members to be other than they are.
async fn patch(at: &Place<'_>, path: &[&str], changes: Map<String, Json>) -> Result<(), Fault> {
    let operation = |(name, value): (String, Json)| {
        let path = format!("/{name}");
        let is_nothing = value.is_null() || value.as_str().is_some_and(str::is_empty);
        if is_nothing {
            json!({ "op": "remove", "path": path })
        } else {
            json!({ "op": "replace", "path": path, "value": value })
        }
    };
    let operations: Vec<Json> = changes.into_iter().map(operation).collect();
    act(at, Method::PATCH, path, &operations.into()).await
}

/// Asks for another number of nodes in a group.
async fn resize(at: &Place<'_>, cluster: &str, group: &str, count: i64) -> Result<(), Fault> {
    let body = json!({ "node_count": count, "nodegroup": group });
    act(at, Method::POST, &["clusters", cluster, "actions", "resize"], &body).await
}

/// The labels of an object: those that were given, where they were merged into others.
fn labels(object: &Json, known: &Value) -> Option<Value> {
    let all = from_json_as(object.get("labels")?, &map_of_text()).ok()?;
    let given = known.set_attribute("labels").and_then(Value::as_object);
    match given.filter(|_| flag(known, "merge_labels") == Some(true)) {
        Some(given) => {
            let kept = all.as_object().into_iter().flatten().filter(|(name, _)| given.contains_key(*name));
            Some(Value::map(Type::String, kept.map(|(name, value)| (name.clone(), value.clone())).collect::<Vec<_>>()))
        }
        None => Some(all),
    }
}

/// The members of a request that are not read as they are written.
fn with_labels(mut body: Map<String, Json>, planned: &Value) -> Map<String, Json> {
    for name in ["labels", "merge_labels"] {
        let given = planned.set_attribute(name).and_then(to_json);
        body.extend(given.map(|given| (name.to_owned(), given)));
    }
    body
}
