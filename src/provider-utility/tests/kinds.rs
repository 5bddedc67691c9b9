//! All kinds: what holds for each of them, and what each is for.

#![allow(clippy::unwrap_used)]

#[path = "support/bed.rs"]
mod bed;
mod kinds {
    mod archive;
    mod attributes;
    mod conformance;
    #[cfg(feature = "tls")]
    mod ephemeral;
    #[cfg(feature = "http")]
    mod http;
    mod local;
    mod random;
    mod time;
    #[cfg(feature = "tls")]
    mod tls;
}
