//! Root modules: which files make one, and which ones a command line means.
//!
//! A file with a `pipeline` block is a root of its own. All other configuration files of a folder make the folder's root together.
//! Reading happens here; meaning is the business of `lang`.

use std::cell::RefCell;
use std::io;
use std::path::{Component, Path, PathBuf};

use pipectl_core::{Diagnostic, without_byte_order_mark};
use pipectl_lang::{ModuleFolders, SourceFile};

use crate::foreign;
use crate::project::{DEFAULT, STORE};

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
    /// Files ending in .hcl that lie beside those of Terraform and are another program's: what people call them.
    pub passed_over: Vec<String>,
    /// Where people stand: names of files are relative to it.
    here: PathBuf,
}

impl Root {
    /// The folders of the modules that this root module may use.
    pub fn module_folders(&self) -> Folders {
        let passed_over = RefCell::new(self.passed_over.clone());
        Folders { here: self.here.clone(), root: self.folder.clone(), passed_over }
    }
}

/// Folders of modules, on the local disk.
pub struct Folders {
    here: PathBuf,
    root: PathBuf,
    /// Files of other programs in the folders that were read, and in the root module's.
    passed_over: RefCell<Vec<String>>,
}

impl Folders {
    /// A warning that names the files that were taken for another program's.
    pub fn passed_over(&self) -> Option<Diagnostic> {
        let names: Vec<String> = self.passed_over.borrow().iter().map(|name| format!("`{name}`")).collect();
        let detail = format!(
            "Beside files ending in .tf, a file ending in .hcl is configuration only if nothing but blocks of ours stands at its top. Not read: {}.",
            names.join(", ")
        );
        (!names.is_empty()).then(|| Diagnostic::warning("Files of another program", detail))
    }
}

