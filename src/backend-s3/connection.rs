//! A bucket: its settings, its client, and a runtime for the client's calls.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_s3::Client;
use pipectl_core::Diagnostic;
use pipectl_state::{Object, ObjectError};

use crate::Settings;
use crate::blocking::Blocking;
use crate::fault::Fault;
use crate::objects::read;

/// Whether the SDK repeats calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// The store of states does, and it alone knows which may be.
    Nothing,
    /// All calls may be repeated.
    Calls,
}

/// A bucket, which all workspaces of a root share.
#[derive(Debug)]
pub(crate) struct Connection {
    settings: Settings,
    repeat: Repeat,
    /// Both are made when they are first needed: a command that has nothing to ask starts no threads, and asks nobody who this machine is.
    blocking: OnceLock<Blocking>,
    client: OnceLock<Client>,
    /// Whether the server wants ETags without their quotes. Ceph does, and answers 412 to those with quotes, whatever the object.
    wants_bare_tags: AtomicBool,
}

impl Connection {
    pub(crate) fn new(settings: Settings, repeat: Repeat) -> Self {
        Self {
            settings,
            repeat,
            blocking: OnceLock::new(),
            client: OnceLock::new(),
            wants_bare_tags: AtomicBool::new(false),
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn wants_bare_tags(&self) -> bool {
        self.wants_bare_tags.load(Ordering::Relaxed)
    }

    pub(crate) fn remember_bare_tags(&self) {
        self.wants_bare_tags.store(true, Ordering::Relaxed);
    }

    /// Makes the client now.
    ///
    /// # Errors
    /// When the settings, with what the environment adds to them, cannot be used.
    pub(crate) fn ready(&self) -> Result<(), Diagnostic> {
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

    pub(crate) fn client(&self) -> Result<Client, ObjectError> {
        self.ready().map_err(|problem| ObjectError::Refused(problem.detail.trim_end_matches('.').to_owned()))?;
        Ok(self.client.get().expect("it was just made").clone())
    }

    /// Waits for a call of the SDK's.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        call: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, ObjectError> {
        // A panic inside the SDK says nothing of how far it came.
        self.blocking()?.wait(call).ok_or_else(|| ObjectError::Uncertain("the client has failed".to_owned()))
    }

    fn blocking(&self) -> Result<&Blocking, ObjectError> {
        if let Some(blocking) = self.blocking.get() {
            return Ok(blocking);
        }
        let made = Blocking::new();
        let made = made.map_err(|error| ObjectError::Refused(format!("no thread can be started: {error}")))?;
        Ok(self.blocking.get_or_init(|| made))
    }

    /// An object of the bucket; `None` where there is none.
    pub(crate) fn get(&self, key: String) -> Result<Option<Object>, ObjectError> {
        let (client, bucket) = (self.client()?, self.settings.bucket.clone());
        self.call(read(client, bucket, key))?
    }

    /// All keys that begin with this.
    pub(crate) fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        let (client, bucket, prefix) = (self.client()?, self.settings.bucket.clone(), prefix.to_owned());
        self.call(async move {
            let mut pages = client.list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
            let mut keys = Vec::new();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| Fault::from(error).error)?;
                keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
            }
            Ok(keys)
        })?
    }
}
