//! Time, as leases need it: how long something took. Never the time of day, which differs between machines.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

/// A clock that only goes forward. Tests replace it.
pub trait Clock: fmt::Debug + Send + Sync {
    /// How long ago the clock began.
    fn now(&self) -> Duration;

    /// Waits.
    fn sleep(&self, time: Duration);
}

/// The clock of this machine.
#[derive(Clone, Copy, Debug)]
pub struct MonotonicClock(Instant);

impl MonotonicClock {
    /// A clock that begins now.
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

impl Default for MonotonicClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for MonotonicClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, time: Duration) {
        thread::sleep(time);
    }
}
