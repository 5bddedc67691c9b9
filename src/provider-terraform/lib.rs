//! The provider that every program has built in: `terraform_data`, and the data source `terraform_remote_state`.
//!
//! Owns what Terraform's provider `terraform.io/builtin/terraform` has and what makes no calls to anywhere. Other providers get crates of their own.

mod local_state;
mod other_backends;
mod remote_state;
mod terraform_data;

use std::sync::Arc;

use pipectl_provider::PlainProvider;
use pipectl_state::BackendKind;

pub use remote_state::RemoteState;
pub use terraform_data::TerraformData;

/// The provider: `terraform_data`, and the data source `terraform_remote_state`, which reads these backends besides the local disk.
pub fn provider(backends: Vec<Arc<dyn BackendKind>>) -> PlainProvider {
    PlainProvider::new("terraform")
        .resource(TerraformData::TYPE_NAME, TerraformData::new())
        .data_source(RemoteState::TYPE_NAME, RemoteState::new(backends))
}
