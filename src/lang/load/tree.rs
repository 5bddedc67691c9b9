//! The tree of modules: which folder each `module` block means, each folder read once, circles found.

use std::collections::BTreeMap;
use std::sync::Arc;

use pipectl_core::{Diagnostic, Diagnostics, SourceMap};

use crate::configuration::{Configuration, ModuleBlock};
use crate::load::{SourceFile, load_files};

/// How deep modules may lie in each other: more is a circle that links between folders make.
const DEEPEST: usize = 64;

/// Where the files of modules come from.
pub trait ModuleFolders {
    /// The configuration files of a folder, in the order of their names. `folder` is the way there from the root module's folder, with `/`
    /// between names and without `.` in it: `modules/network`, `../shared`.
    ///
    /// # Errors
    /// Why they cannot be read, as a fragment without the path: "no such file or folder".
    fn files(&self, folder: &str) -> Result<Vec<SourceFile>, String>;
}

/// No folders at all: for text that stands alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoModules;

impl ModuleFolders for NoModules {
    fn files(&self, _folder: &str) -> Result<Vec<SourceFile>, String> {
        Err("modules cannot be read here".to_owned())
    }
}

/// Reads the files of a root module that uses no other modules; see [`load_with_modules`].
pub fn load(files: Vec<SourceFile>) -> (Configuration, Diagnostics) {
    load_with_modules(files, &NoModules)
}

/// Reads the files of a root module, and those of all modules below. All independent errors of all files are found; what is wrong is left out
/// of the configuration.
pub fn load_with_modules(files: Vec<SourceFile>, folders: &dyn ModuleFolders) -> (Configuration, Diagnostics) {
    load_in(files, "", folders, SourceMap::default())
}

/// Reads the module that `source` names in the root module's folder, as a root module of its own. Paths are still seen from the folder of the
/// other one. The files join `sources`.
///
/// # Errors
/// Why it cannot be read, as a fragment.
pub fn load_module_as_root(
    source: &str,
    folders: &dyn ModuleFolders,
    sources: SourceMap,
) -> Result<(Configuration, Diagnostics), String> {
    let folder = joined("", source);
    match folders.files(&folder)? {
        files if files.is_empty() => Err("it has no file ending in .hcl or .tf".to_owned()),
        files => Ok(load_in(files, &folder, folders, sources)),
    }
}

fn load_in(
    files: Vec<SourceFile>,
    folder: &str,
    folders: &dyn ModuleFolders,
    sources: SourceMap,
) -> (Configuration, Diagnostics) {
    let mut tree =
        Tree { folders, sources, diagnostics: Diagnostics::new(), loaded: BTreeMap::new(), open: Vec::new() };
    let mut root = tree.load(files, folder);
    root.sources = tree.sources;
    (root, tree.diagnostics)
}

struct Tree<'a> {
    folders: &'a dyn ModuleFolders,
    sources: SourceMap,
    diagnostics: Diagnostics,
    /// By folder: `None` where it could not be read.
    loaded: BTreeMap<String, Option<Arc<Configuration>>>,
    /// Folders of the modules that are being loaded, from the root module's down.
    open: Vec<String>,
}

