//! The provider that every program has built in: `terraform_data`, and the data source `terraform_remote_state`.
//!
//! Owns what Terraform's provider `terraform.io/builtin/terraform` has and what makes no calls to anywhere. Other providers get crates of their own.

mod local_state;
mod remote_state;
mod terraform_data;

pub use remote_state::RemoteState;
pub use terraform_data::TerraformData;
