//! `clouds.yaml`, and `secure.yaml` beside it.
//!
//! Format: https://docs.openstack.org/openstacksdk/latest/user/config/configuration.html. Profiles of vendors are left out.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use pipectl_core::{Diagnostic, Path as ValuePath};
use pipectl_provider::Environment;
use serde_yaml_ng::Value as Yaml;

/// One cloud's settings.
pub(super) struct Entry(Yaml);

impl Entry {
    /// A setting, of `auth` or of the cloud itself.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        match self.find(key)? {
            Yaml::String(text) if !text.is_empty() => Some(text.clone()),
            Yaml::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.find(key)?.as_bool()
    }

    fn find(&self, key: &str) -> Option<&Yaml> {
        self.0.get("auth").and_then(|auth| auth.get(key)).or_else(|| self.0.get(key))
    }
}

/// The entry of a cloud in the first file that there is.
///
/// # Errors
/// When there is no file, it cannot be read, or it has no such cloud.
pub(super) fn entry(environment: &dyn Environment, root: &Path, name: &str) -> Result<Entry, Diagnostic> {
    let places = places(environment, root, "OS_CLIENT_CONFIG_FILE", "clouds");
    let Some((path, file)) = first(&places)? else {
        let looked: Vec<_> = places.iter().map(|path| format!("`{}`", path.display())).collect();
        let detail =
            format!("The cloud `{name}` is asked for, and there is no clouds.yaml: looked for {}.", looked.join(", "));
        return Err(Diagnostic::error("No clouds.yaml", detail).on(ValuePath::of("cloud")));
    };
    let clouds = file.get("clouds").and_then(Yaml::as_mapping);
    let Some(mut cloud) = clouds.and_then(|clouds| clouds.get(name)).cloned() else {
        let known: Vec<&str> = clouds.into_iter().flat_map(|clouds| clouds.keys()).filter_map(Yaml::as_str).collect();
        let detail = format!("`{}` has no cloud `{name}`; it has: {}.", path.display(), known.join(", "));
        return Err(Diagnostic::error("Unknown cloud", detail).on(ValuePath::of("cloud")));
    };
    if let Some((_, secure)) = first(&self::places(environment, root, "OS_CLIENT_SECURE_FILE", "secure"))?
        && let Some(more) = secure.get("clouds").and_then(|clouds| clouds.get(name))
    {
        overlay(&mut cloud, more);
    }
    Ok(Entry(cloud))
}

/// Where a file may lie, the first one first.
fn places(environment: &dyn Environment, root: &Path, variable: &str, stem: &str) -> Vec<PathBuf> {
    if let Some(path) = environment.variable(variable).filter(|path| !path.is_empty()) {
        return vec![root.join(path)];
    }
    let home = environment.home().map(|home| home.join(".config/openstack"));
    let folders = [Some(root.to_owned()), home, Some(PathBuf::from("/etc/openstack"))];
    let both = |folder: PathBuf| ["yaml", "yml"].map(|ending| folder.join(format!("{stem}.{ending}")));
    folders.into_iter().flatten().flat_map(both).collect()
}

fn first(places: &[PathBuf]) -> Result<Option<(PathBuf, Yaml)>, Diagnostic> {
    for path in places {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => {
                let detail = format!("`{}` cannot be read: {error}.", path.display());
                return Err(Diagnostic::error("Unreadable clouds.yaml", detail).on(ValuePath::of("cloud")));
            }
        };
        return match serde_yaml_ng::from_str(&text) {
            Ok(yaml) => Ok(Some((path.clone(), yaml))),
            Err(error) => {
                // Without its words, which may quote a password.
                let place = error.location().map(|at| format!(" (line {}, column {})", at.line(), at.column()));
                let detail = format!("`{}` is no YAML{}.", path.display(), place.unwrap_or_default());
                Err(Diagnostic::error("Unreadable clouds.yaml", detail).on(ValuePath::of("cloud")))
            }
        };
    }
    Ok(None)
}

/// Lays what `more` has over what is there.
fn overlay(cloud: &mut Yaml, more: &Yaml) {
    match (cloud, more) {
        (Yaml::Mapping(cloud), Yaml::Mapping(more)) => {
            for (key, value) in more {
                match cloud.get_mut(key) {
                    Some(there) => overlay(there, value),
                    None => {
                        cloud.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (cloud, more) => *cloud = more.clone(),
    }
}
