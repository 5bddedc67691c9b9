//! Which objects the calls of this run have made, or are known to have made: no two calls take the same one for theirs.
//!
//! A call whose answer was lost asks for what it may have made, and a kind that looks for names may answer with what another call has made that
//! has not come back, or is not in the state yet. So whoever asks waits for the calls for objects of that type that are under way, and
//! those that follow wait for the answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use pipectl_core::{Address, AddressKind};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// What was made of one type.
#[derive(Default)]
struct OfType {
    /// Held by calls that make something while they are under way; by whoever asks alone.
    calls: Arc<RwLock<()>>,
    /// Ids, of objects that need not be in the state yet.
    ids: Mutex<BTreeSet<String>>,
}

/// What the calls of a run have made.
#[derive(Default)]
pub(super) struct Makings(Mutex<BTreeMap<(AddressKind, String), Arc<OfType>>>);

impl Makings {
    fn of_type(&self, address: &Address) -> Arc<OfType> {
        let mut types = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(types.entry((address.kind, address.type_name.clone())).or_default())
    }

    /// Begins a call that makes an object, when nobody asks for one of its type.
    pub(super) async fn begin(&self, address: &Address) -> Claim {
        let of_type = self.of_type(address);
        let guard = Guard::UnderWay(Arc::clone(&of_type.calls).read_owned().await);
        Claim { of_type, _guard: guard }
    }

    /// Waits until no call is under way that makes an object of the type, to ask what became of one that is not.
    pub(super) async fn ask(&self, address: &Address) -> Claim {
        let of_type = self.of_type(address);
        let guard = Guard::Alone(Arc::clone(&of_type.calls).write_owned().await);
        Claim { of_type, _guard: guard }
    }
}

enum Guard {
    UnderWay(#[expect(dead_code, reason = "held, not looked at")] OwnedRwLockReadGuard<()>),
    Alone(#[expect(dead_code, reason = "held, not looked at")] OwnedRwLockWriteGuard<()>),
}

/// A call that makes an object, or a question for one. As long as it lives, nobody asks, or nobody makes one either. It need not live longer than
/// until the id of the object is known.
pub(super) struct Claim {
    of_type: Arc<OfType>,
    _guard: Guard,
}

impl Claim {
    /// The ids of all objects that are somebody's: `stored` and those that this run has made.
    pub(super) fn known(&self, mut stored: BTreeSet<String>) -> BTreeSet<String> {
        stored.extend(self.of_type.ids.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        stored
    }

    /// This is the object.
    pub(super) fn is(&self, id: &str) {
        self.of_type.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::time::{Duration, timeout};

    use super::*;

    const A_WHILE: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn whoever_asks_waits_for_calls_that_may_make_the_same() {
        let makings = Makings::default();
        let (one, other): (Address, Address) = ("sim_network.a".parse().unwrap(), "sim_cluster.a".parse().unwrap());
        let making = makings.begin(&one).await;
        drop(makings.ask(&other).await);
        let mut asking = pin!(makings.ask(&one));
        assert!(timeout(A_WHILE, &mut asking).await.is_err(), "one is under way");
        making.is("n-1");
        drop(making);
        let asking = asking.await;
        assert_eq!(asking.known(BTreeSet::from(["n-0".to_owned()])), ["n-0", "n-1"].map(str::to_owned).into());
        assert!(timeout(A_WHILE, makings.begin(&one)).await.is_err(), "somebody asks");
        asking.is("n-2");
        drop(asking);
        assert_eq!(makings.ask(&one).await.known(BTreeSet::new()), ["n-1", "n-2"].map(str::to_owned).into());
    }
}