impl Tree<'_> {
    fn load(&mut self, files: Vec<SourceFile>, folder: &str) -> Configuration {
        let (mut configuration, found) = load_files(files, folder, self.open.is_empty(), &mut self.sources);
        self.diagnostics.extend(found);
        self.open.push(folder.to_owned());
        for block in configuration.modules.values_mut() {
            block.configuration = self.module(block, folder);
            block.claim_inputs();
        }
        self.open.pop();
        configuration
    }

    /// The configuration that a block means; what stands in the way is reported.
    fn module(&mut self, block: &ModuleBlock, outer: &str) -> Option<Arc<Configuration>> {
        let span = block.source_span.clone();
        let folder = joined(outer, &block.source);
        let shown = if folder.is_empty() { "." } else { &folder };
        if self.open.contains(&folder) || self.open.len() >= DEEPEST {
            let mut names: Vec<&str> = self.open.iter().map(|open| if open.is_empty() { "." } else { open }).collect();
            names.drain(..self.open.iter().position(|open| *open == folder).unwrap_or(0));
            let detail = match self.open.contains(&folder) {
                true => format!("A module cannot have itself inside: {} -> {shown}.", names.join(" -> ")),
                false => format!("Modules lie in each other {DEEPEST} deep; the innermost is `{shown}`."),
            };
            self.diagnostics.push(Diagnostic::error("Module source cycle", detail).at(span));
            return None;
        }
        if let Some(known) = self.loaded.get(&folder) {
            return known.clone();
        }
        let unreadable = |detail: String| Diagnostic::error("Unreadable module directory", detail);
        let files = match self.folders.files(&folder) {
            Ok(files) if files.is_empty() => {
                let detail =
                    format!("The folder `{shown}` of module {:?} has no file ending in .hcl or .tf.", block.name);
                Err(unreadable(detail))
            }
            Ok(files) => Ok(files),
            Err(why) => {
                Err(unreadable(format!("The folder `{shown}` of module {:?} cannot be read: {why}.", block.name)))
            }
        };
        let configuration = match files {
            Ok(files) => Some(Arc::new(self.load(files, &folder))),
            Err(problem) => {
                self.diagnostics.push(problem.at(span));
                None
            }
        };
        self.loaded.insert(folder, configuration.clone());
        configuration
    }
}

