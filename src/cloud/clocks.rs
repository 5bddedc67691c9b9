//! What time it is here, and there.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use pipectl_http::Answer;

/// What time it is here, and there: services tell the time with each answer.
pub struct Clocks {
    now: Box<dyn Fn() -> SystemTime + Send + Sync>,
    /// Of the last answer: when it came, and when it was made by the clock of the service.
    last: Mutex<Option<(SystemTime, SystemTime)>>,
}

impl Clocks {
    /// Clocks of which `now` tells the one here.
    pub fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self { now: Box::new(now), last: Mutex::default() }
    }

    /// Takes notice of an answer.
    pub fn note(&self, answer: &Answer) {
        let date = answer.header("date").and_then(|date| httpdate::parse_http_date(date).ok());
        if let Some(date) = date {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(((self.now)(), date));
        }
    }

    /// A time of this machine by the clock of the service that has answered last. Differences that its precision may make are none.
    pub fn there(&self, time: SystemTime) -> SystemTime {
        const PRECISION: Duration = Duration::from_secs(2);
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((here, there)) = last else { return time };
        match (there.duration_since(here), here.duration_since(there)) {
            (Ok(ahead), _) if ahead > PRECISION => time + ahead,
            (_, Ok(behind)) if behind > PRECISION => time - behind,
            _ => time,
        }
    }
}
