//! Work requests of Kubernetes Engine: long calls, what they touch, their errors and logs.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::answer::{Answer, Outcome, Refusal};
use crate::contract::Contract;
use crate::listing;
use crate::request::Call;
use crate::world::World;
use crate::{clusters, node_pools};

/// All work requests, by id.
#[derive(Default)]
pub(crate) struct WorkRequests {
    all: BTreeMap<String, WorkRequest>,
    made: u64,
}

struct WorkRequest {
    number: u64,
    body: Map<String, Json>,
    starts: u64,
    ends: u64,
    change: Change,
    failure: Option<(String, String)>,
    errors: Vec<Json>,
    logs: Vec<Json>,
}

/// What a work request does to its object when it ends.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// `cluster` or `nodepool`.
    pub(crate) kind: &'static str,
    pub(crate) id: String,
    pub(crate) verb: Verb,
    /// Members that an update sets.
    pub(crate) members: Map<String, Json>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verb {
    Create,
    Update,
    Delete,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Verb::Create => "CREATE",
            Verb::Update => "UPDATE",
            Verb::Delete => "DELETE",
        }
    }
}

/// Accepts a work request. Its id goes into the answer, as the real service does it.
pub(crate) fn accept(world: &mut World, compartment: &Json, change: Change) -> Answer {
    let id = world.ocid(&format!("clustersworkrequest{}", change.kind));
    let takes = match change.kind {
        "cluster" => world.settings.cluster_ms,
        _ => world.settings.node_pool_ms,
    };
    let (now, time) = (world.now(), world.time());
    let operation = format!("{}_{}", change.kind.to_ascii_uppercase(), change.verb.name());
    let failing = world.settings.work_request_failures.iter_mut();
    let failure =
        failing.into_iter().find(|failure| failure.operation_type == operation && failure.times > 0).map(|failure| {
            failure.times -= 1;
            (failure.code.clone(), failure.message.clone())
        });
    world.settings.work_request_failures.retain(|failure| failure.times > 0);
    let path = if change.kind == "cluster" { "clusters" } else { "nodePools" };
    let body = json!({
        "id": id, "operationType": operation, "status": "ACCEPTED", "compartmentId": compartment, "timeAccepted": time,
        "resources": [{
            "actionType": "IN_PROGRESS", "entityType": change.kind, "identifier": change.id,
            "entityUri": format!("/{path}/{}", change.id),
        }],
    });
    world.work_requests.made += 1;
    let work_request = WorkRequest {
        number: world.work_requests.made,
        body: body.as_object().cloned().unwrap_or_default(),
        starts: now + takes / 2,
        ends: now + takes,
        change,
        failure,
        errors: Vec::new(),
        logs: vec![json!({"message": format!("{operation} was accepted"), "timestamp": time})],
    };
    world.work_requests.all.insert(id.clone(), work_request);
    Answer::empty(202).field("opc-work-request-id", id)
}

/// Lets time pass.
pub(crate) fn settle(world: &mut World, now: u64) {
    let time = world.time();
    let mut ended = Vec::new();
    for request in world.work_requests.all.values_mut() {
        let status = request.body["status"].as_str().unwrap_or_default().to_owned();
        if status == "ACCEPTED" && request.starts <= now {
            request.body.insert("status".to_owned(), json!("IN_PROGRESS"));
            request.body.insert("timeStarted".to_owned(), json!(time));
            request.logs.push(json!({"message": "started", "timestamp": time}));
        }
        if (status == "ACCEPTED" || status == "IN_PROGRESS") && request.ends <= now {
            let action = match (&request.failure, request.change.verb) {
                (Some(_), _) => "FAILED",
                (None, Verb::Create) => "CREATED",
                (None, Verb::Update) => "UPDATED",
                (None, Verb::Delete) => "DELETED",
            };
            let status = if request.failure.is_some() { "FAILED" } else { "SUCCEEDED" };
            request.body.insert("status".to_owned(), json!(status));
            request.body.insert("timeFinished".to_owned(), json!(time));
            request.body["resources"][0]["actionType"] = json!(action);
            if let Some((code, message)) = &request.failure {
                request.errors.push(json!({"code": code, "message": message, "timestamp": time}));
            }
            request.logs.push(json!({"message": status.to_ascii_lowercase(), "timestamp": time}));
            ended.push((request.ends, request.change.clone(), request.failure.clone().map(|(_, message)| message)));
        }
    }
    ended.sort_by_key(|(at, ..)| *at);
    for (_, change, failure) in ended {
        match change.kind {
            "cluster" => clusters::finish(world, &change, failure.as_deref()),
            _ => node_pools::finish(world, &change, failure.as_deref()),
        }
    }
}

