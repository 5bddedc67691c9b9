//! A bucket: where it is, and its server.

use pipectl_core::Diagnostic;
use pipectl_s3_client::{Connection, Fault, Repeat};
use pipectl_state::{Object, ObjectError};

use crate::Settings;
use crate::objects::read;

/// A bucket, which all workspaces of a root share.
#[derive(Debug)]
pub(crate) struct Bucket {
    settings: Settings,
    pub(crate) connection: Connection,
}

impl Bucket {
    pub(crate) fn new(settings: Settings, repeat: Repeat) -> Self {
        let connection = Connection::new(settings.server.clone(), repeat);
        Self { settings, connection }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Makes the client now.
    ///
    /// # Errors
    /// When the settings, with what the environment adds to them, cannot be used.
    pub(crate) fn ready(&self) -> Result<(), Diagnostic> {
        self.connection.ready()
    }

    pub(crate) fn client(&self) -> Result<aws_sdk_s3::Client, ObjectError> {
        self.connection.client().map_err(failed)
    }

    /// Waits for a call of the SDK's.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        call: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, ObjectError> {
        self.connection.call(call).map_err(failed)
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
                let page = page.map_err(|error| failed(Fault::from(error)))?;
                keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
            }
            Ok(keys)
        })?
    }
}

/// A failed call as the store of states is told of it.
pub(crate) fn failed(fault: Fault) -> ObjectError {
    match fault.is_uncertain {
        true => ObjectError::Uncertain(fault.text),
        false => ObjectError::Refused(fault.text),
    }
}
