//! The one place that writes the state during an apply: a thread that gathers what has ended meanwhile into one durable record.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use pipectl_core::{Address, Diagnostic};
use pipectl_state::{Change, State, StateWriter};
use tokio::sync::oneshot;

use crate::intents::known_ids;

/// Changes in one record at most: a limit to what one write may cost.
const LARGEST_BATCH: usize = 1000;

enum Message {
    Commit(Vec<Change>, Reply),
    KnownIds(Address, oneshot::Sender<BTreeSet<String>>),
    Finish(oneshot::Sender<State>),
}

enum Reply {
    /// Nobody waits.
    Nobody,
    /// A task waits.
    Task(oneshot::Sender<bool>),
    /// A call waits that cannot be suspended.
    Thread(mpsc::Sender<bool>),
}

impl Reply {
    fn send(self, committed: bool) {
        // Whoever waited may be gone by now.
        match self {
            Reply::Nobody => {}
            Reply::Task(sender) => drop(sender.send(committed)),
            Reply::Thread(sender) => drop(sender.send(committed)),
        }
    }
}

/// Sends changes to the writing thread. The thread ends, and lets go of the lock, when all of these are gone.
#[derive(Clone)]
pub(super) struct Committer {
    sender: mpsc::Sender<Message>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    has_failed: AtomicBool,
    failure: Mutex<Option<Diagnostic>>,
}

impl Committer {
    pub(super) fn start(writer: Box<dyn StateWriter>) -> Self {
        let (sender, receiver) = mpsc::channel();
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        std::thread::spawn(move || run(writer, &receiver, &of_thread));
        Self { sender, shared }
    }

    /// Commits soon; goes on at once. For what can be made again at no cost should this process be killed in the next moment.
    pub(super) fn commit_soon(&self, changes: Vec<Change>) {
        self.send(changes, Reply::Nobody);
    }

    /// Commits; whether it is durable then. What is committed has its place among the others once this returns, waited for or not.
    pub(super) fn commit(&self, changes: Vec<Change>) -> impl Future<Output = bool> + Send + use<> {
        let (sender, receiver) = oneshot::channel();
        self.send(changes, Reply::Task(sender));
        async { receiver.await.unwrap_or(false) }
    }

    /// The same for code that cannot wait asynchronously: what it calls to wait takes as long as one write to disk.
    pub(super) fn commit_blocking(&self, changes: Vec<Change>) -> impl FnOnce() -> bool + use<> {
        let (sender, receiver) = mpsc::channel();
        self.send(changes, Reply::Thread(sender));
        move || receiver.recv().unwrap_or(false)
    }

    /// The ids of all objects of a type that the state has now.
    pub(super) async fn known_ids(&self, address: &Address) -> BTreeSet<String> {
        let (sender, receiver) = oneshot::channel();
        let _ = self.sender.send(Message::KnownIds(address.clone(), sender));
        receiver.await.unwrap_or_default()
    }

    fn send(&self, changes: Vec<Change>, reply: Reply) {
        // A thread that is gone answers nobody: the receivers above then read that nothing was committed.
        let _ = self.sender.send(Message::Commit(changes, reply));
    }

    /// Whether a commit has failed. Nothing new may be begun then.
    pub(super) fn has_failed(&self) -> bool {
        self.shared.has_failed.load(Ordering::Relaxed)
    }

    /// Why a commit failed, the first time this is asked.
    pub(super) fn take_failure(&self) -> Option<Diagnostic> {
        self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits for everything that was sent, lets go of the lock, and gives the state as it was committed last.
    pub(super) async fn finish(&self) -> State {
        let (sender, receiver) = oneshot::channel();
        let _ = self.sender.send(Message::Finish(sender));
        receiver.await.unwrap_or_default()
    }
}

fn run(mut writer: Box<dyn StateWriter>, receiver: &mpsc::Receiver<Message>, shared: &Shared) {
    while let Ok(first) = receiver.recv() {
        let mut changes = Vec::new();
        let mut replies = Vec::new();
        let mut asked = Vec::new();
        let mut finish = None;
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Commit(more, reply) => {
                    changes.extend(more);
                    replies.push(reply);
                }
                Message::KnownIds(address, sender) => asked.push((address, sender)),
                Message::Finish(sender) => finish = Some(sender),
            }
            next = if changes.len() < LARGEST_BATCH && finish.is_none() { receiver.try_recv().ok() } else { None };
        }
        let mut committed = !shared.has_failed.load(Ordering::Relaxed);
        if committed
            && !changes.is_empty()
            && let Err(error) = writer.commit(changes)
        {
            committed = false;
            *shared.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.diagnostic());
            shared.has_failed.store(true, Ordering::Relaxed);
        }
        replies.into_iter().for_each(|reply| reply.send(committed));
        for (address, sender) in asked {
            drop(sender.send(known_ids(writer.state(), &address)));
        }
        if let Some(sender) = finish {
            let state = writer.state().clone();
            drop(writer);
            drop(sender.send(state));
            return;
        }
    }
}
