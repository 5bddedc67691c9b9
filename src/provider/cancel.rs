//! Stopping: first gently, then at once.

use std::sync::Arc;

use tokio::sync::watch;

/// How far stopping has gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Nobody asked.
    #[default]
    No,
    /// Start nothing new; what runs may finish or checkpoint.
    Gentle,
    /// Give up what runs.
    Now,
}

/// A switch that many tasks watch. Clones share it.
#[derive(Clone, Debug)]
pub struct Cancel(Arc<watch::Sender<Stop>>);

impl Default for Cancel {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Stop::No)))
    }
}

impl Cancel {
    /// A switch that nobody has turned.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a stop; a weaker one than before changes nothing.
    pub fn request(&self, stop: Stop) {
        self.0.send_if_modified(|current| {
            let stronger = stop > *current;
            *current = stop.max(*current);
            stronger
        });
    }

    /// How far stopping has gone.
    pub fn state(&self) -> Stop {
        *self.0.borrow()
    }

    /// Waits until stopping has gone at least as far.
    pub async fn reached(&self, stop: Stop) {
        let mut receiver = self.0.subscribe();
        // The sender lives in `self`, so waiting cannot fail while it is borrowed.
        let _ = receiver.wait_for(|state| *state >= stop).await;
    }
}
