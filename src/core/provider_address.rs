//! Which provider, and which of its configurations: `provider["registry.terraform.io/hashicorp/random"].west`.
//!
//! The texts are Terraform's, and for a configuration with instances OpenTofu's, so that states can be read across.

use std::fmt;
use std::str::FromStr;

use crate::{InstanceKey, ModulePath, instance_key, module_path};

/// The registry that a source without one means.
const DEFAULT_HOST: &str = "registry.terraform.io";
/// The namespace that a source without one means.
const DEFAULT_NAMESPACE: &str = "hashicorp";

/// Where a provider comes from: what it is, whatever modules call it. Nothing is fetched from there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderSource {
    /// The registry.
    pub host: String,
    /// Who publishes it.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// The text is no source of a provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a provider source")]
pub struct ProviderSourceError(pub String);

impl ProviderSource {
    /// What a module means that says nothing of the provider it calls `name`: as in Terraform, HashiCorp's, or the one that is built in.
    pub fn implied(name: &str) -> Self {
        let (host, namespace) = match name {
            "terraform" => ("terraform.io", "builtin"),
            _ => (DEFAULT_HOST, DEFAULT_NAMESPACE),
        };
        Self { host: host.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// Whether it is what a module means that says nothing.
    pub fn is_implied(&self) -> bool {
        *self == Self::implied(&self.name)
    }
}

impl fmt::Display for ProviderSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.host, self.namespace, self.name)
    }
}

impl FromStr for ProviderSource {
    type Err = ProviderSourceError;

    /// Reads `host/namespace/name`, `namespace/name` or `name`.
    fn from_str(text: &str) -> Result<Self, ProviderSourceError> {
        let parts: Vec<&str> = text.split('/').collect();
        let is_part = |part: &&str| {
            !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':'))
        };
        let (host, namespace, name) = match parts[..] {
            _ if !parts.iter().all(is_part) => return Err(ProviderSourceError(text.to_owned())),
            [name] => return Ok(Self::implied(&name.to_lowercase())),
            [namespace, name] => (DEFAULT_HOST, namespace, name),
            [host, namespace, name] => (host, namespace, name),
            _ => return Err(ProviderSourceError(text.to_owned())),
        };
        let lower = str::to_lowercase;
        Ok(Self { host: lower(host), namespace: lower(namespace), name: lower(name) })
    }
}

/// One configuration of a provider.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderAddress {
    /// The module that declares it; the root module for one that nobody declares.
    pub module: ModulePath,
    /// The provider.
    pub source: ProviderSource,
    /// Which of its configurations there; `None`: the default one.
    pub alias: Option<String>,
    /// Which instance, where the block has `for_each`.
    pub key: Option<InstanceKey>,
}

/// The text is no address of a provider configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address of a provider configuration")]
pub struct ProviderAddressError(pub String);

impl ProviderAddress {
    /// The default configuration of a provider in the root module.
    pub fn default_of(source: ProviderSource) -> Self {
        Self { module: ModulePath::ROOT, source, alias: None, key: None }
    }

    /// Whether it is what an object of a type means that nobody says anything of: the default configuration of the provider that the type's
    /// name begins with. Nothing need be remembered of that.
    pub fn is_implied_by(&self, type_name: &str) -> bool {
        self.is_default() && self.source.name == implied_name(type_name)
    }

    /// Whether it is the default configuration of the root module.
    pub fn is_default(&self) -> bool {
        self.module.is_root() && self.alias.is_none() && self.key.is_none()
    }
}

/// What modules call the provider of a type that say nothing of it: what the type's name begins with, up to the first underscore.
pub fn implied_name(type_name: &str) -> &str {
    type_name.split_once('_').map_or(type_name, |(name, _)| name)
}

