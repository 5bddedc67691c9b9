//! Kubernetes clusters: OKE.
//!
//! API: https://docs.oracle.com/en-us/iaas/api/#/en/containerengine/20180222/. Whatever takes its time is a work request: what was asked for is
//! answered with its id alone, and it tells the id of the object, how far it is, and why it failed.

mod cluster;
mod kubeconfig;
mod node_pool;
mod options;
mod work;

pub(crate) use cluster::Cluster;
pub(crate) use kubeconfig::KubeConfigData;
pub(crate) use node_pool::NodePool;
pub(crate) use options::NodePoolOptionData;
