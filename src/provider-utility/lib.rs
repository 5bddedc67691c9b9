//! The utility providers that nearly every folder of Terraform uses: `random`, `null`, `time`, `local`, `archive`, `tls` and `http`.
//!
//! A module for each provider. Names, defaults, formats and rules are those of HashiCorp's providers; where ours differ, the page
//! `reference/providers.md` of the manual says so. What is the same for all kinds is here too: an object that only the state holds
//! (`kept`), plans with defaults (`planning`), rules for arguments (`rules`), and randomness (`draw`).
//!
//! Knows no HCL, no engine, no cloud. The time of day comes through `Environment`; files are read and written only by `local` and
//! `archive`, whose purpose that is, and relative paths start at the folder of the root. None of these providers has anything to configure.

// A build without one of the features leaves some of what the kinds share without a caller.
#![cfg_attr(not(all(feature = "http", feature = "tls")), allow(dead_code))]

pub mod archive;
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
pub mod time;
#[cfg(feature = "tls")]
pub mod tls;

use pipectl_provider::Registry;

/// Puts all providers of this crate into a registry, under the names that Terraform's folders use.
pub fn register(registry: &mut Registry) {
    registry.add(random::provider());
    registry.add(null::provider());
    registry.add(time::provider());
    registry.add(local::provider());
    registry.add(archive::provider());
    #[cfg(feature = "tls")]
    registry.add(tls::provider());
    #[cfg(feature = "http")]
    registry.add(http::provider());
}
