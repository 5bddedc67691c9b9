//! The provider that every program has built in: `terraform_data`.
//!
//! Owns what Terraform's provider `terraform.io/builtin/terraform` has and what makes no calls to anywhere. Other providers get crates of their own.

mod terraform_data;

pub use terraform_data::TerraformData;
