//! The habits of OCI's kinds: a compartment, a display name, tags, and a state of life.

use std::time::Duration;

use pipectl_cloud::{Fields, Times};
use pipectl_core::{Attribute, Type};
use serde_json::Value as Json;

pub(crate) use pipectl_cloud::{Condition, Kind, Known, More, text, with_reason};

use crate::cloud::Cloud;
use crate::tags;

/// Why something was not done.
pub(crate) type Fault = pipectl_cloud::Fault<Cloud>;

/// Where a call about one object goes.
pub(crate) type Place<'a> = pipectl_cloud::Place<'a, Cloud>;

/// How long Terraform's provider waits where nothing else is said.
pub(crate) const USUAL: Times = Times::minutes(20, 20, 20);

/// The summary of what is told where a change cannot be made, and nothing is removed for its sake.
pub(crate) const NOT_IN_PLACE: &str = "Not changed in place";

/// How long something that was asked for may be in the way of the next thing.
pub(crate) const SETTLES: Duration = Duration::from_secs(600);

pub(crate) fn needed(description: &str) -> Attribute {
    Attribute::required(Type::String, description)
}

pub(crate) fn either(ty: Type, description: &str) -> Attribute {
    Attribute::optional_computed(ty, description)
}

pub(crate) fn told(ty: Type, description: &str) -> Attribute {
    Attribute::computed(ty, description)
}

pub(crate) fn option(ty: Type, description: &str) -> Attribute {
    Attribute::optional(ty, description)
}

/// What every kind with a state of life has: a compartment, tags, the state, the time.
pub(crate) fn living(description: &str) -> Fields {
    tags::with_tags(Fields::new(description))
        .named("compartment_id", "compartmentId", needed("The OCID of its compartment. Another one moves it."))
        .named("state", "lifecycleState", told(Type::String, "The state of its life."))
        .named("time_created", "timeCreated", told(Type::String, "When it was made."))
        .moving(["state"])
}

/// The same with a display name.
pub(crate) fn named(description: &str) -> Fields {
    living(description).named("display_name", "displayName", either(Type::String, "Its name, for people."))
}

/// What a state of life says of an object.
pub(crate) fn condition(object: &Json) -> Condition {
    let Some(state) = text(object, "lifecycleState") else { return Condition::Ready };
    let details = text(object, "lifecycleDetails");
    match state.as_str() {
        "PROVISIONING" | "CREATING" | "UPDATING" | "STARTING" | "STOPPING" | "MOVING" | "CREATING_IMAGE"
        | "TERMINATING" | "DELETING" => Condition::Busy(state),
        "FAILED" | "FAULTY" | "TERMINATED" | "DELETED" => Condition::Failed(with_reason(&state, details.as_deref())),
        // A pool of which some nodes are wrong is there: it `NEEDS_ATTENTION`, and `lifecycle_details` says why.
        _ => Condition::Ready,
    }
}

/// Whether an object is there: OCI shows for some time what was removed.
pub(crate) fn is_there(object: &Json) -> bool {
    !matches!(text(object, "lifecycleState").as_deref(), Some("TERMINATED" | "DELETED"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pool_with_a_wrong_node_is_there_and_a_dead_server_is_not() {
        let of = |state: &str| condition(&json!({ "lifecycleState": state }));
        assert_eq!(of("NEEDS_ATTENTION"), Condition::Ready);
        assert_eq!(of("UPDATING"), Condition::Busy("UPDATING".to_owned()));
        for state in ["FAILED", "TERMINATED", "DELETED"] {
            assert_eq!(of(state), Condition::Failed(state.to_owned()));
        }
    }
}