/// `source` seen from `folder`, as one way from the root module's folder: without `.`, and with `..` only at the start.
fn joined(folder: &str, source: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in folder.split('/').chain(source.split('/')) {
        match name {
            "" | "." => {}
            ".." if names.last().is_some_and(|last| *last != "..") => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    names.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipectl_core::ModulePath;

    struct Given(Vec<(&'static str, &'static str)>);

    impl ModuleFolders for Given {
        fn files(&self, folder: &str) -> Result<Vec<SourceFile>, String> {
            let files = self.0.iter().filter(|(given, _)| *given == folder);
            let files: Vec<SourceFile> = files
                .map(|(_, text)| SourceFile { name: format!("{folder}/main.hcl"), text: (*text).to_owned() })
                .collect();
            if files.is_empty() { Err("no such file or folder".to_owned()) } else { Ok(files) }
        }
    }

    fn loaded(root: &str, modules: Vec<(&'static str, &'static str)>) -> (Configuration, Vec<String>) {
        let files = vec![SourceFile { name: "main.hcl".to_owned(), text: root.to_owned() }];
        let (configuration, found) = load_with_modules(files, &Given(modules));
        let texts = found.iter().map(|found| {
            let place = found.span.as_ref().and_then(|span| configuration.sources.get(span.source));
            format!("{}: {}: {}", place.map_or("", |source| source.name.as_str()), found.summary, found.detail)
        });
        let texts = texts.collect();
        (configuration, texts)
    }

    #[test]
    fn a_module_may_be_a_root_of_its_own() {
        let folders = Given(vec![
            ("helper", "module \"n\" {\n  source = \"../m\"\n}\nimport {\n  to = a.b\n  id = \"x\"\n}\n"),
            ("m", "output \"o\" {\n  value = 1\n}\n"),
        ]);
        let mut sources = SourceMap::default();
        sources.add("a.tftest.hcl", "");
        let (configuration, found) = load_module_as_root("./x/../helper", &folders, sources).unwrap();
        assert!(found.is_empty(), "import blocks are a root module's: {found:?}");
        let inside = configuration.modules["n"].configuration.as_ref().unwrap();
        assert_eq!((configuration.folder.as_str(), inside.folder.as_str()), ("helper", "m"));
        let names: Vec<&str> = configuration.sources.iter().map(|(_, source)| source.name.as_str()).collect();
        assert_eq!(names, ["a.tftest.hcl", "helper/main.hcl", "m/main.hcl"]);
        assert!(load_module_as_root("./absent", &folders, SourceMap::default()).is_err());
    }

    #[test]
    fn ways_are_joined() {
        for (folder, source, expected) in [
            ("", "./a", "a"),
            ("", "../a/", "../a"),
            ("modules/a", "../b", "modules/b"),
            ("modules/a", "./b/./c", "modules/a/b/c"),
            ("a", "../..", ".."),
            ("../a", "../../b", "../../b"),
            ("a", "../", ""),
        ] {
            assert_eq!(joined(folder, source), expected, "{folder} {source}");
        }
    }

    #[test]
    fn a_folder_is_read_once_and_found_by_its_path() {
        let (configuration, found) = loaded(
            "module \"a\" {\n  source = \"./x\"\n}\nmodule \"b\" {\n  source = \"./y\"\n}\n",
            vec![
                ("x", "module \"inner\" {\n  source = \"../y\"\n}\nlocals {\n  x = 1\n}\n"),
                ("y", "resource \"t\" \"r\" {}\nlocals {\n  y = 1\n}\n"),
            ],
        );
        assert_eq!(found, Vec::<String>::new());
        assert_eq!(configuration.sources.iter().count(), 3);
        assert_eq!(configuration.distinct_modules().len(), 3);
        let mut paths = Vec::new();
        configuration.visit_modules(&mut |path, inside| paths.push(format!("{path}={}", inside.folder)));
        assert_eq!(paths, ["=", "module.a=x", "module.a.module.inner=y", "module.b=y"]);
        let path: ModulePath = "module.a[0].module.inner[\"k\"]".parse().unwrap();
        assert!(configuration.module(&path).unwrap().locals.contains_key("y"));
        assert!(configuration.object(&"module.a.module.inner.t.r[3]".parse().unwrap()).is_some());
        assert!(configuration.object(&"module.a.t.r".parse().unwrap()).is_none());
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        let (configuration, found) = loaded(
            "module \"a\" {\n  source = \"./x\"\n}\nmodule \"none\" {\n  source = \"./none\"\n}\n",
            vec![
                ("x", "module \"b\" {\n  source = \"./y\"\n}\nmodule \"root\" {\n  source = \"../\"\n}\n"),
                (
                    "x/y",
                    "module \"up\" {\n  source = \"..\"\n}\npipeline \"p\" {}\nimport {\n  to = t.r\n  id = \"1\"\n}\n",
                ),
            ],
        );
        assert_eq!(
            found,
            [
                "x/y/main.hcl: Pipeline block in a module: A pipeline block belongs to a root module: it names the state, and a module has \
                 none of its own.",
                "x/y/main.hcl: Invalid import configuration: Import blocks are only allowed in the root module.",
                "x/y/main.hcl: Module source cycle: A module cannot have itself inside: x -> x/y -> x.",
                "x/main.hcl: Module source cycle: A module cannot have itself inside: . -> x -> ..",
                "main.hcl: Unreadable module directory: The folder `none` of module \"none\" cannot be read: no such file or folder.",
            ]
        );
        assert!(configuration.modules["none"].configuration.is_none());
    }

    #[test]
    fn links_that_go_round_end() {
        struct Round;
        impl ModuleFolders for Round {
            fn files(&self, folder: &str) -> Result<Vec<SourceFile>, String> {
                let text = "module \"a\" {\n  source = \"./a\"\n}\n".to_owned();
                Ok(vec![SourceFile { name: format!("{folder}/main.hcl"), text }])
            }
        }
        let files = vec![SourceFile {
            name: "main.hcl".to_owned(),
            text: "module \"a\" {\n  source = \"./a\"\n}\n".to_owned(),
        }];
        let (_, found) = load_with_modules(files, &Round);
        assert_eq!(found.iter().map(|found| found.summary.as_str()).collect::<Vec<_>>(), ["Module source cycle"]);
    }
}
