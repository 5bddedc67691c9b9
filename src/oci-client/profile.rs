//! The configuration file of Oracle's tools: `~/.oci/config`, with a section for each profile.
//!
//! Every profile has what stands in `DEFAULT` and not in itself, as for the `oci` command. As there, a line that begins further to the right than
//! the setting before it goes on with that one: a key may stand in the file line by line.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// What a profile says.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Profile {
    settings: BTreeMap<String, String>,
    home: Option<PathBuf>,
}

impl fmt::Debug for Profile {
    /// Names alone: there are keys and passphrases among the values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.settings.keys()).finish()
    }
}

/// Why there is no such profile. Holds nothing of what the file says.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The file is not there, or cannot be read.
    #[error("`{path}` cannot be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It has other profiles.
    #[error("`{path}` has no profile `{name}`; it has: {known}")]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The profile that was asked for.
        name: String,
        /// The profiles that there are.
        known: String,
    },
    /// A line that is neither a section, a setting, nor a comment.
    #[error("line {line} of `{path}` is no setting: settings are NAME=VALUE")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The number of the line.
        line: usize,
    },
}

const DEFAULT: &str = "DEFAULT";

impl Profile {
    /// A profile of a file. `home` is what `~` stands for in paths.
    ///
    /// # Errors
    /// When the file cannot be read, or has no such profile.
    pub fn read(path: &Path, name: &str, home: Option<&Path>) -> Result<Self, ProfileError> {
        let text =
            fs::read_to_string(path).map_err(|source| ProfileError::Unreadable { path: path.to_owned(), source })?;
        let sections = sections(&text).map_err(|line| ProfileError::Malformed { path: path.to_owned(), line })?;
        let Some(own) = sections.get(name) else {
            let known: Vec<&str> = sections.keys().map(String::as_str).collect();
            return Err(ProfileError::Unknown {
                path: path.to_owned(),
                name: name.to_owned(),
                known: known.join(", "),
            });
        };
        let mut settings = sections.get(DEFAULT).cloned().unwrap_or_default();
        settings.extend(own.clone());
        Ok(Self { settings, home: home.map(Path::to_owned) })
    }

    /// A setting.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
    }

    /// A setting that is a path.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.text(name).map(|path| expanded(path, self.home.as_deref()))
    }
}

/// A path with the home folder in the place of `~`.
pub(crate) fn expanded(path: &str, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

/// The settings of a file by section. The error is the number of a line.
fn sections(text: &str) -> Result<BTreeMap<String, BTreeMap<String, String>>, usize> {
    let mut sections: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut current: Option<String> = None;
    // The setting that may go on in the next line, and how far to the right it begins.
    let mut open: Option<(String, usize)> = None;
    for (index, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let (Some(section), Some((name, _))) = (&current, open.as_ref().filter(|(_, begins)| indent > *begins)) {
            if let Some(value) = sections.get_mut(section).and_then(|settings| settings.get_mut(name)) {
                value.push('\n');
                value.push_str(line);
            }
            continue;
        }
        open = None;
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.entry(name.to_owned()).or_default();
            current = Some(name.to_owned());
            continue;
        }
        let (Some(section), Some((name, value))) = (&current, line.split_once(['=', ':'])) else {
            return Err(index + 1);
        };
        let settings = sections.entry(section.clone()).or_default();
        let name = name.trim().to_lowercase();
        settings.insert(name.clone(), value.trim().to_owned());
        open = Some((name, indent));
    }
    Ok(sections)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_goes_on_in_lines_further_to_the_right() {
        let text = "[DEFAULT]\nkey_content=-----BEGIN PRIVATE KEY-----\n  AAAA==\n\n  # no part of it\n\tBBBB=\n  -----END PRIVATE KEY-----\nregion=fra\n\
                    [a]\n user =\n   ocid1.user\n key_file=k\n";
        let sections = sections(text).expect("every line is a setting or goes on with one");
        let default = &sections["DEFAULT"];
        assert_eq!(default["key_content"], "-----BEGIN PRIVATE KEY-----\nAAAA==\nBBBB=\n-----END PRIVATE KEY-----");
        assert_eq!((default.len(), default["region"].as_str()), (2, "fra"));
        assert_eq!((sections["a"]["user"].trim(), sections["a"]["key_file"].as_str()), ("ocid1.user", "k"));
        assert_eq!(super::sections("[a]\nregion=x\n[b]\n user\n").err(), Some(4), "a section ends what went on");
    }

    #[test]
    fn profiles_have_what_default_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        let text = "# mine\n[DEFAULT]\nuser = ocid1.user\nregion=eu-frankfurt-1\nkey_file=~/.oci/key.pem\n\n[cern]\nregion: eu-zurich-1\npass_phrase=a=b\n";
        fs::write(&path, text).unwrap();
        let profile = Profile::read(&path, "cern", Some(Path::new("/home/anna"))).unwrap();
        assert_eq!((profile.text("region"), profile.text("user")), (Some("eu-zurich-1"), Some("ocid1.user")));
        assert_eq!(profile.text("pass_phrase"), Some("a=b"));
        assert_eq!(profile.path("key_file"), Some(PathBuf::from("/home/anna/.oci/key.pem")));
        let default = Profile::read(&path, "DEFAULT", None).unwrap();
        assert_eq!((default.text("region"), default.text("pass_phrase")), (Some("eu-frankfurt-1"), None));
        let unknown = Profile::read(&path, "cnaf", None).unwrap_err().to_string();
        assert!(unknown.ends_with("has no profile `cnaf`; it has: DEFAULT, cern"), "{unknown}");
        fs::write(&path, "[DEFAULT]\nuser\n").unwrap();
        let malformed = Profile::read(&path, "DEFAULT", None).unwrap_err().to_string();
        assert!(malformed.starts_with("line 2 of"), "{malformed}");
    }
}
