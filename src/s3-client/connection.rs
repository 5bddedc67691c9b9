//! A server: its settings, its client, and a runtime for the client's calls.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_s3::Client;
use pipectl_core::Diagnostic;

use crate::Settings;
use crate::blocking::Blocking;
use crate::fault::Fault;

/// Whether the SDK repeats calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// The store of states does, and it alone knows which may be.
    Nothing,
    /// All calls may be repeated.
    Calls,
}

/// A server, which all that ask for its objects share.
#[derive(Debug)]
pub struct Connection {
    settings: Settings,
    repeat: Repeat,
    /// Both are made when they are first needed: a command that has nothing to ask starts no threads, and asks nobody who this machine is.
    blocking: OnceLock<Blocking>,
    client: OnceLock<Client>,
    /// Whether the server wants ETags without their quotes. Ceph does, and answers 412 to those with quotes, whatever the object.
    wants_bare_tags: AtomicBool,
}

impl Connection {
    /// A server that nobody has asked for anything yet.
    pub fn new(settings: Settings, repeat: Repeat) -> Self {
        Self {
            settings,
            repeat,
            blocking: OnceLock::new(),
            client: OnceLock::new(),
            wants_bare_tags: AtomicBool::new(false),
        }
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether the server wants ETags without their quotes.
    pub fn wants_bare_tags(&self) -> bool {
        self.wants_bare_tags.load(Ordering::Relaxed)
    }

    /// Takes notice that it does.
    pub fn remember_bare_tags(&self) {
        self.wants_bare_tags.store(true, Ordering::Relaxed);
    }

    /// Makes the client now.
    ///
    /// # Errors
    /// When the settings, with what the environment adds to them, cannot be used.
    pub fn ready(&self) -> Result<(), Diagnostic> {
        if self.client.get().is_some() {
            return Ok(());
        }
        let (settings, repeat) = (self.settings.clone(), self.repeat);
        let made = self.call(async move { crate::client::client(&settings, repeat).await });
        let made = made.map_err(|error| Diagnostic::error("No client", format!("{error}.")))??;
        // Two threads may make one each; the first stays.
        self.client.get_or_init(|| made);
        Ok(())
    }

    /// The client.
    ///
    /// # Errors
    /// As [`Connection::ready`].
    pub fn client(&self) -> Result<Client, Fault> {
        self.ready().map_err(|problem| Fault::here(problem.detail.trim_end_matches('.').to_owned()))?;
        Ok(self.client.get().expect("it was just made").clone())
    }

    /// Waits for a call of the SDK's.
    ///
    /// # Errors
    /// When no thread can be started for it, or it panics.
    pub fn call<T: Send + 'static>(&self, call: impl Future<Output = T> + Send + 'static) -> Result<T, Fault> {
        // A panic inside the SDK says nothing of how far it came.
        self.blocking()?.wait(call).ok_or_else(|| Fault::on_the_way("the client has failed".to_owned()))
    }

    fn blocking(&self) -> Result<&Blocking, Fault> {
        if let Some(blocking) = self.blocking.get() {
            return Ok(blocking);
        }
        let made = Blocking::new();
        let made = made.map_err(|error| Fault::here(format!("no thread can be started: {error}")))?;
        Ok(self.blocking.get_or_init(|| made))
    }
}
