//! The client against what Oracle's SDK signs, and against small servers that check what they are asked.
#![allow(clippy::unwrap_used)]

#[path = "client/credentials.rs"]
mod credentials;
#[path = "client/endpoints.rs"]
mod endpoints;
#[path = "client/keys.rs"]
mod keys;
#[path = "client/renewal.rs"]
mod renewal;
#[path = "client/server.rs"]
mod server;
#[path = "client/signatures.rs"]
mod signatures;
#[path = "client/simulated.rs"]
mod simulated;
