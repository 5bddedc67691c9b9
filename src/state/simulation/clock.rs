//! Time that passes only when everybody waits, so that the order of several threads follows from how long each of them waits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::clock::Clock;

/// A clock for a fixed number of threads. Each of them calls [`VirtualClock::enter`] first. One of them runs at a time; when it sleeps, the one whose
/// sleep ends first goes on. Threads that are not among them may read it.
#[derive(Clone, Debug)]
pub struct VirtualClock(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    now: Duration,
    /// Threads that are to enter yet.
    missing: usize,
    /// Who runs, by the order in which sleeps began.
    running: Option<u64>,
    /// Who sleeps, by when the sleep ends and in which order sleeps began.
    sleeping: BTreeMap<(Duration, u64), Thread>,
    sleeps: u64,
}

/// A thread's part in a [`VirtualClock`]; it ends when this is dropped.
#[derive(Debug)]
pub struct Turn(VirtualClock);

impl VirtualClock {
    /// A clock for so many threads.
    pub fn new(threads: usize) -> Self {
        let inner =
            Inner { now: Duration::ZERO, missing: threads, running: None, sleeping: BTreeMap::new(), sleeps: 0 };
        Self(Arc::new(Mutex::new(inner)))
    }

    /// Takes part, first at `start`, which differs between threads. Returns when all have entered and it is this one's turn.
    pub fn enter(&self, start: Duration) -> Turn {
        let mut inner = self.lock();
        inner.missing -= 1;
        self.wait_until(inner, start);
        Turn(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_until<'a>(&'a self, mut inner: MutexGuard<'a, Inner>, end: Duration) {
        inner.sleeps += 1;
        let number = inner.sleeps;
        inner.sleeping.insert((end, number), thread::current());
        inner.wake_next();
        while inner.running != Some(number) {
            drop(inner);
            thread::park();
            inner = self.lock();
        }
    }
}

impl Inner {
    /// Lets the next one run.
    fn wake_next(&mut self) {
        self.running = None;
        if self.missing == 0
            && let Some(((end, number), thread)) = self.sleeping.pop_first()
        {
            self.now = self.now.max(end);
            self.running = Some(number);
            thread.unpark();
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.lock().wake_next();
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Duration {
        self.lock().now
    }

    fn sleep(&self, time: Duration) {
        let inner = self.lock();
        let end = inner.now + time;
        self.wait_until(inner, end);
    }
}

/// A clock that is off and does not run at the right speed.
#[derive(Clone, Debug)]
pub struct SkewedClock {
    clock: Arc<dyn Clock>,
    ahead: Duration,
    permille: u32,
}

impl SkewedClock {
    /// A clock that is ahead of another, and runs at `permille` thousandths of its speed.
    pub fn new(clock: Arc<dyn Clock>, ahead: Duration, permille: u32) -> Self {
        Self { clock, ahead, permille: permille.max(1) }
    }
}

impl Clock for SkewedClock {
    fn now(&self) -> Duration {
        self.ahead + self.clock.now() * self.permille / 1000
    }

    fn sleep(&self, time: Duration) {
        self.clock.sleep(time * 1000 / self.permille);
    }
}
