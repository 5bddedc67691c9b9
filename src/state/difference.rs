//! From one state to another: what has to be committed so that a state becomes like a file that somebody brings.

use std::collections::BTreeMap;

use pipectl_core::Address;

use crate::{Change, ResourceState, State};

/// Changes that make `from` hold what `to` holds: `state import-terraform` and `state push` commit them.
///
/// Serial, lineage and root stay those of `from`, and so does the key where `to` has none.
pub fn changes_between(from: &State, to: &State) -> Vec<Change> {
    let mut changes = Vec::new();
    let nothing = ResourceState::default();
    for address in keys(&from.resources, &to.resources) {
        let old = from.resources.get(address).unwrap_or(&nothing);
        let new = to.resources.get(address).unwrap_or(&nothing);
        resource_changes(&mut changes, address, old, new);
    }
    for name in keys(&from.outputs, &to.outputs) {
        match to.outputs.get(name) {
            None => changes.push(Change::RemoveOutput { name: name.clone() }),
            Some(output) if from.outputs.get(name) == Some(output) => {}
            Some(output) => changes.push(Change::SetOutput { name: name.clone(), output: output.clone() }),
        }
    }
    for address in keys(&from.intents, &to.intents) {
        match to.intents.get(address) {
            None => changes.push(Change::RemoveIntent { address: address.clone() }),
            Some(intent) if from.intents.get(address) == Some(intent) => {}
            Some(intent) => changes.push(Change::SetIntent { address: address.clone(), intent: intent.clone() }),
        }
    }
    if let Some(key) = to.key.as_ref().filter(|key| from.key.as_ref() != Some(key)) {
        changes.push(Change::SetKey { key: key.clone() });
    }
    // Changed objects forget what Terraform knew of them, so this comes last.
    if from.terraform != to.terraform || (to.terraform.is_some() && !changes.is_empty()) {
        changes.push(Change::SetTerraform { rest: to.terraform.clone() });
    }
    changes
}

fn resource_changes(changes: &mut Vec<Change>, address: &Address, old: &ResourceState, new: &ResourceState) {
    for key in keys(&old.deposed, &new.deposed) {
        let (address, key) = (address.clone(), key.clone());
        match new.deposed.get(&key) {
            None => changes.push(Change::RemoveDeposed { address, key }),
            Some(object) if old.deposed.get(&key) == Some(object) => {}
            Some(object) => changes.push(Change::SetDeposed { address, key, object: object.clone() }),
        }
    }
    match &new.current {
        None if old.current.is_some() => changes.push(Change::RemoveObject { address: address.clone() }),
        Some(object) if old.current.as_ref() != Some(object) => {
            changes.push(Change::SetObject { address: address.clone(), object: object.clone() });
        }
        None | Some(_) => {}
    }
}

/// The keys of both, each once, in order.
fn keys<'a, K: Ord, V>(
    left: &'a BTreeMap<K, V>,
    right: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = &'a K> + use<'a, K, V> {
    let added = right.keys().filter(|key| !left.contains_key(key));
    left.keys().chain(added)
}
