//! Objects as values, for those who look: of a state, and as a plan leaves them.

use std::collections::BTreeMap;

use pipectl_core::{Address, Type, Value};
use pipectl_provider::Registry;
use pipectl_state::{ObjectState, State};

use crate::instance::{instance_of, plain};
use crate::{Action, Plan};

/// The attributes of a stored object, marked where they must not be shown.
///
/// Of a kind that this program does not know, or no longer understands, the stored JSON is shown, with what was sensitive marked.
pub fn attributes(registry: &Registry, address: &Address, object: &ObjectState) -> Value {
    let kind = registry.resource(address.kind, &address.type_name);
    let known = kind.and_then(|kind| instance_of(address, object, kind.as_ref()).ok());
    known.map_or_else(|| plain(object), |instance| instance.attributes)
}

/// The objects of a state by address, without those that are left over from replacements.
pub fn objects_of(registry: &Registry, state: &State) -> BTreeMap<Address, Value> {
    let current = state.objects().filter(|(_, deposed, _)| deposed.is_none());
    current.map(|(address, _, object)| (address.clone(), attributes(registry, address, object))).collect()
}

impl Plan {
    /// The objects as the plan leaves them, by address, unknown where known after apply. `prior` is [`Plan::prior_state`].
    pub fn objects_after(&self, registry: &Registry, prior: &State) -> BTreeMap<Address, Value> {
        let mut objects = objects_of(registry, prior);
        for change in self.changes.iter().filter(|change| change.deposed.is_none()) {
            match (change.action, &change.after) {
                (Action::Delete | Action::Forget, _) => drop(objects.remove(&change.address)),
                (_, Some(after)) => drop(objects.insert(change.address.clone(), after.clone())),
                // Nothing changes: it is as the state says.
                (_, None) => {}
            }
        }
        for deferred in self.deferred.iter().filter(|deferred| !deferred.address.is_open()) {
            let after = deferred.after.clone().unwrap_or_else(|| Value::unknown(Type::Any));
            objects.insert(deferred.address.address().clone(), after);
        }
        objects
    }
}
