//! Amazon's provider `aws`, as far as it is about S3: buckets, what they are told to do, and objects.
//!
//! Kinds have the names, arguments and rules of the Terraform provider `hashicorp/aws`, version 6, so that configurations move over, and work with
//! whoever speaks S3: Amazon, Ceph at CERN, Oracle's S3 compatibility, SeaweedFS.
//!
//! A kind is a table of its arguments and a few calls; everything else is the same for all clouds (`pipectl-cloud`). Who signs and what answers
//! mean is `pipectl-s3-client`'s.
//!
//! What it deliberately leaves out: all other services of Amazon's, policies and access lists of buckets, replication, websites.

mod bucket;
mod cloud;
mod content;
mod data;
mod emptying;
mod fault;
mod kind;
mod lifecycle;
mod object;
mod provider;
mod versioning;

pub use provider::Aws;
