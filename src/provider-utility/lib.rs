//! The utility providers that nearly every folder of Terraform uses: `random`, `null`, `time`, `local`, `archive`, `tls` and `http`.
//!
//! A module for each provider. Names, defaults, formats and rules are those of HashiCorp's providers; where ours differ, the page
//! `reference/providers.md` of the manual says so. What is the same for all kinds is here too: an object that only the state holds
//! (`kept`), plans with defaults (`planning`), rules for arguments (`rules`), and randomness (`draw`).
//!
//! Knows no HCL, no engine, no cloud. The time of day comes through `Environment`; files are read and written only by `local` and
//! `archive`, whose purpose that is, and relative paths start at the folder of the root. Provider blocks have no settings here.

// A build without one of the features leaves some of what the kinds share without a caller.
#![cfg_attr(not(all(feature = "http", feature = "tls")), allow(dead_code))]

pub mod archive;
mod arguments;
mod digests;
mod draw;
mod drawn;
#[cfg(feature = "http")]
pub mod http;
mod kept;
pub mod local;
mod moment;
pub mod null;
mod planning;
pub mod random;
mod rules;
pub mod time;
#[cfg(feature = "tls")]
pub mod tls;

use std::sync::Arc;

use pipectl_provider::{DataSource, Ephemeral, Registry, Resource};

/// Puts all kinds of this crate into a registry, under the names that Terraform's folders use.
pub fn register(registry: &mut Registry) {
    random::register(registry);
    null::register(registry);
    time::register(registry);
    local::register(registry);
    archive::register(registry);
    #[cfg(feature = "tls")]
    tls::register(registry);
    #[cfg(feature = "http")]
    http::register(registry);
}

fn resource(registry: &mut Registry, name: &str, kind: impl Resource + 'static) {
    registry.resources.insert(name.to_owned(), Arc::new(kind));
}

fn data_source(registry: &mut Registry, name: &str, kind: impl DataSource + 'static) {
    registry.data_sources.insert(name.to_owned(), Arc::new(kind));
}

fn ephemeral(registry: &mut Registry, name: &str, kind: impl Ephemeral + 'static) {
    registry.ephemerals.insert(name.to_owned(), Arc::new(kind));
}
