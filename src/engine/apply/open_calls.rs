//! Which announced calls stand in the state: at most one for an address.
//!
//! That a call to make something was announced is the only trace of what it may have made until somebody has found out. So no removal takes its
//! place, of another object at that address: the removal is not announced then. Should it be cut off, the next plan looks at the object anyway.
//!
//! Whether a call may be made at all is decided elsewhere, and so is who asks what became of one.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pipectl_core::Address;
use pipectl_state::{Change, Operation, State};

/// A call that stands in the state.
struct OpenCall {
    operation: Operation,
    token: String,
}

/// The calls that stand in the state, by address.
pub(super) struct OpenCalls(Mutex<BTreeMap<Address, OpenCall>>);

impl OpenCalls {
    /// Those of a state.
    pub(super) fn of(state: &State) -> Self {
        let open = |(address, intent): (&Address, &pipectl_state::IntentState)| {
            (address.clone(), OpenCall { operation: intent.operation, token: intent.token.clone() })
        };
        Self(Mutex::new(state.intents.iter().map(open).collect()))
    }

    /// Announces a call by sending it to be committed; not where something may have been made that nobody knows of.
    pub(super) fn announce<T>(
        &self,
        address: &Address,
        (operation, token): (Operation, &str),
        send: impl FnOnce() -> T,
    ) -> Option<T> {
        let mut calls = self.calls();
        let is_making = calls.get(address).is_some_and(|call| call.operation == Operation::Create);
        if operation == Operation::Delete && is_making {
            return None;
        }
        calls.insert(address.clone(), OpenCall { operation, token: token.to_owned() });
        // Sent while nobody else can announce anything: what is in the state is what stands here.
        Some(send())
    }

    /// Sends what came of a call, with what takes the call out of the state where it stands there.
    pub(super) fn settle<T>(
        &self,
        address: &Address,
        token: Option<&str>,
        send: impl FnOnce(Option<Change>) -> T,
    ) -> T {
        let mut calls = self.calls();
        let stands = calls.get(address).is_some_and(|call| token == Some(call.token.as_str()));
        if stands {
            calls.remove(address);
        }
        send(stands.then(|| Change::RemoveIntent { address: address.clone() }))
    }

    fn calls(&self) -> MutexGuard<'_, BTreeMap<Address, OpenCall>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_removal_takes_the_place_of_a_making() {
        let calls = OpenCalls::of(&State::default());
        let address: Address = "sim_network.a".parse().unwrap();
        let announced = |operation, token| calls.announce(&address, (operation, token), || ()).is_some();
        let settled = |token| calls.settle(&address, Some(token), |change| change.is_some());
        assert!(announced(Operation::Delete, "removal"));
        assert!(announced(Operation::Create, "making"), "the removal of another object is told by that one");
        assert!(!settled("removal"), "it stands there no longer");
        assert!(!announced(Operation::Delete, "another removal"));
        assert!(!settled("another removal"));
        assert!(announced(Operation::Create, "made once more"));
        assert!(settled("made once more") && !settled("made once more"));
        assert!(announced(Operation::Delete, "removal"));
    }
}