pub(crate) fn handle(world: &mut World, call: &Call<'_>) -> Option<Outcome> {
    let name = call.operation.name.as_str();
    if name == "list_work_requests" {
        return Some(list(world, call));
    }
    if !["get_work_request", "list_work_request_errors", "list_work_request_logs", "delete_work_request"]
        .contains(&name)
    {
        return None;
    }
    let Some(request) = world.work_requests.all.get(call.id()) else { return Some(Err(Refusal::not_found())) };
    Some(match name {
        "get_work_request" => {
            let mut body = request.body.clone();
            if world.settings.hides_resources && !body.contains_key("timeFinished") {
                body.insert("resources".to_owned(), json!([]));
            }
            // How long to wait before looking again.
            Ok(Answer::json(Json::Object(body)).field("retry-after", "1"))
        }
        "list_work_request_errors" => Ok(Answer::json(json!(request.errors))),
        "list_work_request_logs" => Ok(Answer::json(json!(request.logs))),
        _ => cancel(world, call),
    })
}

/// Only what was not started yet can be cancelled.
fn cancel(world: &mut World, call: &Call<'_>) -> Outcome {
    let request = world.work_requests.all.get_mut(call.id()).ok_or_else(Refusal::not_found)?;
    if request.body["status"] != "ACCEPTED" {
        return Err(Refusal::state(format!("The work request is {}", request.body["status"])));
    }
    request.body.insert("status".to_owned(), json!("CANCELED"));
    let change = request.change.clone();
    match change.kind {
        "cluster" => clusters::finish(world, &change, Some("canceled")),
        _ => node_pools::finish(world, &change, Some("canceled")),
    }
    Ok(Answer::empty(204))
}

fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    let asked: Vec<(&str, Vec<&str>)> = ["status", "resourceId", "clusterId", "resourceType", "compartmentId"]
        .into_iter()
        .map(|name| (name, call.query.iter().filter(|(key, _)| key == name).map(|(_, text)| text.as_str()).collect()))
        .filter(|(_, texts): &(_, Vec<&str>)| !texts.is_empty())
        .collect();
    let cluster_of =
        |id: &str| world.store.get(id).map(|object| object.text("clusterId").to_owned()).unwrap_or_default();
    let is_meant = |request: &&WorkRequest| {
        asked.iter().all(|(name, texts)| {
            let resource = &request.body["resources"][0];
            texts.iter().any(|text| match *name {
                "status" => request.body["status"].as_str().is_some_and(|status| status.eq_ignore_ascii_case(text)),
                "resourceId" => resource["identifier"] == *text,
                "clusterId" => resource["identifier"] == *text || cluster_of(&request.change.id) == *text,
                "resourceType" => request.change.kind.eq_ignore_ascii_case(text),
                _ => request.body["compartmentId"] == *text,
            })
        })
    };
    let mut found: Vec<&WorkRequest> = world.work_requests.all.values().filter(is_meant).collect();
    found.sort_by_key(|request| request.number);
    if call.asked("sortOrder") != Some("ASC") {
        found.reverse();
    }
    let model = "containerengine.WorkRequestSummary";
    listing::page(world, call, found.into_iter().map(|request| Contract::get().pick(model, &request.body)).collect())
}
