//! Paths of modules: `module.network["eu"].module.subnet`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::InstanceKey;
use crate::instance_key;

/// One step down: a `module` block and which of its instances.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleStep {
    /// The block's name.
    pub name: String,
    /// Which instance, where there are several.
    pub key: Option<InstanceKey>,
}

/// Where a module is, from the root module down. Cheap to clone; for the root module there is nothing to clone.
///
/// With keys it names an instance of a module; without any, the `module` blocks that lead there.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModulePath(
    /// At least one step, or nothing.
    Option<Arc<[ModuleStep]>>,
);

/// The text is not a path of modules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a path of modules")]
pub struct ModulePathError(pub String);

impl ModulePath {
    /// The root module.
    pub const ROOT: ModulePath = ModulePath(None);

    /// Whether it is the root module.
    pub fn is_root(&self) -> bool {
        self.0.is_none()
    }

    /// The steps from the root module; none for the root module.
    pub fn steps(&self) -> &[ModuleStep] {
        self.0.as_deref().unwrap_or_default()
    }

    /// The module that a block of this one makes.
    #[must_use]
    pub fn child(&self, name: &str, key: Option<InstanceKey>) -> Self {
        let step = ModuleStep { name: name.to_owned(), key };
        Self(Some(self.steps().iter().cloned().chain([step]).collect()))
    }

    /// The module that has the block of this one, and the step from there; `None` for the root module.
    pub fn parent(&self) -> Option<(ModulePath, &ModuleStep)> {
        let (last, before) = self.steps().split_last()?;
        Some((Self::of(before), last))
    }

    /// The path without instances: the blocks that declare it.
    #[must_use]
    pub fn declaration(&self) -> Self {
        if self.steps().iter().all(|step| step.key.is_none()) {
            return self.clone();
        }
        Self(self.0.as_ref().map(|steps| {
            steps.iter().map(|step| ModuleStep { name: step.name.clone(), key: None }).collect::<Arc<[_]>>()
        }))
    }

    /// Whether `other` is this module or lies inside. A step without a key means all instances of its block.
    pub fn contains(&self, other: &ModulePath) -> bool {
        let (own, steps) = (self.steps(), other.steps());
        let is_meant = |(own, step): (&ModuleStep, &ModuleStep)| {
            own.name == step.name && (own.key.is_none() || own.key == step.key)
        };
        own.len() <= steps.len() && own.iter().zip(steps).all(is_meant)
    }

    /// This path below another: `module.b` below `module.a` is `module.a.module.b`.
    #[must_use]
    pub fn below(&self, outer: &ModulePath) -> Self {
        match (self.is_root(), outer.is_root()) {
            (true, _) => outer.clone(),
            (_, true) => self.clone(),
            (false, false) => Self::of_all(outer.steps().iter().chain(self.steps()).cloned()),
        }
    }

    /// The path of steps: the root module when there are none.
    pub fn of(steps: &[ModuleStep]) -> Self {
        Self::of_all(steps.iter().cloned())
    }

    fn of_all(steps: impl Iterator<Item = ModuleStep>) -> Self {
        let steps: Arc<[ModuleStep]> = steps.collect();
        Self((!steps.is_empty()).then_some(steps))
    }
}

/// Reads `module.a["x"].module.b` from the start of `text`: the path, and what follows it without the dot between.
pub(crate) fn read(text: &str) -> Option<(ModulePath, &str)> {
    let mut steps = Vec::new();
    let mut rest = text;
    while let Some(inside) = rest.strip_prefix("module.") {
        let end = inside.find(['.', '[']).unwrap_or(inside.len());
        let (name, after) = inside.split_at(end);
        if name.is_empty() || name.contains([']', '"']) {
            return None;
        }
        let (key, after) = match after.strip_prefix('[') {
            None => (None, after),
            Some(inside) => instance_key::read(inside).map(|(key, after)| (Some(key), after))?,
        };
        steps.push(ModuleStep { name: name.to_owned(), key });
        rest = match after.strip_prefix('.') {
            Some(after) if !after.is_empty() => after,
            None if after.is_empty() => after,
            _ => return None,
        };
    }
    Some((ModulePath::of_all(steps.into_iter()), rest))
}

impl fmt::Display for ModulePath {
    /// Nothing for the root module.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.steps().iter().enumerate() {
            let dot = if position == 0 { "" } else { "." };
            write!(f, "{dot}module.{}", step.name)?;
            if let Some(key) = &step.key {
                write!(f, "[{key}]")?;
            }
        }
        Ok(())
    }
}

impl FromStr for ModulePath {
    type Err = ModulePathError;

    /// Reads what `Display` writes; the empty text is the root module.
    fn from_str(text: &str) -> Result<Self, ModulePathError> {
        match read(text) {
            Some((path, "")) => Ok(path),
            _ => Err(ModulePathError(text.to_owned())),
        }
    }
}

crate::serialize_as_text!(ModulePath);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_without_keys_contains_all_instances() {
        let path = |text: &str| text.parse::<ModulePath>().expect("valid");
        for (outer, inner, expected) in [
            ("", "module.a", true),
            ("module.a", "module.a", true),
            ("module.a", "module.a[0].module.b", true),
            ("module.a[0]", "module.a[0].module.b", true),
            ("module.a[0]", "module.a[1]", false),
            ("module.a[0]", "module.a", false),
            ("module.a.module.b", "module.a", false),
            ("module.b", "module.a", false),
        ] {
            assert_eq!(path(outer).contains(&path(inner)), expected, "{outer} {inner}");
        }
        assert_eq!(path("module.b[1]").below(&path("module.a")), path("module.a.module.b[1]"));
        assert_eq!(path("module.a[\"x.y\"].module.b[1]").declaration(), path("module.a.module.b"));
        assert_eq!(path("module.a.module.b").parent().map(|(path, _)| path), Some(path("module.a")));
        assert!(ModulePath::ROOT.parent().is_none() && path("").is_root());
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["module", "module.", "module.a.", "module.a.b.c", "module.a[", "module.a[x]", "module.a]", "a.b"] {
            assert!(text.parse::<ModulePath>().is_err(), "{text}");
        }
    }
}
