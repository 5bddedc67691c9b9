//! Whoever speaks S3: Amazon S3, Ceph RGW, SeaweedFS, Oracle's Object Storage.
//!
//! Owns who signs and which server is asked ([`Settings`]), the SDK's client for that, a bridge for callers that block ([`Connection`]), what
//! answers of such servers mean ([`Fault`]), and how an object of any size is written and read ([`Object`]). What is asked for, and of which bucket,
//! is for others: the backend `s3`, the provider `aws`.

mod blocking;
mod client;
mod connection;
mod fault;
mod object;
mod properties;
mod settings;

pub use client::{client, signer};
pub use connection::{Connection, Repeat};
pub use fault::Fault;
pub use object::{Interrupted, Object, PART, Turns};
pub use properties::{Encrypted, Properties};
pub use settings::Settings;
