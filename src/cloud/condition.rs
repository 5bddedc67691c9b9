//! How an object is, beyond its attributes.

/// How an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// As it should be, or so that nothing is to be done about it.
    Ready,
    /// Something is being done with it: its status.
    Busy(String),
    /// It came to nothing: its status, and why.
    Failed(String),
}

/// A status and why it is so.
pub fn with_reason(status: &str, reason: Option<&str>) -> String {
    match reason.map(str::trim).filter(|reason| !reason.is_empty()) {
        Some(reason) => format!("{status}: {reason}"),
        None => status.to_owned(),
    }
}
