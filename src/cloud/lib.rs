//! What clouds with REST services have in common, so that a cloud's crate is a table of kinds and its own habits.
//!
//! A [`Kind`] says of a kind of object what it is made of ([`Fields`]) and, where it is unlike others, how to call its service. A [`Cloud`] has
//! the habits that all of its services share: how an object is asked for, changed, removed, listed, and what its errors say. [`KindResource`]
//! makes a resource of a kind: it plans, waits, records, and finds again what an interrupted run has made. [`Lookup`] does so for data sources.
//!
//! What it deliberately leaves out: credentials, addresses of services, and anything that only one cloud has.

mod clocks;
mod cloud;
mod condition;
mod fault;
mod fields;
mod groups;
mod kind;
mod lookup;
mod place;
mod registration;
mod resource;
pub mod settling;
mod turns;

pub use clocks::Clocks;
pub use cloud::Cloud;
pub use condition::{Condition, with_reason};
pub use fault::Fault;
pub use fields::{Codec, Fields, Observed, Times, differs};
pub use groups::Group;
pub use kind::{Kind, Known, More, text};
pub use lookup::{Lookup, one};
pub use place::Place;
pub use registration::Registration;
pub use resource::{KindResource, time_of};
pub use turns::Turns;
