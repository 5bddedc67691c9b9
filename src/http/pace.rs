//! How fast one service is asked.

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::Clock as _;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Limits for all calls of a client and its clones: how many a second begin, and how many run at once. Retries count.
#[derive(Clone, Debug)]
pub struct Pace {
    per_second: Option<Arc<DefaultDirectRateLimiter>>,
    at_once: Option<Arc<Semaphore>>,
}

impl Pace {
    /// No limits.
    pub fn unlimited() -> Self {
        Self { per_second: None, at_once: None }
    }

    /// At most so many requests a second, of which as many may come in a burst.
    #[must_use]
    pub fn per_second(mut self, count: NonZeroU32) -> Self {
        self.per_second = Some(Arc::new(RateLimiter::direct(Quota::per_second(count))));
        self
    }

    /// At most so many requests that have no answer yet.
    #[must_use]
    pub fn at_once(mut self, count: NonZeroU32) -> Self {
        self.at_once = Some(Arc::new(Semaphore::new(count.get() as usize)));
        self
    }

    /// Waits for a turn, which lasts until what is returned is dropped.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        let place = match &self.at_once {
            Some(places) => Some(places.acquire().await.expect("the semaphore is never closed")),
            None => None,
        };
        if let Some(limiter) = &self.per_second {
            while let Err(early) = limiter.check() {
                tokio::time::sleep(early.wait_time_from(limiter.clock().now())).await;
            }
        }
        place
    }
}
