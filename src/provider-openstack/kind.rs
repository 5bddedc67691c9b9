//! What the services of OpenStack have for habits beyond those of all clouds: bodies that hold an object in an envelope.

use pipectl_http::Method;
use serde_json::{Map, Value as Json, json};

pub(crate) use pipectl_cloud::{Condition, Kind, Known, More, text, with_reason};

use crate::cloud::Cloud;

/// Why something was not done.
pub(crate) type Fault = pipectl_cloud::Fault<Cloud>;

/// Where a call about one object goes.
pub(crate) type Place<'a> = pipectl_cloud::Place<'a, Cloud>;

/// A body with the members of an object, as its kind has it.
pub(crate) fn wrap<K: Kind<Cloud = Cloud>>(members: Map<String, Json>) -> Json {
    match K::ENVELOPE {
        Some(envelope) => json!({ envelope: members }),
        None => Json::Object(members),
    }
}

/// The object in a body.
pub(crate) fn unwrap<K: Kind<Cloud = Cloud>>(mut body: Json) -> Json {
    match K::ENVELOPE {
        Some(envelope) => body.get_mut(envelope).map(Json::take).unwrap_or_default(),
        None => body,
    }
}

/// Asks for changes, if there are any. Whether there are.
pub(crate) async fn put<K: Kind<Cloud = Cloud>>(
    at: &Place<'_>,
    id: &str,
    changes: Map<String, Json>,
) -> Result<bool, Fault> {
    let is_asked = !changes.is_empty();
    if is_asked {
        at.endpoint.put(&[K::COLLECTION, id], &wrap::<K>(changes)).await?;
    }
    Ok(is_asked)
}

/// The request that asks for something to be done, whose answer nobody needs.
pub(crate) async fn act(at: &Place<'_>, method: Method, path: &[&str], body: &Json) -> Result<(), Fault> {
    let call = at.endpoint.call(method, path, &[]).json(body);
    at.endpoint.send(&call).await?;
    Ok(())
}
