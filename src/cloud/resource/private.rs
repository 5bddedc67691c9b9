//! What the state keeps of an object beside its attributes.

use pipectl_provider::Instance;
use serde_json::{Value as Json, json};

use crate::Condition;

/// What the state keeps of an object beside its attributes: whether it is whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Private {
    /// Nobody knows whether all was done that makes it: it was found after a crash.
    pub(crate) is_unfinished: bool,
    /// Why such an object is of no use.
    pub(crate) failure: Option<String>,
}

impl Private {
    pub(crate) fn of(instance: &Instance) -> Self {
        let failure = instance.private.get("failure").and_then(Json::as_str).map(str::to_owned);
        Self { is_unfinished: instance.private.get("unfinished") == Some(&Json::Bool(true)), failure }
    }

    /// Of an object that was found again.
    pub(crate) fn unfinished(condition: &Condition, lost: Option<String>) -> Self {
        Self { is_unfinished: true, failure: lost }.seen(condition)
    }

    /// The same after a look at the object.
    pub(crate) fn seen(self, condition: &Condition) -> Self {
        match condition {
            Condition::Failed(reason) if self.is_unfinished => Self { failure: Some(reason.clone()), ..self },
            Condition::Ready | Condition::Busy(_) | Condition::Failed(_) => self,
        }
    }

    pub(crate) fn json(&self) -> Json {
        match (self.is_unfinished, &self.failure) {
            (false, _) => Json::Null,
            (true, None) => json!({ "unfinished": true }),
            (true, Some(failure)) => json!({ "unfinished": true, "failure": failure }),
        }
    }
}
