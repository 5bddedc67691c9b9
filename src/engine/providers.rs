//! Provider configurations: which one serves which object, what it says, and the kinds that are bound to it.
//!
//! A `provider` block is a node of the graph like any other: what it refers to comes before it, and what it serves after it. It is evaluated when
//! its turn comes; the provider itself is configured only when an object asks for its kinds, once for each configuration in a run
//! ([`configured`]). Which configuration an object means follows from the words of the files ([`locate`]), checked before anything is evaluated
//! ([`check`]).
//!
//! There are two sets of configurations in a run. The one follows from what is planned, or from what has come of applying. The other follows from
//! the state ([`before`]): with it objects are read and removed, because they live where they were made.

pub(crate) mod before;
pub(crate) mod check;
pub(crate) mod configured;
mod discreet;
pub(crate) mod locate;

pub(crate) use before::Before;
pub(crate) use configured::{Bound, Pool, Providers};
pub(crate) use locate::{Choice, Chooser};
