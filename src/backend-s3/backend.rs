//! The backend `s3`: its kind, and a bucket with the states of a root's workspaces.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use pipectl_core::{Diagnostics, Schema, Value};
use pipectl_s3_client::Repeat;
use pipectl_state::{
    Backend, BackendKind, Encryption, ObjectError, RemoteOptions, RemoteStore, StateError, StateOfTerraform, StateStore,
};

use crate::bucket::Bucket;
use crate::settings::{DEFAULT, schema};
use crate::{S3Objects, Settings};

/// `backend "s3" { ... }`.
#[derive(Clone, Copy, Debug, Default)]
pub struct S3;

impl BackendKind for S3 {
    fn name(&self) -> &'static str {
        "s3"
    }

    fn schema(&self) -> Schema {
        schema()
    }

    fn check(&self, arguments: &Value) -> Diagnostics {
        Settings::read(arguments, Path::new("")).1
    }

    fn open(&self, arguments: &Value, root: &Path) -> Result<Box<dyn Backend>, Diagnostics> {
        let settings = Settings::usable(arguments, root)?;
        let states = Bucket::new(settings.clone(), Repeat::Nothing);
        states.ready()?;
        let reads = Arc::new(Bucket::new(settings, Repeat::Calls));
        Ok(Box::new(States { states: Arc::new(states), reads }))
    }
}

/// The states of a root's workspaces in a bucket.
#[derive(Debug)]
struct States {
    /// For the store of states, which repeats calls by itself.
    states: Arc<Bucket>,
    /// For all else, which only reads.
    reads: Arc<Bucket>,
}

impl States {
    fn objects(&self, workspace: &str) -> S3Objects {
        S3Objects::new(Arc::clone(&self.states), &self.states.settings().place(workspace))
    }

    fn remote(&self, workspace: &str) -> RemoteStore {
        RemoteStore::new(Arc::new(self.objects(workspace)), RemoteOptions::default())
    }

    fn error(&self, doing: &'static str, key: &str, source: ObjectError) -> StateError {
        StateError::Remote { doing, name: format!("s3://{}/{key}", self.reads.settings().bucket), source }
    }
}

impl Backend for States {
    fn shown(&self, workspace: &str) -> String {
        let settings = self.reads.settings();
        format!("s3://{}/{}", settings.bucket, settings.place(workspace))
    }

    fn place(&self, workspace: &str) -> String {
        match &self.reads.settings().server.endpoint {
            Some(server) => format!("{} at {}", self.shown(workspace), server.trim_end_matches('/')),
            None => self.shown(workspace),
        }
    }

    fn store(&self, workspace: &str, encryption: Encryption) -> Box<dyn StateStore> {
        Box::new(self.remote(workspace).encrypted(encryption))
    }

    fn terraform(&self, workspace: &str) -> Result<Option<StateOfTerraform>, StateError> {
        let key = self.reads.settings().terraform(workspace);
        let found = self.reads.get(key.clone()).map_err(|source| self.error("read", &key, source))?;
        let name = format!("s3://{}/{key}", self.reads.settings().bucket);
        Ok(found.map(|object| StateOfTerraform { name, bytes: object.bytes }))
    }

    fn workspaces(&self) -> Result<Vec<String>, StateError> {
        let settings = self.reads.settings();
        let list = |prefix: &str| self.reads.list(prefix).map_err(|source| self.error("list", prefix, source));
        let below = format!("{}/", settings.workspace_prefix);
        let header = format!("/{}/header", settings.place(DEFAULT));
        let mut found = BTreeSet::from([DEFAULT.to_owned()]);
        for key in list(&below)? {
            let workspace = key.strip_prefix(&below).and_then(|key| key.strip_suffix(&header));
            found.extend(workspace.filter(|name| !name.contains('/')).map(str::to_owned));
        }
        let mut there = Vec::new();
        for workspace in found {
            // One that was deleted leaves a header that says so.
            if self.remote(&workspace).is_there()? {
                there.push(workspace);
            }
        }
        Ok(there)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_from_that_of_the_same_name_elsewhere() {
        let place = |endpoint: Option<&str>, workspace: &str| {
            let text = |text: &str| Value::from(text);
            let endpoints = endpoint.map(|url| Value::object([("s3".to_owned(), text(url))]));
            let arguments = [
                ("bucket", text("b")),
                ("key", text("net/terraform.tfstate")),
                ("secret_key", text("CANARY")),
                ("region", text("r")),
            ];
            let arguments = arguments.into_iter().chain([("access_key", text("CANARY"))]);
            let arguments = arguments.chain(endpoints.map(|endpoints| ("endpoints", endpoints)));
            let arguments = Value::object(arguments.map(|(name, value)| (name.to_owned(), value)));
            S3.open(&arguments, Path::new(".")).expect("the arguments are whole").place(workspace)
        };
        assert_eq!(place(None, DEFAULT), "s3://b/net/terraform.pipectl");
        assert_eq!(place(Some("http://one/"), DEFAULT), "s3://b/net/terraform.pipectl at http://one");
        assert_eq!(place(Some("http://two"), "dev"), "s3://b/env:/dev/net/terraform.pipectl at http://two");
    }
}
