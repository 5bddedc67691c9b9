//! Whether and when to send a request again.

use std::time::{Duration, SystemTime};

use backon::{BackoffBuilder, ExponentialBuilder};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::{Failure, Repeat};

/// How often and after which waits a request is sent again. Waits double, with up to as much again at random, so that many clients that were
/// turned away together do not come back together.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// How often at most it is sent again.
    pub times: usize,
    /// The first wait.
    pub first_wait: Duration,
    /// The longest wait; also of those that a server asks for.
    pub longest_wait: Duration,
}

impl Default for Retry {
    /// Five times within about half a minute.
    fn default() -> Self {
        Self { times: 5, first_wait: Duration::from_millis(500), longest_wait: Duration::from_secs(30) }
    }
}

impl Retry {
    /// Never again.
    pub fn never() -> Self {
        Self { times: 0, ..Self::default() }
    }

    pub(crate) fn waits(&self) -> impl Iterator<Item = Duration> + use<> {
        let longest = self.longest_wait;
        ExponentialBuilder::default()
            .with_min_delay(self.first_wait)
            .with_max_delay(longest)
            .with_max_times(self.times)
            .with_jitter()
            .build()
            .map(move |wait| wait.min(longest))
    }

    /// The wait that a busy server asks for, in seconds or until a date (RFC 9110, section 10.2.3), as far as it is no longer than ours.
    pub(crate) fn asked_wait(&self, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
        let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        let wait = match text.parse() {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
        };
        Some(wait.min(self.longest_wait))
    }
}

impl Repeat {
    /// Whether sending it again after an answer of this status may help and does no harm.
    pub(crate) fn after_status(self, status: StatusCode) -> bool {
        match status {
            StatusCode::TOO_MANY_REQUESTS => true,
            StatusCode::NOT_IMPLEMENTED => false,
            status => self == Repeat::Safe && (status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT),
        }
    }

    /// The same where there was no answer.
    pub(crate) fn after(self, failure: &Failure) -> bool {
        match failure {
            Failure::Unreachable(error) => !is_for_good(error),
            Failure::Broken(_) | Failure::TimedOut => self == Repeat::Safe,
            Failure::Status { status, .. } => self.after_status(*status),
            Failure::Elsewhere { .. }
            | Failure::Unreadable { .. }
            | Failure::Denied(_)
            | Failure::Redirected(_)
            | Failure::Malformed(_) => false,
        }
    }
}

/// A certificate that is not trusted now is not trusted in a second.
fn is_for_good(error: &reqwest::Error) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>()
            && matches!(io.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput)
        {
            return true;
        }
        source = cause.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Option<Duration> {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
        let now = httpdate::parse_http_date("Mon, 23 Nov 2026 14:00:00 GMT").unwrap();
        Retry::default().asked_wait(&headers, now)
    }

    #[test]
    fn servers_ask_for_waits_in_seconds_and_until_dates() {
        assert_eq!(asked("7"), Some(Duration::from_secs(7)));
        assert_eq!(asked("Mon, 23 Nov 2026 14:00:09 GMT"), Some(Duration::from_secs(9)));
        assert_eq!(asked("Mon, 23 Nov 2026 13:00:00 GMT"), Some(Duration::ZERO), "a date that has passed");
        assert_eq!(asked("86400"), Some(Duration::from_secs(30)), "no longer than our longest");
        assert_eq!(asked("soon"), None);
    }

    #[test]
    fn waits_double_and_end() {
        let retry =
            Retry { times: 4, first_wait: Duration::from_millis(100), longest_wait: Duration::from_millis(500) };
        let waits: Vec<_> = retry.waits().collect();
        assert_eq!(waits.len(), 4);
        for (wait, least) in waits.iter().zip([100, 200, 400, 500]) {
            assert!(*wait >= Duration::from_millis(least) && *wait <= retry.longest_wait, "{waits:?}");
        }
        assert_eq!(Retry::never().waits().count(), 0);
    }
}
