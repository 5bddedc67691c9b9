//! Whoever speaks S3: Amazon S3, Ceph RGW, SeaweedFS, Oracle's Object Storage.
//!
//! Owns who signs and which server is asked ([`Settings`]), the SDK's client for that, a bridge for callers that block ([`Connection`]), and what
//! answers of such servers mean ([`Fault`]). What is asked for, and of which bucket, is for others: the backend `s3`, the provider `aws`.

mod blocking;
mod client;
mod connection;
mod fault;
mod settings;

pub use client::client;
pub use connection::{Connection, Repeat};
pub use fault::Fault;
pub use settings::Settings;
