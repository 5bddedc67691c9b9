//! A runtime of its own for the SDK, whose calls are asynchronous, while those of a store of states block.

use std::sync::mpsc;

use tokio::runtime::{Builder, Runtime};

/// How many threads. Large objects are carried by several of them; a state needs one.
const THREADS: usize = 4;

/// Threads on which the SDK's calls run. Whoever waits for one may stand on a thread of another runtime.
#[derive(Debug)]
pub(crate) struct Blocking {
    /// Taken out only when it ends.
    runtime: Option<Runtime>,
}

impl Blocking {
    pub(crate) fn new() -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(THREADS).thread_name("s3").enable_all().build()?;
        Ok(Self { runtime: Some(runtime) })
    }

    /// Waits for a call. `None`: it panicked.
    pub(crate) fn wait<T: Send + 'static>(&self, call: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.runtime.as_ref()?.spawn(async move {
            // Nobody stops waiting.
            let _ = sender.send(call.await);
        });
        receiver.recv().ok()
    }
}

impl Drop for Blocking {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A runtime that waits for its threads must not end on a thread of another one.
            runtime.shutdown_background();
        }
    }
}
