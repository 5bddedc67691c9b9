//! The engine over a simulated cloud: scripts with golden output, laws over generated configurations, crashes.

#![allow(clippy::unwrap_used)]

mod bed;
mod deferred;
mod ephemeral;
mod generated;
mod kinds;
mod laws;
mod limits;
mod open_calls;
mod plan_files;
mod providers;
mod quoting;
mod read_again;
mod render;
mod runs;
mod scripts;
mod secrets;
mod terraform;
mod variables;
