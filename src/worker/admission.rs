//! Who may run now: by what is free, in order of arrival.
//!
//! Strictly in order: the first in line waits for its room, and nobody passes it. That leaves some room unused for a while, and starves
//! nobody.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pipectl_stage::Resources;
use tokio::sync::oneshot;

/// An amount of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Amount {
    /// Thousandths of a core: sums of them are exact.
    pub(crate) millicpus: u64,
    /// Bytes.
    pub(crate) memory: u64,
    /// Accelerators.
    pub(crate) gpus: u64,
}

impl Amount {
    pub(crate) fn of(resources: &Resources) -> Self {
        Self {
            // Everything takes something of a core, so that who takes all of them runs alone.
            millicpus: ((resources.cpus * 1000.0).round() as u64).max(1),
            memory: resources.memory,
            gpus: resources.gpus.into(),
        }
    }

    pub(crate) fn times(self, count: u32) -> Self {
        let count = u64::from(count);
        Self {
            millicpus: self.millicpus.saturating_mul(count),
            memory: self.memory.saturating_mul(count),
            gpus: self.gpus.saturating_mul(count),
        }
    }

    pub(crate) fn fits(&self, free: &Self) -> bool {
        self.millicpus <= free.millicpus && self.memory <= free.memory && self.gpus <= free.gpus
    }

    fn minus(self, other: Self) -> Self {
        Self {
            millicpus: self.millicpus - other.millicpus,
            memory: self.memory - other.memory,
            gpus: self.gpus - other.gpus,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            millicpus: self.millicpus + other.millicpus,
            memory: self.memory + other.memory,
            gpus: self.gpus + other.gpus,
        }
    }
}

/// The door.
pub(crate) struct Admission(Arc<Shared>);

struct Shared(Mutex<State>);

struct State {
    free: Amount,
    line: VecDeque<Waiting>,
    next: u64,
}

struct Waiting {
    ticket: u64,
    amount: Amount,
    admit: oneshot::Sender<Permit>,
}

/// The right to an amount; dropping it gives it back.
pub(crate) struct Permit {
    shared: Arc<Shared>,
    amount: Amount,
}

impl Admission {
    pub(crate) fn new(capacity: Amount) -> Self {
        Self(Arc::new(Shared(Mutex::new(State { free: capacity, line: VecDeque::new(), next: 0 }))))
    }

    /// Waits for an amount, which must not be more than the capacity. Calls `waiting` first if there is no room at once.
    /// Dropping the future leaves the line.
    pub(crate) async fn admit(&self, amount: Amount, waiting: impl FnOnce()) -> Permit {
        let (admit, mut admitted) = oneshot::channel();
        let ticket = {
            let mut state = self.0.lock();
            state.next += 1;
            let ticket = state.next;
            state.line.push_back(Waiting { ticket, amount, admit });
            ticket
        };
        let _place = Place { shared: &self.0, ticket };
        self.0.advance();
        if let Ok(permit) = admitted.try_recv() {
            return permit;
        }
        waiting();
        admitted.await.expect("only this future takes its place out of the line")
    }
}

/// A place in the line.
struct Place<'a> {
    shared: &'a Arc<Shared>,
    ticket: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let left = {
            let mut state = self.shared.lock();
            let position = state.line.iter().position(|waiting| waiting.ticket == self.ticket);
            position.and_then(|position| state.line.remove(position))
        };
        // Those behind may fit now.
        if left.is_some() {
            self.shared.advance();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Admits from the front as long as there is room.
    fn advance(self: &Arc<Self>) {
        let mut gone = Vec::new();
        let mut state = self.lock();
        while let Some(first) = state.line.front()
            && first.amount.fits(&state.free)
            && let Some(first) = state.line.pop_front()
        {
            state.free = state.free.minus(first.amount);
            gone.extend(first.admit.send(Permit { shared: self.clone(), amount: first.amount }).err());
        }
        // The permits of those who did not wait go back, which takes the lock again.
        drop(state);
        drop(gone);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.free = state.free.plus(self.amount);
        }
        self.shared.advance();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use proptest::prelude::*;

    use super::*;

    const CAPACITY: Amount = Amount { millicpus: 4000, memory: 100, gpus: 2 };

    fn amounts() -> impl Strategy<Value = Vec<(Amount, u8)>> {
        let amount = (1..=4000_u64, 0..=100_u64, 0..=2_u64).prop_map(|(millicpus, memory, gpus)| Amount {
            millicpus,
            memory,
            gpus,
        });
        proptest::collection::vec((amount, 0..4_u8), 1..40)
    }

    fn run(amounts: Vec<(Amount, u8)>) -> (Vec<usize>, Vec<Amount>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let admission = Arc::new(Admission::new(CAPACITY));
            let order = Arc::new(Mutex::new(Vec::new()));
            let sums = Arc::new(Mutex::new((Amount { millicpus: 0, memory: 0, gpus: 0 }, Vec::new())));
            let mut tasks = tokio::task::JoinSet::new();
            for (index, (amount, turns)) in amounts.into_iter().enumerate() {
                let (admission, order, sums) = (admission.clone(), order.clone(), sums.clone());
                tasks.spawn(async move {
                    let permit = admission.admit(amount, || {}).await;
                    order.lock().unwrap().push(index);
                    {
                        let mut sums = sums.lock().unwrap();
                        sums.0 = sums.0.plus(amount);
                        let now = sums.0;
                        sums.1.push(now);
                    }
                    for _ in 0..turns {
                        tokio::task::yield_now().await;
                    }
                    {
                        let mut sums = sums.lock().unwrap();
                        sums.0 = sums.0.minus(amount);
                    }
                    drop(permit);
                });
            }
            while let Some(result) = tasks.join_next().await {
                result.unwrap();
            }
            assert_eq!(admission.0.lock().free, CAPACITY);
            let order = order.lock().unwrap().clone();
            let sums = sums.lock().unwrap().1.clone();
            (order, sums)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn never_more_than_there_is_and_in_order_of_arrival(amounts in amounts()) {
            let count = amounts.len();
            let (order, sums) = run(amounts);
            prop_assert_eq!(order, (0..count).collect::<Vec<_>>());
            prop_assert!(sums.iter().all(|sum| sum.fits(&CAPACITY)), "{:?}", sums);
        }
    }

    #[tokio::test]
    async fn who_leaves_the_line_holds_up_nobody() {
        let admission = Admission::new(CAPACITY);
        let small = Amount { millicpus: 1000, memory: 0, gpus: 0 };
        let waited = AtomicUsize::new(0);
        let wait = || {
            waited.fetch_add(1, Ordering::Relaxed);
        };
        let first = admission.admit(small, wait).await;
        let mut large = Box::pin(admission.admit(CAPACITY, wait));
        assert!(futures_poll(&mut large).await.is_none());
        let mut behind = Box::pin(admission.admit(small, wait));
        assert!(futures_poll(&mut behind).await.is_none(), "there is room, and it is not its turn");
        assert_eq!(waited.load(Ordering::Relaxed), 2);
        drop(large);
        let behind = behind.await;
        drop((first, behind));
        drop(admission.admit(CAPACITY, wait).await);
        assert_eq!(waited.load(Ordering::Relaxed), 2);
    }

    /// Polls once.
    async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
