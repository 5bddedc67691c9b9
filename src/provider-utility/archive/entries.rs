//! What goes into an archive: given content, a file, or a folder with everything below it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use pipectl_core::Value;
use pipectl_provider::Cx;

use super::{ArchiveError, Entry};
use crate::local::path_of;
use pipectl_provider::arguments::{blocks, flag, is_given, text, texts};

/// Permissions of content that no file has.
const CONTENT_MODE: u32 = 0o644;
/// Links of links of folders are followed this far, so that a circle of links ends.
const DEEPEST: usize = 64;

/// The entries that the arguments describe, in the order of their names.
///
/// # Errors
/// When a source is not there or cannot be read, or when there is nothing to pack.
pub(super) fn entries(cx: &Cx, config: &Value) -> Result<Vec<Entry>, ArchiveError> {
    let mut entries = sources(cx, config)?;
    if let Some(given) = text(config, "output_file_mode").filter(|given| !given.is_empty()) {
        let mode = file_mode(given)
            .ok_or_else(|| ArchiveError::new(format!("error parsing output_file_mode value: {given}")))?;
        entries.iter_mut().for_each(|entry| entry.mode = mode);
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// The mode that `output_file_mode` writes: octal with a leading 0, else as Go reads numbers.
pub(super) fn file_mode(text: &str) -> Option<u32> {
    let digits = |prefixes: [&str; 2]| prefixes.iter().find_map(|prefix| text.strip_prefix(prefix));
    let mode = if let Some(hexadecimal) = digits(["0x", "0X"]) {
        u32::from_str_radix(hexadecimal, 16)
    } else if let Some(octal) = digits(["0o", "0O"]).or_else(|| text.strip_prefix('0').filter(|rest| !rest.is_empty()))
    {
        u32::from_str_radix(octal, 8)
    } else {
        text.parse()
    };
    mode.ok().filter(|mode| *mode <= 0o7777)
}

fn sources(cx: &Cx, config: &Value) -> Result<Vec<Entry>, ArchiveError> {
    if is_given(config, "source_dir") {
        let shown = text(config, "source_dir").unwrap_or_default();
        let folder = path_of(cx, config, "source_dir");
        match fs::metadata(&folder) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(ArchiveError::new(format!("could not archive directory that is a file: {shown}"))),
            Err(_) => return Err(ArchiveError::new(format!("could not archive missing directory: {shown}"))),
        }
        let excluded = patterns(&texts(config, "excludes"))?;
        let follow = flag(config, "exclude_symlink_directories") != Some(true);
        let output = path_of(cx, config, "output_path").canonicalize().ok();
        let mut walk = Walk { excluded, follow, output, entries: Vec::new() };
        walk.folder(&folder, "", 0)?;
        if walk.entries.is_empty() {
            return Err(ArchiveError::new("archive has not been created as it would be empty"));
        }
        return Ok(walk.entries);
    }
    if is_given(config, "source_file") {
        let shown = text(config, "source_file").unwrap_or_default();
        let path = path_of(cx, config, "source_file");
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or(shown).to_owned();
        if !path.is_file() {
            return Err(ArchiveError::new(format!("could not archive missing file: {shown}")));
        }
        return Ok(vec![file(&path, name)?]);
    }
    let content = |name: &str, content: &str| Entry {
        name: name.replace('\\', "/"),
        mode: CONTENT_MODE,
        content: content.as_bytes().to_vec(),
    };
    if let Some(name) = text(config, "source_content_filename") {
        return Ok(vec![content(name, text(config, "source_content").unwrap_or_default())]);
    }
    let given = blocks(config, "source").iter();
    let by_name: BTreeMap<&str, Entry> = given
        .filter_map(|source| {
            let name = text(source, "filename")?;
            Some((name, content(name, text(source, "content").unwrap_or_default())))
        })
        .collect();
    Ok(by_name.into_values().collect())
}

/// Patterns in which `*` does not reach over `/` and `**` does.
fn patterns(texts: &[&str]) -> Result<GlobSet, ArchiveError> {
    let bad = |error: globset::Error| ArchiveError::new(format!("error checking excludes matches: {error}"));
    let mut set = GlobSetBuilder::new();
    for text in texts.iter().filter(|text| !text.is_empty()) {
        set.add(GlobBuilder::new(text).literal_separator(true).build().map_err(bad)?);
    }
    set.build().map_err(bad)
}

struct Walk {
    excluded: GlobSet,
    follow: bool,
    /// The archive itself, which is not packed when it lies in the folder.
    output: Option<PathBuf>,
    entries: Vec<Entry>,
}

impl Walk {
    /// Takes in a folder whose path in the archive is `inside`, empty for the archive itself.
    fn folder(&mut self, folder: &Path, inside: &str, depth: usize) -> Result<(), ArchiveError> {
        if depth > DEEPEST {
            return Err(ArchiveError::new(format!("`{inside}` lies too deep, or its links go in a circle")));
        }
        let unreadable = |error: std::io::Error| {
            ArchiveError::new(format!("error encountered during file walk: cannot read the folder `{inside}`: {error}"))
        };
        for found in fs::read_dir(folder).map_err(unreadable)? {
            let found = found.map_err(unreadable)?;
            let name = found.file_name();
            let name = name.to_str().ok_or_else(|| {
                ArchiveError::new(format!("a file in the folder `{inside}` has a name that is not UTF-8"))
            })?;
            let name = if inside.is_empty() { name.to_owned() } else { format!("{inside}/{name}") };
            let is_output = || self.output.is_some() && found.path().canonicalize().ok() == self.output;
            if self.excluded.is_match(&name) || is_output() {
                continue;
            }
            let kind = found.file_type().map_err(unreadable)?;
            let is_folder = found.path().is_dir();
            if is_folder && (self.follow || !kind.is_symlink()) {
                self.folder(&found.path(), &name, depth + 1)?;
            } else if !is_folder {
                self.entries.push(file(&found.path(), name)?);
            }
        }
        Ok(())
    }
}

fn file(path: &Path, name: String) -> Result<Entry, ArchiveError> {
    let unreadable =
        |error: std::io::Error| ArchiveError::new(format!("error reading file for archival: `{name}`: {error}"));
    let content = fs::read(path).map_err(unreadable)?;
    let mode = mode_of(&fs::metadata(path).map_err(unreadable)?);
    Ok(Entry { name, mode, content })
}

#[cfg(unix)]
fn mode_of(metadata: &fs::Metadata) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777
}

#[cfg(not(unix))]
fn mode_of(_metadata: &fs::Metadata) -> u32 {
    CONTENT_MODE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_as_go_reads_numbers() {
        for (text, expected) in
            [("0644", Some(0o644)), ("0o755", Some(0o755)), ("420", Some(420)), ("0x1ff", Some(0o777)), ("0", Some(0))]
        {
            assert_eq!(file_mode(text), expected, "{text}");
        }
        for text in ["", "0999", "rw", "99999999999", "-1"] {
            assert_eq!(file_mode(text), None, "{text}");
        }
    }
}
