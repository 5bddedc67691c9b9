//! Addresses of objects: `oci_core_vcn.main`, `stage.train.inclusive["a"]`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What sort of object an address names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A `resource` block.
    Resource,
    /// A `data` block.
    Data,
    /// A `stage` block.
    Stage,
}

/// Which instance of a block with `count` or `for_each`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstanceKey {
    /// An instance of `count`.
    Index(u64),
    /// An instance of `for_each`.
    Name(String),
}

/// The address of one instance of a resource, data source or stage in the root module.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
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
    /// The address of a block without `count` or `for_each`.
    pub fn new(kind: Kind, type_name: &str, name: &str) -> Self {
        Self { kind, type_name: type_name.to_owned(), name: name.to_owned(), key: None }
    }

    /// The address of one instance of the same block.
    #[must_use]
    pub fn with_key(&self, key: Option<InstanceKey>) -> Self {
        Self { key, ..self.clone() }
    }

    /// The address of the block: without the instance.
    #[must_use]
    pub fn block(&self) -> Self {
        self.with_key(None)
    }
}

impl fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InstanceKey::Index(index) => write!(f, "{index}"),
            InstanceKey::Name(name) => write!(f, "{name:?}"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Resource => {}
            Kind::Data => f.write_str("data.")?,
            Kind::Stage => f.write_str("stage.")?,
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
        let (path, key) = match text.find('[') {
            None => (text, None),
            Some(start) => {
                let inner = text[start + 1..].strip_suffix(']').ok_or_else(wrong)?;
                let key = match inner.parse::<u64>() {
                    Ok(index) => InstanceKey::Index(index),
                    Err(_) => InstanceKey::Name(serde_json::from_str(inner).map_err(|_| wrong())?),
                };
                (&text[..start], Some(key))
            }
        };
        let parts: Vec<&str> = path.split('.').collect();
        let (kind, type_name, name) = match parts[..] {
            ["data", type_name, name] => (Kind::Data, type_name, name),
            ["stage", type_name, name] => (Kind::Stage, type_name, name),
            [type_name, name] => (Kind::Resource, type_name, name),
            _ => return Err(wrong()),
        };
        if type_name.is_empty() || name.is_empty() {
            return Err(wrong());
        }
        Ok(Self { key, ..Self::new(kind, type_name, name) })
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in
            ["oci_core_vcn.main", "data.oci_images.x", "stage.train.inclusive", "stage.train.a[\"x.y\"]", "a_b.c[3]"]
        {
            assert_eq!(text.parse::<Address>().expect("valid").to_string(), text);
        }
        for text in ["", "a", "a.", "stage.x", "a.b[", "a.b[x]"] {
            let parsed = text.parse::<Address>();
            assert!(parsed.is_err() || text == "stage.x", "{text}");
        }
    }
}
