//! Addresses of objects: `oci_core_vcn.main`, `stage.train.inclusive["a"]`, `module.network["eu"].oci_core_vcn.main`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::{InstanceKey, ModulePath, instance_key, module_path};

/// What sort of object an address names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A `resource` block.
    Resource,
    /// A `data` block.
    Data,
    /// A `stage` block.
    Stage,
    /// An `ephemeral` block: it is in no plan and no state.
    Ephemeral,
}

impl Kind {
    /// The type of the blocks: `resource`, `data`, `stage`, `ephemeral`.
    pub fn block_type(self) -> &'static str {
        match self {
            Kind::Resource => "resource",
            Kind::Data => "data",
            Kind::Stage => "stage",
            Kind::Ephemeral => "ephemeral",
        }
    }
}

/// The address of one instance of a resource, data source or stage. Those of the root module come first in order, then module by module.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The module that the block stands in.
    pub module: ModulePath,
    /// The sort of object.
    pub kind: Kind,
    /// The resource type (`oci_core_vcn`) or the stage kind (`train`).
    pub type_name: String,
    /// The block's name.
    pub name: String,
    /// Which instance, where there are several.
    pub key: Option<InstanceKey>,
}

/// The text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address of a resource or stage")]
pub struct AddressError(pub String);

impl Address {
    /// The address of a block of the root module, without `count` or `for_each`.
    pub fn new(kind: Kind, type_name: &str, name: &str) -> Self {
        Self { module: ModulePath::ROOT, kind, type_name: type_name.to_owned(), name: name.to_owned(), key: None }
    }

    /// The address of one instance of the same block.
    #[must_use]
    pub fn with_key(&self, key: Option<InstanceKey>) -> Self {
        Self { key, ..self.clone() }
    }

    /// The same address in a module, wherever it was before.
    #[must_use]
    pub fn in_module(&self, module: &ModulePath) -> Self {
        Self { module: module.clone(), ..self.clone() }
    }

    /// The address of the block in its instance of a module: without the object's own instance.
    #[must_use]
    pub fn block(&self) -> Self {
        self.with_key(None)
    }

    /// The address of the block as the configuration declares it: without any instance, of modules neither.
    #[must_use]
    pub fn declaration(&self) -> Self {
        Self {
            module: self.module.declaration(),
            kind: self.kind,
            type_name: self.type_name.clone(),
            name: self.name.clone(),
            key: None,
        }
    }

    /// The same as [`Address::declaration`]; borrowed where this is one, as it is of most blocks.
    pub fn declared(&self) -> Cow<'_, Self> {
        let has_instances = self.key.is_some() || self.module.steps().iter().any(|step| step.key.is_some());
        if has_instances { Cow::Owned(self.declaration()) } else { Cow::Borrowed(self) }
    }

    /// The address of the block as its module writes it: without any instance. Borrowed where this is it.
    pub fn block_in_its_module(&self) -> Cow<'_, Self> {
        if self.key.is_none() && self.module.is_root() {
            Cow::Borrowed(self)
        } else {
            Cow::Owned(self.block().inside_module())
        }
    }

    /// The address as the module itself writes it.
    #[must_use]
    pub fn inside_module(&self) -> Self {
        self.in_module(&ModulePath::ROOT)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.module.is_root() {
            write!(f, "{}.", self.module)?;
        }
        match self.kind {
            Kind::Resource => {}
            Kind::Data => f.write_str("data.")?,
            Kind::Stage => f.write_str("stage.")?,
            Kind::Ephemeral => f.write_str("ephemeral.")?,
        }
        write!(f, "{}.{}", self.type_name, self.name)?;
        match &self.key {
            Some(key) => write!(f, "[{key}]"),
            None => Ok(()),
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError(text.to_owned());
        let (module, rest) = module_path::read(text).ok_or_else(wrong)?;
        let (path, key) = match rest.split_once('[') {
            None => (rest, None),
            Some((path, inside)) => match instance_key::read(inside).ok_or_else(wrong)? {
                (key, "") => (path, Some(key)),
                _ => return Err(wrong()),
            },
        };
        let parts: Vec<&str> = path.split('.').collect();
        let (kind, type_name, name) = match parts[..] {
            ["data", type_name, name] => (Kind::Data, type_name, name),
            ["stage", type_name, name] => (Kind::Stage, type_name, name),
            ["ephemeral", type_name, name] => (Kind::Ephemeral, type_name, name),
            [type_name, name] => (Kind::Resource, type_name, name),
            _ => return Err(wrong()),
        };
        if type_name.is_empty() || name.is_empty() {
            return Err(wrong());
        }
        Ok(Self { module, key, ..Self::new(kind, type_name, name) })
    }
}

