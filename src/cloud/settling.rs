//! Waiting until an object is as it should be.

use std::time::{Duration, Instant};

use pipectl_core::{Diagnostic, Diagnostics, Value};
use pipectl_provider::waiting::{Look, Wait};
use serde_json::Value as Json;

use crate::{Cloud, Condition, Kind, Place};

/// How long something that was asked for may not show yet: services answer before they act.
pub const SHOWS_WITHIN: Duration = Duration::from_secs(20);

/// The summary of what is told of an object that came to nothing.
pub const FAILED: &str = "Object failed";

/// The summary of what is told of a look that failed.
pub const READING_FAILED: &str = "Reading failed";

/// Waits until an object is as it should be; `before` is what it was before a change that was asked for.
///
/// # Errors
/// When it comes to nothing, is gone, or takes too long.
pub async fn settled<K: Kind>(
    at: &Place<'_, K::Cloud>,
    id: &str,
    known: &Value,
    limit: Duration,
    before: Option<&Json>,
) -> Result<Json, Diagnostics> {
    let began = Instant::now();
    let what = format!("the {} `{id}`", K::NOUN);
    let look = || async move {
        let object = K::look(at, id, known).await.map_err(|fault| fault.told(READING_FAILED))?;
        let is_early = K::IS_SLOW && began.elapsed() < SHOWS_WITHIN;
        let Some(object) = object else {
            return match is_early {
                true => Ok(Look::Pending("not to be seen yet".to_owned())),
                false => Err(vanished::<K>(id)),
            };
        };
        let shows = before.is_none_or(|before| K::is_changed(before, &object));
        match K::condition(&object) {
            Condition::Busy(status) => Ok(Look::Pending(status)),
            _ if !shows && is_early => Ok(Look::Pending("as it was before".to_owned())),
            Condition::Ready => Ok(Look::Done(object)),
            Condition::Failed(reason) => {
                let reason = match K::why(at, id, &object).await {
                    Ok(Some(why)) => format!("{}: {why}", reason.trim_end_matches('.')),
                    Ok(None) | Err(_) => reason,
                };
                Err(failure::<K>(id, &reason).into())
            }
        }
    };
    Wait::at_most(limit).until(at.cx, &what, look).await
}

/// The error for an object that came to nothing, with the reason that the service gives.
pub fn failure<K: Kind>(id: &str, reason: &str) -> Diagnostic {
    let reason = reason.trim_end();
    let stop = if reason.ends_with(['.', '!', '?']) { "" } else { "." };
    let diagnostic = Diagnostic::error(FAILED, format!("The {} `{id}` is {reason}{stop}", K::NOUN));
    match K::Cloud::advice(reason) {
        Some(hint) => diagnostic.hint(hint),
        None => diagnostic,
    }
}

/// The error for an object that is gone while something is done with it.
pub fn vanished<K: Kind>(id: &str) -> Diagnostics {
    Diagnostic::error("Object vanished", format!("There is no {} `{id}` any more.", K::NOUN)).into()
}
