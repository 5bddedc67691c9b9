//! The state of one pipeline in one workspace.

use std::collections::BTreeMap;

use pipectl_core::{Address, Path, ProviderAddress, Step};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{SecretMac, StateKey, TerraformRest};

/// Everything that is remembered between runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The number of the last record; 0: nothing was ever committed.
    pub serial: u64,
    /// The state's own name, drawn when it was made: tells two states apart that have the same serial.
    pub lineage: String,
    /// The root that it belongs to, as people know it: `hep.hcl`.
    pub root: String,
    /// Objects by address.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub resources: BTreeMap<Address, ResourceState>,
    /// Outputs by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, OutputState>,
    /// Calls that were announced and whose result is not known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub intents: BTreeMap<Address, IntentState>,
    /// The key of the fingerprints of secrets; drawn when the first one is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<StateKey>,
    /// What a state of Terraform held that has no place of its own here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terraform: Option<Box<TerraformRest>>,
}

/// What exists at an address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResourceState {
    /// The object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<ObjectState>,
    /// Objects that a replacement has taken the place of and that are still to be removed, by a key that tells them apart.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deposed: BTreeMap<String, ObjectState>,
}

/// One object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ObjectState {
    /// Version of the schema that the attributes follow.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub schema_version: u32,
    /// All attributes: an object.
    pub attributes: Json,
    /// Types, as Terraform writes them in JSON, of attributes whose type the schema leaves open and JSON alone does not tell.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub types: BTreeMap<String, Json>,
    /// Where in the attributes something must not be shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sensitive: Vec<AttributePath>,
    /// Where in the attributes there was a secret that is not stored: null stands there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<StoredSecret>,
    /// What only the provider reads.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub private: Json,
    /// Blocks that this one referred to when it was applied, directly: they must outlive it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Address>,
    /// Its creation failed half way: it is to be replaced.
    #[serde(default, skip_serializing_if = "is_false")]
    pub tainted: bool,
    /// A replacement is made before this one is removed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub create_before_destroy: bool,
    /// The provider configuration that it was made with; `None`: the default one of the provider that its type implies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderAddress>,
}

/// What is kept of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSecret {
    /// Where it was.
    pub path: AttributePath,
    /// Tells whether another is the same, under the key of the state.
    pub mac: SecretMac,
}

/// A path into attributes. In JSON: `["tags", "a.b", 0]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributePath(pub Vec<PathStep>);

/// One step of a path into attributes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PathStep {
    /// An attribute or a key.
    Name(String),
    /// An element.
    Index(usize),
}

impl From<&Path> for AttributePath {
    fn from(path: &Path) -> Self {
        let step = |step: &Step| match step {
            Step::Name(name) => PathStep::Name(name.clone()),
            Step::Index(index) => PathStep::Index(*index),
        };
        Self(path.0.iter().map(step).collect())
    }
}

impl From<&AttributePath> for Path {
    fn from(path: &AttributePath) -> Self {
        let step = |step: &PathStep| match step {
            PathStep::Name(name) => Step::Name(name.clone()),
            PathStep::Index(index) => Step::Index(*index),
        };
        Path(path.0.iter().map(step).collect())
    }
}

/// An output of the root module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputState {
    /// Its value.
    pub value: Json,
    /// Its type, as Terraform writes types in JSON.
    #[serde(rename = "type")]
    pub ty: Json,
    /// Whether it must not be shown.
    #[serde(default, skip_serializing_if = "is_false")]
    pub sensitive: bool,
}

/// A call that was announced before it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntentState {
    /// What the call does.
    pub operation: Operation,
    /// Unique for the call; given to the remote side where it supports that.
    pub token: String,
    /// The call's arguments, known ones only, no sensitive ones.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub arguments: Json,
    /// The fingerprints of its secrets: the arguments are without them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<StoredSecret>,
    /// What the provider recorded while the call ran: an operation id.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub recorded: Json,
    /// When it was announced, in seconds since 1970. Intents of before have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<u64>,
    /// Dependencies of the object that the call makes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Address>,
    /// Whether a replacement of that object is made before it is removed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub create_before_destroy: bool,
    /// The provider configuration that the call is made with, where that is not the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderAddress>,
}

/// What an announced call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Makes an object.
    Create,
    /// Changes one.
    Update,
    /// Removes one.
    Delete,
}

impl State {
    /// The object at an address.
    pub fn object(&self, address: &Address) -> Option<&ObjectState> {
        self.resources.get(address)?.current.as_ref()
    }

    /// Every object with its address, and with its key when it is to be removed for a replacement.
    pub fn objects(&self) -> impl Iterator<Item = (&Address, Option<&str>, &ObjectState)> {
        self.resources.iter().flat_map(|(address, resource)| {
            let current = resource.current.iter().map(move |object| (address, None, object));
            let deposed = resource.deposed.iter().map(move |(key, object)| (address, Some(key.as_str()), object));
            current.chain(deposed)
        })
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_provider_is_kept_where_it_is_not_the_default_one() {
        let provider = "module.a.provider[\"registry.terraform.io/hashicorp/sim\"].by_region[\"eu\"]";
        let json = serde_json::json!({ "attributes": {}, "provider": provider });
        let object: ObjectState = serde_json::from_value(json.clone()).expect("an object");
        assert_eq!(object.provider.as_ref().map(ToString::to_string).as_deref(), Some(provider));
        assert_eq!(serde_json::to_value(&object).expect("JSON"), json);
        assert_eq!(serde_json::to_string(&ObjectState::default()).expect("JSON"), "{\"attributes\":null}");
    }
}
