//! Oracle Cloud Infrastructure: networks, Kubernetes clusters (OKE), instances, buckets.
//!
//! Kinds have the names, arguments and rules of the Terraform provider `oracle/oci`, version 8, so that configurations move over. Credentials come
//! as Oracle's own tools take them: from the block, from `~/.oci/config`, from `OCI_*` and `TF_VAR_*`, or from where this runs.
//!
//! A kind is a table of its arguments and a few calls; everything else is the same for all clouds (`pipectl-cloud`).
//!
//! What it deliberately leaves out: block volumes, load balancers, identity beyond what the others need.

mod cloud;
mod compute;
mod containerengine;
mod endpoint;
mod identity;
mod kind;
mod listing;
mod networking;
mod objectstorage;
mod provider;
mod recent;
mod settings;
mod tags;

pub use provider::Oci;
