//! Terraform's state files, version 4: read into a [`State`], and written from one.
//!
//! Terraform keeps more than we model: what providers keep for themselves, results of checks. What was read and has no place of its own
//! lies in [`TerraformRest`], and is written again as long as the object it belongs to is unchanged. What cannot be carried at all (an address that
//! does not parse) is listed, and lies there too, so that nothing is lost between reading a file and writing one.
//!
//! And we keep more than Terraform does: stages, announced calls. In a file they stand under `pipectl`, which Terraform does not read.
//!
//! Format: Terraform's `internal/states/statefile/version4.go`. This module does no IO, and asks for no schemas: which attributes have a type of
//! their own in the file is known for the kinds that are built into Terraform.

mod numbers;
mod read;
mod write;

use std::collections::BTreeMap;

use pipectl_core::{Address, Digest, ProviderAddress};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::{AttributePath, IntentState, ObjectState, ResourceState, State, StoredSecret};

pub use read::{Imported, LeftOut, read};
pub use write::write;

/// Version of the file format.
const VERSION: u64 = 4;

/// What a state of Terraform held that has no place of its own in a [`State`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TerraformRest {
    /// The Terraform that wrote it.
    pub version: String,
    /// Its serial. What is written from the state has a higher one.
    pub serial: u64,
    /// Which provider objects belonged to, by block.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub providers: BTreeMap<Address, String>,
    /// The rest of objects, by address, and by the key of those that have made room, which is empty for the others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub objects: BTreeMap<Address, BTreeMap<String, Map<String, Json>>>,
    /// Resources that could not be carried, as they stood in the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Json>,
    /// What else stood at the top of the file.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub other: Map<String, Json>,
}

/// What Terraform has no place for: the member `pipectl` of a file.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Ours {
    #[serde(default)]
    root: String,
    /// Stages.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    resources: BTreeMap<Address, ResourceState>,
    /// What an object has that its instance does not tell, by address and key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    objects: BTreeMap<Address, BTreeMap<String, OurRest>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    intents: BTreeMap<Address, IntentState>,
}

/// What an object has that its instance in a file does not tell.
#[derive(Debug, Serialize, Deserialize)]
struct OurRest {
    /// Of the attributes that it belongs to: it says nothing of others, should somebody have changed the file.
    digest: Digest,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    types: BTreeMap<String, Json>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sensitive: Vec<AttributePath>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<StoredSecret>,
    #[serde(default, skip_serializing_if = "Json::is_null")]
    private: Json,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dependencies: Vec<Address>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider: Option<ProviderAddress>,
}

impl OurRest {
    fn of(object: &ObjectState) -> Self {
        let ObjectState { types, sensitive, secrets, private, dependencies, provider, .. } = object.clone();
        Self { digest: digest(object), types, sensitive, secrets, private, dependencies, provider }
    }

    fn apply(self, object: &mut ObjectState) {
        if self.digest == digest(object) {
            object.types = self.types;
            object.sensitive = self.sensitive;
            object.secrets = self.secrets;
            object.private = self.private;
            object.dependencies = self.dependencies;
            object.provider = self.provider;
        }
    }
}

fn digest(object: &ObjectState) -> Digest {
    Digest::of(object.attributes.to_string().as_bytes())
}

/// Results of checks say something of objects as they were.
const CHECK_RESULTS: &str = "check_results";

impl TerraformRest {
    /// The object at an address changes.
    pub(crate) fn forget(&mut self, address: &Address, deposed: Option<&str>) {
        self.other.remove(CHECK_RESULTS);
        if let Some(objects) = self.objects.get_mut(address) {
            objects.remove(deposed.unwrap_or(""));
            if objects.is_empty() {
                self.objects.remove(address);
            }
        }
    }

    /// The object at an address makes room for its replacement.
    pub(crate) fn depose(&mut self, address: &Address, key: &str) {
        self.other.remove(CHECK_RESULTS);
        if let Some(objects) = self.objects.get_mut(address)
            && let Some(rest) = objects.remove("")
        {
            objects.insert(key.to_owned(), rest);
        }
    }
}

/// The serial that a state's file has: higher than that of the file that it came from.
pub fn serial(state: &State) -> u64 {
    state.terraform.as_ref().map_or(0, |rest| rest.serial) + state.serial
}

/// A file must not take the place of a state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// It belongs to another state.
    #[error("the file is of the lineage `{file}`, and the state of `{state}`")]
    OtherLineage {
        /// Lineage of the file.
        file: String,
        /// Lineage of the state.
        state: String,
    },
    /// It is older.
    #[error("the file has the serial {file}, and the state has {state} already")]
    Older {
        /// Serial of the file.
        file: u64,
        /// Serial of the state, as its file has it.
        state: u64,
    },
}

/// Whether what was read from a file may take the place of a state, as `terraform state push` decides it without `-force`: a file of the same
/// lineage that is not older. Anything may take the place of a state that was never begun.
///
/// # Errors
/// When it may not.
pub fn check_push(state: &State, file: &State) -> Result<(), PushError> {
    if state.lineage.is_empty() {
        return Ok(());
    }
    if state.lineage != file.lineage {
        return Err(PushError::OtherLineage { file: file.lineage.clone(), state: state.lineage.clone() });
    }
    let (file, state) = (serial(file), serial(state));
    if file < state { Err(PushError::Older { file, state }) } else { Ok(()) }
}

/// A file is not a state of Terraform that can be read.
#[derive(Debug, thiserror::Error)]
pub enum TerraformStateError {
    /// It is not JSON.
    #[error("it is not JSON")]
    Json(#[source] serde_json::Error),
    /// It is JSON of another sort.
    #[error("it is not a state of Terraform: {0}")]
    Shape(String),
    /// It is of another version.
    #[error("it is of version {0}, and only version {VERSION} can be read")]
    Version(u64),
}

/// Attributes that Terraform stores with their type, because the schema leaves it open: those of the kinds that are built into it.
fn has_open_type(type_name: &str, attribute: &str) -> bool {
    match type_name {
        "terraform_data" => matches!(attribute, "input" | "output" | "triggers_replace"),
        "kubernetes_manifest" => matches!(attribute, "manifest" | "object"),
        _ => false,
    }
}

/// Where an address stands in Terraform's terms: the module, and the address inside of it.
fn split_module(address: &Address) -> (String, Address) {
    let inside = Address::new(address.kind, &address.type_name, &address.name).with_key(address.key.clone());
    let text = address.to_string();
    let module = text.strip_suffix(&inside.to_string()).unwrap_or_default();
    (module.strip_suffix('.').unwrap_or(module).to_owned(), inside)
}
