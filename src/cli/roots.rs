//! Root modules: which files make one, and which ones a command line means.
//!
//! A file with a `pipeline` block is a root of its own. All other configuration files of a folder make the folder's root together.
//! Reading happens here; meaning is the business of `lang`.

use std::io;
use std::path::{Component, Path, PathBuf};

use pipectl_core::Diagnostic;
use pipectl_lang::{ModuleFolders, SourceFile};

/// A root module: the files of one configuration.
#[derive(Clone, Debug)]
pub struct Root {
    /// The folder: relative paths of the configuration start here. Absolute.
    pub folder: PathBuf,
    /// Its file for a pipeline, `.` for a folder's root: what its state remembers it by.
    pub entry: String,
    /// What people call it: a path relative to where they stand.
    pub shown: String,
    /// The files, read, in order of their names.
    pub sources: Vec<SourceFile>,
    /// Where people stand: names of files are relative to it.
    here: PathBuf,
}

impl Root {
    /// The folders of the modules that this root module may use.
    pub fn module_folders(&self) -> Folders {
        Folders { here: self.here.clone(), root: self.folder.clone() }
    }
}

/// Folders of modules, on the local disk.
pub struct Folders {
    here: PathBuf,
    root: PathBuf,
}

impl ModuleFolders for Folders {
    fn files(&self, folder: &str) -> Result<Vec<SourceFile>, String> {
        let folder = without_detours(&self.root.join(folder));
        if !folder.is_dir() {
            return Err("there is no such folder".to_owned());
        }
        let why = |problem: Diagnostic| problem.detail.trim_end_matches('.').to_owned();
        let names = configuration_files(&self.here, &folder).map_err(why)?;
        names.iter().map(|name| read(&self.here, &folder.join(name)).map_err(why)).collect()
    }
}

/// A path in which `..` is resolved by name, as far as that goes.
fn without_detours(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match (component, clean.components().next_back()) {
            (Component::ParentDir, Some(Component::Normal(_))) => drop(clean.pop()),
            (component, _) => clean.push(component),
        }
    }
    clean
}

/// The root modules that `path` means for someone who stands in `here`.
///
/// A file with a `pipeline` block: that pipeline. Another file: its folder's root. A folder: its root if it has one, else all its pipelines.
/// Nothing: the same for `here`, and then for `here/pipelines`.
///
/// # Errors
/// When there is no configuration there, or it cannot be read.
pub fn discover(here: &Path, path: Option<&Path>) -> Result<Vec<Root>, Diagnostic> {
    let Some(path) = path else {
        let mut roots = of_folder(here, here)?;
        let pipelines = here.join("pipelines");
        if roots.is_empty() && pipelines.is_dir() {
            roots = of_folder(here, &pipelines)?;
        }
        if roots.is_empty() {
            return Err(Diagnostic::error(
                "No configuration files",
                "Neither the current folder nor its folder `pipelines` has a file ending in .hcl or .tf.",
            )
            .hint("Name a root module: pipectl plan pipelines/hep.hcl"));
        }
        return Ok(roots);
    };
    let full = here.join(path);
    if full.is_dir() {
        let roots = of_folder(here, &full)?;
        if roots.is_empty() {
            let detail = format!("The folder `{}` has no file ending in .hcl or .tf.", path.display());
            return Err(Diagnostic::error("No configuration files", detail));
        }
        return Ok(roots);
    }
    if !full.exists() {
        let detail = format!("There is no file or folder `{}`.", path.display());
        return Err(Diagnostic::error("Configuration not found", detail));
    }
    let name = full.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !is_configuration(&name) {
        let detail =
            format!("A root module is a folder, or a file ending in .hcl or .tf; `{}` is neither.", path.display());
        return Err(Diagnostic::error("Not a root module", detail));
    }
    let folder = full.parent().unwrap_or(here).to_owned();
    let source = read(here, &full)?;
    if declares_pipeline(&source) {
        return Ok(vec![pipeline(here, &folder, name, source)]);
    }
    let roots = of_folder(here, &folder)?;
    Ok(roots.into_iter().filter(|root| root.entry == ".").collect())
}

/// Whether someone who stands in `here` and names no root module has one.
pub fn has_configuration(here: &Path) -> bool {
    let has_files = |folder: &Path| {
        let mut entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.any(|entry| is_configuration(&entry.file_name().to_string_lossy()) && entry.path().is_file())
    };
    has_files(here) || has_files(&here.join("pipelines"))
}

/// Whether a file name is that of a configuration file.
pub fn is_configuration(name: &str) -> bool {
    let extension = [".hcl", ".tf", ".tf.json"].iter().any(|extension| name.ends_with(extension));
    extension && !name.starts_with('.') && !name.ends_with(".tftest.hcl")
}

/// A path as people know it: relative to where they stand when it lies below.
pub fn shown(here: &Path, path: &Path) -> String {
    match path.strip_prefix(here) {
        Ok(relative) if relative.as_os_str().is_empty() => ".".to_owned(),
        Ok(relative) => relative.display().to_string(),
        Err(_) => path.display().to_string(),
    }
}