impl fmt::Display for ProviderAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.module.is_root() {
            write!(f, "{}.", self.module)?;
        }
        write!(f, "provider[\"{}\"]", self.source)?;
        if let Some(alias) = &self.alias {
            write!(f, ".{alias}")?;
        }
        match &self.key {
            Some(key) => write!(f, "[{key}]"),
            None => Ok(()),
        }
    }
}

impl FromStr for ProviderAddress {
    type Err = ProviderAddressError;

    fn from_str(text: &str) -> Result<Self, ProviderAddressError> {
        read(text).ok_or_else(|| ProviderAddressError(text.to_owned()))
    }
}

fn read(text: &str) -> Option<ProviderAddress> {
    let (module, rest) = module_path::read(text)?;
    let (source, rest) = rest.strip_prefix("provider[\"")?.split_once("\"]")?;
    let source = source.parse().ok()?;
    let (alias, rest) = match rest.strip_prefix('.') {
        None => (None, rest),
        Some(rest) => {
            let (alias, rest) = rest.split_at(rest.find('[').unwrap_or(rest.len()));
            (Some(alias.to_owned()), rest)
        }
    };
    let key = match rest.strip_prefix('[') {
        None if rest.is_empty() => None,
        None => return None,
        Some(inside) => match instance_key::read(inside)? {
            (key, "") => Some(key),
            _ => return None,
        },
    };
    let is_name = |alias: &String| !alias.is_empty() && !alias.contains(['.', '"', ']']);
    alias.as_ref().is_none_or(is_name).then_some(ProviderAddress { module, source, alias, key })
}

crate::serialize_as_text!(ProviderAddress);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_completed_as_terraform_completes_them() {
        for (written, full) in [
            ("random", "registry.terraform.io/hashicorp/random"),
            ("terraform", "terraform.io/builtin/terraform"),
            ("hashicorp/random", "registry.terraform.io/hashicorp/random"),
            ("Oracle/OCI", "registry.terraform.io/oracle/oci"),
            ("example.org:8443/a/b", "example.org:8443/a/b"),
        ] {
            assert_eq!(written.parse::<ProviderSource>().expect("valid").to_string(), full);
        }
        for text in ["", "/", "a/", "a//b", "a/b/c/d", "a b", "https://a/b"] {
            assert!(text.parse::<ProviderSource>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_default_configuration_of_the_implied_provider_goes_without_saying() {
        let is_implied =
            |text: &str, type_name: &str| text.parse::<ProviderAddress>().expect("valid").is_implied_by(type_name);
        assert!(is_implied("provider[\"registry.terraform.io/oracle/oci\"]", "oci_core_vcn"));
        assert!(is_implied("provider[\"terraform.io/builtin/terraform\"]", "terraform"));
        assert!(!is_implied("provider[\"registry.terraform.io/hashicorp/google-beta\"]", "google_project"));
        assert!(!is_implied("provider[\"registry.terraform.io/oracle/oci\"].west", "oci_core_vcn"));
        assert!(!is_implied("module.a.provider[\"registry.terraform.io/oracle/oci\"]", "oci_core_vcn"));
    }

    #[test]
    fn addresses_read_as_they_are_written() {
        for text in [
            "provider[\"registry.terraform.io/hashicorp/sim\"]",
            "provider[\"registry.terraform.io/hashicorp/sim\"].west",
            "provider[\"registry.terraform.io/hashicorp/sim\"].by_region[\"a.b\"]",
            "module.a[\"x\"].provider[\"terraform.io/builtin/terraform\"].west[0]",
        ] {
            let address: ProviderAddress = text.parse().expect("valid");
            assert_eq!(address.to_string(), text);
            let json = serde_json::to_string(&address).expect("text");
            assert_eq!(serde_json::from_str::<ProviderAddress>(&json).expect("an address"), address);
        }
        for text in ["", "provider", "provider[\"a\"", "provider[\"a\"].", "provider[\"a\"].b.c", "provider[\"a\"]x"] {
            assert!(text.parse::<ProviderAddress>().is_err(), "{text}");
        }
    }
}
