//! The documents of `show -json`: plans, states and configurations as Terraform's JSON formats describe them, so that what was written
//! for those reads ours.
//!
//! Two things differ from Terraform's. What is sensitive is null here, and `true` in `sensitive_values`, `before_sensitive` and
//! `after_sensitive`: these documents may be stored anywhere. And there is more: stages (`"mode": "stage"`), the reasons of actions,
//! `pipectl_version`.

mod checks;
mod configuration;
mod module_tree;
mod plan;
mod relevant;
mod state;
mod trees;

use pipectl_core::{Address, AddressKind, InstanceKey};
use serde_json::{Value as Json, json};

pub use plan::{PlanView, plan};
pub use state::state;

/// The Terraform whose formats these are: readers look for its version.
pub const TERRAFORM_VERSION: &str = "1.11.4";

/// What every form of an object begins with.
fn named(address: &Address) -> Json {
    let mut json = json!({
        "address": address.to_string(),
        "mode": mode(address),
        "type": address.type_name,
        "name": address.name,
        "provider_name": provider_name(address),
    });
    match &address.key {
        None => {}
        Some(InstanceKey::Index(index)) => json["index"] = json!(index),
        Some(InstanceKey::Name(name)) => json["index"] = json!(name),
    }
    json
}

/// The same where it does not stand in its module already.
fn named_in_module(address: &Address) -> Json {
    let mut json = named(address);
    if !address.module.is_root() {
        json["module_address"] = json!(address.module.to_string());
    }
    json
}

fn mode(address: &Address) -> &'static str {
    match address.kind {
        AddressKind::Resource => "managed",
        kind => kind.block_type(),
    }
}

/// The provider's local name: what the type's name begins with.
pub fn provider_key(address: &Address) -> String {
    match address.kind {
        AddressKind::Stage => "pipectl".to_owned(),
        AddressKind::Resource | AddressKind::Data | AddressKind::Ephemeral => {
            address.type_name.split('_').next().unwrap_or_default().to_owned()
        }
    }
}

/// The provider's name in full, as Terraform knows it.
fn provider_name(address: &Address) -> String {
    full_name(&provider_key(address))
}

fn full_name(key: &str) -> String {
    match key {
        "pipectl" => "pipectl".to_owned(),
        "terraform" => "terraform.io/builtin/terraform".to_owned(),
        other => format!("registry.terraform.io/hashicorp/{other}"),
    }
}
