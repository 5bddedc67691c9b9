//! The program as people meet it: whole transcripts of commands against snapshots.
//!
//! A scenario copies a folder of `fixtures/` and runs commands in it; its transcript holds each command line, everything that was written
//! to standard output and standard error, and the exit status. What differs between runs (ids, times, the folder) is replaced.

#![allow(clippy::unwrap_used)]

mod cli {
    pub mod adopting;
    pub mod backends;
    pub mod bad_input;
    pub mod commands;
    pub mod console;
    pub mod deferral;
    pub mod encryption;
    pub mod lifecycle;
    #[cfg(feature = "http")]
    pub mod log;
    pub mod machine;
    pub mod modules;
    pub mod remote_state;
    pub mod roots;
    pub mod scenario;
    pub mod secrets;
    #[cfg(all(feature = "convert", feature = "train", feature = "score"))]
    pub mod stages;
    pub mod state_editing;
    pub mod terraform_details;
    pub mod terraform_ways;
    pub mod testing;
    #[cfg(all(feature = "http", feature = "tls"))]
    pub mod utility;
}
