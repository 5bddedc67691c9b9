//! Addresses of which not all keys are known: `module.region[*].oci_core_vcn.main`, `k8s_namespace.all[*]`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use pipectl_core::address::AddressError;
use pipectl_core::{Address, InstanceKey, ModulePath, ModuleStep};

/// What an object's address will be like.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AddressPattern {
    /// The address. Where a key is not known, it has none.
    address: Address,
    /// Positions of the steps of its module whose keys are not known.
    open_steps: Vec<usize>,
    /// Whether its own key is not known.
    open_key: bool,
}

impl AddressPattern {
    /// The pattern that only one address fits.
    pub fn exactly(address: &Address) -> Self {
        Self { address: address.clone(), open_steps: Vec::new(), open_key: false }
    }

    /// A pattern with keys that are not known: of steps of the module, by their positions, and of the object itself.
    pub fn open(address: &Address, open_steps: Vec<usize>, open_key: bool) -> Self {
        Self { address: address.clone(), open_steps, open_key }
    }

    /// The address, without the keys that are not known.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Whether some key is not known.
    pub fn is_open(&self) -> bool {
        self.open_key || !self.open_steps.is_empty()
    }

    /// Whether the object's own key is not known.
    pub fn has_open_key(&self) -> bool {
        self.open_key
    }

    /// Which of these addresses fit.
    pub(crate) fn among<'a, T>(&'a self, known: &'a BTreeMap<Address, T>) -> impl Iterator<Item = &'a Address> {
        let declaration = self.address.declaration();
        // Instances of a block stand together, unless they are in different instances of a module.
        let together = move |other: &Address| !self.open_steps.is_empty() || other.declaration() == declaration;
        let from = Address { key: None, ..self.address.clone() };
        known
            .range(from..)
            .map(|(address, _)| address)
            .take_while(move |other| together(other))
            .filter(|other| self.fits(other))
    }

    /// Whether an address fits.
    pub fn fits(&self, other: &Address) -> bool {
        let own = &self.address;
        if own.declaration() != other.declaration() {
            return false;
        }
        let mut steps = own.module.steps().iter().zip(other.module.steps()).enumerate();
        let fits = |(position, (step, other)): (usize, (&ModuleStep, &ModuleStep))| match self
            .open_steps
            .contains(&position)
        {
            true => other.key.is_some(),
            false => step.key == other.key,
        };
        steps.all(fits) && if self.open_key { other.key.is_some() } else { own.key == other.key }
    }
}

/// The key that stands for those that are not known while text is read: no text of a configuration has this character.
const ANY: &str = "\u{ffff}";

impl fmt::Display for AddressPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.address.module.steps().iter().enumerate() {
            write!(f, "module.{}", step.name)?;
            match (&step.key, self.open_steps.contains(&position)) {
                (_, true) => f.write_str("[*].")?,
                (Some(key), false) => write!(f, "[{key}].")?,
                (None, false) => f.write_str(".")?,
            }
        }
        write!(f, "{}", self.address.inside_module())?;
        if self.open_key { f.write_str("[*]") } else { Ok(()) }
    }
}

impl FromStr for AddressPattern {
    type Err = AddressError;

    /// Reads what `Display` writes.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        // A key `[*]` is none of an address: a name is read in its place.
        let mut quoted = false;
        let mut plain = String::new();
        let mut characters = text.chars().peekable();
        while let Some(c) = characters.next() {
            match c {
                '\\' if quoted => {
                    plain.push(c);
                    plain.extend(characters.next());
                    continue;
                }
                '"' => quoted = !quoted,
                '*' if !quoted => {
                    plain.push_str(&format!("\"{ANY}\""));
                    continue;
                }
                _ => {}
            }
            plain.push(c);
        }
        let address: Address = plain.parse().map_err(|_| AddressError(text.to_owned()))?;
        let is_open = |key: &Option<InstanceKey>| matches!(key, Some(InstanceKey::Name(name)) if name == ANY);
        let steps = address.module.steps();
        let open_steps: Vec<usize> =
            steps.iter().enumerate().filter(|(_, step)| is_open(&step.key)).map(|(position, _)| position).collect();
        let module = steps.iter().fold(ModulePath::ROOT, |path, step| {
            path.child(&step.name, step.key.clone().filter(|_| !is_open(&step.key)))
        });
        let open_key = is_open(&address.key);
        let key = address.key.clone().filter(|_| !open_key);
        Ok(Self { address: address.in_module(&module).with_key(key), open_steps, open_key })
    }
}

pipectl_core::serialize_as_text!(AddressPattern);

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().expect("an address")
    }

    #[test]
    fn patterns_read_as_they_are_written() {
        for text in [
            "a.b",
            "a.b[*]",
            "data.a.b[\"x*y\"]",
            "module.m[*].a.b",
            "module.m[*].module.n[\"\\\"*\"].stage.train.b[*]",
            "module.m.module.n[*].a.b[0]",
        ] {
            let pattern: AddressPattern = text.parse().expect("a pattern");
            assert_eq!(pattern.to_string(), text);
            let json = serde_json::to_string(&pattern).expect("text");
            assert_eq!(serde_json::from_str::<AddressPattern>(&json).expect("a pattern"), pattern);
        }
        assert!("a[*].b".parse::<AddressPattern>().is_err() && "*".parse::<AddressPattern>().is_err());
    }

    #[test]
    fn a_key_that_is_not_known_may_be_any_and_must_be_there() {
        let pattern: AddressPattern = "module.m[*].a.b[*]".parse().expect("a pattern");
        assert!(pattern.fits(&address("module.m[0].a.b[\"x\"]")) && pattern.is_open());
        for other in ["module.m.a.b[0]", "module.m[0].a.b", "module.m[0].a.c[0]", "a.b[0]"] {
            assert!(!pattern.fits(&address(other)), "{other}");
        }
        let exact = AddressPattern::exactly(&address("a.b[0]"));
        assert!(exact.fits(&address("a.b[0]")) && !exact.fits(&address("a.b[1]")) && !exact.is_open());
    }
}