/// The names of the configuration files of a folder, sorted.
fn configuration_files(here: &Path, folder: &Path) -> Result<Vec<String>, Diagnostic> {
    let unreadable = |error: io::Error| unreadable(here, folder, &error);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
        if is_configuration(&name) && folder.join(&name).is_file() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The root modules of a folder: its own, if it has one, or else its pipelines.
fn of_folder(here: &Path, folder: &Path) -> Result<Vec<Root>, Diagnostic> {
    let mut roots = all_of_folder(here, folder)?;
    if roots.iter().any(|root| root.entry == ".") {
        roots.retain(|root| root.entry == ".");
    }
    Ok(roots)
}

/// All root modules of a folder: its pipelines, and its own, if it has one.
///
/// # Errors
/// When a file cannot be read.
pub fn all_of_folder(here: &Path, folder: &Path) -> Result<Vec<Root>, Diagnostic> {
    let mut pipelines = Vec::new();
    let mut rest = Vec::new();
    for name in configuration_files(here, folder)? {
        let source = read(here, &folder.join(&name))?;
        if declares_pipeline(&source) {
            pipelines.push(pipeline(here, folder, name, source));
        } else {
            rest.push(source);
        }
    }
    if !rest.is_empty() {
        pipelines.push(Root {
            folder: folder.to_owned(),
            entry: ".".to_owned(),
            shown: shown(here, folder),
            sources: rest,
            here: here.to_owned(),
        });
    }
    Ok(pipelines)
}

fn pipeline(here: &Path, folder: &Path, name: String, source: SourceFile) -> Root {
    let shown = shown(here, &folder.join(&name));
    Root { folder: folder.to_owned(), entry: name, shown, sources: vec![source], here: here.to_owned() }
}

fn read(here: &Path, path: &Path) -> Result<SourceFile, Diagnostic> {
    let name = shown(here, path);
    let bytes = std::fs::read(path).map_err(|error| unreadable(here, path, &error))?;
    match String::from_utf8(bytes) {
        // A byte order mark is no part of the text.
        Ok(text) => Ok(SourceFile { name, text: text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text) }),
        Err(error) => {
            let line = error.as_bytes()[..error.utf8_error().valid_up_to()].split(|byte| *byte == b'\n').count();
            let detail = format!("Configuration files are UTF-8; `{name}` is not, in line {line}.");
            Err(Diagnostic::error("Invalid character encoding", detail))
        }
    }
}

fn unreadable(here: &Path, path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::error("Configuration not readable", format!("Cannot read `{}`: {error}.", shown(here, path)))
}

/// Whether a file has a `pipeline` block. A file that does not parse is judged by its lines, so that its errors are told for the right root.
fn declares_pipeline(source: &SourceFile) -> bool {
    if !source.name.ends_with(".hcl") || !source.text.contains("pipeline") {
        return false;
    }
    match hcl_edit::parser::parse_body(&source.text) {
        Ok(body) => body.blocks().any(|block| block.ident.as_str() == "pipeline"),
        Err(_) => source.text.lines().any(|line| {
            let rest = line.strip_prefix("pipeline");
            rest.is_some_and(|rest| rest.starts_with([' ', '\t', '"', '{']))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    fn found(here: &Path, path: Option<&str>) -> Vec<(String, usize)> {
        let roots = discover(here, path.map(Path::new)).unwrap();
        roots.into_iter().map(|root| (root.shown, root.sources.len())).collect()
    }

    #[test]
    fn pipelines_stand_apart_and_the_rest_belongs_together() {
        let folder = folder(&[
            ("a.hcl", "locals {}\n"),
            ("b.tf", "locals {}\n"),
            ("p.hcl", "pipeline \"p\" {}\n"),
            ("broken.hcl", "pipeline \"broken\" {\n  x = \n"),
            (".hidden.hcl", "x = 1\n"),
            ("t.tftest.hcl", "x = 1\n"),
            ("pipelines/x.hcl", "pipeline \"x\" {}\n"),
            ("pipelines/y.hcl", "pipeline \"y\" {}\n"),
            ("only/z.tf", "# pipeline \"not\" {}\n"),
        ]);
        let here = folder.path();
        let one = |name: &str, files| vec![(name.to_owned(), files)];
        assert_eq!(found(here, None), one(".", 2));
        assert_eq!(found(here, Some("p.hcl")), one("p.hcl", 1));
        assert_eq!(found(here, Some("broken.hcl")), one("broken.hcl", 1));
        assert_eq!(found(here, Some("b.tf")), one(".", 2));
        assert_eq!(found(here, Some("only")), one("only", 1));
        let two = vec![("pipelines/x.hcl".to_owned(), 1), ("pipelines/y.hcl".to_owned(), 1)];
        assert_eq!(found(here, Some("pipelines")), two);
        assert!(discover(here, Some(Path::new("absent.hcl"))).is_err());
        assert!(discover(here, Some(Path::new("Cargo.toml"))).is_err());
    }

    #[test]
    fn modules_are_found_from_the_folder_of_the_root() {
        let folder = folder(&[
            ("pipelines/x.hcl", "pipeline \"x\" {}\n"),
            ("modules/a/b.tf", "locals {}\n"),
            ("modules/a/a.hcl", "locals {}\n"),
            ("modules/a/notes.txt", "x\n"),
        ]);
        let roots = discover(folder.path(), Some(Path::new("pipelines/x.hcl"))).unwrap();
        let folders = roots[0].module_folders();
        let names: Vec<String> = folders.files("../modules/a").unwrap().into_iter().map(|source| source.name).collect();
        assert_eq!(names, ["modules/a/a.hcl", "modules/a/b.tf"]);
        assert_eq!(folders.files("../modules/none").unwrap_err(), "there is no such folder");
    }

    #[test]
    fn the_folder_pipelines_is_found() {
        let folder = folder(&[("pipelines/x.hcl", "pipeline \"x\" {}\n")]);
        assert_eq!(found(folder.path(), None), vec![("pipelines/x.hcl".to_owned(), 1)]);
        assert!(discover(&folder.path().join("pipelines/none"), None).is_err());
    }
}
