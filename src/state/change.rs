//! Changes of a state, and the records that carry them.

use pipectl_core::Address;
use serde::{Deserialize, Serialize};

use crate::{IntentState, ObjectState, OutputState, State, StateKey, TerraformRest};

/// One change. Applying it never fails: what it removes may already be gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The object at an address is now this.
    SetObject {
        /// Where.
        address: Address,
        /// What.
        object: ObjectState,
    },
    /// There is no object at an address any more.
    RemoveObject {
        /// Where.
        address: Address,
    },
    /// The object at an address has made room for its replacement.
    Depose {
        /// Where.
        address: Address,
        /// What it is called from now on.
        key: String,
    },
    /// An object that has made room is now this.
    SetDeposed {
        /// Where.
        address: Address,
        /// Which.
        key: String,
        /// What.
        object: ObjectState,
    },
    /// An object that has made room is gone.
    RemoveDeposed {
        /// Where.
        address: Address,
        /// Which.
        key: String,
    },
    /// A call is about to be made, or has learned something.
    SetIntent {
        /// For which address.
        address: Address,
        /// Which call.
        intent: IntentState,
    },
    /// The result of a call is known.
    RemoveIntent {
        /// For which address.
        address: Address,
    },
    /// An output has this value.
    SetOutput {
        /// Its name.
        name: String,
        /// Its value.
        output: OutputState,
    },
    /// There is no such output any more.
    RemoveOutput {
        /// Its name.
        name: String,
    },
    /// The key of the fingerprints of secrets is this. Fingerprints under an earlier one match nothing any more.
    SetKey {
        /// The key.
        key: StateKey,
    },
    /// This is what a state of Terraform held that has no place of its own here.
    SetTerraform {
        /// What is kept of it; nothing any more.
        rest: Option<Box<TerraformRest>>,
    },
}

/// Changes that were committed together: all of them, or none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its number: one more than the record before.
    pub serial: u64,
    /// In order.
    pub changes: Vec<Change>,
}

impl State {
    /// Takes in a record.
    pub fn take(&mut self, record: Record) {
        self.serial = record.serial;
        for change in record.changes {
            self.take_change(change);
        }
    }

    fn take_change(&mut self, change: Change) {
        match change {
            Change::SetObject { address, object } => {
                self.forget_rest(&address, None);
                self.resources.entry(address).or_default().current = Some(object);
            }
            Change::RemoveObject { address } => {
                self.forget_rest(&address, None);
                self.edit(address, |resource| resource.current = None);
            }
            Change::Depose { address, key } => {
                if let Some(rest) = &mut self.terraform {
                    rest.depose(&address, &key);
                }
                self.edit(address, |resource| {
                    if let Some(object) = resource.current.take() {
                        resource.deposed.insert(key, object);
                    }
                });
            }
            Change::SetDeposed { address, key, object } => {
                self.forget_rest(&address, Some(&key));
                self.resources.entry(address).or_default().deposed.insert(key, object);
            }
            Change::RemoveDeposed { address, key } => {
                self.forget_rest(&address, Some(&key));
                self.edit(address, |resource| {
                    resource.deposed.remove(&key);
                });
            }
            Change::SetIntent { address, intent } => {
                self.intents.insert(address, intent);
            }
            Change::RemoveIntent { address } => {
                self.intents.remove(&address);
            }
            Change::SetOutput { name, output } => {
                self.outputs.insert(name, output);
            }
            Change::RemoveOutput { name } => {
                self.outputs.remove(&name);
            }
            Change::SetKey { key } => self.key = Some(key),
            Change::SetTerraform { rest } => self.terraform = rest,
        }
    }

    /// What Terraform knew of an object says nothing of the one that takes its place.
    fn forget_rest(&mut self, address: &Address, deposed: Option<&str>) {
        if let Some(rest) = &mut self.terraform {
            rest.forget(address, deposed);
        }
    }

    /// Changes what is at an address, and forgets the address when nothing is left there.
    fn edit(&mut self, address: Address, change: impl FnOnce(&mut crate::ResourceState)) {
        if let std::collections::btree_map::Entry::Occupied(mut entry) = self.resources.entry(address) {
            change(entry.get_mut());
            if entry.get().current.is_none() && entry.get().deposed.is_empty() {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> Address {
        Address::new(pipectl_core::AddressKind::Resource, "sim_network", "a")
    }

    fn object(id: &str) -> ObjectState {
        ObjectState { attributes: serde_json::json!({ "id": id }), ..ObjectState::default() }
    }

    #[test]
    fn a_replacement_keeps_the_old_object_until_it_is_gone() {
        let mut state = State::default();
        let changes = vec![
            Change::SetObject { address: address(), object: object("1") },
            Change::Depose { address: address(), key: "k".to_owned() },
            Change::SetObject { address: address(), object: object("2") },
        ];
        state.take(Record { serial: 1, changes });
        let ids: Vec<_> = state.objects().map(|(_, key, object)| (key, object.attributes["id"].clone())).collect();
        assert_eq!(ids, vec![(None, "2".into()), (Some("k"), "1".into())]);
        let changes = vec![
            Change::RemoveDeposed { address: address(), key: "k".to_owned() },
            Change::RemoveObject { address: address() },
            Change::RemoveObject { address: address() },
        ];
        state.take(Record { serial: 2, changes });
        assert_eq!(state, State { serial: 2, ..State::default() });
    }
}
