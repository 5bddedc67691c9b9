//! Instances: the compute service.
//!
//! API: https://docs.oracle.com/en-us/iaas/api/#/en/iaas/20160918/Instance/.

mod images;
mod instance;

pub(crate) use images::ImagesData;
pub(crate) use instance::Instance;
