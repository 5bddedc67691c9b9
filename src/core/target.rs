//! What `-target`, `-exclude`, and the blocks `moved` and `removed` name: an object, a block, or a whole module.

use std::fmt;
use std::str::FromStr;

use crate::address::AddressError;
use crate::{Address, ModulePath};

/// An object, all instances of a block, or a module with everything inside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A module, or all its instances. Never the root module.
    Module(ModulePath),
    /// An object, or all instances of its block.
    Object(Address),
}

impl Target {
    /// Whether the object at `address` is meant. What is written without a key means all instances.
    pub fn contains(&self, address: &Address) -> bool {
        match self {
            Target::Module(path) => path.contains(&address.module),
            Target::Object(target) => {
                (target.kind, &target.type_name, &target.name) == (address.kind, &address.type_name, &address.name)
                    && (target.key.is_none() || target.key == address.key)
                    && target.module.steps().len() == address.module.steps().len()
                    && target.module.contains(&address.module)
            }
        }
    }

    /// Whether it leaves open which instance is meant: there is no key at the end.
    pub fn is_whole(&self) -> bool {
        match self {
            Target::Module(path) => path.steps().last().is_none_or(|step| step.key.is_none()),
            Target::Object(address) => address.key.is_none(),
        }
    }
}

impl From<Address> for Target {
    fn from(address: Address) -> Self {
        Target::Object(address)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Module(path) => write!(f, "{path}"),
            Target::Object(address) => write!(f, "{address}"),
        }
    }
}

impl FromStr for Target {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text.parse::<ModulePath>() {
            Ok(path) if !path.is_root() => Ok(Target::Module(path)),
            _ => text.parse().map(Target::Object),
        }
    }
}

crate::serialize_as_text!(Target);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_key_means_all_instances() {
        let contains = |target: &str, address: &str| {
            let target: Target = target.parse().expect("valid");
            target.contains(&address.parse().expect("valid"))
        };
        assert!(contains("module.a", "module.a[0].module.b.x.y"));
        assert!(contains("module.a.x.y", "module.a[\"k\"].x.y[1]"));
        assert!(contains("x.y", "x.y[1]") && contains("x.y[1]", "x.y[1]"));
        assert!(!contains("x.y[0]", "x.y[1]") && !contains("x.y", "module.a.x.y") && !contains("x.y", "data.x.y"));
        assert!(!contains("module.a.x.y", "module.a.module.b.x.y"));
        assert!("".parse::<Target>().is_err());
    }
}
