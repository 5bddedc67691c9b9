//! Source files of a stage: from patterns to a sorted list with digests.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pipectl_core::{Diagnostic, Digest, Path, Value};
use pipectl_provider::Cx;

/// A source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path relative to the root folder, or as given when absolute.
    pub name: String,
    /// Its absolute path.
    pub path: PathBuf,
    /// Its content.
    pub digest: Digest,
}

/// Finds and digests the files of every source argument that is known. Blocking.
///
/// # Errors
/// A diagnostic per pattern that is malformed or matches nothing, and per file that cannot be read; each carries the argument's path.
pub fn resolve(
    cx: &Cx,
    names: &[&str],
    arguments: &Value,
) -> Result<BTreeMap<String, Vec<SourceFile>>, Vec<Diagnostic>> {
    let mut found = BTreeMap::new();
    let mut problems = Vec::new();
    for name in names {
        let Some(argument) = arguments.set_attribute(name).filter(|value| value.is_wholly_known()) else { continue };
        let patterns: Vec<&str> = match argument.as_slice() {
            Some(elements) => elements.iter().filter_map(Value::as_str).collect(),
            None => argument.as_str().into_iter().collect(),
        };
        let mut files = Vec::new();
        for pattern in patterns {
            match matches(cx, pattern) {
                Ok(more) => files.extend(more),
                Err(problem) => problems.push(problem.on(Path::of(name))),
            }
        }
        found.insert((*name).to_owned(), files);
    }
    if problems.is_empty() { Ok(found) } else { Err(problems) }
}

fn matches(cx: &Cx, pattern: &str) -> Result<Vec<SourceFile>, Diagnostic> {
    let absolute = cx.root.join(pattern);
    let invalid = |detail: String| Diagnostic::error("Invalid source pattern", detail);
    // The root folder itself may hold characters that mean something in a pattern.
    let full = match std::path::Path::new(pattern).is_absolute() {
        true => pattern.to_owned(),
        false => format!("{}/{pattern}", glob::Pattern::escape(&cx.root.to_string_lossy())),
    };
    let paths =
        glob::glob(&full).map_err(|error| invalid(format!("The pattern `{pattern}` is malformed: {error}.")))?;
    let mut paths: Vec<PathBuf> = paths.filter_map(Result::ok).filter(|path| path.is_file()).collect();
    if paths.is_empty() && absolute.is_file() {
        paths.push(absolute);
    }
    if paths.is_empty() {
        let detail = format!("No file matches `{pattern}` in the folder of the root module.");
        return Err(Diagnostic::error("Source not found", detail)
            .hint("Paths are relative to the folder of the file that declares the pipeline."));
    }
    paths.sort();
    let digest_one = |path: PathBuf| {
        let name = path.strip_prefix(&cx.root).unwrap_or(&path).to_string_lossy().into_owned();
        let digest = cx.artifacts.source_digest(&path).map_err(|error| {
            let why = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
            Diagnostic::error("Source not readable", format!("Cannot read `{name}`{why}."))
        })?;
        Ok(SourceFile { name, path, digest })
    };
    paths.into_iter().map(digest_one).collect()
}
