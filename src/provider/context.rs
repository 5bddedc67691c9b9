//! What every call to a provider is given.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value as Json;

use crate::{ArtifactStore, Cancel, Environment, Event, EventSink};

/// The context of one call about one object.
#[derive(Clone)]
pub struct Cx {
    /// The object's address.
    pub address: String,
    /// Asks the call to stop.
    pub cancel: Cancel,
    /// Takes the call's events.
    pub events: Arc<dyn EventSink>,
    /// The world outside.
    pub environment: Arc<dyn Environment>,
    /// The artifact store of the pipeline.
    pub artifacts: Arc<dyn ArtifactStore>,
    /// Random and unique for an announced call, the same when it is repeated after a crash.
    pub token: String,
    /// The folder of the root module: relative paths start here.
    pub root: PathBuf,
    /// A folder for working files of this pipeline and workspace: checkpoints, logs of attempts.
    pub work: PathBuf,
    /// Where the readable view of this pipeline's artifacts is, relative to `root`.
    pub view: PathBuf,
    /// Makes what the call learned while it ran durable.
    pub recorder: Recorder,
    /// For secrets that a kind must tell apart and must not keep.
    pub fingerprints: Fingerprints,
}

impl Cx {
    /// Tells an event.
    pub fn emit(&self, event: Event) {
        self.events.emit(&self.address, event);
    }

    /// Makes a piece of knowledge durable before the call goes on: the id of a long operation.
    pub fn record(&self, recorded: Json) {
        self.recorder.record(recorded);
    }
}

type Fingerprint = dyn Fn(&str, &[u8]) -> String + Send + Sync;

/// Tells whether a secret is the one that it was, without keeping it: a keyed MAC, under a key of the state.
#[derive(Clone)]
pub struct Fingerprints(Arc<Fingerprint>);

impl Fingerprints {
    /// Fingerprints that `of` makes of a context and a secret.
    pub fn new(of: impl Fn(&str, &[u8]) -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(of))
    }

    /// Fingerprints where there is no state: each is new, so that no secret is taken for an earlier one.
    pub fn none() -> Self {
        let count = AtomicU64::new(0);
        Self::new(move |_, _| format!("none:{}", count.fetch_add(1, Ordering::Relaxed)))
    }

    /// The fingerprint of a secret. `context` says where it is used: the same secret has another one elsewhere.
    pub fn of(&self, context: &str, secret: &[u8]) -> String {
        (self.0)(context, secret)
    }
}

type Write = dyn FnMut(Json) + Send;

/// Writes what a running call learned into the state.
#[derive(Clone)]
pub struct Recorder(Arc<Mutex<Box<Write>>>);

impl Recorder {
    /// A recorder that hands on to `write`.
    pub fn new(write: impl FnMut(Json) + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(write))))
    }

    /// A recorder that forgets.
    pub fn none() -> Self {
        Self::new(|_| {})
    }

    fn record(&self, recorded: Json) {
        let mut write = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        write(recorded);
    }
}
