//! The worker's standard input: where rank 0 listens, the wish to stop, and the end of the executor.

use std::io::{self, BufRead};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pipectl_provider::Environment;
use pipectl_stage::job::ControlLine;
use pipectl_stage::{Control, WorkerEvent};

use crate::wire::Wire;

/// The executor's orders, read by a thread.
#[derive(Default)]
pub(crate) struct Orders {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stop: bool,
    rendezvous: Option<String>,
}

impl Orders {
    /// Starts to read orders, and calls `closed` when there can be no more.
    pub(crate) fn read(
        input: impl BufRead + Send + 'static,
        closed: impl FnOnce() + Send + 'static,
    ) -> io::Result<Arc<Self>> {
        let orders = Arc::new(Self::default());
        let taken = orders.clone();
        std::thread::Builder::new().name("control".to_owned()).spawn(move || {
            for line in input.split(b'\n') {
                // Reading fails as it ends: the executor is gone.
                let Ok(line) = line else { break };
                // Protocol and version are those of the executor, so what is not an order comes from a person at a terminal.
                if let Ok(order) = serde_json::from_slice(&line) {
                    taken.take(order);
                }
            }
            closed();
        })?;
        Ok(orders)
    }

    fn take(&self, order: ControlLine) {
        let mut state = self.lock();
        match order {
            ControlLine::Rendezvous { address } => state.rendezvous = Some(address),
            ControlLine::Stop => state.stop = true,
        }
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a stage sees of both.
pub(crate) struct StageControl {
    pub(crate) wire: Arc<Wire>,
    pub(crate) orders: Arc<Orders>,
    pub(crate) environment: Arc<dyn Environment>,
}

impl Control for StageControl {
    fn send(&self, event: WorkerEvent) {
        self.wire.send(event);
    }

    fn stop_requested(&self) -> bool {
        self.orders.lock().stop
    }

    fn rendezvous(&self, limit: Duration) -> Option<String> {
        let until = Instant::now() + limit;
        let mut state = self.orders.lock();
        loop {
            if state.rendezvous.is_some() {
                return state.rendezvous.clone();
            }
            let left = until.saturating_duration_since(Instant::now());
            // When all are to stop, rank 0 may never come to listen.
            if state.stop || left.is_zero() {
                return None;
            }
            state = self.orders.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.environment.variable(name)
    }
}

/// Ends this process and what it started, now, without unwinding: the executor that would take its results is gone, and another may be
/// about to start a worker on the same checkpoint.
pub(crate) fn end_at_once() {
    use rustix::process::{Signal, getpgrp, getpid, kill_current_process_group};
    if getpgrp() == getpid() {
        // The executor makes every worker the leader of a group of its own.
        let _ = kill_current_process_group(Signal::KILL);
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "there is nobody left to return to, and the stage's thread cannot be stopped otherwise"
    )]
    std::process::exit(crate::Ending::Failed.code().into());
}
