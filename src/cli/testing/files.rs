//! Which test files there are: those beside a root module, and those in its folder for tests.

use std::path::{Path, PathBuf};

use pipectl_core::{Diagnostic, Diagnostics, SourceMap};

use super::file::{self, TestFile};

/// The end of a test file's name.
const ENDING: &str = ".tftest.hcl";

/// Reads the test files of a root module's folder and of its folder for tests, in the order of their names; only those that are wanted, if any
/// are named. Their texts join `sources`.
///
/// # Errors
/// When a file is not there, or cannot be read.
pub fn read_files(
    folder: &Path,
    test_directory: &Path,
    wanted: &[PathBuf],
    sources: &mut SourceMap,
) -> Result<(Vec<TestFile>, Diagnostics), Diagnostic> {
    let mut names = names(folder, Path::new(""));
    if test_directory != Path::new(".") {
        names.extend(self::names(folder, test_directory));
    }
    names.sort();
    let wanted: Vec<&Path> = wanted.iter().map(|path| path.strip_prefix("./").unwrap_or(path)).collect();
    if let Some(unknown) = wanted.iter().find(|path| !names.iter().any(|name| name == *path)) {
        let detail = format!("There is no test file `{}`.", unknown.display());
        return Err(Diagnostic::error("Unknown test file", detail));
    }
    let mut files = Vec::new();
    let mut diagnostics = Diagnostics::new();
    for name in names.into_iter().filter(|name| wanted.is_empty() || wanted.contains(&name.as_path())) {
        let shown = name.display().to_string();
        let text = std::fs::read_to_string(folder.join(&name))
            .map_err(|error| Diagnostic::error("Test file not readable", format!("Cannot read `{shown}`: {error}.")))?;
        let source = sources.add(shown.as_str(), text);
        let (file, found) = file::read(&shown, source, sources);
        files.push(file);
        diagnostics.extend(found);
    }
    Ok((files, diagnostics))
}

fn names(folder: &Path, below: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join(below)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.ends_with(ENDING) && !name.starts_with('.')).map(|name| below.join(name)).collect()
}
