//! Files that functions of the language read: below the root's folder, unless a path is absolute.

use std::io;
use std::path::{Path, PathBuf};

use pipectl_lang::Files;

/// Files as functions of one root module see them.
pub struct RootFiles {
    root: PathBuf,
    home: Option<PathBuf>,
}

impl RootFiles {
    /// Files of the root module in `root`, an absolute path.
    pub fn new(root: PathBuf, home: Option<PathBuf>) -> Self {
        Self { root, home }
    }
}

impl Files for RootFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        std::fs::read(self.root.join(path)).map_err(|error| reason(&error))
    }

    fn exists(&self, path: &str) -> bool {
        self.root.join(path).is_file()
    }

    fn glob(&self, base: &str, pattern: &str) -> Result<Vec<String>, String> {
        let malformed = |error: glob::PatternError| format!("the pattern is malformed: {error}");
        let alternatives = expand_braces(pattern)?;
        let patterns: Vec<glob::Pattern> =
            alternatives.iter().map(|one| glob::Pattern::new(one)).collect::<Result<_, _>>().map_err(malformed)?;
        let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::default() };
        let mut found = Vec::new();
        let base = self.root.join(base);
        walk(&base, &base, &mut |name| {
            if patterns.iter().any(|pattern| pattern.matches_with(name, options)) {
                found.push(name.to_owned());
            }
        })
        .map_err(|error| reason(&error))?;
        found.sort();
        Ok(found)
    }

    fn absolute(&self, path: &str) -> Result<String, String> {
        std::path::absolute(self.root.join(path))
            .map(|path| path.to_string_lossy().into_owned())
            .map_err(|error| reason(&error))
    }

    fn expand(&self, path: &str) -> Result<String, String> {
        let Some(rest) = path.strip_prefix('~') else { return Ok(path.to_owned()) };
        if !rest.is_empty() && !rest.starts_with('/') {
            return Err("another user's home folder cannot be looked up".to_owned());
        }
        let home = self.home.as_ref().ok_or("the home folder is not known: HOME is not set")?;
        Ok(format!("{}{rest}", home.display()))
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    }
}

/// Calls `visit` with the path below `base` of every regular file, links to files too. Links to folders are not followed: they may go round.
fn walk(base: &Path, folder: &Path, visit: &mut impl FnMut(&str)) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            walk(base, &path, visit)?;
        } else if path.is_file()
            && let Some(name) = path.strip_prefix(base).ok().and_then(Path::to_str)
        {
            visit(&name.replace(std::path::MAIN_SEPARATOR, "/"));
        }
    }
    Ok(())
}

/// `a.{x,y}` is `a.x` and `a.y`. The crate `glob` knows no braces.
fn expand_braces(pattern: &str) -> Result<Vec<String>, String> {
    let Some(open) = pattern.find('{') else { return Ok(vec![pattern.to_owned()]) };
    let mut depth = 0;
    let mut starts = vec![open + 1];
    for (position, c) in pattern[open..].char_indices() {
        let position = open + position;
        match c {
            '{' => depth += 1,
            ',' if depth == 1 => starts.push(position + 1),
            '}' => {
                depth -= 1;
                if depth == 0 {
                    let (before, after) = (&pattern[..open], &pattern[position + 1..]);
                    let ends = starts.iter().skip(1).map(|start| start - 1).chain([position]);
                    let mut expanded = Vec::new();
                    for (start, end) in starts.iter().zip(ends) {
                        expanded.extend(expand_braces(&format!("{before}{}{after}", &pattern[*start..end]))?);
                    }
                    return Ok(expanded);
                }
            }
            _ => {}
        }
    }
    Err("the pattern is malformed: a brace is not closed".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn finds_files_by_pattern() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.tf", "b.hcl", "c.txt", "x/y/d.tf"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        let files = RootFiles::new(folder.path().to_owned(), Some("/home/anna".into()));
        let found = |base: &str, pattern: &str| files.glob(base, pattern).unwrap().join(" ");
        assert_eq!(found(".", "*.tf"), "a.tf");
        assert_eq!(found(".", "**/*.tf"), "a.tf x/y/d.tf");
        assert_eq!(found(".", "*.{tf,hcl}"), "a.tf b.hcl");
        assert_eq!(found("x", "y/?.tf"), "y/d.tf");
        assert!(files.glob(".", "{a").is_err());
        assert!(files.glob("absent", "*").is_err());
        assert_eq!(files.read("x/y/d.tf").unwrap(), b"x/y/d.tf");
        assert_eq!(files.read("x/y/none").unwrap_err(), "no such file or folder");
        assert_eq!(files.expand("~/x").unwrap(), "/home/anna/x");
    }

    #[test]
    fn braces_nest() {
        assert_eq!(expand_braces("{a,b{c,d}}.x").unwrap(), ["a.x", "bc.x", "bd.x"]);
    }
}
