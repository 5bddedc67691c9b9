//! How an object is, beyond its attributes.

/// How an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// As it should be, or so that nothing is to be done about it.
    Ready,
    /// Something is being done with it: its status.
    Busy(String),
    /// It came to nothing: its status, and why.
    Failed(String),
}

impl Condition {
    /// By a status as Heat and Magnum tell it: `CREATE_IN_PROGRESS`, `UPDATE_FAILED`.
    pub(crate) fn of_operation(status: &str, reason: Option<&str>) -> Self {
        if status.ends_with("_IN_PROGRESS") {
            return Condition::Busy(status.to_owned());
        }
        match status.ends_with("_FAILED") {
            true => Condition::Failed(with_reason(status, reason)),
            false => Condition::Ready,
        }
    }
}

/// A status and why it is so.
pub(crate) fn with_reason(status: &str, reason: Option<&str>) -> String {
    match reason.map(str::trim).filter(|reason| !reason.is_empty()) {
        Some(reason) => format!("{status}: {reason}"),
        None => status.to_owned(),
    }
}
