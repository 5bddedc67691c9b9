//! What others make of keys, certificates, archives and hashes: OpenSSL, OpenSSH, Info-ZIP, GNU tar, Python, and the C library's `crypt`.
//!
//! A program that is missing makes its test fail.

#![allow(clippy::unwrap_used)]

#[path = "support/bed.rs"]
mod bed;
mod kinds_peer {
    mod archive;
    mod random;
    #[cfg(all(feature = "tls", feature = "http"))]
    mod tls;

    use std::process::Command;

    /// What a program writes to standard output, and to standard error. It must succeed.
    pub fn said(command: &mut Command) -> String {
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{command:?}: {out}{err}");
        format!("{out}{err}")
    }
}
