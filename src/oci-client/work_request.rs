//! Work requests: what a long operation of OKE says of itself while it runs, and why it failed.

use pipectl_http::{Answer, Method};
use serde_json::Value as Json;

use crate::Endpoint;
use crate::endpoint::{Failed, work_request_id};

/// How far a long operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It goes on.
    Running,
    /// It has done what it was asked for.
    Succeeded,
    /// It has come to nothing, or was cancelled.
    Failed,
}

/// A long operation.
#[derive(Clone, Debug)]
pub struct WorkRequest {
    /// Its id.
    pub id: String,
    /// How it is, as the service says: `IN_PROGRESS`.
    pub status: String,
    compartment: String,
    resources: Vec<Json>,
}

impl WorkRequest {
    /// The id of the operation that an answer has begun.
    pub fn begun(answer: &Answer) -> Option<String> {
        work_request_id(answer)
    }

    /// Looks at one.
    ///
    /// # Errors
    /// When the service refuses.
    pub async fn look(endpoint: &Endpoint, id: &str) -> Result<Option<Self>, Failed> {
        let Some(seen) = endpoint.look(&endpoint.call(Method::GET, &["workRequests", id], &[])).await? else {
            return Ok(None);
        };
        let text = |name: &str| seen.object.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        let resources = seen.object.get("resources").and_then(Json::as_array).cloned().unwrap_or_default();
        Ok(Some(Self { id: id.to_owned(), status: text("status"), compartment: text("compartmentId"), resources }))
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        match self.status.as_str() {
            "SUCCEEDED" => Progress::Succeeded,
            "FAILED" | "CANCELED" => Progress::Failed,
            _ => Progress::Running,
        }
    }

    /// The object of a type (`cluster`, `nodepool`) that it works on, once it is there.
    pub fn resource(&self, kind: &str) -> Option<String> {
        let is_meant = |resource: &&Json| {
            let entity = resource.get("entityType").and_then(Json::as_str).unwrap_or_default();
            entity.eq_ignore_ascii_case(kind)
        };
        let found = self.resources.iter().find(is_meant)?;
        found.get("identifier")?.as_str().filter(|id| !id.is_empty()).map(str::to_owned)
    }

    /// Why it failed, as its errors say; without errors, as the last lines of its log say.
    ///
    /// # Errors
    /// When the service refuses.
    pub async fn reasons(&self, endpoint: &Endpoint) -> Result<Vec<String>, Failed> {
        const LINES: usize = 3;
        let query = [("compartmentId", self.compartment.as_str())];
        let of = |json: &Json, name: &str| json.get(name).and_then(Json::as_str).map(str::to_owned);
        let errors = endpoint.list(&["workRequests", &self.id, "errors"], &query).await?;
        let told: Vec<String> = errors
            .iter()
            .filter_map(|error| match (of(error, "message"), of(error, "code")) {
                (Some(message), Some(code)) => Some(format!("{} ({code})", message.trim_end_matches('.'))),
                (message, code) => message.or(code),
            })
            .collect();
        if !told.is_empty() {
            return Ok(told);
        }
        let logs = endpoint.list(&["workRequests", &self.id, "logs"], &query).await?;
        let lines: Vec<String> = logs.iter().filter_map(|line| of(line, "message")).collect();
        Ok(lines[lines.len().saturating_sub(LINES)..].to_vec())
    }
}