impl ModuleFolders for Folders {
    fn files(&self, folder: &str) -> Result<Vec<SourceFile>, String> {
        let folder = without_detours(&self.root.join(folder));
        if !folder.is_dir() {
            return Err("there is no such folder".to_owned());
        }
        let why = |problem: Diagnostic| problem.detail.trim_end_matches('.').to_owned();
        let files = configuration_files(&self.here, &folder).map_err(why)?;
        self.passed_over.borrow_mut().extend(files.passed_over);
        Ok(files.sources.into_iter().map(|(_, source)| source).collect())
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

/// What a folder without configuration files is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithoutFiles {
    /// A mistake: everything there is would be destroyed.
    Refused,
    /// A root module that declares nothing: its state can be looked at, and what it holds destroyed.
    Empty,
}

/// The root modules that `path` means for someone who stands in `here`.
///
/// A file with a `pipeline` block: that pipeline. Another file: its folder's root. A folder: its root if it has one, else all its pipelines.
/// Nothing: the same for `here`, and then for `here/pipelines`.
///
/// # Errors
/// When there is no configuration there and that is refused, or it cannot be read.
pub fn discover(here: &Path, path: Option<&Path>, without: WithoutFiles) -> Result<Vec<Root>, Diagnostic> {
    let empty = |folder: &Path, refusal: Diagnostic| match without {
        WithoutFiles::Refused => Err(refusal),
        WithoutFiles::Empty => match pipelines_with_states(folder).as_slice() {
            [] => Ok(vec![of_files(here, folder, Files::default())]),
            [name, ..] => {
                let folder = folder.join(".pipectl");
                let detail = format!(
                    "{} `{}` has the state of the pipeline \"{name}\", whose file is gone.",
                    refusal.detail,
                    shown(here, &folder)
                );
                let hint = format!("Write a file ending in .hcl again that has: pipeline \"{name}\" {{}}");
                Err(Diagnostic { detail, ..refusal }.hint(hint))
            }
        },
    };
    let Some(path) = path else {
        let mut roots = of_folder(here, here)?;
        let pipelines = here.join("pipelines");
        if roots.is_empty() && pipelines.is_dir() {
            roots = of_folder(here, &pipelines)?;
        }
        if roots.is_empty() {
            let refusal = Diagnostic::error(
                "No configuration files",
                "Neither the current folder nor its folder `pipelines` has a file ending in .hcl or .tf.",
            );
            return empty(here, refusal.hint("Name a root module: pipectl plan pipelines/hep.hcl"));
        }
        return Ok(roots);
    };
    let full = here.join(path);
    if full.is_dir() {
        let roots = of_folder(here, &full)?;
        if roots.is_empty() {
            let detail = format!("The folder `{}` has no file ending in .hcl or .tf.", path.display());
            return empty(&full, Diagnostic::error("No configuration files", detail));
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

/// Whether a file name is that of a configuration file.
pub fn is_configuration(name: &str) -> bool {
    let extension = [".hcl", ".tf", ".tf.json"].iter().any(|extension| name.ends_with(extension));
    extension && !name.starts_with('.') && !foreign::is_foreign_name(name)
}

/// A path as people know it: relative to where they stand when it lies below.
pub fn shown(here: &Path, path: &Path) -> String {
    match path.strip_prefix(here) {
        Ok(relative) if relative.as_os_str().is_empty() => ".".to_owned(),
        Ok(relative) => relative.display().to_string(),
        Err(_) => path.display().to_string(),
    }
}

/// The configuration files of a folder.
#[derive(Default)]
struct Files {
    /// Their names and what they hold, in order of the names.
    sources: Vec<(String, SourceFile)>,
    passed_over: Vec<String>,
}

fn configuration_files(here: &Path, folder: &Path) -> Result<Files, Diagnostic> {
    let why = |error: io::Error| unreadable(here, folder, &error);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(why)? {
        let entry = entry.map_err(why)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // A folder may be called anything. A link that leads nowhere is read, so that it is reported.
        if is_configuration(&name) && !entry.file_type().is_ok_and(|file_type| file_type.is_dir()) {
            names.push(name);
        }
    }
    names.sort();
    let mut files = Files::default();
    for name in names {
        let source = read(here, &folder.join(&name))?;
        files.sources.push((name, source));
    }
    if files.sources.iter().any(|(name, _)| !name.ends_with(".hcl")) {
        let is_ours = |name: &str, text: &str| !name.ends_with(".hcl") || !foreign::is_foreign_text(text);
        let (ours, others) = files.sources.into_iter().partition(|(name, source)| is_ours(name, &source.text));
        files.sources = ours;
        let others: Vec<(String, SourceFile)> = others;
        files.passed_over = others.into_iter().map(|(_, source)| source.name).collect();
    }
    Ok(files)
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
    let Files { sources, passed_over } = configuration_files(here, folder)?;
    let (pipelines, rest): (Vec<_>, Vec<_>) = sources.into_iter().partition(|(_, source)| declares_pipeline(source));
    let mut roots: Vec<Root> =
        pipelines.into_iter().map(|(name, source)| pipeline(here, folder, name, source)).collect();
    if !rest.is_empty() {
        roots.push(of_files(here, folder, Files { sources: rest, passed_over }));
    }
    Ok(roots)
}

/// The root that all these files of a folder make together.
fn of_files(here: &Path, folder: &Path, files: Files) -> Root {
    Root {
        folder: folder.to_owned(),
        entry: ".".to_owned(),
        shown: shown(here, folder),
        sources: files.sources.into_iter().map(|(_, source)| source).collect(),
        passed_over: files.passed_over,
        here: here.to_owned(),
    }
}

/// The names of pipelines that have a state in a folder, when the folder's own root has none.
fn pipelines_with_states(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join(".pipectl")).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| name != STORE);
    if names.iter().any(|name| name == DEFAULT) {
        return Vec::new();
    }
    names.sort();
    names
}

fn pipeline(here: &Path, folder: &Path, name: String, source: SourceFile) -> Root {
    let shown = shown(here, &folder.join(&name));
    let (folder, sources, here) = (folder.to_owned(), vec![source], here.to_owned());
    Root { folder, entry: name, shown, sources, passed_over: Vec::new(), here }
}

fn read(here: &Path, path: &Path) -> Result<SourceFile, Diagnostic> {
    let name = shown(here, path);
    let bytes = std::fs::read(path).map_err(|error| unreadable(here, path, &error))?;
    match String::from_utf8(bytes) {
        // A byte order mark is no part of the text.
        Ok(text) => Ok(SourceFile { name, text: without_byte_order_mark(&text).to_owned() }),
        Err(error) => {
            let line = error.as_bytes()[..error.utf8_error().valid_up_to()].split(|byte| *byte == b'\n').count();
            let detail = format!("Configuration files are UTF-8; `{name}` is not, in line {line}.");
            Err(Diagnostic::error("Invalid character encoding", detail))
        }
    }
}

fn unreadable(here: &Path, path: &Path, error: &io::Error) -> Diagnostic {
    let name = shown(here, path);
    let detail = match std::fs::read_link(path) {
        Ok(target) => format!("Cannot read `{name}`, a link to `{}`: {error}.", target.display()),
        Err(_) => format!("Cannot read `{name}`: {error}."),
    };
    Diagnostic::error("Configuration not readable", detail)
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
        let roots = discover(here, path.map(Path::new), WithoutFiles::Refused).unwrap();
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
        assert!(discover(here, Some(Path::new("absent.hcl")), WithoutFiles::Empty).is_err());
        assert!(discover(here, Some(Path::new("Cargo.toml")), WithoutFiles::Empty).is_err());
    }

    #[test]
    fn modules_are_found_from_the_folder_of_the_root() {
        let folder = folder(&[
            ("pipelines/x.hcl", "pipeline \"x\" {}\n"),
            ("modules/a/b.tf", "locals {}\n"),
            ("modules/a/a.hcl", "locals {}\n"),
            ("modules/a/notes.txt", "x\n"),
        ]);
        let roots = discover(folder.path(), Some(Path::new("pipelines/x.hcl")), WithoutFiles::Refused).unwrap();
        let folders = roots[0].module_folders();
        let names: Vec<String> = folders.files("../modules/a").unwrap().into_iter().map(|source| source.name).collect();
        assert_eq!(names, ["modules/a/a.hcl", "modules/a/b.tf"]);
        assert_eq!(folders.files("../modules/none").unwrap_err(), "there is no such folder");
    }

    #[test]
    fn the_folder_pipelines_is_found() {
        let folder = folder(&[("pipelines/x.hcl", "pipeline \"x\" {}\n")]);
        assert_eq!(found(folder.path(), None), vec![("pipelines/x.hcl".to_owned(), 1)]);
        assert!(discover(&folder.path().join("pipelines/none"), None, WithoutFiles::Empty).is_err());
    }

    #[test]
    fn a_folder_without_files_is_an_empty_root_where_that_is_no_mistake() {
        let folder = folder(&[("notes.txt", "x\n"), ("gone/.pipectl/hep/default/log/1", "x\n")]);
        let here = folder.path();
        let refused = discover(here, None, WithoutFiles::Refused).unwrap_err();
        assert_eq!(refused.summary, "No configuration files");
        let roots = discover(here, None, WithoutFiles::Empty).unwrap();
        let found: Vec<_> = roots.iter().map(|root| (root.entry.as_str(), root.sources.len())).collect();
        assert_eq!(found, [(".", 0)]);
        // The state of a pipeline whose file is gone is not forgotten.
        let refused = discover(here, Some(Path::new("gone")), WithoutFiles::Empty).unwrap_err();
        assert!(refused.detail.contains("`gone/.pipectl` has the state of the pipeline \"hep\""), "{}", refused.detail);
    }

    #[test]
    fn files_of_other_programs_lie_beside_those_of_terraform() {
        let files = [
            ("backend.hcl", "path = \"x\"\n"),
            ("stages.hcl", "stage \"run\" \"x\" {}\n"),
            ("terragrunt.hcl", "locals {}\n"),
        ];
        let alone = folder(&files);
        assert_eq!(found(alone.path(), None), [(".".to_owned(), 2)]);
        std::fs::write(alone.path().join("main.tf"), "locals {}\n").unwrap();
        let roots = discover(alone.path(), None, WithoutFiles::Refused).unwrap();
        let names: Vec<&str> = roots[0].sources.iter().map(|source| source.name.as_str()).collect();
        assert_eq!(names, ["main.tf", "stages.hcl"]);
        assert_eq!(roots[0].passed_over, ["backend.hcl"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_that_lead_nowhere_are_told() {
        let folder = folder(&[("main.tf", "locals {}\n"), ("folder.tf/x.txt", "x\n")]);
        assert_eq!(found(folder.path(), None), [(".".to_owned(), 1)]);
        let link = folder.path().join("shared.tf");
        for target in ["nowhere", "shared.tf", "folder.tf"] {
            std::os::unix::fs::symlink(target, &link).unwrap();
            let told = discover(folder.path(), None, WithoutFiles::Refused).unwrap_err();
            let place = format!("Cannot read `shared.tf`, a link to `{target}`: ");
            assert!(told.detail.starts_with(&place), "{}", told.detail);
            std::fs::remove_file(&link).unwrap();
        }
    }
}