crate::serialize_as_text!(Address);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_it_writes() {
        for text in [
            "oci_core_vcn.main",
            "data.oci_images.x",
            "stage.train.inclusive",
            "stage.train.a[\"x.y\"]",
            "module.a.ephemeral.random_password.x[0]",
            "a_b.c[3]",
            "module.a.b.c",
            "module.a[\"x]\\\".y\"].module.b[7].stage.train.c[\"$${d}\"]",
        ] {
            assert_eq!(text.parse::<Address>().expect("valid").to_string(), text);
        }
        for text in ["", "a", "a.", "a.b[", "a.b[x]", "a.b[-1]", "a.b[0]x", "a.b.c.d", "module.a", "module.a.b"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn keys_are_quoted_as_terraform_quotes_them() {
        // Measured with Terraform 1.11.4.
        for (key, text) in [
            ("a\"b", r#"["a\"b"]"#),
            ("c\\d", r#"["c\\d"]"#),
            ("t\tx\n", r#"["t\tx\n"]"#),
            ("${x}", r#"["$${x}"]"#),
            ("%{y}", r#"["%%{y}"]"#),
            ("$y", r#"["$y"]"#),
            ("\u{fc}\u{1}", "[\"\u{fc}\\u0001\"]"),
            ("it's", r#"["it's"]"#),
            ("\u{a0}", "[\"\\u00a0\"]"),
        ] {
            let address = Address::new(Kind::Resource, "a", "b").with_key(Some(InstanceKey::Name(key.to_owned())));
            assert_eq!(address.to_string(), format!("a.b{text}"));
        }
        let early: Address = "a.b[\"\\u{a0}\"]".parse().expect("written by early versions");
        assert_eq!(early.key, Some(InstanceKey::Name("\u{a0}".to_owned())));
    }

    fn key() -> impl Strategy<Value = Option<InstanceKey>> {
        let name = "[a-z.\"\\\\\\[\\]${}%\n\u{e9}\u{1f600}]{0,6}";
        prop_oneof![
            Just(None),
            any::<u64>().prop_map(|index| Some(InstanceKey::Index(index))),
            name.prop_map(|name| Some(InstanceKey::Name(name))),
        ]
    }

    fn address() -> impl Strategy<Value = Address> {
        let name = "[a-z_][a-z0-9_-]{0,5}";
        let kind = prop_oneof![Just(Kind::Resource), Just(Kind::Data), Just(Kind::Stage), Just(Kind::Ephemeral)];
        (prop::collection::vec((name, key()), 0..4), kind, name, name, key()).prop_map(
            |(steps, kind, type_name, name, key)| {
                let module = steps.into_iter().fold(ModulePath::ROOT, |module, (name, key)| module.child(&name, key));
                // `data.x` alone would read as a data source without a name.
                Address { module, key, ..Address::new(kind, &format!("t{type_name}"), &name) }
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_address_reads_as_it_was_written(address in address()) {
            prop_assert_eq!(address.to_string().parse::<Address>(), Ok(address.clone()));
            let json = serde_json::to_string(&address).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(serde_json::from_str::<Address>(&json).ok(), Some(address.clone()));
            prop_assert!(address.module.declaration().contains(&address.module));
            prop_assert_eq!(address.inside_module().in_module(&address.module), address);
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "[a-z.\"\\\\\\[\\]0-9u{}]{0,24}") {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(address.to_string().parse::<Address>(), Ok(address));
            }
        }

        #[test]
        fn the_root_module_comes_first(a in address(), b in address()) {
            if a.module.is_root() && !b.module.is_root() {
                prop_assert!(a < b);
            }
        }
    }
}
