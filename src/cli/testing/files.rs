//! Which test files there are: those beside a root module, and those in its folder for tests, with the files of mock data that they name.

use std::path::{Path, PathBuf};

use pipectl_core::{Diagnostic, Diagnostics, SourceMap, Span};

use super::file::{self, TestFile};
use super::overrides::{self, MockData, Settings};

/// The ends of a test file's name.
const TESTS: [&str; 2] = [".tftest.hcl", ".tftest.json"];

/// The ends of the name of a file with mock data.
const MOCK_DATA: [&str; 2] = [".tfmock.hcl", ".tfmock.json"];

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
    let mut names = names_ending(folder, Path::new(""), TESTS);
    if test_directory != Path::new(".") {
        names.extend(names_ending(folder, test_directory, TESTS));
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
        let (mut file, found) = file::read(&shown, source, sources);
        diagnostics.extend(found);
        for provider in &mut file.providers {
            if let Settings::Mock(data) = &mut provider.settings {
                diagnostics.extend(read_mock_data(folder, data, &provider.span, sources));
            }
        }
        files.push(file);
    }
    Ok((files, diagnostics))
}

/// Reads the files of mock data that a `mock_provider` block names.
fn read_mock_data(folder: &Path, data: &mut MockData, span: &Span, sources: &mut SourceMap) -> Diagnostics {
    let Some((source, at_plan)) = data.source.clone() else { return Diagnostics::new() };
    let below = Path::new(&source);
    if !folder.join(below).is_dir() {
        let detail = format!(
            "Mock data directory {source} does not exist or cannot be read. It is seen from the folder of the root module."
        );
        return Diagnostic::error("Failed to read mock data directory", detail).at(span.clone()).into();
    }
    let mut names = names_ending(folder, below.strip_prefix("./").unwrap_or(below), MOCK_DATA);
    names.sort();
    let mut diagnostics = Diagnostics::new();
    for name in names {
        let shown = name.display().to_string();
        match std::fs::read_to_string(folder.join(&name)) {
            Ok(text) => {
                let id = sources.add(shown.as_str(), text.as_str());
                diagnostics.extend(overrides::read_data(&shown, &text, id, at_plan, data));
            }
            Err(error) => {
                let detail = format!("Cannot read `{shown}`: {error}.");
                diagnostics.push(Diagnostic::error("Mock data not readable", detail).at(span.clone()));
            }
        }
    }
    diagnostics
}

fn names_ending(folder: &Path, below: &Path, endings: [&str; 2]) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join(below)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let is_meant = |name: &String| endings.iter().any(|ending| name.ends_with(ending)) && !name.starts_with('.');
    names.filter(is_meant).map(|name| below.join(name)).collect()
}
